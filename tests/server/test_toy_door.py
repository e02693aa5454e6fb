"""A protocol of its own needs a row in the registry and its own code, and has the whole chat then."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import ClassVar

import pytest

from support.rawpeer import PATIENCE, Start, eventually
from support.rawpeer import Peer as Native
from tcpchat.core.model import AnyEvent, Command, Goodbye, Hello, Message, Refused, Say, Welcome
from tcpchat.doors import Door, Handover, Peer, Realm
from tcpchat.doors.choose import choose
from tcpchat.doors.registry import KINDS, DoorKind, register

KiB = 1 << 10
MUCH = 64 << 20  # bytes


class Echo(Door):
    """``ECHO login``, then lines to be said; ``!give N`` asks for bytes, ``!take N`` brings some, ``!other`` gives the
    connection to another door, ``!tls`` begins TLS."""

    name = "echo"
    dialect = "echo"
    producing = streaming = busy = leaving = False
    next: Handover

    def __init__(self, peer: Peer) -> None:
        self.peer, self.out, self.rest, self.said = peer, b"", b"", 0
        self.left = self.wanted = self.most = self.held = 0
        self.over = False

    def receive(self, data: bytes, now: float) -> list[Command]:
        self.most = max(self.most, len(data))
        if self.wanted:
            return self._take(data)
        *lines, self.rest = (self.rest + data).split(b"\n")
        commands: list[Command] = []
        for place, line in enumerate(lines):
            rest = b"\n".join([*lines[place + 1 :], self.rest])
            if line in (b"!other", b"!tls"):
                self.out += b"over\n"
                tls, self.leaving, self.rest = line == b"!tls", True, b""
                self.next = Handover(self if tls else Echo(self.peer), rest, tls)
                break
            commands += self._line(line)
        return commands

    def _line(self, line: bytes) -> list[Command]:
        word, _, value = line.decode().partition(" ")
        if word == "ECHO":
            return [Hello(login=value)]
        if word == "!give":
            self.left, self.producing = int(value), True
        elif word == "!take":
            self.wanted, self.streaming = int(value), True
        else:
            self.said += 1
            return [Say(n=self.said, to="#all", text=line.decode())]
        return []

    def _take(self, data: bytes) -> list[Command]:
        self.wanted -= len(data)
        self.held += 1
        self.busy = self.held % 512 == 1  # it stops its peer now and then, until the next look
        if self.wanted <= 0:
            self.out += b"taken\n"
            self.streaming = False
        return []

    def hand_over(self) -> Handover:
        self.leaving = False
        return self.next

    def tick(self, now: float) -> list[Command]:
        self.busy = False
        self.wake()
        return []

    def produce(self, now: float) -> bytes:
        size = min(self.left, 64 * KiB)
        self.left -= size
        self.producing = self.left > 0
        return bytes(size)

    def encode(self, event: AnyEvent) -> bytes | None:
        return f"{event.by} {event.text}\n".encode() if isinstance(event, Message) else None

    def deliver(self, event: AnyEvent) -> None:
        if isinstance(event, Message):
            self.out += self.encode(event) or b""
        elif isinstance(event, Welcome | Refused | Goodbye):
            self.out += type(event).__name__.encode() + b"\n"
            self.closing = isinstance(event, Goodbye)

    def data_to_send(self) -> bytes:
        out, self.out = self.out, b""
        return out


class EchoRealm(Realm):
    """What echo doors share."""

    doors: list[Echo]

    def door(self, peer: Peer) -> Echo:
        door = Echo(peer)
        self.doors = [*getattr(self, "doors", []), door]
        return door


def speaks_echo(head: bytes) -> bool | None:
    return head.startswith(b"ECHO ") or (None if b"ECHO ".startswith(head) else False)


@pytest.fixture(autouse=True)
async def echo() -> AsyncIterator[None]:
    register(DoorKind("echo", speaks_echo, f"{__name__}:EchoRealm"))
    yield
    for client in Client.made:
        client.writer.transport.abort()
    Client.made.clear()
    del KINDS["echo"]


class Client:
    """Somebody who speaks it."""

    made: ClassVar[list[Client]] = []

    @classmethod
    async def enter(cls, port: int, login: str) -> Client:
        self = cls()
        cls.made.append(self)
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", port)
        self.writer.write(f"ECHO {login}\n".encode())
        assert await self.line() == "Welcome"
        return self

    async def line(self) -> str:
        return (await asyncio.wait_for(self.reader.readline(), PATIENCE)).decode().rstrip("\n")


def test_its_first_bytes_choose_it() -> None:
    assert choose(b"ECHO duck\n") == "echo"
    assert choose(b"EC") == "more"
    assert choose(b"ECHOES") == "none"


async def test_it_has_the_whole_chat(start: Start) -> None:
    server = await start()
    duck, native = await Client.enter(server.port, "duck"), await Native.enter(server.port, "goose")
    swan = await Client.enter(server.port, "swan")
    duck.writer.write(b"hello\n")
    assert (await native.until("message"))["text"] == "hello"
    assert await swan.line() == "duck hello"
    native.send("say", to="#all", text="quack", n=1)
    assert await duck.line() == await swan.line() == "goose quack"


async def test_long_answers_come_as_the_peer_takes_them(start: Start) -> None:
    server = await start()
    duck = await Client.enter(server.port, "duck")
    duck.writer.write(b"!give %d\n" % MUCH)
    connection = next(iter(server.connections))
    got = most = 0
    while got < MUCH:
        got += len(await asyncio.wait_for(duck.reader.read(64 * KiB), PATIENCE))
        most = max(most, connection.transport.get_write_buffer_size())
    assert most <= server.config.write_buffer + 64 * KiB
    duck.writer.write(b"hello\n")  # and it goes on


async def test_who_takes_nothing_is_given_no_more(start: Start) -> None:
    server = await start()
    duck = await Client.enter(server.port, "duck")
    duck.reader._transport.pause_reading()  # type: ignore[attr-defined]
    duck.writer.write(b"!give %d\n" % MUCH)
    connection = next(iter(server.connections))
    await eventually(lambda: connection.full)
    door = server.site.realm("echo").doors[0]  # type: ignore[attr-defined]
    left = door.left
    assert left > MUCH // 2
    goose = await Native.enter(server.port, "goose")  # others go on meanwhile
    goose.send("say", to="#all", text="quack", n=1)
    await goose.until("accepted")
    assert door.left == left
    duck.reader._transport.resume_reading()  # type: ignore[attr-defined]
    assert len(await asyncio.wait_for(duck.reader.readexactly(MUCH), PATIENCE)) == MUCH


async def test_a_door_may_take_a_long_request_piece_by_piece(start: Start) -> None:
    server = await start()
    duck = await Client.enter(server.port, "duck")
    duck.writer.write(b"!take %d\n" % MUCH)
    connection = next(iter(server.connections))
    door = server.site.realm("echo").doors[0]  # type: ignore[attr-defined]
    await eventually(lambda: door.streaming)
    paused = False
    for _ in range(MUCH // (256 * KiB)):
        duck.writer.write(bytes(256 * KiB))
        paused = paused or ("door" in connection.held and len(connection.backlog) <= 64 * KiB)
        await asyncio.wait_for(duck.writer.drain(), PATIENCE)
    assert await duck.line() == "taken"
    assert paused
    assert door.most <= 64 * KiB


async def test_a_connection_is_handed_over_with_what_was_read(start: Start) -> None:
    server = await start()
    duck, goose = await Client.enter(server.port, "duck"), await Native.enter(server.port, "goose")
    duck.writer.write(b"!other\nECHO swan\nhello\n")
    assert [await duck.line() for _ in range(2)] == ["over", "Welcome"]
    message = await goose.until("message")
    assert (message["by"], message["text"]) == ("swan", "hello")


async def test_tls_may_begin_in_the_middle(start: Start) -> None:
    import ssl

    server = await start(plain_only=False)
    duck, goose = await Client.enter(server.port, "duck"), await Native.enter(server.port, "goose")
    duck.writer.write(b"!tls\n")
    assert await duck.line() == "over"
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    await asyncio.wait_for(duck.writer.start_tls(context), PATIENCE)
    duck.writer.write(b"sealed\n")
    assert (await goose.until("message"))["text"] == "sealed"
