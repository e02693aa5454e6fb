"""The followers: what the log keeps besides its entries (rooms' lists, full text, amendments) follows behind them.

Runs in the writer's thread. Every function here works inside the caller's transaction.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from itertools import chain

from tcpchat.core.model import AnyFact, Deleted, Edited, Entry, Gone, Removed, Said
from tcpchat.log.codec import blank, decode, encode, place
from tcpchat.log.damage import UNREADABLE, rows_of
from tcpchat.log.fulltext import Index, document
from tcpchat.log.schema import AUTHOR, TAKEN_BACK, insert_many, part_of
from tcpchat.log.sums import intact, rewritten, seal

AMENDMENT = "INSERT OR IGNORE INTO amendments VALUES (?, ?, ?)"


def follow(db: sqlite3.Connection, index: Index, entries: Sequence[Entry]) -> None:
    """List, index and carry out some entries, in order, and move the mark behind them."""
    places: list[tuple[int, int, int]] = []
    documents: list[tuple[int, str]] = []
    for entry in entries:
        fact = entry.fact
        kind = type(fact)
        if kind is Said:
            places.append((fact.room, entry.seq, AUTHOR + fact.user if fact.kind != "tag" else 0))  # type: ignore[union-attr]
            documents.append((entry.seq, document(fact, fact.text)))  # type: ignore[arg-type,union-attr]
            continue
        if (room := place(fact)) is not None:
            places.append((room, entry.seq, 0))
        if kind in CHANGES:
            index.add(documents)
            documents = []
            CHANGES[kind](db, index, entry)
    places.sort()  # neighbours in the tree one after the other
    insert_many(db, "INSERT INTO places", 3, list(chain.from_iterable(places)))
    index.add(documents)
    db.execute("UPDATE marks SET value = ? WHERE name = 'followed'", (entries[-1].seq,))


def _edit(db: sqlite3.Connection, index: Index, entry: Entry) -> None:
    fact = entry.fact
    assert isinstance(fact, Edited)
    found = Standing.of(db, fact.seq)
    if found is None:
        return
    if found.erased:
        _rewrite(db, entry.seq, blank(fact))
        index.scrub_later((part_of(fact.seq),))
        return
    index.remove(fact.seq, index.document(fact.seq, found.said, found.text))
    index.add([(fact.seq, index.document(fact.seq, found.said, fact.text))])
    db.execute(AMENDMENT, (fact.seq, entry.seq, 0))


def _remove(db: sqlite3.Connection, index: Index, entry: Entry) -> None:
    fact = entry.fact
    assert isinstance(fact, Removed)
    erase(db, index, fact.seq, entry.seq)


def _delete(db: sqlite3.Connection, index: Index, entry: Entry) -> None:
    """A user went: its cursors at once, its texts (there may be a million) step by step, see erase_some."""
    fact = entry.fact
    assert isinstance(fact, Deleted | Gone)
    db.execute("DELETE FROM cursors WHERE user = ?", (fact.user,))
    if isinstance(fact, Deleted) and fact.erase:
        db.execute("INSERT OR REPLACE INTO erasures VALUES (?, ?)", (fact.user, entry.seq))


CHANGES = {Edited: _edit, Removed: _remove, Deleted: _delete, Gone: _delete}


class Standing:
    """A message as the followers know it: the fact in the log, and the text that is in the index now."""

    def __init__(self, said: Said, text: str, edits: list[int], erased: bool) -> None:
        self.said, self.text, self.edits, self.erased = said, text, edits, erased

    @classmethod
    def of(cls, db: sqlite3.Connection, seq: int) -> Standing | None:
        """None when there is no such message (any more)."""
        said = _fact(db, seq)
        if not isinstance(said, Said):
            return None
        sql = "SELECT seq, erased FROM amendments WHERE target = ? ORDER BY seq"
        changes = db.execute(sql, (seq,)).fetchall()
        edits = [edit for edit, erased in changes if not erased]
        last = _fact(db, edits[-1]) if edits else None
        text = last.text if isinstance(last, Edited) else said.text
        return cls(said, text, edits, any(erased for _, erased in changes))


def _fact(db: sqlite3.Connection, seq: int) -> AnyFact | None:
    """What an entry says; None when it is not there, or damaged (whoever reads it reports that)."""
    for row in rows_of(db, "seq = ?", (seq,)):
        if intact(*row):
            with suppress(*UNREADABLE):
                return decode(row[3])
    return None


def _rewrite(db: sqlite3.Connection, seq: int, fact: AnyFact) -> None:
    """Put another body in the place of an entry's; its checksum stays in the chain."""
    ((_, at, room, _, kept),) = rows_of(db, "seq = ?", (seq,))
    body = encode(fact)
    db.execute("UPDATE entries SET body = ?, sum = ? WHERE seq = ?", (body, rewritten(seq, at, room, body, kept), seq))


