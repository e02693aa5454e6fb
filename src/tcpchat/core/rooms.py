"""Rooms: making, joining, leaving, topics, invitations, kicks, switches."""

from __future__ import annotations

from tcpchat.core import feed, messages, presence
from tcpchat.core import model as m
from tcpchat.core.answers import done, refuse
from tcpchat.core.effects import Effects
from tcpchat.core.rules import ALL, OP, VOICE, good_room, mask_matches, muting_mask
from tcpchat.core.sessions import Session, User
from tcpchat.core.state import LOOKS, Room, State
from tcpchat.core.text import clean_line, utf8_length
from tcpchat.core.world import World

ENDED = "This room was deleted."
SWITCHES = {
    "invite_only", "moderated", "members_only", "topic_locked", "secret", "no_ctcp", "registered_only",
    "registered_speak",
}  # fmt: skip
VALUED = {"key", "limit"}
LISTS = {"ban", "except", "invex"}
ROLES = {OP, VOICE}
MASK_MAX = 200  # characters: a nick, a user and a host name, with room to spare


def _tell_room(chat: World, entry: m.Entry, room: Room, out: Effects) -> None:
    event = feed.room_event(chat, entry.seq, entry.at, entry.fact)
    if event is not None:
        out.append(m.FanOut(event, room.audience))


def may_rule(session: Session, room: Room) -> bool:
    """May this session act as an operator of the room?"""
    return session.staff or (session.user is not None and room.is_op(session.user.uid))


# -- commands --------------------------------------------------------------------------------------------------------


def join(chat: World, session: Session, command: m.Join, now: float, out: Effects) -> None:
    """Enter a room, or make it."""
    user, name = session.user, good_room(command.room, chat.limits)
    assert user is not None
    if not name or session.hook:
        refuse(session, command, "bad_name", out, command.room)
        return
    room = chat.state.room(name)
    if len(user.rooms) >= chat.limits.rooms_per_login:
        refuse(session, command, "too_many", out, name)
    elif room is None:
        if not room_for_one(chat, user, out):
            refuse(session, command, "too_many", out, name)
            return
        if (other := chat.state.room_taken(name)) is not None:
            refuse(session, command, "exists", out, name, other.name)
            return
        if wait := chat.newcomers.wait_for_room(session, chat.limits, now):
            text = "Too many new rooms from your address; wait."
            out.append(m.Tell(session, m.Refused("too_fast", text, command.ref, 0, wait, about=(name,))))
            return
        out.append(
            m.Append(
                m.RoomMade(name, user.uid, command.invite_only, looks=LOOKS), m.Origin(session, command.ref, command)
            )
        )
    elif chat.state.is_member(user, room):
        refuse(session, command, "already_member", out, room.name)
    elif code := may_join(session, user, room, command.key):
        refuse(session, command, code, out, room.name)
    else:
        out.append(m.Append(m.Joined(room.number, user.uid), m.Origin(session, command.ref, command)))


def room_for_one(chat: World, user: User, out: Effects) -> bool:
    """Is there place for one more room? Rooms that only guests were in may fill half of the table; of a full one the
    empty room goes in which nothing was said for longest."""
    rooms, most = chat.state.rooms, chat.limits.rooms
    if not user.claimed and len(rooms) >= most // 2 and sum(not room.lasting for room in rooms.values()) >= most // 2:
        return False
    if len(rooms) < most:
        return True
    empty = [room for room in rooms.values() if not room.members and room.number != ALL]
    if not empty:
        return False
    out.append(m.Append(m.RoomEnded(min(empty, key=lambda room: room.head).number, vacant=True)))
    return True


def may_join(session: Session, user: User, room: Room, key: str) -> str:
    """ "" or the code why not. An invitation overrides bans, key, limit and invite_only."""
    if user.uid in room.invited or session.staff or not room.members:
        return ""  # an empty room belongs to whoever comes first, as one that never was
    if is_banned(user, room):
        return "banned"
    if "invite_only" in room.modes and not _listed(room, "invex", user):
        return "invite_only"
    if "registered_only" in room.modes and not user.account:
        return "guest"
    if "key" in room.modes and room.modes["key"] != key:
        return "wrong_key"
    limit = room.modes.get("limit")
    return "room_full" if limit and len(room.members) >= int(limit) else ""


