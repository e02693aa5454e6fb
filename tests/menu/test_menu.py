"""The numbered menu over a real server: its lines, what waits while it is open, how it ends."""

from __future__ import annotations

import asyncio
import os
import pty
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tcpchat import i18n
from tcpchat.client import Client, connect
from tcpchat.core import model as m
from tcpchat.menu import DEAD, DELIVERED, FAILED, MENU, SHUTDOWN, WAITING, Menu, shown, target
from tcpchat.server import Server


class Keys:
    """A keyboard that a test types on."""

    def __init__(self, terminal: bool = True) -> None:
        self.terminal = terminal
        self.lines: asyncio.Queue[str | None] = asyncio.Queue()
        self.hidden: list[bool] = []

    async def line(self) -> str | None:
        return await self.lines.get()

    def hide(self, hidden: bool) -> None:
        self.hidden.append(hidden)

    def type(self, *lines: str | None) -> None:
        for line in lines:
            self.lines.put_nowait(line)


class Screen:
    """What a menu prints, to wait for."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._more = asyncio.Event()

    def say(self, text: str) -> None:
        self.lines += text.split("\n")
        self._more.set()

    async def until(self, line: str, times: int = 1) -> None:
        async with asyncio.timeout(15):
            while self.lines.count(line) < times:
                self._more.clear()
                await self._more.wait()


class Person:
    """A menu with its keyboard and screen."""

    def __init__(self, port: int, terminal: bool = True, **options: Any) -> None:
        self.keys, self.screen = Keys(terminal), Screen()
        self.menu = Menu("127.0.0.1", port, keyboard=self.keys, say=self.screen.say, options=options)
        self.task = asyncio.create_task(self.menu.run())

    async def code(self) -> int:
        return await asyncio.wait_for(self.task, 15)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TCPCHAT_HOME", str(tmp_path))
    i18n.use("en")
    return tmp_path


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with Server("127.0.0.1", 0, None) as running:
        yield running


@asynccontextmanager
async def person(server: Server, login: str, **options: Any) -> AsyncIterator[Person]:
    """Somebody at the open menu."""
    one = Person(server.port, **options)
    one.keys.type(login)
    await one.screen.until("5. Close connection")
    try:
        yield one
    finally:
        one.task.cancel()
        await asyncio.gather(one.task, return_exceptions=True)


def client(server: Server, login: str, **options: Any) -> Client:
    return connect(f"127.0.0.1:{server.port}", login, **options)


async def holding(one: Person, count: int) -> None:
    """Wait until so many messages have reached an open menu: it does nothing then that could be waited for."""
    async with asyncio.timeout(15):
        while one.menu._held < count:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_the_whole_of_it(server: Server) -> None:
    async with person(server, "Big Brother") as big, client(server, "duck") as duck:
        assert big.screen.lines == [
            f"client (HOST,PORT) set to (127.0.0.1,{server.port})",
            "< Server is WAIT4CLIENTS >",
            *MENU.split("\n"),
        ]
        big.keys.type("1")
        await big.screen.until("< Server is READY2SERV >")
        big.keys.type("", "2")
        await big.screen.until("Users:")
        await big.screen.until("Big Brother; duck")
        big.keys.type("", "9")  # a wrong number is Enter
        await big.screen.until(WAITING.split("\n")[0], 3)
        big.keys.type("", "3", " @duck ", "*quack*")
        message = await duck.messages().next(5)
        assert message is not None
        assert (message.by, message.to, message.text) == ("Big Brother", "@duck", "*quack*")
        duck.confirm(message.seq)
        await big.screen.until(DELIVERED)
        big.keys.type("", "5")
        assert await big.code() == 0
        assert big.screen.lines[-1] == "< Bye! >"


async def test_nothing_is_printed_while_the_menu_is_open(server: Server) -> None:
    """And nothing is confirmed either: the line on the screen is what delivered and read mean here."""
    async with person(server, "me") as me, client(server, "duck") as duck:
        first = await duck.send("@me", "one")
        for text in ("two", "three"):
            last = await duck.send("@me", text)
        await last.accepted(5)
        await duck.send("#all", "to all")
        await holding(me, 4)
        assert me.screen.lines[-1] == "5. Close connection"
        assert first.state == "accepted"
        me.keys.type("")
        await last.read(5)
        at = me.screen.lines.index("< press <enter> to see menu: >")
        await me.screen.until("broadcast - duck : to all")
        told = [line for line in me.screen.lines[at + 1 :] if not line.startswith("< Server is")]
        assert told == [
            "< 4 messages came while the menu was open >",
            "duck  : one",
            "duck  : two",
            "duck  : three",
            "broadcast - duck : to all",
        ]


async def test_questions_hold_messages_back_too(server: Server) -> None:
    async with person(server, "me") as me, client(server, "duck") as duck:
        me.keys.type("3", "duck")
        sent = await duck.send("@me", "are you there?")
        await holding(me, 1)
        assert "duck  : are you there?" not in me.screen.lines
        me.keys.type("yes")
        await me.screen.until("duck  : are you there?")
        await sent.read(5)


async def test_failures_say_what_to_do(server: Server) -> None:
    async with person(server, "me") as me, client(server, "duck"):
        me.keys.type("3", "dukc", "hi")
        await me.screen.until(FAILED)
        await me.screen.until('< No user "dukc" here. Did you mean duck? >')
        me.keys.type("", "3", "zzzzzz", "hi")
        await me.screen.until('< No user "zzzzzz" here. Choose 2 to see who is. >')
        me.keys.type("", "4", "x" * 9000)
        await me.screen.until(FAILED, 3)
        me.keys.type("", "3", "", "hi")
        await me.screen.until(FAILED, 4)


async def test_who_is_away_is_waited_for(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tcpchat.menu.WAIT_SECONDS", 0.1)
    async with person(server, "duck") as duck:
        duck.keys.type("5")
        await duck.code()
    async with person(server, "me") as me:
        me.keys.type("3", "duck", "quack")
        await me.screen.until("< Message is waiting for duck ... >")
        me.keys.type("", "4", "and all")
        await me.screen.until("< Message is waiting for duck ... >", 2)
        assert DELIVERED not in me.screen.lines
        async with person(server, "duck") as again:
            assert "< You have 2 messages from before >" in again.screen.lines
            again.keys.type("")
            await again.screen.until("me  : quack")
            await again.screen.until("broadcast - me : and all")
            await me.screen.until(DELIVERED, 2)
            assert not [line for line in again.screen.lines if "while the menu" in line]


async def test_alone_everybody_has_it(server: Server) -> None:
    async with person(server, "me") as me:
        me.keys.type("4", "hello?")
        await me.screen.until(DELIVERED)


async def test_the_login_is_its_owners(server: Server, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with person(server, "duck"):
        pass
    monkeypatch.setenv("TCPCHAT_HOME", str(home / "other"))
    other = Person(server.port)
    other.keys.type("duck")
    await other.screen.until('< Login "duck" belongs to somebody else. Choose another one. >')
    other.keys.type("")
    other.keys.type("a,b")
    await asyncio.sleep(0)
    other.keys.type("drake")
    await other.screen.until("5. Close connection")
    other.keys.type("5")
    assert await other.code() == 0


async def test_a_password(server: Server, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with client(server, "duck", key=True, claim=True) as duck:
        await duck.command(m.Password("", "", "correct horse"))
    monkeypatch.setenv("TCPCHAT_HOME", str(home / "other"))
    other = Person(server.port)
    other.keys.type("duck", "wrong", "correct horse")
    await other.screen.until("5. Close connection")
    assert other.keys.hidden == [True, False, True, False]
    other.keys.type("5")
    assert await other.code() == 0


async def test_tries_end(server: Server) -> None:
    async with client(server, "duck"):
        other = Person(server.port)
        other.keys.type(*["duck"] * 5)
        assert await other.code() == 4


async def test_the_input_ends(server: Server) -> None:
    nobody = Person(server.port)
    nobody.keys.type(None)
    assert await nobody.code() == 0
    async with person(server, "me") as me:
        me.keys.type("", None)
        assert await me.code() == 0
        assert me.screen.lines[-1] == "< Bye! >"
    async with person(server, "me") as me:
        me.keys.type("3", None, None)
        assert await me.code() == 0


async def test_the_server_stops(server: Server) -> None:
    async with person(server, "me") as me:
        me.keys.type("")
        await me.screen.until("< press <enter> to see menu: >")
        await server.stop()
        assert await me.code() == 0
        assert me.screen.lines[-2:] == [DEAD, SHUTDOWN]


async def test_a_lost_connection_is_mended(server: Server) -> None:
    async with person(server, "me") as me:
        me.keys.type("")
        await me.screen.until("< press <enter> to see menu: >")
        for connection in list(server.connections):
            connection.transport.abort()
        await me.screen.until("< Connected again >")
        (lost,) = [line for line in me.screen.lines if "lost" in line]
        assert re.fullmatch(r"< Connection lost\. Trying again in \d+ s \.\.\. >", lost)


async def test_replaced_by_another_of_the_same_device(server: Server) -> None:
    async with person(server, "me", device="d1", outbox=None) as me:
        me.keys.type("")
        await me.screen.until("< press <enter> to see menu: >")
        async with person(server, "me", device="d1", outbox=None):
            assert await me.code() == 0
        assert me.screen.lines[-3:] == ["< This device connected again. >", DEAD, SHUTDOWN]


async def test_two_menus_of_one_login(server: Server) -> None:
    async with person(server, "me") as one, person(server, "me") as two, client(server, "duck") as duck:
        one.keys.type("")
        two.keys.type("")
        await duck.send("@me", "quack")
        await one.screen.until("duck  : quack")
        await two.screen.until("duck  : quack")


async def test_nobody_there() -> None:
    with_nobody = Person(1)
    with_nobody.keys.type("me")
    assert await with_nobody.code() == 3


async def test_ended_from_outside(server: Server) -> None:
    async with person(server, "me") as me:
        me.menu.ended.set()
        assert await me.code() == 0


async def test_no_text_can_pass_for_a_line_of_ours(server: Server) -> None:
    evil = m.Message(1, 0, "du\x1bck\n", "@me", "x\n< Message have been delivered! >  =)\x1b[2J\u202e")
    assert shown(evil).split("\n")[1].startswith("    < Message")
    assert not {"\x1b", "\u202e"} & set(shown(evil))
    assert shown(m.Message(1, 0, "duck", "#ops", "waves", kind="action")) == "#ops - duck : * waves"
    assert [target(text) for text in ("duck", "@duck ", "#ops")] == ["@duck", "@duck", "#ops"]


def process(server: Server, home: Path, **environment: str) -> dict[str, Any]:
    return {"env": {**os.environ, "TCPCHAT_HOME": str(home), "TERM": "dumb", "LC_ALL": "C.UTF-8", **environment}}


@pytest.fixture
def threaded() -> Any:
    with Server.in_thread("127.0.0.1", 0, None) as running:
        yield running


def test_in_a_pipe(threaded: Server, home: Path) -> None:
    command = [sys.executable, "-m", "tcpchat", "client", "127.0.0.1", str(threaded.port)]
    text = "me\n3\nduck\nquack\n\n5\n"
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=30, **process(threaded, home))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "\n".join(
        [
            f"client (HOST,PORT) set to (127.0.0.1,{threaded.port})",
            "Enter login: me",
            "< Server is WAIT4CLIENTS >",
            MENU,
            "3",
            "Enter login: duck",
            "Enter message: quack",
            WAITING,
            FAILED,
            '< No user "duck" here. Choose 2 to see who is. >',
            "",
            MENU,
            "5",
            "< Bye! >\n",
        ]
    )


def test_on_a_dumb_terminal(threaded: Server, home: Path) -> None:
    """A terminal echoes by itself; the menu adds no escape sequence and nothing twice."""
    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "tcpchat", "chat", f"127.0.0.1:{threaded.port}"]
    with subprocess.Popen(
        command, stdin=follower, stdout=follower, stderr=subprocess.DEVNULL, **process(threaded, home)
    ) as menu:
        os.close(follower)
        text = b""
        steps = (
            (b"", b"Enter login: "),
            (b"me\n", b"5. Close connection\r\n"),
            (b"1\n", b"< Server is WAIT4CLIENTS >\r\n"),
            (b"\n", b"5. Close connection\r\n"),
            (b"5\n", b"Bye! >\r\n"),
        )
        for typed, wanted in steps:
            os.write(leader, typed)
            start = len(text)
            while not text[start:].endswith(wanted):
                text += os.read(leader, 4096)
        assert menu.wait(15) == 0
    os.close(leader)
    assert b"\x1b" not in text
    assert text.replace(b"\r\n", b"\n").count(b"Enter login: me\n") == 1
