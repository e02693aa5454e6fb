"""The message list: a line-API list that paints only what is on the screen, whatever there is above and below it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.selection import Selection
from textual.strip import Strip

from tcpchat.tui.paint import URL, Painter
from tcpchat.tui.rows import Layout, Row, body, wrap
from tcpchat.tui.themes import Glyphs, Palette
from tcpchat.tui.window import Window

STRIPS = 600  # rows whose painted lines are kept
NEAR = 2  # screens from an end of the window at which more is asked for


class MessageList(ScrollView, can_focus=True):
    """Shows a Window. At the bottom it follows; scrolled up it never moves by itself."""

    DEFAULT_CSS = """
    MessageList { height: 1fr; scrollbar-size-vertical: 1; scrollbar-gutter: stable; overflow-x: hidden; }
    """

    class Near(Message):
        """The view is near an end of the window, and the room goes on there."""

        def __init__(self, older: bool) -> None:
            self.older = older
            super().__init__()

    class Seen(Message):
        """Something else is on the screen now."""

    class RowClicked(Message):
        """A row was clicked."""

        def __init__(self, row: Row, times: int) -> None:
            self.row, self.times = row, times
            super().__init__()

    def __init__(self, glyphs: Glyphs, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.glyphs = glyphs
        self.window = Window(lambda row: False)
        self.empty_text: Callable[[], Sequence[str]] = list
        self.cursor: Row | None = None  # the selected row
        self.plain = False
        self.painter: Painter | None = None
        self._setup: Callable[[Painter], None] = lambda painter: None
        self._strips: dict[Row, list[Strip]] = {}
        self._follow = True

    # -- what is shown -------------------------------------------------------------------------------------------------

    def configure(self, setup: Callable[[Painter], None]) -> None:
        """``setup`` fills in what a new painter needs to know of the conversation."""
        self._setup = setup
        self.repaint()

    def show(self, window: Window, row: Row | None = None, line: int = 0) -> None:
        """Show a window, at its end or with ``row`` at ``line`` lines from the top."""
        self.window, self.cursor = window, None
        self.window.relayout(self._layout())
        self._follow = row is None
        self.repaint()
        self._fit()
        if row is None:
            self.go_end()
        else:
            self.go_row(row, line)

    @property
    def following(self) -> bool:
        """Is the end of the room on the screen, so that new rows move the view?"""
        return self._follow and self.window.at_tail

    @property
    def at_end(self) -> bool:
        """Is the last line of the window on the screen?"""
        return self.scroll_offset.y >= self.max_scroll_y

    def visible_rows(self) -> tuple[int, int]:
        """Indices (first, behind last) of the rows of which a line is on the screen."""
        if not len(self.window):
            return 0, 0
        top = self.scroll_offset.y
        first, _ = self.window.row_at(top)
        last, _ = self.window.row_at(min(top + self.size.height, self.window.height) - 1)
        return first, last + 1

    def last_seen(self) -> int:
        """The seq of the last row whose last line is on the screen."""
        first, stop = self.visible_rows()
        bottom = self.scroll_offset.y + self.size.height
        for index in range(stop - 1, first - 1, -1):
            row = self.window.rows[index]
            if row.seq and self.window.offsets[index + 1] <= bottom:
                return row.seq
        return 0

    # -- changes -------------------------------------------------------------------------------------------------------

    def change(self, action: Callable[[], object], *, stale: Sequence[Row] = (), rewrap: bool = False) -> None:
        """Change the window by ``action`` and keep the view where it is: at the end, or at its top row.

        Rules come and go above a row, so its place is counted from below; when all is wrapped anew, from above.
        """
        anchor = self._anchor()
        height_before = anchor[0].height if anchor else 0
        action()
        for row in stale:
            self._strips.pop(row, None)
        self._fit()
        if rewrap and anchor is not None:
            row, left = anchor
            line = height_before - left
            anchor = row, row.height - min(line, max(row.height - 1, 0))
        self._restore(anchor)
        self.refresh()

    def extend(self, rows: Sequence[Row]) -> None:
        """Add rows that have just come, all in one step."""
        window, before = self.window, len(self.window)
        tail = window.rows[-1] if window.rows else None
        follow = self.following
        anchor = None if follow else self._anchor()
        window.extend(rows)
        if follow and window.trim_top():
            self._strips.clear()
        if tail is not None:
            self._forget_near(tail, before)
        self._fit()
        if follow:
            self.go_end()
        else:
            self._restore(anchor)
        self.refresh()

    def _forget_near(self, tail: Row, before: int) -> None:
        """A run of joins may have grown at its head; a row inserted above changes its neighbours."""
        for row in self.window.rows[max(before - 40, 0) :]:
            self._strips.pop(row, None)

    def redraw_row(self, row: Row) -> None:
        """The row's looks have changed, not its height."""
        self._strips.pop(row, None)
        index = self.window.index(row)
        if index >= 0:
            self.refresh_lines(self.window.offsets[index], max(row.height, 1))

    def redraw_own(self) -> None:
        """Ticks may have changed: paint the own rows on the screen anew."""
        first, stop = self.visible_rows()
        for row in [row for row in self._strips if self.window.is_own(row)]:
            del self._strips[row]
        for index in range(first, stop):
            if self.window.is_own(self.window.rows[index]):
                self.refresh_lines(self.window.offsets[index], max(self.window.rows[index].height, 1))

    def repaint(self) -> None:
        """Colours, marks or the width have changed: paint everything anew."""
        self._strips.clear()
        self.painter = None
        self.refresh()

    def _fit(self) -> None:
        size = Size(self._width(), self.window.height)
        if size != self.virtual_size:
            self.virtual_size = size

    def _anchor(self) -> tuple[Row, int] | None:
        if not len(self.window):
            return None
        index, line = self.window.row_at(self.scroll_offset.y)
        row = self.window.rows[index]
        return row, row.height - line

    def _restore(self, anchor: tuple[Row, int] | None) -> None:
        if self._follow and self.window.at_tail:
            self.go_end()
        elif anchor is not None:
            index = self.window.index(anchor[0])
            if index >= 0:
                self._to(self.window.offsets[index + 1] - anchor[1])

    # -- moving --------------------------------------------------------------------------------------------------------

    def _to(self, y: int) -> None:
        y = max(min(y, self.window.height - self.size.height), 0)
        self.scroll_to(y=y, animate=False, immediate=True, force=True)

    def go_end(self) -> None:
        """To the last line, and follow from there."""
        self._follow = True
        self._to(self.window.height)

    def go_row(self, row: Row, line: int = 0) -> None:
        """Bring a row to ``line`` lines from the top."""
        index = self.window.index(row)
        if index >= 0:
            self._to(self.window.offsets[index] - line)
            self._follow = self.at_end and self.window.at_tail

    def page(self, direction: int) -> None:
        """Up (-1) or down (1) by a screen, two lines overlapping."""
        self._to(self.scroll_offset.y + direction * max(self.size.height - 2, 1))
        self._moved()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        if round(old_value) != round(new_value):
            self._moved()

    def _moved(self) -> None:
        """After the view has moved: follow or not, ask for more near an end."""
        self._follow = self.at_end
        near = self.size.height * NEAR
        if self.scroll_offset.y < near and not self.window.at_head:
            self.post_message(self.Near(older=True))
        if self.scroll_offset.y > self.max_scroll_y - near and not self.window.at_tail:
            self.post_message(self.Near(older=False))
        self.post_message(self.Seen())

    # -- selecting a row -----------------------------------------------------------------------------------------------

    def select(self, row: Row | None) -> None:
        """Mark a row and bring it onto the screen."""
        for one in (self.cursor, row):
            if one is not None:
                self._strips.pop(one, None)
        self.cursor = row
        if row is not None:
            index = self.window.index(row)
            top, bottom = self.window.offsets[index], self.window.offsets[index + 1]
            if top < self.scroll_offset.y:
                self._to(top)
            elif bottom > self.scroll_offset.y + self.size.height:
                self._to(bottom - self.size.height)
        self.refresh()

    def step(self, direction: int) -> None:
        """Move the mark to the next row that is a message."""
        rows = self.window.rows
        _, stop = self.visible_rows()
        index = self.window.index(self.cursor) if self.cursor else (stop if direction < 0 else stop - 2)
        index += direction
        while 0 <= index < len(rows):
            if not rows[index].event and rows[index].kind != "note":
                self.select(rows[index])
                return
            index += direction

    # -- layout and painting -------------------------------------------------------------------------------------------

    def _width(self) -> int:
        return max(self.scrollable_content_region.width, 1)

    def _layout(self) -> Layout:
        ticks = max(len(glyph) for glyph in self.glyphs.ticks)
        return Layout(self._width(), self.plain, ticks)

    def on_resize(self) -> None:
        """Wrap anew; the top row, or the end, stays where it is."""
        if self.window.layout != self._layout():
            self.change(lambda: self.window.relayout(self._layout()), rewrap=True)
            self.repaint()
        else:
            self._restore(None)
        self.post_message(self.Seen())

    def set_plain(self, plain: bool) -> None:
        """Switch the view for copying."""
        self.plain = plain
        self.change(lambda: self.window.relayout(self._layout()), rewrap=True)
        self.repaint()

    def notify_style_update(self) -> None:
        self.repaint()
        super().notify_style_update()

    def _painter(self) -> Painter:
        if self.painter is None:
            theme = self.app.current_theme
            palette = Palette(theme, self._base(), mono=self.app.no_color)
            self.painter = Painter(palette, self.glyphs, self.window.layout)
            self._setup(self.painter)
        return self.painter

    def _base(self) -> Style:
        base = self.rich_style
        return Style(bgcolor=base.bgcolor) if base.bgcolor else Style.null()

    def _painted(self, row: Row) -> list[Strip]:
        strips = self._strips.get(row)
        if strips is None:
            if len(self._strips) > STRIPS:
                self._strips.clear()
            strips = self._strips[row] = self._painter().paint(row, selected=row is self.cursor)
        return strips

    def _line(self, y: int) -> Strip | None:
        if not 0 <= y < self.window.height:
            return None
        index, line = self.window.row_at(y)
        strips = self._painted(self.window.rows[index])
        return strips[line] if line < len(strips) else None

    def render_line(self, y: int) -> Strip:
        """One line of the screen with the places of its characters: this is what the pointer asks for."""
        at = y + self.scroll_offset.y
        strip = self._shown(y, at, self._width(), self.text_selection)
        return strip.apply_offsets(0, at) if 0 <= at < self.window.height else strip

    def render_lines(self, crop: Region) -> list[Strip]:
        """The lines as they are painted.

        There is no border, padding or tint here, and when messages come fast every line is a new one: Textual's cache
        of finished lines would cost more than all of the painting.
        """
        width, top, selection = self._width(), self.scroll_offset.y, self.text_selection
        strips = [self._shown(y, y + top, width, selection) for y in crop.line_range]
        left, right = crop.column_span
        if not self.show_vertical_scrollbar or left or right < width:  # else the scrollbar paints the last column
            base = self._painter().palette.base
            strips = [strip.crop_extend(left, right, base) for strip in strips]
        for each in self.get_line_filters():
            strips = [strip.apply_filter(each, self.background_colors[1]) for strip in strips]
        return strips

    def _shown(self, y: int, at: int, width: int, selection: Selection | None) -> Strip:
        """Line ``y`` of the screen, which is line ``at`` of the window, in exactly this width."""
        strip = self._line(at)
        base = self._painter().palette.base
        if strip is None:
            return self._blank(y, width, base)
        if selection is not None and (span := selection.get_span(at)) is not None:
            strip = self._marked(strip, *span)
        return strip if strip.cell_length == width else strip.crop_extend(0, width, base)

    def _blank(self, y: int, width: int, base: Style) -> Strip:
        if not len(self.window):
            lines = [text[a:b] for text in self.empty_text() for a, b in wrap(text, max(width - 2, 4))]
            if 0 <= y - 1 < len(lines):
                text = Segment(" " + lines[y - 1], self._painter().palette.muted)
                return Strip([text]).adjust_cell_length(width, base)
        return Strip.blank(width, base)

    def _marked(self, strip: Strip, start: int, end: int) -> Strip:
        """The strip with the mouse's selection on it (given in characters)."""
        text = strip.text
        end = len(text) if end < 0 else min(end, len(text))
        cell = strip.index_to_cell_position
        left, right = cell(min(start, len(text))), cell(end)
        style = self.screen.get_component_rich_style("screen--selection")
        parts = strip.divide([left, right, strip.cell_length])
        return Strip.join([parts[0], parts[1].apply_style(style), *parts[2:]])

    # -- mouse and clipboard -------------------------------------------------------------------------------------------

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        """The text under the mouse's selection, as it stands on the screen without trailing blanks."""
        start = selection.start.y if selection.start else 0
        end = min(selection.end.y if selection.end else self.window.height - 1, self.window.height - 1)
        lines = []
        for y in range(start, end + 1):
            text = strip.text if (strip := self._line(y)) else ""
            span = selection.get_span(y)
            if span is not None:
                left, right = span
                lines.append((text[left:] if right < 0 else text[left:right]).rstrip())
        return "\n".join(lines), "\n"

    def selection_updated(self, selection: Selection | None) -> None:
        self.refresh()

    def on_click(self, event: events.Click) -> None:
        """Once: nothing moves. Twice: the row is selected."""
        y = event.y + self.scroll_offset.y
        if 0 <= y < self.window.height:
            row = self.window.rows[self.window.row_at(y)[0]]
            self.post_message(self.RowClicked(row, event.chain))


def links(row: Row) -> list[str]:
    """The addresses in a row's text."""
    return URL.findall(body(row))


def words_pattern(words: str) -> re.Pattern[str] | None:
    """A pattern for the words of a search, for painting them."""
    parts = [re.escape(part.strip('"*')) for part in words.split() if part.strip('"*')]
    return re.compile("|".join(sorted(parts, key=len, reverse=True)), re.IGNORECASE) if parts else None
