"""Requests whose body or answer is too long to be held in memory: piece by piece, as fast as the slower side."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import h11
import pytest

from support.rawpeer import PATIENCE, Start, eventually
from tcpchat.doors.web.exchange import Exchange
from tcpchat.server import Server

KiB = 1 << 10
MUCH = 64 << 20  # bytes


class Files(Exchange):
    """Takes a body, stops its peer when told to, and answers with as many bytes."""

    made: list[Files]

    def __init__(self, request: h11.Request) -> None:
        self.size = self.most = self.left = 0
        self.stop_at = int(dict(request.headers).get(b"x-stop-at", b"0"))
        self.whole = self.gone = False
        self.made.append(self)

    def body(self, data: bytes) -> None:
        self.size += len(data)
        self.most = max(self.most, len(data))
        if 0 < self.stop_at <= self.size:
            self.stop_at, self.busy = 0, True

    def end(self) -> None:
        self.left, self.whole = self.size or MUCH, True

    def go_on(self) -> None:
        self.busy = False
        self.wake()

    def produce(self) -> bytes | None:
        size = min(self.left, 64 * KiB)
        self.left -= size
        return bytes(size) if size else None

    def closed(self) -> None:
        self.gone = True


@pytest.fixture
async def served(start: Start) -> Server:
    Files.made = []
    server = await start()
    exchanges = server.site.realm("web").settings.exchanges  # type: ignore[attr-defined]
    exchanges["PUT", "/files"] = exchanges["GET", "/files"] = Files
    return server


@pytest.fixture
async def wire(served: Server) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    yield reader, writer
    writer.transport.abort()


Wire = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def head(method: str, *more: str) -> bytes:
    return "\r\n".join([f"{method} /files HTTP/1.1", "Host: localhost", *more, "", ""]).encode()


async def answer(reader: asyncio.StreamReader) -> tuple[bytes, int]:
    """The status line, and the bytes of a body that came in chunks."""
    start = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE)
    got = 0
    while size := int(await asyncio.wait_for(reader.readline(), PATIENCE), 16):
        await asyncio.wait_for(reader.readexactly(size + 2), PATIENCE)
        got += size
    await reader.readline()
    return start.split(b"\r\n")[0], got


async def test_much_both_ways_and_the_next_request(served: Server, wire: Wire) -> None:
    reader, writer = wire
    writer.write(head("PUT", f"Content-Length: {MUCH}", "X-Stop-At: 1000000"))
    sending = asyncio.ensure_future(send(writer, MUCH))
    connection = next(iter(served.connections))
    await eventually(lambda: bool(Files.made) and Files.made[0].busy)
    files = Files.made[0]
    stopped_at = files.size
    assert "door" in connection.held
    assert len(connection.backlog) <= 64 * KiB
    assert not sending.done()
    assert files.size == stopped_at  # a pause is honoured
    files.go_on()
    assert await answer(reader) == (b"HTTP/1.1 200 OK", MUCH)
    await sending
    assert files.size == MUCH
    assert files.most <= 64 * KiB
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert (await asyncio.wait_for(reader.readline(), PATIENCE)).startswith(b"HTTP/1.1 200")


async def send(writer: asyncio.StreamWriter, size: int) -> None:
    for _ in range(size // (256 * KiB)):
        writer.write(bytes(256 * KiB))
        await writer.drain()


async def test_who_takes_nothing_is_given_no_more(served: Server, wire: Wire) -> None:
    reader, writer = wire
    reader._transport.pause_reading()  # type: ignore[attr-defined]
    writer.write(head("GET"))
    connection = next(iter(served.connections))
    await eventually(lambda: connection.full)
    left = Files.made[0].left
    assert left > MUCH // 2
    assert connection.transport.get_write_buffer_size() <= served.config.write_buffer + 65 * KiB
    reader._transport.resume_reading()  # type: ignore[attr-defined]
    assert (await answer(reader))[1] == MUCH


async def test_a_peer_that_goes_ends_it(served: Server, wire: Wire) -> None:
    _, writer = wire
    writer.write(head("PUT", "Content-Length: 1000") + b"half")
    await eventually(lambda: bool(Files.made) and Files.made[0].size == 4)
    writer.transport.abort()
    await eventually(lambda: Files.made[0].gone)


async def test_a_body_that_ends_too_early_is_refused(served: Server, wire: Wire) -> None:
    reader, writer = wire
    writer.write(head("PUT", "Content-Length: 1000") + b"half")
    writer.write_eof()
    assert (await asyncio.wait_for(reader.readline(), PATIENCE)).startswith(b"HTTP/1.1 400")
    assert not Files.made[0].whole


async def test_a_page_of_others_is_turned_away(served: Server, wire: Wire) -> None:
    reader, writer = wire
    writer.write(head("PUT", "Content-Length: 4").replace(b"localhost", b"evil.example.org") + b"body")
    assert (await asyncio.wait_for(reader.readline(), PATIENCE)).startswith(b"HTTP/1.1 421")
    assert Files.made == []
