"""Any history of a chat: nothing accepted is lost, doubled or reordered, cursors only grow, and a restart - from a
snapshot, or from the log alone - gives the same state."""

from __future__ import annotations

import random
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from support.coreworld import FREE, Peer, World
from tcpchat.core import model as m
from tcpchat.core.rules import dm_room, dm_users
from tcpchat.core.sessions import OPEN
from tcpchat.core.state import State

LOGINS = ["alice", "Bob", "Big Brother", "дуня"]
ROOMS = ["#all", "#ops", "#Tea"]
PLACES = [*("@" + login for login in LOGINS), *ROOMS]
KEYS = {"alice", "Bob"}  # these are claimed, the others are guests
DEVICES = [("alice", "phone"), ("alice", "desk"), ("Bob", "desk"), ("Big Brother", "web"), ("дуня", "menu")]
CLIENT = st.integers(0, len(DEVICES) - 1)


class Client:
    """One device of a login, as the client library behaves: it numbers, resends, confirms, and remembers its cursor."""

    def __init__(self, login: str, device: str) -> None:
        self.login, self.device = login, device
        self.peer: Peer | None = None
        self.read_to = 0
        self.cursor: int | None = None
        self.last = 0  # highest number used
        self.outbox: dict[int, tuple[str, str]] = {}
        self.accepted: dict[int, int] = {}
        self.seen: list[int] = []
        self.told_read: dict[str, int] = {}  # whoever talks to it directly has read up to here, it was told

    def take(self) -> None:
        """Look at what was told since the last time."""
        assert self.peer is not None
        events, self.read_to = self.peer.events[self.read_to :], len(self.peer.events)
        for event in events:
            if isinstance(event, m.Welcome):
                assert event.last >= max(self.accepted, default=0), "a number is forgotten"
                for place, seq in enumerate(event.recent, event.last - len(event.recent) + 1):
                    self._accept(place, seq)
                waiting = [words for n, words in sorted(self.outbox.items()) if n > event.last]
                self.outbox = dict(enumerate(waiting, event.last + 1))
                self.last = event.last + len(waiting)
            elif isinstance(event, m.Accepted) and event.n:
                self._accept(event.n, event.seq)
                self.outbox.pop(event.n, None)
            elif isinstance(event, m.Refused) and event.code in ("unavailable", "gap"):
                pass  # resent later, in order
            elif isinstance(event, m.Receipt) and event.state == "read" and event.by:
                self.told_read[event.by] = max(event.seq, self.told_read.get(event.by, 0))
            elif isinstance(event, m.Message):
                self.seen.append(event.seq)
                self.cursor = max(self.cursor or 0, event.seq)

    def _accept(self, n: int, seq: int) -> None:
        if seq:
            assert self.accepted.setdefault(n, seq) == seq, "a number has two places"


