"""What the tests of the full-screen client share: the messages of the pictures, waiting, reading the screen."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

from textual.pilot import Pilot

from tcpchat.client import Sent

from .fake_client import NOON, FakeClient

Run = Callable[..., AbstractAsyncContextManager[Pilot[int]]]  # what the fixture of this name is
DAY = 86_400_000


def fill(fake: FakeClient) -> None:
    """The messages of the pictures; one by one, since their numbers matter."""
    hour = 3_600_000
    fake.say("#duck", "alice", "the log says READY2SERV", at=NOON - DAY + 8 * hour + 120_000)
    fake.say("#duck", "alice", "everyone can stop refreshing")
    fake.say("#duck", "Big Brother", "I'm watching you ...", at=NOON + 31 * 60_000)
    long = "quack? here is a longer line that shows how text wraps under the message column, never under the time"
    fake.say("#duck", "you", long, at=NOON + 33 * 60_000)
    fake.infos["#duck"].update(delivered=fake.seq, seen=fake.seq - 1)
    for text in ("deploy at noon", "@you can you look?"):
        fake.say("#ops", "alice", text, at=NOON + 33 * 60_000)
    fake.say("@carol", "carol", "call me", at=NOON + 33 * 60_000)
    fake.say("#duck", "you", "still here", at=NOON + 33 * 60_000 + 30_000)
    fake.seq += 1
    fake.say("#duck", "duck", "you: *quack*", at=NOON + 34 * 60_000)
    fake.say("#duck", "carol", "@you did the report go out?")
    fake.happen("#duck", "joined", "bob", at=NOON + 35 * 60_000)
    fake.say("#duck", "you", "sent an hour ago, see #ops", at=NOON + 35 * 60_000 + 1000)
    for number in range(14):
        fake.say("#random", "duck", f"number {number}", at=NOON + 35 * 60_000 + number)


def chat(pilot: Pilot[int]) -> Any:
    """The chat screen."""
    return pilot.app.chat_screen  # type: ignore[attr-defined]


async def settle(pilot: Pilot[int]) -> None:
    """Until everything that was put in is on the screen."""
    app: Any = pilot.app
    for _time in range(2):
        await asyncio.sleep(0)
        screen = app.chat_screen
        if screen is not None:
            await app.workers.wait_for_complete([one for one in app.workers if not one.is_finished])
        if app._due is not None:
            app._due.cancel()
            app._update()
        await pilot.pause()


def screen_text(pilot: Pilot[int]) -> list[str]:
    """What is on the screen, line by line."""
    app: Any = pilot.app
    height = app.size.height
    strips = app.screen._compositor.render_strips()
    return ["".join(segment.text for segment in strip).rstrip() for strip in strips][:height]


def sent(client: FakeClient) -> list[Sent]:
    """What waits to be accepted."""
    return list(client.pending)
