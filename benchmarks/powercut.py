"""Cut the power, and kill the server, on a disk that fails and lies: ``python -m benchmarks.powercut``.

    python -m benchmarks.powercut [--disks 600] [--kills 200] [--seed N] [--short]

A real server runs on a disk whose syncs and writes fail now and then (load/lyingdisk.c); clients say numbered things,
take back some of what is refused, read, and come back. Then the disk is built again as a power cut at many moments may
have left it (lyingdisk.py says what can be), and copied at each ``kill -9``. Each of these disks is started by a real
server and compared with what had been told by that moment: what was accepted, or heard by anybody, is there once, in
its place and in its sender's order; what was refused is not; the numbers go on; what was told to be read is read.
Exit code 0 when all of that holds, on every disk.
"""

from __future__ import annotations

import argparse
import asyncio
import copy
import errno
import itertools
import json
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.crash import free_port
from benchmarks.lyingdisk import FOREVER, HEAD, UNBELIEVED, Control, Disk, Record, compiled, compiler, records

LOGINS = ("duck", "goose", "swan", "heron")
WINDOW = 24  # messages a client leaves unanswered at once
PAUSE = 0.006  # mean seconds between two messages of a client
BROADCASTS = 0.7  # share of messages to #all; the others go to one person
CANCELS = 0.5  # share of the refused messages that their author takes back
LIVES = 10  # kills of one folder, before the next one begins: what is to be compared stays small
DISKS = 30  # that are built again from one folder's record
SHORT = (8, 3)  # disks and kills
START_SECONDS = 20.0
ANSWER_SECONDS = 20.0
AT_ONCE = 2  # disks that are looked at at the same time
LINE_MAX = 1 << 24
SETTINGS = {
    # Limits lifted that would slow the clients down on purpose.
    "TCPCHAT_CONFIG": os.devnull,
    "TCPCHAT_MESSAGES_PER_SECOND": "0",
    "TCPCHAT_MESSAGE_BURST": "10000000",
    "TCPCHAT_COMMANDS_PER_SECOND": "0",
    "TCPCHAT_PLAIN_ONLY": "true",  # so that the shim can read what is told
    "TCPCHAT_SYSLOG": "off",
    "TCPCHAT_SNAPSHOT_ENTRIES": "300",  # a start reads a snapshot and what is behind it
    "TCPCHAT_SNAPSHOT_SECONDS": "0.5",
}
FAULTS = ("lost", "doubled", "out of order", "refused and there", "number gone on", "read and unread", "no start")


# -- what was told -----------------------------------------------------------------------------------------------------


@dataclass
class Said:
    """A message as the server was asked to take it, once or, under the same number, again."""

    n: int
    text: str
    accepted: bool = False
    refused: bool = False
    seq: int = 0


@dataclass
class Told:
    """Everything that the server has told, and been asked, up to a moment of the record."""

    says: dict[str, list[Said]] = field(default_factory=dict)  # by login, in the order asked
    heard: dict[str, int] = field(default_factory=dict)  # text -> place, as told to anybody
    reads: dict[tuple[str, str], int] = field(default_factory=dict)  # (login, conversation) -> seq told to be read
    faults: list[str] = field(default_factory=list)  # that show without any power cut

    def latest(self, login: str, n: int) -> Said | None:
        return next((said for said in reversed(self.says.get(login, ())) if said.n == n), None)


