"""Full-text search: the parts from the newest to the oldest until there is enough, and what the index has not yet.

The index knows which messages hold all words; whether they stand as they were typed ("don't" is two words, one behind
the other), and where, is looked up in a small index in memory, made of the candidates alone. What the followers have
not passed goes through that small one only, so both parts of an answer are found by the same rules.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tcpchat.core.model import Query, Result, Row, Said
from tcpchat.log.fulltext import apart, folded, is_one_letter, pairs, plain, room_word, together, user_word
from tcpchat.log.schema import END, TOKENIZER, first_at, insert_many, part_of, words_table

if TYPE_CHECKING:
    from tcpchat.log.reading import Reading

SNIPPET_WORDS = 24
CANDIDATES = 40  # at least as many are looked at in one go
ROOMS_MANY = 48  # rooms of one search: from here on a glance at all rooms' hits comes first
GLANCE = 2_000  # hits looked at then
WORDS_MAX = 32  # words of one search: each costs a list to read
_TYPED = re.compile(r'"([^"]*)"|(\S+)')


def typed(words: str) -> list[str]:
    """What was asked for: words, or several in quotation marks that stand together."""
    return [plain(quoted or word).replace('"', " ") for quoted, word in _TYPED.findall(words)][:WORDS_MAX]


class Scratch:
    """An index in memory with the texts that it is given, for one step of one search at a time."""

    def __init__(self) -> None:
        self.db = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        self.db.execute(f"CREATE VIRTUAL TABLE texts USING fts5 (text, tokenize='{TOKENIZER}')")
        self.db.execute("CREATE VIRTUAL TABLE terms USING fts5vocab (texts, instance)")

    def terms(self, asked: list[str]) -> list[list[str]]:
        """The words that the tokenizer sees in each, as the index has them."""
        with self._filled(enumerate(asked)):
            found: list[list[str]] = [[] for _ in asked]
            for term, place in self.db.execute("SELECT term, doc FROM terms ORDER BY doc, offset"):
                found[place].append(term)
        return found

    def hits(self, texts: Iterable[tuple[int, str]], expression: str) -> dict[int, str]:
        """Which of the texts fit, with their snippets."""
        sql = f"SELECT rowid, snippet(texts, 0, char(2), char(3), '…', {SNIPPET_WORDS}) FROM texts WHERE texts MATCH ?"
        with self._filled(texts):
            return dict(self.db.execute(sql, (expression,)).fetchall())

    @contextmanager
    def _filled(self, texts: Iterable[tuple[int, str]]) -> Iterator[None]:
        self.db.execute("BEGIN")
        try:
            insert_many(self.db, "INSERT INTO texts (rowid, text)", 2, [value for pair in texts for value in pair])
            yield
        finally:
            self.db.execute("ROLLBACK")


class Searching:
    """One search."""

    def __init__(self, reading: Reading) -> None:
        self.reading, self.query = reading, reading.query
        self.scratch = reading.scratch
        asked = typed(self.query.words)
        terms = self.scratch.terms([pairs(folded(one), asked=True) for one in asked])
        kept = [place for place, some in enumerate(terms) if some]  # "!!!" alone asks for nothing
        self.terms = [term for place in kept for term in terms[place]]
        self.expression = " AND ".join(f'"{apart(asked[place])}"' for place in kept) + (" *" if kept else "")
        self.impossible = bool(self.query.words.strip()) and not kept

    def result(self) -> Result:
        """The newest messages that fit."""
        limit = self.reading.limit
        if self.impossible or not self.query.rooms or not (self.terms or self.query.user):
            return Result()
        rows = sorted([*self._fresh(), *self._stored(limit + 1)], key=lambda row: -row.seq)
        return Result(tuple(rows[:limit]), len(rows) > limit)

    # -- what the followers have not passed ----------------------------------------------------------------------------

    def _fresh(self) -> list[Row]:
        """Hits among the messages of the tail, and among older ones whose edits are in the tail."""
        reading, view = self.reading, self.reading.view
        rows = [
            view.row(entry)
            for room in set(self.query.rooms)
            for entry in view.behind(room, reading.followed)
            if type(entry.fact) is Said
        ]
        rows += reading.stored([seq for seq in view.amended if seq <= reading.followed])
        return self._fitting([row for row in rows if self._in_question(row)])

    def _in_question(self, row: Row) -> bool:
        query, fact = self.query, row.fact
        return (
            type(fact) is Said
            and fact.room in query.rooms
            and query.user in (0, fact.user)
            and query.since <= row.at <= (query.until or row.at)
            and row.seq < (query.before or row.seq + 1)
        )

    def _fitting(self, rows: list[Row]) -> list[Row]:
        """Those of the rows that have the words, with their snippets."""
        rows = [row for row in rows if not row.removed]
        if not self.expression or not rows:
            return [row for row in rows if _text(row)]
        hits = self.scratch.hits(((row.seq, apart(_text(row))) for row in rows), self.expression)
        for row in rows:
            row.snippet = together(hits.get(row.seq, ""), _text(row))
        return [row for row in rows if row.seq in hits]

    # -- what the index has ------------------------------------------------------------------------------------------

    def _stored(self, count: int) -> list[Row]:
        low, high = self._bounds()
        found: list[Row] = []
        for (part,) in self.reading.db.execute("SELECT part FROM parts ORDER BY part DESC").fetchall():
            if part_of(low) <= part <= part_of(high) and len(found) < count:
                for seqs in self._candidates(part, low, high, max(CANDIDATES, count)):
                    rows = [row for row in self.reading.stored(seqs) if row.seq not in self.reading.view.amended]
                    found += self._fitting([row for row in rows if self._in_question(row)])[::-1]
                    if len(found) >= count:
                        break
        return found[:count]

    def _bounds(self) -> tuple[int, int]:
        """Places from the one on, and before the other."""
        db, query = self.reading.db, self.query
        low = first_at(db, query.since) if query.since else 0
        high = first_at(db, query.until + 1) if query.until else END
        return low, min(high, query.before or END, self.reading.followed + 1)

    def _candidates(self, part: int, low: int, below: int, count: int) -> Iterator[list[int]]:
        """Messages of a part that have all words, newest first, some at a time.

        To look at the lists of hundreds of rooms takes longer than to look at a few thousand hits in all rooms; but
        there may be many more hits than that, and hardly one of them in these rooms.
        """
        glance = len(self.query.rooms) > ROOMS_MANY
        while True:
            hits = self._hits(part, low, below, GLANCE if glance else count, in_rooms=not glance)
            seqs = self._in_rooms(hits, count) if glance else hits
            if seqs:
                yield seqs
            if glance and len(seqs) == count:
                below = seqs[-1]
                continue
            if len(hits) < (GLANCE if glance else count):
                return
            below, glance = hits[-1], False

    def _hits(self, part: int, low: int, below: int, count: int, *, in_rooms: bool) -> list[int]:
        table = words_table(part)
        sql = (
            f"SELECT rowid FROM {table} WHERE {table} MATCH ? AND rowid >= ? AND rowid < ? ORDER BY rowid DESC LIMIT ?"
        )
        expression = _index_expression(self.query, self.terms, in_rooms)
        return [seq for (seq,) in self.reading.db.execute(sql, (expression, low, below, count))]

    def _in_rooms(self, seqs: list[int], count: int) -> list[int]:
        sql = (
            "SELECT seq FROM entries WHERE seq IN (SELECT value FROM json_each(?))"
            " AND room IN (SELECT value FROM json_each(?)) ORDER BY seq DESC LIMIT ?"
        )
        values = (str(seqs), str(list(self.query.rooms)), count)
        return [seq for (seq,) in self.reading.db.execute(sql, values)]


def _text(row: Row) -> str:
    return row.fact.text if isinstance(row.fact, Said) else ""


def _index_expression(query: Query, terms: list[str], in_rooms: bool) -> str:
    """The question for the index: every word by itself, the last as a beginning, the author, one of the rooms."""
    parts = []
    if in_rooms:
        parts.append("(" + " OR ".join(f'"{room_word(room)}"' for room in sorted(set(query.rooms))) + ")")
    if query.user:
        parts.append(f'"{user_word(query.user)}"')
    parts += [f'"{term}" *' if is_one_letter(term) else f'"{term}"' for term in terms[:-1]]
    parts += [f'"{term}"' for term in terms[-1:]]
    return " AND ".join(parts) + (" *" if terms else "")
