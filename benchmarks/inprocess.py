"""The server's work for a message, in one process without a network: what ``benchmarks.compare`` counts.

A server is started whose connections are objects that gather what is written to them. Everything else is what runs
in production: doors, chat, pipe, log, fan-out. It speaks the wires alone, so that it can drive older versions too.

python -m benchmarks.inprocess LOAD MESSAGES      prints how many were sent, and the microseconds of CPU of each
"""

from __future__ import annotations

import asyncio
import os
import resource
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

SETTINGS: dict[str, Any] = {
    # Limits lifted that would slow a generator down on purpose; everything else as shipped.
    "messages_per_second": 0, "message_burst": 10_000_000, "bytes_per_second": 0,
    "connections_per_address": 1_000_000, "connections": 1_000_000, "syslog": "off", "plain_only": True,
    "irc_receipts_after": 0,
}  # fmt: skip
TEXT = "the quick brown fox jumps over the lazy dog, and so do all the others"
FAST = "/dev/shm" if Path("/dev/shm").is_dir() else None  # a disk is not measured here
WINDOW = 8  # messages of one sender that are on their way at once


class Transport(asyncio.Transport):
    """Keeps what is written, until it is asked for."""

    def __init__(self, stirred: asyncio.Event) -> None:
        super().__init__()
        self.out: list[bytes] = []
        self.stirred = stirred

    def write(self, data: Any) -> None:
        self.out.append(data)
        self.stirred.set()

    def writelines(self, list_of_data: Any) -> None:
        for data in list_of_data:
            self.write(data)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return {"peername": ("127.0.0.1", 9), "sockname": ("127.0.0.1", 10)}.get(name, default)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Never full."""

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None:
        """Peers here wait for answers anyway."""

    def resume_reading(self) -> None:
        """See pause_reading."""

    def close(self) -> None:
        """Nothing to close."""

    abort = close

    def is_closing(self) -> bool:
        return False


class Peer:
    """One client."""

    def __init__(self, protocol: Any, stirred: asyncio.Event) -> None:
        self.protocol, self.transport, self.stirred = protocol, Transport(stirred), stirred
        protocol.connection_made(self.transport)

    def say(self, data: bytes) -> None:
        """What it sends arrives, as the event loop would hand it over."""
        if isinstance(self.protocol, asyncio.BufferedProtocol):
            view = self.protocol.get_buffer(-1)
            view[: len(data)] = data  # type: ignore[index]
            self.protocol.buffer_updated(len(data))
        else:
            self.protocol.data_received(data)

    def read(self) -> bytes:
        """What it has been told since it was asked last."""
        data = b"".join(self.transport.out)
        self.transport.out.clear()
        return data


class Place:
    """A running server and its peers."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self.make = make
        self.peers: list[Peer] = []
        self.stirred = asyncio.Event()  # something was written to somebody

    def come(self) -> Peer:
        peer = Peer(self.make(), self.stirred)
        self.peers.append(peer)
        return peer


async def until(true: Callable[[], bool], stirred: asyncio.Event) -> None:
    """Let the server work until something holds."""
    while not true():
        await stirred.wait()
        stirred.clear()


async def answer(peer: Peer, *marks: bytes) -> None:
    """Wait until it is told one of these."""
    seen = b""

    def there() -> bool:
        nonlocal seen
        seen += peer.read()
        return any(mark in seen for mark in marks)

    await until(there, peer.stirred)


async def native(place: Place, name: str, room: str) -> Peer:
    peer = place.come()
    peer.say(b'{"t":"hello","login":"%s","device":"d-%s"}\n' % (name.encode(), name.encode()))
    await answer(peer, b'"t":"welcome"')
    if room:
        peer.say(b'{"t":"join","room":"%s","ref":7}\n' % room.encode())
        await answer(peer, b'"ref":7')
    return peer


async def irc(place: Place, name: str, room: str) -> Peer:
    peer = place.come()
    peer.say(b"NICK %s\r\nUSER %s 0 * :x\r\n" % (name.encode(), name.encode()))
    await answer(peer, b" 376 ", b" 422 ")
    if room:
        peer.say(b"JOIN %s\r\n" % room.encode())
        await answer(peer, b" 366 %s %s" % (name.encode(), room.encode()))
    return peer


