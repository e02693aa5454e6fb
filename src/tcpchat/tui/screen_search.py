"""Going to places and finding words on the chat screen."""

from __future__ import annotations

from tcpchat.client import ChatError
from tcpchat.core import model as m
from tcpchat.i18n import _
from tcpchat.tui import keys
from tcpchat.tui.messages import words_pattern
from tcpchat.tui.screen_base import ChatBase
from tcpchat.tui.search import Found, SearchPanel
from tcpchat.tui.session import Conversation
from tcpchat.tui.slash_commands import Doing
from tcpchat.tui.switcher import Choice, Switcher


class Looking(ChatBase):
    """The switcher, the search, and the way to a message far away."""

    found: Found | None
    doing: Doing

    @property
    def operator(self) -> bool:
        """May this login act as an operator?"""
        raise NotImplementedError

    def open_name(self, name: str) -> None:
        """Open a conversation by its name."""
        raise NotImplementedError

    def action_goto(self) -> None:
        panel = Switcher(self.session, operator=self.operator)
        self.app.push_screen(panel, self._gone_to)
        if self.session.connected:
            self.do(self._offer_public(panel))

    async def _offer_public(self, panel: Switcher) -> None:
        if self.client is not None:
            panel.add_public(await self.client.rooms(all=True))

    def _gone_to(self, choice: object) -> None:
        if not isinstance(choice, Choice):
            return
        if choice.kind == "open":
            self.open_name(choice.value)
        elif choice.kind == "join":
            self.do(self.doing.join(choice.value))
        else:
            self.composer.put(f"/{choice.value} ")

    def action_search(self, words: str = "") -> None:
        one = self.session.open
        if one is None:
            return

        async def ask(wanted: str, everywhere: bool, before: int) -> m.Page:
            if self.client is None:
                raise ChatError(_("Not connected yet."))
            return await self.client.search(wanted, to="" if everywhere else one.to, before=before, limit=50)

        panel = SearchPanel(ask, one.label, words=words or (self.found.words if self.found else ""))
        self.app.push_screen(panel, self._found)

    def _found(self, found: object) -> None:
        if isinstance(found, Found):
            self.found = found
            self._go_to_hit()

    def action_search_next(self, step: int) -> None:
        if self.found is None:
            self.action_search()
            return
        at = self.found.at + step
        if not 0 <= at < len(self.found.hits):
            self.say(_("No more hits."))
            return
        self.found = self.found._replace(at=at)
        self._go_to_hit()

    def _go_to_hit(self) -> None:
        assert self.found is not None
        hit = self.found.hits[self.found.at]
        self.hits = words_pattern(self.found.words)
        self.list.repaint()
        to = hit.to if hit.to.startswith("#") or self.session.is_me(hit.by) else "@" + hit.by
        ways = keys.brief("search.next"), keys.brief("back")
        self.say(_("hit %d of %d; %s next, %s back") % (self.found.at + 1, len(self.found.hits), *ways))
        self.do(self._go_to(self.session.get(to), hit.seq))

    async def _go_to(self, one: Conversation, seq: int) -> None:
        if one is not self.session.open:
            self.pages.leave()
            if self.session.open is not None:
                self.session.open.draft = self.composer.text
            self.session.open = one
            self.composer.put(one.draft)
        if not await self.pages.to_seq(one, seq):
            self.say(_("This message is not there any more."))
