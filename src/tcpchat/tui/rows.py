"""Rows of the message list: what one holds, how it wraps, how tall it is. Nothing here knows of a screen."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from rich.cells import cell_len, split_graphemes

from tcpchat.i18n import _

if TYPE_CHECKING:
    from tcpchat.client import Sent

PENDING = float("inf")  # the place of what has none yet: behind everything
SAME_NICK_SECONDS = 300
TIME_WIDTH, NICK_WIDTH, TICK_WIDTH = 5, 11, 2
NARROW = 45  # columns below which names have a line of their own
FOLDED = ("joined", "left")  # runs of these become one line

# Characters that take one cell each; a text of only these needs no measuring.
_NARROW_ONLY = re.compile(
    "[\x20-\x7e\xa0-\xac\xae-\u02ff\u0370-\u0482\u048a-\u0590\u2010-\u2027\u2030-\u205e\u2500-\u257f\n]*\\Z"
)


class Row:
    """One row: a message, something that happened in the room, or a note of this client. Texts are clean already."""

    __slots__ = (
        "at",
        "by",
        "day",
        "edited",
        "event",
        "failed",
        "fold_text",
        "folded",
        "height",
        "kind",
        "mention",
        "place",
        "re",
        "removed",
        "same",
        "sent",
        "seq",
        "text",
        "unread",
    )  # fmt: skip

    def __init__(self, seq: int, at: int, by: str, text: str, kind: str = "text") -> None:
        self.seq, self.at, self.by, self.text, self.kind = seq, at, by, text, kind
        self.place: float = seq or PENDING
        self.re = 0
        self.edited = self.removed = self.mention = False
        self.sent: Sent | None = None  # an own message; the handle is kept only while this process sent it
        self.failed = ""  # why it was not sent
        self.event = ""  # joined, left, topic, ...
        # what the window decides from the neighbours
        self.day = self.same = self.folded = False
        self.fold_text = ""
        self.unread = 0  # > 0: the rule "n unread" stands above
        self.height = 1

    def __repr__(self) -> str:
        return f"<Row {self.seq} {self.by}: {self.text[:20]}>"


@dataclass(frozen=True)
class Layout:
    """How wide things are. ``plain`` is the view for copying and screen readers: nothing but text."""

    width: int
    plain: bool = False
    ticks: int = TICK_WIDTH
    nick: int = NICK_WIDTH

    @property
    def narrow(self) -> bool:
        """Do names stand on a line of their own?"""
        return self.width < NARROW and not self.plain

    @property
    def indent(self) -> int:
        """The column where text begins."""
        return 0 if self.plain else 1 if self.narrow else TIME_WIDTH + self.nick + 2

    def text_width(self, own: bool) -> int:
        """Cells for the text of a row. Beside ticks stays one free."""
        if self.plain:
            return max(self.width, 4)
        room = self.width - self.indent
        return max(room - (self.ticks + 1 if own or not self.narrow else 0), 4)


def wrap(text: str, width: int, first: int = 0) -> list[tuple[int, int]]:
    """Where to cut a text into lines of at most ``width`` cells: (start, end) in characters, at spaces if possible.

    The first line of all is shorter by ``first`` cells.
    """
    measure = _cut_narrow if _NARROW_ONLY.match(text) else _cut_wide
    lines: list[tuple[int, int]] = []
    start = 0
    while True:
        end = text.find("\n", start)
        measure(text, start, len(text) if end < 0 else end, width, first if start == 0 else 0, lines)
        if end < 0:
            return lines
        start = end + 1


def _cut_narrow(text: str, start: int, end: int, width: int, first: int, lines: list[tuple[int, int]]) -> None:
    room = max(width - first, 1)
    while end - start > room:
        cut = text.rfind(" ", start, start + room + 1)
        if cut <= start:
            lines.append((start, start + room))
            start += room
        else:
            lines.append((start, cut))
            start = cut + 1
        room = width
    lines.append((start, end))


def _cut_wide(text: str, start: int, end: int, width: int, first: int, lines: list[tuple[int, int]]) -> None:
    room = max(width - first, 1)
    part = text[start:end]
    if cell_len(part) <= room:
        lines.append((start, end))
        return
    begin, used, space = 0, 0, -1
    spans = split_graphemes(part)[0]
    at = space_at = 0
    while at < len(spans):
        left, right, cells = spans[at]
        if used + cells > room and left > begin:
            if space > begin:
                lines.append((start + begin, start + spans[space_at][0]))
                begin, at = space + 1, space_at + 1
            else:
                lines.append((start + begin, start + left))
                begin = left
                if part[left] == " ":
                    begin, at = right, at + 1
            used, space, room = 0, -1, width
            continue
        if part[left] == " ":
            space, space_at = left, at
        used += cells
        at += 1
    lines.append((start + begin, end))


def body(row: Row) -> str:
    """The text of a row as it is shown."""
    if row.removed:
        return _("(deleted)")
    if row.event:
        return row.fold_text or row.text
    text = f"{row.by} {row.text}" if row.kind == "action" else row.text
    return f"{text} {_('(edited)')}" if row.edited else text


def head_width(row: Row, layout: Layout) -> int:
    """Cells that stand before the text on its first line, in the plain view."""
    if not layout.plain:
        return 0
    if row.event or row.kind == "note":
        return TIME_WIDTH + 1 if row.event else 0
    return min(TIME_WIDTH + 1 + cell_len(row.by) + 2, max(layout.width - 8, 0))


def cuts(row: Row, layout: Layout, own: bool) -> list[tuple[int, int]]:
    """How the text of the row is cut into lines."""
    return wrap(body(row), layout.text_width(own), head_width(row, layout))


def measure(row: Row, layout: Layout, own: bool) -> int:
    """Set and return the row's height, rules above it included."""
    if row.folded:
        row.height = 0
        return 0
    height = len(cuts(row, layout, own)) + row.day + (row.unread > 0) + (row.re > 0 and not row.removed)
    if layout.narrow and not row.same and not row.event and row.kind != "note":
        height += 1
    if row.failed:
        height += 1
    row.height = height
    return height


def day_of(at: int) -> tuple[int, int, int]:
    """The local date of a time in ms. Offsets of time zones are whole quarters of an hour."""
    return _day_of_quarter(at // 900_000)


@lru_cache(maxsize=4096)
def _day_of_quarter(quarter: int) -> tuple[int, int, int]:
    return time.localtime(quarter * 900)[:3]


@lru_cache(maxsize=4096)
def _clock_of_minute(minute: int, form: str) -> str:
    return time.strftime(form, time.localtime(minute * 60))


def clock(at: int, form: str = "%H:%M") -> str:
    """The local time of day of a time in ms."""
    if "%S" in form:
        return time.strftime(form, time.localtime(at / 1000))
    return _clock_of_minute(at // 60_000, form)


def chop(text: str, width: int, more: str = "…") -> str:
    """The text in at most ``width`` cells, its end replaced by ``more`` when it is longer."""
    if (len(text) <= width and text.isascii()) or cell_len(text) <= width:
        return text
    room = width - cell_len(more)
    if room < 0:
        return ""
    used = 0
    for left, _end, cells in split_graphemes(text)[0]:
        if used + cells > room:
            return text[:left] + more
        used += cells
    return text
