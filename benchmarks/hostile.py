"""A hostile guest: every command of every door, as fast as one core sends: ``python -m benchmarks.hostile``.

    python -m benchmarks.hostile [--short] [--write] [--only WORDS] [DOOR ...]

A server with the settings that everybody has. Two people talk on it all the while, from a process of their own. One
command after the other (payloads.py makes them from the doors' tables, as meant and as not) is sent from 1, 10 and 100
connections, before and behind the greeting; of several connections every second reads nothing. For each: how long a
message of the two took beside when it was quiet, what memory the server needed on top, what its folder grew by.
Loopback only; bounded in seconds and bytes. ``--write`` puts the worst of each door into docs/security.md. Exit code 0
when all stays within what is asked (WAIT, TIMES, MEMORY, and the folder's bound).
"""

from __future__ import annotations

import argparse
import os
import re
import select
import selectors
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.payloads import DOORS, PEER, greeting, hostile
from benchmarks.rig import cores, free_port, wait_for

WAIT, TIMES = 100.0, 3.0  # ms that 99 of 100 messages of the two may take, and how many times the quiet value
FLOOR = 5.0  # ms: what is below is not told apart on a machine that does other things
MEMORY = 64.0  # MiB over quiet
# What a folder may grow by: of one login a burst of text and its rate (max_text and the limits of core/rules.py), and
# every other entry is small. Written twice, to the write-ahead log and to the file, and indexed.
DISK_BURST, DISK_RATE, DISK_COPIES = 2.0, 0.2, 3.0  # MiB, MiB a second
BYTES = 64 << 20  # sent of one command at most
PULSE = 0.02  # seconds between two messages of the two
CALM = 5  # messages
STUCK = 15.0  # seconds after which a server that answers nobody counts as frozen
CONNECTIONS = (1, 10, 100)
ATTACKER = "127.0.0.2"
SAMPLE = struct.Struct("dd")
BEGIN, END = "<!-- hostile: begin -->", "<!-- hostile: end -->"
PAGE = Path(__file__).resolve().parent.parent / "docs" / "security.md"


# -- the two who talk --------------------------------------------------------------------------------------------------


def pulse(port: int, out: int) -> None:
    """Say something to a friend again and again; write when it began and how long it took. Does not return."""
    speaker, friend = (enter(port, login) for login in (PEER, "friend"))
    number = 0
    while True:
        number += 1
        word = b"pulse %d" % number
        begun = time.monotonic()
        told(speaker, friend, word)
        friend.sendall(b'{"t":"pong"}\n')  # a sign of life: who only listens is taken for dead
        os.write(out, SAMPLE.pack(begun, time.monotonic() - begun))
        time.sleep(PULSE)


def enter(port: int, login: str) -> socket.socket:
    """Come in and be welcomed."""
    sock = socket.create_connection(("127.0.0.1", port))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.sendall(b'{"t":"hello","login":"%s","after":-1}\n' % login.encode())
    heard = b""
    while b'"welcome"' not in heard:
        heard += sock.recv(65_536)
    return sock


def told(speaker: socket.socket, friend: socket.socket, word: bytes) -> None:
    """Say a word, again when it is refused, until the friend has it."""
    line = b'{"t":"say","to":"@friend","text":"%s"}\n' % word
    speaker.sendall(line)
    heard = {speaker: b"", friend: b""}
    while word not in heard[friend]:
        for sock in select.select(list(heard), [], [])[0]:
            data = sock.recv(1 << 18)
            if not data:
                os._exit(1)
            heard[sock] = heard[sock][-200:] + data
        if b'"refused"' in heard[speaker]:
            print("the two were told", heard[speaker][-200:], file=sys.stderr, flush=True)
            heard[speaker] = b""
            time.sleep(PULSE * 5)
            speaker.sendall(line)


