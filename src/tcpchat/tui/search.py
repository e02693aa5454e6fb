"""Search: words, here or everywhere; hits newest first, the words marked; Enter goes there."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import ClassVar, NamedTuple

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Input

from tcpchat.core import model as m
from tcpchat.core.text import clean_line
from tcpchat.i18n import _
from tcpchat.tui import keys
from tcpchat.tui.lines import Field, Line, Part
from tcpchat.tui.panels import Panel
from tcpchat.tui.rows import clock
from tcpchat.tui.themes import text

WAIT = 0.12  # seconds without a key before the server is asked
HITS = 50


class Found(NamedTuple):
    """Where to go: the hits, the one chosen, the words, and whether it was everywhere."""

    hits: tuple[m.Message, ...]
    at: int
    words: str
    everywhere: bool


Ask = Callable[[str, bool, int], Awaitable[m.Page]]


def marked(snippet: str) -> list[Part]:
    """A snippet with its hits between \\x02 and \\x03 as parts; cleaned piece by piece."""
    parts: list[Part] = []
    for number, piece in enumerate(snippet.replace("\x03", "\x02").split("\x02")):
        if piece:
            parts.append((clean_line(piece), "hit" if number % 2 else "text"))
    return parts


def hit_line(message: m.Message, value: int, everywhere: bool) -> Line:
    """One hit."""
    left: list[Part] = [(clock(message.at, "%d %b %H:%M") + " ", "muted")]
    if everywhere:
        left.append((clean_line(message.to) + " ", "text"))
    name = clean_line(message.by)
    left.append((name + " ", f"name:{name}"))
    return Line([*left, *marked(message.snippet or message.text)], [], (value,))


class SearchPanel(Panel):
    """At the bottom of the screen, so that one sees where one is."""

    pick = True
    keys = text("Up/Down choose   Enter go   %s here/everywhere   Esc close")
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+f", "everywhere", id="search", priority=True),
        Binding("f3", "move(1)", id="search.next", priority=True),
    ]
    DEFAULT_CSS = """
    SearchPanel { align: center bottom; background: transparent; }
    SearchPanel > #box { width: 100%; max-width: 100%; height: auto; max-height: 60%; }
    """

    def __init__(self, ask: Ask, label: str, *, words: str = "", everywhere: bool = False) -> None:
        super().__init__()
        self.ask, self.label, self.words, self.everywhere = ask, label, words, everywhere
        self.hits: tuple[m.Message, ...] = ()
        self.more = False
        self.title_text = _("Search")
        self._looking: asyncio.Task[None] | None = None
        self._go = False  # Enter was faster than the server

    @staticmethod
    def _again() -> str:
        return keys.brief("search")

    def footer(self) -> str:
        return _(self.keys) % self._again()

    def above(self) -> ComposeResult:
        yield Field(self.words, id="words", placeholder=_("words; %s: everywhere") % self._again())

    def on_mount(self) -> None:
        self.set_focus(self.query_one(Input))
        self.retitle()
        self.fill([Line([(_("Type words."), "muted")])])
        if self.words:
            self.look(0.0)

    def on_unmount(self) -> None:
        if self._looking is not None:
            self._looking.cancel()

    def retitle(self) -> None:
        """Say where is searched."""
        where = _("everywhere") if self.everywhere else self.label
        self.query_one("#box").border_title = f"{_('Search')}: {where}".replace("[", "\\[")

    def action_everywhere(self) -> None:
        self.everywhere = not self.everywhere
        self.retitle()
        self.look(0.0)

    def on_input_changed(self) -> None:
        self._go = False
        self.look(WAIT)

    def on_input_submitted(self) -> None:
        if self._looking is not None and not self._looking.done():
            self._go = True
        else:
            self.lines.choose()

    def look(self, wait: float) -> None:
        """Ask the server, once the typing pauses; the last question wins."""
        if self._looking is not None:
            self._looking.cancel()
        self._looking = asyncio.create_task(self._look(wait), name="search")

    async def _look(self, wait: float) -> None:
        from tcpchat.client import ChatError

        await asyncio.sleep(wait)
        words = self.query_one(Input).value.strip()
        if not words:
            self.hits = ()
            self.fill([Line([(_("Type words."), "muted")])])
            return
        try:
            page = await self.ask(words, self.everywhere, 0)
        except ChatError as error:
            self.fill([Line([(clean_line(str(error)), "error")])])
            return
        self.words = words
        self.hits = tuple(one for one in page.messages if isinstance(one, m.Message))
        lines = [hit_line(one, at, self.everywhere) for at, one in enumerate(self.hits)]
        self.fill(lines or [Line([(_("Nothing found."), "muted")])], 0)
        if self._go:
            self.lines.choose()

    def picked(self, value: object) -> None:
        if isinstance(value, tuple):
            self.dismiss(Found(self.hits, value[0], self.words, self.everywhere))
