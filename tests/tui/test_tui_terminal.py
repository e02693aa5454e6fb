"""The terminal itself: when it is gone the client ends, and what a slow line cuts in two is still one."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from textual import events
from textual.message import Message

from support.realterm import PtyTerminal
from tcpchat.server import Server
from tcpchat.tui.terminal import HANGUP, PatientParser

SECONDS = 20
IGNORING = ["sh", "-c", 'trap "" HUP; exec "$@"', "sh", sys.executable, "-m", "tcpchat"]  # as nohup does
PASTED = "two\nlines, and a \u2615"


def cut(parser: PatientParser, *pieces: str) -> list[Message]:
    """What comes of pieces with a pause behind each that is longer than any time-out of Textual's."""
    found: list[Message] = []
    for piece in pieces:
        found += parser.feed(piece)
        if parser._timeout_time is not None:
            parser._timeout_time = 0.0
        found += parser.tick()
    return found


def keys_of(found: list[Message]) -> list[str]:
    return [event.key for event in found if isinstance(event, events.Key)]


@pytest.mark.parametrize("place", range(1, len(PASTED) + 12))
def test_a_paste_is_one_wherever_the_line_cuts_it(place: int) -> None:
    data = f"\x1b[200~{PASTED}\x1b[201~"
    found = cut(PatientParser(), data[:place], data[place:], "x")
    assert [event.text for event in found if isinstance(event, events.Paste)] == [PASTED]
    # Behind the first byte alone nothing tells it from the key Escape.
    assert keys_of(found) == [*(["escape"] if place == 1 else []), "x"]


@pytest.mark.parametrize(("data", "key"), [("\x1b[A", "up"), ("\x1b[1;5C", "ctrl+right"), ("\x1b[15~", "f5")])
def test_a_key_is_one_wherever_the_line_cuts_it(data: str, key: str) -> None:
    for place in range(2, len(data)):
        assert keys_of(cut(PatientParser(), data[:place], data[place:])) == [key], place


def test_escape_alone_is_the_key_at_once() -> None:
    assert keys_of(cut(PatientParser(), "\x1b")) == ["escape"]
    assert keys_of(cut(PatientParser(), "\x1b", "[")) == ["escape", "left_square_bracket"]


def hung_up(words: list[str], server: Server, home: Path) -> int:
    """The exit code of a program whose terminal goes away while SIGHUP is ignored."""
    env = {
        **os.environ,
        "TCPCHAT_HOME": str(home),
        "TCPCHAT_SERVER": f"127.0.0.1:{server.port}",
        "TERM": "xterm-256color",
    }
    master, slave = pty.openpty()
    program = subprocess.Popen(
        [*IGNORING, *words], stdin=slave, stdout=slave, stderr=slave, env=env, start_new_session=True
    )
    os.close(slave)
    try:
        seen = b""
        while b"here it is" not in seen:
            seen += os.read(master, 65536)
        os.close(master)
        return program.wait(SECONDS)
    finally:
        if program.poll() is None:
            program.kill()
            program.wait()


@pytest.mark.parametrize("words", [["chat", "duck@{}"], ["tail", "-f", "@all"]], ids=["chat", "tail"])
def test_a_program_without_its_terminal_ends(tmp_path: Path, words: list[str]) -> None:
    with Server.in_thread("127.0.0.1", 0, None) as server:
        send = [sys.executable, "-m", "tcpchat", "send", "@all", "here it is", "-s", f"127.0.0.1:{server.port}"]
        subprocess.run(send, check=True, env={**os.environ, "TCPCHAT_HOME": str(tmp_path), "TCPCHAT_USER": "goose"})
        address = f"127.0.0.1:{server.port}"
        assert hung_up([word.format(address) for word in words], server, tmp_path) == HANGUP


def test_tail_ends_with_the_reader_of_its_pipe(tmp_path: Path) -> None:
    with Server.in_thread("127.0.0.1", 0, None) as server:
        env = {**os.environ, "TCPCHAT_HOME": str(tmp_path), "TCPCHAT_SERVER": f"127.0.0.1:{server.port}"}
        env["TCPCHAT_USER"] = "duck"
        subprocess.run([sys.executable, "-m", "tcpchat", "send", "@all", "one"], check=True, env=env)
        tail = subprocess.Popen(
            [sys.executable, "-m", "tcpchat", "tail", "-f", "@all"], stdout=subprocess.PIPE, env=env
        )
        assert tail.stdout is not None
        assert tail.stdout.readline().endswith(b"one\n")
        tail.stdout.close()  # nothing more comes: it has to notice by itself
        assert tail.wait(SECONDS) == 141


def test_a_real_paste_over_a_slow_line(tmp_path: Path) -> None:
    with Server.in_thread("127.0.0.1", 0, None) as server:
        terminal = PtyTerminal(["chat", f"duck@127.0.0.1:{server.port}"], tmp_path)
        try:
            terminal.until("#all")
            for piece in ("\x1b[20", "0~pasted", " text\x1b", "[201~"):
                terminal.press(piece)
                for _ in range(6):  # 300 ms, three of Textual's time-outs
                    terminal.read(0.05)
            screen = terminal.until("pasted text")
            assert "200~" not in screen
            assert "201~" not in screen
        finally:
            terminal.close()
