"""Painting one row: from its text to the lines of a screen."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from tcpchat.i18n import _, plural
from tcpchat.tui.rows import TIME_WIDTH, Layout, Row, body, chop, clock, cuts, head_width
from tcpchat.tui.themes import STATES, Glyphs, Palette

URL = re.compile(r"\b(?:https?|ftp)://[^\s<>\"'`\ufffd]+[^\s<>\"'`\ufffd.,;:!?)\]}]")
Spans = list[tuple[int, int, Style]]


@dataclass
class Painter:
    """Everything that painting depends on besides the row."""

    palette: Palette
    glyphs: Glyphs
    layout: Layout
    time_form: str = "%H:%M"
    state_of: Callable[[Row], str] = lambda row: ""  # of own rows: pending ... failed; "" for rows of others
    quote_of: Callable[[int], Row | None] = lambda seq: None
    day_text: Callable[[int], str] = lambda at: ""
    hits: re.Pattern[str] | None = None  # words that were searched for
    me: re.Pattern[str] | None = None  # the own login as a word
    _lines: list[list[Segment]] = field(default_factory=list)

    def paint(self, row: Row, *, selected: bool = False) -> list[Strip]:
        """All lines of a row, each exactly as wide as the layout."""
        self._lines = []
        if row.day:
            self._rule(self.day_text(row.at), self.palette.rule)
        if row.unread:
            self._rule(plural(row.unread, "%d unread", "%d unread") % row.unread, self.palette.unread)
        above = len(self._lines)
        state = self.state_of(row)
        if row.event or row.kind == "note":
            self._event(row)
        else:
            self._message(row, state)
        if row.failed:
            unknown = row.sent is not None and row.sent.state == "unknown"
            why = _("%s. R sends it again") if unknown else _("not sent: %s. R sends again")
            text = why % row.failed.rstrip(".")
            self._line([Segment(" " * self.layout.indent), Segment(text, self.palette.error)])
        if selected:
            self._lines[above:] = [_reversed(line) for line in self._lines[above:]]
        return [self._strip(line) for line in self._lines]

    # -- parts ---------------------------------------------------------------------------------------------------------

    def _line(self, segments: list[Segment]) -> None:
        self._lines.append(segments)

    def _strip(self, segments: list[Segment]) -> Strip:
        base, width = self.palette.base, self.layout.width
        shown = [Segment(text, style or base) for text, style, _ in segments if text]
        used = sum(cell_len(text) for text, _, _ in shown)
        if used > width:
            return Strip(shown, used).adjust_cell_length(width, base)
        if used < width:
            shown.append(Segment(" " * (width - used), base))
        return Strip(shown, width)

    def _rule(self, text: str, style: Style) -> None:
        width = self.layout.width
        text = chop(text, max(width - 6, 1), self.glyphs.more)
        if self.layout.plain:
            self._line([Segment(f"-- {text} --", style)])
            return
        left = max((width - cell_len(text) - 2) // 2, 2)
        right = max(width - left - cell_len(text) - 2, 0)
        self._line([Segment(f"{self.glyphs.rule * left} {text} {self.glyphs.rule * right}", style)])

    def _event(self, row: Row) -> None:
        """Something that happened, or a note: dim, under the text column, its time in front."""
        note = row.kind == "note"
        style = self.palette.muted if note else self.palette.event
        text, layout = body(row), self.layout
        for number, (start, end) in enumerate(cuts(row, layout, False)):
            head = " " * layout.indent
            if number == 0 and not note and not layout.narrow:
                head = f"{clock(row.at, self.time_form):<{TIME_WIDTH}} ".ljust(layout.indent)
            self._line([Segment(head, self.palette.muted), Segment(text[start:end], style)])

    def _message(self, row: Row, state: str) -> None:
        layout, palette = self.layout, self.palette
        own = bool(state)
        text = body(row)
        spans = self._spans(row, text)
        if row.re and not row.removed:
            self._quote(row)
        heads = self._heads(row, own)
        tick = self._tick(state)
        if layout.narrow and not row.same:
            self._line([*self._fitted(heads[0], layout.width - layout.ticks), *tick])
            tick = []
        for number, (start, end) in enumerate(cuts(row, layout, own)):
            head = heads[min(number, 1)] if not layout.narrow else [Segment(" ")]
            line = [*head, *_styled(text, start, end, spans, self._text_style(row))]
            if tick and number == 0 and not layout.plain:
                line = [*self._fitted(line, layout.width - layout.ticks), *tick]
            self._line(line)
        if layout.plain and own:
            self._lines[-1].append(Segment(f" [{_(state)}]", palette.muted))

    def _text_style(self, row: Row) -> Style:
        if row.removed:
            return self.palette.event
        return self.palette.text

    def _fitted(self, segments: list[Segment], width: int) -> list[Segment]:
        """Padded to the width."""
        used = sum(cell_len(text) for text, _, _ in segments)
        return [*segments, Segment(" " * max(width - used, 0))]

    def _tick(self, state: str) -> list[Segment]:
        if not state:
            return []
        at = STATES.index(state)
        glyph = self.glyphs.ticks[at]
        return [Segment(glyph.rjust(self.layout.ticks)[: self.layout.ticks], self.palette.ticks[at])]

    def _heads(self, row: Row, own: bool) -> tuple[list[Segment], list[Segment]]:
        """What stands before the first line, and before those below it."""
        layout, palette = self.layout, self.palette
        time = clock(row.at, self.time_form)
        name = "*" if row.kind == "action" else f"-{row.by}-" if row.kind == "notice" else row.by
        style = palette.own if own else palette.name(row.by)
        if layout.plain:
            room = head_width(row, layout) - TIME_WIDTH - 3
            return [Segment(f"{time} "), Segment(chop(name, room, self.glyphs.more), style), Segment(": ")], []
        if layout.narrow:
            shown = chop(row.by, layout.width - TIME_WIDTH - layout.ticks - 2, self.glyphs.more)
            return [Segment(f"{time:<{TIME_WIDTH}} ", palette.muted), Segment(shown, style)], []
        shown = "" if row.same else chop(name, layout.nick, self.glyphs.more)
        pad = " " * (layout.nick - cell_len(shown))
        first = [Segment(f"{time:<{TIME_WIDTH}} {pad}", palette.muted), Segment(shown, style), Segment(" ")]
        return first, [Segment(" " * layout.indent)]

    def _quote(self, row: Row) -> None:
        """The message that this one answers, in one line."""
        other = self.quote_of(row.re)
        text = f"{other.by}: {body(other)}".replace("\n", " ") if other else _("an earlier message")
        room = self.layout.width - self.layout.indent - self.layout.ticks - 1
        shown = chop(f"{self.glyphs.reply} {text}", max(room, 4), self.glyphs.more)
        self._line([Segment(" " * self.layout.indent), Segment(shown, self.palette.muted)])

    def _spans(self, row: Row, text: str) -> Spans:
        """Which parts of the text look different: links, the own name, words that were searched for."""
        spans: Spans = []
        if row.removed:
            return spans
        palette = self.palette
        if "://" in text:
            spans += [(*match.span(), palette.link) for match in URL.finditer(text)]
        if row.mention and self.me is not None:
            spans += [(*match.span(), palette.unread + Style(underline=True)) for match in self.me.finditer(text)]
        if self.hits is not None:
            spans += [(*match.span(), palette.hit) for match in self.hits.finditer(text)]
        return spans


def _styled(text: str, start: int, end: int, spans: Spans, style: Style) -> list[Segment]:
    """The part of the text with its spans; later spans win."""
    inside = [(max(left, start), min(right, end), span) for left, right, span in spans if left < end and right > start]
    if not inside:
        return [Segment(text[start:end], style)]
    edges = sorted({start, end, *(left for left, _, _ in inside), *(right for _, right, _ in inside)})
    out = []
    for left, right in pairwise(edges):
        chosen = style
        for begin, stop, span in inside:
            if begin <= left and right <= stop:
                chosen = span
        out.append(Segment(text[left:right], chosen))
    return out


def _reversed(line: list[Segment]) -> list[Segment]:
    return [Segment(text, (style or Style.null()) + Style(reverse=True)) for text, style, _ in line]
