"""What keys and clicks do on the chat screen."""

from __future__ import annotations

import time
from typing import ClassVar

from textual import events
from textual.binding import BindingType

from tcpchat.client import ChatError
from tcpchat.core import model as m
from tcpchat.core.text import clean_line, fold
from tcpchat.i18n import _, plural
from tcpchat.tui import commands, keys
from tcpchat.tui.composer import Composer
from tcpchat.tui.emoji import replace_names
from tcpchat.tui.lines import Bar, Lines
from tcpchat.tui.messages import MessageList, links
from tcpchat.tui.panels import AskPanel, HelpPanel, InfoPanel
from tcpchat.tui.panes import JOIN
from tcpchat.tui.rows import Row
from tcpchat.tui.screen_base import TYPING_EVERY
from tcpchat.tui.screen_search import Looking
from tcpchat.tui.search import Found
from tcpchat.tui.session import Conversation, Session
from tcpchat.tui.slash_commands import Doing
from tcpchat.tui.themes import Glyphs, text

WITH_SELECTED = (
    ("msg.reply", text("reply")), ("msg.info", text("info")), ("msg.copy", text("copy")),
    ("msg.open", text("open link")), ("msg.edit", text("edit")), ("msg.delete", text("delete")),
    ("msg.resend", text("resend")), ("back", ""),
)  # fmt: skip
MESSAGE_MAX = 8_000  # bytes, when the server does not say


def with_selected() -> str:
    """What keys do with the selected message, for the status line."""
    shown = ((keys.brief(name), _(words)) for name, words in WITH_SELECTED)
    return "  ".join(f"{key} {words}".rstrip() for key, words in shown if key)


class SelectedList(MessageList):
    """The message list with the keys for a selected message."""

    BINDINGS: ClassVar[list[BindingType]] = [*keys.bindings(keys.SELECTED)]

    async def action_step(self, direction: int) -> None:
        self.step(direction)

    async def action_act(self, what: str) -> None:
        if self.cursor is not None and isinstance(self.screen, ChatScreen):
            self.screen.act(what, self.cursor)

    def on_blur(self) -> None:
        self.select(None)


