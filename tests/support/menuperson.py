"""Somebody at the numbered menu: a real ``tcpchat client`` in a tmux of its own, driven by keys."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from .realpeer import wait

PROMPT = "< press <enter> to see menu: >"


class MenuPerson:
    """Their terminal. What stands on the screen is the only barrier."""

    def __init__(self, home: Path, port: int, login: str) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self.tmux = ["tmux", "-L", f"tcpchat-{os.getpid()}-menu-{home.name}", "-f", "/dev/null"]
        variables = f"TCPCHAT_HOME={home} TCPCHAT_TLS=never LC_ALL=C.UTF-8 TERM=screen"
        command = f"env {variables} {sys.executable} -m tcpchat client 127.0.0.1 {port} -u {login}; exec cat"
        subprocess.run([*self.tmux, "new-session", "-d", "-x", "160", "-y", "50", command], check=True)
        self.shows("5. Close connection")
        self.open = True  # the menu is: nothing else is printed meanwhile

    def screen(self) -> str:
        done = subprocess.run([*self.tmux, "capture-pane", "-p", "-J", "-S", "-"], capture_output=True, text=True)
        return "\n".join(line.rstrip() for line in done.stdout.splitlines())

    def shows(self, words: str, times: int = 1) -> None:
        wait(f"the menu shows {words!r}: {self.screen()[-2000:]}", lambda: self.screen().count(words) >= times)

    def type(self, line: str) -> None:
        if line:
            subprocess.run([*self.tmux, "send-keys", "-l", line], check=True)
        subprocess.run([*self.tmux, "send-keys", "Enter"], check=True)

    def write(self, to: str, text: str) -> None:
        """From waiting for messages to the menu, and by its third choice to a message that is on its way."""
        if not self.open:
            self.step("", "5. Close connection")
        self.step("3", "Enter login:")
        self.step(to, "Enter message:")
        self.step(text, PROMPT)
        self.open = False

    def wait_for_messages(self) -> None:
        """Leave the open menu: nothing is printed while it is open."""
        self.step("", PROMPT)
        self.open = False

    def step(self, line: str, then: str) -> None:
        """Type a line, and wait until it is answered."""
        before = self.screen().count(then)
        self.type(line)
        self.shows(then, before + 1)

    def close(self) -> None:
        subprocess.run([*self.tmux, "kill-server"], capture_output=True)
