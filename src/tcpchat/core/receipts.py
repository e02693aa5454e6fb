"""Receipts: cursors that only grow, and telling authors what they mean.

In a direct conversation the peer's cursor is the receipt, told at once and cumulative. In a room what is told is how
many of the members have a message, counted at most a few times a second, to its author only: O(members), never
O(members squared).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import deque

from tcpchat.core import model as m
from tcpchat.core.answers import refuse
from tcpchat.core.effects import Effects
from tcpchat.core.errors import CODES
from tcpchat.core.messages import conversation, may_hear, may_see
from tcpchat.core.rules import ALL, dm_room, dm_users
from tcpchat.core.sessions import OPEN, Session, User
from tcpchat.core.state import Room
from tcpchat.core.world import World

CURSORS_MAX = 40  # devices of one login whose cursors are kept: whoever makes devices up writes no more rows
COUNT_EVERY = 0.15  # seconds between two counts of rooms whose cursors moved
COUNT_PACE = 0.0002  # seconds longer for each message counted: counting takes 10 us each, and a twentieth of the time
LARGE = 1_000  # members from which counting waits
COUNT_LARGE_EVERY = 1.0


def merge(user: User, place: str, seq: int, at: int) -> None:
    """Take over a kept cursor: cursors only grow."""
    if place == "d":
        if seq > user.delivered:
            user.delivered, user.delivered_at = seq, at
            _confirmed(user, seq)
    elif place.startswith("r:"):
        number = int(place[2:])
        if seq > user.reads.get(number, 0):
            user.own("reads")[number], user.own("reads_at")[number] = seq, at
            _mentions_read(user, number, seq)
        merge(user, "d", seq, at)  # what was read has arrived, and its author was told so
    elif place.startswith("m:"):
        number = int(place[2:])
        if seq > user.moments.get(number, 0):
            user.own("moments")[number] = seq
    elif place.startswith("d:") and seq < m.FORGOTTEN:
        user.restore_device(place[2:], seq)


def await_again(chat: World, user: User) -> None:
    """After a start from a snapshot: for which direct conversations are receipts still to be told?"""
    for number in user.directs:
        head = chat.state.heads.get(number, 0)
        if head > user.delivered:
            user.await_receipt(number, head)


def confirm(chat: World, session: Session, command: m.Confirm, now: float, out: Effects) -> None:
    """This device has everything up to here."""
    user, seq = session.user, command.seq
    assert user is not None
    if seq > chat.state.seq:
        if knows_logs(session):
            return
        seq = chat.state.seq
    if not session.live and session.sent >= 0 and knows_logs(session):
        seq = min(seq, session.sent)  # what it was not given yet it has from elsewhere
    device = session.device
    at = chat.ms(now)
    if device is not None and seq > device.cursor:
        first, device.cursor = not device.cursor, seq
        if user.claimed and session.hello is not None and session.hello.device:
            out.append(m.Keep(user.uid, "d:" + session.device_id, seq, at))
            if first:
                _forget_cursor(user, at, out)
    if seq > user.delivered:
        delivered(chat, user, seq, at, out)


def confirm_late(chat: World, now: float, out: Effects) -> None:
    """Carry out the confirmations that came too fast."""
    late, chat.late = chat.late, {}
    for session, command in late.items():
        if session.stage == OPEN:
            confirm(chat, session, command, now, out)


def knows_logs(session: Session) -> bool:
    """Does this client say of which log its places are? Then one behind the head is of another log, from before this
    one was set back, and says nothing here. Of others it means everything, as it always did."""
    return session.hello is not None and bool(session.hello.log)


def _forget_cursor(user: User, at: int, out: Effects) -> None:
    """Of more devices than are kept the one goes that confirmed longest ago: should it come back without a cursor of
    its own, it begins at what the login has."""
    kept = sum(1 for device in user.devices.values() if device.cursor)
    away = [(device.cursor, name) for name, device in user.devices.items() if device.cursor and device.session is None]
    if kept > CURSORS_MAX and away:
        _, name = min(away)
        user.devices[name].cursor = 0
        out.append(m.Keep(user.uid, "d:" + name, m.FORGOTTEN, at))


def delivered(chat: World, user: User, seq: int, at: int, out: Effects) -> None:
    """Some device of this login has everything up to ``seq``: keep it, tell those who wrote."""
    user.delivered, user.delivered_at = seq, at
    out.append(m.Keep(user.uid, "d", seq, at))
    if user.awaiting:
        for number, told in _confirmed(user, seq):
            _tell_peer(chat, user, number, told, "delivered", at, out)
    rooms = chat.state.rooms
    if rooms[ALL].outstanding:
        chat.counting.delivered[ALL] = rooms[ALL]
    for number in user.rooms:
        room = rooms[number]
        if room.outstanding:
            chat.counting.delivered[number] = room


def _confirmed(user: User, seq: int) -> list[tuple[int, int]]:
    """Take what is confirmed out of what is awaited: (direct conversation, the last confirmed message in it)."""
    told = []
    for number, seqs in list(user.awaiting.items()):
        if seqs[-1] <= seq:
            del user.own("awaiting")[number]
            told.append((number, seqs[-1]))
        elif seqs[0] <= seq:
            place = bisect_right(seqs, seq)
            told.append((number, seqs[place - 1]))
            del seqs[:place]
    return told


def _tell_peer(chat: World, user: User, number: int, seq: int, state: str, at: int, out: Effects) -> None:
    a, b = dm_users(number)
    peer = chat.state.users.get(b if a == user.uid else a)
    if peer is not None and peer.sessions:
        chat.tell_user(peer, m.Receipt("@" + user.login, seq, state, user.login, 0, 0, at), out)


def read(chat: World, session: Session, command: m.Read, now: float, out: Effects) -> None:
    """A person has seen a conversation up to here. Once that is durable the other devices know, and the authors if the
    reader lets them."""
    user = session.user
    assert user is not None
    number, _ = place_of(chat, user, command.to)
    if not number:
        refuse(session, command, "no_such_room" if command.to.startswith("#") else "no_such_login", out)
        return
    seq, at = min(command.seq, chat.state.seq), chat.ms(now)
    if command.seq > seq and knows_logs(session):
        seq = 0
    moment = min(command.at, at)  # one that has not come yet is now: nobody has read what will be said
    if seq > user.reads.get(number, 0):
        moment = moment if moment > 0 else _said_at(chat, seq)
        if moment:
            out.append(m.Keep(user.uid, f"r:{number}", seq, at, session, command.ref, moment))
        else:  # long ago: the log knows when
            query = m.Query(kind="page", rooms=(number,), before=seq + 1, limit=1, events=True)
            out.append(m.Load(session, query, command))
        return
    if seq == user.reads.get(number, 0) and moment > moment_of(user, number):
        _moved_on(chat, user, number, moment, out, session)
    if command.ref:
        out.append(m.Tell(session, _where(user, number, command.ref)))


def found(chat: World, load: m.Load, result: m.Result, now: float, out: Effects) -> None:
    """The log has told when that was said up to which a conversation is read."""
    session, command, at = load.session, load.command, chat.ms(now)
    assert isinstance(command, m.Read)
    if session.user is not None:
        number, seq = load.query.rooms[0], load.query.before - 1
        moment = result.rows[-1].at if result.rows else 1  # nothing was said so far
        out.append(m.Keep(session.user.uid, f"r:{number}", seq, at, session, command.ref, moment))


def _said_at(chat: World, seq: int) -> int:
    """When an entry was appended (ms), if it is one of the newest; else 0."""
    recent = chat.recent
    place = len(recent) - 1 - (recent[-1].seq - seq) if recent else -1
    return recent[place].at if 0 <= place < len(recent) and recent[place].seq == seq else 0


def moment_of(user: User, number: int) -> int:
    """Until which moment (ms) all is read in a conversation, 0 = nothing is."""
    return user.moments.get(number) or user.reads_at.get(number, 0)  # older versions kept when it was read


def _where(user: User, number: int, ref: int | str) -> m.Done:
    """The answer to Read: what counts."""
    moment = moment_of(user, number)
    return m.Done(ref, user.reads.get(number, 0), {"at": moment} if moment else {})


def _moved_on(chat: World, user: User, number: int, moment: int, out: Effects, but: Session | None) -> None:
    """More than was known is read, and the other devices of the reader know."""
    if moment > user.moments.get(number, 0):
        user.own("moments")[number] = moment
        out.append(m.Keep(user.uid, f"m:{number}", moment))
    name = conversation(chat, number, user.uid)
    chat.tell_user(user, m.MarkRead(name, user.reads.get(number, 0), moment_of(user, number)), out, but)


def kept(chat: World, keep: m.Keep, out: Effects) -> None:
    """A read cursor is durable: now it counts, and may be told."""
    session, number, seq, at = keep.session, int(keep.place[2:]), keep.seq, keep.at
    user = chat.state.users.get(keep.user)
    name = conversation(chat, number, keep.user) if user is not None else ""
    if user is None or not name or not may_see(chat, user, number):
        if keep.ref and session is not None and session.stage == OPEN:  # gone meanwhile, or the conversation is
            out.append(m.Tell(session, m.Refused("no_such_room", CODES["no_such_room"].text, keep.ref)))
        return
    newer = seq > user.reads.get(number, 0)
    if newer:
        user.own("reads")[number], user.own("reads_at")[number] = seq, at
        _mentions_read(user, number, seq)
        if seq > user.delivered:
            delivered(chat, user, seq, at, out)  # what was seen has arrived
        _moved_on(chat, user, number, keep.moment, out, session)
    if keep.ref and session is not None:
        out.append(m.Tell(session, _where(user, number, keep.ref)))
    if not newer:
        return
    if user.prefs.get("receipts") == "off":
        return
    if number < 0:
        if user.uid != user.directs.get(number):
            _tell_peer(chat, user, number, seq, "read", at, out)
    else:
        room = chat.state.rooms[number]
        if room.unread_by:
            chat.counting.read[number] = room


def _mentions_read(user: User, number: int, seq: int) -> None:
    if mentions := user.mentions.get(number):
        user.own("mentions")[number] = [one for one in mentions if one > seq]


def place_of(chat: World, user: User, to: str) -> tuple[int, str]:
    """The number and proper name of one of the user's conversations; (0, "") when it is none."""
    if to.startswith("@"):
        peer = chat.state.find(to[1:])
        return (dm_room(user.uid, peer.uid), "@" + peer.login) if peer else (0, "")
    room = chat.state.room(to)
    return (room.number, room.name) if room and chat.state.is_member(user, room) else (0, "")


