"""Helpers for the tests of the log: facts in one word, rows in one line, and a second opinion on every answer."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from tcpchat.core.model import AnyFact, Append, Deleted, Edited, Entry, Query, Removed, Result, Row, Said
from tcpchat.log.sqlite import SqliteLog


def said(room: int, user: int, text: str, **more: Any) -> Said:
    return Said(room=room, user=user, by=f"user{user}", text=text, to="#room", **more)


async def append(log: SqliteLog, *facts: AnyFact, at: int = 1_000) -> list[Entry]:
    return await log.append([Append(fact) for fact in facts], at)


async def facts(log: SqliteLog, after: int = 0) -> list[AnyFact]:
    """All facts that a start would replay."""
    found: list[Entry] = []
    await log.replay(after, found.extend)
    assert [entry.seq for entry in found] == list(range(after + 1, after + 1 + len(found)))
    return [entry.fact for entry in found]


def texts(result: Result) -> list[str]:
    return [getattr(row.fact, "text", "") for row in result.rows]


def seqs(result: Result) -> list[int]:
    return [row.seq for row in result.rows]


class Oracle:
    """The log as a list: slow, and too simple to be wrong."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def append(self, fact: AnyFact, at: int) -> None:
        self.entries.append(Entry(len(self.entries) + 1, at, fact))

    def _row(self, entry: Entry) -> Row:
        fact = entry.fact
        if not isinstance(fact, Said | Edited):
            return Row(entry.seq, entry.at, fact)
        target = entry.seq if isinstance(fact, Said) else fact.seq
        changes = [
            change for change in self.entries if isinstance(change.fact, Edited | Removed) and change.fact.seq == target
        ]
        erased = any(isinstance(change.fact, Removed) for change in changes) or any(
            isinstance(other.fact, Deleted) and other.fact.erase and other.fact.user == fact.user and other.seq > target
            for other in self.entries
        )
        if erased:
            kept = {"text": "", "tags": None} if isinstance(fact, Said) else {"text": ""}
            return Row(entry.seq, entry.at, _replace(fact, **kept), 0, True)
        if isinstance(fact, Said) and changes:
            newest = changes[-1]
            assert isinstance(newest.fact, Edited)
            return Row(entry.seq, entry.at, _replace(fact, text=newest.fact.text), newest.at)
        return Row(entry.seq, entry.at, fact)

    def _rows(self, rooms: Iterable[int], fits: Callable[[Row], bool]) -> list[Row]:
        wanted = set(rooms)
        rows = [self._row(entry) for entry in self.entries if entry.fact.room in wanted]
        return [row for row in rows if fits(row)]

    def ask(self, query: Query) -> Result:
        return getattr(self, query.kind)(query)  # type: ignore[no-any-return]

    def feed(self, query: Query) -> Result:
        rows = self._rows(query.rooms, lambda row: row.seq > query.after)
        return Result(tuple(rows[: query.limit]), len(rows) > query.limit)

    def page(self, query: Query) -> Result:
        rows = self._rows(query.rooms, lambda row: query.events or _is_message(row))
        limit = query.limit
        if query.around:
            older = [row for row in rows if row.seq < query.around]
            newer = [row for row in rows if row.seq >= query.around]
            kept = older[-(limit // 2) :] if limit > 1 else []
            kept = kept + newer[: limit - len(kept)]
            return Result(tuple(kept), len(kept) < len(rows))
        if query.after or query.at or query.until:
            rows = [row for row in rows if row.seq > query.after and (not query.until or row.seq < query.until)]
            rows = [row for row in rows if row.at >= query.at]
            return Result(tuple(rows[:limit]), len(rows) > limit)
        rows = [row for row in rows if not query.before or row.seq < query.before]
        return Result(tuple(rows[-limit:]), len(rows) > limit)

    def count(self, query: Query) -> Result:
        counts = {}
        for room in query.rooms:
            cursor = (query.cursors or {}).get(room, query.after)
            counts[room] = min(
                100,
                len(
                    self._rows(
                        [room],
                        lambda row, cursor=cursor: (
                            row.seq > cursor and _is_message(row) and not row.removed and row.fact.user != query.user
                        ),
                    )
                ),
            )
        return Result(counts=counts, head=self.entries[-1].seq if self.entries else 0)

    def entry(self, query: Query) -> Result:
        return Result(tuple(self._row(entry) for entry in self.entries if entry.seq == query.seq))

    def search(self, query: Query) -> Result:
        asked = query.words.casefold().split()

        def fits(row: Row) -> bool:
            fact = row.fact
            if not isinstance(fact, Said) or row.removed or not fact.text or query.user not in (0, fact.user):
                return False
            if (
                row.at < query.since
                or (query.until and row.at > query.until)
                or (query.before and row.seq >= query.before)
            ):
                return False
            there = re.findall(r"\w+", fact.text.casefold())
            return all(word in there for word in asked[:-1]) and (
                not asked or any(word.startswith(asked[-1]) for word in there)
            )

        rows = self._rows(query.rooms, fits)[::-1]
        return Result(tuple(rows[: query.limit]), len(rows) > query.limit)


def _replace(fact: Any, **changes: Any) -> Any:
    import msgspec

    return msgspec.structs.replace(fact, **changes)


def _is_message(row: Row) -> bool:
    return isinstance(row.fact, Said) and row.fact.kind != "tag"
