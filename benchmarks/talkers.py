"""The generator of ``benchmarks.doors``: one process that speaks IRC, the native protocol and WebSocket, plain or TLS.

Messages are bytes made beforehand but for their number; what arrives is counted and not parsed. Each client checks that
it gets every message once, and tells the server what it has, as the clients of that door do.
"""

from __future__ import annotations

import asyncio
import gc
import ssl
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from benchmarks import rig
from benchmarks.trust import anyone, cpu

TEXT = 100  # bytes of one message's text
ROOM = "#load"
MARK = b"^^"  # in front of the number of a message whose way is timed
MARKED = 16  # one message in so many is timed
LISTENERS = 8  # members of a room that look for marks; in pairs everybody does
GATE = 32  # connections that come in at once
WARM_SECONDS = 0.5
QUIET_SECONDS = 0.3  # without a byte: all arrivals have been told
ENTER_SECONDS = 20.0
STUCK_SECONDS = 5.0
UPGRADE = (
    b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: tcpchat.v1\r\n\r\n"
)


class Incomplete(RuntimeError):
    """The server has lost, doubled or refused something, or has stopped to answer."""


# -- what the doors are spoken to in -----------------------------------------------------------------------------------


def masked(payload: bytes) -> bytes:
    """One text frame of a client (RFC 6455 5.2). Its mask is zero: cheap here, the same work for the server."""
    short = len(payload) < 126
    length = bytes([0x80 | len(payload)]) if short else b"\xfe" + len(payload).to_bytes(2, "big")
    return b"\x81" + length + bytes(4) + payload


def framed_line(line: bytes) -> bytes:
    return masked(line.rstrip(b"\n"))


@dataclass(frozen=True)
class Dialect:
    """How one door is entered, spoken to and listened to."""

    message: bytes  # what every delivery has once, and nothing else has
    ask: bytes  # what stands before the token that a receipt gives back; as long as ``message``
    end: bytes  # what stands behind that token
    confirm: bytes  # the receipt, with %b for the token
    say: bytes  # a message: %b who it is for, %6d its number (IRC: only for the eye), %b the text
    faults: tuple[bytes, ...]
    hello: bytes  # %b is the login
    welcome: bytes
    join: bytes
    joined: bytes
    alpn: tuple[str, ...]
    frame: Callable[[bytes], bytes] = bytes
    upgrade: bytes = b""


NATIVE: dict[str, Any] = {
    "message": b'{"t":"message","seq":',
    "ask": b'{"t":"message","seq":',
    "end": b",",
    "confirm": b'{"t":"confirm","seq":%b}\n',
    "say": b'{"t":"say","to":"%b","n":%6d,"text":"%b"}\n',
    "faults": (b'{"t":"refused"', b'{"t":"bye"'),
    "hello": b'{"t":"hello","login":"%b","device":"load-%b"}\n',
    "welcome": b'"t":"state"',
    "join": b'{"t":"join","room":"%b","ref":1}\n',
    "joined": b'"t":"done"',
}
DIALECTS = {
    "IRC": Dialect(
        message=b" PRIVMSG ",
        ask=b"PING :tc-",
        end=b"\r",
        confirm=b"PONG :tc-%b\r\n",
        say=b"PRIVMSG %b :%07d %b\r\n",
        faults=(b"\r\nERROR ", b" 401 ", b" 404 "),
        hello=b"NICK %b\r\nUSER %b 0 * :load\r\n",
        welcome=b" 422 ",
        join=b"JOIN %b\r\n",
        joined=b" %b :End of",
        alpn=(),  # hardly any IRC client names a protocol
    ),
    "native": Dialect(**NATIVE, alpn=("tcpchat",)),
    "WebSocket": Dialect(**NATIVE, alpn=("http/1.1",), frame=framed_line, upgrade=UPGRADE),
}


@dataclass(frozen=True)
class Load:
    """So many clients; in a room the first of them talk, without one each talks to its neighbour."""

    clients: int
    talkers: int
    window: int  # messages of each talker that not everybody has yet
    room: bool
    title: str


LOADS = {
    "pairs": Load(200, 200, 16, False, "pairs, 200 talk"),
    "room50": Load(50, 4, 32, True, "room of 50, 4 talk"),
    "room200": Load(200, 4, 32, True, "room of 200, 4 talk"),
}


# -- the generator -----------------------------------------------------------------------------------------------------