def is_banned(user: User, room: Room) -> bool:
    return _listed(room, "ban", user) and not _listed(room, "except", user)


def _listed(room: Room, name: str, user: User) -> bool:
    return any(
        mask_matches(change.arg, user.login, user.account, user.host)
        for change in room.lists.get(name, ())
        if not muting_mask(change.arg)
    )


def _member_of(chat: World, session: Session, command: m.Command, name: str, out: Effects) -> Room | None:
    """The room if the asker is in it; else the refusal is told."""
    room, user = chat.known_room(session, name), session.user
    assert user is not None
    if room is None:
        refuse(session, command, "no_such_room", out, name)
        return None
    if not chat.state.is_member(user, room):
        refuse(session, command, "not_member", out, room.name)
        return None
    return room


def leave(chat: World, session: Session, command: m.Leave, now: float, out: Effects) -> None:
    room = _member_of(chat, session, command, command.room, out)
    if room is None or session.user is None:
        return
    if room.number == ALL:
        refuse(session, command, "not_allowed", out, room.name)
        return
    # Who may not speak there goes without a word.
    why = "" if messages.may_speak(chat, session, session.user, room) else command.why
    fact = m.Left(room.number, session.user.uid, why)
    out.append(m.Append(fact, m.Origin(session, command.ref, command)))


def topic(chat: World, session: Session, command: m.Topic, now: float, out: Effects) -> None:
    room, user = _member_of(chat, session, command, command.room, out), session.user
    if room is None or user is None:
        return
    if utf8_length(command.text) > chat.limits.max_topic:
        refuse(session, command, "too_long", out, room.name)
    elif ("topic_locked" in room.modes or room.number == ALL) and not may_rule(session, room):
        refuse(session, command, "not_allowed", out, room.name)
    elif messages.silenced(chat, user, now):
        refuse(session, command, "muted", out, room.name)
    else:
        fact = m.TopicSet(room.number, user.uid, command.text)
        out.append(m.Append(fact, m.Origin(session, command.ref, command)))


def invite(chat: World, session: Session, command: m.Invite, now: float, out: Effects) -> None:
    user, guest = session.user, chat.state.find(command.login)
    assert user is not None
    if guest is None:
        refuse(session, command, "no_such_login", out, command.login, command.room)
        return
    room = _member_of(chat, session, command, command.room, out)
    if room is None:
        return
    if chat.state.is_member(guest, room):
        refuse(session, command, "already_member", out, guest.login, room.name)
    elif ("invite_only" in room.modes or is_banned(guest, room)) and not may_rule(session, room):
        refuse(session, command, "not_allowed", out, room.name)
    else:
        fact = m.Invited(room.number, user.uid, guest.uid)
        out.append(m.Append(fact, m.Origin(session, command.ref, command)))


def kick(chat: World, session: Session, command: m.Kick, now: float, out: Effects) -> None:
    user = session.user
    assert user is not None
    room = chat.known_room(session, command.room)
    if room is None:
        refuse(session, command, "no_such_room", out, command.room)
        return
    if not chat.state.is_member(user, room):
        refuse(session, command, "not_member", out, room.name)
        return
    target = chat.state.find(command.login)
    if not may_rule(session, room) or room.number == ALL:
        refuse(session, command, "not_allowed", out, room.name)
    elif target is None or target.uid not in room.members:
        refuse(session, command, "no_such_login", out, command.login, room.name)
    else:
        fact = m.Left(room.number, target.uid, command.why or user.login, user.uid)
        out.append(m.Append(fact, m.Origin(session, command.ref, command)))


def mode(chat: World, session: Session, command: m.Mode, now: float, out: Effects) -> None:
    """Turn switches; what is already so is left out, what is not allowed is refused as a whole."""
    user, room = session.user, chat.known_room(session, command.room)
    assert user is not None
    if room is None:
        refuse(session, command, "no_such_room", out, command.room)
        return
    if not may_rule(session, room):
        member = chat.state.is_member(user, room)
        refuse(session, command, "not_allowed" if member else "not_member", out, room.name)
        return
    changes: list[m.Change] = []
    for change in command.changes:
        checked = _checked(chat, session, command, room, user, change, now, out)
        if checked is not None:
            changes.append(checked)
    if changes:
        fact = m.Moded(room.number, user.uid, tuple(changes))
        out.append(m.Append(fact, m.Origin(session, command.ref, command)))
    else:
        out.append(m.Tell(session, m.Done(command.ref)))


