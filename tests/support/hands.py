"""Fingers on two kinds of terminal: tmux, which knows only the old keys, and one that speaks the kitty protocol.

Keys have Textual's names ("alt+a", "shift+pageup"); a name that begins with "/" is a command, typed and sent.
"""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from .realterm import WAIT, PtyTerminal, Tmux

ESCAPE_SECONDS = 0.25  # silence is what makes the byte Esc a key, and not the beginning of one
Wanted = str | Callable[[str], object]


class Hands(Protocol):
    """What a proof needs of a terminal."""

    name: str

    @property
    def text(self) -> str: ...
    def press(self, *keys: str) -> None: ...
    def type(self, text: str) -> None: ...
    def until(self, wanted: Wanted) -> str: ...
    def scribble(self, text: str) -> None: ...
    def mouse(self) -> bool: ...
    def copied(self, text: str) -> None: ...
    def ended(self) -> bool: ...
    def close(self) -> None: ...


def do(hands: Hands, key: str) -> None:
    """Press a key; or type and send a command; or several keys with spaces between."""
    if key.startswith("/"):
        hands.type(key)
        hands.until(key)
        hands.press("enter")
    else:
        hands.press(*key.split())


class TmuxHands:
    """Keys by tmux's names, as the terminal under it would send them before the kitty protocol."""

    name = "tmux"
    NAMES = {
        "escape": "Escape", "enter": "Enter", "tab": "Tab", "backspace": "BSpace", "delete": "DC", "pageup": "PPage",
        "pagedown": "NPage", "home": "Home", "end": "End", "up": "Up", "down": "Down", "left": "Left", "right": "Right",
    }  # fmt: skip
    LETTERS = {"shift": "S-", "ctrl": "C-", "alt": "M-"}

    def __init__(self, arguments: Sequence[str], home: Path, size: tuple[int, int], **environment: str) -> None:
        self.folder = home.parent / f"tmux{time.monotonic_ns()}"
        self.folder.mkdir()
        command = [sys.executable, "-m", "tcpchat.cli", *arguments]
        environment = {"TCPCHAT_HOME": str(home), "LANG": "C.UTF-8", **environment}
        self.tmux = Tmux(self.folder, ["sleep", "1000"], size)
        self.tmux.run("set-option", "-g", "set-clipboard", "on")
        self.tmux.run("set-option", "-g", "focus-events", "on")
        self.tmux.run("set-option", "-g", "remain-on-exit", "on")
        variables = [f"{name}={value}" for name, value in environment.items()]
        script = f'"$@"; echo $? > {self.folder}/code.new; mv {self.folder}/code.new {self.folder}/code'
        self.tmux.run("respawn-pane", "-k", "sh", "-c", script, "sh", "env", *variables, *command)

    @property
    def text(self) -> str:
        """What is in the pane."""
        return self.tmux.text

    def press(self, *keys: str) -> None:
        """Keys one after the other; after Esc the client must see that nothing follows."""
        for key in keys:
            *held, last = key.split("+")
            name = self.NAMES.get(last, last.upper() if re.fullmatch(r"f\d+", last) else last)
            if last == "tab" and held == ["shift"]:
                held, name = [], "BTab"
            self.tmux.press("".join(self.LETTERS[one] for one in held) + name)
            if last == "escape":
                time.sleep(ESCAPE_SECONDS)

    def type(self, text: str) -> None:
        """A text."""
        self.tmux.press(text, literal=True)

    def until(self, wanted: Wanted) -> str:
        """Wait for something to be on the screen."""
        return self.tmux.until(wanted)

    def scribble(self, text: str) -> None:
        """What another program would leave on the screen."""
        Path(self.tmux.run("display-message", "-p", "#{pane_tty}").strip()).write_text(f"\x1b[2;30H{text}")

    def mouse(self) -> bool:
        """Does the client have the mouse?"""
        return self.tmux.run("display-message", "-p", "#{mouse_any_flag}").strip() == "1"

    def copied(self, text: str) -> None:
        """Wait until this was put into the clipboard (OSC 52): tmux keeps it in a buffer."""
        end = time.monotonic() + WAIT
        while text not in self.tmux.run("list-buffers", "-F", "#{buffer_sample}"):
            assert time.monotonic() < end, f"{text!r} was not copied"
            time.sleep(0.02)

    def ended(self) -> bool:
        """Has the client ended, and well?"""
        code = self.folder / "code"
        if not code.exists():
            return False
        assert code.read_text() == "0\n"
        return True

    def close(self) -> None:
        """End it."""
        self.tmux.close()


