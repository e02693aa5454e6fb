"""Questions to the log and their answers: history pages, search, the list of rooms."""

from __future__ import annotations

import msgspec

from tcpchat.core import counting, messages, receipts
from tcpchat.core import model as m
from tcpchat.core.answers import refuse
from tcpchat.core.effects import Effects
from tcpchat.core.feed import Shown, told, weight
from tcpchat.core.rules import ALL
from tcpchat.core.sessions import Session, User
from tcpchat.core.state import Room
from tcpchat.core.text import utf8_length
from tcpchat.core.world import World

ANSWER_BYTES = 4 * 1024 * 1024  # of JSON, about: what one answer with rooms holds at most
ROOM_BYTES = 250  # of a room without its name and topic
ROOMS_PER_COMMAND = 100  # an answer with so many rooms counts as one command more
NUMBER_MAX = (1 << 62) - 1
PAGE_BYTES = 1_000_000  # of texts in one answer: six times as many escaped, still far below what clients take (16 MiB)
UNREAD_MAX = 100  # unread messages of a conversation are counted up to here
COUNTED_MAX = 1_000  # members of a room up to which a newcomer is told how far all others have it


def page(chat: World, session: Session, command: m.History, query: m.Query, result: m.Result, out: Effects) -> None:
    """Of the conversation that was asked about, whatever has its name by now."""
    user, number = session.user, query.rooms[0]
    assert user is not None
    if not _may_read(chat, session, user, number):
        refuse(session, command, "no_such_room", out, command.to)
        return
    name = messages.conversation(chat, number, user.uid) or command.to
    found, cut = _fitting(_heard(chat, session, result), query)
    delivered, seen = receipts.others(chat, user, number)
    out.append(m.Tell(session, m.Page(name, found, result.more or cut, command.ref, delivered, seen)))


def found(chat: World, session: Session, command: m.Search, query: m.Query, result: m.Result, out: Effects) -> None:
    """What a search has found, as the asker may see it."""
    rows, cut = _fitting(_heard(chat, session, result), query)
    out.append(m.Tell(session, m.Page(command.to, rows, result.more or cut, command.ref)))


def _fitting(rows: tuple[Shown, ...], query: m.Query) -> tuple[tuple[Shown, ...], bool]:
    """As many rows as an answer may have bytes, and whether some are left out: those that are farthest from where the
    question began, so that whoever asks on by its ``more`` gets them next."""
    room = PAGE_BYTES
    if sum(map(weight, rows)) <= room:
        return rows, False
    if query.around:
        order = sorted(range(len(rows)), key=lambda place: abs(rows[place].seq - query.around))
    elif query.kind == "search" or query.after or query.at or query.until:
        order = list(range(len(rows)))
    else:
        order = list(range(len(rows) - 1, -1, -1))  # back from the newest
    kept: list[int] = []
    for place in order:
        room -= weight(rows[place])
        if room < 0 and kept:
            break
        kept.append(place)
    return tuple(rows[place] for place in sorted(kept)), True


def _heard(chat: World, session: Session, result: m.Result) -> tuple[Shown, ...]:
    """The rows as the asker may see them."""
    user = session.user
    assert user is not None
    readable = {number: _may_read(chat, session, user, number) for number in {row.fact.room for row in result.rows}}
    rows = [row for row in result.rows if readable[row.fact.room] and messages.may_hear(chat, user, row.fact)]
    return tuple(event for row in rows if (event := told(chat, row)))


def _may_read(chat: World, session: Session, user: User, number: int) -> bool:
    """May the asker read this conversation now? It may have been put out while the log was asked."""
    return number == session.hook if session.hook else messages.may_see(chat, user, number)


def _held(number: int) -> int:
    """What a peer wrote, as a number that every log can hold."""
    return max(0, min(number, NUMBER_MAX))


# -- questions -------------------------------------------------------------------------------------------------------


