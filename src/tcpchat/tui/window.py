"""Window: the rows of one conversation that are in memory, in order, with their heights.

Of a room of any size it holds at most ``limit`` rows. It may end before the room does, at either side: ``at_head`` and
``at_tail`` say where it touches the room's beginning and its end.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate

from tcpchat.i18n import _
from tcpchat.tui.rows import FOLDED, PENDING, SAME_NICK_SECONDS, Layout, Row, day_of, measure

WINDOW = 5_000  # rows
SLACK = 500  # rows above the limit before the far end is dropped, all at once


def place(row: Row) -> float:
    """Where the row belongs."""
    return row.place


class Window:
    """Rows in order of their place: accepted ones by seq, pending ones behind everything."""

    def __init__(self, is_own: Callable[[Row], bool], limit: int = WINDOW) -> None:
        self.rows: list[Row] = []
        self.offsets = array("l", [0])  # offsets[i] = first line of row i; the last is the number of lines
        self.layout = Layout(80)
        self.limit = limit
        self.at_head = self.at_tail = False
        self.is_own = is_own
        self.version = 0  # counts changes, for caches

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def height(self) -> int:
        """Lines in all."""
        return self.offsets[-1]

    @property
    def first_seq(self) -> int:
        """The seq of the first row that has one, else 0."""
        return next((row.seq for row in self.rows if row.seq), 0)

    @property
    def last_seq(self) -> int:
        """The seq of the last row that has one, else 0."""
        return next((row.seq for row in reversed(self.rows) if row.seq), 0)

    # -- finding -------------------------------------------------------------------------------------------------------

    def row_at(self, y: int) -> tuple[int, int]:
        """The index of the row that holds line ``y``, and the line within it."""
        index = min(bisect_right(self.offsets, y) - 1, len(self.rows) - 1)
        return index, y - self.offsets[index]

    def find(self, seq: int) -> int:
        """The index of a seq, or -1."""
        index = bisect_left(self.rows, float(seq), key=place)
        if index < len(self.rows) and self.rows[index].seq == seq:
            return index
        return -1

    def first_from(self, seq: int) -> int:
        """The index of the first row with this seq or a later one."""
        return bisect_left(self.rows, float(seq), key=place)

    def index(self, row: Row) -> int:
        """The index of a row that is in here, or -1."""
        at = bisect_left(self.rows, row.place, key=place)
        while at < len(self.rows) and self.rows[at].place == row.place:
            if self.rows[at] is row:
                return at
            at += 1
        return -1

    # -- changing ------------------------------------------------------------------------------------------------------

    def extend(self, rows: Sequence[Row]) -> None:
        """Add rows at the end (or where they belong); those that are in here already are left out."""
        if not rows:
            return
        start, last = len(self.rows), self.rows[-1].place if self.rows else 0.0
        if rows[0].place > last or (rows[0].place == last == PENDING):
            self.rows += rows
        else:
            start = self._merge(rows)
        self._changed(start, len(self.rows))

    def _merge(self, rows: Sequence[Row]) -> int:
        first = len(self.rows)
        for row in rows:
            if row.seq and self.find(row.seq) >= 0:
                continue
            at = bisect_right(self.rows, row.place, key=place)
            self.rows.insert(at, row)
            first = min(first, at)
        return first

    def prepend(self, rows: Sequence[Row]) -> None:
        """Add older rows at the beginning."""
        first = self.first_seq
        older = [row for row in rows if not first or row.place < first]
        self.rows[:0] = older
        self._changed(0, len(older) + 1, heights_from=0)

    def trim_top(self) -> bool:
        """Drop the oldest rows above the limit, once there are enough of them. Returns whether there were."""
        extra = len(self.rows) - self.limit
        if extra < min(SLACK, self.limit):
            return False
        del self.rows[:extra]
        self.at_head = False
        self._changed(0, 1, heights_from=0)
        return True

    def trim_bottom(self) -> bool:
        """Drop the newest rows above the limit (a view is far above them). Returns whether there were any."""
        if len(self.rows) <= self.limit + SLACK:
            return False
        del self.rows[self.limit :]
        self.at_tail = False
        self._changed(len(self.rows), len(self.rows), heights_from=len(self.rows))
        return True

    def keep_only(self, rows: list[Row]) -> None:
        """Show nothing but these rows; what was is not loaded again by itself."""
        self.rows = rows
        self.at_head = True
        self._changed(0, len(rows), heights_from=0)

    def remove(self, row: Row) -> None:
        """Take a row out."""
        at = self.index(row)
        if at >= 0:
            del self.rows[at]
            self._changed(at, at + 1, heights_from=at)

    def move(self, row: Row, seq: int, at: int) -> None:
        """An own row has got its place."""
        index = self.index(row)
        if index < 0:
            return
        others = self.find(seq)
        if others >= 0 and others != index:
            del self.rows[index]  # the feed was faster
            self._changed(index, index + 1, heights_from=index)
            return
        row.seq, row.at = seq, at or row.at
        stays = (index == 0 or self.rows[index - 1].place < seq) and (
            index + 1 == len(self.rows) or self.rows[index + 1].place > seq
        )
        if stays:
            row.place = seq
            self._changed(index, index + 1)
        else:
            del self.rows[index]
            row.place = seq
            target = bisect_right(self.rows, float(seq), key=place)
            self.rows.insert(target, row)
            self._changed(min(index, target), max(index, target) + 1, heights_from=min(index, target))

    def settle(self, row: Row) -> None:
        """A row that will never get a place (it failed) stays where it is, among what has one."""
        index = self.index(row)
        if index < 0:
            return
        del self.rows[index]
        row.place = (self.rows[-1].seq or self.last_seq) + 0.5 if self.rows else 0.5
        target = bisect_right(self.rows, row.place, key=place)
        self.rows.insert(target, row)
        self._changed(min(index, target), len(self.rows))

    def changed(self, row: Row) -> int:
        """The text or marks of a row have changed. Returns its index, or -1."""
        at = self.index(row)
        if at >= 0:
            self._changed(at, at + 1)
        return at

    def relayout(self, layout: Layout) -> bool:
        """Measure all rows for another width. Returns whether anything was to do."""
        if layout == self.layout:
            return False
        self.layout = layout
        is_own = self.is_own
        for row in self.rows:
            measure(row, layout, is_own(row))
        self._sum(0)
        return True

    # -- neighbours ----------------------------------------------------------------------------------------------------

    def _changed(self, start: int, stop: int, heights_from: int | None = None) -> None:
        """Rows start..stop are new or changed: decide anew what depends on neighbours, and their heights."""
        rows = self.rows
        start, stop = self._run(start, -1), min(self._run(stop, 1) + 1, len(rows))
        for index in range(start, stop):
            self._mark(index)
        self._fold(start, stop)
        layout, is_own = self.layout, self.is_own
        for index in range(start, stop):
            measure(rows[index], layout, is_own(rows[index]))
        self._sum(start if heights_from is None else min(start, heights_from))

    def _run(self, index: int, step: int) -> int:
        """The end of the run of joins and leaves that this index touches."""
        rows = self.rows
        index = max(min(index, len(rows)), 0)
        if step < 0:
            while index > 0 and index <= len(rows) and rows[index - 1].event in FOLDED:
                index -= 1
        else:
            while index < len(rows) and rows[index].event in FOLDED:
                index += 1
        return index

    def _mark(self, index: int) -> None:
        row = self.rows[index]
        previous = self.rows[index - 1] if index else None
        row.day = previous is None or day_of(previous.at) != day_of(row.at)
        row.same = (
            previous is not None
            and not (row.day or row.unread or row.event or previous.event)
            and row.kind == "text" == previous.kind
            and row.by == previous.by
            and row.at - previous.at < SAME_NICK_SECONDS * 1000
        )

    def _fold(self, start: int, stop: int) -> None:
        """Runs of joins and leaves become one line: the first row speaks for all."""
        rows, index = self.rows, start
        while index < stop:
            head = rows[index]
            head.folded, head.fold_text = False, ""
            end = index + 1
            if head.event in FOLDED:
                while end < stop and rows[end].event in FOLDED and not rows[end].day and not rows[end].unread:
                    rows[end].folded = True
                    end += 1
                if end - index > 1:
                    head.fold_text = folded(rows[index:end])
            index = end

    def _sum(self, start: int) -> None:
        rows = self.rows
        start = min(start, len(rows), len(self.offsets) - 1)
        del self.offsets[start + 1 :]
        base = self.offsets[start]
        tail = accumulate((row.height for row in rows[start:]), initial=base)
        next(tail)
        self.offsets.extend(tail)
        self.version += 1


def folded(rows: Sequence[Row]) -> str:
    """One line for a run of joins and leaves; who came and went again is left out."""
    texts = {"joined": _("--> %s joined"), "left": _("<-- %s left")}
    names: dict[str, list[str]] = {"joined": [], "left": []}
    for row in rows:
        other = "left" if row.event == "joined" else "joined"
        if row.by in names[other]:
            names[other].remove(row.by)
        elif row.by not in names[row.event]:
            names[row.event].append(row.by)
    parts = [texts[kind] % _shorter(logins) for kind, logins in names.items() if logins]
    return "  ".join(parts) or _("<-> %s came and went") % _shorter(list(dict.fromkeys(row.by for row in rows)))


def _shorter(names: list[str], limit: int = 6) -> str:
    return ", ".join(names) if len(names) <= limit else ", ".join(names[:limit]) + f" +{len(names) - limit}"