class Listener:
    """Follows the record: bytes of connections -> what was asked and told."""

    def __init__(self) -> None:
        self.told = Told()
        self._lines: dict[tuple[int, int, str], bytes] = {}
        self._who: dict[tuple[int, int], str] = {}
        self._reads: dict[tuple[int, int, object], tuple[str, int]] = {}

    def take(self, record: Record) -> None:
        """One record further."""
        connection = (record.pid, record.number)
        if record.op == "c":
            self._who.pop(connection, None)
            for op in "ht":
                self._lines.pop((*connection, op), None)
        elif record.op in "ht":
            *lines, rest = (self._lines.get((*connection, record.op), b"") + record.data).split(b"\n")
            self._lines[*connection, record.op] = rest
            for line in lines:
                self._event(connection, json.loads(line))

    def _event(self, connection: tuple[int, int], event: dict[str, Any]) -> None:
        kind = event["t"]
        if kind == "hello":
            self._who[connection] = event["login"]
        login = self._who.get(connection, "")
        handler = getattr(self, f"_{kind}", None)
        if login and handler is not None:
            handler(connection, login, event)

    def _say(self, _: object, login: str, event: dict[str, Any]) -> None:
        last = self.told.latest(login, event["n"])
        if last is None or last.refused or last.text != event["text"]:
            self.told.says.setdefault(login, []).append(Said(event["n"], event["text"]))

    def _accepted(self, _: object, login: str, event: dict[str, Any]) -> None:
        said = self.told.latest(login, event["n"])
        if said is not None:
            self._took(login, said, event["seq"])

    def _took(self, login: str, said: Said, seq: int) -> None:
        if said.accepted and said.seq and seq and said.seq != seq:
            self.told.faults.append(f"doubled: {said.text!r} accepted at {said.seq}, then at {seq}")
        said.accepted, said.seq = True, seq or said.seq

    def _refused(self, _: object, login: str, event: dict[str, Any]) -> None:
        said = self.told.latest(login, event["n"]) if event.get("n") else None
        if said is not None and not said.accepted:
            said.refused = True

    def _welcome(self, _: object, login: str, event: dict[str, Any]) -> None:
        last, recent = event.get("last", 0), event.get("recent", [])
        for said in self.told.says.get(login, ()):
            if said.refused:
                continue
            if said.n <= last:
                place = said.n - last - 1
                self._took(login, said, recent[place] if -place <= len(recent) else 0)
            elif said.accepted:
                self.told.faults.append(
                    f"lost: {login} was told that {said.n} is accepted, then that {last} is the last"
                )
            else:
                said.refused = True  # the number is free: "the last number accepted"

    def _message(self, _: object, login: str, event: dict[str, Any]) -> None:
        before = self.told.heard.setdefault(event["text"], event["seq"])
        if before != event["seq"]:
            self.told.faults.append(f"doubled: {event['text']!r} was told at {before} and at {event['seq']}")

    def _read(self, connection: tuple[int, int], login: str, event: dict[str, Any]) -> None:
        self._reads[*connection, event["ref"]] = (event["to"], event["seq"])

    def _done(self, connection: tuple[int, int], login: str, event: dict[str, Any]) -> None:
        asked = self._reads.pop((*connection, event["ref"]), None)
        if asked is not None:
            key = (login, asked[0])
            self.told.reads[key] = max(self.told.reads.get(key, 0), asked[1])


# -- clients -----------------------------------------------------------------------------------------------------------


