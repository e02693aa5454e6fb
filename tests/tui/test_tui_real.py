"""The client in real terminals: raw keys as xterm and kitty send them, tmux, colours off, a server that dies."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from realterm import PtyTerminal, Tmux, need_tmux

import tcpchat

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs a pty")
EVIL = "\x1b]2;pwned\x1b\\\x9b31m\u202e evil"


class World:
    """A server process and a folder."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.folder = folder
        self.home = folder / "home"
        self.start()

    def start(self) -> None:
        command = [
            sys.executable,
            "-m",
            "tcpchat.cli",
            "serve",
            "127.0.0.1",
            str(self.port),
            "--data",
            str(self.folder),
        ]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 15
        while time.monotonic() < end:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)
        raise AssertionError("the server did not start")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    @property
    def where(self) -> str:
        return f"me@127.0.0.1:{self.port}"

    def say(self, *messages: tuple[str, str], by: str = "duck") -> None:
        async def go() -> None:
            async with tcpchat.connect(f"127.0.0.1:{self.port}", by, device=f"device of {by}") as chat:
                for to, text in messages:
                    if to.startswith("#") and to != "#all":
                        await chat.join(to)
                    sent = await chat.send(to, text)
                    await sent.accepted(10)

        asyncio.run(go())


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.kill()


@pytest.fixture
def terminal(world: World) -> Iterator[PtyTerminal]:
    made = PtyTerminal(["chat", world.where], world.home)
    try:
        made.until("WAIT4CLIENTS")
        made.until("#all>")
        yield made
    finally:
        made.close()


# The same keys as bytes: as xterm and tmux send them, and as terminals with the kitty protocol do.
LEGACY = {
    "alt+a": "\x1ba", "alt+1": "\x1b1", "alt+2": "\x1b2", "alt+3": "\x1b3", "alt+enter": "\x1b\r",
    "alt+down": "\x1b[1;3B", "alt+up": "\x1b[1;3A", "alt+u": "\x1bu", "alt+p": "\x1bp", "alt+n": "\x1bn",
    "alt+h": "\x1bh", "alt+l": "\x1bl", "ctrl+k": "\x0b", "ctrl+n": "\x0e", "ctrl+p": "\x10", "ctrl+f": "\x06",
    "ctrl+j": "\n", "ctrl+l": "\x0c", "ctrl+c": "\x03", "ctrl+q": "\x11", "ctrl+up": "\x1b[1;5A", "esc": "\x1b",
    "f1": "\x1bOP", "f2": "\x1bOQ", "f3": "\x1bOR", "f7": "\x1b[18~", "f8": "\x1b[19~", "f9": "\x1b[20~",
    "f12": "\x1b[24~", "tab": "\t", "shift+tab": "\x1b[Z", "up": "\x1b[A", "down": "\x1b[B", "enter": "\r",
}  # fmt: skip
KITTY = {
    **LEGACY, "alt+a": "\x1b[97;3u", "alt+1": "\x1b[49;3u", "alt+2": "\x1b[50;3u", "alt+3": "\x1b[51;3u",
    "alt+enter": "\x1b[13;3u", "alt+u": "\x1b[117;3u", "alt+p": "\x1b[112;3u", "alt+n": "\x1b[110;3u",
    "alt+h": "\x1b[104;3u", "alt+l": "\x1b[108;3u", "ctrl+k": "\x1b[107;5u", "ctrl+n": "\x1b[110;5u",
    "ctrl+p": "\x1b[112;5u", "ctrl+f": "\x1b[102;5u", "ctrl+j": "\x1b[13;2u", "ctrl+l": "\x1b[108;5u",
    "ctrl+c": "\x1b[99;5u", "ctrl+q": "\x1b[113;5u", "esc": "\x1b[27u", "f1": "\x1b[P", "f2": "\x1b[Q",
    "f3": "\x1b[13~",
}  # fmt: skip


