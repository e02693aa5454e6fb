"""What a terminal can do, by asking it: control sequences that it answers, with a time-out for those that do not."""

from __future__ import annotations

import os
import re
import select
import sys
import time
from contextlib import suppress
from typing import NamedTuple

SECONDS = (
    1.0  # for all answers together; a terminal next to us needs milliseconds, one behind a long line its round trip
)
WIDE = "\N{DUCK}"  # two columns, where widths are those of this decade
COLOUR = "\x1b[48;2;1;2;3m\x1bP$qm\x1b\\\x1b[m"  # set a colour of 24 bits; which one is set?
MODES = {"paste": 2004, "focus": 1004, "sync": 2026, "mouse": 1006}
# The last question is one that every terminal answers: when its answer is here, no other will come.
QUESTIONS = (
    f"\x1b[?u{COLOUR}" + "".join(f"\x1b[?{mode}$p" for mode in MODES.values()) + f"\r{WIDE}\x1b[6n\r\x1b[K\x1b[c"
)
END = re.compile(r"\x1b\[\?[\d;]*c")


class Answers(NamedTuple):
    """What it said; None = it did not. ``modes``: those of MODES that it knows."""

    answered: bool
    kitty: bool
    truecolour: bool
    width: int | None
    modes: frozenset[str]
    clipboard: bool


def ask(seconds: float = SECONDS) -> Answers | None:
    """Ask the terminal of this process; None when there is none that could be asked."""
    if os.name != "posix" or not (sys.stdin.isatty() and sys.stdout.isatty()):
        return None
    return read_answers(_exchange(sys.stdin.fileno(), sys.stdout.fileno(), seconds))


def _exchange(source: int, to: int, seconds: float) -> str:
    """Write the questions, and read until the last is answered or time is up; the terminal is left as it was."""
    import termios
    import tty

    before, got = termios.tcgetattr(source), b""
    try:
        tty.setcbreak(source, termios.TCSAFLUSH)
        os.write(to, QUESTIONS.encode())
        deadline = time.monotonic() + seconds
        while not END.search(got.decode("latin-1")) and (left := deadline - time.monotonic()) > 0:
            if not select.select([source], [], [], left)[0]:
                break
            with suppress(InterruptedError):
                got += os.read(source, 4096)
    finally:
        termios.tcsetattr(source, termios.TCSAFLUSH, before)
    return got.decode("latin-1")


def read_answers(text: str) -> Answers:
    """Understand what came."""
    modes = {int(mode): state for mode, state in re.findall(r"\x1b\[\?(\d+);(\d)\$y", text)}
    place = re.search(r"\x1b\[\d+;(\d+)R", text)
    colour = re.search(r"\x1bP1\$r([\d;:]*)m", text)
    end = END.search(text)
    return Answers(
        answered=end is not None,
        kitty=re.search(r"\x1b\[\?\d+u", text) is not None,
        truecolour=colour is not None and re.search(r"48[;:]2[;:]+1[;:]2[;:]3", colour[1]) is not None,
        width=int(place[1]) - 1 if place else None,
        modes=frozenset(name for name, mode in MODES.items() if modes.get(mode, "0") != "0"),
        clipboard=end is not None and "52" in re.findall(r"\d+", end.group()),
    )


def passthrough() -> str:
    """tmux's allow-passthrough: "on", "off", "all", or "" when it cannot be told."""
    import subprocess

    command = ["tmux", "show-options", "-A", "-p", "-v", "allow-passthrough"]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""
