"""The followers: indexes are readers of the log too. Runs in the writer's thread, behind the commits, in small steps."""

from __future__ import annotations

import sqlite3

import msgspec

from tcpchat.core.model import AnyFact, Claimed, Deleted, Edited, Entry, Removed, Renamed, RoomMade, Ruled, Said
from tcpchat.log.reading import DECODER

STATEMENT_ROWS = 200  # rows of one INSERT: few big statements let the interpreter's lock go for longer
ACTS = (Ruled, Deleted, Claimed, Renamed)  # of no room, but shown by `admin log`


def insert_many(db: sqlite3.Connection, head: str, columns: int, values: list[object]) -> None:
    """``INSERT ... VALUES`` with many rows at a time."""
    row = "(" + ",".join("?" * columns) + ")"
    step = STATEMENT_ROWS * columns
    for start in range(0, len(values), step):
        part = values[start : start + step]
        db.execute(head + ",".join([row] * (len(part) // columns)), part)


def index(db: sqlite3.Connection, entries: list[Entry]) -> bool:
    """Put entries into the room index and the full-text index and carry out amendments; one transaction.

    Returns whether something was erased (then the write-ahead log should be emptied soon).
    """
    places: list[object] = []
    texts: list[object] = []
    changes: list[Entry] = []
    for entry in entries:
        fact = entry.fact
        if type(fact) is Said:
            places += (fact.room, entry.seq, 1 if fact.kind != "tag" else 0)
            if fact.text:
                texts += (entry.seq, fact.text)
        elif fact.room and not isinstance(fact, RoomMade):
            places += (fact.room, entry.seq, 0)
        elif isinstance(fact, ACTS):
            places += (0, entry.seq, 0)
        if isinstance(fact, Edited | Removed | Deleted):
            changes.append(entry)
    db.execute("BEGIN IMMEDIATE")
    try:
        insert_many(db, "INSERT OR IGNORE INTO places VALUES ", 3, places)
        insert_many(db, "INSERT INTO texts (rowid, text) VALUES ", 2, texts)
        for entry in changes:
            _change(db, entry.fact, entry.at)
        db.execute("UPDATE followers SET seq = ? WHERE name = 'index'", (entries[-1].seq,))
        db.execute("COMMIT")
    except BaseException:
        db.execute("ROLLBACK")
        raise
    return any(not isinstance(entry.fact, Edited) for entry in changes)


def _change(db: sqlite3.Connection, fact: AnyFact, at: int) -> None:
    if isinstance(fact, Edited):
        _amend(db, fact.seq, at, fact.text)
    elif isinstance(fact, Removed):
        _amend(db, fact.seq, at, None)
        _erase(db, fact.seq)
    elif isinstance(fact, Deleted) and fact.erase:
        sql = "SELECT seq FROM entries WHERE json_extract(body, '$.user') = ? AND json_extract(body, '$.f') = 'said'"
        for (seq,) in db.execute(sql, (fact.user,)).fetchall():
            _amend(db, seq, at, None)
            _erase(db, seq)


def _text(db: sqlite3.Connection, seq: int) -> str | None:
    """The text that the full-text index has for a message now."""
    row = db.execute("SELECT text FROM amendments WHERE seq = ?", (seq,)).fetchone()
    if row is not None:
        return str(row[0]) if row[0] is not None else None
    row = db.execute("SELECT body FROM entries WHERE seq = ?", (seq,)).fetchone()
    fact = DECODER.decode(row[0]) if row is not None else None
    return fact.text if isinstance(fact, Said) and fact.text else None


def _amend(db: sqlite3.Connection, seq: int, at: int, text: str | None) -> None:
    old = _text(db, seq)
    if old is not None:
        db.execute("INSERT INTO texts (texts, rowid, text) VALUES ('delete', ?, ?)", (seq, old))
    if text is not None:
        db.execute("INSERT INTO texts (rowid, text) VALUES (?, ?)", (seq, text))
    db.execute("INSERT OR REPLACE INTO amendments VALUES (?, ?, ?)", (seq, at, text))


def _erase(db: sqlite3.Connection, seq: int) -> None:
    """Take the text out of the message's own entry and of the edits that carried it."""
    sql = "SELECT seq, body FROM entries WHERE seq = ? OR (seq > ? AND room = (SELECT room FROM entries WHERE seq = ?)"
    sql += " AND json_extract(body, '$.f') = 'edited' AND json_extract(body, '$.seq') = ?)"
    for place, body in db.execute(sql, (seq, seq, seq, seq)).fetchall():
        fact = DECODER.decode(body)
        if isinstance(fact, Said):
            fact = msgspec.structs.replace(fact, text="", tags=None)
        elif isinstance(fact, Edited):
            fact = msgspec.structs.replace(fact, text="")
        db.execute("UPDATE entries SET body = ? WHERE seq = ?", (msgspec.json.encode(fact), place))