class KittyHands(PtyTerminal):
    """A terminal with the kitty protocol: every key is a CSI u sequence once the client has asked for that, with the
    text it types, and Shift, Ctrl and Alt are keys of their own."""

    name = "kitty"
    ASKED = re.compile(rb"\x1b\[>(\d+)u|\x1b\[<u|\x1b\[\?u|\x1b\[\?2026\$p|\x1b\[c")
    CODES = {"escape": 27, "enter": 13, "tab": 9, "backspace": 127, "space": 32}
    ENDS = {"up": "A", "down": "B", "right": "C", "left": "D", "home": "H", "end": "F", "f1": "P", "f2": "Q", "f4": "S"}
    TILDES = {
        "insert": 2, "delete": 3, "pageup": 5, "pagedown": 6, "f3": 13, "f5": 15, "f6": 17, "f7": 18, "f8": 19,
        "f9": 20, "f10": 21, "f11": 23, "f12": 24,
    }  # fmt: skip
    MODIFIERS = {"shift": (1, 57441), "alt": (2, 57443), "ctrl": (4, 57442)}

    def __init__(self, arguments: Sequence[str], home: Path, size: tuple[int, int], **environment: str) -> None:
        self.flags: list[int] = []
        self._scanned = 0
        super().__init__([*arguments], home, size, **{"TERM": "xterm-kitty", "COLORTERM": "truecolor", **environment})

    def read(self, seconds: float = 0.05) -> bool:
        alive = super().read(seconds)
        for found in self.ASKED.finditer(self.raw, self._scanned):
            self._scanned = found.end()
            self._answer(found)
        return alive

    def _answer(self, found: re.Match[bytes]) -> None:
        asked = found.group()
        if found.group(1):
            self.flags.append(int(found.group(1)))
        elif asked == b"\x1b[<u":
            self.flags.pop()
        elif asked == b"\x1b[?u":
            self.send(f"\x1b[?{self.flags[-1] if self.flags else 0}u")
        elif asked == b"\x1b[?2026$p":
            self.send("\x1b[?2026;2$y")
        else:
            self.send("\x1b[?62;c")

    def send(self, text: str) -> None:
        """Bytes from the terminal."""
        os.write(self.fd, text.encode())

    def press(self, *keys: str) -> None:
        assert self.flags == [25], f"the client has not asked for the kitty protocol: {self.flags}"
        for key in keys:
            *held, last = key.split("+")
            bits, before = 0, ""
            for name in held:
                bit, code = self.MODIFIERS[name]
                bits |= bit
                before += f"\x1b[{code};{1 + bits}u"
            self.send(before + self.sequence(last, bits))

    def sequence(self, key: str, bits: int) -> str:
        """One key, as the protocol writes it."""
        modified = f";{1 + bits}" if bits else ""
        if key in self.ENDS:
            return f"\x1b[1{modified}{self.ENDS[key]}" if bits else f"\x1b[{self.ENDS[key]}"
        if key in self.TILDES:
            return f"\x1b[{self.TILDES[key]}{modified}~"
        if key in self.CODES:
            return f"\x1b[{self.CODES[key]}{modified}u"
        if bits & ~1:
            return f"\x1b[{ord(key)}{modified}u"
        if key != key.lower():
            return f"\x1b[57441;2u\x1b[{ord(key.lower())};2;{ord(key)}u"
        return f"\x1b[{ord(key)};;{ord(key)}u"

    def type(self, text: str) -> None:
        """A text, key by key."""
        for sign in text:
            self.send(self.sequence(sign, 0))

    def scribble(self, text: str) -> None:
        """What another program would leave on the screen."""
        self.stream.feed(f"\x1b7\x1b[2;30H{text}\x1b8".encode())

    def mouse(self) -> bool:
        """Does the client have the mouse?"""
        self.read()
        return self.raw.rfind(b"\x1b[?1000h") > self.raw.rfind(b"\x1b[?1000l")

    def copied(self, text: str) -> None:
        """Wait until this was put into the clipboard (OSC 52)."""
        import base64

        wanted = b"\x1b]52;c;" + base64.b64encode(text.encode())
        self.until(lambda _text: wanted in self.raw)

    def ended(self) -> bool:
        """Has the client ended, and well, and given the keyboard back?"""
        assert self.gone() == 0
        assert self.flags == []
        return True