class Talk:
    """Messages in one dialect. ``shape``: the members of each room; 0 = pairs."""

    def __init__(self, dialect: str, people: int, shape: int) -> None:
        self.dialect, self.people, self.shape = dialect, people, shape
        self.numbers = [count(1) for _ in range(people)]

    def room(self, who: int) -> str:
        return f"#r{who // self.shape}" if self.shape else ""

    async def begin(self, place: Place) -> None:
        enter = native if self.dialect == "native" else irc
        for who in range(self.people):
            await enter(place, f"u{who}", self.room(who))
        await self.quiet(place)

    async def quiet(self, place: Place) -> None:
        """Everything that is under way arrives."""
        for _ in range(50):
            await asyncio.sleep(0.002)
            for peer in place.peers:
                peer.read()

    def lines(self, who: int, many: int) -> bytes:
        to = self.room(who) or f"{'@' if self.dialect == 'native' else ''}u{who ^ 1}"
        if self.dialect == "irc":
            return b"".join(b"PRIVMSG %s :%s\r\n" % (to.encode(), TEXT.encode()) for _ in range(many))
        return b"".join(
            b'{"t":"say","n":%d,"to":"%s","text":"%s"}\n' % (next(self.numbers[who]), to.encode(), TEXT.encode())
            for _ in range(many)
        )

    def confirm(self, peer: Peer, data: bytes) -> None:
        """As clients do: the native ones the last entry of what they read, those of IRC answer PING."""
        if self.dialect == "native":
            start = data.rfind(b'"seq":')
            if start >= 0:
                end = data.index(b",", start)
                peer.say(b'{"t":"confirm","seq":%s}\n' % data[start + 6 : end])
        elif (start := data.rfind(b"PING ")) >= 0:
            peer.say(b"PONG " + data[start + 5 : data.index(b"\r\n", start)] + b"\r\n")

    def senders(self) -> Iterator[list[int]]:
        """Who talks in each round: of pairs everybody, of a room one after the other."""
        if not self.shape:
            while True:
                yield list(range(self.people))
        rooms = self.people // self.shape
        for turn in count():
            yield [room * self.shape + (turn + some) % self.shape for room in range(rooms) for some in range(4)]

    async def run(self, place: Place, messages: int) -> int:
        """Send so many, round after round, and wait until everybody has been told; returns how many it were."""
        sent = 0
        for senders in self.senders():
            if sent >= messages:
                return sent
            for who in senders:
                place.peers[who].say(self.lines(who, WINDOW))
            sent += WINDOW * len(senders)
            await self.told(place, self.due(senders))
        return sent

    def due(self, senders: list[int]) -> dict[int, int]:
        """How many messages of these each of the others is to be told."""
        due: dict[int, int] = {}
        for who in senders:
            first = who // self.shape * self.shape if self.shape else 0
            for other in range(first, first + self.shape) if self.shape else [who ^ 1]:
                if other != who:
                    due[other] = due.get(other, 0) + WINDOW
        return due

    async def told(self, place: Place, due: dict[int, int]) -> None:
        """Read and confirm until nothing is due."""
        mark = b'"text":"the quick' if self.dialect == "native" else b":the quick"

        def all_told() -> bool:
            for who in [who for who in due if place.peers[who].transport.out]:
                data = place.peers[who].read()
                due[who] -= data.count(mark)
                self.confirm(place.peers[who], data)
                if due[who] <= 0:
                    del due[who]
            return not due

        await until(all_told, place.stirred)


LOADS: dict[str, tuple[str, int, int]] = {
    "native pairs": ("native", 20, 0),
    "native room of 200": ("native", 200, 200),
    "native ten rooms of 20": ("native", 200, 20),
    "irc pairs": ("irc", 20, 0),
    "irc room of 200": ("irc", 200, 200),
    "irc ten rooms of 20": ("irc", 200, 20),
}


def cpu() -> float:
    """Seconds that all threads of this process have used."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def counting(on: bool) -> None:
    """Have callgrind count instructions from here, or not."""
    if os.environ.get("COUNTED"):
        subprocess.run(
            ["callgrind_control", f"--instr={'on' if on else 'off'}", str(os.getpid())], check=True, capture_output=True
        )


class Listening:
    """Takes the place of the server that takes connections from a socket."""

    def __init__(self, sock: socket.socket) -> None:
        self.sockets = (sock,)

    def close(self) -> None:
        self.sockets[0].close()

    async def wait_closed(self) -> None:
        """Nothing to wait for."""


async def main() -> None:
    """One load."""
    from tcpchat import Server
    from tcpchat.log import writing

    writing.FAR = writing.SOON = 1 << 40  # the indexes follow when this is over
    writing.IDLE = 1e9

    loop = asyncio.get_running_loop()
    made: list[Callable[[], Any]] = []

    async def create_server(make: Callable[[], Any], sock: socket.socket, **_: Any) -> Listening:
        made.append(make)
        return Listening(sock)

    loop.create_server = create_server  # type: ignore[method-assign,assignment]
    with tempfile.TemporaryDirectory(dir=FAST) as folder:
        server = Server(port=0, data=folder, **SETTINGS)
        await server.start()
        place, talk = Place(made[0]), Talk(*LOADS[sys.argv[1]])
        await talk.begin(place)
        await talk.run(place, 400)
        await talk.quiet(place)
        counting(True)
        used = cpu()
        sent = await talk.run(place, int(sys.argv[2]))
        used = cpu() - used
        counting(False)
        print(sent, f"{used / sent * 1e6:.2f}", flush=True)
        for peer in place.peers:
            peer.protocol.connection_lost(None)
        await server.stop()


if __name__ == "__main__":
    asyncio.run(main())