class Client(asyncio.Protocol):
    """One connection: first it enters and what comes is kept until it is what is waited for; then it counts."""

    transport: asyncio.Transport

    def __init__(self, run: Run, number: int) -> None:
        self.run, self.number, self.dialect = run, number, run.dialect
        self.login = b"u%d" % number
        self.got = b""  # while it enters: everything; then what may be the beginning of a token
        self.wanted: tuple[bytes, asyncio.Future[None]] | None = None
        self.counting = self.timed = self.checked = False
        self.came = self.sent = 0
        self.token = b""  # of the last receipt: told again it would say nothing

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def connection_lost(self, exc: Exception | None) -> None:
        if self.run.closed:
            return
        self.run.fail(
            f"{self.login.decode()}: connection closed ({exc or 'by the server'}); it said last {self.got[-200:]!r}"
        )

    def data_received(self, data: bytes) -> None:
        self.run.last = time.perf_counter()
        if self.counting:
            self.count(data)
            return
        self.got += data
        if self.wanted is not None and self.wanted[0] in self.got and not self.wanted[1].done():
            self.wanted[1].set_result(None)

    async def until(self, token: bytes) -> None:
        if token not in self.got:
            self.wanted = token, asyncio.get_running_loop().create_future()
            try:
                await asyncio.wait_for(self.wanted[1], ENTER_SECONDS)
            except TimeoutError:
                raise Incomplete(f"{self.login.decode()}: no {token!r} in {self.got[-400:]!r}") from None
        self.got = b""

    def write(self, line: bytes) -> None:
        self.transport.write(self.dialect.frame(line))

    async def enter(self, room: bool) -> None:
        """Come in, and into the room."""
        dialect = self.dialect
        if dialect.upgrade:
            self.transport.write(dialect.upgrade)
            await self.until(b"\r\n\r\n")
        self.write(dialect.hello.replace(b"%b", self.login))
        await self.until(dialect.welcome)
        if room:
            self.write(dialect.join % ROOM.encode())
            await self.until(dialect.joined.replace(b"%b", ROOM.encode()))
        self.counting = True

    def count(self, data: bytes) -> None:
        """The hot path: how many messages came, and a receipt for the last one."""
        dialect = self.dialect
        data = self.got + data
        at, whole = data.rfind(dialect.ask), len(data)
        if at >= 0:
            start = at + len(dialect.ask)
            end = data.find(dialect.end, start)
            if end < 0:
                whole = at  # its token is not all here: count it with what comes
            elif (token := data[start:end]) != self.token:
                self.token = token
                self.write(dialect.confirm % token)
        came = data.count(dialect.message, 0, whole)
        self.got = data[whole:] or data[1 - len(dialect.message) :]
        if self.timed:
            self.clock(data)
        if self.checked and any(fault in data for fault in dialect.faults):
            self.run.fail(f"{self.login.decode()}: {data[-300:]!r}")
        if came:
            self.came += came
            self.run.heard(self, came)

    def clock(self, data: bytes) -> None:
        """How long the marked messages took; a mark that is cut in two by the reads is passed over."""
        run, now = self.run, time.perf_counter()
        for piece in data.split(MARK)[1:]:
            number, _, _ = piece.partition(b"^")
            left = run.left.get(int(number)) if number.isdigit() else None
            if left is not None and run.measuring:
                run.took.append(now - left)

    def talk(self, count: int) -> None:
        """Say so many messages in one write."""
        frame, form, to = self.dialect.frame, self.dialect.say, self.run.target(self)
        lines = []
        for _ in range(count):
            self.sent += 1
            lines.append(frame(form % (to, self.sent, self.run.text())))
        self.transport.write(b"".join(lines))