def _checked(
    chat: World, session: Session, command: m.Mode, room: Room, user: User, change: m.Change, now: float, out: Effects
) -> m.Change | None:
    """The change as the fact will say it; None when it changes nothing or was refused."""
    name, arg = change.name, change.arg
    if name in ROLES:
        target = chat.state.find(arg)
        if target is None or target.uid not in room.members:
            refuse(session, command, "no_such_login", out, arg, room.name)
            return None
        has = name in room.role(target.uid).split(",")
        return None if has == change.on else m.Change(name, change.on, str(target.uid))
    if name in LISTS:
        return _list_change(chat, session, command, room, user, change, now, out)
    if name in SWITCHES:
        return None if (name in room.modes) == change.on else m.Change(name, change.on)
    if name == "limit" and change.on:
        ok = arg.isascii() and arg.isdigit() and len(arg) < 10 and int(arg) > 0
        return m.Change(name, True, arg) if ok and room.modes.get(name) != arg else None
    if name == "key" and change.on:
        ok = bool(arg) and len(arg) <= 50 and not any(char in " ,:\r\n" for char in arg)
        if not ok:
            refuse(session, command, "wrong_key", out, room.name)
            return None
        return m.Change(name, True, arg) if room.modes.get(name) != arg else None
    if name in VALUED:
        return m.Change(name, False, room.modes[name]) if name in room.modes else None
    refuse(session, command, "bad_command", out, name)
    return None


def _list_change(
    chat: World, session: Session, command: m.Mode, room: Room, user: User, change: m.Change, now: float, out: Effects
) -> m.Change | None:
    entries = room.lists.get(change.name, [])
    has = next((one for one in entries if one.arg.lower() == change.arg.lower()), None)
    if not change.arg or (has is not None) == change.on:
        return None
    if change.on and (len(change.arg) > MASK_MAX or " " in change.arg or clean_line(change.arg) != change.arg):
        refuse(session, command, "bad_name", out, room.name)
        return None
    if change.on and len(entries) >= chat.limits.list_entries:
        refuse(session, command, "too_many", out, room.name, change.arg)
        return None
    return m.Change(change.name, change.on, has.arg if has else change.arg, user.login, chat.ms(now))


# -- applied ---------------------------------------------------------------------------------------------------------


def made(chat: World, entry: m.Entry, fact: m.RoomMade, out: Effects | None) -> None:
    """A room begins; whoever was late to make it just joins."""
    state, user = chat.state, chat.state.users.get(fact.by)
    existing = state.room(fact.name)
    if user is None:
        return
    if existing is not None:
        if out is not None and entry.origin is not None and not state.is_member(user, existing):
            command = entry.origin.command
            key = command.key if isinstance(command, m.Join) else ""
            if code := may_join(entry.origin.session, user, existing, key):
                refuse(entry.origin.session, m.Join(fact.name, ref=entry.origin.ref), code, out, existing.name)
            else:
                out.append(m.Append(m.Joined(existing.number, user.uid), entry.origin))
        return
    if (other := state.room_taken(fact.name, fact.looks)) is not None:
        if out is not None and entry.origin is not None:
            refuse(entry.origin.session, m.Join(fact.name, ref=entry.origin.ref), "exists", out, fact.name, other.name)
        return
    room = state.add_room(fact.name, entry.at)
    room.modes = {"members_only": "", "topic_locked": ""}
    if fact.invite_only:
        room.modes["invite_only"] = ""
    _enter(user, room, entry.seq, OP, state)
    if out is not None:
        event = m.RoomEvent(entry.seq, entry.at, "joined", room.name, user.login, user.login, user.account, user.name)
        out.append(m.FanOut(event, room.audience))
        done(entry, out)


def _enter(user: User, room: Room, seq: int, role: str, state: State) -> None:
    state.join(user, room, seq, role)
    for session in user.sessions:
        if session.sent >= 0:
            room.audience.add(session)


def joined(chat: World, entry: m.Entry, fact: m.Joined, out: Effects | None) -> None:
    room, user = chat.state.rooms.get(fact.room), chat.state.users.get(fact.user)
    if room is None or user is None or user.uid in room.members:
        return
    _enter(user, room, entry.seq, "" if room.members else OP, chat.state)
    if out is not None:
        _tell_room(chat, entry, room, out)
        done(entry, out)


