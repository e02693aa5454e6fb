"""The feed: entries as the events that sessions are told, and readers that catch up."""

from __future__ import annotations

from itertools import takewhile

import msgspec

from tcpchat.core import messages
from tcpchat.core import model as m
from tcpchat.core.effects import Effects
from tcpchat.core.rules import ALL
from tcpchat.core.sessions import OPEN, Session, User
from tcpchat.core.text import utf8_length
from tcpchat.core.world import World

FEED_BYTES = 131_072  # of texts told to a reader that catches up before its pipe is looked at again

Shown = m.Message | m.Amended | m.RoomEvent


# -- entries as events -----------------------------------------------------------------------------------------------


def shown(chat: World, row: m.Row | m.Entry) -> Shown | None:
    """What a session is told of an entry, with the names of now; None for entries that are nobody's news."""
    fact = row.fact
    if type(fact) is m.Said:
        edited, removed, snippet = (row.edited, row.removed, row.snippet) if isinstance(row, m.Row) else (0, False, "")
        author = chat.state.users.get(fact.user)
        to = messages.conversation(chat, fact.room, fact.user) or fact.to
        by = author.login if author else fact.by
        return m.Message(
            row.seq, row.at, by, to, fact.text, fact.re, fact.kind, fact.tags, fact.account, edited, removed, snippet,
            fact.rank, () if edited or removed else fact.cuts, False, fact.bot,
        )  # fmt: skip
    if isinstance(fact, m.Edited | m.Removed):
        return messages.amended_event(chat, row.seq, row.at, fact)
    if isinstance(fact, m.Noted):
        return note(chat, row.seq, row.at, fact)
    return room_event(chat, row.seq, row.at, fact)


def told(chat: World, row: m.Row | m.Entry) -> Shown | None:
    """As ``shown``; an entry that fails by a fault of ours is stepped over and does not hide those behind it."""
    try:
        return shown(chat, row)
    except Exception:
        chat.unshown(row.seq)
        return None


def note(chat: World, seq: int, at: int, fact: m.Noted) -> m.Message | None:
    """What the server says in a room."""
    room = chat.state.rooms.get(fact.room)
    if room is None:
        return None
    return m.Message(seq, at, chat.limits.server_name, room.name, fact.text, kind="notice", system=True)


def room_event(chat: World, seq: int, at: int, fact: m.AnyFact) -> m.RoomEvent | None:
    """The event of something that happened to a room."""
    room = chat.state.rooms.get(fact.room)
    if room is None:
        return None

    def event(what: str, by: int = 0, who: int = 0, text: str = "", changes: tuple[m.Change, ...] = ()) -> m.RoomEvent:
        user, actor = chat.state.users.get(who), chat.state.users.get(by)
        login, account, name = (user.login, user.account, user.name) if user else ("", "", "")
        return m.RoomEvent(seq, at, what, room.name, actor.login if actor else "", login, account, name, text, changes)

    match fact:
        case m.Joined():
            return event("joined", who=fact.user)
        case m.Left():
            return event("kicked" if fact.by else "left", by=fact.by, who=fact.user, text=fact.why)
        case m.TopicSet():
            return event("topic", by=fact.by, text=fact.text)
        case m.Invited():
            return event("invited", by=fact.by, who=fact.user)
        case m.Moded():
            return event("mode", by=fact.by, changes=_named(chat, fact.changes))
        case m.RoomRenamed():
            return msgspec.structs.replace(event("renamed", by=fact.by, text=fact.name), name=fact.why)
    return None


def _named(chat: World, changes: tuple[m.Change, ...]) -> tuple[m.Change, ...]:
    """Changes with logins instead of the numbers of users."""
    out = []
    for change in changes:
        if change.name in ("op", "voice"):
            user = chat.state.users.get(int(change.arg or 0))
            change = m.Change(change.name, change.on, user.login if user else "")
        out.append(change)
    return tuple(out)


# -- catching up -----------------------------------------------------------------------------------------------------


def visible(chat: World, session: Session, user: User, row: m.Row | m.Entry) -> bool:
    """May this entry be in the user's feed? Rooms from the entry with which they were joined on, and what is said
    directly to or by the user."""
    number = row.fact.room
    if not messages.may_hear(chat, user, row.fact):
        return False
    if session.hook:
        return number == session.hook
    if number < 0:
        return number in user.directs and type(row.fact) in (m.Said, m.Edited, m.Removed)
    if number == ALL:
        return row.seq >= user.since
    room = chat.state.rooms.get(number)
    member = room.members.get(user.uid) if room else None
    return member is not None and row.seq >= member.since


def advance(chat: World, session: Session, out: Effects) -> None:
    """Bring a session that is not live nearer to the head: from the newest entries at hand, else from the log."""
    if session.stopped or session.stage != OPEN or session.live:
        return
    recent, user = chat.recent, session.user
    assert user is not None
    if session.sent >= chat.state.seq or (recent and recent[0].seq <= session.sent + 1):
        missing = takewhile(lambda entry: entry.seq > session.sent, reversed(recent))
        room = FEED_BYTES
        for entry in reversed(list(missing)):
            if room < 0:
                break
            session.sent = entry.seq
            if visible(chat, session, user, entry) and (event := told(chat, entry)):
                room -= weight(event)
                out.append(m.Tell(session, event))
        else:
            _live(chat, session, out)
            return
    session.asking = True
    heads, amended = chat.state.heads, chat.state.amended
    newer = [n for n in user.directs if heads.get(n, 0) > session.sent or amended.get(n, 0) > session.sent]
    numbers = (session.hook,) if session.hook else (ALL, *user.rooms, *newer)
    query = m.Query(kind="feed", rooms=numbers, after=session.sent, limit=chat.limits.feed_page, seq=chat.state.seq)
    out.append(m.Load(session, query))


def _live(chat: World, session: Session, out: Effects) -> None:
    """It has everything: from now on it hears what happens; what it could not be told meanwhile comes first."""
    session.live = True
    if session.ready != chat.ready and not session.hook:
        session.ready = chat.ready
        out.append(m.Tell(session, chat.status(0.0)))
    if session.missed is not None:
        out += [m.Tell(session, event) for event in session.missed.values()]
        session.missed = None


def fed(chat: World, session: Session, query: m.Query, result: m.Result, out: Effects) -> None:
    session.asking = False
    user = session.user
    assert user is not None
    last, head = session.sent, chat.state.seq
    room, cut = FEED_BYTES, False
    for row in result.rows:
        if row.seq > head:
            break  # durable, but not applied yet: it will be heard live, or with the next page
        if room < 0:
            cut = True  # the rest when there is room in the pipe for it
            break
        last = row.seq
        if visible(chat, session, user, row) and (event := told(chat, row)):
            room -= weight(event)
            out.append(m.Tell(session, event))
    # Without more rows the log has nothing for this session up to the head at the time of asking.
    session.sent = max(session.sent, last, 0 if result.more or cut else query.seq)
    advance(chat, session, out)


def weight(event: Shown) -> int:
    """Bytes of an event, about: its texts, and something for all the rest."""
    text = getattr(event, "text", "")
    tags = getattr(event, "tags", None)
    return 200 + utf8_length(text) + sum(len(key) + len(value) for key, value in (tags or {}).items())
