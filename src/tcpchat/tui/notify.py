"""Calling a person: bell, desktop notifications of terminals, the window's title. The one place that writes sequences.

Everything is cleaned before it goes into a sequence, so no name and no text can end one and begin another.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from rich.cells import cell_len

from tcpchat.core.text import clean_line
from tcpchat.tui.rows import chop

EVERY = 5.0  # seconds between two notifications of one room
BODY_CELLS, TITLE_CELLS = 120, 60
ESC = "\x1b"


def method(how: str, environment: Mapping[str, str]) -> str:
    """Which way this terminal takes: bell, osc9, osc777, osc99, none. ``how`` other than auto decides."""
    if how != "auto":
        return how
    program, term = environment.get("TERM_PROGRAM", ""), environment.get("TERM", "")
    if environment.get("KITTY_WINDOW_ID") or term == "xterm-kitty":
        return "osc99"
    if program in ("ghostty", "WezTerm") or term.startswith(("foot", "rxvt-unicode", "xterm-ghostty")):
        return "osc777"
    if program in ("iTerm.app", "vscode", "WarpTerminal"):
        return "osc9"
    return "bell"


def field(text: str, cells: int) -> str:
    """A text that may stand inside a sequence: cleaned, one line, no ``;``, not too long."""
    safe = "".join(char for char in clean_line(text) if char.isprintable()).replace(";", ",")
    return chop(safe, cells) if cell_len(safe) > cells else safe


def sequence(way: str, title: str, body: str, *, tmux: bool = False, ident: str = "tcpchat") -> str:
    """What to write to the terminal, or ""."""
    title, body = field(title, TITLE_CELLS), field(body, BODY_CELLS)
    ident = "".join(char for char in ident if char.isascii() and char.isalnum())[:16] or "tcpchat"
    match way:
        case "osc9":
            # Windows Terminal takes "4;..." for progress; the title stands in front and has no ";".
            made = f"{ESC}]9;{title}: {body}\x07"
        case "osc777":
            made = f"{ESC}]777;notify;{title};{body}{ESC}\\"
        case "osc99":
            made = f"{ESC}]99;i={ident}:d=0;{title}{ESC}\\{ESC}]99;i={ident}:p=body;{body}{ESC}\\"
        case "bell":
            return "\x07"
        case _:
            return ""
    return wrapped(made) if tmux else made


def wrapped(text: str) -> str:
    """For the terminal outside of tmux (which needs allow-passthrough on)."""
    return f"{ESC}Ptmux;{text.replace(ESC, ESC + ESC)}{ESC}\\"


class Caller:
    """Calls a person, not too often. ``write`` puts raw text on the terminal."""

    def __init__(self, write: Callable[[str], None], environment: Mapping[str, str] | None = None) -> None:
        self._write = write
        self._environment = os.environ if environment is None else environment
        self._last: dict[str, float] = {}
        self._title = ""

    @property
    def tmux(self) -> bool:
        """Are we inside of tmux?"""
        return bool(self._environment.get("TMUX"))

    def call(self, room: str, title: str, body: str, how: str, now: float) -> bool:
        """Notify, unless this room did a moment ago. Returns whether something was written."""
        if now - self._last.get(room, -EVERY) < EVERY:
            return False
        self._last[room] = now
        text = sequence(method(how, self._environment), title, body, tmux=self.tmux, ident=room)
        if text:
            self._write(text)
        return bool(text)

    def title(self, text: str) -> None:
        """Set the window's title."""
        text = field(text, TITLE_CELLS)
        if text != self._title:
            self._title = text
            self._write(f"{ESC}]2;{text}{ESC}\\")

    def save_title(self) -> None:
        """Remember the title that the terminal has (xterm's stack of titles)."""
        self._write(f"{ESC}[22;2t")

    def restore_title(self) -> None:
        """Give it back."""
        self._write(f"{ESC}[23;2t")
