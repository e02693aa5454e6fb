"""What the client knows of the chat: conversations, unread counts, people, who types. No screen, no connection."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from tcpchat.client import Offline, Online, Sent, SentChanged, SetBack
from tcpchat.core import model as m
from tcpchat.core.text import clean, clean_line, fold, mentions
from tcpchat.i18n import _
from tcpchat.tui.rows import Row
from tcpchat.tui.window import WINDOW, Window

TYPING_SECONDS = 6.0  # a typing notice counts this long when it is not taken back
KEPT = 100  # rows kept of a direct conversation that was not opened yet
COUNTED = 100  # the server counts unread messages up to here


class Conversation:
    """A room, or what is said with one login."""

    __slots__ = (
        "broken", "delivered", "draft", "fresh", "head", "loading", "marker", "member", "members", "mentions",
        "muted", "online", "outgoing", "read", "role", "seen", "to", "topic", "typing", "unread", "view", "window",
    )  # fmt: skip  # fmt: skip

    def __init__(self, to: str) -> None:
        self.to = to
        self.topic = self.role = self.draft = ""
        self.members = self.online = self.head = self.read = self.unread = self.mentions = 0
        self.delivered = self.seen = 0  # every other member has, has read, what is up to here
        self.member = True
        self.muted = False
        self.window: Window | None = None
        self.loading = self.broken = False  # a page is on its way; it did not come
        self.fresh: list[Row] = []  # rows that came and are not in the window yet
        self.outgoing: dict[int, Row] = {}  # by number in the outbox: own messages without a place
        self.marker = 0  # the first unread seq when the room was opened
        self.typing: dict[str, float] = {}  # login -> until when
        self.view: tuple[Row, int] | None = None  # where it was left: row and line on the screen; None = at the end

    @property
    def direct(self) -> bool:
        """Is it a conversation with one login?"""
        return self.to.startswith("@")

    @property
    def label(self) -> str:
        """The name as a screen may show it."""
        return clean_line(self.to.removeprefix("@"))


class Notice:
    """Something a person may want to be called for."""

    __slots__ = ("by", "conversation", "mention", "text")

    def __init__(self, conversation: Conversation, by: str, text: str, mention: bool) -> None:
        self.conversation, self.by, self.text, self.mention = conversation, by, text, mention


class Session:
    """The state behind the screen. ``take`` gets every event; ``changed`` says which parts of the screen are stale."""

    def __init__(self, login: str, *, window: int = WINDOW, now: Callable[[], float] = time.time) -> None:
        self.login = login
        self.now = now
        self.limit = window
        self.names = {fold(login)}
        self.conversations: dict[str, Conversation] = {}
        self.people: dict[str, m.Person] = {}
        self.open: Conversation | None = None
        self.ignored: set[str] = set()
        self.muted: set[str] = set()
        self.changed: set[str] = set()  # rooms, people, status, header, ticks
        self.touched: list[Row] = []  # rows of the open window whose text has changed
        self.notices: list[Notice] = []
        self.fresh: set[Conversation] = set()  # conversations with rows to be added
        self.placed: list[tuple[Conversation, Row]] = []  # own rows that have got their place, or never will
        self.counted = 0  # up to here the server has counted what is unread
        self.state = ""
        self.online_count = 0
        self.connected = False
        self.ended = False
        self.why = ""
        self.retry_at = 0.0
        self.reset = False  # the server's log is another one: everything shown is void
        self.set_back = ""  # what a person is told of that

    # -- asking --------------------------------------------------------------------------------------------------------

    def is_me(self, login: str) -> bool:
        """Is this the own login?"""
        return fold(login) in self.names

    def find(self, to: str) -> Conversation | None:
        """The conversation of this name, "#room" or "@login"."""
        return self.conversations.get(fold(to))

    def get(self, to: str) -> Conversation:
        """The conversation of this name, made when there is none."""
        key = fold(to)
        found = self.conversations.get(key)
        if found is None:
            found = self.conversations[key] = Conversation(to)
            found.muted = key in self.muted
            self.changed.add("rooms")
        return found

    def ordered(self) -> list[Conversation]:
        """As they are listed and numbered: #all, rooms, then people, by name."""
        return sorted(self.conversations.values(), key=lambda one: (one.direct, fold(one.to) != "#all", fold(one.to)))

    def next_unread(self) -> Conversation | None:
        """Mentions first, then whatever is unread; muted rooms only for mentions."""
        others = [one for one in self.ordered() if one is not self.open]
        for one in others:
            if one.mentions:
                return one
        return next((one for one in others if one.unread and not one.muted), None)

    def elsewhere(self) -> tuple[int, int]:
        """Unread messages and mentions in conversations that are not open."""
        others = [one for one in self.conversations.values() if one is not self.open and not one.muted]
        return sum(one.unread for one in others), sum(one.mentions for one in others)

    def typists(self) -> list[str]:
        """Who types in the open conversation."""
        if self.open is None:
            return []
        now = self.now()
        return [clean_line(login) for login, until in self.open.typing.items() if until > now]

    def state_of(self, row: Row) -> str:
        """How far an own message has got; "" for those of others."""
        conversation = self.open
        if row.sent is not None and row.sent.state in ("failed", "unknown"):
            return "failed"
        if row.event or row.kind == "note" or not self.is_own(row) or conversation is None:
            return ""
        if not row.seq:
            return "pending"
        if row.seq <= conversation.seen or (row.sent is not None and row.sent.state == "read"):
            return "read"
        if row.seq <= conversation.delivered or (row.sent is not None and row.sent.state == "delivered"):
            return "delivered"
        return "accepted"

    def is_own(self, row: Row) -> bool:
        """Did I write it?"""
        return row.sent is not None or (not row.event and row.kind != "note" and self.is_me(row.by))

    def new_window(self) -> Window:
        """An empty window for a conversation."""
        return Window(self.is_own, self.limit)

    # -- rows ----------------------------------------------------------------------------------------------------------

    def row(self, event: object) -> Row | None:
        """The row of something from a feed or a page; None for what is not shown."""
        if isinstance(event, m.Message):
            return self._message_row(event)
        if isinstance(event, m.RoomEvent):
            text = event_text(event)
            if not text:
                return None
            row = Row(event.seq, event.at, clean_line(event.login or event.by), text, "event")
            row.event = event.what
            return row
        return None

    def _message_row(self, event: m.Message) -> Row | None:
        if event.kind == "tag" or fold(event.by) in self.ignored:
            return None
        row = Row(event.seq, event.at, clean_line(event.by), clean(event.text).replace("\t", "    "), event.kind)
        row.re, row.edited, row.removed = event.re, bool(event.edited), event.removed
        row.mention = event.to.startswith("#") and not self.is_me(event.by) and mentions(event.text, self.login)
        return row

    def rows(self, events: Iterable[object]) -> list[Row]:
        """Rows for a page."""
        return [row for event in events if (row := self.row(event)) is not None]

    def note(self, conversation: Conversation, text: str) -> Row:
        """A line of this client's own, seen by nobody else."""
        row = Row(0, int(self.now() * 1000), "", clean(text), "note")
        window = conversation.window
        row.place = (window.last_seq if window else 0) + 0.5
        self._fresh(conversation, row)
        return row

    def sending(self, conversation: Conversation, sent: Sent) -> Row:
        """An own message that is on its way."""
        text = clean(sent.text).replace("\t", "    ")
        row = Row(sent.seq, sent.at or int(self.now() * 1000), clean_line(self.login), text, sent.kind)
        row.re, row.sent = sent.re, sent
        if sent.state == "unknown":
            row.failed = _("not known whether it was sent")
        elif not sent.seq:
            conversation.outgoing[sent.number] = row
        self._fresh(conversation, row)
        return row

    def _fresh(self, conversation: Conversation, row: Row) -> None:
        window = conversation.window
        if conversation.loading or (window is not None and (window.at_tail or not row.seq)):
            conversation.fresh.append(row)
            self.fresh.add(conversation)
        elif window is None and conversation.direct:
            # A guest may be gone by the time that one looks, and with it what the server would tell of it.
            conversation.fresh = [*conversation.fresh[-KEPT:], row]

    # -- events --------------------------------------------------------------------------------------------------------

    def take(self, event: object) -> None:
        """Something has happened."""
        handler = _TAKE.get(type(event))
        if handler is not None:
            handler(self, event)

    def _online(self, event: Online) -> None:
        welcome = event.welcome
        self.login = welcome.login
        self.names.add(fold(welcome.login))
        self.reset = self.reset or welcome.head < self.counted
        self.counted = welcome.head
        self.state, self.connected, self.why = welcome.state, True, ""
        self.changed |= {"rooms", "status", "header", "online"}

    def _set_back(self, event: SetBack) -> None:
        """Of what is shown, what is not on the server any more goes; a person is told from when on."""
        self.reset, self.counted = True, 0
        windows = [one.window.rows for one in self.conversations.values() if one.window is not None]
        rows = [row for some in (*windows, *(one.fresh for one in self.conversations.values())) for row in some]
        last = max((row.at for row in rows if 0 < row.seq < event.seq), default=0)
        when = time.strftime("%H:%M", time.localtime(last / 1000))
        if last and not event.whole:
            self.set_back = _("The server was set back: messages after %s that you saw are not on it.") % when
        elif event.whole:
            self.set_back = _("The server's messages are others than before: what you saw is not on it.")
        else:
            self.set_back = _("The server was set back: the newest messages that you saw are not on it.")

    def _offline(self, event: Offline) -> None:
        self.connected = False
        self.why = clean_line(event.why)
        self.ended = event.retry_in is None
        self.retry_at = 0.0 if event.retry_in is None else self.now() + event.retry_in
        for conversation in self.conversations.values():
            conversation.typing.clear()
        self.changed |= {"status", "header", "people"}

    def _state(self, event: m.State) -> None:
        self.state, self.online_count = event.state, event.online
        self.changed |= {"status", "header"}

    def _message(self, event: m.Message) -> None:
        own = self.is_me(event.by)
        conversation = self.get(event.to if own or event.to.startswith("#") else "@" + event.by)
        conversation.head = max(conversation.head, event.seq)
        conversation.typing.pop(event.by, None)
        row = self._message_row(event)
        if row is None:
            return
        self._fresh(conversation, row)
        if own or event.seq <= max(self.counted, conversation.read):
            return
        conversation.unread += 1
        mention = conversation.direct or row.mention
        conversation.mentions += mention
        self.changed.add("rooms")
        if not conversation.muted or row.mention:
            self.notices.append(Notice(conversation, row.by, row.text, mention))

    def _amended(self, event: m.Amended) -> None:
        own = self.is_me(event.by)
        conversation = self.find(event.to if own or event.to.startswith("#") else "@" + event.by)
        if conversation is None:
            return
        window = conversation.window
        index = window.find(event.target) if window else -1
        waiting = next((row for row in conversation.fresh if row.seq == event.target), None)
        row = window.rows[index] if window and index >= 0 else waiting
        if row is None:
            return
        row.removed, row.edited = event.removed, not event.removed
        row.text = clean(event.text).replace("\t", "    ")
        if conversation is self.open:
            self.touched.append(row)
        elif window and index >= 0:
            window.changed(row)

    def _room_event(self, event: m.RoomEvent) -> None:
        me = bool(event.login) and self.is_me(event.login)
        if event.what in ("left", "kicked") and me:
            self._gone_from(event)
            return
        if event.what == "invited":
            self.changed.add("invited:" + event.room if me else "rooms")
            if me:
                return
        conversation = self.get(event.room)
        if event.what == "topic":
            conversation.topic = event.text
        elif event.what == "renamed":
            self._rename_room(conversation, event.text)
        elif event.what in ("joined", "left", "kicked"):
            conversation.members += 1 if event.what == "joined" else -1
        if event.what == "joined" and me:
            conversation.member = True
            self.changed.add("list")
        conversation.head = max(conversation.head, event.seq)
        if (row := self.row(event)) is not None:
            self._fresh(conversation, row)
        self.changed |= {"rooms", "header"}

    def _gone_from(self, event: m.RoomEvent) -> None:
        conversation = self.find(event.room)
        if conversation is not None:
            conversation.member = False
            if event.what == "kicked":
                self.note(conversation, event_text(event))
            if conversation is not self.open or event.what == "left":
                del self.conversations[fold(event.room)]
            if conversation is self.open and event.what == "left":
                self.changed.add("closed")
        self.changed |= {"rooms", "header"}

    def _rename_room(self, conversation: Conversation, name: str) -> None:
        self.conversations.pop(fold(conversation.to), None)
        conversation.to = name
        self.conversations[fold(name)] = conversation

    def _receipt(self, event: m.Receipt) -> None:
        conversation = self.find(event.to)
        if conversation is None or (event.of and event.have < event.of) or event.state == "failed":
            return
        if event.state == "read":
            conversation.seen = max(conversation.seen, event.seq)
        conversation.delivered = max(conversation.delivered, event.seq)
        if conversation is self.open:
            self.changed.add("ticks")

    def _sent(self, event: SentChanged) -> None:
        sent = event.sent
        conversation = self.get(sent.to)
        row = conversation.outgoing.get(sent.number)
        if row is None:
            if conversation is self.open:
                self.changed.add("ticks")
            return
        self.changed.add("status")
        if sent.state in ("failed", "unknown"):
            del conversation.outgoing[sent.number]
            unknown = sent.state == "unknown"
            row.failed = _("not known whether it was sent") if unknown else clean_line(sent.reason or _("given up"))
            self.placed.append((conversation, row))
        elif sent.seq:
            del conversation.outgoing[sent.number]
            conversation.head = max(conversation.head, sent.seq)
            self.placed.append((conversation, row))

    def _presence(self, event: m.Presence) -> None:
        key = fold(event.login)
        person = self.people.get(key) or m.Person(event.login, False)
        if event.what == "renamed":
            self._renamed(event)
            person = m.Person(event.text, True, event.account or person.account, person.name, person.away)
            self.people.pop(key, None)
            key = fold(event.text)
        else:
            online = event.what != "offline"
            away = event.text if event.what == "away" else "" if event.what in ("back", "offline") else person.away
            at = int(self.now() * 1000)
            person = m.Person(
                event.login, online, event.account or person.account, event.name or person.name, away, person.role,
                person.doors, at if event.what == "online" else person.since, at,
            )  # fmt: skip
        self.people[key] = person
        for conversation in self.conversations.values():
            if not person.online:
                conversation.typing.pop(event.login, None)
        self.changed |= {"people", "rooms", "header", "status"}

    def _renamed(self, event: m.Presence) -> None:
        old, new = fold(event.login), event.text
        if old in self.names and fold(self.login) == old:
            self.login = new
            self.names.add(fold(new))
        conversation = self.conversations.pop("@" + old, None)
        if conversation is not None:
            conversation.to = "@" + new
            self.conversations["@" + fold(new)] = conversation

    def _typing(self, event: m.TypingNotice) -> None:
        conversation = self.find(event.to if event.to.startswith("#") else "@" + event.by)
        if conversation is None or self.is_me(event.by) or fold(event.by) in self.ignored:
            return
        if event.on:
            conversation.typing[event.by] = self.now() + TYPING_SECONDS
        else:
            conversation.typing.pop(event.by, None)
        self.changed.add("status")

    def _mark_read(self, event: m.MarkRead) -> None:
        conversation = self.find(event.to)
        if conversation is not None:
            self.read_up_to(conversation, event.seq)

    def _rooms(self, event: m.RoomList) -> None:
        self.take_rooms(event.rooms)

    def heads(self) -> dict[str, int]:
        """The newest message known of each conversation."""
        return {key: conversation.head for key, conversation in self.conversations.items()}

    def take_rooms(self, rooms: Iterable[m.RoomInfo], asked: Mapping[str, int] | None = None) -> None:
        """The server's list of own conversations, with its counts; ``asked`` are the heads when it was asked for.

        The server counts for a moment, and what comes meanwhile may be in its answer or not: it is not forgotten.
        """
        known = set()
        for info in rooms:
            if not info.member:
                continue
            conversation = self.get(info.to)
            known.add(fold(info.to))
            conversation.to, conversation.topic, conversation.role = info.to, info.topic, info.role
            conversation.members, conversation.online, conversation.member = info.members, info.online, True
            moved = asked is not None and conversation.head > asked.get(fold(info.to), 0)
            least = (conversation.unread, conversation.mentions) if moved and info.read == conversation.read else (0, 0)
            conversation.head = max(conversation.head, info.head)
            conversation.delivered = max(conversation.delivered, info.delivered)
            conversation.seen = max(conversation.seen, info.seen)
            if info.read >= conversation.read:
                conversation.read = info.read
                conversation.unread = max(info.unread, least[0])
                conversation.mentions = max(info.mentions, least[1])
        for key, conversation in list(self.conversations.items()):
            if key not in known and not conversation.direct and conversation is not self.open:
                del self.conversations[key]
        self.changed |= {"rooms", "header", "ticks"}

    def take_people(self, people: Iterable[m.Person]) -> None:
        """Everybody who is here, as the server says."""
        self.people = {fold(person.login): person for person in people}
        self.changed |= {"people", "rooms", "header"}

    # -- reading -------------------------------------------------------------------------------------------------------

    def read_up_to(self, conversation: Conversation, seq: int) -> bool:
        """A person has seen the conversation up to here. Returns whether that is news."""
        if seq <= conversation.read:
            return False
        before, conversation.read = conversation.read, seq
        window = conversation.window
        if seq >= conversation.head:
            conversation.unread = conversation.mentions = 0
        elif window is not None:
            passed = window.rows[window.first_from(before + 1) : window.first_from(seq + 1)]
            others = [row for row in passed if row.seq and not row.event and not self.is_own(row)]
            named = len(others) if conversation.direct else sum(row.mention for row in others)
            conversation.unread = max(conversation.unread - len(others), 0)
            conversation.mentions = max(conversation.mentions - named, 0)
        self.changed |= {"rooms", "status"}
        return True