class Client:
    """One chatty guest: numbers what it says as docs/protocol.md asks, takes some of it back, reads, comes back."""

    def __init__(self, login: str, port: int, chance: random.Random) -> None:
        self.login, self.port, self.chance = login, port, chance
        self.queue: deque[tuple[str, str]] = deque()  # (to, text) to be said
        self.flight: deque[tuple[int, str, str]] = deque()  # (n, to, text) asked, not answered
        self.back: list[tuple[int, str, str]] = []  # refused
        self.next = 1
        self.count = self.seen = self.refs = 0
        self.online = asyncio.Event()
        self.answers = 0
        self._writer: asyncio.StreamWriter | None = None

    async def live(self) -> None:
        """Connect, and connect again, until cancelled."""
        while True:
            try:
                reader, self._writer = await asyncio.open_connection("127.0.0.1", self.port, limit=LINE_MAX)
                self._send(t="hello", login=self.login, device=f"device of {self.login}")
                while line := await reader.readline():
                    self._heard(json.loads(line))
            except (OSError, ValueError):  # gone, or cut in the middle of a line
                pass
            finally:
                self.online.clear()
                if self._writer is not None:
                    self._writer.close()
                    self._writer = None
            await asyncio.sleep(0.01)

    async def talk(self) -> None:
        """Say things at random, and read now and then, until cancelled."""
        while True:
            await asyncio.sleep(self.chance.expovariate(1 / PAUSE))
            if len(self.queue) + len(self.flight) < WINDOW:
                self.count += 1
                alone = self.chance.random() > BROADCASTS
                to = "@" + self.chance.choice([one for one in LOGINS if one != self.login]) if alone else "#all"
                self.queue.append((to, f"{self.login} {self.count} " + "x" * self.chance.choice((0, 40, 400, 3_000))))
            self._push()
            if self.online.is_set() and self.seen and self.chance.random() < 0.1:
                self.refs += 1
                self._send(t="read", to="#all", seq=self.seen, ref=self.refs)

    def _push(self) -> None:
        while self.online.is_set() and self.queue and not self.back and len(self.flight) < WINDOW:
            to, text = self.queue.popleft()
            self.flight.append((self.next, to, text))
            self._send(t="say", n=self.next, to=to, text=text)
            self.next += 1

    def _send(self, **command: Any) -> None:
        if self._writer is not None:
            self._writer.write(json.dumps(command).encode() + b"\n")

    def _heard(self, event: dict[str, Any]) -> None:
        match event["t"]:
            case "welcome":
                self._welcome(event.get("last", 0))
            case "accepted":
                self.answers += 1
                while self.flight and self.flight[0][0] <= event["n"]:
                    self.flight.popleft()
                self._go_on()
            case "refused" if event.get("n"):
                self._refused(event["n"], event["code"])
            case "message":
                if event["to"] == "#all":
                    self.seen = max(self.seen, event["seq"])
                self._send(t="confirm", seq=event["seq"])
            case "ping":
                self._send(t="pong", token=event.get("token", ""))

    def _welcome(self, last: int) -> None:
        again = [one for one in (*self.back, *self.flight) if one[0] > last]
        self.back, self.next = [], last + 1
        self.flight.clear()
        self.queue.extendleft((to, text) for _, to, text in sorted(again, reverse=True))
        self.online.set()
        self._push()

    def _refused(self, n: int, code: str) -> None:
        for one in [one for one in self.flight if one[0] == n]:
            self.flight.remove(one)
            taken_back = code == "unavailable" and self.chance.random() < CANCELS
            self.back.append((n, "", "") if taken_back else one)
        self._go_on()

    def _go_on(self) -> None:
        """When all is answered, the numbers refused are given to what is to be said next."""
        if self.back and not self.flight:
            self.back.sort()
            self.next = self.back[0][0]
            self.queue.extendleft((to, text) for _, to, text in reversed(self.back) if text)
            self.back = []
            asyncio.get_running_loop().call_later(0.01, self._push)


# -- a server's life ---------------------------------------------------------------------------------------------------


async def served(folder: Path, port: int, extra: dict[str, str]) -> tuple[asyncio.subprocess.Process, int]:
    """A server process that listens, and its port. Raises RuntimeError when it does not start."""
    command = [sys.executable, "-m", "tcpchat.cli.serve", "127.0.0.1", str(port), "--data", str(folder)]
    environment = {**os.environ, **SETTINGS, "TCPCHAT_HOME": str(folder.parent / "home"), **extra}
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, env=environment
    )
    assert process.stdout is not None
    shown = b""
    try:
        async with asyncio.timeout(START_SECONDS):
            while line := await process.stdout.readline():
                shown += line
                if found := re.search(rb"on port (\d+)", line):
                    return process, int(found[1])
    except TimeoutError:
        pass
    await ended(process)
    raise RuntimeError(shown.decode(errors="replace")[-2_000:] or "nothing was said")


