"""The menu's keyboard and screen: lines in, lines out, whatever is at the other end."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from codecs import BOM_UTF8


class Keyboard:
    """Lines of standard input, read in a thread so that nothing else waits for them. None is the end."""

    def __init__(self) -> None:
        self.terminal = sys.stdin is not None and sys.stdin.isatty()
        self._encoding = getattr(sys.stdin, "encoding", None) or "utf-8"
        self._lines: asyncio.Queue[str | None] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()
        self._asked = threading.Semaphore(0)
        self._rest, self._first = b"", True
        threading.Thread(target=self._work, name="keyboard", daemon=True).start()

    def _work(self) -> None:
        line: str | None = ""
        while line is not None:
            self._asked.acquire()
            line = self._read()
            try:
                self._loop.call_soon_threadsafe(self._lines.put_nowait, line)
            except RuntimeError:
                return  # the loop has ended

    def _read(self) -> str | None:
        # Not sys.stdin.readline: it holds a lock that the interpreter wants when it ends, and dies without.
        try:
            number = sys.stdin.fileno()
        except (OSError, ValueError, AttributeError):  # no file: tests, notebooks
            line = sys.stdin.readline() if sys.stdin is not None else ""
            return line.rstrip("\r\n") if line else None
        while b"\n" not in self._rest:
            try:
                data = os.read(number, 4096)
            except OSError:
                data = b""
            if not data:
                rest, self._rest = self._rest, b""
                return rest.decode(self._encoding, "replace") if rest else None
            if self._first:  # a script that a Windows editor has written
                data, self._first = data.removeprefix(BOM_UTF8), False
            self._rest += data
        line_, _newline, self._rest = self._rest.partition(b"\n")
        return line_.decode(self._encoding, "replace").rstrip("\r")

    async def line(self) -> str | None:
        """The next line without its end."""
        self._asked.release()
        return await self._lines.get()

    def hide(self, hidden: bool) -> None:
        """On a terminal: show what is typed, or not."""
        if not self.terminal:
            return
        try:
            import termios
        except ImportError:  # Windows
            return
        number = sys.stdin.fileno()
        mode = termios.tcgetattr(number)
        mode[3] = mode[3] & ~termios.ECHO if hidden else mode[3] | termios.ECHO
        termios.tcsetattr(number, termios.TCSADRAIN, mode)


def say(text: str) -> None:
    """Print a line now, whoever reads at the other end."""
    write(text + "\n")


def write(text: str) -> None:
    """Print now what this terminal can show; the rest as "?"."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    sys.stdout.write(text.encode(encoding, "replace").decode(encoding))
    sys.stdout.flush()