# -- counting in rooms -----------------------------------------------------------------------------------------------


def tick(chat: World, now: float, out: Effects) -> None:
    """Count the rooms in which something moved, and tell the authors what has changed."""
    if now < chat.counting.at or not (chat.counting.delivered or chat.counting.read):
        return
    large, at, work = 0, chat.ms(now), 0
    for tables, state in ((chat.counting.delivered, "delivered"), (chat.counting.read, "read")):
        for room in tables.values():
            work += sum(map(len, (room.outstanding if state == "delivered" else room.unread_by).values()))
            large = max(large, _count(chat, room, state, at, out))
        tables.clear()
    chat.counting.at = now + (COUNT_LARGE_EVERY if large > LARGE else min(1.0, COUNT_EVERY + work * COUNT_PACE))


def recount(chat: World, room: Room) -> None:
    """Somebody has left: what only they did not have is complete now."""
    if room.outstanding:
        chat.counting.delivered[room.number] = room
    if room.unread_by:
        chat.counting.read[room.number] = room


def _cursor(user: User, room: Room, state: str) -> int:
    if state == "delivered":
        return user.delivered
    return 0 if user.prefs.get("receipts") == "off" else user.reads.get(room.number, 0)


class Crowd:
    """The members of a room, sorted so that each message's count is two searches."""

    __slots__ = ("cursors", "late", "since")

    def __init__(self, members: list[tuple[int, int]], lowest: int) -> None:
        self.since = sorted([since for since, _ in members])
        self.cursors = sorted([cursor for _, cursor in members])
        self.late = [pair for pair in members if pair[0] >= lowest]  # few: who came while messages were waited for

    def count(self, seq: int, author: tuple[int, int]) -> tuple[int, int]:
        """(have, of) among those who were there when it was said, without its author."""
        of = bisect_left(self.since, seq)
        have = len(self.cursors) - bisect_left(self.cursors, seq)
        have -= sum(1 for since, cursor in self.late if since >= seq and cursor >= seq)
        if 0 <= author[0] < seq:
            of -= 1
            have -= author[1] >= seq
        return have, of


