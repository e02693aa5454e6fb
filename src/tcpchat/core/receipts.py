"""Receipts: cursors that only grow, and telling authors what they mean.

In a direct conversation the peer's cursor is the receipt, told at once and cumulative. In a room what is told is how
many of the members have a message, counted at most a few times a second, to its author only: O(members), never
O(members squared).
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from typing import TYPE_CHECKING

from tcpchat.core import model as m
from tcpchat.core.feed import Session
from tcpchat.core.rules import dm_users
from tcpchat.core.state import Room, User
from tcpchat.core.talking import conversation, may_see

if TYPE_CHECKING:
    from tcpchat.core.chat import Chat, Effects

COUNT_EVERY = 0.15  # seconds between two counts of rooms whose cursors moved
LARGE = 1_000  # members from which counting waits
COUNT_LARGE_EVERY = 1.0
PER_AUTHOR = 64  # messages of one author for which partial counts are told


def merge(user: User, place: str, seq: int, at: int) -> None:
    """Take over a kept cursor: cursors only grow."""
    if place == "d":
        if seq > user.delivered:
            user.delivered, user.delivered_at = seq, at
    elif place.startswith("r:"):
        number = int(place[2:])
        if seq > user.reads.get(number, 0):
            user.reads[number], user.reads_at[number] = seq, at
    elif place.startswith("d:"):
        from tcpchat.core.state import Device

        name = place[2:]
        device = user.devices.get(name)
        if device is None:
            device = user.devices[name] = Device()
        device.cursor = max(device.cursor, seq)


def confirm(chat: Chat, session: Session, command: m.Confirm, now: float, out: Effects) -> None:
    """This device has everything up to here."""
    user, seq = session.user, command.seq
    assert user is not None
    if seq > chat.state.seq:
        seq = chat.state.seq
    device = session.device
    at = int(now * 1000)
    if device is not None and seq > device.cursor:
        device.cursor = seq
        if session.device_id and user.claimed:
            out.append(m.Keep(user.uid, "d:" + session.device_id, seq, at))
    if seq > user.delivered:
        delivered(chat, user, seq, at, out)


def delivered(chat: Chat, user: User, seq: int, at: int, out: Effects) -> None:
    """Some device of this login has everything up to ``seq``: keep it, tell those who wrote."""
    user.delivered, user.delivered_at = seq, at
    out.append(m.Keep(user.uid, "d", seq, at))
    if user.awaiting:
        for number, last in list(user.awaiting.items()):
            if last <= seq:
                del user.awaiting[number]
            _tell_peer(chat, user, number, min(seq, last), "delivered", at, out)
    dirty = chat.dirty_rooms
    rooms = chat.state.rooms
    for number in user.rooms:
        room = rooms[number]
        if room.outstanding and not room.dirty:
            room.dirty = True
            dirty[number] = room
    lobby = rooms[1]
    if lobby.outstanding and not lobby.dirty:
        lobby.dirty = True
        dirty[1] = lobby


def _tell_peer(chat: Chat, user: User, number: int, seq: int, state: str, at: int, out: Effects) -> None:
    a, b = dm_users(number)
    peer = chat.state.users.get(b if a == user.uid else a)
    if peer is not None and peer.sessions:
        event = m.Receipt("@" + user.login, seq, state, user.login, 0, 0, at)
        for session in peer.sessions:
            out.append(m.Tell(session, event))


def read(chat: Chat, session: Session, command: m.Read, now: float, out: Effects) -> None:
    """A person has seen a conversation up to here: the other devices know, and the authors if the reader lets them."""
    user = session.user
    assert user is not None
    number, name = place_of(chat, user, command.to)
    if not number:
        _refused(session, command, "no_such_room" if command.to.startswith("#") else "no_such_login", out)
        return
    seq, at = min(command.seq, chat.state.seq), int(now * 1000)
    if command.ref:
        out.append(m.Tell(session, m.Done(command.ref, max(seq, user.reads.get(number, 0)))))
    if seq <= user.reads.get(number, 0):
        return
    user.reads[number], user.reads_at[number] = seq, at
    if mentions := user.mentions.get(number):
        user.mentions[number] = [one for one in mentions if one > seq]
    out.append(m.Keep(user.uid, f"r:{number}", seq, at))
    if seq > user.delivered:
        delivered(chat, user, seq, at, out)  # what was seen has arrived
    chat.tell_user(user, m.MarkRead(name, seq, at), out, session)
    if user.prefs.get("receipts") == "off":
        return
    if number < 0:
        if user.uid != user.directs.get(number):
            _tell_peer(chat, user, number, seq, "read", at, out)
    else:
        room = chat.state.rooms[number]
        if room.unread_by:
            room.dirty = True
            chat.dirty_rooms[number] = room


def place_of(chat: Chat, user: User, to: str) -> tuple[int, str]:
    """The number and proper name of one of the user's conversations; (0, "") when it is none."""
    from tcpchat.core.rules import dm_room

    if to.startswith("@"):
        peer = chat.state.find(to[1:])
        return (dm_room(user.uid, peer.uid), "@" + peer.login) if peer else (0, "")
    room = chat.state.room(to)
    return (room.number, room.name) if room and chat.state.is_member(user, room) else (0, "")


def _refused(session: Session, command: m.Command, code: str, out: Effects) -> None:
    from tcpchat.core.chat import refuse

    refuse(session, command, code, out)