@pytest.mark.parametrize("codes", [LEGACY, KITTY], ids=["legacy", "kitty"])
def test_every_key_of_the_table(world: World, terminal: PtyTerminal, codes: dict[str, str]) -> None:
    def key(*names: str) -> None:
        for name in names:
            terminal.press(codes.get(name, name))

    def there(wanted: str) -> str:
        return terminal.until(wanted)

    key("/join ops", "enter")
    there("#ops>")
    key("alt+1")
    there("#all>")
    world.say(("#all", "first"), ("@me", "psst"), ("#ops", "look"), ("#ops", "@me again"))
    there("first")
    there("2:#ops 2(1@), 3:duck 1")
    key("alt+a")
    there("#ops>")
    there("@me again")
    key("f2")
    there("duck>")
    there("psst")
    key("alt+2")
    there("#ops>")
    key("alt+up")
    there("#all>")
    key("alt+down")
    there("#ops>")
    key("ctrl+p")
    there("#all>")
    key("ctrl+n")
    there("#ops>")
    key("ctrl+k", "duc", "enter")
    there("duck>")
    key("/2", "enter")
    there("#ops>")
    key("one", "ctrl+j", "two", "alt+enter", "three")
    terminal.until(lambda text: re.search(r"#ops> one.*\n +two.*\n +three", text) is not None)
    key("enter")
    terminal.until(lambda text: re.search(r"me one +✓.*\n.* two.*\n.* three", text) is not None)
    key("up")
    terminal.until(lambda text: re.search(r"#ops> one.*\n +two", text) is not None)
    key("down", "ctrl+c", "du", "tab")
    there("#ops> duck:")
    key("ctrl+c", "see #a", "tab")
    there("#ops> see #all")
    key("ctrl+c", ":du", "tab", "tab", "shift+tab")
    there("#ops> 🦆")
    key("ctrl+c", "/to", "tab")
    there("#ops> /topic")
    key("ctrl+c", "ctrl+f", "look")
    there("Search: #ops")
    there("look")
    key("enter")
    there("hit 1 of 1")
    key("f3")
    there("No more hits")
    key("esc", "esc", "alt+p")
    key("i")
    there("on the server's disk")
    key("esc", "esc", "ctrl+up", "down", "up", "r")
    there("↳")
    key("esc", "f1")
    there("safe on the server")
    key("esc", "f7")
    terminal.until(lambda text: "ROOMS" not in text)
    key("f8")
    terminal.until(lambda text: "HERE" not in text)
    key("f7", "f8")
    there("ROOMS")
    key("alt+l")
    there("-- Today")
    key("f9")
    there("ROOMS")
    key("f12")
    there("mouse left to the terminal")
    assert terminal.raw.rstrip().count(b"\x1b[?1000l") >= 1
    key("f12", "ctrl+l")
    there("mouse on")
    key("alt+h", "alt+u")
    there("#ops>")
    key("ctrl+c")
    there("Ctrl+Q quits.")
    key("ctrl+q")
    assert terminal.gone() == 0


def test_scrolling_in_a_long_room(world: World, terminal: PtyTerminal) -> None:
    world.say(*(("#all", f"number {number}") for number in range(300)))
    terminal.until("number 299")
    for keys, wanted in [
        ("\x1b[5~", "number 250"), ("\x1b[6~", "number 299"), ("\x1b[1;5H", "number 0 "), ("\x1b[1;5F", "number 299"),
        ("\x1b[5~\x1b[F", "number 299"),
    ]:  # fmt: skip
        terminal.press(keys)
        terminal.until(lambda text, wanted=wanted: wanted in text.replace("│", " ") + " ")  # type: ignore[misc]
    terminal.press("\x1b[5~")
    terminal.until(lambda text: "number 299" not in text)
    world.say(("#all", "while you were up there"))
    terminal.until("↓ 1 newer")
    for size in [(60, 20), (40, 12), (20, 5), (118, 30)]:
        terminal.resize(*size)
        terminal.until(lambda text: "number 2" in text and "299" not in text)
    terminal.press("\x1b")
    terminal.until("while you were up there")


def test_evil_texts_do_nothing_in_a_terminal(world: World, terminal: PtyTerminal) -> None:
    world.say(("#all", EVIL), ("@me", EVIL))
    terminal.until("pwned")
    assert terminal.screen.title.endswith("#all - tcpchat")
    assert b"\x1b]2;pwned" not in terminal.raw
    for bad in ("\u202e", "\x9b"):
        assert bad.encode() not in terminal.raw


@pytest.mark.parametrize("variable", ["NO_COLOR", "TCPCHAT_NO_COLOR"])
def test_no_color_sends_no_colours(world: World, variable: str) -> None:
    world.say(("#all", "hello @me https://example.org"))
    terminal = PtyTerminal(["chat", world.where], world.home, **{variable: "1"})
    try:
        terminal.until("hello")
        terminal.press("\x0b")
        terminal.until("Go to")
        codes = {code for found in re.findall(rb"\x1b\[([0-9;]*)m", terminal.raw) for code in found.split(b";")}
        assert not {code for code in codes if re.fullmatch(rb"3[0-8]|4[0-8]|9\d|10[0-7]", code)}
    finally:
        terminal.close()


