"""The first five minutes: a server, the menu, the full-screen client, a script, a server that dies; and irssi.

The README opens with what they print: TCPCHAT_README=1 writes it anew.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.realterm import PtyTerminal
from support.realworld import World

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs a pty")
README = Path(__file__).resolve().parents[2] / "README.md"
PLACE = re.compile(r"(<!-- the first five minutes -->\n).*?(<!-- end of the first five minutes -->)", re.DOTALL)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path, host="localhost")
    yield made
    made.kill()


class Shell:
    """A person's other terminal: commands, and what they print."""

    def __init__(self, world: World) -> None:
        self.world, self.transcript = world, ""
        self.environment = {
            "TCPCHAT_SERVER": f"localhost:{world.port}", "TCPCHAT_USER": "script", "TCPCHAT_NO_COLOR": "1",
        }  # fmt: skip

    def run(self, *arguments: str, about: str = "") -> str:
        """Run ``tcpchat`` and write it down."""
        terminal = PtyTerminal([*arguments], self.world.folder / "shell", (140, 30), **self.environment)
        try:
            assert terminal.gone() == 0, terminal.text
            while terminal.read():
                pass
            printed = re.sub(r"\x1b\[[0-9;]*m", "", terminal.raw.decode()).replace("\r\n", "\n")
        finally:
            terminal.close()
        words = " ".join(f'"{one}"' if " " in one else one for one in arguments)
        shown = f"$ tcpchat {words}"
        self.note(f"{shown:<55} # {about}" if about else shown, printed)
        return printed

    def note(self, command: str, printed: str = "") -> None:
        """Write down what was done elsewhere."""
        self.transcript += f"{command}\n{printed}"


def lasting(transcript: str, world: World) -> str:
    """The transcript without what is different every time."""
    old = re.search(r"^Key .*$", README.read_text(encoding="utf-8"), re.MULTILINE)
    text = transcript.replace(str(world.port), "6060")
    text = re.sub(r"^Key .*$", old[0] if old else "Key", text, flags=re.MULTILINE)
    text = re.sub(r"in [\d.]+ m?s", "in 41 ms", text)
    return re.sub(r"\b\d\d:\d\d(:\d\d)?\b", "10:36", text)


def opened(world: World, *arguments: str, login: str = "duck", **environment: str) -> PtyTerminal:
    """A client in a terminal of its own, at a computer of its own."""
    return PtyTerminal([*arguments], world.folder / f"home of {login}", (100, 26), **environment)


def test_the_first_five_minutes(world: World) -> None:
    shell = Shell(world)
    shell.note("$ tcpchat serve &", world.printed)
    menu = opened(world, "client", "localhost", str(world.port), login="big")
    terminal = None
    try:
        menu.until("Enter login:")
        menu.press("Big Brother\n")
        menu.until("< Server is WAIT4CLIENTS >")
        menu.until("5. Close connection")
        terminal = opened(world, "chat", f"duck@localhost:{world.port}")
        terminal.until("READY2SERV")
        menu.press("3\n")
        menu.until("Enter login:")
        menu.press("duck\n")
        menu.until("Enter message:")
        menu.press("*quack*\n")
        menu.until("< Message have been delivered! >  =)")
        terminal.until("2:Big Brother 1")
        terminal.press("\x1ba")
        terminal.until("*quack*")
        told = shell.run("send", "duck", "from a script", "--wait", "delivered", about="duck has `tcpchat chat` open")
        assert told.startswith("✓✓ delivered to duck")
        terminal.press("\x1ba")
        terminal.until("from a script")
        terminal.press("\x11")
        assert terminal.gone() == 0
        told = shell.run("send", "duck", "are you there?", about="duck has gone home: it waits")
        assert "accepted" in told
        terminal.close()
        terminal = opened(world, "chat", f"duck@localhost:{world.port}")
        terminal.until(re.compile(r"unread: .*script \d").search)
        terminal.press("\x1ba")
        terminal.until("are you there?")
        terminal.press("/1\r")
        terminal.until("#all>")
        world.kill()
        terminal.until("no connection")
        for number, text in enumerate(("in the tunnel", "still in the tunnel"), 1):
            terminal.press(f"{text}\r")
            terminal.until("1 message waits here" if number == 1 else "2 messages wait here")
        world.start()
        shell.note("$ kill -9 %1; tcpchat serve &                           # duck types two lines in between")
        terminal.press("\r")
        terminal.until(re.compile(r" in the tunnel +✓[\s\S]*still in the tunnel +✓").search)
        assert terminal.text.count("in the tunnel") == 2
        told = shell.run("tail", "--room", "all", "-n", "2", about="each once, in order")
        assert re.findall(r"(?:still )?in the tunnel", told) == ["in the tunnel", "still in the tunnel"]
        by_irc(world, terminal)
        terminal.press("\x1bOP")
        terminal.until("Your messages")
    finally:
        menu.close()
        if terminal is not None:
            terminal.close()
    opening(lasting(shell.transcript, world))


def by_irc(world: World, terminal: PtyTerminal) -> None:
    """irssi, where it is installed, joins the same room."""
    if shutil.which("irssi") is None:
        return
    home = world.folder / "irssi"
    pid, fd = os.forkpty()
    if pid == 0:
        command = ["irssi", f"--home={home}", "-c", "localhost", "-p", str(world.port), "-n", "swan"]
        os.execvpe("irssi", command, {**os.environ, "TERM": "xterm", "LANG": "C.UTF-8"})
    try:
        terminal.until("3 here")
        os.write(fd, b"/msg duck hi by irc\r")
        terminal.until(re.compile(r"unread: .*swan 1").search)
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
        os.close(fd)


def opening(transcript: str) -> None:
    """The README opens with it."""
    page = README.read_text(encoding="utf-8")
    made = PLACE.sub(lambda found: f"{found[1]}\n```console\n{transcript}```\n\n{found[2]}", page)
    if os.environ.get("TCPCHAT_README"):
        README.write_text(made, encoding="utf-8")
    assert made == README.read_text(encoding="utf-8"), "the README is stale: TCPCHAT_README=1"
    assert PLACE.search(made) is not None
