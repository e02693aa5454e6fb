"""A world for the core alone: a log in a list, a driver that carries out effects as the server's does, and peers that
remember what they were told. Nothing here waits, and the clock is a number."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar

import msgspec

from tcpchat.core import model as m
from tcpchat.core.chat import Chat
from tcpchat.core.rules import Limits
from tcpchat.core.sessions import PLAIN, Session
from tcpchat.doors.irc.door import IrcDoor
from tcpchat.doors.original.door import SeedDoor

E = TypeVar("E")
FREE = Limits(messages_per_second=0)
TRAITS = {door.name: door.traits for door in (IrcDoor, SeedDoor)}
CODEC = msgspec.json.Decoder(m.AnyFact)


class Peer:
    """One connection: what it was told, in order."""

    def __init__(self, world: World, session: Session) -> None:
        self.world, self.session = world, session
        self.events: list[m.AnyEvent] = []
        self.hung_up = ""
        session.carrier = self

    def do(self, command: m.Command, commit: bool = True) -> Peer:
        """Say something to the chat; unless told otherwise everything it proposes becomes durable at once."""
        self.world.run(self.world.chat.receive(self.session, command, self.world.now))
        if commit:
            self.world.commit()
        return self

    def ask(self, command: m.Command, kind: type[E]) -> E:
        """The one answer of this kind that the command brings."""
        self.forget()
        self.do(command)
        return self.only(kind)

    def told(self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]

    def only(self, kind: type[E]) -> E:
        found = self.told(kind)
        assert len(found) == 1, (kind.__name__, self.events)
        return found[0]

    def refused(self, command: m.Command) -> str:
        """The code with which a command is refused."""
        return self.ask(command, m.Refused).code

    def forget(self) -> Peer:
        self.events.clear()
        return self

    def close(self, why: str = "") -> None:
        self.world.run(self.world.chat.close(self.session, self.world.now, why))
        self.session.carrier = None
        self.world.commit()

    @property
    def texts(self) -> list[str]:
        return [event.text for event in self.told(m.Message)]

    @property
    def codes(self) -> list[str]:
        return [event.code for event in self.told(m.Refused)]


class World:
    """A chat with its log and its driver."""

    def __init__(self, limits: Limits = FREE) -> None:
        self.limits = limits
        self.chat = Chat(limits)
        self.chat.restore(0, None, [])
        self.lineages = [("one", 0)]
        self.chat.begin(self.lineages)
        self.forks: list[m.Fork] = []
        self.now = 1_000.0
        self.rows: list[m.Entry] = []
        self.pending: list[m.Append] = []
        self.kept: dict[tuple[int, str], tuple[int, int]] = {}
        self.reading: list[m.Keep] = []  # cursors of which nobody hears before they are durable
        self.durable: dict[tuple[int, str], tuple[int, int]] = {}  # what of ``kept`` a crash leaves: see ``tick``
        self.loads: list[m.Load] = []
        self.checks: list[m.Check] = []
        self.hold_loads = False
        self.answer = {"key": "ok", "password": "ok", "hash": "$hash", "argon": "$argon", "raise": "", "lower": ""}

    # -- the driver --------------------------------------------------------------------------------------------

    def run(self, effects: list[m.AnyEffect]) -> None:
        for effect in effects:
            if isinstance(effect, m.Append):
                CODEC.decode(msgspec.json.encode(effect.fact))  # what cannot be stored must not be proposed
                self.pending.append(effect)
            elif isinstance(effect, m.Keep):
                self._keep(effect)
            elif isinstance(effect, m.Tell):
                if effect.session.carrier is not None:
                    effect.session.carrier.events.append(effect.event)
            elif isinstance(effect, m.FanOut):
                for session in effect.audience:
                    if session.live and session is not effect.skip and session.carrier is not None:
                        session.carrier.events.append(effect.event)
            elif isinstance(effect, m.Load):
                self.loads.append(effect)
            elif isinstance(effect, m.Check):
                self.checks.append(effect)
            elif isinstance(effect, m.Fork):
                self.forks.append(effect)
            elif effect.session.carrier is not None:
                effect.session.carrier.hung_up = effect.why or "bye"
        if not self.hold_loads:
            self.answer_loads()

    def _keep(self, keep: m.Keep, durable: bool = False) -> None:
        if keep.session is not None and not durable:
            self.reading.append(keep)
            return
        before = self.kept.get((keep.user, keep.place), (0, 0))[0]
        if durable and keep.seq <= before:
            return  # two were on their way at once: the log keeps the higher one
        assert keep.seq >= before, f"cursor {keep.place} of {keep.user} fell from {before} to {keep.seq}"
        self.kept[keep.user, keep.place] = (keep.seq, keep.at)
        if durable:
            self.durable[keep.user, keep.place] = (keep.seq, keep.at)

    def answer_loads(self, many: int = 1 << 30) -> None:
        while self.loads and many:
            load, many = self.loads.pop(0), many - 1
            if load.session.carrier is not None:
                self.run(self.chat.loaded(load, self.ask(load.query), self.now))

    def commit(self) -> None:
        """Make durable what is pending, and what follows from it, until nothing is."""
        while self.pending or self.checks or self.reading:
            while self.checks:
                check = self.checks.pop(0)
                self.run(self.chat.checked(check, self.answer[check.what], self.now))
            if self.pending:
                batch, self.pending = self.pending, []
                self.append(batch)
            reading, self.reading = self.reading, []
            for keep in reading:
                self._keep(keep, durable=True)
            self.run(self.chat.kept(reading))
        users = self.chat.state.users
        for room in self.chat.state.rooms.values():
            assert room.here == sum(users[uid].online for uid in room.members), f"{room.name} miscounts who is here"
        assert self.chat.online == sum(user.online for user in users.values())

    def append(self, batch: list[m.Append]) -> None:
        at = int(self.now * 1000)
        entries = []
        for proposal in batch:
            entries.append(m.Entry(len(self.rows) + 1, at, proposal.fact, proposal.origin))
            self.rows.append(entries[-1])
        for run in runs(entries):
            effects = self.chat.applied(run, self.now)
            fans = [effect for effect in effects if isinstance(effect, m.FanOut)]
            if len(run) > 1:  # as the server does: the authors' answers, then what is shared
                effects = [effect for effect in effects if not isinstance(effect, m.FanOut)]
                self.run([*effects, *fans])
            else:
                self.run(effects)

    def fail(self) -> None:
        """The log takes nothing of what is pending."""
        batch, self.pending = self.pending, []
        self.run(self.chat.failed(batch, self.now))
        reading, self.reading = self.reading, []
        self.run(self.chat.unkept(reading))

    def tick(self, seconds: float = 0.0) -> None:
        self.now += seconds
        self.durable = dict(self.kept)  # cursors that nobody waits for are on disk soon
        self.run(self.chat.tick(self.now))
        self.commit()

    # -- the log -----------------------------------------------------------------------------------------------

    def ask(self, query: m.Query) -> m.Result:
        rows = list(self._amended())
        if query.kind == "entry":
            return m.Result(tuple(row for row in rows if row.seq == query.seq))
        rows = [row for row in rows if row.fact.room in query.rooms]
        if query.kind == "feed":
            rows = [row for row in rows if row.seq > query.after]
            return m.Result(tuple(rows[: query.limit]), len(rows) > query.limit)
        if query.kind == "count":
            cursors = query.cursors or {}
            said = [row for row in rows if isinstance(row.fact, m.Said)]
            counts = {n: sum(r.fact.room == n and r.seq > after for r in said) for n, after in cursors.items()}
            return m.Result(counts=counts, head=len(self.rows))
        rows = [row for row in rows if query.events or isinstance(row.fact, m.Said)]
        if query.kind == "search":
            rows = [row for row in rows if query.words in getattr(row.fact, "text", "") and not row.removed]
            return m.Result(tuple(rows[::-1][: query.limit]), len(rows) > query.limit)
        if query.before:
            rows = [row for row in rows if row.seq < query.before]
        if query.after:
            rows = [row for row in rows if row.seq > query.after]
            return m.Result(tuple(rows[: query.limit]), len(rows) > query.limit)
        return m.Result(tuple(rows[-query.limit :]), len(rows) > query.limit)

    def _amended(self) -> Iterator[m.Row]:
        changes: dict[int, m.Entry] = {e.fact.seq: e for e in self.rows if isinstance(e.fact, m.Edited | m.Removed)}
        for entry in self.rows:
            change = changes.get(entry.seq)
            if change is None:
                yield m.Row(entry.seq, entry.at, entry.fact)
            elif isinstance(change.fact, m.Edited):
                yield m.Row(entry.seq, entry.at, msgspec.structs.replace(entry.fact, text=change.fact.text), change.at)
            else:
                yield m.Row(entry.seq, entry.at, msgspec.structs.replace(entry.fact, text=""), 0, True)

    # -- peers and restarts ------------------------------------------------------------------------------------

    def connect(self, door: str = "native", **given: Any) -> Peer:
        values = {
            "nonce": f"nonce{len(self.chat.sessions)}",
            "device": f"random{id(object())}{self.chat._numbers}",
            "dialect": door,
            "traits": TRAITS.get(door, PLAIN),
            "secure": True,
            "local": True,
            "address": "127.0.0.1",
            "binding": "F" if given.get("secure", True) else "",
            **given,
        }
        return Peer(self, self.chat.open(self.now, door=door, **values))

    def enter(self, login: str, device: str | None = None, door: str = "native", **hello: Any) -> Peer:
        """A peer that has said hello, on a device that is named after the login unless another is given."""
        peer = self.connect(door)
        return peer.do(m.Hello(login, device=f"dev-{login}" if device is None else device, **hello))

    def own(self, login: str, **hello: Any) -> Peer:
        """As enter, with a login claimed by the key named after it."""
        peer = self.connect()
        key = f"ed25519:{login}"
        peer.do(m.Hello(login, device=hello.pop("device", f"dev-{login}"), key=key, claim=True, **hello))
        return peer.do(m.Proof("signature"))

    def again(self, snapshot: bool = True, saved: tuple[int, bytes] | None = None) -> Chat:
        """The chat as it would be after a restart now, from a snapshot of now or one that was ``saved`` before."""
        chat = Chat(self.limits)
        seq, state = saved or (self.chat.snapshot() if snapshot else (0, None))
        chat.restore(seq, state, [(user, place, s, at) for (user, place), (s, at) in self.kept.items()])
        stored = [m.Entry(e.seq, e.at, CODEC.decode(msgspec.json.encode(e.fact))) for e in self.rows[seq:]]
        for start in range(0, len(stored), 3):
            chat.replay(stored[start : start + 3])
        chat.begin(self.lineages)
        return chat

    def fork(self, works: bool = True) -> None:
        """The log begins the lineage that was asked for, or cannot."""
        self.forks, forks = [], self.forks
        for fork in forks:
            if works:
                self.lineages.append((f"after {self.lineages[-1][0]}", fork.since))
            self.run(self.chat.forked(self.lineages if works else [], self.now))

    def set_back(self, seq: int, lineage: str = "") -> None:
        """The log is replaced by one that ends at ``seq``: a copy that knows that it is one (``lineage`` is its own),
        or one that does not."""
        del self.rows[seq:]
        self.kept = {key: kept for key, kept in self.kept.items() if kept[0] <= seq}
        if lineage:
            self.lineages.append((lineage, seq))
        self.chat.snapshot = lambda: (0, None)  # type: ignore[method-assign,assignment,return-value]
        self.restart()

    def restart(self, snapshot: bool = True, *, crash: bool = False, saved: tuple[int, bytes] | None = None) -> None:
        """All connections are lost, the chat comes back from its log; after a crash without the newest cursors."""
        if crash:
            self.kept = dict(self.durable)
        self.pending.clear()
        self.reading.clear()
        self.loads.clear()
        for session in self.chat.sessions.values():
            session.carrier = None
        self.chat = self.again(snapshot, saved)


def runs(entries: list[m.Entry]) -> Iterator[list[m.Entry]]:
    """Runs of messages, and other facts one by one (see tcpchat.server.pipe)."""
    start = 0
    for place, entry in enumerate(entries):
        if not isinstance(entry.fact, m.Said):
            if start < place:
                yield entries[start:place]
            yield [entry]
            start = place + 1
    if start < len(entries):
        yield entries[start:]
