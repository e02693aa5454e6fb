"""A server process, and others who speak there by the library."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import tcpchat

from .ports import free_port


class World:
    """A server process and a folder."""

    def __init__(self, folder: Path, *options: str, host: str = "127.0.0.1") -> None:
        self.port = free_port()
        self.folder, self.options, self.host = folder, options, host
        self.home = folder / "home"
        self.printed = ""
        self.start()

    def start(self) -> None:
        """Start the server; it listens when this returns."""
        command = [sys.executable, "-m", "tcpchat.cli", "serve", self.host, str(self.port)]
        self.process = subprocess.Popen(
            [*command, *self.options], cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        assert self.process.stdout is not None
        self.printed = ""
        while "Messages in" not in self.printed:
            line = self.process.stdout.readline()
            assert line, f"the server did not start: {self.printed}"
            self.printed += line

    def kill(self) -> None:
        """As kill -9 does."""
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()

    @property
    def where(self) -> str:
        """For the client's command line."""
        return f"me@127.0.0.1:{self.port}"

    def say(self, *messages: tuple[str, str], by: str = "duck") -> None:
        """Somebody sends messages, joining the rooms for it."""

        async def go() -> None:
            async with tcpchat.connect(f"127.0.0.1:{self.port}", by, device=f"device of {by}") as chat:
                sent = []
                for to, text in messages:
                    if to.startswith("#") and to != "#all":
                        await chat.join(to)
                    sent.append(await chat.send(to, text))
                for one in sent:
                    await one.accepted(10)

        asyncio.run(go())