def history(chat: World, session: Session, command: m.History, now: float, out: Effects) -> None:
    """A page of a conversation the asker is in."""
    user = session.user
    assert user is not None
    if session.hook:
        room = chat.state.room(command.to)
        number = room.number if room and room.number == session.hook else 0
    else:
        number, _ = receipts.place_of(chat, user, command.to)
    if not number:
        known = chat.known_room(session, command.to) if command.to.startswith("#") else None
        code = "not_member" if known else "no_such_room" if command.to.startswith("#") else "no_such_login"
        refuse(session, command, code, out, command.to)
        return
    limit = max(1, min(command.limit, chat.limits.page))
    query = m.Query(
        kind="page", rooms=(number,), before=_held(command.before), after=_held(command.after),
        around=_held(command.around), at=_held(command.at), until=_held(command.until), limit=limit,
        events=command.events,
    )  # fmt: skip
    out.append(m.Load(session, query, command))


def search(chat: World, session: Session, command: m.Search, now: float, out: Effects) -> None:
    """Messages with these words, in the asker's own conversations only."""
    user = session.user
    assert user is not None
    numbers: tuple[int, ...] = (ALL, *user.rooms, *user.directs)
    if command.to:
        number, _ = receipts.place_of(chat, user, command.to)
        if not number:
            refuse(session, command, "not_member" if command.to.startswith("#") else "no_such_login", out, command.to)
            return
        numbers = (number,)
    author = chat.state.find(command.by) if command.by else None
    if command.by and author is None:
        refuse(session, command, "no_such_login", out, command.to)
        return
    if not command.words.strip() and author is None:
        refuse(session, command, "empty", out, command.to)
        return
    query = m.Query(
        kind="search", rooms=numbers, words=command.words, user=author.uid if author else 0,
        since=_held(command.since), until=_held(command.until), before=_held(command.before),
        limit=max(1, min(command.limit, chat.limits.page)),
    )  # fmt: skip
    out.append(m.Load(session, query, command))


def rooms(chat: World, session: Session, command: m.Rooms, now: float, out: Effects) -> None:
    """The asker's conversations with their counts; one room alone without them, but with its lists."""
    user = session.user
    assert user is not None
    if command.to:
        room = chat.state.room(command.to) if command.to.startswith("#") else None
        member = room is not None and chat.state.is_member(user, room)
        found = (_with_lists(chat, user, room, member),) if room and (member or "secret" not in room.modes) else ()
        out.append(m.Tell(session, m.RoomList(found, command.ref)))
        return
    out.append(m.Load(session, count_query(chat, user), command))


def count_query(chat: World, user: User) -> m.Query:
    """How many messages are behind the read cursor of each conversation."""
    users = chat.state.users
    cursors = {number: user.reads.get(number, 0) for number, other in user.directs.items() if other in users}
    cursors[ALL] = max(user.reads.get(ALL, 0), user.since)
    for number in user.rooms:
        since = chat.state.rooms[number].members[user.uid].since
        cursors[number] = max(user.reads.get(number, 0), since)
    return m.Query(kind="count", rooms=tuple(cursors), cursors=cursors, user=user.uid)


def unread(chat: World, session: Session, query: m.Query, result: m.Result) -> dict[int, int]:
    """What the log has counted, as of now: with what has come since it did, and without what has been read since."""
    user, counts = session.user, dict(result.counts)
    assert user is not None
    read = dict(count_query(chat, user).cursors or {})
    for number, cursor in (query.cursors or {}).items():
        if read.get(number, 0) > max(cursor, result.head - 1):
            counts[number] = 0
    for row in reversed(chat.recent):
        if row.seq <= result.head:
            break
        fact = row.fact
        if _is_unread(row, user) and row.seq > read.get(fact.room, row.seq):
            counts[fact.room] = min(counts.get(fact.room, 0) + 1, UNREAD_MAX)
    return counts


def _is_unread(row: m.Entry | m.Row, user: User) -> bool:
    """Is it a message that somebody else wrote, and that was not taken back?"""
    fact = row.fact
    kept = not (isinstance(row, m.Row) and row.removed)
    return kept and type(fact) is m.Said and fact.kind != "tag" and fact.user != user.uid