def _count(chat: World, room: Room, state: str, at: int, out: Effects) -> int:
    """Tell each author how many have what they wait for; messages that all have are told once, cumulatively."""
    waiting = room.outstanding if state == "delivered" else room.unread_by
    if not waiting:
        return 0
    members = list(chat.state.members(room))
    if state == "delivered":
        cursors = [user.delivered for user in members]
    else:
        cursors = [_cursor(user, room, state) for user in members]
    inside = room.members
    since = [inside[user.uid].since for user in members] if room.number != ALL else [user.since for user in members]
    crowd = Crowd(list(zip(since, cursors, strict=True)), min(seqs[0][0] for seqs in waiting.values()))
    for uid in list(waiting):
        _tell_author(chat, room, uid, waiting, crowd, state, at, out)
    return len(members)


def _tell_author(
    chat: World,
    room: Room,
    uid: int,
    waiting: dict[int, deque[list[int]]],
    crowd: Crowd,
    state: str,
    at: int,
    out: Effects,
) -> None:
    user, items = chat.state.users.get(uid), waiting[uid]
    if user is None:
        del waiting[uid]
        return
    own = (-1, 0) if not chat.state.is_member(user, room) else (_since(user, room), _cursor(user, room, state))
    complete = (0, 0)
    partial: list[m.Receipt] = []
    for item in items:
        have, of = crowd.count(item[0], own)
        if have >= of:
            complete, partial = (item[0], of), []
        elif have != item[1]:
            item[1] = have
            partial.append(m.Receipt(room.name, item[0], state, "", have, of, at))
    while items and items[0][0] <= complete[0]:
        items.popleft()
    if not items:
        del waiting[uid]
    if complete[0]:
        chat.tell_user(user, m.Receipt(room.name, complete[0], state, "", complete[1], complete[1], at), out)
    for event in partial:
        chat.tell_user(user, event, out)


