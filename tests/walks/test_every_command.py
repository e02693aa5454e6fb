"""A walk over every command of every door, as the tables have them: each is counted, and none is without a bound."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from benchmarks.payloads import DOORS, PEER, greeting, hostile
from support.rawpeer import Peer, Start, eventually
from tcpchat.core import counting
from tcpchat.core.bounds import ARGUMENTS
from tcpchat.core.operators import ACTS
from tcpchat.server import Server
from tcpchat.server.connection import Connection
from tcpchat.server.turns import FREE

TIGHT = {
    "work_per_second": 0.001, "work_burst": FREE, "signals_per_second": 1.0, "signal_burst": counting.BLOCK,
    "commands_per_second": 0.01, "command_burst": 5, "messages_per_second": 0.01, "message_burst": 5,
    "logins_per_minute": 0.0,
}  # fmt: skip
OVER = counting.EXCESS_MAX + 3 * counting.BLOCK  # commands beyond every budget of TIGHT
FLOOD = 1 << 21  # bytes of one command at most
FEW = {"native": 12, "original": 12, "irc": 200}  # of one guest: who sends more bad ones in a row is hung up
LAST = {"native": b'{"t":"ping","token":"walked"}\n', "irc": b"PING walked\r\n", "original": b""}
EVENT = 40_000  # bytes of one line that others are told: a text of max_text, every byte of it escaped, and its frame
KEPT = 9_000  # characters of one text in it


class Guest:
    """A connection that floods, as the server sees it and as its peer hears it."""

    def __init__(self, seen: Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connection, self.writer = seen, writer
        self.told = bytearray()
        self._listening = asyncio.ensure_future(self._listen(reader))

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        try:
            while data := await reader.read(1 << 16):
                self.told += data
        except OSError:
            pass

    @property
    def held_back(self) -> bool:
        """Is it unread, refused or hung up?"""
        return self.connection.closing or "rate" in self.connection.held or b"too_fast" in self.told

    def end(self) -> None:
        self._listening.cancel()
        self.writer.transport.abort()


@asynccontextmanager
async def guest(server: Server, door: str, name: str, *, early: bool = False) -> AsyncIterator[Guest]:
    """Somebody who has come in by this door (or only begun to)."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    port = writer.get_extra_info("sockname")[1]
    found: list[Connection] = []

    def there() -> bool:
        found[:] = [one for one in server.connections if one.transport.get_extra_info("peername")[1] == port]
        return bool(found)

    await eventually(there)
    one = Guest(found[0], reader, writer)
    try:
        first = b"" if early else greeting(door, name)
        writer.write(first)
        if first:
            await eventually(lambda: one.connection.session is not None and one.connection.session.user is not None)
        yield one
    finally:
        one.end()


def repeated(command: bytes) -> bytes:
    return command * min(OVER, FLOOD // len(command))


@pytest.mark.parametrize(
    ("door", "early"),
    [*((door, False) for door in DOORS), *((door, True) for door in ("native", "irc", "original"))],
)
async def test_every_command_is_counted(start: Start, door: str, early: bool) -> None:
    """Beyond its budget each is refused as too fast, or its connection is not read any more, or hung up."""
    server = await start(**TIGHT)
    free: list[str] = []
    for number, (name, commands) in enumerate(hostile(door, 300).items()):
        async with guest(server, door, f"guest{number}", early=early or door == "http") as one:
            one.writer.write(repeated(commands[0]))
            for _ in range(3000):
                if one.held_back:
                    break
                await asyncio.sleep(0.01)
            else:
                free.append(name)
            if len(free) > 2:
                break
    assert not free, f"not counted: {free}"
    assert (await Peer.enter(server.port, PEER)).welcome, "others come in meanwhile"


@pytest.mark.parametrize("door", ["native", "irc", "original"])
async def test_no_argument_is_told_to_others_at_any_length(start: Start, door: str) -> None:
    """Each field of each command as long as a line may be: what others are told of it is short."""
    free = {f"{what}_per_second": 0 for what in ("commands", "messages", "bytes", "work")}
    server = await start(**free, logins_per_minute=0)
    witness = await Peer.enter(server.port, PEER)
    witness.send("join", room="#hostile", ref=1)
    await witness.until("done")
    for number, (name, commands) in enumerate(hostile(door).items()):
        if name in ("bye", "QUIT", "BYE"):
            continue
        for first in range(0, len(commands), FEW[door]):
            async with guest(server, door, f"guest{number}n{first}") as one:
                one.writer.write(b"".join(commands[first : first + FEW[door]]) + LAST[door])
                await handled(one, bool(LAST[door]))
        for event in await witness.sync():
            assert len(json.dumps(event)) < EVENT, f"{name}: {json.dumps(event)[:300]}"
            assert all(len(text) < KEPT for text in texts(event)), f"{name}: {json.dumps(event)[:300]}"


async def handled(one: Guest, answered: bool) -> None:
    """Until the server has done all that was sent, or hung up."""
    await eventually(lambda: one.connection.closing or (b"walked" in one.told if answered else drained(one)))


def drained(one: Guest) -> bool:
    transport = one.writer.transport
    return transport.is_closing() or not (transport.get_write_buffer_size() or one.connection.backlog)


def texts(value: object) -> list[str]:
    """All strings in an event."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for pair in value.items() for part in pair for text in texts(part)]
    return [text for part in value for text in texts(part)] if isinstance(value, list) else []


def test_the_walk_finds_what_the_tables_have() -> None:
    assert {f"admin {act}" for act in ACTS} <= hostile("native", 300).keys()
    assert {word for act in ACTS.values() for word in act.takes.split()} <= ARGUMENTS.keys()
    assert {"PRIVMSG", "METADATA", "NickServ REGISTER"} <= hostile("irc", 300).keys()
    assert {"POST /{room}", "GET /healthz"} <= hostile("http", 300).keys()
