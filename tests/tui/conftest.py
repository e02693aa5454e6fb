"""A world for the full-screen client: frozen time, a fake client with rooms and people, an application to press."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from support.fake_client import NOON, FakeClient
from support.realterm import PtyTerminal
from support.realworld import World
from support.tuiworld import Run, chat, fill, settle
from tcpchat.tui.app import ChatApp
from tcpchat.tui.settings import Memory, Settings


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


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A real server and a home folder."""
    made = World(tmp_path)
    yield made
    made.kill()


@pytest.fixture
def terminal(world: World) -> Iterator[PtyTerminal]:
    """The client on a pty, online in that world."""
    made = PtyTerminal(["chat", world.where], world.home)
    try:
        made.until("#all>")
        made.until("WAIT4CLIENTS")
        yield made
    finally:
        made.close()