class Pulse:
    """The two, in a process of their own."""

    def __init__(self, port: int) -> None:
        self._read, write = os.pipe()
        os.set_blocking(self._read, False)
        self._rest = b""
        self.samples: list[tuple[float, float]] = []
        self.pid = os.fork()
        if self.pid == 0:
            try:
                pulse(port, write)
            finally:
                os._exit(1)
        os.close(write)

    def read(self) -> None:
        try:
            while data := os.read(self._read, 65_536):
                self._rest += data
        except BlockingIOError:
            pass
        whole = len(self._rest) // SAMPLE.size * SAMPLE.size
        self.samples += SAMPLE.iter_unpack(self._rest[:whole])
        self._rest = self._rest[whole:]

    def until(self, moment: float) -> bool:
        """Wait for a message that began after this moment; False when none gets through."""
        end = time.monotonic() + STUCK
        while time.monotonic() < end:
            self.read()
            if self.samples and self.samples[-1][0] > moment:
                return True
            time.sleep(0.02)
        return False

    def calm(self) -> None:
        """Wait until the last messages were quick: what came before has been worked off."""
        end = time.monotonic() + STUCK
        while time.monotonic() < end and not (
            self.until(time.monotonic()) and all(took * 1e3 < WAIT / 2 for _, took in self.samples[-CALM:])
        ):
            pass

    def between(self, begun: float, ended: float) -> list[float]:
        """Milliseconds of the messages that were on their way then."""
        return sorted(took * 1e3 for at, took in self.samples if at + took > begun and at < ended)

    def close(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self._read)


def share(values: list[float], part: float) -> float:
    """The value that this part of the values does not exceed."""
    return values[min(int(len(values) * part), len(values) - 1)] if values else 0.0


# -- the server --------------------------------------------------------------------------------------------------------


