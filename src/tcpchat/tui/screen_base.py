"""The chat screen: panes around a message list, brought up to date in one step when something has happened."""

from __future__ import annotations

import re
import time
from collections.abc import Coroutine, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, cast

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.screen import Screen

from tcpchat.client.first_use import is_loopback
from tcpchat.core.text import clean_line, fold
from tcpchat.i18n import _
from tcpchat.tui import panes
from tcpchat.tui.composer import Composer
from tcpchat.tui.lines import Bar, Line, Lines
from tcpchat.tui.messages import MessageList
from tcpchat.tui.pages import Pages
from tcpchat.tui.paint import Painter
from tcpchat.tui.rows import Row, chop
from tcpchat.tui.session import Conversation, Session
from tcpchat.tui.themes import Glyphs

if TYPE_CHECKING:
    from tcpchat.client import Client
    from tcpchat.tui.app import ChatApp

CSS = """
ChatBase, StartScreen { background: $background; color: $foreground; }
ChatBase #rooms { width: 20; display: none; border-right: solid $panel; }
ChatBase #people { width: 19; display: none; border-left: solid $panel; }
ChatBase.-ascii #rooms { border-right: ascii $panel; }
ChatBase.-ascii #people { border-left: ascii $panel; }
ChatBase #middle { width: 1fr; }
ChatBase #strip { display: none; }
ChatBase #strip, ChatBase #header, ChatBase #status { background: $panel; }
ChatBase #hints, ChatBase #offer, ChatBase #small { display: none; }
ChatBase #entry { height: auto; max-height: 6; }
ChatBase #prompt { width: auto; height: 1; }
ChatBase #offer { width: auto; height: 1; }
ChatBase Composer { width: 1fr; }
ChatBase.-normal #rooms, ChatBase.-wide #rooms, ChatBase.-wide #people { display: block; }
ChatBase.-narrow #strip, ChatBase.-tiny #strip { display: block; }
ChatBase.-narrow #header, ChatBase.-tiny #header { display: none; }
ChatBase.-tall #hints { display: block; }
ChatBase.-tiny #hints { display: none; }
ChatBase.-short #strip { display: none; }
ChatBase.-narrow MessageList, ChatBase.-tiny MessageList, ChatBase.-bare MessageList {
    scrollbar-size-vertical: 0; scrollbar-gutter: auto;
}
ChatBase.-hide-rooms #rooms, ChatBase.-hide-people #people { display: none; }
ChatBase.-show-rooms #rooms, ChatBase.-show-people #people { display: block; }
ChatBase.-bare #rooms, ChatBase.-bare #people, ChatBase.-bare #strip, ChatBase.-bare #header, ChatBase.-bare #hints {
    display: none;
}
ChatBase.-micro #main, ChatBase.-micro #status, ChatBase.-micro #strip, ChatBase.-micro #hints { display: none; }
ChatBase.-micro #small { display: block; }
"""
WIDTHS = ((110, "-wide"), (80, "-normal"), (45, "-narrow"), (20, "-tiny"), (0, "-micro"))
HEIGHTS = ((14, "-tall"), (12, "-low"), (5, "-short"), (0, "-micro"))
NOTE_SECONDS = 6.0  # a passing word in the status line
READ_EVERY = 0.25  # seconds between two read cursors sent
TYPING_EVERY = 3.0  # seconds between two typing notices


def trusted_since(host: str, port: int) -> str:
    """The day on which this server's key was first seen, or ""."""
    from tcpchat.client import ConnectionFailed
    from tcpchat.client.first_use import Trusting

    try:
        trust = Trusting(host, port)
    except ConnectionFailed:
        return ""
    return next((one.since for one in trust.known.all() if one.address == trust.address), "") if trust.trusted else ""


