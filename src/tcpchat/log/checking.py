"""A look at the whole file, entry by entry, without changing it and while it is in use or not."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from pathlib import Path

from tcpchat.core.model import Said
from tcpchat.log import told
from tcpchat.log.codec import decode, place
from tcpchat.log.damage import UNREADABLE, Row
from tcpchat.log.schema import advice, connect
from tcpchat.log.sums import BLOCK, DIGEST, START, Chain, anchor_of, intact, joined
from tcpchat.log.told import Told

PAGE = 4_096  # entries looked at in one go
NAMED_MAX = 100  # damaged entries that are listed
FORMAT_WITH_SUMS = 3  # PRAGMA user_version from which on entries have checksums


@dataclass
class Report:
    """What a check found."""

    verdict: str = "ok"  # of SQLite: is the file as a file all right?
    entries: int = 0
    first: int = 0
    last: int = 0
    missing: int = 0  # places between first and last without an entry
    damaged: list[int] = field(default_factory=list)  # entries that are not what was written, the first NAMED_MAX
    damaged_count: int = 0
    told: int = 0  # the last place that a sender was told of, by the record beside the file; 0 without one
    lost: int = 0  # entries that were told and are not there any more, behind the last one
    chain: str = ""  # where the chain of the entries breaks; "" when it is whole
    lists: str = ""  # what is wrong with the rooms' lists, with the saved states; "" when they are right

    @property
    def whole(self) -> bool:
        """Is everything there, and everything as it was written?"""
        faults = self.missing or self.damaged_count or self.lost or self.chain or self.lists
        return self.verdict == "ok" and not faults

    def faults(self) -> list[str]:
        """What is wrong, in sentences."""
        named = ", ".join(map(str, self.damaged)) + (", ..." if self.damaged_count > len(self.damaged) else "")
        return [
            text
            for bad, text in (
                (self.lost, f"{self.lost} messages that were told accepted are missing behind entry {self.last}."),
                (self.missing, f"{self.missing} entries are missing in between."),
                (self.damaged_count, f"{self.damaged_count} entries are damaged and are left out: {named}."),
                (self.chain, self.chain),
                (self.lists, self.lists),
            )
            if bad
        ]


def check(path: Path) -> Report:
    """Look at every entry. Raises sqlite3.Error where not even that is possible."""
    record = told.read(path)  # before the entries are looked at: a server may be going on meanwhile
    db = connect(path, read_only=True)
    try:
        db.execute("BEGIN")
        checking = Checking(db, record)
        try:
            checking.run()
        except UnicodeDecodeError as error:
            checking.report.verdict = f"damaged ({error})"
        except sqlite3.DatabaseError as error:
            checking.report.verdict = advice(path, error)
        return checking.report
    finally:
        db.close()


class Checking:
    """One check of one state of the file."""

    def __init__(self, db: sqlite3.Connection, record: Told | None) -> None:
        self.db, self.record, self.report = db, record, Report()
        self.sums = db.execute("PRAGMA user_version").fetchone()[0] >= FORMAT_WITH_SUMS
        self.running: bytes | None = None  # of the chain: the value before this block; None: it cannot be told
        self.digests = b""
        self.listed = 0

    def run(self) -> None:
        """Do all that there is to do."""
        report, db = self.report, self.db
        report.verdict = db.execute("PRAGMA integrity_check").fetchone()[0]
        count, first, last = db.execute("SELECT count(*), min(seq), max(seq) FROM entries").fetchone()
        report.entries, report.first, report.last = count, first or 0, last or 0
        report.missing = report.last - report.first + 1 - count if count else 0
        if self.record is not None:
            report.told = self.record.seq
            report.lost = max(0, self.record.seq - report.last)
        followed: int = db.execute("SELECT value FROM marks WHERE name = 'followed'").fetchone()[0]
        self._begin()
        if self.record is not None and self.record.seq == 0:
            self._compare()
        self._entries(followed)
        self._lists()

    def _begin(self) -> None:
        first = self.report.first
        sealed = self.db.execute("SELECT block, anchor, digests FROM seals").fetchone() if self.sums else None
        if sealed and sealed[0] == first - first % BLOCK:
            self.running, self.digests = sealed[1], sealed[2]
        elif first in (0, 1):
            self.running = START

    def _entries(self, followed: int) -> None:
        column, after = "sum" if self.sums else "NULL", 0
        sql = f"SELECT seq, at, room, body, {column} FROM entries WHERE seq > ? ORDER BY seq LIMIT {PAGE}"
        while rows := self.db.execute(sql, (after,)).fetchall():
            for row in rows:
                self._entry(row, followed)
            after = rows[-1][0]

    def _entry(self, row: Row, followed: int) -> None:
        seq, at, room, body, kept = row
        self._link(seq, kept)
        try:
            fact = decode(body) if intact(seq, at, room, body, kept) else None
        except UNREADABLE:
            fact = None
        if fact is None:
            self.report.damaged_count += 1
            if len(self.report.damaged) < NAMED_MAX:
                self.report.damaged.append(seq)
            return
        where = fact.room if type(fact) is Said else place(fact)
        if where is not None and seq <= followed:
            said = type(fact) is Said and fact.kind != "tag"
            self.listed ^= hash((where, seq, int(said)))

    def _link(self, seq: int, kept: bytes | None) -> None:
        """Take an entry into the chain, and compare where there is something to compare with."""
        if seq % BLOCK == 0 and isinstance(kept, bytes) and len(kept) > 2 * DIGEST:
            anchor = anchor_of(kept)
            if self.running is not None and Chain(self.running, self.digests).value != anchor:
                self._broken(f"before entry {seq}")
            self.running, self.digests = anchor, b""
        elif seq % BLOCK == 0:
            self.running, self.digests = (START if kept is None else None), b""
        if self.running is not None:
            self.digests += joined([kept])
        if self.record is not None and seq == self.record.seq:
            self._compare()

    def _compare(self) -> None:
        """The chain at the place that was told must be the one that was told."""
        assert self.record is not None
        if self.running is not None and Chain(self.running, self.digests).value != self.record.chain:
            self._broken(f"at entry {self.record.seq}, which is not what was told")

    def _broken(self, where: str) -> None:
        self.report.chain = (
            self.report.chain or f"The chain of the entries breaks {where}: some were changed or replaced."
        )

    def _lists(self) -> None:
        """The rooms' lists must have the entries, the saved states must be of entries that are there."""
        there = 0
        for row in self.db.execute("SELECT room, seq, said FROM places"):
            there ^= hash((*row[:2], int(row[2] > 0)))
        if there != self.listed and not self.report.damaged_count and not self.report.missing:
            self.report.lists = "A room's list of messages is damaged: some may not be shown."
        column = "sum" if self.sums else "NULL"
        for seq, state, kept in self.db.execute(f"SELECT seq, state, {column} FROM snapshots"):
            if seq > self.report.last:
                self.report.lost = max(self.report.lost, seq - self.report.last)
            if not intact(seq, 0, 0, state, kept):
                self.report.lists = f"The state saved at entry {seq} is damaged: the start takes an older one."
