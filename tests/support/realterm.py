"""The client as a process on a real pty or in a real tmux, against a real server."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path

import pyte
import pytest

WAIT = 15.0


class PtyTerminal:
    """The client under a pty; what it writes goes through a terminal emulator, and is kept raw."""

    def __init__(self, arguments: list[str], home: Path, size: tuple[int, int] = (118, 30), **environment: str) -> None:
        self.raw = b""
        self.screen = pyte.Screen(*size)
        self.stream = pyte.ByteStream(self.screen)
        variables = {
            **os.environ,
            "TERM": "xterm-256color",
            "TCPCHAT_HOME": str(home),
            "LANG": "C.UTF-8",
            **environment,
        }
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execve(sys.executable, [sys.executable, "-m", "tcpchat.cli", *arguments], variables)
        self.resize(*size)

    def resize(self, width: int, height: int) -> None:
        """Another window size."""
        self.screen.resize(height, width)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
        os.kill(self.pid, signal.SIGWINCH)

    def read(self, seconds: float = 0.05) -> bool:
        """Take what was written; False at the end."""
        ready, _, _ = select.select([self.fd], [], [], seconds)
        if ready:
            try:
                data = os.read(self.fd, 1 << 16)
            except OSError:
                return False
            self.raw += data
            self.stream.feed(data)
            return bool(data)
        return True

    @property
    def text(self) -> str:
        """What is on the screen."""
        return "\n".join(line.rstrip() for line in self.screen.display)

    def press(self, keys: str) -> None:
        """Send bytes as a terminal does."""
        os.write(self.fd, keys.encode())

    def until(self, wanted: str | Callable[[str], object], seconds: float = WAIT) -> str:
        """Wait until a text is on the screen (or something is true of it)."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            text = self.text
            if (wanted in text) if isinstance(wanted, str) else wanted(text):
                return text
            if not self.read():
                break
        raise AssertionError(f"{wanted!r} did not come:\n{self.text}")

    def gone(self, seconds: float = WAIT) -> int:
        """Wait for the end; the exit code."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.read()
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.pid = 0
                return os.waitstatus_to_exitcode(status)
        raise AssertionError(f"it is still there:\n{self.text}")

    def close(self) -> None:
        """End it, whatever it does."""
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.fd)


class Tmux:
    """A tmux server of our own with one window."""

    def __init__(self, folder: Path, command: list[str], size: tuple[int, int] = (118, 30), **environment: str) -> None:
        self.socket = str(folder / "tmux")
        variables = [f"{name}={value}" for name, value in environment.items()]
        width, height = map(str, size)
        self.run("-f", "/dev/null", "new-session", "-d", "-x", width, "-y", height, "env", *variables, *command)

    def run(self, *arguments: str) -> str:
        """A tmux command."""
        done = subprocess.run(["tmux", "-S", self.socket, *arguments], capture_output=True, text=True, check=True)
        return done.stdout

    @property
    def text(self) -> str:
        """What is in the window."""
        return self.run("capture-pane", "-p")

    def press(self, *keys: str, literal: bool = False) -> None:
        """Keys by tmux's names, or a text."""
        self.run("send-keys", *(["-l"] if literal else []), *keys)

    def until(self, wanted: str | Callable[[str], object], seconds: float = WAIT) -> str:
        """Wait until a text is in the window (or something is true of it)."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            text = self.text
            if (wanted in text) if isinstance(wanted, str) else wanted(text):
                return text
            time.sleep(0.05)  # tmux tells nobody that a pane has changed
        raise AssertionError(f"{wanted!r} did not come:\n{self.text}")

    def close(self) -> None:
        """End it."""
        subprocess.run(["tmux", "-S", self.socket, "kill-server"], capture_output=True, check=False)


def need_tmux() -> None:
    """Skip without tmux; with CI=true that is a failure."""
    if shutil.which("tmux") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("tmux is not installed")
        pytest.skip("tmux is not installed")