# -- counting in rooms -----------------------------------------------------------------------------------------------


def tick(chat: Chat, now: float, out: Effects) -> None:
    """Count the rooms in which something moved, and tell the authors what has changed."""
    if not chat.dirty_rooms or now < chat.count_at:
        return
    large = False
    for room in chat.dirty_rooms.values():
        large = large or len(room.members) > LARGE
        room.dirty = False
        _count(chat, room, room.outstanding, "delivered", int(now * 1000), out)
        _count(chat, room, room.unread_by, "read", int(now * 1000), out)
    chat.dirty_rooms.clear()
    chat.count_at = now + (COUNT_LARGE_EVERY if large else COUNT_EVERY)


def _cursor(user: User, room: Room, state: str) -> int:
    if state == "delivered":
        return user.delivered
    return 0 if user.prefs.get("receipts") == "off" else user.reads.get(room.number, 0)


def _count(chat: Chat, room: Room, waiting: deque[list[int]], state: str, at: int, out: Effects) -> None:
    """``have`` of ``of`` members for each message that is waited for; complete ones are told once, cumulatively."""
    if not waiting:
        return
    users = list(chat.state.members(room))
    cursors = sorted(_cursor(user, room, state) for user in users)
    since = sorted(_since(user, room) for user in users)
    complete: dict[int, tuple[int, int]] = {}
    partial: dict[int, list[m.Receipt]] = {}
    for item in list(waiting):
        seq, author, _, told = item
        user = chat.state.users.get(author)
        own_cursor = _cursor(user, room, state) if user else 0
        of = bisect_left(since, seq) - (1 if user and _since(user, room) < seq else 0)
        have = len(cursors) - bisect_left(cursors, seq) - (1 if user and own_cursor >= seq else 0)
        have = min(have, of)
        if have >= of:
            complete[author] = (seq, of)
            waiting.remove(item)
        elif have != told and user is not None and user.sessions and state == "delivered":
            item[3] = have
            partial.setdefault(author, []).append(m.Receipt(room.name, seq, state, "", have, of, at))
    for author, (seq, of) in complete.items():
        if of and (user := chat.state.users.get(author)):
            chat.tell_user(user, m.Receipt(room.name, seq, state, "", of, of, at), out)
    for author, events in partial.items():
        for event in events[-PER_AUTHOR:]:
            chat.tell_user(chat.state.users[author], event, out)


def _since(user: User, room: Room) -> int:
    member = room.members.get(user.uid)
    return member.since if member else user.since


# -- on demand -------------------------------------------------------------------------------------------------------


def who_has(chat: Chat, session: Session, command: m.Receipts, now: float, out: Effects) -> None:
    """Look the message up; the answer names everybody who was there."""
    out.append(m.Load(session, m.Query(kind="entry", seq=command.seq), command))


def tell_who_has(chat: Chat, session: Session, command: m.Receipts, row: m.Row | None, out: Effects) -> None:
    """Who has it, who has read it, who waits."""
    user = session.user
    assert user is not None
    fact = row.fact if row is not None else None
    if row is None or not isinstance(fact, m.Said) or not may_see(chat, user, fact.room):
        _refused(session, command, "no_such_message", out)
        return
    people = []
    for other in _receivers(chat, fact, row.seq):
        people.append(_delivery(other, fact.room, row.seq))
    states = {person.state for person in people}
    whole = "accepted" if "accepted" in states else "delivered" if "delivered" in states else "read"
    out.append(m.Tell(session, m.ReceiptList(row.seq, whole if people else "delivered", tuple(people), command.ref)))


def _receivers(chat: Chat, fact: m.Said, seq: int) -> list[User]:
    """Who was there when it was said, without its author."""
    if fact.room < 0:
        users = [chat.state.users.get(uid) for uid in dm_users(fact.room) if uid != fact.user]
        return [user for user in users if user is not None]
    room = chat.state.rooms[fact.room]
    return [user for user in chat.state.members(room) if user.uid != fact.user and _since(user, room) < seq]


def _delivery(user: User, number: int, seq: int) -> m.Delivery:
    if user.prefs.get("receipts") != "off" and user.reads.get(number, 0) >= seq:
        return m.Delivery(user.login, "read", user.reads_at.get(number, 0), user.online, user.seen)
    if user.delivered >= seq:
        return m.Delivery(user.login, "delivered", user.delivered_at, user.online, user.seen)
    return m.Delivery(user.login, "accepted", 0, user.online, user.seen)


def others(chat: Chat, user: User, number: int) -> tuple[int, int]:
    """(delivered, read): up to where all others of a conversation have it, and have read it."""
    if number < 0:
        peer = chat.state.users.get(user.directs.get(number, 0))
        if peer is None:
            return 0, 0
        shown = 0 if peer.prefs.get("receipts") == "off" else peer.reads.get(number, 0)
        return peer.delivered, shown
    room = chat.state.rooms[number]
    lowest = seen = chat.state.seq
    for other in chat.state.members(room):
        if other is not user:
            lowest = min(lowest, other.delivered)
            seen = min(seen, _cursor(other, room, "read"))
    return lowest, seen


__all__ = ["confirm", "conversation", "delivered", "merge", "others", "read", "tell_who_has", "tick", "who_has"]
