"""The newest entries, in memory: the indexes have not passed all of them, and most questions are about them.

A Tail lives on the loop's thread; a View is what a reader may take to its own.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from operator import attrgetter

from msgspec import Struct

from tcpchat.core.model import Deleted, Edited, Entry, Query, Removed, Result, Row, Said
from tcpchat.log.codec import Mark, is_message, place, row_of

KEEP = 2_048  # newest entries that stay for readers close to the head, also when the indexes have them: about 1 MB

_seq = attrgetter("seq")


class View(Struct, frozen=True):
    """The tail as it was when a question was asked, for the rooms asked about."""

    head: int  # what is behind it is not part of the answer
    rooms: dict[int, list[Entry]]
    amended: dict[int, tuple[Entry, ...]]  # seq of a message -> its edits and removals
    erasing: dict[int, int]  # user -> messages before this seq are erased, in the file perhaps not yet

    def behind(self, room: int, seq: int) -> Sequence[Entry]:
        """Entries of a room with a greater seq, oldest first."""
        entries = self.rooms.get(room, [])
        return entries[bisect_right(entries, seq, key=_seq) :] if entries else ()

    def mark(self, seq: int) -> Mark | None:
        """How a message stands by what the tail knows."""
        changes = self.amended.get(seq)
        if changes is None:
            return None
        if any(type(change.fact) is Removed for change in changes):
            return Mark(True)
        newest = changes[-1]
        return Mark(False, newest.at, newest.fact.text)  # type: ignore[union-attr]  # all others are Edited

    def row(self, entry: Entry) -> Row:
        """An entry of the tail as of now; all that was done to it is in the tail, too."""
        return row_of(entry.seq, entry.at, entry.fact, self.mark, self.erasing)


class Tail:
    """The newest entries by seq and by room."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.rooms: dict[int, list[Entry]] = {}
        self.amended: dict[int, tuple[Entry, ...]] = {}
        self.erasing: dict[int, int] = {}

    def add(self, entries: Iterable[Entry]) -> None:
        """Take durable entries, in order."""
        rooms, newest = self.rooms, self.entries
        for entry in entries:
            newest.append(entry)
            fact = entry.fact
            if type(fact) is Said:  # nearly all are
                if (said := rooms.get(fact.room)) is not None:
                    said.append(entry)
                else:
                    rooms[fact.room] = [entry]
                continue
            room = place(fact)
            if room is not None:
                if room in rooms:
                    rooms[room].append(entry)
                else:
                    rooms[room] = [entry]
            if isinstance(fact, Edited | Removed):
                self.amended[fact.seq] = (*self.amended.get(fact.seq, ()), entry)
            elif type(fact) is Deleted and fact.erase:
                self.erasing[fact.user] = entry.seq

    def trim(self, followed: int) -> None:
        """Let go of what the indexes have passed, but for the newest KEEP."""
        self._drop(bisect_right(self.entries, followed, hi=max(0, len(self.entries) - KEEP), key=_seq))

    def forget(self, before: int) -> None:
        """Let go of entries that the file has no longer."""
        self._drop(bisect_left(self.entries, before, key=_seq))

    def _drop(self, count: int) -> None:
        gone, self.entries = self.entries[:count], self.entries[count:]
        if not gone:
            return
        last = gone[-1].seq
        facts = [entry.fact for entry in gone]
        for room in {fact.room if type(fact) is Said else place(fact) for fact in facts} - {None}:
            entries = self.rooms[room]  # type: ignore[index]
            del entries[: bisect_right(entries, last, key=_seq)]
            if not entries:
                del self.rooms[room]  # type: ignore[arg-type]
        for fact in facts if self.amended else ():
            if isinstance(fact, Edited | Removed):
                self._forget_change(fact.seq, last)

    def _forget_change(self, seq: int, last: int) -> None:
        left = tuple(change for change in self.amended.get(seq, ()) if change.seq > last)
        if left:
            self.amended[seq] = left
        else:
            self.amended.pop(seq, None)

    def view(self, head: int, rooms: Iterable[int]) -> View:
        """What a reader in another thread may look at."""
        known = self.rooms
        return View(
            head, {room: known[room][:] for room in rooms if room in known}, self.amended.copy(), self.erasing.copy()
        )

    def answer(self, query: Query) -> Result | None:
        """The answer to a question about the newest entries alone; None for all others."""
        first = self.entries[0].seq if self.entries else 0
        if query.kind == "feed" and first and query.after >= first - 1:
            return self._feed(query)
        if query.kind == "entry" and first and query.seq >= first:
            start = bisect_left(self.entries, query.seq, key=_seq)  # one that is damaged leaves a gap
            entries = [entry for entry in self.entries[start : start + 1] if entry.seq == query.seq]
            return Result(tuple(self._live().row(entry) for entry in entries))
        return None

    def _feed(self, query: Query) -> Result:
        found: list[Entry] = []
        for room in query.rooms:
            entries = self.rooms.get(room)
            if entries and entries[-1].seq > query.after:
                start = bisect_right(entries, query.after, key=_seq)
                found += entries[start : start + query.limit + 1]
        found.sort(key=_seq)
        live = self._live()
        return Result(tuple(live.row(entry) for entry in found[: query.limit]), len(found) > query.limit)

    def _live(self) -> View:
        return View(0, self.rooms, self.amended, self.erasing)


def newest(entries: Sequence[Entry], before: int, count: int, events: bool) -> list[Entry]:
    """The last ``count`` entries before a seq that a page shows, oldest first."""
    found: list[Entry] = []
    for place_in in range(bisect_left(entries, before, key=_seq) - 1, -1, -1):
        if len(found) == count:
            break
        if events or is_message(entries[place_in].fact):
            found.append(entries[place_in])
    return found[::-1]
