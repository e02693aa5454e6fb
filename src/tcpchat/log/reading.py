"""Answers from the file: runs in the reader's thread, on its own read-only connection.

Every function reads only what the followers have passed (``upto``); what is newer comes from memory (see tail.py).
"""

from __future__ import annotations

import re
import sqlite3

import msgspec

from tcpchat.core.model import AnyFact, Query, Result, Row, Said

DECODER = msgspec.json.Decoder(AnyFact)
COUNT_MAX = 100  # unread messages are counted up to here
SNIPPET = 60  # characters around the first hit
_WORD = re.compile(r"\w+")


def fts_words(words: str) -> list[str]:
    """The words of a search as the tokenizer sees them; nothing of the query language gets through."""
    return _WORD.findall(words.casefold())


def fts_query(words: str) -> str:
    """An FTS5 expression: all words, the last one as a beginning."""
    parts = [f'"{word}"' for word in fts_words(words)]
    return " ".join(parts) + "*" if parts else ""


def rows_of(db: sqlite3.Connection, seqs: list[int]) -> list[Row]:
    """Entries by their places, amended, in the order given."""
    found: dict[int, Row] = {}
    for start in range(0, len(seqs), 500):
        some = seqs[start : start + 500]
        marks = ",".join("?" * len(some))
        sql = (
            "SELECT e.seq, e.at, e.body, a.at, a.text, a.seq FROM entries e LEFT JOIN amendments a ON a.seq = e.seq"
            f" WHERE e.seq IN ({marks})"
        )
        for seq, at, body, amended, text, is_amended in db.execute(sql, some):
            found[seq] = _row(seq, at, DECODER.decode(body), amended, text, is_amended is not None)
    return [found[seq] for seq in seqs if seq in found]


def _row(seq: int, at: int, fact: AnyFact, amended: int | None, text: str | None, is_amended: bool) -> Row:
    if not is_amended or not isinstance(fact, Said):
        return Row(seq, at, fact)
    if text is None:
        return Row(seq, at, msgspec.structs.replace(fact, text="", tags=None), 0, True)
    return Row(seq, at, msgspec.structs.replace(fact, text=text), amended or 0)


def page_seqs(db: sqlite3.Connection, query: Query, upto: int) -> list[int]:
    """Places of one room's page, oldest first, one more than asked for on the side(s) read."""
    room, limit = query.rooms[0], query.limit
    said = "" if query.events else " AND said = 1"
    sql = f"SELECT seq FROM places WHERE room = ? AND seq <= {upto}{said}"

    def before(seq: int, count: int) -> list[int]:
        rows = db.execute(f"{sql} AND seq < ? ORDER BY seq DESC LIMIT ?", (room, seq, count))
        return [row[0] for row in rows][::-1]

    def after(seq: int, count: int, until: int = 0) -> list[int]:
        rows = db.execute(f"{sql} AND seq > ? AND seq < ? ORDER BY seq LIMIT ?", (room, seq, until or 1 << 62, count))
        return [row[0] for row in rows]

    if query.after or query.until:
        return after(query.after, limit + 1, query.until)
    middle = query.around or (first_at(db, query.at) if query.at else 0)
    if middle:
        return before(middle, limit + 1) + after(middle - 1, limit + 1)
    return before(query.before or 1 << 62, limit + 1)


def first_at(db: sqlite3.Connection, at: int) -> int:
    """The first place at or behind a time: times grow with places, so this is a bisection."""
    low, high = 1, (db.execute("SELECT max(seq) FROM entries").fetchone()[0] or 0) + 1
    while low < high:
        middle = (low + high) // 2
        row = db.execute("SELECT at FROM entries WHERE seq >= ? ORDER BY seq LIMIT 1", (middle,)).fetchone()
        if row is None or row[0] >= at:
            high = middle
        else:
            low = middle + 1
    return low