def left(chat: World, entry: m.Entry, fact: m.Left, out: Effects | None) -> None:
    """The room hears of it before the one who leaves is out of it."""
    room, user = chat.state.rooms.get(fact.room), chat.state.users.get(fact.user)
    if room is None or user is None or user.uid not in room.members:
        return
    if out is None:
        chat.state.leave(user, room)
        return
    event = feed.room_event(chat, entry.seq, entry.at, fact)
    sessions = list(user.sessions)
    chat.state.leave(user, room)
    presence.after_leaving(chat, room, chat.now, out)
    if event is not None:
        out.append(m.FanOut(event, room.audience))
        out += [m.Tell(session, event) for session in sessions if session.live]
    done(entry, out)


def topic_set(chat: World, entry: m.Entry, fact: m.TopicSet, out: Effects | None) -> None:
    room, user = chat.state.rooms.get(fact.room), chat.state.users.get(fact.by)
    if room is None:
        return
    room.topic, room.topic_by, room.topic_at = fact.text, user.login if user else "", entry.at
    if out is not None:
        _tell_room(chat, entry, room, out)
        done(entry, out)


def invited(chat: World, entry: m.Entry, fact: m.Invited, out: Effects | None) -> None:
    room, user = chat.state.rooms.get(fact.room), chat.state.users.get(fact.user)
    if room is None or user is None:
        return
    room.invited.add(user.uid)
    if out is not None:
        event = feed.room_event(chat, entry.seq, entry.at, fact)
        if event is not None:
            chat.tell_user(user, event, out)
            out.append(m.FanOut(event, room.audience))
        done(entry, out)


def moded(chat: World, entry: m.Entry, fact: m.Moded, out: Effects | None) -> None:
    room = chat.state.rooms.get(fact.room)
    if room is None:
        return
    for change in fact.changes:
        _turn(room, change)
    if out is not None:
        _tell_room(chat, entry, room, out)
        done(entry, out)


def noted(chat: World, entry: m.Entry, fact: m.Noted, out: Effects | None) -> None:
    """The room hears what the server has to say."""
    room = chat.state.rooms.get(fact.room)
    if out is not None and room is not None and (event := feed.note(chat, entry.seq, entry.at, fact)):
        out.append(m.FanOut(event, room.audience))


def _turn(room: Room, change: m.Change) -> None:
    if change.name in ROLES:
        member = room.members.get(int(change.arg or 0))
        if member is not None:
            roles = {role for role in member.role.split(",") if role} - {change.name}
            member.role = ",".join(sorted(roles | ({change.name} if change.on else set())))
    elif change.name in LISTS:
        entries = [one for one in room.lists.get(change.name, []) if one.arg.lower() != change.arg.lower()]
        room.lists[change.name] = [*entries, change] if change.on else entries
    elif change.on:
        room.modes[change.name] = change.arg
    else:
        room.modes.pop(change.name, None)


def renamed(chat: World, entry: m.Entry, fact: m.RoomRenamed, out: Effects | None) -> None:
    room = chat.state.rooms.get(fact.room)
    if room is None or chat.state.room_taken(fact.name, fact.looks) not in (None, room):
        return
    if out is not None:
        _tell_room(chat, entry, room, out)  # it still has the name that those who hear it know
    chat.state.rename_room(room, fact.name)
    if out is not None:
        done(entry, out)


def ended(chat: World, entry: m.Entry, fact: m.RoomEnded, out: Effects | None) -> None:
    """The room is no more; each who was in it is told as if kicked, which every client understands."""
    room = chat.state.rooms.get(fact.room)
    if room is None or room.number == ALL or (fact.vacant and room.members):
        return
    actor = chat.state.users.get(fact.by)
    by = actor.login if actor is not None else chat.limits.server_name
    for user in list(chat.state.members(room)):
        sessions = [session for session in user.sessions if session.live and not session.hook]
        chat.state.leave(user, room)
        if out is not None:
            chat.reshow(user)
            event = m.RoomEvent(entry.seq, entry.at, "kicked", room.name, by, user.login, text=fact.why or ENDED)
            out += [m.Tell(session, event) for session in sessions]
    if room.number in chat.state.rooms:
        chat.state.end_room(room)
    presence.after_leaving(chat, room, chat.now, out)
    if out is not None:
        chat.shown.crowds.pop(room.number, None)
