"""A world for the full-screen client: frozen time, a fake client with rooms and people, an application to press."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.tui.fake_client import NOON, FakeClient
from textual.pilot import Pilot

from tcpchat.client import Sent
from tcpchat.tui.app import ChatApp
from tcpchat.tui.settings import Memory, Settings

DAY = 86_400_000
Run = Callable[..., AbstractAsyncContextManager[Pilot[int]]]


@pytest.fixture(autouse=True)
def _frozen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    for name in ("NO_COLOR", "TCPCHAT_ASCII", "TCPCHAT_NO_COLOR", "TMUX", "TERM_PROGRAM", "TCPCHAT_LANGUAGE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.setenv("TCPCHAT_HOME", str(tmp_path))
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    monkeypatch.setenv("TEXTUAL_ANIMATIONS", "none")
    time.tzset()
    yield
    os.environ.pop("NO_COLOR", None)


@pytest.fixture
async def client() -> FakeClient:
    """Rooms and people as in the pictures of the specification."""
    fake = FakeClient("you")
    fake.room("#all", topic="", members=5, online=4)
    fake.room("#duck", topic="no lost message", members=4, online=4, read=9)
    fake.room("#ops", members=3, read=0, mentions=1)
    fake.room("#random", members=9, read=0)
    for name in ("Big Brother", "carol", "duck"):
        fake.room("@" + name, members=2)
    for login, online in (("alice", True), ("Big Brother", True), ("duck", True), ("you", True)):
        fake.person(login, online, account=login)
    fake.person("carol", False, account="carol", seen=NOON - 7_200_000)
    fill(fake)
    return fake


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


@pytest.fixture
def run(client: FakeClient, tmp_path: Path) -> Run:
    """``async with run(size=(100, 30)) as pilot``: the application, online, in #duck."""

    @asynccontextmanager
    async def running(
        size: tuple[int, int] = (118, 28), *, online: bool = True, room: str = "#duck", **options: Any
    ) -> AsyncIterator[Pilot[int]]:
        settings = options.pop("settings", None) or Settings(theme="dark", how="bell")
        environment = options.pop("environment", {"TERM": "xterm-256color"})
        app = ChatApp(
            "localhost:6060", "you", settings=settings, memory=Memory(tmp_path / "tui.json"), connect=client.factory,
            now=lambda: (NOON + 36 * 60_000) / 1000, environment=environment, **options,
        )  # fmt: skip
        app.written = []  # type: ignore[attr-defined]
        app.write = app.written.append  # type: ignore[attr-defined,method-assign]
        app.caller._write = app.written.append  # type: ignore[attr-defined]
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            if online:
                client.go_online()
                await settle(pilot)
                if room:
                    chat(pilot).open_name(room)
                    await settle(pilot)
            yield pilot
            assert app.faults == []

    return running


def chat(pilot: Pilot[int]) -> Any:
    """The chat screen."""
    return pilot.app.chat_screen  # type: ignore[attr-defined]


async def settle(pilot: Pilot[int]) -> None:
    """Until everything that was put in is on the screen."""
    app: Any = pilot.app
    for _time in range(3):
        await pilot.pause()
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