def feed_seqs(db: sqlite3.Connection, query: Query, upto: int) -> list[int]:
    """The next places of several rooms, one more than asked for. Room by room, so that no page costs more than it has."""
    seqs: list[int] = []
    for room in query.rooms:
        sql = "SELECT seq FROM places WHERE room = ? AND seq > ? AND seq <= ? ORDER BY seq LIMIT ?"
        seqs += [row[0] for row in db.execute(sql, (room, query.after, upto, query.limit + 1))]
    seqs.sort()
    return seqs[: query.limit + 1]


def search_rows(db: sqlite3.Connection, query: Query, upto: int) -> list[Row]:
    """Messages with the words, newest first, one more than asked for."""
    conditions = [f"e.seq <= {upto}"]
    values: list[object] = []
    expression = fts_query(query.words)
    if query.words.strip() and not expression:
        return []
    marks = ",".join("?" * len(query.rooms))
    conditions.append(f"e.room IN ({marks})")
    values += query.rooms
    for column, sign, value in (("e.at", ">=", query.since), ("e.at", "<=", query.until), ("e.seq", "<", query.before)):
        if value:
            conditions.append(f"{column} {sign} ?")
            values.append(value)
    if query.user:
        conditions.append("json_extract(e.body, '$.user') = ?")
        values.append(query.user)
    where = " AND ".join(conditions)
    if expression:
        sql = (
            f"SELECT e.seq FROM texts JOIN entries e ON e.seq = texts.rowid WHERE texts MATCH ? AND {where}"
            " ORDER BY texts.rowid DESC LIMIT ?"
        )
        seqs = [row[0] for row in db.execute(sql, (expression, *values, query.limit + 1))]
    else:
        sql = f"SELECT e.seq FROM entries e WHERE {where} AND json_extract(e.body, '$.f') = 'said' ORDER BY e.seq DESC LIMIT ?"
        seqs = [row[0] for row in db.execute(sql, (*values, query.limit + 1))]
    return rows_of(db, seqs)


def counts(db: sqlite3.Connection, query: Query, upto: int) -> dict[int, int]:
    """Messages behind each room's cursor, at most COUNT_MAX."""
    out: dict[int, int] = {}
    for room in query.rooms:
        cursor = (query.cursors or {}).get(room, query.after)
        sql = "SELECT count(*) FROM (SELECT 1 FROM places WHERE room = ? AND seq > ? AND seq <= ? AND said = 1 LIMIT ?)"
        out[room] = db.execute(sql, (room, cursor, upto, COUNT_MAX)).fetchone()[0]
    return out


def with_snippets(rows: list[Row], words: str) -> tuple[Row, ...]:
    """Each row with the surroundings of its hits, marked."""
    wanted = fts_words(words)
    for row in rows:
        if isinstance(row.fact, Said):
            row.snippet = snippet(row.fact.text, wanted)
    return tuple(rows)


def snippet(text: str, wanted: list[str]) -> str:
    """The words' surroundings with \\x02 and \\x03 around each hit."""
    hits = [hit for hit in _WORD.finditer(text) if _fits(hit[0].casefold(), wanted)]
    if not hits:
        return text[: 2 * SNIPPET]
    start, end = max(0, hits[0].start() - SNIPPET), min(len(text), hits[0].end() + SNIPPET)
    out, at = ["…" if start else ""], start
    for hit in hits:
        if hit.end() > end:
            break
        out += [text[at : hit.start()], "\x02", hit[0], "\x03"]
        at = hit.end()
    return "".join([*out, text[at:end], "…" if end < len(text) else ""])


def _fits(word: str, wanted: list[str]) -> bool:
    return word in wanted or bool(wanted and word.startswith(wanted[-1]))


def matches(text: str, words: str) -> bool:
    """The same question as fts_query asks, for texts that are only in memory."""
    wanted, there = fts_words(words), fts_words(text)
    if not wanted:
        return False
    return all(word in there for word in wanted[:-1]) and any(word.startswith(wanted[-1]) for word in there)


def result(rows: list[Row], limit: int, newest: bool = False) -> Result:
    """A page of ``limit`` rows and whether there is more (``newest``: the page is the end of the rows)."""
    more = len(rows) > limit
    return Result(tuple(rows[-limit:] if newest else rows[:limit]), more)