def erase(db: sqlite3.Connection, index: Index, seq: int, by: int) -> None:
    """Take a message's text, and that of its edits, out of the file. ``by``: the entry that says so."""
    found = Standing.of(db, seq)
    if found is None or found.erased:
        return
    index.remove(seq, index.document(seq, found.said, found.text))
    _rewrite(db, seq, blank(found.said))
    for edit in found.edits:
        fact = _fact(db, edit)
        if isinstance(fact, Edited):
            _rewrite(db, edit, blank(fact))
    db.execute(AMENDMENT, (seq, by, 1))
    db.execute("UPDATE places SET said = ? WHERE room = ? AND seq = ? AND said > 0", (TAKEN_BACK, found.said.room, seq))
    index.scrub_later((part_of(seq),))


def erase_some(db: sqlite3.Connection, index: Index, limit: int) -> bool:
    """Erase some messages of a user who was deleted with all texts; False when there are none left to erase."""
    row = db.execute("SELECT user, before FROM erasures LIMIT 1").fetchone()
    if row is None:
        return False
    user, before = row
    for part in sorted(index.parts):
        found = index.holds(part, user, before, limit)
        if found:
            for seq in found:
                erase(db, index, seq, before)
            return True
    db.execute("DELETE FROM erasures WHERE user = ?", (user,))
    return True


def redo_some(db: sqlite3.Connection, index: Index, limit: int) -> bool:
    """Index some messages of the first format as they are indexed now; False when there are none left."""
    if index.redone >= index.redo_to:
        return False
    upto = min(index.redone + limit, index.redo_to)
    sql = "SELECT seq FROM entries WHERE seq > ? AND seq <= ?"
    there = [(seq, Standing.of(db, seq)) for (seq,) in db.execute(sql, (index.redone, upto)).fetchall()]
    index.redo([(seq, one.said, one.text) for seq, one in there if one is not None and not one.erased], upto)
    return True


def forget_some(db: sqlite3.Connection, index: Index, before: int, limit: int) -> int:
    """Delete the oldest entries before a seq and all that was kept about them; returns how many went."""
    sql = "SELECT seq FROM entries WHERE seq < ? ORDER BY seq LIMIT ?"
    seqs = [seq for (seq,) in db.execute(sql, (before, limit))]
    if not seqs:
        return 0
    for seq in seqs:
        # A part that goes as a whole is dropped below; from the others the words are taken one by one.
        if part_of(seq) in index.parts and part_of(seq) >= part_of(before):
            found = Standing.of(db, seq)
            if found is not None and not found.erased:
                index.remove(seq, index.document(seq, found.said, found.text))
                index.scrub_later((part_of(seq),))
    last = seqs[-1]
    rows = db.execute("SELECT room, seq FROM entries WHERE seq <= ?", (last,)).fetchall()
    seal(db, last + 1)
    db.executemany("DELETE FROM places WHERE room = ? AND seq = ?", rows)
    db.execute("DELETE FROM amendments WHERE target <= ?", (last,))
    db.execute("DELETE FROM entries WHERE seq <= ?", (last,))
    for part in [part for part in index.parts if part < part_of(last + 1)]:
        index.drop(part)
    return len(seqs)
