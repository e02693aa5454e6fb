"""The client in real terminals: raw keys as xterm and kitty send them, tmux, colours off, a server that dies."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Iterator

import pytest

from support.realterm import PtyTerminal, Tmux, need_tmux
from support.realworld import World

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs a pty")
EVIL = "\x1b]2;pwned\x1b\\\x9b31m\u202e evil"


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
    terminal.press("unfinished")
    world.start()
    world.say(("#all", "said meanwhile"), ("@me", "and this"))
    terminal.until("#all> unfinished")
    terminal.press("\x03\r")
    terminal.until(lambda text: "said meanwhile" in text and "duck 1" in text)
    terminal.until(lambda text: re.search(r"on the train +✓", text) is not None)
    for once in ("on the train", "before", "said meanwhile"):
        assert terminal.text.count(once) == 1
    assert "╭".encode() not in terminal.raw, "a dialog was opened"


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
    tmux.until(lambda text: "Your messages" not in text)  # Esc and a key behind it, too soon, are Alt and that key
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


# -- keys in one piece, as they come over a slow line ------------------------------------------------------------------


def test_keys_in_one_piece_act_in_their_order(world: World, terminal: PtyTerminal) -> None:
    terminal.press("/join ops\r")
    terminal.until("#ops>")
    terminal.press("for ops\r\x1b1for all\rnot yet\x1b2")
    terminal.until(lambda text: re.search(r"for ops +✓", text) and "#ops>" in text)
    assert "for all" not in terminal.text
    terminal.press("\x1b1")
    terminal.until("#all> not yet")
    terminal.until(lambda text: re.search(r"for all +✓", text))
    assert "for ops" not in terminal.text
    terminal.press("\x03gone\x03kept\r")
    terminal.until(lambda text: re.search(r"kept +✓", text))
    assert "gone" not in terminal.text
    terminal.press("/nonsense\rafter")
    terminal.until("#all> /nonsenseafter")
    terminal.press("\x03\x1bh\x1bu\x03")
    terminal.until("Ctrl+Q quits.")
    assert "^" not in terminal.text


@pytest.mark.parametrize(
    ("key", "shown"), [("\x1b[1083;5u", "Go to"), ("\x1b[1072;5u", "Search"), ("\x1bд", "-- Today")]
)
def test_a_russian_keyboard_has_the_same_keys(world: World, terminal: PtyTerminal, key: str, shown: str) -> None:
    terminal.press("hello\r")
    terminal.until(lambda text: re.search(r"hello +✓", text))
    terminal.press(key)
    terminal.until(shown)


def test_letters_on_a_selected_message_in_russian(terminal: PtyTerminal) -> None:
    terminal.press("hello\r")
    terminal.until(lambda text: re.search(r"hello +✓", text))
    terminal.press("\x1b[1;5Aш")
    terminal.until("on the server's disk")


def test_shift_alone_does_not_end_a_completion(terminal: PtyTerminal) -> None:
    terminal.press(":du")
    terminal.until(":du")
    terminal.press("\t\t\x1b[57441;2u\x1b[9;2u")
    terminal.until("#all> 🦆")