def _since(user: User, room: Room) -> int:
    member = room.members.get(user.uid)
    return member.since if member else user.since


# -- on demand -------------------------------------------------------------------------------------------------------


def who_has(chat: World, session: Session, command: m.Receipts, now: float, out: Effects) -> None:
    """Look the message up; the answer names everybody who was there."""
    if not 0 < command.seq <= chat.state.seq:
        refuse(session, command, "no_such_message", out)
        return
    out.append(m.Load(session, m.Query(kind="entry", seq=command.seq), command))


def tell_who_has(chat: World, session: Session, command: m.Receipts, row: m.Row | None, out: Effects) -> None:
    """Who has it, who has read it, who waits."""
    user = session.user
    assert user is not None
    fact = row.fact if row is not None else None
    known = isinstance(fact, m.Said) and may_see(chat, user, fact.room) and may_hear(chat, user, fact)
    if row is None or not isinstance(fact, m.Said) or not known:
        refuse(session, command, "no_such_message", out)
        return
    people = []
    for other in _receivers(chat, fact, row.seq):
        people.append(_delivery(other, fact.room, row.seq))
    states = {person.state for person in people}
    whole = "accepted" if "accepted" in states else "delivered" if "delivered" in states else "read"
    out.append(m.Tell(session, m.ReceiptList(row.seq, whole if people else "delivered", tuple(people), command.ref)))


def _receivers(chat: World, fact: m.Said, seq: int) -> list[User]:
    """Who was there when it was said, without its author."""
    if fact.room < 0:
        users = [chat.state.users.get(uid) for uid in dm_users(fact.room) if uid != fact.user]
        return [user for user in users if user is not None]
    room = chat.state.rooms[fact.room]
    there = [user for user in chat.state.members(room) if user.uid != fact.user and _since(user, room) < seq]
    return [user for user in there if may_hear(chat, user, fact)] if fact.rank else there


def _delivery(user: User, number: int, seq: int) -> m.Delivery:
    if user.prefs.get("receipts") != "off" and user.reads.get(number, 0) >= seq:
        return m.Delivery(user.login, "read", user.reads_at.get(number, 0), user.online, user.seen)
    if user.delivered >= seq:
        return m.Delivery(user.login, "delivered", user.delivered_at, user.online, user.seen)
    return m.Delivery(user.login, "accepted", 0, user.online, user.seen)


def others(chat: World, user: User, number: int) -> tuple[int, int]:
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
