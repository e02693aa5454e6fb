"""Paging: which rows of a conversation are in memory. The log is the server's; a window of it is here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Protocol

from tcpchat.core import model as m
from tcpchat.tui.messages import MessageList
from tcpchat.tui.rows import Row
from tcpchat.tui.session import COUNTED, Conversation, Session
from tcpchat.tui.window import Window, place

if TYPE_CHECKING:
    from tcpchat.client import Client

PAGE = 200  # rows asked for at a time
WINDOWS = 8  # conversations whose rows stay in memory
CONTEXT = 2  # lines above the first unread row


class Asks(Protocol):
    """What paging needs of the screen."""

    session: Session
    client: Client | None

    @property
    def list(self) -> MessageList:
        """The list that shows the open conversation."""
        ...

    def shown(self) -> None:
        """Another window is on the screen."""
        ...


class Pages:
    """Opens conversations, brings pages, jumps."""

    def __init__(self, asks: Asks) -> None:
        self.asks = asks
        self._busy: set[tuple[Conversation, bool]] = set()
        self._recent: list[Conversation] = []

    # -- opening -------------------------------------------------------------------------------------------------------

    def leave(self) -> None:
        """Remember where the open conversation was left."""
        asks, one = self.asks, self.asks.session.open
        if one is None or one.window is None or asks.list.window is not one.window:
            return
        first, stop = asks.list.visible_rows()
        if asks.list.following or first >= stop:
            one.view = None
        else:
            row = one.window.rows[first]
            one.view = (row, one.window.offsets[first] - asks.list.scroll_offset.y)
        self._unmark(one)

    def _unmark(self, one: Conversation) -> None:
        if one.window is not None and one.marker:
            for row in one.window.rows:
                if row.unread:
                    row.unread = 0
                    one.window.changed(row)
        one.marker = 0

    async def open(self, one: Conversation) -> None:
        """Show a conversation: at its first unread row, where it was left, or at its end."""
        asks = self.asks
        self._keep(one)
        if one.window is not None and not one.broken and (one.window.at_tail or one.view is not None):
            self._show(one)
            return
        if one.loading:
            return
        far = one.unread >= COUNTED
        await self._load(one, lambda client: client.history(
            one.to, around=one.read + 1 if far else 0, limit=PAGE, events=True
        ))  # fmt: skip
        if asks.session.open is one:
            self._show(one)

    def _keep(self, one: Conversation) -> None:
        """The rows of what was not looked at for long are dropped."""
        self._recent = [one, *(other for other in self._recent if other is not one)]
        for other in self._recent[WINDOWS:]:
            other.window, other.view = None, None
        del self._recent[WINDOWS:]

    async def _load(self, one: Conversation, ask: Callable[[Client], Awaitable[m.Page]]) -> None:
        """Fill a new window from one page; what comes meanwhile is merged."""
        from tcpchat.client import ChatError

        one.loading, one.window = True, None
        window = self.asks.session.new_window()
        page = None
        try:
            client = self.asks.client
            if client is not None:
                page = await ask(client)
        except ChatError:
            one.broken = True
        finally:
            one.loading = False
        window.at_tail = True
        if page is not None:
            one.broken = False
            self._fill(one, window, page)
        one.window = window
        rows, one.fresh = one.fresh, []
        window.extend(sorted(rows, key=place))
        self.asks.session.fresh.discard(one)
        window.extend(sorted(one.outgoing.values(), key=lambda row: row.sent.number if row.sent else 0))

    def _fill(self, one: Conversation, window: Window, page: m.Page) -> None:
        session = self.asks.session
        self._cursors(one, page)
        window.extend(session.rows(page.messages))
        last = page.messages[-1].seq if page.messages else 0
        window.at_tail = not page.more or last >= one.head
        window.at_head = not page.more
        if not window.at_tail:
            one.fresh = [row for row in one.fresh if not row.seq]

    def _cursors(self, one: Conversation, page: m.Page) -> None:
        one.delivered = max(one.delivered, page.delivered)
        one.seen = max(one.seen, page.seen)

    def _show(self, one: Conversation) -> None:
        asks, window = self.asks, one.window
        assert window is not None
        first = self._mark(one)
        if first is not None:
            asks.list.show(window, first, CONTEXT)
            below = window.height - window.offsets[window.index(first)]
            if window.at_tail and below <= asks.list.size.height:
                asks.list.go_end()
        elif one.view is not None:
            asks.list.show(window, *one.view)
        else:
            asks.list.show(window)
        one.view = None
        asks.shown()

    def _mark(self, one: Conversation) -> Row | None:
        """Put the rule "n unread" above the first unread row."""
        if not one.unread or one.window is None:
            return None
        session = self.asks.session
        for index in range(one.window.first_from(one.read + 1), len(one.window.rows)):
            row = one.window.rows[index]
            if row.seq and not row.event and not session.is_own(row):
                row.unread, one.marker = one.unread, row.seq
                one.window.changed(row)
                return row
        return None

    # -- more of it ----------------------------------------------------------------------------------------------------

    async def older(self) -> None:
        """The page before the window."""
        one, window = self._begin(older=True)
        if one is None or window is None or window.at_head:
            return
        try:
            before, rows = window.first_seq, list[Row]()
            while not rows and not window.at_head:  # a page of nothing but ignored people has no rows
                page = await self._client.history(one.to, before=before, limit=PAGE, events=True)
                window.at_head = not page.more
                self._cursors(one, page)
                rows = self.asks.session.rows(page.messages)
                before = page.messages[0].seq if page.messages else 0
            if one.window is window:
                self._change(one, lambda: self._add_older(window, rows))
        finally:
            self._busy.discard((one, True))

    async def newer(self) -> None:
        """The page behind the window; at the room's end the window is live again."""
        one, window = self._begin(older=False)
        if one is None or window is None or window.at_tail:
            return
        try:
            after, rows, more = window.last_seq, list[Row](), True
            while not window.at_tail and not (rows and more):
                page = await self._client.history(one.to, after=after, limit=PAGE, events=True)
                self._cursors(one, page)
                rows += self.asks.session.rows(page.messages)
                after = page.messages[-1].seq if page.messages else after
                more = page.more
                # A message may have come between the reading of the page and its arrival: then ask once more.
                window.at_tail = not more and (not page.messages or after >= one.head)
            if one.window is window:
                self._change(one, lambda: self._add_newer(window, rows))
        finally:
            self._busy.discard((one, False))

    def _add_older(self, window: Window, rows: list[Row]) -> None:
        window.prepend(rows)
        window.trim_bottom()

    def _add_newer(self, window: Window, rows: list[Row]) -> None:
        window.extend(rows)
        window.trim_top()

    def _begin(self, *, older: bool) -> tuple[Conversation | None, Window | None]:
        one = self.asks.session.open
        if one is None or one.window is None or self.asks.client is None or (one, older) in self._busy:
            return None, None
        if (one.window.at_head if older else one.window.at_tail) or not one.window.first_seq:
            return None, None
        self._busy.add((one, older))
        return one, one.window

    def loading(self, one: Conversation) -> bool:
        """Is a page on its way?"""
        return one.loading or (one, True) in self._busy or (one, False) in self._busy

    def _change(self, one: Conversation, action: Callable[[], object]) -> None:
        if self.asks.list.window is one.window:
            self.asks.list.change(action)
        else:
            action()

    @property
    def _client(self) -> Client:
        assert self.asks.client is not None
        return self.asks.client

    # -- jumping -------------------------------------------------------------------------------------------------------

    async def to_seq(self, one: Conversation, seq: int) -> bool:
        """Bring a message onto the screen, wherever in the room it is. Returns whether it is there."""
        window = one.window
        if window is None or window.find(seq) < 0:
            await self._load(one, lambda client: client.history(one.to, around=seq, limit=PAGE, events=True))
            window = one.window
        if window is None or self.asks.session.open is not one:
            return False
        index = window.find(seq)
        if index < 0:
            self._show(one)
            return False
        row = window.rows[index]
        if self.asks.list.window is not window:
            self.asks.list.show(window, row, self.asks.list.size.height // 3)
        else:
            self.asks.list.go_row(row, self.asks.list.size.height // 3)
        self.asks.list.select(row)
        self.asks.shown()
        return True

    async def to_time(self, one: Conversation, ms: int) -> None:
        """Bring the first message at or after a time onto the screen."""
        await self._load(one, lambda client: client.history(one.to, at=max(ms, 1), limit=PAGE, events=True))
        window = one.window
        if window is None or self.asks.session.open is not one:
            return
        window.at_head = False  # the page began in the middle
        row = window.rows[0] if window.rows else None
        self.asks.list.show(window, row, 0)
        self.asks.shown()
        await self.older()
        if row is not None and self.asks.list.window is window:
            self.asks.list.go_row(row, 0)

    async def to_end(self, one: Conversation) -> None:
        """To the newest message."""
        if one.window is None or not one.window.at_tail:
            await self._load(one, lambda client: client.history(one.to, limit=PAGE, events=True))
            if one.window is not None and self.asks.session.open is one:
                self.asks.list.show(one.window)
                self.asks.shown()
        else:
            self.asks.list.go_end()