async def ended(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        with suppress(ProcessLookupError):  # it has ended, and asyncio has not said so yet
            os.kill(process.pid, signal.SIGKILL)  # Popen's own way would take its exit code from asyncio
    assert process.stdout is not None
    await process.stdout.read()
    await process.wait()


@dataclass
class Life:
    """What one folder went through."""

    place: Path
    kills: list[int] = field(default_factory=list)  # length of the record at each
    stops: int = 0  # times that the server ended by itself
    failed: int = 0  # syncs and writes that failed
    accepted: int = 0

    @property
    def data(self) -> Path:
        return self.place / "data"

    @property
    def record(self) -> Path:
        return self.place / "record"

    def copy(self, number: int) -> Path:
        return self.place / f"killed{number}"


async def live(life: Life, kills: int, chance: random.Random) -> None:
    """Run a server on the disk that lies, under load, and kill it so many times."""
    life.data.mkdir()
    control = Control(life.place / "control")
    shim = {
        "LD_PRELOAD": str(compiled()), "LYING_ROOT": str(life.data), "LYING_RECORD": str(life.record),
        "LYING_CONTROL": str(life.place / "control"),
    }  # fmt: skip
    port = free_port()
    clients = [Client(login, port, random.Random(f"{chance.random()} {login}")) for login in LOGINS]
    tasks = [asyncio.ensure_future(work) for client in clients for work in (client.live(), client.talk())]
    try:
        for number in range(kills):
            await one_round(life, number, control, shim, clients, chance)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        life.failed = control.failed(control.SYNCS) + control.failed(control.WRITES)
        life.accepted = sum(client.answers for client in clients)
        control.close()


async def one_round(
    life: Life, number: int, control: Control, shim: dict[str, str], clients: list[Client], chance: random.Random
) -> None:
    """Start, let the disk fail now and then, kill; keep a copy of the folder as the kill left it."""
    if chance.random() < 0.2:
        break_something(control, chance)  # a start on a disk that fails
    process = await restarted(life, control, shim, clients[0].port)
    end = time.monotonic() + chance.uniform(0.3, 1.6)
    while (left := end - time.monotonic()) > 0:
        await asyncio.sleep(min(left, chance.uniform(0.02, 0.3)))
        if process.returncode is not None:  # it may end itself rather than go on
            life.stops += 1
            await ended(process)
            process = await restarted(life, control, shim, clients[0].port)
        if chance.random() < 0.4:
            control.heal()
        elif time.monotonic() < end - 0.02 or chance.random() < 0.5:
            break_something(control, chance)
    await ended(process)
    life.kills.append(life.record.stat().st_size)
    shutil.copytree(life.data, life.copy(number), ignore=shutil.ignore_patterns("*" + UNBELIEVED))


async def restarted(life: Life, control: Control, shim: dict[str, str], port: int) -> asyncio.subprocess.Process:
    """A server on the folder, if need be after the disk has been mended."""
    try:
        return (await served(life.data, port, shim))[0]
    except RuntimeError:
        life.stops += 1
        control.heal()
        return (await served(life.data, port, shim))[0]


def break_something(control: Control, chance: random.Random) -> None:
    """Once, some times, or until it is healed; syncs mostly, writes sometimes."""
    what = chance.choice((control.SYNCS, control.SYNCS, control.SYNCS, control.WRITES))
    times = chance.choice((1, 1, 1, 2, 5, FOREVER))
    control.fail(what, times, chance.choice((errno.EIO, errno.ENOSPC)), after=chance.choice((0, 0, 1, 2, 7)))


# -- the judge ---------------------------------------------------------------------------------------------------------


class Asker:
    """A plain client: one command, one answer."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.refs = 0

    def send(self, **command: Any) -> None:
        self.writer.write(json.dumps(command).encode() + b"\n")

    async def until(self, *kinds: str) -> dict[str, Any]:
        while True:
            line = await asyncio.wait_for(self.reader.readline(), ANSWER_SECONDS)
            if not line:
                raise RuntimeError("the server hung up")
            event: dict[str, Any] = json.loads(line)
            if event["t"] in kinds:
                return event
            if event["t"] == "refused":
                raise RuntimeError(line.decode())

    async def history(self, to: str) -> list[dict[str, Any]]:
        """All messages of a conversation, oldest first."""
        found: list[dict[str, Any]] = []
        while True:
            before = {"before": found[0]["seq"]} if found else {}
            self.send(t="history", to=to, limit=500, ref=1, **before)
            page = await self.until("page")
            found[:0] = page["messages"]
            if not page.get("more") or not page["messages"]:
                return found


@asynccontextmanager
async def entered(port: int, login: str) -> AsyncIterator[tuple[Asker, dict[str, Any], dict[str, Any]]]:
    """A client that comes back: it, its welcome, its room of everybody."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=LINE_MAX)
    asker = Asker(reader, writer)
    try:
        asker.send(t="hello", login=login, device=f"device of {login}", after=-1)
        welcome = await asker.until("welcome")
        rooms = (await asker.until("roomlist"))["rooms"]
        yield asker, welcome, next((room for room in rooms if room["to"] == "#all"), {})
    finally:
        writer.close()


async def judged(folder: Path, told: Told) -> list[str]:
    """Start a real server on a disk and compare: the faults found."""
    try:
        process, port = await served(folder, 0, {})
    except RuntimeError as error:
        return [f"no start: {error}"]
    try:
        faults: list[str] = []
        there: dict[int, dict[str, Any]] = {}
        for login in told.says:
            faults += await continued(port, login, told, there)
        return faults + compared(told, there)
    except (RuntimeError, OSError, TimeoutError) as error:
        return [f"no start: it ended: {error!r}"]
    finally:
        await ended(process)


async def continued(port: int, login: str, told: Told, there: dict[int, dict[str, Any]]) -> list[str]:
    """Come back as this client does and send what is in doubt; what is there goes into ``there``, by seq."""
    async with entered(port, login) as (asker, welcome, everybody):
        last, recent = welcome.get("last", 0), welcome.get("recent", [])
        faults = numbered(login, told, last)
        read = told.reads.get((login, "#all"), 0)
        if everybody.get("read", 0) < read:
            faults.append(
                f"read and unread: {login} was told that #all is read up to {read}: {everybody.get('read', 0)}"
            )
        for to in ("#all", *(f"@{other}" for other in LOGINS if other != login and other in told.says)):
            there.update((message["seq"], message) for message in await asker.history(to))
        for n, seq in zip(range(last, 0, -1), reversed(recent), strict=False):
            said = told.latest(login, n)
            if said is not None and there.get(seq, {}).get("text") != said.text:
                what = there.get(seq, {}).get("text", "nothing")
                faults.append(f"number gone on: {n} of {login} was {said.text[:30]!r}, {seq} has {what[:30]!r}")
        await resend(asker, login, told, last, there)
        return faults


def numbered(login: str, told: Told, last: int) -> list[str]:
    """Does the server remember the numbers that it has told, and no others?"""
    accepted = max((said.n for said in told.says[login] if said.accepted), default=0)
    asked = max((said.n for said in told.says[login] if not said.refused), default=0)
    faults = []
    if last < accepted:
        faults.append(f"lost: {login} was told that {accepted} is accepted, the last is {last}")
    if last > max(asked, accepted):
        faults.append(f"number gone on: the last of {login} is {last}, no more than {asked} can be")
    return faults


async def resend(asker: Asker, login: str, told: Told, last: int, there: dict[int, dict[str, Any]]) -> None:
    """Say again what has no answer, under its number: it is there once afterwards."""
    doubt = {said.n: said for said in told.says[login] if not said.accepted and not said.refused}
    for n, said in sorted(doubt.items()):
        if n > last + 1:
            break
        asker.send(t="say", n=n, to="#all", text=said.text)
        answer = await asker.until("accepted")
        last = max(last, n)
        there.setdefault(answer["seq"], {"seq": answer["seq"], "by": login, "text": said.text})


def compared(told: Told, there: dict[int, dict[str, Any]]) -> list[str]:
    """Everything that was told, beside everything that is there."""
    places: dict[str, list[int]] = {}
    for seq, message in sorted(there.items()):
        places.setdefault(message["text"], []).append(seq)
    faults = [f"doubled: {text[:30]!r} at {found}" for text, found in places.items() if len(found) > 1]
    for login, says in told.says.items():
        for text in dict.fromkeys(said.text for said in says):
            faults += matched([said for said in says if said.text == text], places.get(text, []), login)
        faults += ordered(login, there.values())
    for text, seq in told.heard.items():
        if places.get(text, [0])[0] != seq:
            faults.append(f"lost: {text[:30]!r} was heard at {seq}, is at {places.get(text)}")
    return faults


def matched(says: list[Said], found: list[int], login: str) -> list[str]:
    """One text, asked once or more."""
    text = says[0].text[:30]
    taken = [said for said in says if said.accepted]
    if taken and not found:
        return [f"lost: {login} was told that {text!r} is accepted at {taken[0].seq}"]
    if taken and taken[0].seq and found[0] != taken[0].seq:
        return [f"lost: {text!r} was accepted at {taken[0].seq}, is at {found[0]}"]
    if found and all(said.refused for said in says):
        return [f"refused and there: {text!r} at {found[0]}"]
    return []


def ordered(login: str, messages: Iterable[dict[str, Any]]) -> list[str]:
    """Are the messages of one author in its order? (One that is refused and said again may go behind later ones.)"""
    numbers = [
        int(one["text"].split(" ")[1])
        for one in sorted(messages, key=lambda one: int(one["seq"]))
        if one["by"] == login
    ]
    wrong = next(((a, b) for a, b in itertools.pairwise(numbers) if b < a), None)
    return [f"out of order: {wrong[1]} of {login} behind {wrong[0]}"] if wrong else []


# -- the runs ----------------------------------------------------------------------------------------------------------


class Report:
    """What was found on all disks."""

    def __init__(self) -> None:
        self.lives: list[Life] = []
        self.disks = self.kills = self.accepted = self.bad_disks = 0
        self.faults: Counter[str] = Counter()

    def add(self, what: str, faults: list[str]) -> None:
        self.bad_disks += bool(faults)
        self.faults.update(fault.partition(":")[0] for fault in faults)
        for fault in faults[:3]:
            print(f"{what}: {fault}", flush=True)

    def text(self) -> str:
        rows = [
            ("disks after a power cut", self.disks), ("disks after a kill -9", self.kills),
            ("syncs and writes that failed", sum(life.failed for life in self.lives)),
            ("times the server ended itself", sum(life.stops for life in self.lives)),
            ("messages accepted", self.accepted), ("disks with a fault", self.bad_disks),
            *((name, self.faults[name]) for name in FAULTS),
        ]  # fmt: skip
        return "\n".join(f"{name:<36}{value:>12}" for name, value in rows)

    @property
    def clean(self) -> bool:
        return not self.bad_disks and self.accepted > 0 and sum(life.failed for life in self.lives) > 0


def moments(whole: list[Record], count: int, chance: random.Random) -> list[int]:
    """Where the power is cut: anywhere, and half of them just when something was told after something failed."""
    begun = next((at for at, one in enumerate(whole) if one.op == "t"), 0)
    broken = next((at for at, one in enumerate(whole) if one.op == "e" or (one.op == "S" and one.offset)), begun)
    telling = [at for at, one in enumerate(whole) if at > broken and one.op == "t" and b'"accepted"' in one.data]
    cuts = [
        chance.choice(telling) if telling and chance.random() < 0.5 else chance.randrange(begun, len(whole))
        for _ in range(count)
    ]
    return sorted(cuts)


async def cut(life: Life, count: int, chance: random.Random, report: Report) -> None:
    """Build disks from a life's record, and look at each, and at the copies that its kills left."""
    whole = list(records(life.record))
    cuts = moments(whole, count, chance)
    ends = [kill_at(whole, size) for size in life.kills]
    listener, disk, looking = Listener(), Disk(life.data), Looking(report)
    for at, record in enumerate(whole, 1):
        listener.take(record)
        disk.take(record)
        while cuts and cuts[0] + 1 == at:
            cuts.pop(0)
            folder = life.place / f"cut{at}-{len(cuts)}" / "data"
            folder.mkdir(parents=True)
            disk.rebuild(folder, chance)
            report.disks += 1
            await looking.at(f"power cut at {at}", folder, listener.told)
        while ends and ends[0] == at:
            ends.pop(0)
            folder = life.copy(len(life.kills) - len(ends) - 1)
            report.kills += 1
            await looking.at(f"kill at {at}", folder, listener.told)
    await looking.over()
    report.accepted += sum(said.accepted for says in listener.told.says.values() for said in says)
    report.add("while it ran", listener.told.faults)


def kill_at(whole: list[Record], size: int) -> int:
    """How many records there were when the record had this length."""
    total = 0
    for at, record in enumerate(whole, 1):
        total += HEAD.size + len(record.path.encode()) + len(record.data)
        if total >= size:
            return at
    return len(whole)


class Looking:
    """Looks at several disks at once."""

    def __init__(self, report: Report) -> None:
        self.report = report
        self._tasks: set[asyncio.Task[None]] = set()

    async def at(self, what: str, folder: Path, told: Told) -> None:
        if len(self._tasks) >= AT_ONCE:
            done, self._tasks = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        self._tasks.add(asyncio.ensure_future(self._look(what, folder, copy.deepcopy(told))))

    async def _look(self, what: str, folder: Path, told: Told) -> None:
        faults = await judged(folder, told)
        self.report.add(what, faults)
        kept = os.environ.get("POWERCUT_KEEP") if faults else None
        if kept:
            shutil.copytree(folder, Path(kept) / re.sub(r"\W+", "-", what), dirs_exist_ok=True)
        shutil.rmtree(folder)

    async def over(self) -> None:
        await asyncio.gather(*self._tasks)


async def run(disks: int, kills: int, seed: int, base: str) -> Report:
    """All of it, in folders below ``base``."""
    report, chance = Report(), random.Random(seed)
    while report.disks < disks or report.kills < kills:
        with tempfile.TemporaryDirectory(prefix="tcpchat-powercut-", dir=base) as place:
            life = Life(Path(place))
            report.lives.append(life)
            await live(life, max(1, min(LIVES, kills - report.kills)), chance)
            await cut(life, min(DISKS, disks - report.disks), chance, report)
        print(f"{report.disks} power cuts, {report.kills} kills, {report.bad_disks} disks with a fault", flush=True)
    return report


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.powercut", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--disks", type=int, default=600, help="power cuts [600]")
    parser.add_argument("--kills", type=int, default=200, help="kills -9 [200]")
    parser.add_argument("--seed", type=int, default=None, help="repeat the chances of an earlier run")
    parser.add_argument("--short", action="store_true", help="a few of each, in half a minute")
    args = parser.parse_args()
    if compiler() is None:
        print("There is no C compiler (cc) to build load/lyingdisk.c with.", file=sys.stderr)
        return 2
    seed = args.seed if args.seed is not None else random.randrange(1_000_000)
    print(f"seed {seed}", flush=True)
    disks, kills = SHORT if args.short else (args.disks, args.kills)
    base = os.path.realpath(tempfile.gettempdir())  # as the shim sees it
    report = asyncio.run(run(disks, kills, seed, base))
    print(report.text())
    return 0 if report.clean else 1


if __name__ == "__main__":
    sys.exit(main())