def test_a_dead_server_and_nothing_lost(world: World, terminal: PtyTerminal) -> None:
    terminal.press("before\r")
    terminal.until(lambda text: re.search(r"before +✓", text) is not None)
    world.kill()
    terminal.until("no connection")
    terminal.press("on the train\r")
    terminal.until(lambda text: re.search(r"on the train +…", text) is not None)
    terminal.until("1 message waits here")
    world.start()
    terminal.press("\r")
    terminal.until(lambda text: re.search(r"on the train +✓", text) is not None)
    assert terminal.text.count("on the train") == 1
    assert terminal.text.count("before") == 1


def test_what_waits_survives_the_client(world: World, terminal: PtyTerminal) -> None:
    world.kill()
    terminal.until("no connection")
    terminal.press("kept\r")
    terminal.until(lambda text: re.search(r"kept +…", text) is not None)
    os.kill(terminal.pid, signal.SIGKILL)
    os.waitpid(terminal.pid, 0)
    terminal.pid = 0
    world.start()
    again = PtyTerminal(["chat", world.where], world.home)
    try:
        again.until(lambda text: re.search(r"kept +✓", text) is not None)
        assert again.text.count("kept") == 1
    finally:
        again.close()


def test_bare_tcpchat_opens_the_start_screen(world: World) -> None:
    terminal = PtyTerminal([], world.home, (90, 24), TCPCHAT_USER="me")
    try:
        terminal.until("Start a chat here")
        terminal.press(f"\t127.0.0.1:{world.port}\r")
        terminal.until("WAIT4CLIENTS")
        terminal.press("/quit\r")
        assert terminal.gone() == 0
    finally:
        terminal.close()


def test_quitting_leaves_the_terminal_as_it_was(world: World, terminal: PtyTerminal) -> None:
    terminal.press("\x11")
    assert terminal.gone() == 0
    ends = terminal.raw[-2000:]
    for wanted in (b"\x1b[?1049l", b"\x1b[?25h", b"\x1b[?1000l", b"\x1b[?2004l"):
        assert wanted in ends


# -- tmux --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def tmux(world: World) -> Iterator[Tmux]:
    need_tmux()
    command = [sys.executable, "-m", "tcpchat.cli", "chat", world.where]
    made = Tmux(world.folder, command, TCPCHAT_HOME=str(world.home), LANG="C.UTF-8")
    try:
        made.until("#all>")
        made.until("WAIT4CLIENTS")
        yield made
    finally:
        made.close()


@pytest.mark.real
def test_a_session_in_tmux(world: World, tmux: Tmux) -> None:
    tmux.press("/join ops", "Enter")
    tmux.until("#ops>")
    tmux.press("M-1")
    tmux.until("#all>")
    world.say(("#all", EVIL), ("#ops", "@me here"))
    tmux.until("pwned")
    tmux.until("1(1@)")
    tmux.press("M-a")
    tmux.until("#ops>")
    tmux.press("C-p")
    tmux.until("#all>")
    tmux.press("M-Down")
    tmux.until("#ops>")
    tmux.press("hello", "M-Enter", "there", "C-j", "all")
    tmux.until("#ops> hello")
    tmux.press("Enter")
    tmux.until("✓")
    assert "pwned" not in tmux.run("display-message", "-p", "#{pane_title}")
    assert "#ops - tcpchat" in tmux.run("display-message", "-p", "#{pane_title}")
    tmux.run("resize-window", "-x", "60", "-y", "20")
    tmux.until("2 #ops*")
    tmux.press("C-k", "all", "Enter")
    tmux.until("#all>")
    tmux.press("F1")
    tmux.until("Your messages")
    tmux.press("Escape")
    tmux.run("resize-window", "-x", "118", "-y", "30")
    tmux.until("ROOMS")
    tmux.press("C-l")
    tmux.until("ROOMS")
    tmux.run("set-buffer", "line one\nline two")
    tmux.run("paste-buffer", "-p")
    tmux.until("#all> line one")
    tmux.press("C-c")
    tmux.run("set-buffer", "line\n" * 12)
    tmux.run("paste-buffer", "-p")
    tmux.until("Paste 13 lines?")
    tmux.press("Escape")
    tmux.until("#all>")
