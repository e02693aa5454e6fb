"""Presence: who is here as others see it; leaving, and guests that leave for good."""

from __future__ import annotations

from msgspec.structs import replace

from tcpchat.core import model as m
from tcpchat.core import receipts
from tcpchat.core.devices import DEPARTED, numbers_ms
from tcpchat.core.effects import Effects
from tcpchat.core.errors import CODES
from tcpchat.core.sessions import CLOSED, Audience, Session, User
from tcpchat.core.stages import step
from tcpchat.core.state import Room
from tcpchat.core.world import World

CROWD = 16  # comings and goings of one window told at once; what is more waits for the window's end,
WORDS = 1_000  # and what is more than so many writes: each is one for everybody who is here
WINDOW, WINDOW_MAX = 0.1, 3.0  # seconds; it grows with those who have to be told,
PER_WINDOW = 200  # by its own length for so many
GUEST_CHECK = 5.0  # seconds between two looks for guests that stayed away


def announce(
    chat: World, user: User, event: m.Presence | m.Preference, out: Effects, but: Session | None = None
) -> None:
    """Tell everybody what is new about a login. When many come and go at once (a class begins, a server is back) that
    is n times n words: past a few they are gathered, so that each receiver gets them in one piece."""
    chat.gathering.told += 1
    chat.reshow(user)
    if (
        type(event) is m.Presence and event.what == "renamed"
    ):  # what is said next names the new login: what waits names the old one and goes first
        tell_gathered(chat, out)
        _announce(chat, user, event, out, but)
    elif chat.gathering.told > CROWD or chat.gathering.told * chat.online > WORDS:
        chat.gathering.waiting.append((user, event, but))
    else:
        _announce(chat, user, event, out, but)


def identified(chat: World, session: Session, user: User, out: Effects) -> None:
    """An account vouches for an open session from now on."""
    session.account = user
    if session.user is not None:
        event = m.Presence(session.user.login, "account", account=user.login)
        announce(chat, session.user, event, out)


def tell_gathered(chat: World, out: Effects) -> None:
    """Say the comings and goings that have waited for the end of their window."""
    untold, chat.gathering.waiting = chat.gathering.waiting, []
    for user, event, but in untold:
        _announce(chat, user, event, out, but, late=True)


def _announce(
    chat: World, user: User, event: m.Presence | m.Preference, out: Effects, but: Session | None, late: bool = False
) -> None:
    """With those of its rooms that each may know of."""
    rooms = list(chat.state.rooms_of(user))
    secret = [room for room in rooms if "secret" in room.modes]
    event = _with(event, user, [room for room in rooms if room not in secret])
    if not secret:
        out.append(m.FanOut(event, chat.everyone, but, late))
        return
    outsiders = Audience()
    for session in chat.everyone:
        shared = [room for room in secret if session.user is not None and session.user.uid in room.members]
        if not shared:
            outsiders.add(session)
        elif session.live and session is not but:
            out.append(m.Tell(session, _with(event, user, shared)))
    out.append(m.FanOut(event, outsiders, but, late))


def _with(event: m.Presence | m.Preference, user: User, rooms: list[Room]) -> m.Presence | m.Preference:
    if isinstance(event, m.Preference):
        return replace(event, rooms=tuple(room.name for room in rooms))
    ranks = {room.name: role for room in rooms if (role := room.role(user.uid))} if event.what == "online" else {}
    return replace(event, rooms=(*event.rooms, *(room.name for room in rooms)), ranks={**event.ranks, **ranks})


def count(chat: World, user: User, change: int) -> None:
    """A login is online now (+1), or is no more (-1)."""
    chat.online += change
    for number in user.rooms:
        chat.state.rooms[number].here += change


def leave(chat: World, session: Session, now: float, why: str, out: Effects) -> None:
    """A session ends: nobody is online by it any more."""
    session.early = ()
    chat.strangers.pop(session.id, None)
    user = session.user
    session.live = False
    if session.device is not None and session.device.session is session:
        session.device.session = None
    if user is None or session not in user.sessions:
        return
    was = user.online
    user.sessions.remove(session)
    chat.reshow(user)
    for audience in chat.audiences(session):
        audience.remove(session)
    for number in user.directs:
        direct = chat.state.directs.get(number)
        if direct is not None and not direct.size:
            del chat.state.directs[number]
    user.seen = chat.ms(now)
    if not user.sessions:
        user.offline_since = now
        if session.traits.guest_is_connection and not user.claimed:
            forget(user, out)  # nobody can come back as this guest: its device was the connection
    if was and not user.online:
        count(chat, user, -1)
        announce(chat, user, m.Presence(user.login, "offline", text=why, account=user.account), out)
        chat.update_ready(out)


