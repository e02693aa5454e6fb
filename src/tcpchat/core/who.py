"""Who is here: what others are shown of a login, and lists of people."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from tcpchat.core import counting
from tcpchat.core import model as m
from tcpchat.core.answers import refuse
from tcpchat.core.effects import Effects
from tcpchat.core.people import away_text
from tcpchat.core.sessions import Session, User
from tcpchat.core.state import Room
from tcpchat.core.text import fold, utf8_length
from tcpchat.core.world import Crowd, World

ANSWER_BYTES = 4 * 1024 * 1024  # of JSON, about: what one answer holds at most; native clients read lines of 16 MiB
PERSON_BYTES = 160  # of a person without its texts
FEW = 100  # people that always fit
DOORS_SHOWN = 8  # devices of one login that are named
PEOPLE_PER_COMMAND = 50  # an answer with so many people counts as one command more


def shown(chat: World, user: User, asker: User, role: str | None = None) -> m.Person:
    """``person``, made once for all who ask soon after each other."""
    known = chat.shown.people.get(user.uid)
    found = known.get(role) if known is not None else None
    if found is None:
        found = person(chat, user, asker, role)
        if not any("secret" in chat.state.rooms[number].modes for number in user.rooms):  # else it depends on who asks
            chat.shown.people.setdefault(user.uid, {})[role] = found
    return found


def person(chat: World, user: User, asker: User, role: str | None = None, ranks: bool = False) -> m.Person:
    """One login as others may see it."""
    rooms = [
        room for room in chat.state.rooms_of(user) if "secret" not in room.modes or chat.state.is_member(asker, room)
    ]
    shown = tuple(room.name for room in rooms)
    sessions = user.sessions
    account = user.account
    return m.Person(
        user.login, user.online, account, user.name, away_text(user), user.role if role is None else role,
        _doors(user),
        user.online_since if sessions else 0, user.seen, shown, any(session.bot for session in sessions),
        bool(sessions) and all(session.secure for session in sessions),
        tuple(room.role(user.uid) for room in rooms) if ranks else (),
    )  # fmt: skip


def _doors(user: User) -> tuple[str, ...]:
    """Where somebody is: what its devices are called, or how they come; the words of the muted are not shown."""
    names = (session.door if user.muted else session.label or session.door for session in user.sessions)
    return tuple(islice(dict.fromkeys(names), DOORS_SHOWN))


CLOSED = {"secret", "invite_only"}  # switches of rooms whose people are shown to each other only


def _look(crowd: Crowd, chat: World, room: Room, asker: User) -> bool:
    """Bring it up to date. False: what is told of somebody depends on who asks, so this is for the asker alone."""
    alike = True
    for uid in crowd.stale:
        user = chat.state.users.get(uid)
        if user is None or not user.sessions or not chat.state.is_member(user, room):
            crowd.people.pop(uid, None)
            continue
        person = shown(chat, user, asker, room.role(uid))
        alike = alike and uid in chat.shown.people
        if person.online:
            crowd.people[uid] = person
        else:
            crowd.people.pop(uid, None)
    crowd.stale.clear()
    crowd.answer = tuple(crowd.people.values())
    return alike


def crowd(chat: World, room: Room, asker: User) -> tuple[m.Person, ...]:
    """Who of a room is here."""
    found = chat.shown.crowds.get(room.number)
    if found is None:
        found = chat.shown.crowds[room.number] = Crowd({user.uid for user in chat.state.members(room) if user.sessions})
    if found.stale and not _look(found, chat, room, asker):
        del chat.shown.crowds[room.number]
    return found.answer


def who(chat: World, session: Session, command: m.Who, now: float, out: Effects) -> None:
    """Everybody online, a room's members, or one login."""
    asker, to = session.user, command.to
    assert asker is not None
    if to.startswith("#"):
        room = chat.state.room(to)
        if room is None or (room.modes.keys() & CLOSED and not chat.state.is_member(asker, room)):
            refuse(session, command, "no_such_room", out, to)
            return
        if command.all:
            found = tuple(shown(chat, user, asker, room.role(user.uid)) for user in chat.state.members(room))
        else:
            found = crowd(chat, room, asker)
    elif to:
        user = chat.state.find(to.removeprefix("@"))
        if user is None:
            refuse(session, command, "no_such_login", out, to)
            return
        found = (person(chat, user, asker, ranks=True),)
    else:
        found = tuple(
            one
            for user in chat.state.users.values()
            if (user.sessions or command.all) and ((one := shown(chat, user, asker)).online or command.all)
        )
    if command.after:
        at = next((place for place, one in enumerate(found, 1) if fold(one.login) == fold(command.after)), len(found))
        found = found[at:]
    fits = how_many(found)
    counting.owe(chat, session, fits / PEOPLE_PER_COMMAND)
    out.append(m.Tell(session, m.People(to, found[:fits], command.ref, fits < len(found))))


def how_many(people: Sequence[m.Person]) -> int:
    """How many of them one answer holds."""
    if len(people) <= FEW:
        return len(people)
    size = 0
    for place, one in enumerate(people):
        texts = (one.login, one.name, one.away, *one.doors, *one.rooms)
        size += PERSON_BYTES + 4 * len(texts) + sum(map(utf8_length, texts))
        if size > ANSWER_BYTES:
            return place
    return len(people)
