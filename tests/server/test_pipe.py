"""The pipe alone, with a scripted chat and log: batches, order, sharing of bytes, failures."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from tcpchat.core.model import (
    Accepted,
    Append,
    Check,
    Entry,
    FanOut,
    Joined,
    Keep,
    Load,
    Message,
    Presence,
    Query,
    Refused,
    Result,
    Said,
    Tell,
)
from tcpchat.core.sessions import Audience, Session
from tcpchat.log import LogUnavailable
from tcpchat.server.fanout import runs
from tcpchat.server.pipe import Pipe
from tcpchat.trust import passwords


class FakeDoor:
    """Encodes an event as its seq; dialect "alone" encodes nothing for others, "seen" as its outlook is."""

    def __init__(self, dialect: str) -> None:
        self.dialect = dialect
        self.seen_from: str | None = None
        self.encoded = 0
        self.poison = 0

    def outlook(self, members: Any, own: bool) -> str | None:
        return self.seen_from

    def view(self, event: Any) -> bytes | None:
        self.encoded += 1
        if self.seen_from == "blind":
            return b""
        return None if event.seq == 9 else f"{self.seen_from}{event.seq} ".encode()

    def encode(self, event: Any) -> bytes | None:
        self.encoded += 1
        if event.seq == self.poison:
            raise ValueError("poison")
        return None if self.dialect in ("alone", "seen") else f"{event.seq} ".encode()


class Carrier:
    """Stands for a connection: notes what it is given."""

    def __init__(self, pipe: Pipe, dialect: str = "plain") -> None:
        self.pipe, self.door = pipe, FakeDoor(dialect)
        self.closed = self.closing = self.loading = self.stuck = self.finished = False
        self.parcels: list[Any] = []
        self.loads: list[Any] = []
        self.got: list[Any] = []
        self.held: list[str] = []
        self.session = Session(id(self), 0.0)
        self.session.carrier, self.session.dialect, self.session.live = self, dialect, True

    def tell(self, event: Any) -> None:
        self.got.append(event)

    def share(self, data: bytes, last: int) -> None:
        self.got.append(data)

    def flush(self) -> None:
        self.got.append("flush")

    def finish(self) -> None:
        self.finished = True

    hang_up = finish

    def recheck(self) -> None:
        pass

    def pause(self, why: str) -> None:
        self.held.append(why)

    def unpause(self, why: str) -> None:
        if why in self.held:
            self.held.remove(why)


class FakeChat:
    """Says of every entry what the test wants."""

    def __init__(self) -> None:
        self.batches: list[list[Entry]] = []
        self.failures: list[list[Append]] = []
        self.effects: Any = lambda entries: []
        self.answers: list[Any] = []
        self.reading: list[tuple[Session, int]] = []
        self.head = 0

    def applied(self, entries: list[Entry], now: float, out: list[Any]) -> None:
        self.batches.append(entries)
        self.head = entries[0].seq
        out += self.effects(entries)

    def behind(self, session: Session, seq: int) -> list[Any]:
        self.reading.append((session, seq))
        return []

    def read_again(self, entry: Entry) -> list[Any]:
        return []

    def failed(self, batch: list[Append], now: float) -> list[Any]:
        self.failures.append(batch)
        return []

    def loaded(self, load: Load, result: Result, now: float) -> list[Any]:
        self.answers.append(result)
        return []

    def checked(self, check: Check, answer: str, now: float) -> list[Any]:
        self.answers.append(answer)
        return []


class FakeLog:
    """Appends when the test lets it."""

    def __init__(self) -> None:
        self.head, self.kept = 0, list[Keep]()
        self.gate = asyncio.Semaphore(0)
        self.fail: Exception | None = None
        self.calls: list[int] = []

    async def append(self, batch: Sequence[Append], at: int) -> list[Entry]:
        self.calls.append(len(batch))
        await self.gate.acquire()
        if self.fail is not None:
            raise self.fail
        entries = [Entry(self.head + i, at, a.fact, a.origin) for i, a in enumerate(batch, 1)]
        self.head += len(batch)
        return entries

    def keep(self, cursors: Sequence[Keep]) -> None:
        self.kept += cursors

    async def ask(self, query: Query) -> Result:
        if self.fail is not None:
            raise self.fail
        return Result(more=True)


class Rig:
    """A pipe that runs."""

    def __init__(self) -> None:
        self.chat, self.log = FakeChat(), FakeLog()
        self.pipe = Pipe(self.chat, self.log)  # type: ignore[arg-type]

    def audience(self, *carriers: Carrier) -> Audience:
        audience = Audience()
        for carrier in carriers:
            audience.add(carrier.session)
        return audience

    async def durable(self) -> None:
        done = asyncio.Event()
        self.pipe.when_durable(done.set)
        await done.wait()


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    rig = Rig()
    pump = asyncio.create_task(rig.pipe.pump())
    yield rig
    pump.cancel()
    await asyncio.gather(pump, return_exceptions=True)
    await rig.pipe.close()


def said(text: str = "x") -> Append:
    return Append(Said(room=1, user=1, by="duck", text=text, to="#all"))


def message(seq: int) -> Message:
    return Message(seq=seq, at=0, by="duck", to="#all", text="x")


async def test_what_comes_during_a_commit_is_the_next_batch(rig: Rig) -> None:
    rig.pipe.run([said("1")])
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    rig.pipe.run([said("2"), said("3")])
    rig.pipe.run([said("4")])
    rig.log.gate.release()
    rig.log.gate.release()
    await rig.durable()
    assert rig.log.calls == [1, 3]
    assert [entry.seq for batch in rig.chat.batches for entry in batch] == [1, 2, 3, 4]


async def test_everybody_gets_the_same_bytes_once(rig: Rig) -> None:
    one, two, other = Carrier(rig.pipe), Carrier(rig.pipe), Carrier(rig.pipe, "fancy")
    audience = rig.audience(one, two, other)
    rig.pipe._fan_out([FanOut(message(1), audience), FanOut(message(2), audience)])
    assert one.got == two.got == other.got == [b"1 2 "]
    assert one.got[0] is two.got[0]
    assert (one.door.encoded, two.door.encoded, other.door.encoded) == (2, 0, 2)


async def test_an_author_does_not_get_its_own(rig: Rig) -> None:
    author, reader = Carrier(rig.pipe), Carrier(rig.pipe)
    audience = rig.audience(author, reader)
    rig.pipe._fan_out([FanOut(message(n), audience, author.session if n == 2 else None) for n in (1, 2, 3)])
    assert b"".join(author.got) == b"1 3 "
    assert b"".join(reader.got) == b"1 2 3 "


@pytest.mark.parametrize("dialect", ["plain", "alone"])
async def test_who_came_late_is_told_what_was_at_once_and_of_the_late_only_what_is_behind_it(
    rig: Rig, dialect: str
) -> None:
    came, here = Carrier(rig.pipe, dialect), Carrier(rig.pipe, dialect)
    audience = rig.audience(came, here)
    rig.pipe._fan_out(
        [
            FanOut(message(1), audience),
            FanOut(message(2), audience, late=True),
            FanOut(message(3), audience, came.session, late=True),
            FanOut(message(4), audience, late=True),
        ]
    )

    def seqs(carrier: Carrier) -> list[int]:
        if dialect == "alone":
            return [event.seq for event in carrier.got]
        return [int(word) for word in b"".join(carrier.got).split()]

    assert seqs(came) == [1, 4]
    assert seqs(here) == [1, 2, 3, 4]


async def test_several_audiences_keep_the_order_of_the_log(rig: Rig) -> None:
    both, left = Carrier(rig.pipe), Carrier(rig.pipe)
    a, b = rig.audience(both, left), rig.audience(both)
    rig.pipe._fan_out([FanOut(message(1), a), FanOut(message(2), b), FanOut(message(3), a)])
    assert b"".join(both.got) == b"1 2 3 "
    assert b"".join(left.got) == b"1 3 "


async def test_an_event_that_cannot_be_encoded_takes_no_other_with_it(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    one, two, well = Carrier(rig.pipe), Carrier(rig.pipe), Carrier(rig.pipe, "fancy")
    one.door.poison = 3
    audience = rig.audience(one, two, well)
    rig.pipe._fan_out([FanOut(message(n), audience, two.session if n == 1 else None) for n in (1, 2, 3, 4)])
    assert (b"".join(one.got), b"".join(two.got), b"".join(well.got)) == (b"1 2 ", b"2 ", b"1 2 3 4 ")
    assert rig.chat.reading == [(one.session, 2), (two.session, 2)]  # they read on where it stands
    assert "entry 3 could not be told" in caplog.text


async def test_who_is_not_live_or_gone_is_passed_over(rig: Rig) -> None:
    slow, gone, here = Carrier(rig.pipe), Carrier(rig.pipe), Carrier(rig.pipe)
    audience = rig.audience(slow, gone, here)
    slow.session.live, gone.closed = False, True
    rig.pipe._fan_out([FanOut(message(1), audience)])
    assert (slow.got, gone.got, here.got) == ([], [], [b"1 "])


async def test_a_door_that_shares_nothing_is_told_event_by_event(rig: Rig) -> None:
    alone = Carrier(rig.pipe, "alone")
    rig.pipe._fan_out([FanOut(message(n), rig.audience(alone)) for n in (1, 2)])
    assert alone.got == [message(1), message(2)]


async def test_doors_of_one_outlook_share_what_they_see(rig: Rig) -> None:
    left, too, right, alone = (Carrier(rig.pipe, "seen") for _ in range(4))
    left.door.seen_from = too.door.seen_from = "l"
    right.door.seen_from = "r"
    audience = rig.audience(left, too, right, alone)
    rig.pipe._fan_out([FanOut(message(n), audience, too.session if n == 2 else None) for n in (1, 2)])
    assert left.got == [b"l1 l2 "]
    assert b"".join(too.got) == b"l1 "  # its own is left out of what they share
    assert right.got == [b"r1 r2 "]
    assert alone.got == [message(1), message(2)]
    assert left.door.encoded + too.door.encoded == 4  # twice to learn that the dialect does not decide, twice for both


async def test_what_an_outlook_cannot_encode_is_told_in_its_place(rig: Rig) -> None:
    one = Carrier(rig.pipe, "seen")
    one.door.seen_from = "l"
    audience = rig.audience(one)
    rig.pipe._fan_out([FanOut(message(n), audience) for n in (2, 9, 3)])
    assert one.got == [b"l2 ", message(9), b"l3 "]


async def test_who_sees_nothing_of_it_is_left_in_peace(rig: Rig) -> None:
    one = Carrier(rig.pipe, "seen")
    one.door.seen_from = "blind"
    rig.pipe._fan_out([FanOut(Presence("duck", "online"), rig.audience(one))])
    assert one.got == []


async def test_answers_of_messages_go_first_and_others_keep_their_order(rig: Rig) -> None:
    carrier = Carrier(rig.pipe)
    audience = rig.audience(carrier)
    accepted = Accepted(n=1, seq=1)

    def effects(entries: list[Entry]) -> list[Any]:
        return [FanOut(message(entries[0].seq), audience), Tell(carrier.session, accepted)]

    rig.chat.effects = effects
    rig.pipe.run([said(), Append(Joined(room=2, user=1))])
    rig.log.gate.release()
    await rig.durable()
    assert carrier.got == [accepted, b"1 ", b"2 ", accepted]


def test_runs_split_at_what_may_change_an_audience() -> None:
    facts = [said().fact, said().fact, Joined(room=1, user=2), said().fact]
    entries = [Entry(seq, 0, fact) for seq, fact in enumerate(facts, 1)]
    assert [([e.seq for e in run], messages) for run, messages in runs(entries)] == [
        ([1, 2], True),
        ([3], False),
        ([4], True),
    ]
    assert list(runs([])) == []


async def test_a_refused_batch_is_handed_back_and_the_next_is_tried(rig: Rig) -> None:
    rig.log.fail = LogUnavailable("disk full")
    rig.pipe.run([said("1"), said("2")])
    rig.log.gate.release()
    await rig.durable()
    assert [len(batch) for batch in rig.chat.failures] == [2]
    rig.log.fail = None
    rig.pipe.run([said("3")])
    rig.log.gate.release()
    await rig.durable()
    assert [entry.seq for batch in rig.chat.batches for entry in batch] == [1]


async def test_a_fault_while_applying_is_told_and_does_not_stop_the_rest(rig: Rig) -> None:
    from tcpchat.core.model import Origin

    carrier = Carrier(rig.pipe)

    def effects(entries: list[Entry]) -> list[Any]:
        if entries[0].seq == 1:
            raise RuntimeError("a bug")
        return []

    rig.chat.effects = effects
    rig.pipe.run([Append(Joined(room=2, user=1), Origin(carrier.session, ref="r")), said()])
    rig.log.gate.release()
    await rig.durable()
    assert [batch[0].seq for batch in rig.chat.batches] == [1, 2]
    assert [(event.code, event.ref) for event in carrier.got] == [("internal", "r")]


async def test_who_outruns_the_log_is_not_read_until_it_is_durable(rig: Rig) -> None:
    carrier = Carrier(rig.pipe)
    rig.pipe.run([said()])
    rig.pipe.throttle(carrier)  # type: ignore[arg-type]
    assert carrier.held == ["pending"]
    rig.log.gate.release()
    await rig.durable()
    assert carrier.held == []


async def test_cursors_reach_the_log_with_the_turn(rig: Rig) -> None:
    rig.pipe.run([Keep(1, "d", 5), Keep(1, "r:1", 5)])
    assert rig.log.kept == []
    await asyncio.sleep(0)
    assert [keep.place for keep in rig.log.kept] == ["d", "r:1"]


async def test_questions_are_answered_one_after_the_other(rig: Rig) -> None:
    carrier = Carrier(rig.pipe)
    rig.pipe.run([Load(carrier.session, Query(kind="page")), Load(carrier.session, Query(kind="feed"))])
    await asyncio.gather(*rig.pipe._tasks)
    assert len(rig.chat.answers) == 2


async def test_a_question_waits_while_its_peer_takes_nothing(rig: Rig) -> None:
    carrier = Carrier(rig.pipe)
    carrier.stuck = True
    rig.pipe.run([Load(carrier.session, Query(kind="feed"))])
    await asyncio.gather(*rig.pipe._tasks)
    assert rig.chat.answers == []
    carrier.stuck = False
    rig.pipe.answer(carrier)  # type: ignore[arg-type]
    await asyncio.gather(*rig.pipe._tasks)
    assert len(rig.chat.answers) == 1


async def test_a_log_that_does_not_answer_refuses_a_question_and_ends_a_feed(rig: Rig) -> None:
    from tcpchat.core.model import History

    rig.log.fail = LogUnavailable("I/O error")
    asker, reader = Carrier(rig.pipe), Carrier(rig.pipe)
    history = History(to="#all", ref=7)
    rig.pipe.run([Load(asker.session, Query(kind="page"), history), Load(reader.session, Query(kind="feed"))])
    reader.hang_up = lambda code: reader.got.append(code)  # type: ignore[method-assign,misc]
    await asyncio.gather(*rig.pipe._tasks)
    assert isinstance(asker.got[0], Refused)
    assert (asker.got[0].code, asker.got[0].ref) == ("unavailable", 7)
    assert reader.got == ["unavailable"]


async def test_checks_run_beside_the_loop(rig: Rig) -> None:
    carrier = Carrier(rig.pipe)
    rig.pipe.run([Check(carrier.session, "hash", "secret")])
    await asyncio.gather(*rig.pipe._tasks)
    rig.pipe.run([Check(carrier.session, "password", "secret", rig.chat.answers[0])])
    rig.pipe.run([Check(carrier.session, "password", "wrong", rig.chat.answers[0])])
    await asyncio.gather(*rig.pipe._tasks)
    assert rig.chat.answers[0].startswith("$argon2id$")
    assert sorted(rig.chat.answers[1:]) == ["", "ok"]
    assert passwords.work("password", "x", "no hash") == ""
