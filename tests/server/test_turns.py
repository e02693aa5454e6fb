"""Floods: what one connection may make the server do before the others, and what it may make it keep."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from support.rawpeer import PATIENCE, Peer, Start, eventually
from tcpchat.server import Server
from tcpchat.server.connection import Connection
from tcpchat.server.turns import FREE, READ_MAX, Turns, cut

HELLO = b'{"t":"hello","login":"flood"}\n'
NICK = b"NICK flood\r\nUSER f 0 * :f\r\n"
UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
FLOODS = {
    "pong": (HELLO, b'{"t":"pong"}\n'),
    "ping": (HELLO, b'{"t":"ping","token":"x"}\n'),
    "status": (HELLO, b'{"t":"status"}\n'),
    "status before the hello": (b"", b'{"t":"status"}\n'),
    "blank lines": (HELLO, b"\n"),
    "confirm": (HELLO, b'{"t":"confirm","seq":1}\n'),
    "refused says": (HELLO, b'{"t":"say","to":"#nowhere","text":"x"}\n'),
    "who": (HELLO, b'{"t":"who"}\n'),
    "IRC PING": (NICK, b"PING x\r\n"),
    "IRC PING before registration": (b"CAP LS\r\n", b"PING x\r\n"),
    "unknown words of IRC": (NICK, b"XYZZY\r\n"),
    "blank lines of IRC": (NICK, b"\r\n"),
    "404": (b"", b"GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    "the page": (b"", b"GET /app.js HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    "empty fragments": (UPGRADE + b"\x01\x80\0\0\0\0", b"\x00\x80\0\0\0\0"),
    "WebSocket pings": (UPGRADE, b"\x89\x80\0\0\0\0"),
    "originals": (b'{"TYPE":"HI","BODY":"old"}', b'{"TYPE":"STATE","BODY":""}'),
}


@pytest.fixture
async def flood() -> AsyncIterator[list[asyncio.StreamWriter]]:
    """Writers that are cut at the end."""
    writers: list[asyncio.StreamWriter] = []
    yield writers
    for writer in writers:
        writer.transport.abort()


def _connection(server: Server, port: int) -> Connection:
    return next(one for one in server.connections if one.transport.get_extra_info("peername")[1] == port)


@pytest.mark.parametrize("kind", FLOODS)
async def test_a_flood_is_counted_unread_and_keeps_little(
    start: Start, flood: list[asyncio.StreamWriter], kind: str
) -> None:
    """Whatever it is: after its burst the connection is not read, and what was read of it fits one read."""
    server = await start(work_per_second=0.001, work_burst=FREE)
    hello, word = FLOODS[kind]
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    flood.append(writer)
    writer.write(hello)
    if hello:
        await asyncio.wait_for(reader.read(1), PATIENCE)
    connection = _connection(server, writer.get_extra_info("sockname")[1])
    reading = asyncio.ensure_future(reader.read())
    writer.write(word * (8 * READ_MAX // len(word)))
    await eventually(lambda: "rate" in connection.held)
    assert not connection.transport.is_reading()
    assert len(connection.backlog) <= READ_MAX
    duck = await Peer.enter(server.port, "duck")
    await duck.say("#all", "and others talk", 1)
    assert connection.held
    reading.cancel()


async def test_it_is_read_again_when_its_work_is_forgotten(start: Start) -> None:
    server = await start(work_per_second=1_000.0, work_burst=100)
    duck = await Peer.enter(server.port, "duck")
    duck.raw(b"".join(b'{"t":"ping","token":"%d"}\n' % n for n in range(3_000)))
    for number in range(3_000):  # every answer, in order
        assert (await duck.until("pong"))["token"] == str(number)


async def test_messages_are_counted_by_the_chat_alone(start: Start) -> None:
    server = await start(work_per_second=0.001, work_burst=1, messages_per_second=0, bytes_per_second=0)
    duck = await Peer.enter(server.port, "duck")
    for first in range(1, 2_000, 50):
        duck.raw(b"".join(b'{"t":"say","n":%d,"to":"#all","text":"x"}\n' % n for n in range(first, first + 50)))
        await duck.until("accepted", n=first + 49)


@pytest.mark.parametrize(
    ("word", "count"),
    [
        (b'{"t":"who"}\n', 5_000),
        (b'{"t":"status"}\n', 8_000),
    ],
)
async def test_answers_wait_for_room_in_the_pipe(start: Start, word: bytes, count: int) -> None:
    """Who reads nothing is answered until its pipe is full; then its commands wait, and none is lost."""
    server = await start(work_per_second=0, commands_per_second=0, write_buffer=32_768)
    peer = await Peer.enter(server.port, "x" * 32, receive_buffer=4_096)
    peer.reader._transport.pause_reading()  # type: ignore[attr-defined]
    connection = next(one for one in server.connections if one.user is not None)
    # As much as the kernel takes by itself may be more than all answers.
    connection.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 32_768)
    peer.raw(word * count)
    await eventually(lambda: connection.full and bool(connection.held))
    assert connection.transport.get_write_buffer_size() + connection.unsent < 4 * READ_MAX
    assert len(connection.backlog) <= READ_MAX
    peer.reader._transport.resume_reading()  # type: ignore[attr-defined]
    answers = 0
    while answers < count:
        kind = (await peer.read())["t"]
        answers += kind in ("people", "state", "room_list", "pong", "rooms")
    assert answers == count


async def test_an_end_waits_for_what_was_said_before_it(start: Start) -> None:
    server = await start(messages_per_second=0, bytes_per_second=0)
    peer = await Peer.enter(server.port, "duck")
    peer.raw(b"".join(b'{"t":"say","n":%d,"to":"#all","text":"%s"}\n' % (n, b"x" * 3_000) for n in range(1, 61)))
    peer.writer.write_eof()
    assert (await peer.rest()).count(b'"accepted"') == 60


def test_a_piece_of_short_lines_is_shorter() -> None:
    assert cut(b"x" * 5_000, 4_096) == 4_096
    assert cut(b"hello\n", 4_096) == 6
    assert b"\n".join([b"x"] * 5_000)[: cut(b"x\n" * 5_000, 4_096)].count(b"\n") <= 130


async def test_no_limit_is_no_limit() -> None:
    turns = Turns(0, 0)
    turns.charge(None, 10**9, 0.0)  # type: ignore[arg-type] # nobody is looked at
