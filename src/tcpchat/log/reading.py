"""Answers from the file, for the reader's thread: on a connection of its own, so that neither it nor the writer waits.

An answer is made of two parts that meet at the place up to which the followers have come: before it the tables that
they keep, behind it the tail (a View, taken before the connection begins to read, so that nothing is between them).
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from tcpchat.core.model import AnyFact, Edited, Entry, Query, Result, Row, Said
from tcpchat.log.codec import Mark, is_message, place, row_of
from tcpchat.log.damage import Damage, rows_of
from tcpchat.log.damage import Row as Stored
from tcpchat.log.schema import AUTHOR, END, SOMEBODYS, TAKEN_BACK, connect, first_at, followed
from tcpchat.log.search import Scratch, Searching
from tcpchat.log.tail import View, newest

COUNT_MAX = 100  # messages behind a cursor are counted up to here
LIMIT_MAX = 1_000  # rows of one answer
NEAR = 8  # a feed looks first at this many places for each row asked for: in a busy room it needs no more

Found = tuple[int, Entry | None]  # a place; with its entry when that is in the tail


class Reader:
    """One read-only connection."""

    def __init__(self, path: Path, damage: Damage) -> None:
        self.damage = damage
        self.db = connect(path, read_only=True)
        self.db.execute("PRAGMA cache_size = -8192")
        self.scratch = Scratch()

    def close(self) -> None:
        """Close the connection."""
        self.db.close()
        self.scratch.db.close()

    def answer(self, query: Query, view: View) -> Result:
        """Answer one question from one state of the file. Raises sqlite3.Error."""
        self.db.execute("BEGIN")
        try:
            return Reading(self, query, view).answer()
        finally:
            self.db.execute("ROLLBACK")


class Reading:
    """One question, and the state of the file and the tail that it is answered from."""

    def __init__(self, reader: Reader, query: Query, view: View) -> None:
        self.db, self.scratch, self.damage, self.query, self.view = (
            reader.db, reader.scratch, reader.damage, query, view,
        )  # fmt: skip
        self.followed = min(followed(self.db), view.head)
        self.limit = max(1, min(query.limit, LIMIT_MAX))

    def answer(self) -> Result:
        """The answer by the query's kind."""
        kinds: dict[str, Callable[[], Result]] = {
            "feed": self.feed,
            "page": self.page,
            "search": self.search,
            "count": self.count,
            "entry": self.entry,
        }
        return kinds[self.query.kind]()

    # -- kinds -------------------------------------------------------------------------------------------------------

    def feed(self) -> Result:
        """What happened in some rooms behind a seq, in order."""
        after = self.query.after
        while True:
            found = self._feed_from(after)
            rows, more = self.rows(found[: self.limit]), len(found) > self.limit
            if rows or not more:
                return Result(rows, more)
            after = found[self.limit - 1][0]  # all of them are damaged: whoever asks must come past them

    def _feed_from(self, after: int) -> list[Found]:
        found: list[Found] = [(seq, None) for seq in self._feed_seqs(after, self.limit + 1)]
        if len(found) <= self.limit:
            behind = max(after, self.followed)
            fresh = [entry for room in set(self.query.rooms) for entry in self.view.behind(room, behind)]
            fresh.sort(key=lambda entry: entry.seq)
            found += [(entry.seq, entry) for entry in fresh[: self.limit + 1 - len(found)]]
        return found

    def _feed_seqs(self, after: int, count: int) -> list[int]:
        """Places of the rooms in the file: first those close by, then of each room as many as could be needed."""
        rooms = str(list(set(self.query.rooms)))
        near = min(self.followed, after + NEAR * count)
        sql = (
            "SELECT p.seq FROM json_each(?) r CROSS JOIN places p ON p.room = r.value AND p.seq > ? AND p.seq <= ?"
            " ORDER BY p.seq LIMIT ?"
        )
        found = [seq for (seq,) in self.db.execute(sql, (rooms, after, near, count))]
        if len(found) == count or near == self.followed:
            return found
        sql = (
            "SELECT p.seq FROM json_each(?1) r CROSS JOIN places p ON p.room = r.value AND p.seq IN"
            " (SELECT seq FROM places WHERE room = r.value AND seq > ?2 AND seq <= ?3 ORDER BY seq LIMIT ?4)"
            " ORDER BY p.seq LIMIT ?4"
        )
        found += [seq for (seq,) in self.db.execute(sql, (rooms, near, self.followed, count - len(found)))]
        return found

    def page(self) -> Result:
        """A page of one room, oldest first."""
        query, limit = self.query, self.limit
        if query.around:
            older = self._older(query.around, limit // 2 + 1)
            newer = self._newer(query.around - 1, END, limit)
            kept = older[-(limit // 2) :] if limit > 1 else []
            kept += newer[: limit - len(kept)]
            return Result(self.rows(kept), len(older) + len(newer) > len(kept))
        if query.after or query.at or query.until:
            start = query.after or (first_at(self.db, query.at) - 1 if query.at else 0)
            while True:
                found = self._newer(start, query.until or END, limit + 1)
                rows, more = self.rows(found[:limit]), len(found) > limit
                if rows or not more:
                    return Result(rows, more)
                start = found[limit - 1][0]
        before = query.before or END
        while True:
            found = self._older(before, limit + 1)
            rows, more = self.rows(found[-limit:]), len(found) > limit
            if rows or not more:
                return Result(rows, more)
            before = found[-limit][0]

    def _older(self, before: int, count: int) -> list[Found]:
        room, events = self.query.rooms[0], self.query.events
        fresh = newest(self.view.behind(room, self.followed), before, count, events)
        found: list[Found] = [(entry.seq, entry) for entry in fresh]
        if len(found) < count:
            sql = f"SELECT seq FROM places WHERE room = ? AND seq < ?{self._said} ORDER BY seq DESC LIMIT ?"
            some = self.db.execute(sql, (room, min(before, self.followed + 1), count - len(found))).fetchall()
            found[:0] = [(seq, None) for (seq,) in reversed(some)]
        return found

    def _newer(self, after: int, until: int, count: int) -> list[Found]:
        room, events = self.query.rooms[0], self.query.events
        sql = f"SELECT seq FROM places WHERE room = ? AND seq > ? AND seq < ?{self._said} ORDER BY seq LIMIT ?"
        values = (room, after, min(until, self.followed + 1), count)
        found: list[Found] = [(seq, None) for (seq,) in self.db.execute(sql, values)]
        for entry in self.view.behind(room, max(after, self.followed)):
            if len(found) == count or entry.seq >= until:
                break
            if events or is_message(entry.fact):
                found.append((entry.seq, entry))
        return found

    @property
    def _said(self) -> str:
        return "" if self.query.events else " AND said > 0"

    def count(self) -> Result:
        """How many messages of others each room has behind its cursor, without those that were taken back."""
        counts = {}
        cursors = self.query.cursors or {}
        sql, more = self._unread_sql()
        for room in self.query.rooms or cursors:
            cursor = cursors.get(room, self.query.after)
            values = {"room": room, "after": cursor, "upto": self.followed, **more}
            there: int = self.db.execute(sql, values).fetchone()[0]
            if there < COUNT_MAX:
                fresh = self.view.behind(room, max(cursor, self.followed))
                there += sum(map(self._is_unread, fresh))
            counts[room] = min(there, COUNT_MAX)
        return Result(counts=counts, head=self.view.head)

    def _unread_sql(self) -> tuple[str, dict[str, object]]:
        """What counts in the lists: without what the tail knows to be taken back, and with a look into the entry where
        an older program did not note whose it is."""
        own, erasing = self.query.user, self.view.erasing
        removed = [seq for seq in self.view.amended if seq <= self.followed and self._taken_back(seq)]
        wheres = [
            "room = :room AND seq > :after AND seq <= :upto AND said > 0",
            f"said NOT IN ({TAKEN_BACK}, :own)",
            f"NOT (said = {SOMEBODYS}"
            " AND EXISTS (SELECT 1 FROM entries e WHERE e.seq = p.seq AND instr(body, :words)))",
        ]
        if removed:
            wheres.append("seq NOT IN (SELECT value FROM json_each(:removed))")
        if erasing:
            wheres.append("seq >= coalesce((SELECT value FROM json_each(:erasing) WHERE key = said), 0)")
        gone = {str(AUTHOR + user): before for user, before in erasing.items()}
        values = {"own": AUTHOR + own if own else 0, "words": b'"user":%d,' % own}
        more = {"removed": json.dumps(removed), "erasing": json.dumps(gone)}
        found = f"SELECT 1 FROM places p WHERE {' AND '.join(wheres)} LIMIT {COUNT_MAX}"
        return f"SELECT count(*) FROM ({found})", {**values, **more}

    def _is_unread(self, entry: Entry) -> bool:
        fact = entry.fact
        return (
            isinstance(fact, Said)
            and is_message(fact)
            and fact.user != self.query.user
            and not self._taken_back(entry.seq)
            and self.view.erasing.get(fact.user, 0) <= entry.seq
        )

    def _taken_back(self, seq: int) -> bool:
        mark = self.view.mark(seq)
        return mark is not None and mark.erased

    def entry(self) -> Result:
        """One entry."""
        return Result(self.rows([(self.query.seq, None)] if self.query.seq <= self.view.head else []))

    def search(self) -> Result:
        """Messages with words, newest first."""
        return Searching(self).result()

    # -- rows --------------------------------------------------------------------------------------------------------

    def rows(self, found: Sequence[Found]) -> tuple[Row, ...]:
        """The entries at these places as of now, in their order."""
        rows = {row.seq: row for row in self.stored([seq for seq, entry in found if entry is None])}
        rows |= {seq: self.view.row(entry) for seq, entry in found if entry is not None}
        return tuple(rows[seq] for seq, _ in found if seq in rows)

    def stored(self, seqs: Sequence[int]) -> list[Row]:
        """Entries of the file as of now."""
        if not seqs:
            return []
        entries = [
            (row[0], row[1], fact)
            for row in self._read(seqs)
            if (fact := self.damage.fact(*row)) is not None and self._asked(row[0], fact)
        ]
        targets = [
            fact.seq if type(fact) is Edited else seq for seq, _, fact in entries if isinstance(fact, Said | Edited)
        ]
        kept = self._marks(targets)

        def mark_of(seq: int) -> Mark | None:
            mark = kept.get(seq)
            return mark if mark is not None and mark.erased else self.view.mark(seq) or mark

        return [row_of(seq, at, fact, mark_of, self.view.erasing) for seq, at, fact in entries]

    def _read(self, seqs: Sequence[int]) -> list[Stored]:
        """Entries as they stand in the file; one by one, to leave out the damaged ones, where not all can be read."""
        try:
            found = rows_of(self.db, "seq IN (SELECT value FROM json_each(?)) ORDER BY seq", (str(list(seqs)),))
        except sqlite3.DatabaseError as error:
            if getattr(error, "sqlite_errorname", "") != "SQLITE_CORRUPT":
                raise
            found = [row for seq in sorted(seqs) for row in self._read_one(seq)]
        if len(found) < len(seqs) and self.query.kind in (
            "feed",
            "page",
        ):  # by a list, which never outlives its entries
            for seq in set(seqs).difference(row[0] for row in found):
                self.damage.note(seq, "it is listed and is not there")
        return found

    def _read_one(self, seq: int) -> list[Stored]:
        try:
            return rows_of(self.db, "seq = ?", (seq,))
        except sqlite3.DatabaseError as error:
            self.damage.note(seq, str(error))
            return []

    def _asked(self, seq: int, fact: AnyFact) -> bool:
        """Is it in one of the rooms that were asked about, as the list says by which it was found?"""
        if (
            self.query.kind not in ("feed", "page")
            or (fact.room if type(fact) is Said else place(fact)) in self.query.rooms
        ):
            return True
        self.damage.note(seq, "it is listed in a room that it is not in")
        return False

    def _marks(self, targets: Iterable[int]) -> dict[int, Mark]:
        """How messages stand by what the followers know."""
        sql = (
            "SELECT a.target, a.erased, e.seq, e.at, e.room, e.body, e.sum"
            " FROM amendments a LEFT JOIN entries e ON e.seq = a.seq"
            " WHERE a.target IN (SELECT value FROM json_each(?)) ORDER BY a.target, a.seq"
        )
        marks: dict[int, Mark] = {}
        for target, erased, *row in self.db.execute(sql, (str(list(targets)),)):
            if erased or (target in marks and marks[target].erased):
                marks[target] = Mark(True)
            elif row[0] is not None and isinstance(fact := self.damage.fact(*row), Edited) and fact.seq == target:
                marks[target] = Mark(False, row[1], fact.text)
        return marks
