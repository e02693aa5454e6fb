"""Every answer against a second opinion: random histories, asked while the indexes are anywhere behind them."""

from __future__ import annotations

import random
from pathlib import Path

import msgspec
import pytest

from support.loglab import Oracle, append, said, seqs, texts
from tcpchat.core.model import Append, Deleted, Edited, Joined, Query, Removed, Result, Said
from tcpchat.log import schema, search, tail, writing
from tcpchat.log.sqlite import SqliteLog

ROOMS = (1, 2, 3, -(5 << 31 | 9))
USERS = (1, 2, 3, 4)
WORDS = "duck goose swan owl quack river pond reed ducks duckling".split()


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits so small that a short history passes them all; the followers move only when told."""
    monkeypatch.setattr(schema, "PART_BITS", 4)
    monkeypatch.setattr(tail, "KEEP", 5)
    for name, value in {"SLICE": 3, "CHUNK": 7, "SOON": 1 << 40, "FAR": 1 << 40, "IDLE": 1e9, "ERASE": 2}.items():
        monkeypatch.setattr(writing, name, value)
    monkeypatch.setattr(search, "CANDIDATES", 2)
    monkeypatch.setattr(search, "GLANCE", 5)
    monkeypatch.setattr(search, "ROOMS_MANY", 2)


class World:
    """A log, its oracle, and a die."""

    def __init__(self, path: Path, seed: int) -> None:
        self.log, self.oracle, self.dice = SqliteLog(path), Oracle(), random.Random(seed)
        self.at = 1_000
        self.said: list[int] = []

    def fact(self) -> object:
        dice = self.dice
        user, kind = dice.choice(USERS), dice.random()
        if self.said and kind < 0.22:
            row = self.oracle.ask(Query(kind="entry", seq=dice.choice(self.said))).rows[0]
            assert isinstance(row.fact, Said)
            if kind < 0.15 and not row.removed:  # the chat takes no edits of what is gone
                return Edited(room=row.fact.room, user=row.fact.user, seq=row.seq, text=self.text())
            return Removed(room=row.fact.room, user=row.fact.user, seq=row.seq)
        if kind < 0.30:
            return Joined(room=dice.choice(ROOMS), user=user)
        if kind < 0.32:
            return Deleted(user=user, by=1, erase=True)
        more = {"kind": "tag", "tags": {"a": "b"}} if kind > 0.95 else {}
        return said(dice.choice(ROOMS), user, "" if more else self.text(), **more)

    def text(self) -> str:
        return " ".join(self.dice.choices(WORDS, k=self.dice.randint(1, 4)))

    async def grow(self) -> None:
        batch = []
        self.at += self.dice.randrange(3)
        for _ in range(self.dice.randint(1, 12)):
            fact = self.fact()
            self.oracle.append(fact, self.at)  # type: ignore[arg-type]
            batch.append(Append(fact))  # type: ignore[arg-type]
            if isinstance(fact, Said) and fact.kind == "text":
                self.said.append(len(self.oracle.entries))
        await self.log.append(batch, self.at)

    def question(self) -> Query:
        dice, head = self.dice, self.log.head

        def place() -> int:
            return dice.randint(0, head + 2)

        rooms = tuple(dice.sample(ROOMS, dice.randint(1, 4)))
        limit = dice.choice((1, 2, 5, 50))
        time = 1_000 + dice.randint(0, max(1, self.at - 1_000))
        match dice.choice(("feed", "page", "page", "search", "search", "count", "entry")):
            case "feed":
                return Query(kind="feed", rooms=rooms, after=place(), limit=limit)
            case "page":
                side = dice.choice(({}, {"before": place()}, {"after": place()}, {"around": place()}, {"at": time},
                                    {"after": place(), "until": place()}))  # fmt: skip
                return Query(kind="page", rooms=rooms[:1], limit=limit, events=dice.random() < 0.5, **side)
            case "search":
                some = {"user": dice.choice((0, 0, *USERS)), "before": dice.choice((0, place()))}
                span = dice.choice(({}, {"since": time}, {"until": time}))
                words = " ".join(dice.choices(WORDS, k=dice.randint(1, 2)))
                return Query(
                    kind="search", rooms=rooms, words=dice.choice((words, words[:-1])), limit=limit, **some, **span
                )
            case "count":
                cursors = {room: place() for room in rooms[1:]}
                return Query(kind="count", rooms=rooms, cursors=cursors, after=place(), user=dice.choice((0, *USERS)))
        return Query(kind="entry", seq=place())

    async def check(self, times: int) -> None:
        for _ in range(times):
            query = self.question()
            mine, expected = await self.log.ask(query), self.oracle.ask(query)
            if query.kind == "search":
                for row in mine.rows:
                    assert "\x02" in row.snippet
                    row.snippet = ""
            if query.kind == "page" and query.around:  # "more" is of both sides there
                assert not mine.more or expected.more
                mine, expected = Result(mine.rows), Result(expected.rows)
            assert mine == expected, query


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.usefixtures("small")
async def test_every_answer_is_complete_and_as_of_now(tmp_path: Path, seed: int) -> None:
    world = World(tmp_path / "log.db", seed)
    await world.log.open()
    for turn in range(25):
        await world.grow()
        match world.dice.choice(("", "", "step", "steps", "settle", "restart")):
            case "step":
                await world.log._job(world.log._store.catch_up)
            case "steps":
                for _ in range(3):
                    await world.log._job(world.log._store.catch_up)
            case "settle":
                await world.log.settle()
            case "restart" if turn % 3 == 0:
                await world.log.close()
                world.log = SqliteLog(tmp_path / "log.db")
                await world.log.open()
        await world.check(12)
    await world.log.settle()
    await world.check(100)
    await world.log.close()


async def test_words_are_words_and_never_a_query(log: SqliteLog) -> None:
    await append(
        log,
        said(1, 1, "don't panic, Café-Müller!"),
        said(1, 2, "dont panic"),
        said(1, 2, "Привет, МИР"),
        said(1, 3, "t don"),
    )
    for _ in range(2):
        for words, expected in {
            "don't": [1],
            "cafe": [1],
            "CAFÉ mull": [1],
            "мир": [3],
            "панда": [],
            '"panic': [2, 1],
            "panic OR привет": [],
            "panic NOT dont": [],
            "text:panic": [],
            "pan*": [2, 1],
            "!!!": [],
            "panic !!!": [2, 1],
            "\ue0001": [],
            "\x00": [],
            '"t panic" caf': [1],
            "": [],
        }.items():
            assert seqs(await log.ask(Query(kind="search", rooms=(1,), words=words))) == expected, words
        await log.settle()
        log._tail.forget(log.head + 1)


async def test_a_search_without_rooms_finds_nothing(log: SqliteLog) -> None:
    await append(log, said(1, 1, "secret"))
    assert await log.ask(Query(kind="search", words="secret")) == Result()


async def test_a_search_by_author_needs_no_words(log: SqliteLog) -> None:
    await append(log, said(1, 1, "one"), said(1, 2, "two"), said(2, 1, "three"))
    query = Query(kind="search", rooms=(1,), user=1)
    assert texts(await log.ask(query)) == ["one"]
    await log.settle()
    log._tail.forget(log.head + 1)
    assert texts(await log.ask(query)) == ["one"]


async def test_snippets_show_the_surroundings_of_the_hits(log: SqliteLog) -> None:
    await append(log, said(1, 1, "a " * 100 + "the Duck said" + " b" * 100))
    await log.settle()
    (row,) = (await log.ask(Query(kind="search", rooms=(1,), words="duck"))).rows
    assert "the \x02Duck\x03 said" in row.snippet
    assert row.snippet.startswith("…")
    assert row.snippet.endswith("…")
    assert len(row.snippet) < 80


async def test_many_rooms_are_one_question(log: SqliteLog) -> None:
    await append(log, *(said(room, 1, f"word{room % 3}") for room in range(1, 2_501)))
    await log.settle()
    rooms = tuple(range(1, 2_501))
    result = await log.ask(Query(kind="search", rooms=rooms, words="word1", limit=3))
    assert (seqs(result), result.more) == ([2500, 2497, 2494], True)
    result = await log.ask(Query(kind="feed", rooms=rooms, after=100, limit=3))
    assert (seqs(result), result.more) == ([101, 102, 103], True)


async def test_a_feed_far_behind_finds_the_next_entry_of_a_quiet_room(log: SqliteLog) -> None:
    await append(log, said(1, 1, "first"), *(said(2, 2, "noise") for _ in range(3_000)), said(1, 1, "second"))
    await log.settle()
    assert texts(await log.ask(Query(kind="feed", rooms=(1, 3), after=1, limit=5))) == ["second"]


async def test_counts_stop_at_a_hundred(log: SqliteLog) -> None:
    await append(log, *(said(1, 1, "x") for _ in range(150)))
    assert (await log.ask(Query(kind="count", rooms=(1, 2)))).counts == {1: 100, 2: 0}
    await log.settle()
    assert (await log.ask(Query(kind="count", cursors={1: 60, 2: 0}))).counts == {1: 90, 2: 0}


async def test_facts_of_no_room_are_listed_under_room_0(log: SqliteLog) -> None:
    await append(log, Deleted(user=3, by=1), said(1, 1, "x"))
    query = Query(kind="page", rooms=(0,), events=True)
    assert seqs(await log.ask(query)) == [1]
    await log.settle()
    assert seqs(await log.ask(query)) == [1]


async def test_rows_are_given_away(log: SqliteLog) -> None:
    """Who gets a row may change it without changing what the next one gets."""
    await append(log, said(1, 1, "x"))
    (row,) = (await log.ask(Query(kind="entry", seq=1))).rows
    row.fact = msgspec.structs.replace(row.fact, text="y")
    assert texts(await log.ask(Query(kind="entry", seq=1))) == ["x"]
