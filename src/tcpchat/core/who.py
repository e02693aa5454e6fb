"""Who is here: what others are shown of a login, and lists of people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tcpchat.core import model as m
from tcpchat.core.errors import CODES
from tcpchat.core.feed import Session
from tcpchat.core.people import away_text
from tcpchat.core.state import Room, User

if TYPE_CHECKING:
    from tcpchat.core.chat import Chat, Effects


def shown(chat: Chat, user: User, asker: User, role: str | None = None) -> m.Person:
    """``person``, made once for all who ask soon after each other."""
    known = chat.shown.get(user.uid)
    found = known.get(role) if known is not None else None
    if found is None:
        found = person(chat, user, asker, role)
        if not any("secret" in chat.state.rooms[number].modes for number in user.rooms):  # else it depends on who asks
            chat.shown.setdefault(user.uid, {})[role] = found
    return found


def person(chat: Chat, user: User, asker: User, role: str | None = None, ranks: bool = False) -> m.Person:
    """One login as others may see it."""
    rooms = [
        room for room in chat.state.rooms_of(user) if "secret" not in room.modes or chat.state.is_member(asker, room)
    ]
    shown = tuple(room.name for room in rooms)
    sessions = user.sessions
    account = user.account
    return m.Person(
        user.login, user.online, account, user.name, away_text(user), user.role if role is None else role,
        tuple(dict.fromkeys(session.label or session.door for session in sessions)),
        user.online_since if sessions else 0, user.seen, shown, any(session.bot for session in sessions),
        bool(sessions) and all(session.secure for session in sessions),
        tuple(room.role(user.uid) for room in rooms) if ranks else (),
    )  # fmt: skip


class Crowd:
    """Who of a room is here, kept for all who ask soon after each other; whoever changes is looked at again."""

    __slots__ = ("answer", "people", "stale")

    def __init__(self, stale: set[int]) -> None:
        self.people: dict[int, m.Person] = {}
        self.stale = stale  # numbers of logins
        self.answer: tuple[m.Person, ...] = ()

    def look(self, chat: Chat, room: Room, asker: User) -> bool:
        """Bring it up to date. False: what is told of somebody depends on who asks, so this is for the asker alone."""
        alike = True
        for uid in self.stale:
            user = chat.state.users.get(uid)
            if user is None or not user.sessions or not chat.state.is_member(user, room):
                self.people.pop(uid, None)
                continue
            person = shown(chat, user, asker, room.role(uid))
            alike = alike and uid in chat.shown
            if person.online:
                self.people[uid] = person
            else:
                self.people.pop(uid, None)
        self.stale.clear()
        self.answer = tuple(self.people.values())
        return alike


def crowd(chat: Chat, room: Room, asker: User) -> tuple[m.Person, ...]:
    """Who of a room is here."""
    found = chat.crowds.get(room.number)
    if found is None:
        found = chat.crowds[room.number] = Crowd({user.uid for user in chat.state.members(room) if user.sessions})
    if found.stale and not found.look(chat, room, asker):
        del chat.crowds[room.number]
    return found.answer


def who(chat: Chat, session: Session, command: m.Who, now: float, out: Effects) -> None:
    """Everybody online, a room's members, or one login."""
    asker, to = session.user, command.to
    assert asker is not None
    if to.startswith("#"):
        room = chat.state.room(to)
        if room is None or ("secret" in room.modes and not chat.state.is_member(asker, room)):
            _refuse(session, command, "no_such_room", out)
            return
        if command.all:
            found = tuple(shown(chat, user, asker, room.role(user.uid)) for user in chat.state.members(room))
        else:
            found = crowd(chat, room, asker)
    elif to:
        user = chat.state.find(to.removeprefix("@"))
        if user is None:
            _refuse(session, command, "no_such_login", out)
            return
        found = (person(chat, user, asker, ranks=True),)
    else:
        found = tuple(
            one
            for user in chat.state.users.values()
            if (user.sessions or command.all) and ((one := shown(chat, user, asker)).online or command.all)
        )
    out.append(m.Tell(session, m.People(to, found, command.ref)))


def _refuse(session: Session, command: m.Who, code: str, out: Effects) -> None:
    out.append(m.Tell(session, m.Refused(code, CODES[code].text, command.ref, about=(command.to,))))