def gone(chat: World, entry: m.Entry, fact: m.Gone, out: Effects | None) -> None:
    """A guest is forgotten; those who wait for it to have their message learn that it never will."""
    user = chat.state.users.get(fact.user)
    if user is None or user.claimed:
        return
    if out is not None:
        _end_sessions(chat, user, chat.now, out)
        _failed(chat, user, entry.at, out)
        for number in list(user.rooms):
            room = chat.state.rooms[number]
            event = m.RoomEvent(entry.seq, entry.at, "left", room.name, login=user.login, text="gone")
            out.append(m.FanOut(event, room.audience))
    drop(chat, user, entry.at, out)


def drop(chat: World, user: User, at: int, out: Effects | None) -> None:
    """The user is no more since ``at`` (ms), and rooms that it was alone in may not be either."""
    rooms = [chat.state.rooms[number] for number in user.rooms]
    chat.guests.pop(user.uid, None)
    chat.state.drop_user(user)
    forgot = chat.state.departed.forget(at - numbers_ms(chat.limits), DEPARTED)
    chat.state.forgot = max(chat.state.forgot, forgot)
    for room in rooms:
        after_leaving(chat, room, chat.now, out)


def after_leaving(chat: World, room: Room, now: float, out: Effects | None) -> None:
    """What only those who left did not have is complete now; who posts to a room that has ended by a token goes."""
    receipts.recount(chat, room)
    if room.number in chat.state.rooms or out is None:
        return
    for session in list(room.audience):
        if session.hook == room.number:
            leave(chat, session, now, "", out)
            step(session, "over")
            out.append(m.HangUp(session, "no_such_room"))


def _end_sessions(chat: World, user: User, now: float, out: Effects) -> None:
    """Whoever came in as this guest while its end was on its way to the log: what the log says happened, on this node
    and on every other one, so the session ends and its program comes back as somebody new."""
    for session in list(user.sessions):
        end(chat, session, now, "replaced", out)


def end(chat: World, session: Session, now: float, code: str, out: Effects, why: str = "") -> None:
    """End a session from this side: its peer is told why, in these words or the code's."""
    leave(chat, session, now, why or code, out)
    step(session, "over")
    out.append(m.Tell(session, m.Goodbye(why or CODES[code].text, code)))
    out.append(m.HangUp(session, code))


def lock_out(chat: World, user: User, credential: str, now: float, out: Effects, but: Session | None = None) -> None:
    """A key or password opens this login no more: whoever is in by it goes, and what they had begun with it ends."""
    chat.links.pop(user.uid, None)  # a code shown by who is no longer wanted would be a door left open
    for session in list(chat.sessions.values()):
        if session is but or session.stage == CLOSED:
            continue
        if session.scram is not None and session.scram.meant.uid == user.uid:
            session.scram = None
        if session.credential == credential and user in (session.user, session.account):
            end(chat, session, now, "revoked", out)


def forget(user: User, out: Effects) -> None:
    """Propose the end of a guest; from now on nobody comes in as it any more."""
    if not user.leaving:
        user.leaving = True
        out.append(m.Append(m.Gone(user.uid)))


def _failed(chat: World, user: User, at: int, out: Effects) -> None:
    for number, seqs in user.awaiting.items():
        peer = chat.state.users.get(user.directs.get(number, 0))
        if peer is not None:
            chat.tell_user(peer, m.Receipt("@" + user.login, seqs[-1], "failed", user.login, 0, 0, at), out)


def vacate(chat: World, login: str, out: Effects) -> None:
    """Free a name of a guest who has left: that guest's direct messages are not for whoever comes next."""
    user = chat.state.taken(login)
    if user is not None and not user.claimed:
        forget(user, out)


def tick(chat: World, now: float, out: Effects) -> None:
    """Tell what was gathered; forget guests that did not come back."""
    if now >= chat.gathering.until:
        chat.gathering.told, chat.gathering.until = 0, now + min(WINDOW_MAX, WINDOW * (1 + chat.online / PER_WINDOW))
        tell_gathered(chat, out)
    if now < chat.due.guests:
        return
    chat.due.guests = now + GUEST_CHECK
    _end_vacant(chat, out)
    for user in chat.guests.values():
        if user.sessions or user.claimed:
            continue
        if not user.offline_since:
            user.offline_since = now  # it was here before the last restart
        elif now - user.offline_since > chat.limits.guest_grace:
            forget(user, out)


def _end_vacant(chat: World, out: Effects) -> None:
    """Rooms that only guests were in, and that have no guest any more, end: nobody could be told from a stranger there.
    A fact like any other: whoever comes before it is applied keeps the room."""
    for room in chat.state.rooms.values():
        if not room.members and not room.lasting:
            out.append(m.Append(m.RoomEnded(room.number, vacant=True)))