@dataclass
class Bench:
    """A server and the two who talk on it."""

    pid: int
    port: int
    folder: Path
    pulse: Pulse

    def memory(self, field: str) -> float:
        """MiB of the server: VmRSS now, VmHWM at most since ``forget``."""
        found = re.search(rf"{field}:\s+(\d+)", Path(f"/proc/{self.pid}/status").read_text())
        return int(found[1]) / 1024 if found else 0.0

    def forget(self) -> None:
        """Count the most memory from now on."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def disk(self) -> float:
        """MiB of the data folder."""
        return sum(path.stat().st_size for path in self.folder.iterdir() if not path.name.endswith("-shm")) / 2**20


@contextmanager
def bench() -> Iterator[Bench]:
    """A server as shipped, on a core of its own."""
    with tempfile.TemporaryDirectory(prefix="tcpchat-hostile-") as place:
        folder, port = Path(place) / "data", free_port()
        folder.mkdir()
        command = [
            *cores()[0],
            sys.executable,
            "-m",
            "tcpchat.cli.serve",
            "127.0.0.1",
            str(port),
            "--data",
            str(folder),
        ]
        environment = {**os.environ, "TCPCHAT_CONFIG": os.devnull, "TCPCHAT_HOME": place}
        with open(Path(place) / "out", "wb") as out:
            process = subprocess.Popen(command, stdout=out, stderr=out, env=environment)
        try:
            wait_for(port, process)
            two = Pulse(port)
            try:
                yield Bench(process.pid, port, folder, two)
            finally:
                two.close()
        finally:
            process.kill()
            process.wait()


# -- the guest ---------------------------------------------------------------------------------------------------------


class Hand:
    """One connection of the hostile guest: the greeting, then the same bytes round and round."""

    def __init__(self, port: int, first: bytes, load: bytes, *, deaf: bool) -> None:
        self.deaf, self.load, self.at = deaf, load, 0
        self.sock = socket.socket()
        self.sock.setblocking(False)
        self.sock.bind((ATTACKER, 0))
        self.sock.connect_ex(("127.0.0.1", port))
        self.first = first
        self.sent = 0

    def move(self, can: int) -> bool:
        """Read and write what can be; False when the connection is over."""
        try:
            if can & selectors.EVENT_READ and not self.deaf and not self.sock.recv(1 << 18):
                return False
            if can & selectors.EVENT_WRITE:
                if self.first:
                    self.first = self.first[self.sock.send(self.first) :]
                else:
                    done = self.sock.send(self.load[self.at : self.at + (1 << 17)])
                    self.at = (self.at + done) % len(self.load)
                    self.sent += done
        except BlockingIOError:
            pass
        except OSError:
            return False
        return True


def attack(port: int, door: str, load: bytes, count: int, seconds: float, *, early: bool) -> None:
    """Send from so many connections, for so long; who is hung up comes again."""
    end = time.monotonic() + seconds
    names = 0
    sent = 0
    with selectors.DefaultSelector() as selector:

        def come(number: int) -> None:
            nonlocal names
            names += 1
            first = b"" if early else greeting(door, f"hostile{number}n{names % 200}")
            hand = Hand(port, first, load, deaf=count > 1 and number % 2 == 1)
            events = selectors.EVENT_WRITE if hand.deaf else selectors.EVENT_READ | selectors.EVENT_WRITE
            selector.register(hand.sock, events, (hand, number))

        for number in range(count):
            come(number)
        while time.monotonic() < end and sent < BYTES:
            for key, can in selector.select(0.05):
                hand, number = key.data
                before = hand.sent
                if not hand.move(can):
                    selector.unregister(hand.sock)
                    hand.sock.close()
                    come(number)
                sent += hand.sent - before
        while time.monotonic() < end:
            time.sleep(0.01)
        for key in list(selector.get_map().values()):
            key.data[0].sock.close()


def attacked(port: int, door: str, commands: list[bytes], count: int, seconds: float, *, early: bool) -> None:
    """In a process of its own that gives way to the two: it is the server that is measured."""
    meant, odd = commands[0], commands[1:]
    load = b"".join(part for one in odd or [meant] for part in (meant * 4, one))[: 32 << 20]
    child = os.fork()
    if child == 0:
        try:
            os.nice(10)
            attack(port, door, load, count, seconds, early=early)
        finally:
            os._exit(0)
    os.waitpid(child, 0)


# -- figures -----------------------------------------------------------------------------------------------------------


@dataclass
class Figure:
    """What one command from so many connections cost."""

    door: str
    name: str
    count: int
    early: bool
    quiet: float  # ms, 99 of 100
    half: float
    most: float  # ms, 99 of 100
    memory: float  # MiB over quiet
    disk: float  # MiB
    seconds: float

    @property
    def allowed(self) -> float:
        return DISK_COPIES * (DISK_BURST + DISK_RATE * self.seconds) * self.count

    @property
    def faults(self) -> list[str]:
        found = []
        if self.most > min(WAIT, max(TIMES * self.quiet, FLOOR)):
            found.append(f"{self.most:.0f} ms")
        if self.memory > MEMORY:
            found.append(f"{self.memory:.0f} MiB")
        if self.disk > self.allowed:
            found.append(f"{self.disk:.1f} MiB on disk")
        return found

    def text(self) -> str:
        what = f"{self.door} {self.name}{' (before the greeting)' if self.early else ''}"
        numbers = (self.quiet, self.half, self.most, self.memory, self.disk)
        return (
            f"{what[:52]:<52}{self.count:>5}" + "".join(f"{one:>9.1f}" for one in numbers) + "  !" * bool(self.faults)
        )


HEAD = f"{'command':<52}{'from':>5}{'quiet99':>9}{'ms50':>9}{'ms99':>9}{'MiB':>9}{'disk':>9}"


class Frozen(Exception):
    """The server answers nobody any more."""


def measure(on: Bench, door: str, name: str, commands: list[bytes], count: int, seconds: float, early: bool) -> Figure:
    """One command from so many connections."""
    on.pulse.calm()
    begun = time.monotonic()
    time.sleep(max(0.3, seconds / 3))
    on.pulse.until(time.monotonic())
    quiet = on.pulse.between(begun, time.monotonic())
    memory, disk = on.memory("VmRSS"), on.disk()
    on.forget()
    begun = time.monotonic()
    attacked(on.port, door, commands, count, seconds, early=early)
    ended = time.monotonic()
    alive = on.pulse.until(ended)
    during = on.pulse.between(begun, ended) if alive else [STUCK * 1e3]
    figure = Figure(
        door, name, count, early, share(quiet, 0.99), share(during, 0.5), share(during, 0.99),
        on.memory("VmHWM") - memory, on.disk() - disk, seconds,
    )  # fmt: skip
    if not alive:
        print(figure.text() + " frozen", flush=True)
        raise Frozen(figure)
    return figure


def plan(doors: list[str], only: str, counts: tuple[int, ...]) -> list[tuple[str, str, list[bytes], int, bool]]:
    """What is to be measured, in order."""
    return [
        (door, name, commands, count, early)
        for door in doors
        for name, commands in hostile(door).items()
        if only in f"{door} {name}"
        for count in counts
        for early in ((False,) if door in ("http", "websocket") else (False, True))
    ]


def run(todo: list[tuple[str, str, list[bytes], int, bool]], seconds: float) -> list[Figure]:
    """All of it; a server that has grown or is frozen is replaced."""
    figures: list[Figure] = []
    rest = iter(todo)
    at = next(rest, None)
    while at is not None:
        with bench() as on:
            first = on.memory("VmRSS")
            while at is not None and on.memory("VmRSS") < first + MEMORY:
                door, name, commands, count, early = at
                at = next(rest, None)
                try:
                    figures.append(measure(on, door, name, commands, count, seconds, early))
                except Frozen as frozen:
                    figures.append(frozen.args[0])
                    break
                print(figures[-1].text(), flush=True)
    return figures


def summary(figures: list[Figure]) -> str:
    """The worst of each door, as Markdown."""
    lines = [
        "| door | from | commands | quiet, 99 of 100 | under attack, 99 of 100 | memory | disk | over what is asked |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for door, count in dict.fromkeys((one.door, one.count) for one in figures):
        some = [one for one in figures if (one.door, one.count) == (door, count)]
        slow, big, full = (max(some, key=lambda one: getattr(one, what)) for what in ("most", "memory", "disk"))
        lines.append(
            f"| {door} | {count} | {len(some)} | {share(sorted(one.quiet for one in some), 0.5):.1f} ms"
            f" | {share(sorted(one.most for one in some), 0.5):.1f} ms; worst {slow.most:.0f} ms (`{slow.name}`)"
            f" | {big.memory:.0f} MiB (`{big.name}`) | {full.disk:.1f} MiB (`{full.name}`)"
            f" | {sum(bool(one.faults) for one in some)} |"
        )
    return "\n".join(lines)


def rendered(page: str, table: str) -> str:
    """The page with this table between its markers."""
    head, _, rest = page.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}\n{table}\n{END}{tail}"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hostile", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("doors", nargs="*", metavar="DOOR", help=", ".join(DOORS))
    parser.add_argument("--seconds", type=float, default=2.0, help="of each command from so many connections [2]")
    parser.add_argument("--short", action="store_true", help="every command for a moment, from ten connections")
    parser.add_argument("--only", default="", metavar="WORDS", help="commands that have these words in their name")
    parser.add_argument("--write", action="store_true", help="put the table into docs/security.md")
    args = parser.parse_args()
    counts = (10,) if args.short else CONNECTIONS
    print(HEAD, flush=True)
    todo = plan(args.doors or list(DOORS), args.only, counts)
    figures = run(todo, 0.3 if args.short else args.seconds)
    over = [one for one in figures if one.faults]
    print("\n" + summary(figures) + "\n")
    for one in over:
        print(one.text(), "over:", ", ".join(one.faults))
    print(f"{len(figures)} attacks, {len(over)} over what is asked")
    if args.write:
        PAGE.write_text(rendered(PAGE.read_text(encoding="utf-8"), summary(figures)), encoding="utf-8")
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
