"""Throw bytes at every door: ``python -m benchmarks.fuzz [--seconds 60] [native seed irc web websocket tls]``.

The real server with the real connections, over a transport in memory. Guided by coverage: by atheris where it is
installed (it keeps what it has found with --corpus DIR), else by mutation of samples, to which every input is added
that makes the server take a new step or say something new. The samples are made from the doors' own tables
(payloads.py). A fault is: an exception that the server logs, an input that takes longer than a second, memory that goes
on growing, and a byte that may not stand in the output (oracle.py), be it to the one who throws or to those who are
there: a client of each protocol. What was found and made small is in tests/attacks/corpus; ``--replay`` throws it
again.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import random
import re
import resource
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.oracle import READERS, Watch
from benchmarks.payloads import hostile
from benchmarks.steps import Step, Steps
from tcpchat.server.keepalive import look

if TYPE_CHECKING:
    from tcpchat.core.model import Append, Entry, Keep, Query, Result
    from tcpchat.server import Server
    from tcpchat.server.connection import Connection

SLOW = 1.0  # seconds for one input: none should need a hundredth of it
GROWTH = 64 * 1024  # KiB that the process may grow after its first quarter
LENGTH = 4_096  # bytes of an input that atheris makes, at most
RENEW = 2_000  # inputs after which a new server begins: what a chat remembers is bounded by its limits, not by these
TRACED = 6  # of so many inputs one is looked at for new steps in the code: that makes it ten times slower
TRACING = 20  # times slower, at most, when one is looked at
SAMPLES = 4_000  # at most, found ones included
SAMPLE = 700  # bytes of one that is made from a table, at most
TURNS = 6  # of the loop for one input: reading, the log, telling, writing
HELLO = b'{"t":"hello","login":"fuzz"}\n'
UPGRADE = (
    b"GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
# What is sent first and stays as it is, and what is mutated behind it.
DOORS: dict[str, tuple[bytes, list[bytes]]] = {
    "native": (HELLO, [
        b'{"t":"say","to":"#all","text":"hi","n":1,"tags":{"a":"b"}}\n{"t":"confirm","seq":1}\n'
        b'{"t":"read","to":"#all","seq":1}\n',
        b'{"t":"join","room":"#pond","ref":"x"}\n{"t":"mode","room":"#pond","changes":[{"name":"ban","arg":"a!*@*"}]}\n',
        b'{"t":"history","to":"@fuzz","around":3,"limit":9}\n{"t":"search","words":"\\u0430 b"}\n'
        b'{"t":"receipts","seq":1}\n',
        b'{"t":"admin","do":"ban","args":{"login":"x"}}\n{"t":"rename","to":"b"}\n'
        b'{"t":"key","do":"add","key":"ed25519:x"}\n',
        b'{"t":"edit","seq":1,"text":"x"}\n{"t":"remove","seq":1}\n{"t":"who","all":true}\n'
        b'{"t":"rooms","to":"#all"}\n{"t":"bye"}\n',
    ]),
    "seed": (b'{"TYPE":"HI","BODY":"fuzz"}', [
        b'{"TYPE":"EVERY1","BODY":"hi \\u0433"}{"TYPE":"SENDTO","BODY":["fuzz","x"]}',
        b'{"TYPE":"STATE","BODY":"BODY"}{"TYPE":"WHOAVAIL","BODY":"BODY"}'
        b'{"TYPE":"MESSACC","BODY":"fuzz"}{"TYPE":"BYE","BODY":1}',
    ]),
    "irc": (b"NICK fuzz\r\nUSER f 0 * :f\r\n", [
        b"CAP LS 302\r\nCAP REQ :message-tags batch labeled-response draft/multiline draft/chathistory\r\n"
        b"JOIN #a,#b k\r\n",
        b"@label=1;+draft/reply=x PRIVMSG #all :hi\r\nBATCH +1 draft/multiline #all\r\n"
        b"@batch=1 PRIVMSG #all :a\r\nBATCH -1\r\n",
        b"MODE #a +bklov *!*@* key 5 fuzz fuzz\r\nWHO #a %tcuhsnfdlar,7\r\nLIST >1,C<9\r\n"
        b"MONITOR + a,b\r\nTOPIC #a :x\r\n",
        b"CHATHISTORY LATEST #all * 10\r\nCHATHISTORY BETWEEN #all timestamp=2020-01-01T00:00:00.000Z msgid=1 5\r\n",
        b"METADATA * SET a :b\r\nMARKREAD #all timestamp=*\r\nREDACT #all 1 :x\r\n"
        b"SEARCH from=a;text=b\r\nPONG :1\r\nWHOWAS a\r\n",
    ]),
    "web": (b"", [
        b"GET / HTTP/1.1\r\nHost: a\r\nIf-None-Match: x\r\n\r\nHEAD /app.js HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST /all?token=x&wait=delivered HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
        b"POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nAuthorization: Bearer y\r\n\r\n"
        b"3\r\nabc\r\n0\r\n\r\n",
        b"GET /all/messages?token=x&after=1 HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 1.2.3.4\r\n\r\n",
        UPGRADE.replace(b"\r\n\r\n", b"\r\nSec-WebSocket-Protocol: text.ircv3.net\r\nOrigin: http://a\r\n\r\n"),
    ]),
    "websocket": (UPGRADE, [
        b"\x81\x9c\x00\x00\x00\x00" + HELLO[:28], b"\x89\x80\x00\x00\x00\x00\x88\x82\x00\x00\x00\x00\x03\xe8",
        b"\x01\x83\x00\x00\x00\x00abc\x80\x81\x00\x00\x00\x00d", b"\x82\xfe\x01\x00\x00\x00\x00\x00" + b"x" * 256,
    ]),
    "tls": (b"", [
        bytes.fromhex(
            "16030100880100008403030000000000000000000000000000000000000000000000000000000000000000000004130113020100"
            "0057000a000400020017000d000a000804030503060308040033004700450017004104" + "11" * 64 + "002b0003020304"
        ),
        b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00", b"\x16\x03\x03\xff\xff" + b"\x01" * 64,
        b"\x15\x03\x01\x00\x02\x02\x28", HELLO, b"\r\n@a=b :c NICK x\r\n", b'{ "TYPE":"HI","BODY":"x"}',
        b"OPTIONS * HTTP/1.1\r\n\r\n", b"PASS x\r\n", b"\r\n\r\nGE",
    ]),
}  # fmt: skip
WORDS = [b"@duck", b"#pond", b"goose", b"swan", b"\r", b"\\r\\n", b"\\u0000",
         b"\r\n", b"\n", b"\x00", b"\xff", b"{", b"}", b'"', b"[" * 99, b":", b" ", b"%00", b"\xd0", b"\\ud800",
         b"9" * 30, b"-1", b"#all", b"@fuzz", b"*", b"null", b"true", b"\x1b[2J", b"A" * 600,
         b"\xe2\x80\xae"]  # fmt: skip


# Who is there all the time, by door: what the others do must not reach them as something else.
WITNESSES: dict[str, tuple[str, bytes]] = {
    "duck": ("native", b'{"t":"hello","login":"duck"}\n{"t":"join","room":"#pond"}\n'),
    "goose": ("irc", b"NICK goose\r\nUSER g 0 * :g\r\nJOIN #pond\r\n"),
    "swan": (
        "irc",
        b"CAP REQ :message-tags batch labeled-response draft/multiline server-time account-tag echo-message\r\n"
        b"CAP REQ :away-notify setname draft/metadata-2 extended-join invite-notify draft/chathistory\r\n"
        b"NICK swan\r\nUSER s 0 * :s\r\nCAP END\r\nJOIN #pond\r\n",
    ),
    "heron": ("seed", b'{"TYPE":"HI","BODY":"heron"}'),
}
NAMES = {"seed": "original", "web": "http"}  # doors by the names that payloads.py has


def samples_of(door: str) -> list[bytes]:
    """What is mutated: written above, and of every command of the door's tables as it is meant and a few others."""
    made = hostile(NAMES.get(door, door), SAMPLE // 2) if door != "tls" else {}
    short = [[one for one in commands if len(one) <= SAMPLE] for commands in made.values()]
    return DOORS[door][1] + [one for some in short for one in (*some[:2], *some[2::7][:6])]


class MemoryLog:
    """A log in a list, so that the disk does not set the pace."""

    def __init__(self) -> None:
        self.head = 0
        self.rows: list[Entry] = []

    async def open(self) -> tuple[int, bytes | None, list[tuple[int, str, int, int]]]:
        return 0, None, []

    async def replay(self, after: int, take: Callable[[list[Entry]], None]) -> None:
        pass

    async def append(self, batch: Sequence[Append], at: int) -> list[Entry]:
        from tcpchat.core.model import Entry
        from tcpchat.log.codec import encode

        entries = [Entry(self.head + number, at, one.fact, one.origin) for number, one in enumerate(batch, 1)]
        for entry in entries:
            encode(entry.fact)  # what cannot be stored must not have been proposed
        self.rows += entries
        self.head += len(entries)
        return entries

    def keep(self, cursors: Sequence[Keep]) -> None:
        pass

    async def ask(self, query: Query) -> Result:
        from tcpchat.core.model import Result, Row

        if query.kind == "count":
            return Result(counts=dict.fromkeys(query.rooms, 1))
        wanted = [
            row
            for row in self.rows
            if (row.seq == query.seq if query.kind == "entry" else row.fact.room in query.rooms)
        ]
        return Result(tuple(Row(row.seq, row.at, row.fact) for row in wanted[-query.limit :]))

    async def snapshot(self, seq: int, state: bytes) -> None:
        pass

    async def close(self) -> None:
        pass


class Wire(asyncio.Transport):
    """A transport whose peer takes everything."""

    def __init__(self) -> None:
        super().__init__()
        self.over = False
        self.told: list[bytes] | None = None  # what the server says, where somebody wants to know
        self.watch: Watch | None = None

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return ("127.0.0.1", 1) if name in ("peername", "sockname") else default

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self.told is not None:
            self.told.append(bytes(data))
        if self.watch is not None:
            self.watch.feed(bytes(data))

    def close(self) -> None:
        self.over = True

    abort = close
    write_eof = close  # and closes as soon as it has read the end

    def is_closing(self) -> bool:
        return self.over

    def get_write_buffer_size(self) -> int:
        return 0

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def pause_reading(self) -> None:
        pass

    resume_reading = pause_reading


class Faults(logging.Handler):
    """Remembers the first error that the server logs."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.first = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.first = self.first or self.format(record)


class Bench:
    """A server and its loop; ``throw`` is one connection's life."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.loop = asyncio.new_event_loop()
        self.loop.set_exception_handler(lambda loop, context: logging.getLogger("tcpchat").error("%s", context))
        self.faults = Faults()
        logger = logging.getLogger("tcpchat")
        logger.addHandler(self.faults)
        logger.propagate = False
        self.count = 0
        self.kinds: set[str] = set()  # what the last input made the server say
        self.witnesses: dict[str, tuple[Connection, Wire]] = {}
        self.server: Server | None = None
        self.renew()

    def renew(self) -> None:
        """A server without a past."""
        from tcpchat.server import Server

        self.stop()
        self.server = Server(port=0, data=self.folder, log=MemoryLog(), syslog="off", proxies="127.0.0.0/8")
        self.loop.run_until_complete(self.server.start())
        self.witnesses = {}

    def _watched(self, door: str) -> tuple[Connection, Wire]:
        """A connection whose output is looked at."""
        from tcpchat.server.connection import Connection

        assert self.server is not None
        connection, wire = Connection(self.server), Wire()
        wire.watch = Watch(door) if door in READERS else None
        connection.connection_made(wire)
        return connection, wire

    async def _gather(self) -> None:
        """Let those come in who are not there (any more)."""
        for name, (door, first) in WITNESSES.items():
            there = self.witnesses.get(name)
            if there is None or there[1].over or there[0].closing:
                if there is not None:
                    there[0].connection_lost(None)
                self.witnesses[name] = self._watched(door)
                self.witnesses[name][0].data_received(first)
                for _ in range(TURNS):
                    await asyncio.sleep(0)

    def stop(self) -> None:
        if self.server is not None:
            self.loop.run_until_complete(self.server.stop())

    def throw(self, pieces: list[bytes], inside: bool = False, door: str = "") -> None:
        """Send these (inside TLS, after a handshake as it should be); raise for any fault, also of what is said."""
        self.count += 1
        if self.count % RENEW == 0:
            self.renew()
        begun = time.process_time()  # of this process: what the machine does besides is nobody's fault
        self.loop.run_until_complete(self._life(pieces, inside, door))
        took = time.process_time() - begun
        if self.faults.first:
            raise AssertionError(self.faults.first)
        if took > SLOW * (TRACING if sys.gettrace() is not None else 1):
            raise AssertionError(f"took {took:.1f} s")

    async def _life(self, pieces: list[bytes], inside: bool, door: str) -> None:
        await self._gather()
        connection, wire = self._watched(door)
        if inside:
            pieces = encrypted(connection, wire, pieces)
        for piece in pieces:
            if wire.over:
                break
            connection.data_received(piece)
            await asyncio.sleep(0)
        for _ in range(TURNS):
            await asyncio.sleep(0)
        if not connection.closing:
            look(connection, time.time())
            connection.eof_received()
            await asyncio.sleep(0)
        connection.connection_lost(None)
        self.kinds = set(wire.watch.kinds) if wire.watch is not None else set()
        for name, one in (("who throws", wire), *((name, there[1]) for name, there in self.witnesses.items())):
            if one.watch is not None and one.watch.fault:
                fault, one.watch.fault, one.over = one.watch.fault, "", True
                raise AssertionError(f"{name} was told by {fault}")

    def close(self) -> None:
        try:
            self.stop()
        finally:
            self.loop.close()
            logging.getLogger("tcpchat").removeHandler(self.faults)
            logging.getLogger("tcpchat").propagate = True


def encrypted(connection: Connection, wire: Wire, pieces: list[bytes]) -> list[bytes]:
    """Shake hands as a client does, and return the pieces as that client would send them."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    incoming, outgoing, wire.told = ssl.MemoryBIO(), ssl.MemoryBIO(), []
    client = context.wrap_bio(incoming, outgoing)
    while True:
        try:
            client.do_handshake()
            break
        except ssl.SSLWantReadError:
            connection.data_received(outgoing.read())
            incoming.write(b"".join(wire.told))
            wire.told.clear()
    wire.told = None
    sealed = [outgoing.read()]
    for piece in pieces:
        client.write(piece)
        sealed.append(outgoing.read())
    return sealed


def throw(bench: Bench, door: str, data: bytes) -> None:
    """One input for a door, the same way each time: some in one piece, some cut; of those for TLS some inside it."""
    whole = DOORS[door][0] + data
    chance = random.Random(len(data))
    pieces = cut(whole, chance) if len(data) % 2 else [whole]
    bench.throw(pieces, inside=door == "tls" and len(data) % 4 > 1, door=door)


def replay(door: str, corpus: Path) -> int:
    """Throw every input that is kept for a door; returns how many. Raises AssertionError, naming it, for a fault."""
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory(prefix="tcpchat-fuzz-") as folder:
        bench = Bench(Path(folder))
        try:
            kept = sorted((corpus / door).iterdir())
            for path in kept:
                try:
                    throw(bench, door, path.read_bytes())
                except AssertionError as error:
                    raise AssertionError(f"{path}: {error}") from None
            return len(kept)
        finally:
            bench.close()
            logging.disable(logging.NOTSET)


def cut(data: bytes, chance: random.Random) -> list[bytes]:
    """The bytes in pieces, as a network might bring them."""
    places = sorted(chance.randrange(len(data) + 1) for _ in range(chance.choice((0, 0, 1, 3, 20))))
    return [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True) if b > a]


def mutated(samples: list[bytes], chance: random.Random) -> bytes:
    """Samples in a row, with damage."""
    data = bytearray(b"".join(chance.choices(samples, k=chance.randint(1, 4))))
    for _ in range(chance.choice((0, 1, 2, 4, 12))):
        at = chance.randrange(len(data) + 1)
        match chance.randrange(5):
            case 0:
                data[at:at] = chance.choice(WORDS)
            case 1:
                del data[at : at + chance.choice((1, 2, 8, 40))]
            case 2:
                data[at : at + 1] = bytes([chance.randrange(256)])
            case 3:
                other = chance.choice(samples)
                start = chance.randrange(len(other))
                data[at:at] = other[start : start + chance.randrange(60)]
            case _:
                data[at:at] = data[max(0, at - chance.randrange(60)) : at] * chance.choice((1, 2, 30))
    return bytes(data)


class Guide:
    """Which inputs are worth to be mutated further: those that take the server, or what it says, where none was."""

    def __init__(self, door: str) -> None:
        self.samples = samples_of(door)
        self._said: set[str] = set()
        self._steps: set[Step] = set()

    def look(self, bench: Bench, data: bytes, throw: Callable[[], None], *, traced: bool) -> None:
        """Throw, and keep the input when it found something."""
        steps = Steps()
        if traced:
            with steps:
                throw()
        else:
            throw()
        said = {f"{kind}" for kind in bench.kinds}
        if (said - self._said or steps.taken - self._steps) and len(data) <= LENGTH and len(self.samples) < SAMPLES:
            self.samples.append(data)
        self._said |= said
        self._steps |= steps.taken


def by_mutation(door: str, seconds: float, seed: int) -> int:
    """Mutate and throw for so long; returns how many. Raises AssertionError with the input for a fault."""
    chance = random.Random(f"{door} {seed}")
    begin, guide = DOORS[door][0], Guide(door)
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory(prefix="tcpchat-fuzz-") as folder:
        bench = Bench(Path(folder))
        start, first = time.monotonic(), 0
        try:
            while (passed := time.monotonic() - start) < seconds:
                data = mutated(guide.samples, chance)
                begun = cut(begin + data, chance) if chance.random() < 0.5 else [begin + data]
                traced = bench.count % TRACED == 0
                try:
                    guide.look(bench, data, lambda pieces=begun: bench.throw(pieces, door=door), traced=traced)
                except AssertionError as error:
                    raise AssertionError(f"{door}: {begun!r}\n{error}") from None
                if not first and passed > seconds / 4:
                    first = memory()
        finally:
            bench.close()
            logging.disable(logging.NOTSET)
        if first and memory() - first > GROWTH:
            raise AssertionError(f"{door}: memory grew from {first} to {memory()} KiB")
        print(f"{door}: {len(guide.samples)} samples, {first} KiB after a quarter, {memory()} at the end", flush=True)
        return bench.count


def dictionary(samples: list[bytes]) -> list[bytes]:
    """The words that the samples are made of, and those that break things."""
    words = {word for sample in samples for word in re.findall(rb"[A-Za-z][A-Za-z0-9_/-]+", sample) if len(word) < 64}
    return sorted(words) + [word for word in WORDS if len(word) < 64]


def quoted(word: bytes) -> str:
    """As libFuzzer's dictionaries write it."""
    return "".join(f"\\x{byte:02x}" for byte in word)


def memory() -> int:
    """KiB that this process has had at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def by_coverage(door: str, seconds: float, corpus: Path) -> None:
    """Let atheris look for inputs that reach new code. Does not return: libFuzzer ends the process."""
    import atheris  # type: ignore[import-untyped, import-not-found, unused-ignore]

    with atheris.instrument_imports(include=["tcpchat", "h11", "websockets"]):
        pass
    samples = samples_of(door)
    place = corpus / door
    place.mkdir(parents=True, exist_ok=True)
    for number, sample in enumerate(samples):
        (place / f"sample{number}").write_bytes(sample)
    bench = Bench(Path(tempfile.mkdtemp(prefix="tcpchat-fuzz-")))

    words = place.with_suffix(".dict")
    words.write_text("".join(f'"{quoted(word)}"\n' for word in dictionary(samples)), encoding="ascii")
    limits = [
        f"-max_total_time={seconds:.0f}", "-rss_limit_mb=1024", "-timeout=5", f"-max_len={LENGTH}",
        f"-artifact_prefix={corpus}/fault-{door}-", f"-dict={words}", "-print_final_stats=1", "-report_slow_units=1",
    ]  # fmt: skip
    atheris.Setup([sys.argv[0], *limits, str(place)], lambda data: throw(bench, door, data))
    atheris.Fuzz()


def main() -> int:
    parser = argparse.ArgumentParser(description="Throw bytes at every door.")
    parser.add_argument("doors", nargs="*", metavar="DOOR", help=", ".join(DOORS))
    parser.add_argument("--door", action="append", default=[], metavar="DOOR", help="the same, one each time")
    parser.add_argument("--seconds", type=float, default=60.0, help="for each door (60)")
    parser.add_argument("--seed", type=int, default=1, help="of the mutation (1)")
    parser.add_argument(
        "--corpus", type=Path, default=Path("benchmarks/out/fuzz"), help="where atheris keeps its finds"
    )
    parser.add_argument("--guided", action="store_true", help="one door, by atheris, in this process")
    parser.add_argument("--replay", action="store_true", help="throw what the corpus holds, and nothing else")
    args = parser.parse_args()
    doors = args.doors + args.door or list(DOORS)
    if args.replay:
        for door in doors:
            print(f"{door}: {replay(door, args.corpus)} inputs, no fault", flush=True)
        return 0
    if args.guided:
        by_coverage(doors[0], args.seconds, args.corpus)
        return 0
    worst = 0
    for door in doors:
        if find_spec("atheris") is not None:
            command = [sys.executable, "-m", "benchmarks.fuzz", "--guided", door, "--seconds", str(args.seconds)]
            code = subprocess.run([*command, "--corpus", str(args.corpus)], env=os.environ, check=False).returncode
            print(f"{door}: {'no fault' if code == 0 else 'A FAULT, see above'}", flush=True)
            worst = max(worst, abs(code))
        else:
            print(f"{door}: {by_mutation(door, args.seconds, args.seed)} inputs, no fault", flush=True)
    return worst


if __name__ == "__main__":
    sys.exit(main())
