"""Lists of short lines: rooms, people, hits, help. Painted by line, clicked by line; texts never as markup."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Input

from tcpchat.core.text import clean_line
from tcpchat.tui.rows import chop
from tcpchat.tui.themes import STATES, Palette

Part = tuple[str, str]  # a clean text, and the name of its style in the palette ("name:LOGIN" = that login's colour)


@dataclass
class Line:
    """One line: parts from the left, parts at the right end, and what it stands for."""

    left: list[Part] = field(default_factory=list)
    right: list[Part] = field(default_factory=list)
    value: object = None


def palette_of(widget: Widget) -> Palette:
    """The palette on this widget's background."""
    base = widget.rich_style
    style = Style(bgcolor=base.bgcolor) if base.bgcolor else Style.null()
    return Palette(widget.app.current_theme, style, mono=widget.app.no_color)


def segments(line: Line, width: int, palette: Palette, more: str) -> list[Segment]:
    """The line in exactly ``width`` cells; the right end stays whole, the left is shortened."""
    tail = sum(cell_len(text) for text, _ in line.right)
    room = max(width - tail - (1 if line.right else 0), 0)
    out: list[Segment] = []
    for text, style in line.left:
        shown = chop(text, room, more)
        if shown:
            out.append(Segment(shown, style_of(palette, style)))
        room -= cell_len(shown)
        if shown != text:
            break
    gap = width - tail - sum(cell_len(text) for text, _, _ in out)
    out.append(Segment(" " * max(gap, 0), palette.base))
    out += [Segment(text, style_of(palette, style)) for text, style in line.right]
    return out


def style_of(palette: Palette, name: str) -> Style:
    """A style of the palette by its name."""
    if name.startswith("name:"):
        return palette.name(name[5:])
    if name in STATES:
        return palette.ticks[STATES.index(name)]
    found = getattr(palette, name or "text")
    assert isinstance(found, Style)
    return found


class Lines(ScrollView):
    """A list of lines. With ``pick`` it has a cursor; a click or Enter posts Picked."""

    DEFAULT_CSS = """
    Lines { height: 1fr; scrollbar-size-vertical: 1; overflow-x: hidden; }
    """

    class Picked(Message):
        """A line was chosen."""

        def __init__(self, lines: Lines, value: object) -> None:
            self.lines, self.value = lines, value
            super().__init__()

        @property
        def control(self) -> Lines:
            return self.lines

    def __init__(self, *, id: str | None = None, pick: bool = False, more: str = "…") -> None:
        super().__init__(id=id)
        self.lines: Sequence[Line] = ()
        self.cursor = -1
        self.pick = pick
        self.more = more
        self._palette: Palette | None = None

    def set_lines(self, lines: Sequence[Line], cursor: int | None = None) -> None:
        """Show these lines; painted only when something differs."""
        before = self.lines, self.cursor
        self.lines = lines
        if self.pick:
            wanted = self.cursor if cursor is None else cursor
            self.cursor = min(max(wanted, 0), len(lines) - 1)
        if (self.lines, self.cursor) == before:
            return
        self.virtual_size = Size(self.scrollable_content_region.width, len(lines))
        self.refresh()
        self._show_cursor()

    def move(self, step: int) -> None:
        """Move the cursor, past lines that stand for nothing."""
        at = self.cursor + step
        while 0 <= at < len(self.lines) and self.lines[at].value is None:
            at += 1 if step > 0 else -1
        if 0 <= at < len(self.lines):
            self.cursor = at
            self.refresh()
            self._show_cursor()

    def _show_cursor(self) -> None:
        if not self.pick or self.cursor < 0:
            return
        top, height = self.scroll_offset.y, self.size.height
        if self.cursor < top:
            self.scroll_to(y=self.cursor, animate=False, immediate=True, force=True)
        elif height and self.cursor >= top + height:
            self.scroll_to(y=self.cursor - height + 1, animate=False, immediate=True, force=True)

    @property
    def value(self) -> object:
        """What the line under the cursor stands for."""
        return self.lines[self.cursor].value if 0 <= self.cursor < len(self.lines) else None

    def choose(self) -> None:
        """As if the line under the cursor had been clicked."""
        if self.value is not None:
            self.post_message(self.Picked(self, self.value))

    def on_click(self, event: events.Click) -> None:
        at = event.y + self.scroll_offset.y
        if 0 <= at < len(self.lines) and self.lines[at].value is not None:
            self.cursor = at if self.pick else self.cursor
            self.post_message(self.Picked(self, self.lines[at].value))

    def notify_style_update(self) -> None:
        self._palette = None
        super().notify_style_update()

    def render_line(self, y: int) -> Strip:
        """One line of the screen."""
        if self._palette is None:
            self._palette = palette_of(self)
        palette, width = self._palette, max(self.scrollable_content_region.width, 1)
        at = y + self.scroll_offset.y
        if at >= len(self.lines):
            return Strip.blank(width, palette.base)
        made = segments(self.lines[at], width, palette, self.more)
        if self.pick and at == self.cursor:
            made = [Segment(text, (style or Style.null()) + Style(reverse=True)) for text, style, _ in made]
        return Strip(made).adjust_cell_length(width, palette.base).apply_offsets(0, at)


class Field(Input):
    """A line to type in; what is pasted is cleaned, since a clipboard may hold escapes."""

    def __init__(
        self, value: str = "", *, id: str | None = None, placeholder: str = "", password: bool = False
    ) -> None:
        super().__init__(clean_line(value), id=id, placeholder=placeholder, password=password, compact=True)

    def _on_paste(self, event: events.Paste) -> None:
        event.text = clean_line(event.text)


class Bar(Widget):
    """One line of parts: header, status, strip of rooms, hints. Parts with a value can be clicked."""

    DEFAULT_CSS = """
    Bar { height: 1; width: 1fr; }
    """
    ALLOW_SELECT = False

    class Clicked(Message):
        """A part with a value was clicked."""

        def __init__(self, bar: Bar, value: object) -> None:
            self.bar, self.value = bar, value
            super().__init__()

        @property
        def control(self) -> Bar:
            return self.bar

    def __init__(self, *, id: str | None = None, more: str = "…") -> None:
        super().__init__(id=id)
        self.line = Line()
        self.more = more
        self.places: list[tuple[int, int, object]] = []  # columns of parts that can be clicked
        self._palette: Palette | None = None

    def show(self, line: Line, places: list[tuple[int, int, object]] | None = None) -> None:
        """Show this line; painted only when it differs."""
        self.places = places or []
        if line != self.line:
            self.line = line
            self.refresh()

    @property
    def text(self) -> str:
        """What it says, for tests."""
        return "".join(text for text, _ in (*self.line.left, *self.line.right))

    def notify_style_update(self) -> None:
        self._palette = None
        super().notify_style_update()

    def render_line(self, y: int) -> Strip:
        """The line."""
        if self._palette is None:
            self._palette = palette_of(self)
        if y:
            return Strip.blank(self.size.width, self._palette.base)
        made = segments(self.line, self.size.width, self._palette, self.more)
        return Strip(made).adjust_cell_length(self.size.width, self._palette.base)

    def on_click(self, event: events.Click) -> None:
        for start, end, value in self.places:
            if start <= event.x < end:
                self.post_message(self.Clicked(self, value))
                return