def room_list(chat: World, session: Session, command: m.Rooms, counts: dict[int, int]) -> m.RoomList:
    """The answer to Rooms."""
    user = session.user
    assert user is not None
    if session.hook:
        return m.RoomList((outside(chat, chat.state.rooms[session.hook]),), command.ref)
    infos = [info(chat, user, room, counts) for room in chat.state.rooms_of(user)]
    infos += [direct for number in user.directs if (direct := _direct_info(chat, user, number, counts))]
    if not command.all:
        return m.RoomList(tuple(infos), command.ref)
    others = _others(chat, user, command.after)
    fits = _how_many(others)
    counting.owe(chat, session, fits / ROOMS_PER_COMMAND)
    infos = others[:fits] if command.after else infos + others[:fits]
    return m.RoomList(tuple(infos), command.ref, fits < len(others))


def _others(chat: World, user: User, after: str) -> list[m.RoomInfo]:
    """The public rooms that the user is not in, in the order of their making, behind the one named ``after``."""
    behind = chat.state.room(after) if after else None
    first = behind.number if behind is not None else 0
    return [
        outside(chat, room)
        for number, room in chat.state.rooms.items()
        if number > first and not chat.state.is_member(user, room) and "secret" not in room.modes
    ]


def _how_many(infos: list[m.RoomInfo]) -> int:
    """How many of them one answer holds."""
    size = 0
    for place, one in enumerate(infos):
        size += ROOM_BYTES + utf8_length(one.to) + 2 * utf8_length(one.topic)  # quotes and backslashes are doubled
        if size > ANSWER_BYTES:
            return place
    return len(infos)


def _with_lists(chat: World, user: User, room: Room, member: bool) -> m.RoomInfo:
    """A room with its bans, exceptions and invitations among its modes."""
    row = info(chat, user, room, {}) if member else outside(chat, room)
    lists = tuple(change for entries in room.lists.values() for change in entries) if member else ()
    return msgspec.structs.replace(row, modes=row.modes + lists)


def info(chat: World, user: User, room: Room, counts: dict[int, int]) -> m.RoomInfo:
    """A room as one of its members sees it."""
    total = len(chat.state.users) if room.number == ALL else len(room.members)
    delivered, seen = 0, 0
    if total <= COUNTED_MAX and room.head > user.since:  # else nothing in it can be its own
        delivered, seen = receipts.others(chat, user, room.number)
    return m.RoomInfo(
        room.name, True, room.topic, room.topic_by, room.topic_at, total, _online(chat, room),
        room.role(user.uid), room.changes(), room.created, room.head, user.reads.get(room.number, 0),
        counts.get(room.number, 0), len(user.mentions.get(room.number, ())), delivered, seen,
        receipts.moment_of(user, room.number),
    )  # fmt: skip


def _online(chat: World, room: Room) -> int:
    """How many of a room are here."""
    return chat.online if room.number == ALL else room.here


def outside(chat: World, room: Room) -> m.RoomInfo:
    """A room as others see it: of one by invitation no more than its name and switches."""
    switches = tuple(change for change in room.changes() if change.name != "key")
    if "invite_only" in room.modes:
        return m.RoomInfo(room.name, False, modes=switches, created=room.created)
    return m.RoomInfo(
        room.name, False, room.topic, room.topic_by, room.topic_at, len(room.members), _online(chat, room),
        "", switches, room.created,
    )  # fmt: skip


def _direct_info(chat: World, user: User, number: int, counts: dict[int, int]) -> m.RoomInfo | None:
    peer = chat.state.users.get(user.directs[number])
    if peer is None:
        return None
    delivered, seen = receipts.others(chat, user, number)
    unread = counts.get(number, 0)
    return m.RoomInfo(
        "@" + peer.login, True, members=2, online=int(peer.online), read=user.reads.get(number, 0), unread=unread,
        mentions=unread, delivered=delivered, seen=seen, head=chat.state.heads.get(number, 0),
        read_at=receipts.moment_of(user, number),
    )  # fmt: skip
