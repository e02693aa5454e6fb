"""What the full-text index gets of a message: its words, and two words for the room and the author.

With the room and the author as words, a search in one small room of a big chat reads the small list, not all hits.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from itertools import chain

from tcpchat.core.model import Said
from tcpchat.log.schema import insert_many, make_part, part_of, words_table

# Letters of a private use area begin the words that no person can type: they are taken out of what people say.
ROOM, USER = "\ue000", "\ue001"
_WITHOUT = str.maketrans({ROOM: " ", USER: " ", "\0": " "})


def plain(text: str) -> str:
    """A text without what has a meaning of its own here."""
    return text if text.isascii() and "\0" not in text else text.translate(_WITHOUT)


def room_word(room: int) -> str:
    """The word that stands for a room. Minus is no letter, so direct conversations get an m."""
    return f"{ROOM}{room}" if room >= 0 else f"{ROOM}m{-room}"


def user_word(user: int) -> str:
    """The word that stands for an author."""
    return f"{USER}{user}"


def document(said: Said, text: str) -> str:
    """What is indexed for a message with this text. To take it out, the index must be given the same again.

    Called for every message: plain(), room_word() and user_word() are written out.
    """
    room = said.room
    if not text.isascii() or "\0" in text:
        text = text.translate(_WITHOUT)
    return f"{text} {ROOM}{room} {USER}{said.user}" if room >= 0 else f"{text} {ROOM}m{-room} {USER}{said.user}"


class Index:
    """The parts of the full-text index, as the writer sees them."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self.db = db
        self.parts: set[int] = set()
        self.reload()

    def reload(self) -> None:
        """Look again which parts there are (a transaction that made one was rolled back)."""
        self.parts = {part for (part,) in self.db.execute("SELECT part FROM parts")}

    def add(self, documents: list[tuple[int, str]]) -> None:
        """Put in documents, in the order of their seq."""
        while documents:
            part = part_of(documents[0][0])
            if part not in self.parts:
                self._begin(part)
            count = len(documents)
            if part_of(documents[-1][0]) != part:
                count = sum(part_of(seq) == part for seq, _ in documents)
            values: list[object] = list(chain.from_iterable(documents[:count]))
            insert_many(self.db, f"INSERT INTO {words_table(part)} (rowid, text)", 2, values)
            documents = documents[count:]

    def _begin(self, part: int) -> None:
        make_part(self.db, part)
        if part - 1 in self.parts:
            self.scrub_later((part - 1,))  # it is complete: one more merge makes searches in it quick
        self.parts.add(part)

    def remove(self, seq: int, old: str) -> None:
        """Take a document out. Its words are gone from the file once the part has been scrubbed."""
        table = words_table(part_of(seq))
        self.db.execute(f"INSERT INTO {table} ({table}, rowid, text) VALUES ('delete', ?, ?)", (seq, old))

    def scrub_later(self, parts: Iterable[int]) -> None:
        """Have parts merged, so that nothing is left in them of what was taken out."""
        self.db.executemany("UPDATE parts SET scrub = 1 WHERE part = ?", [(part,) for part in parts])

    def scrub_some(self, pages: int) -> bool:
        """Merge some pages of a part that needs it; False when none does."""
        row = self.db.execute("SELECT part, scrub FROM parts WHERE scrub > 0 LIMIT 1").fetchone()
        if row is None:
            return False
        table = words_table(row[0])
        before = self.db.total_changes
        # The negative number has all that is there now merged into one; the others go on with that.
        rank = -pages if row[1] == 1 else pages
        self.db.execute(f"INSERT INTO {table} ({table}, rank) VALUES ('merge', ?)", (rank,))
        done = row[1] == 2 and self.db.total_changes - before < 2
        self.db.execute("UPDATE parts SET scrub = ? WHERE part = ?", (0 if done else 2, row[0]))
        return True

    def holds(self, part: int, user: int, before: int, limit: int) -> list[int]:
        """Places of an author's messages in a part."""
        table = words_table(part)
        sql = f"SELECT rowid FROM {table} WHERE {table} MATCH ? AND rowid < ? LIMIT ?"
        return [seq for (seq,) in self.db.execute(sql, (f'"{user_word(user)}"', before, limit))]

    def drop(self, part: int) -> None:
        """Drop a whole part."""
        self.db.execute(f"DROP TABLE {words_table(part)}")
        self.db.execute("DELETE FROM parts WHERE part = ?", (part,))
        self.parts.discard(part)