class Life(RuleBasedStateMachine):
    said = 0  # by all runs together, so that a test that does nothing is noticed

    def __init__(self) -> None:
        super().__init__()
        self.world = World(msgspec.structs.replace(FREE, feed_page=3))
        self.all = [Client(login, f"{login}-{device}") for login, device in DEVICES]
        self.count = 0
        self.saved: tuple[int, bytes] | None = None  # the last snapshot that was taken
        self.read_before: dict[tuple[int, int], int] = {}
        self.had_before: dict[int, int] = {}
        for number in range(len(self.all)):
            self.connect(number, True)
        for number in range(3):
            self.move(number, "#ops", True)
            self.world.commit()

    @rule(number=CLIENT, commit=st.booleans())
    def connect(self, number: int, commit: bool) -> None:
        """A new connection of the device; an older one may still hang."""
        client = self.all[number]
        if client.peer is not None:
            client.take()
        client.peer, client.read_to = self.world.connect(), 0
        key = f"ed25519:{client.login}" if client.login in KEYS else ""
        hello = m.Hello(client.login, device=client.device, key=key, claim=bool(key), after=client.cursor)
        client.peer.do(hello, commit)
        if key:
            client.peer.do(m.Proof("signature"), commit)

    @rule(number=CLIENT)
    def lose(self, number: int) -> None:
        client = self.all[number]
        if client.peer is not None:
            client.take()
            client.peer.close()
            client.peer = None

    @rule(
        number=CLIENT,
        to=st.sampled_from(PLACES),
        many=st.integers(1, 4),
    )
    def say(self, number: int, to: str, many: int) -> None:
        client = self.all[number]
        if not self._open(client):
            return
        client.take()
        for _ in range(many):
            client.last += 1
            self.count += 1
            client.outbox[client.last] = (to, f"{client.login} {self.count}")
        self._send(client)

    @rule(number=CLIENT)
    def resend(self, number: int) -> None:
        """Everything unanswered once more, as after a time-out."""
        client = self.all[number]
        if self._open(client):
            client.take()
            self._send(client)

    def _send(self, client: Client) -> None:
        assert client.peer is not None
        for n in sorted(client.outbox):
            to, text = client.outbox[n]
            before = len(client.peer.events)
            client.peer.do(m.Say(to, text, n=n), commit=False)
            codes = [e.code for e in client.peer.events[before:] if isinstance(e, m.Refused)]
            if codes and codes[0] not in ("gap", "too_many_pending"):
                # Cannot be said: the number is free for the next one.
                rest = [words for k, words in sorted(client.outbox.items()) if k > n]
                base = n
                client.outbox = {k: words for k, words in client.outbox.items() if k < n}
                client.outbox |= dict(enumerate(rest, base))
                client.last = base + len(rest) - 1
                return

    @rule(number=CLIENT, behind=st.integers(0, 3))
    def confirm(self, number: int, behind: int) -> None:
        client = self.all[number]
        if self._open(client):
            client.take()
            assert client.peer is not None
            client.peer.do(m.Confirm(max((client.cursor or 0) - behind, 0)), commit=False)

    @rule(number=CLIENT, to=st.sampled_from(PLACES))
    def read(self, number: int, to: str) -> None:
        client = self.all[number]
        if self._open(client):
            assert client.peer is not None
            client.peer.do(m.Read(to, len(self.world.rows)), commit=False)

    @rule(number=CLIENT, room=st.sampled_from(ROOMS[1:]), into=st.booleans())
    def move(self, number: int, room: str, into: bool) -> None:
        client = self.all[number]
        if self._open(client):
            assert client.peer is not None
            client.peer.do(m.Join(room) if into else m.Leave(room), commit=False)

    @rule(
        number=CLIENT,
        name=st.sampled_from(["receipts", "name", "colour"]),
        value=st.sampled_from(["", "off", "x"]),
    )
    def prefer(self, number: int, name: str, value: str) -> None:
        client = self.all[number]
        if self._open(client):
            assert client.peer is not None
            client.peer.do(m.Set(name, value), commit=False)

    @rule(number=CLIENT, room=st.sampled_from(ROOMS[1:]), on=st.booleans(), who=st.sampled_from(LOGINS),
          name=st.sampled_from(["moderated", "secret", "op", "voice", "ban", "limit"]))  # fmt: skip
    def switch(self, number: int, room: str, on: bool, who: str, name: str) -> None:
        client = self.all[number]
        if self._open(client):
            assert client.peer is not None
            arg = {"op": who, "voice": who, "ban": "nobody!*@*", "limit": "50"}.get(name, "")
            client.peer.do(m.Mode(room, (m.Change(name, on, arg),)), commit=False)
            client.peer.do(m.Topic(room, f"about {who}"), commit=False)

    @rule(number=CLIENT, seq=st.integers(1, 30), text=st.sampled_from(["", "better"]))
    def amend(self, number: int, seq: int, text: str) -> None:
        client = self.all[number]
        if self._open(client):
            assert client.peer is not None
            client.peer.do(m.Edit(seq, text) if text else m.Remove(seq), commit=False)

    @rule(number=CLIENT, stop=st.booleans())
    def pipe(self, number: int, stop: bool) -> None:
        """Its pipe is full, or has room again."""
        client = self.all[number]
        if client.peer is not None and client.peer.session.stage == OPEN:
            if stop:
                self.world.chat.paused(client.peer.session)
            else:
                self.world.run(self.world.chat.resumed(client.peer.session, self.world.now))

    @rule()
    def commit(self) -> None:
        self.world.commit()

    @rule()
    def fail(self) -> None:
        self.world.fail()

    @rule(seconds=st.sampled_from([0.2, 5.0, 700.0]))
    def tick(self, seconds: float) -> None:
        self.world.now += seconds
        self.world.durable = dict(self.world.kept)
        self.world.run(self.world.chat.tick(self.world.now))

    @rule()
    def save(self) -> None:
        """A snapshot, as the server takes one now and then."""
        self.saved = self.world.chat.snapshot()

    @rule(snapshot=st.booleans(), crash=st.booleans())
    def restart(self, snapshot: bool, crash: bool) -> None:
        """Stopped, with a snapshot of that moment or none; or killed, with the last one and without newest cursors."""
        for client in self.all:
            if client.peer is not None:
                client.take()
                client.peer = None
        self.world.restart(snapshot, crash=crash, saved=self.saved if crash and snapshot else None)
        if crash:
            for uid, had in self.had_before.items():
                self.had_before[uid] = min(had, self.world.durable.get((uid, "d"), (0, 0))[0])

    def _open(self, client: Client) -> bool:
        """Is it in? A device that is not connects first, for most of a life should not be silence."""
        if client.peer is None or client.peer.hung_up:
            self.connect(self.all.index(client), True)
        return client.peer is not None and client.peer.session.stage == OPEN

    # -- what always holds -------------------------------------------------------------------------------------

    @invariant()
    def the_same_again(self) -> None:
        """A restart gives the same state, and the same bytes, from the log alone."""
        chat = self.world.chat
        seq, state = chat.snapshot()
        assert State.load(state).dump() == state
        assert self.world.again(snapshot=False).snapshot() == (seq, state)

    @invariant()
    def cursors_only_grow(self) -> None:
        """What was read of others stays read, over everything; what was delivered, but for a crash."""
        for user in self.world.chat.state.users.values():
            assert user.delivered >= self.had_before.get(user.uid, 0), user.login
            self.had_before[user.uid] = user.delivered
            for number, cursor in user.reads.items():
                last = self._last_of_others(user.uid, number, cursor)
                assert last >= self.read_before.get((user.uid, number), 0), (user.login, number)
                self.read_before[user.uid, number] = last
            for (uid, number), last in self.read_before.items():
                if number < 0 and not set(dm_users(number)) <= self.world.chat.state.users.keys():
                    continue  # the other one, a guest, is gone
                assert uid != user.uid or user.reads.get(number, 0) >= last, (user.login, number)

    def _last_of_others(self, uid: int, number: int, cursor: int) -> int:
        return max(
            (
                row.seq
                for row in self.world.rows
                if isinstance(row.fact, m.Said)
                and row.fact.room == number
                and row.fact.user != uid
                and row.seq <= cursor
            ),
            default=0,
        )

    @invariant()
    def what_was_told_stays_true(self) -> None:
        """Who was told that somebody has read a message finds it so ever after, over every crash."""
        state = self.world.chat.state
        for client in self.all:
            if client.peer is not None:
                client.take()
            author = state.find(client.login)
            for login, seq in client.told_read.items():
                reader = state.find(login)
                if author is None or reader is None or max(author.since, reader.since) > seq:
                    continue  # somebody else, who came under the name of a guest that is gone
                number = dm_room(author.uid, reader.uid)
                assert reader.reads.get(number, 0) >= self._last_of_others(reader.uid, number, seq), (login, seq)

    @invariant()
    def in_order_and_once(self) -> None:
        """Each device sees each message once and in the order of the log."""
        for client in self.all:
            if client.peer is not None:
                client.take()
            assert client.seen == sorted(set(client.seen)), client.login

    @invariant()
    def numbers_in_order(self) -> None:
        """Each device's messages are in the log once each, in the order of their numbers."""
        last: dict[str, int] = {}
        for entry in self.world.rows:
            fact = entry.fact
            if isinstance(fact, m.Said) and fact.n:
                assert fact.n == last.get(fact.device, 0) + 1, "also of a guest that was away too long and came back"
                last[fact.device] = fact.n

    @invariant()
    def ready_when_two(self) -> None:
        online = {user.uid for user in self.world.chat.state.users.values() if user.online}
        assert self.world.chat.online == len(online)
        assert self.world.chat.ready == ("READY2SERV" if len(online) >= 2 else "WAIT4CLIENTS")

    def teardown(self) -> None:
        """Who is still there gets everything of its conversations that came behind its start."""
        self.world.commit()
        Life.said += sum(isinstance(entry.fact, m.Said) for entry in self.world.rows)
        for client in self.all:
            if client.peer is None or client.peer.session.stage != OPEN:
                continue
            self.world.run(self.world.chat.resumed(client.peer.session, self.world.now))
            client.take()
            assert client.peer.session.live
            self._nothing_missing(client)

    def _nothing_missing(self, client: Client) -> None:
        assert client.peer is not None
        user = client.peer.session.user
        welcome = client.peer.told(m.Welcome)[0]
        assert user is not None
        for entry in self.world.rows:
            fact = entry.fact
            if not isinstance(fact, m.Said) or entry.seq <= welcome.after or fact.user == user.uid:
                continue
            mine = fact.room == 1 or (fact.room < 0 and user.uid in (fact.peer, fact.user))
            if mine and entry.seq > user.since:
                assert entry.seq in client.seen, (client.login, entry)


