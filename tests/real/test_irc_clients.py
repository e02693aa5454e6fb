"""Debian's irssi and WeeChat against a real server: join, talk, be cut off, come back, miss nothing, confirm."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import tcpchat
from support.realpeer import Irssi, Program, WeeChat, missing, wait
from tcpchat.server import Server

pytestmark = [
    pytest.mark.real,
    pytest.mark.timeout(180),
    pytest.mark.skipif(
        bool(missing("irssi", "weechat-headless", "tmux")),
        reason=missing("irssi", "weechat-headless", "tmux"),
    ),
]
MANY = 2_000


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TCPCHAT_HOME", str(tmp_path / "home"))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    folder = tmp_path / "server"
    folder.mkdir()
    settings = {"lobby": "", "irc_receipts_after": 0.5, "messages_per_second": 0.0}
    with Server.in_thread(host="127.0.0.1", port=0, data=folder, **settings) as server:
        yield server


@pytest.fixture(params=[Irssi, WeeChat], ids=["irssi", "weechat"])
def client(request: pytest.FixtureRequest, server: Server, tmp_path: Path) -> Iterator[Program]:
    """A client whose login "duck" has a password."""
    with tcpchat.sync.connect(f"127.0.0.1:{server.port}", login="duck", tls="never") as first:
        first.command(tcpchat.model.Password(password="", new="sesame"))
    program: Program = request.param(tmp_path / request.param.__name__, server.port, "duck", "sesame")
    program.start()
    yield program
    program.stop()  # type: ignore[attr-defined]


def here(chat: tcpchat.sync.SyncClient, room: str = "") -> bool:
    """Is the duck here, or in this room?"""
    return any(person.login == "duck" and person.online for person in chat.who(room))


def count(program: Program, pattern: str) -> list[str]:
    return re.findall(pattern, program.text())


def test_talk_be_cut_off_and_come_back(client: Program, server: Server) -> None:
    with tcpchat.sync.connect(f"127.0.0.1:{server.port}", login="rabbit", tls="never") as rabbit:
        rabbit.join("#pond")
        wait("it is online", lambda: here(rabbit))  # what is typed before that has nowhere to go
        client.type("/join #pond")
        wait("it is in the room", lambda: here(rabbit, "#pond"))
        client.type("hello from the client", "#pond")
        wait(
            "rabbit hears it",
            lambda: any("hello from" in one.text for one in rabbit.history("#pond").messages),
        )
        sent = rabbit.send("#pond", "hello from the library")
        client.shows("hello from the library")
        sent.delivered(timeout=20)

        client.kill()
        wait("the server has noticed", lambda: not here(rabbit))
        room = [rabbit.send("#pond", f"missed line {number}") for number in range(30)]
        direct = rabbit.send("@duck", "are you there?")
        direct.accepted(timeout=20)
        assert direct.state == "accepted"
        if hasattr(client, "stop"):
            client.stop()
        client.start()
        client.shows("are you there?")
        client.shows("missed line 29")
        direct.delivered(timeout=20)
        room[-1].delivered(timeout=20)
        assert count(client, r"missed line \d+") == [f"missed line {number}" for number in range(30)]
        assert len(count(client, "are you there")) == 1
        assert len(count(client, "hello from the library")) == 1


def test_a_stopped_client_has_nothing(client: Program, server: Server) -> None:
    with tcpchat.sync.connect(f"127.0.0.1:{server.port}", login="rabbit", tls="never") as rabbit:
        rabbit.send("@duck", "one").delivered(timeout=20)
        client.freeze()
        sent = rabbit.send("@duck", "two")
        sent.accepted(timeout=20)
        with pytest.raises(tcpchat.TimedOut):
            sent.delivered(timeout=2)
        client.thaw()
        sent.delivered(timeout=20)


def test_two_thousand_lines(client: Program, server: Server) -> None:
    with tcpchat.sync.connect(f"127.0.0.1:{server.port}", login="rabbit", tls="never") as rabbit:
        rabbit.join("#pond")
        wait("it is online", lambda: here(rabbit))  # what is typed before that has nowhere to go
        client.type("/join #pond")
        wait("it is in the room", lambda: here(rabbit, "#pond"))
        rabbit.send("#pond", "before").delivered(timeout=20)
        client.kill()
        wait("the server has noticed", lambda: not here(rabbit))
        last = [rabbit.send("#pond", f"line {number:04d}") for number in range(MANY)][-1]
        last.accepted(timeout=60)
        client.stop()  # type: ignore[attr-defined]
        client.start()
        client.shows(f"line {MANY - 1:04d}")
        last.delivered(timeout=60)
        assert count(client, r"line \d{4}") == [f"line {number:04d}" for number in range(MANY)]


def test_the_programs_are_here() -> None:
    assert all(shutil.which(name) for name in ("irssi", "weechat-headless", "tmux"))
    assert subprocess.run(["tmux", "-V"], capture_output=True, check=True)
