"""A peer that speaks the native protocol over a plain socket, with nothing of ours in between."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar

from tcpchat.server import Server

Start = Callable[..., Awaitable[Server]]  # what the fixture of this name is
PATIENCE = 20.0  # seconds a test waits for anything


async def eventually(check: Callable[[], bool]) -> None:
    """Return once the check holds: for what has no event to wait for."""
    for _ in range(int(PATIENCE * 100)):
        if check():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never happened")


class Peer:
    """One connection."""

    made: ClassVar[list[Peer]] = []

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.made.append(self)
        self.reader, self.writer = reader, writer
        self.welcome: dict[str, Any] = {}

    @classmethod
    async def connect(cls, port: int, *, receive_buffer: int = 0) -> Peer:
        sock = socket.socket()
        if receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
        # A small limit makes the reader stop reading early, so that a test that does not read really does not.
        return cls(*await asyncio.open_connection(sock=sock, limit=1 << 17))

    @classmethod
    async def enter(cls, port: int, login: str, *, receive_buffer: int = 0, **hello: Any) -> Peer:
        """Connect and be welcomed."""
        peer = await cls.connect(port, receive_buffer=receive_buffer)
        peer.send("hello", login=login, **hello)
        peer.welcome = await peer.until("welcome")
        return peer

    def send(self, kind: str, **fields: Any) -> None:
        self.raw(json.dumps({"t": kind, **fields}).encode() + b"\n")

    def raw(self, data: bytes) -> None:
        self.writer.write(data)

    async def read(self) -> dict[str, Any]:
        line = await asyncio.wait_for(self.reader.readline(), PATIENCE)
        assert line, "the server closed the connection"
        event: dict[str, Any] = json.loads(line)
        return event

    async def until(self, kind: str, **fields: Any) -> dict[str, Any]:
        """The next event of this kind with these fields; what comes before is passed over."""
        while True:
            event = await self.read()
            assert event["t"] != "refused" or kind == "refused", event
            if event["t"] == kind and all(event.get(key) == value for key, value in fields.items()):
                return event

    async def sync(self) -> list[dict[str, Any]]:
        """Everything the server has told this peer up to now: a ping, read to its pong."""
        token = f"sync{id(object())}"
        self.send("ping", token=token)
        events = []
        while True:
            event = await self.read()
            if event["t"] == "pong" and event.get("token") == token:
                return events
            events.append(event)

    async def rest(self) -> bytes:
        """All bytes until the server closes."""
        return await asyncio.wait_for(self.reader.read(), PATIENCE)

    async def say(self, to: str, text: str, n: int) -> dict[str, Any]:
        self.send("say", to=to, text=text, n=n)
        return await self.until("accepted", n=n)

    async def gone(self) -> None:
        self.writer.close()
        try:
            await self.writer.wait_closed()
        except OSError:
            pass