def test_any_life() -> None:
    """Short lives, which hypothesis makes shorter still when one fails; the same ones every time."""
    limits = settings(
        max_examples=100,
        stateful_step_count=40,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    Life.said = 0
    run_state_machine_as_test(Life, settings=limits)
    assert Life.said > 100, "the machine did nothing"


@pytest.mark.parametrize("seed", range(16))
def test_long_lives(seed: int) -> None:
    """Long lives, with more talk than trouble."""
    chance = random.Random(seed)
    life = Life()
    who, to = lambda: chance.randrange(len(DEVICES)), lambda: chance.choice(PLACES)
    steps: list[tuple[int, Callable[[], None]]] = [
        (30, lambda: life.say(who(), to(), chance.randint(1, 4))),
        (30, life.commit),
        (10, lambda: life.confirm(who(), chance.randint(0, 3))),
        (5, lambda: life.read(who(), to())),
        (5, lambda: life.move(who(), chance.choice(ROOMS[1:]), chance.random() < 0.7)),
        (
            5,
            lambda: life.amend(who(), chance.randint(1, len(life.world.rows)), chance.choice(["", "better"])),
        ),
        (5, lambda: life.switch(who(), "#ops", chance.random() < 0.5, chance.choice(LOGINS), "voice")),
        (5, lambda: life.prefer(who(), "receipts", chance.choice(["", "off"]))),
        (8, lambda: life.pipe(who(), chance.random() < 0.5)),
        (8, lambda: life.connect(who(), chance.random() < 0.7)),
        (5, lambda: life.lose(who())),
        (5, lambda: life.resend(who())),
        (5, life.fail),
        (10, lambda: life.tick(chance.choice([0.2, 5.0, 700.0]))),
        (1, life.save),
        (3, lambda: life.restart(chance.random() < 0.5, chance.random() < 0.7)),
    ]
    for step in chance.choices([step for _, step in steps], [weight for weight, _ in steps], k=300):
        step()
        life.in_order_and_once()
        life.cursors_only_grow()
        life.what_was_told_stays_true()
    life.the_same_again()
    life.numbers_in_order()
    life.ready_when_two()
    life.teardown()
    assert len(life.world.rows) > 60