class ChatBase(Screen[None]):
    """Composition and updating; what keys do is in ChatScreen."""

    LIST: ClassVar[type[MessageList]] = MessageList

    def __init__(self, session: Session, glyphs: Glyphs) -> None:
        super().__init__(classes="-ascii" if glyphs.rule == "-" else None)
        self.session, self.glyphs = session, glyphs
        self.client: Client | None = None
        self.pages = Pages(self)
        self.facts = panes.Facts()
        self.security = ""
        self.replying: Row | None = None
        self.editing: Row | None = None
        self.hits: re.Pattern[str] | None = None
        self.quitting = False
        self._note_until = 0.0
        self._read_at = 0.0
        self._typing_at = 0.0
        self._parts: dict[str, Any] = {}

    def compose(self) -> ComposeResult:
        more = self.glyphs.more
        yield Bar(id="strip", more=more)
        with Horizontal(id="main"):
            yield Lines(id="rooms", more=more)
            with Vertical(id="middle"):
                yield Bar(id="header", more=more)
                yield self.LIST(self.glyphs, id="list")
            yield Lines(id="people", more=more)
        yield Bar(id="small")
        yield Bar(id="status", more=more)
        with Horizontal(id="entry"):
            yield Bar(id="prompt", more=more)
            yield Composer(id="composer")
            yield Bar(id="offer", more=more)
        yield Bar(id="hints", more=more)

    # -- parts ---------------------------------------------------------------------------------------------------------

    def _part(self, name: str) -> Any:
        found = self._parts.get(name)
        if found is None:
            found = self._parts[name] = self.query_one("#" + name)
        return found

    @property
    def chat(self) -> ChatApp:
        """The application."""
        return cast("ChatApp", self.app)

    @property
    def list(self) -> MessageList:
        """The message list."""
        return cast(MessageList, self._part("list"))

    @property
    def composer(self) -> Composer:
        """Where one types."""
        return cast(Composer, self._part("composer"))

    def bar(self, name: str) -> Bar:
        """One of the bars."""
        return cast(Bar, self._part(name))

    def on_mount(self) -> None:
        settings = self.chat.settings
        self.list.configure(self._configure)
        # While the first page is on its way, nothing is said.
        self.list.empty_text = lambda: (
            []
            if self.session.connected and not self.list.window.at_tail
            else panes.empty(self.session, self.facts.server)
        )
        self.composer.world.themes = self.chat.theme_names()
        self.bar("small").show(Line([(_("Window too small"), "warning")]))
        self.set_focus(self.composer)
        self.set_interval(1.0, self.tick)
        for problem in settings.problems:
            self.say(problem)
        self.refresh_all()

    def _empty_text(self) -> Sequence[str]:
        if self.session.connected and not self.list.window.at_tail:
            return []  # its first page is on the way
        return panes.empty(self.session, self.facts.server)

    def _configure(self, painter: Painter) -> None:
        session = self.session
        painter.time_form = self.chat.settings.time
        painter.state_of = session.state_of
        painter.day_text = self.day_text
        painter.hits = self.hits
        name = re.escape(session.login).replace("\\ ", "[ _]")
        painter.me = re.compile(rf"@?(?<!\w){name}(?!\w)", re.IGNORECASE)

        def quote(seq: int) -> Row | None:
            window = self.list.window
            index = window.find(seq)
            return window.rows[index] if index >= 0 else None

        painter.quote_of = quote

    def day_text(self, at: int) -> str:
        """``Today, Tue 22 Nov``."""
        then, now = time.localtime(at / 1000), time.localtime(self.session.now())
        days = (time.mktime((*now[:3], 12, 0, 0, 0, 0, -1)) - time.mktime((*then[:3], 12, 0, 0, 0, 0, -1))) / 86400
        weekdays = _("Mon Tue Wed Thu Fri Sat Sun").split()
        months = _("Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec").split()
        year = f" {then.tm_year}" if then.tm_year != now.tm_year else ""
        date = f"{weekdays[then.tm_wday]} {then.tm_mday} {months[then.tm_mon - 1]}{year}"
        prefix = {0: _("Today"), 1: _("Yesterday")}.get(round(days), "")
        return f"{prefix}, {date}" if prefix else date

    # -- doing things --------------------------------------------------------------------------------------------------

    def do(self, work: Coroutine[Any, Any, object]) -> None:
        """Run something that asks the server; what it is refused becomes a word in the status line."""
        self.run_worker(self._guarded(work), exit_on_error=False)

    async def _guarded(self, work: Coroutine[Any, Any, object]) -> None:
        from tcpchat.client import ChatError

        try:
            await work
        except ChatError as error:
            self.say(clean_line(str(error)))
        except Exception as error:
            self.chat.fault(error)

    def say(self, text: str) -> None:
        """A passing word in the status line."""
        self.facts.note = clean_line(text)
        self._note_until = self.session.now() + NOTE_SECONDS
        self.show_status()

    def note(self, *texts: str) -> None:
        """Lines of this client's own among the messages."""
        if self.session.open is None:
            self.say(" ".join(texts))
            return
        for text in texts:
            self.session.note(self.session.open, text)
        self.update()

    # -- bringing up to date -------------------------------------------------------------------------------------------

    def tick(self) -> None:
        """Once a second: clocks, countdowns, typing notices that ran out."""
        if self.facts.note and self.session.now() > self._note_until:
            self.facts.note = ""
        self.show_status()
        self.mark_read()

    def update(self) -> None:
        """Show everything that has come since the last time, in one step."""
        session = self.session
        if session.reset:
            self._start_over()
        self._place_rows()
        self._add_rows()
        for row in session.touched:
            self.list.change(lambda row=row: self.list.window.changed(row), stale=[row])  # type: ignore[misc]
        session.touched.clear()
        changed, session.changed = session.changed, set()
        if "ticks" in changed:
            self.list.redraw_own()
        self.mark_read()
        changed |= session.changed
        session.changed = set()
        self._show_parts(changed)
        self._call_out()
        self.on_changes(changed)

    def on_changes(self, changed: set[str]) -> None:
        """What else follows from changes."""

    def _start_over(self) -> None:
        """The server's log is another one than it was: nothing that is shown holds any more."""
        self.session.reset = False
        for one in self.session.conversations.values():
            one.window, one.view, one.head, one.read, one.delivered, one.seen = None, None, 0, 0, 0, 0
            one.fresh.clear()
        self.do(self._show_again())

    async def _show_again(self) -> None:
        """Fetch what is open anew, and say why."""
        if self.session.open is not None:
            await self.pages.open(self.session.open)
        text, self.session.set_back = self.session.set_back, ""
        if text:
            self.note(text)

    def _place_rows(self) -> None:
        for one, row in self.session.placed:
            window, sent = one.window, row.sent
            if window is None or sent is None:
                continue
            if row in one.fresh:
                row.seq, row.place = sent.seq, sent.seq or row.place
            elif window is self.list.window:
                self.list.change(lambda: self._place(one, row), stale=[row])  # noqa: B023  # called at once
                self.list.repaint()
            else:
                self._place(one, row)
        self.session.placed.clear()

    def _place(self, one: Conversation, row: Row) -> None:
        assert one.window is not None
        assert row.sent is not None
        if row.sent.seq:
            one.window.move(row, row.sent.seq, row.sent.at)
        else:
            one.window.settle(row)

    def _add_rows(self) -> None:
        for one in list(self.session.fresh):
            window = one.window
            if window is None:
                continue  # its first page is on the way
            rows, one.fresh = one.fresh, []
            if window is self.list.window:
                self._remark(one, rows)
                self.list.extend(rows)
            else:
                window.extend(rows)
                window.trim_top()
            self.session.fresh.discard(one)

    def _remark(self, one: Conversation, rows: Sequence[Row]) -> None:
        """Rows that nobody looks at get the rule "n unread" above the first."""
        if self.attending and self.list.following:
            return
        session = self.session
        first = next((row for row in rows if row.seq > one.read and not row.event and not session.is_own(row)), None)
        if first is None:
            return
        marked = self.list.window.find(one.marker) if one.marker else -1
        if marked >= 0 and one.marker > one.read:
            row = self.list.window.rows[marked]
            row.unread = max(one.unread, 1)
            self.list.redraw_row(row)
        else:
            if marked >= 0:
                old = self.list.window.rows[marked]
                old.unread = 0
                self.list.change(lambda: self.list.window.changed(old), stale=[old])
            first.unread, one.marker = max(one.unread, 1), first.seq

    @property
    def attending(self) -> bool:
        """Is somebody looking at the messages?"""
        return self.app.app_focus and self.app.screen is self and not self.has_class("-micro")

    def mark_read(self) -> None:
        """What is on the screen of somebody who looks at it is read."""
        one = self.session.open
        if one is None or not self.attending or self.list.window is not one.window:
            return
        seq = self.list.last_seen()
        if self.session.read_up_to(one, seq):
            self._read_at = time.monotonic()
            if self.client is not None:
                self.client.read(one.to, seq)

    def shown(self) -> None:
        """Another window is on the screen."""
        self.mark_read()
        self.refresh_all()

    # -- parts of the screen -------------------------------------------------------------------------------------------

    def how_secure(self) -> str:
        """How safe the connection is, in words; a connection within this machine needs none."""
        if self.client is None:
            return ""
        since = trusted_since(self.client.host, self.client.port)
        if self.client.fingerprint:
            return _("TLS, trusted since %s") % since if since else "TLS"
        return "" if is_loopback(self.client.host) else _("not encrypted")

    def refresh_all(self) -> None:
        """Show all parts anew."""
        self._show_parts({"rooms", "people", "header", "status"})

    def _show_parts(self, changed: set[str]) -> None:
        if changed & {"rooms", "people"}:
            self._part("rooms").set_lines(panes.rooms(self.session, self.glyphs))
            self.show_strip()
            self.chat.caller.title(panes.title(self.session))
        if "people" in changed:
            self._part("people").set_lines(panes.people(self.session, self.glyphs))
        if "header" in changed and not len(self.list.window):
            self.list.repaint()  # says why there is no connection
        if "header" in changed or "people" in changed:
            self.bar("header").show(panes.header(self.session, self.security, self.glyphs))
        if changed:
            self.show_status()

    def show_strip(self) -> None:
        """The rooms above the messages, in a narrow window."""
        self.bar("strip").show(*panes.strip(self.session, self.app.size.width, self.glyphs))

    def show_status(self) -> None:
        """The status line."""
        one, facts, client = self.session.open, self.facts, self.client
        below = one is not None and (not self.list.at_end or not self.list.window.at_tail)
        facts.newer = one.unread if one is not None and below else 0
        facts.latency = client.latency if client else None
        facts.waiting = len(client.pending) if client and not self.session.connected else 0
        self.bar("status").show(panes.status(self.session, facts, self.glyphs, self.app.size.width))
        self.show_prompt()

    def show_prompt(self) -> None:
        """In front of the input: where it goes."""
        one = self.session.open
        label = one.label if one else ""
        if self.editing is not None:
            label = _("edit")
        elif self.replying is not None:
            label = f"{label} {self.glyphs.reply} {self.replying.by}"
        width = self.app.size.width
        text = "" if width < 45 and not (self.editing or self.replying) else f" {label}"
        prompt = self.bar("prompt")
        shown = chop(text, max(min(22, width // 3) - 1, 0), self.glyphs.more) + ">"
        prompt.styles.width = cell_len(shown) + 1
        prompt.show(Line([(shown, "primary")]))
        self.bar("hints").show(panes.hints(width))

    def show_offer(self) -> None:
        """Right of the input: what Tab would make of the word."""
        labels = self.composer.hint() if self.app.size.width >= 60 else []
        bar = self.bar("offer")
        bar.display = bool(labels)
        text = "  ".join(labels)
        tail = "  " + _("Tab next")
        bar.styles.width = min(cell_len(text + tail) + 1, max(self.app.size.width * 2 // 5, 8))
        bar.show(Line([(text, "text")], [(tail, "muted")]))

    def _call_out(self) -> None:
        """Bell or notification for what came while nobody looked."""
        notices, self.session.notices = self.session.notices, []
        when = self.chat.settings.notify
        for notice in notices:
            if when == "none" or (when == "mentions" and not notice.mention):
                continue
            if self.app.app_focus and notice.conversation is self.session.open and self.list.following:
                continue
            where = "" if notice.conversation.direct else f" {notice.conversation.label}"
            room, how = fold(notice.conversation.to), self.chat.settings.how
            self.chat.caller.call(room, f"{notice.by}{where}", notice.text, how, time.monotonic())

    def on_resize(self) -> None:
        self.set_sizes()

    def set_sizes(self) -> None:
        """Which panes there is room for. Textual's breakpoints forget screens below an open panel."""
        width, height = self.app.size
        classes = {name: False for _size, name in (*WIDTHS, *HEIGHTS)}
        for size, table in ((width, WIDTHS), (height, HEIGHTS)):
            classes[next(name for least, name in table if size >= least)] = True
        for name, on in classes.items():
            self.set_class(on, name)
        self.show_strip()
        self.show_status()