class ChatScreen(Looking):
    """The chat."""

    BINDINGS: ClassVar[list[BindingType]] = [*keys.bindings(keys.CHAT)]
    LIST = SelectedList

    def __init__(self, session: Session, glyphs: Glyphs) -> None:
        super().__init__(session, glyphs)
        self.doing = Doing(self)
        self.found: Found | None = None

    # -- conversations -------------------------------------------------------------------------------------------------

    def open(self, one: Conversation) -> None:
        """Go to a conversation."""
        session = self.session
        if one is session.open and one.window is not None:
            return
        self.pages.leave()
        if session.open is not None:
            session.open.draft = "" if self.editing else self.composer.text
        self.editing = self.replying = None
        session.open = one
        self.composer.put(one.draft)
        self.list.select(None)
        self.set_focus(self.composer)
        self.do(self.pages.open(one))
        self.refresh_all()

    def open_name(self, to: str) -> None:
        """Go to a conversation by its name, made when it is new."""
        self.open(self.session.get(to))

    def start(self) -> None:
        """The list of rooms has come: open the first."""
        order = self.session.ordered()
        if self.session.open is None and order:
            self.open(order[0])

    def on_changes(self, changed: set[str]) -> None:
        """What follows from what has happened."""
        if "closed" in changed or (self.session.open is None and "rooms" in changed):
            if "closed" in changed:
                self.session.open = None
            self.start()
        for change in changed:
            if change.startswith("invited:"):
                room = clean_line(change[8:])
                self.note(_("You have been invited to %s. Type /join %s to enter.") % (room, room))
        if "list" in changed:
            self.do(self.refresh_rooms())
        if "online" in changed:
            self.do(self.welcome())
        self.composer.world.operator = self.operator

    async def welcome(self) -> None:
        """After every connecting: who is here, how far away is the server, what could not be loaded before."""
        client = self.client
        if client is None:
            return
        self.chat.connected(self.session)
        self.security = self.how_secure()
        if not self.chat.settings.receipts:
            await client.set("receipts", "off")
        self.session.take_people(await client.who(all=True))
        await client.status_now()
        one = self.session.open
        if one is not None and one.broken:
            one.window = None
            await self.pages.open(one)
        self.chat.schedule()

    async def refresh_rooms(self) -> None:
        """Ask for the own conversations and their counts."""
        if self.client is not None:
            asked = self.session.heads()
            self.session.take_rooms(await self.client.rooms(), asked)
            self.chat.schedule()

    @property
    def operator(self) -> bool:
        """May we use operators' commands here?"""
        welcome = self.client.welcome if self.client else None
        role = welcome.role if welcome else ""
        return role in ("owner", "moderator") or (self.session.open is not None and self.session.open.role == "op")

    def action_next_unread(self) -> None:
        one = self.session.next_unread()
        self.open(one) if one else self.say(_("Nothing is unread elsewhere."))

    def action_next_room(self, step: int) -> None:
        order = self.session.ordered()
        if order:
            at = order.index(self.session.open) if self.session.open in order else -1
            self.open(order[(at + step) % len(order)])

    def action_room(self, number: int) -> None:
        order = self.session.ordered()
        if 0 < number <= len(order):
            self.open(order[number - 1])
        else:
            self.say(_("There is no room %d.") % number)

    async def action_read_all(self) -> None:
        for one in self.session.conversations.values():
            if one.unread and self.client is not None:
                self.client.read(one.to, one.head)
                self.session.read_up_to(one, one.head)
        self.update()

    # -- moving --------------------------------------------------------------------------------------------------------

    def action_page(self, direction: int) -> None:
        self.list.page(direction)

    def action_top(self) -> None:
        one = self.session.open
        if one is None or one.window is None:
            return
        if one.window.at_head:
            self.list.go_row(one.window.rows[0]) if one.window.rows else None
        else:
            self.do(self.pages.to_time(one, 1))

    def action_bottom(self) -> None:
        if self.session.open is not None:
            self.do(self.pages.to_end(self.session.open))

    def action_first_unread(self) -> None:
        one = self.session.open
        index = one.window.find(one.marker) if one and one.window and one.marker else -1
        if one is None or one.window is None or index < 0:
            self.say(_("Nothing is unread here."))
        else:
            self.list.go_row(one.window.rows[index], 1)

    def action_mention(self, direction: int) -> None:
        rows = self.list.window.rows
        first, stop = self.list.visible_rows()
        at = self.list.window.index(self.list.cursor) if self.list.cursor else (stop if direction < 0 else first - 1)
        at += direction
        while 0 <= at < len(rows):
            if rows[at].mention:
                self.select(rows[at])
                self.say(with_selected())
                return
            at += direction
        self.say(_("No more mentions among the messages in memory."))

    def action_back(self) -> None:
        """Close what is open; else to the bottom."""
        if self.composer.completion is not None:
            self.composer.drop_completion()
        elif self.get_selected_text():
            self.clear_selection()
        elif self.editing is not None or self.replying is not None:
            self.composer.put("" if self.editing else self.composer.text)
            self.editing = self.replying = None
        elif self.list.has_focus or self.list.cursor is not None:
            self.list.select(None)
            self.set_focus(self.composer)
        else:
            self.hits = None
            self.list.repaint()
            self.action_bottom()
        self.show_status()

    # -- one message ---------------------------------------------------------------------------------------------------

    def select(self, row: Row) -> None:
        """Mark a row, and give it the keys."""
        self.list.select(row)
        self.set_focus(self.list, scroll_visible=False)

    def action_select(self, direction: int) -> None:
        if not self.list.has_focus:
            self.set_focus(self.list, scroll_visible=False)
        self.list.step(direction)
        if self.list.cursor is None:
            self.set_focus(self.composer)
        else:
            self.say(with_selected())

    def last_own(self) -> Row | None:
        """The newest own message in memory."""
        rows = reversed(self.list.window.rows)
        return next((row for row in rows if self.session.is_own(row) and not row.removed), None)

    def act(self, what: str, row: Row) -> None:
        """Do something with a message."""
        own = self.session.is_own(row)
        match what:
            case "reply" if row.seq:
                self.replying = row
                self.set_focus(self.composer)
            case "copy":
                self.app.copy_to_clipboard(row.text)
                self.say(_("Copied."))
            case "open":
                self._open_link(row)
            case "info":
                self.do(self._info(row))
            case "edit" if own and row.seq and not row.removed:
                self.editing = row
                self.composer.put(row.text)
                self.set_focus(self.composer)
            case "delete" if own and row.seq and not row.removed:
                self._ask_delete(row)
            case "resend" if row.failed:
                self.do(self.resend(row))
            case _:
                self.say(_("That does not go with this message."))
        self.show_status()

    def _open_link(self, row: Row) -> None:
        found = links(row)
        if found:
            self.app.open_url(found[0])
            self.say(found[0])
        else:
            self.say(_("There is no link in it."))

    def _ask_delete(self, row: Row) -> None:
        def answered(yes: object) -> None:
            if yes and self.client is not None:
                self.do(self.client.remove(row.seq))

        text = row.text.replace("\n", " ")[:60]
        panel = AskPanel(_("Delete this message for everybody?"), [text], [(_("Keep it"), False), (_("Delete"), True)])
        self.app.push_screen(panel, answered)

    async def _info(self, row: Row) -> None:
        receipts = None
        if row.seq and self.client is not None:
            try:
                receipts = await self.client.receipts(row.seq)
            except ChatError as error:
                self.say(clean_line(str(error)))
        state = self.session.state_of(row)
        panel = InfoPanel(row, state, receipts, self.glyphs, self.session.now())
        await self.app.push_screen(panel, lambda what: self.act(str(what), row) if what else None)

    async def resend(self, row: Row) -> None:
        """Send a failed message again, as a new one."""
        one = self.session.open
        if row.sent is None or self.client is None or one is None:
            return
        self.list.change(lambda: self.list.window.remove(row))
        sent = await self.client.resend(row.sent)
        self.session.sending(one, sent)
        self.chat.schedule()

    # -- input ---------------------------------------------------------------------------------------------------------

    def on_composer_sent(self, event: Composer.Sent) -> None:
        text = event.text
        if not text.strip():
            if self.client is not None and not self.session.connected and not self.session.ended:
                self.client.reconnect_now()
            return
        parsed = commands.parse(text)
        if self.editing is not None and parsed.command is None and not parsed.unknown:
            self.do(self._edited(self.editing, text))
            self.editing = None
        elif parsed.unknown:
            near = _(" Did you mean /%s?") % parsed.near if parsed.near else ""
            word = clean_line(parsed.unknown)
            self.composer.give_back(text)
            self.say(_("No command /%s.") % word + near + " " + _("(Type //%s to send it as text.)") % word)
        elif parsed.command is not None:
            self.composer.sent(text)
            self.do(self.doing.run(parsed.command, parsed.rest))
        elif self.session.open is not None and self.client is not None:
            self.composer.sent(text)
            self.send(parsed.rest)
        else:
            self.composer.give_back(text)
            self.say(_("Not connected yet."))

    def send(self, text: str, *, kind: str = "text", to: Conversation | None = None) -> None:
        """Send a text to the open conversation (or another), split when it is too long for one message."""
        one = to or self.session.open
        if one is None or self.client is None:
            self.say(_("Not connected yet."))
            return
        re, self.replying = (self.replying.seq if self.replying else 0), None
        self._typing_at = 0.0
        self.do(self._send(one, replace_names(text), re, kind))

    async def _send(self, one: Conversation, text: str, re: int, kind: str) -> None:
        assert self.client is not None
        if one is self.session.open:
            await self.pages.to_end(one)
        welcome = self.client.welcome
        for part in parts(text, welcome.max_text if welcome and welcome.max_text else MESSAGE_MAX):
            self.session.sending(one, await self.client.send(one.to, part, re=re, kind=kind))
        self.update()
        self.list.go_end()

    async def _edited(self, row: Row, text: str) -> None:
        if self.client is not None and text != row.text:
            await self.client.edit(row.seq, text)

    def on_composer_typed(self) -> None:
        self.fill_world()
        self.show_offer()
        one, text = self.session.open, self.composer.text
        if one is None or self.client is None or text.startswith("/") or self.editing:
            return
        now = time.monotonic()
        if text and now - self._typing_at > TYPING_EVERY:
            self._typing_at = now
            self.client.typing(one.to, True)
        elif not text and self._typing_at:
            self._typing_at = 0.0
            self.client.typing(one.to, False)

    def on_composer_offer(self) -> None:
        self.show_offer()

    def on_composer_pasted(self, event: Composer.Pasted) -> None:
        lines = event.text.count("\n") + 1

        def answered(yes: object) -> None:
            if yes:
                self.composer.insert(event.text)

        title = plural(lines, "Paste %d line?", "Paste %d lines?") % lines
        first = [clean_line(line)[:70] for line in event.text.split("\n")[:3]]
        answers = [(_("Paste as one message"), True), (_("Do not paste"), False)]
        self.app.push_screen(AskPanel(title, [*first, self.glyphs.more], answers), answered)

    def fill_world(self) -> None:
        """What Tab completes from: recent speakers first, then everybody."""
        session, world = self.session, self.composer.world
        rows = reversed(self.list.window.rows[-300:])
        recent = [row.by for row in rows if row.by and not row.event and not session.is_own(row)]
        others = sorted((clean_line(one.login) for one in session.people.values()), key=fold)
        world.logins = [name for name in dict.fromkeys([*recent, *others]) if not session.is_me(name)]
        world.rooms = [one.label for one in session.ordered() if not one.direct]

    def direct(self, event: events.Key) -> None:
        """A letter typed while the list has the keys goes to the input, and so does what is typed after it."""
        if self.list.has_focus and event.is_printable and event.character and event.key not in keys.letters():
            self.set_focus(self.composer)

    def on_key(self, event: events.Key) -> None:
        """End in an empty input goes to the end of the room."""
        if event.key == "end" and not self.composer.text:
            self.action_bottom()

    # -- view ----------------------------------------------------------------------------------------------------------

    def action_pane(self, name: str) -> None:
        shown = self.query_one("#" + name).display
        self.set_class(shown, f"-hide-{name}")
        self.set_class(not shown, f"-show-{name}")

    def action_bare(self) -> None:
        bare = not self.has_class("-bare")
        self.set_class(bare, "-bare")
        self.call_after_refresh(self.list.set_plain, bare)

    def action_mouse(self) -> None:
        self.say(_("mouse on") if self.chat.use_mouse(not self.chat.mouse) else _("mouse left to the terminal"))

    def action_redraw(self) -> None:
        self.list.repaint()
        self.chat.redraw()

    def action_help(self) -> None:
        self.app.push_screen(HelpPanel(self.glyphs, operator=self.operator, selecting=self.list.has_focus))

    def action_copy(self) -> None:
        text = self.get_selected_text() or self.composer.selected_text
        if text:
            self.app.copy_to_clipboard(text)
            self.clear_selection()
            self.say(_("Copied."))
        elif self.composer.text:
            self.composer.put("")
        else:
            self.say(_("%s quits.") % keys.brief("quit"))

    def action_quit(self) -> None:
        self.do(self.chat.leave())

    # -- mouse ---------------------------------------------------------------------------------------------------------

    def on_lines_picked(self, event: Lines.Picked) -> None:
        if isinstance(event.value, Conversation):
            self.open(event.value)
        elif isinstance(event.value, m.Person):
            if not self.session.is_me(event.value.login):
                self.open_name("@" + event.value.login)
        elif event.value == JOIN:
            self.action_goto()

    def on_bar_clicked(self, event: Bar.Clicked) -> None:
        if isinstance(event.value, Conversation):
            self.open(event.value)

    def on_message_list_near(self, event: MessageList.Near) -> None:
        self.do(self.pages.older() if event.older else self.pages.newer())

    def on_message_list_seen(self) -> None:
        self.mark_read()
        self.chat.schedule()

    def on_message_list_row_clicked(self, event: MessageList.RowClicked) -> None:
        if event.times == 2 and not event.row.event and event.row.kind != "note":
            self.clear_selection()
            self.select(event.row)
        elif event.times == 1:
            self.set_focus(self.composer)


def parts(text: str, limit: int) -> list[str]:
    """The text in pieces of at most ``limit`` bytes, cut at line ends or spaces where there are any."""
    out = []
    while len(text.encode("utf-8", "surrogatepass")) > limit:
        piece = text.encode("utf-8", "surrogatepass")[:limit].decode("utf-8", "ignore")
        cut = max(piece.rfind("\n"), piece.rfind(" "))
        cut = cut if cut > len(piece) // 2 else len(piece)
        out.append(text[:cut])
        text = text[cut:].lstrip(" \n") if cut < len(piece) else text[cut:]
    return [*out, text]