def event_text(event: m.RoomEvent) -> str:
    """What happened in a room, in words."""
    login, by, text = clean_line(event.login), clean_line(event.by), clean_line(event.text)
    why = f" ({text})" if text else ""
    match event.what:
        case "joined":
            return _("--> %s joined") % login
        case "left":
            return _("<-- %s left") % login + why
        case "kicked":
            return _("<-- %s was removed by %s") % (login, by) + why
        case "topic":
            return _("%s set the topic: %s") % (by, text) if text else _("%s cleared the topic") % by
        case "invited":
            return _("%s invited %s") % (by, login)
        case "renamed":
            return _("%s renamed the room to %s") % (by, text)
        case "made":
            return _("%s made the room") % by
        case "mode":
            return _("%s changed the room: %s") % (by, ", ".join(map(_change, event.changes)))
    return ""


def _change(change: m.Change) -> str:
    arg = f" {clean_line(change.arg)}" if change.arg else ""
    return f"{'+' if change.on else '-'}{clean_line(change.name)}{arg}"


_TAKE: dict[type, Any] = {
    Online: Session._online,
    Offline: Session._offline,
    SentChanged: Session._sent,
    SetBack: Session._set_back,
    m.State: Session._state,
    m.Message: Session._message,
    m.Amended: Session._amended,
    m.RoomEvent: Session._room_event,
    m.Receipt: Session._receipt,
    m.Presence: Session._presence,
    m.TypingNotice: Session._typing,
    m.MarkRead: Session._mark_read,
    m.RoomList: Session._rooms,
}