class Run:
    """One load on one door."""

    def __init__(self, dialect: Dialect, load: Load, server: rig.Running) -> None:
        self.dialect, self.load, self.server = dialect, load, server
        self.clients: list[Client] = []
        self.have: list[int] = []  # room: messages that each member has, its own among them
        self.said = self.deliveries = 0
        self.left: dict[int, float] = {}  # number of a marked message -> when it left
        self.took: list[float] = []  # seconds of the marked messages
        self.last = 0.0  # when a byte came
        self.plain = b"x" * TEXT
        self.talking = self.measuring = self.pumping = False
        self.closed = False
        self.broken = ""

    def fail(self, why: str) -> None:
        self.broken = self.broken or why

    def target(self, client: Client) -> bytes:
        """Who a client talks to."""
        if self.load.room:
            return ROOM.encode()
        other = b"u%d" % (client.number ^ 1)
        return other if self.dialect.message == DIALECTS["IRC"].message else b"@" + other

    def text(self) -> bytes:
        """The text of the next message: one in so many has a mark."""
        self.said += 1
        if self.said % MARKED:
            return self.plain
        self.left[self.said] = time.perf_counter()
        return (MARK + b"%d^" % self.said).ljust(TEXT, b"x")

    async def fill(self, tls: ssl.SSLContext | None) -> None:
        """All clients come in, so many at once, and the news of it are over."""
        gate = asyncio.Semaphore(GATE)
        loop = asyncio.get_running_loop()

        async def one(number: int) -> Client:
            async with gate:
                _, client = await loop.create_connection(
                    lambda: Client(self, number), "127.0.0.1", self.server.port, ssl=tls
                )
                await client.enter(self.load.room)
                return client

        self.clients = await asyncio.gather(*map(one, range(self.load.clients)))
        await self.quiet()
        self.have = [0] * self.load.clients
        for client in self.clients:
            client.came = 0
            client.timed = not self.load.room or 0 <= client.number - self.load.talkers < LISTENERS
            client.checked = client.number < self.load.talkers

    async def quiet(self) -> None:
        """Return once no byte has come for a while."""
        quiet = time.perf_counter() - self.last
        if quiet < QUIET_SECONDS:
            await asyncio.sleep(QUIET_SECONDS - quiet)
            await self.quiet()

    def heard(self, client: Client, came: int) -> None:
        """A client has more messages: who waits for that may go on."""
        self.deliveries += came
        if self.load.room:
            self.have[client.number] += came
            if not self.pumping:
                self.pumping = True
                asyncio.get_running_loop().call_soon(self.pump)
        elif self.talking:
            self.go_on(self.clients[client.number ^ 1])

    def go_on(self, client: Client) -> None:
        """A pair: as many as the other one's window has room for."""
        count = self.load.window - client.sent + self.clients[client.number ^ 1].came
        if count > 0:
            client.talk(count)

    def pump(self) -> None:
        """A room: as many as it has room for, what the slowest member lacks counts; the same for each talker."""
        self.pumping = False
        free = self.load.window * self.load.talkers - (self.said - min(self.have))
        count = free // self.load.talkers
        if not self.talking or count <= 0:
            return
        for client in self.clients[: self.load.talkers]:
            self.have[client.number] += count
            client.talk(count)

    async def measure(self, seconds: float) -> dict[str, float]:
        """Warm up, measure, and wait until everything has come."""
        self.talking = True
        if self.load.room:
            self.pump()
        else:
            for client in self.clients:
                self.go_on(client)
        await self.watched(WARM_SECONDS)
        self.measuring = True
        before, said, deliveries = (
            (time.perf_counter(), cpu(self.server.pid), time.process_time()),
            self.said,
            self.deliveries,
        )
        await self.watched(seconds)
        after = time.perf_counter(), cpu(self.server.pid), time.process_time()
        wall, server, own = (b - a for a, b in zip(before, after, strict=True))
        said, deliveries = self.said - said, self.deliveries - deliveries
        self.talking = self.measuring = False
        await self.drained()
        took = sorted(self.took) or [float("nan")]
        return {
            "cpu_us_per_message": server / max(1, said) * 1e6,
            "cpu_us_per_delivery": server / max(1, deliveries) * 1e6,
            "messages_per_s": said / wall,
            "deliveries_per_s": deliveries / wall,
            "p50_ms": took[len(took) // 2] * 1e3,
            "p99_ms": took[int(len(took) * 0.99)] * 1e3,
            "server_cores": server / wall,
            "generator_cores": own / wall,
            "all_messages": float(self.said),
            "all_deliveries": float(self.deliveries),
        }

    async def watched(self, seconds: float) -> None:
        """Sleep, but not when something is broken."""
        end = time.perf_counter() + seconds
        while (left := end - time.perf_counter()) > 0:
            await asyncio.sleep(min(left, 0.25))
            if self.broken:
                raise Incomplete(self.broken)

    def owed(self) -> int:
        """Deliveries that are missing; a client that has too many is broken."""
        load, missing = self.load, 0
        for client in self.clients:
            due = self.said - client.sent if load.room else self.clients[client.number ^ 1].sent
            if client.came > due:
                raise Incomplete(f"{client.login.decode()} got {client.came} of {due} messages")
            missing += due - client.came
        return missing

    async def drained(self) -> None:
        """Return once every message has come to everybody, once."""
        self.last = time.perf_counter()
        while missing := self.owed():
            if self.broken or time.perf_counter() - self.last > STUCK_SECONDS:
                raise Incomplete(self.broken or f"{missing} deliveries of {self.said} messages never came")
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.1)  # what comes once more would come now
        self.owed()
        if self.broken:
            raise Incomplete(self.broken)

    def close(self) -> None:
        self.closed = True
        for client in self.clients:
            client.transport.abort()


async def driven(dialect: Dialect, load: Load, server: rig.Running, tls: bool, seconds: float) -> dict[str, float]:
    """Fill, measure and drain one server."""
    context = anyone() if tls else None
    if context is not None and dialect.alpn:
        context.set_alpn_protocols(list(dialect.alpn))
    run = Run(dialect, load, server)
    await run.fill(context)
    gc.collect()
    gc.disable()  # the generator makes no rings
    try:
        return await run.measure(seconds)
    finally:
        gc.enable()
        run.close()


def looped(work: Coroutine[Any, Any, dict[str, float]]) -> dict[str, float]:
    """Run on uvloop where it is installed."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run(work)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)
