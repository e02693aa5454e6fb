"""irssi and WeeChat with somebody at the numbered menu and somebody at a native client, all of them real programs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import tcpchat
from support.menuperson import MenuPerson
from support.realpeer import Irssi, Program, WeeChat, missing, wait
from tcpchat.menu import DELIVERED
from tcpchat.server import Server

pytestmark = [
    pytest.mark.real,
    pytest.mark.timeout(180),
    pytest.mark.skipif(
        bool(missing("irssi", "weechat-headless", "tmux")),
        reason=missing("irssi", "weechat-headless", "tmux"),
    ),
]


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TCPCHAT_HOME", str(tmp_path / "home"))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    folder = tmp_path / "server"
    folder.mkdir()
    settings = {"irc_receipts_after": 0.5, "messages_per_second": 0.0}
    with Server.in_thread(host="127.0.0.1", port=0, data=folder, **settings) as server:
        yield server


@pytest.fixture(params=[Irssi, WeeChat], ids=["irssi", "weechat"])
def client(request: pytest.FixtureRequest, server: Server, tmp_path: Path) -> Iterator[Program]:
    """A client whose login "duck" has a password."""
    with native(server, "duck") as first:
        first.command(tcpchat.model.Password(password="", new="sesame"))
    program: Program = request.param(tmp_path / request.param.__name__, server.port, "duck", "sesame")
    program.start()
    yield program
    program.stop()  # type: ignore[attr-defined]


@pytest.fixture
def menu(server: Server, tmp_path: Path) -> Iterator[MenuPerson]:
    person = MenuPerson(tmp_path / "menu", server.port, "hare")
    yield person
    person.close()


def native(server: Server, login: str) -> tcpchat.sync.SyncClient:
    return tcpchat.sync.connect(f"127.0.0.1:{server.port}", login=login, tls="never")


def here(chat: tcpchat.sync.SyncClient) -> bool:
    return any(person.login == "duck" and person.online for person in chat.who("#all"))


def said(server: Server, home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """One command of the command line, as a script runs it."""
    command = [sys.executable, "-m", "tcpchat", "send", "-s", f"127.0.0.1:{server.port}", "-u", "otter", *arguments]
    environment = {**os.environ, "TCPCHAT_HOME": str(home), "TCPCHAT_TLS": "never"}
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)


def test_three_kinds_of_clients_talk(client: Program, menu: MenuPerson, server: Server, tmp_path: Path) -> None:
    with native(server, "rabbit") as rabbit:
        wait("it is online", lambda: here(rabbit))
        menu.wait_for_messages()
        client.type("/msg hare hello from IRC")
        menu.shows("duck  : hello from IRC")
        client.type("good morning everybody", "#all")
        menu.shows("broadcast - duck : good morning everybody")
        menu.write("duck", "hello from the menu")
        client.shows("hello from the menu")
        menu.shows(DELIVERED)
        rabbit.send("#all", "hello from the library")
        client.shows("hello from the library")
        done = said(
            server, tmp_path / "otter", "--wait", "delivered", "--timeout", "30", "@duck", "hello from a script"
        )
        assert done.returncode == 0, done.stderr
        client.shows("hello from a script")


def test_cut_off_and_back(client: Program, menu: MenuPerson, server: Server) -> None:
    """Nothing is delivered to who is away, all of it is shown once to who comes back, and then the menu hears it."""
    with native(server, "rabbit") as rabbit:
        wait("it is online", lambda: here(rabbit))
        menu.write("duck", "the first words")
        menu.shows(DELIVERED)
        client.kill()
        wait("the server has noticed", lambda: not here(rabbit))
        for number in range(20):
            rabbit.send("#all", f"missed line {number:02d}")
        menu.write("duck", "are you there?")
        menu.shows("< Message is waiting for duck ... >")
        assert menu.screen().count(DELIVERED) == 1
        client.stop()  # type: ignore[attr-defined]
        client.start()
        client.shows("missed line 19")
        client.shows("are you there?")
        menu.shows(DELIVERED, 2)
        assert re.findall(r"missed line \d+", client.text()) == [f"missed line {number:02d}" for number in range(20)]
        assert client.text().count("are you there?") == 1
        assert client.text().count("the first words") == 1


def test_a_stopped_program_has_nothing(client: Program, menu: MenuPerson, server: Server) -> None:
    with native(server, "rabbit") as rabbit:
        wait("it is online", lambda: here(rabbit))
        menu.write("duck", "one")
        menu.shows(DELIVERED)
        client.freeze()
        menu.write("duck", "two")
        menu.shows("< Message is waiting for duck ... >")
        assert menu.screen().count(DELIVERED) == 1
        client.thaw()
        client.shows("two")
        menu.shows(DELIVERED, 2)
