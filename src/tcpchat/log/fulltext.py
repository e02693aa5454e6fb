"""What the full-text index gets of a message: its words, and two words for the room and the author.

With the room and the author as words, a search in one small room of a big chat reads the small list, not all hits.
"""

from __future__ import annotations

import itertools
import re
import sqlite3
from collections.abc import Iterable
from itertools import chain

from tcpchat.core.model import Said
from tcpchat.log.schema import insert_many, make_part, part_of, words_table

# Letters of a private use area begin the words that no person can type: they are taken out of what people say.
ROOM, USER = "\ue000", "\ue001"
_WITHOUT = str.maketrans({ROOM: " ", USER: " ", "\0": " "})
# People write the one and mean the other; the tokenizer takes the dots off Latin letters only.
_FOLDED = _WITHOUT | str.maketrans("\u0451\u0401", "\u0435\u0415")

# Letters of languages that are written without spaces: Thai, Lao, Burmese, Khmer, Japanese, Chinese. Of a run of these
# the index gets every pair of neighbours, and the last one alone: a search for any part of the run asks for its pairs.
_UNSPACED = re.compile(
    "[\u0e01-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f"
    "\U00020000-\U0003134f]+"
)
GAP = "\u200b"  # between such letters in a text that is compared word by word: no width, and no letter to the tokenizer


def plain(text: str) -> str:
    """A text without what has a meaning of its own here."""
    return text if text.isascii() and "\0" not in text else text.translate(_WITHOUT)


def folded(text: str) -> str:
    """A text with the letters that stand for each other as one."""
    return text if text.isascii() and "\0" not in text else text.translate(_FOLDED)


def apart(text: str) -> str:
    """A text in which each letter of a language without spaces is a word. ``together`` takes a part of it back."""
    if text.isascii():
        return plain(text)
    return _UNSPACED.sub(lambda run: GAP + GAP.join(run[0]) + GAP, text.translate(_FOLDED))


def together(snippet: str, text: str) -> str:
    """The snippet of a text that was set ``apart``, in the letters of the text."""
    if text.isascii():
        return snippet
    snippet, folded = snippet.replace(GAP, ""), text.translate(_FOLDED).replace(GAP, "")
    inner = snippet.strip("…").translate(_UNMARKED)
    place = folded.find(inner)
    if place < 0 or folded == text:
        return snippet
    start = len(snippet) - len(snippet.lstrip("…"))
    letters = iter(text.replace(GAP, "")[place : place + len(inner)])
    middle = snippet[start : len(snippet.rstrip("…"))]
    shown = "".join(one if ord(one) in _UNMARKED else next(letters, "") for one in middle)
    return snippet[:start] + shown + snippet[len(snippet.rstrip("…")) :]


_UNMARKED = {2: None, 3: None}  # what begins and ends a hit in a snippet


def pairs(text: str, *, asked: bool = False) -> str:
    """A text as the index gets it, or (``asked``) what it is asked for: runs without spaces as pairs of neighbours."""
    return _UNSPACED.sub(lambda run: f" {_pairs_of(run[0], asked)} ", text)


def _pairs_of(run: str, asked: bool) -> str:
    letters = [one for one in run if one.isalnum()]  # vowel signs and the like are no letters to the tokenizer
    found = [one + other for one, other in itertools.pairwise(letters)]
    return " ".join(found if asked and found else [*found, *letters[-1:]])


def is_one_letter(term: str) -> bool:
    """Is it a single letter of a language without spaces? The index has pairs that begin with it."""
    return len(term) == 1 and _UNSPACED.match(term) is not None


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
        text = pairs(text.translate(_FOLDED))
    return f"{text} {ROOM}{room} {USER}{said.user}" if room >= 0 else f"{text} {ROOM}m{-room} {USER}{said.user}"


def first_document(said: Said, text: str) -> str:
    """What the first format indexed: runs without spaces as one word, and Russian letters as they were typed."""
    return f"{plain(text)} {room_word(said.room)} {user_word(said.user)}"


class Index:
    """The parts of the full-text index, as the writer sees them."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self.db = db
        self.parts: set[int] = set()
        self.redone, self.redo_to = 0, 0  # messages behind the one, up to the other, are there as first_document
        self.reload()

    def reload(self) -> None:
        """Look again which parts there are (a transaction that made one was rolled back)."""
        marks = dict(self.db.execute("SELECT name, value FROM marks").fetchall())
        self.redone, self.redo_to = marks.get("redone", 0), marks.get("redo to", 0)
        self.parts = {part for (part,) in self.db.execute("SELECT part FROM parts")}

    def document(self, seq: int, said: Said, text: str) -> str:
        """What is indexed, or to be indexed, for a message that is there already."""
        return (first_document if self.redone < seq <= self.redo_to else document)(said, text)

    def redo(self, texts: Iterable[tuple[int, Said, str]], upto: int) -> None:
        """Index messages that the first format indexed, with their texts as of now, as messages are indexed now."""
        fresh: list[tuple[int, str]] = []
        for seq, said, text in texts:
            before, after = first_document(said, text), document(said, text)
            if before != after:
                self.remove(seq, before)
                fresh.append((seq, after))
        self.add(fresh)
        self.db.execute("INSERT OR REPLACE INTO marks VALUES ('redone', ?)", (upto,))
        self.redone = upto
        self.scrub_later({part_of(seq) for seq, _ in fresh})

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
