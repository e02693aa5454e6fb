"""Rooms as channels: JOIN, PART, TOPIC, NAMES, LIST, KICK, INVITE, RENAME."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from tcpchat.core.model import (
    Invite,
    Join,
    Kick,
    Leave,
    People,
    Person,
    Refused,
    Rename,
    RoomInfo,
    RoomList,
    Rooms,
    Topic,
    Who,
)
from tcpchat.doors.irc import events, joins, metadata, refusals, wire
from tcpchat.doors.irc.commands import Asks, Steps, command
from tcpchat.doors.irc.network import LIST_WORDS, nick_of

if TYPE_CHECKING:
    from tcpchat.doors.irc.door import IrcDoor
    from tcpchat.doors.irc.wire import Line

LIST_MAX = 2_000  # rooms of one LIST: six letters must not bring megabytes
NAMES_ROOMS = 100  # rooms of a NAMES that names none, one's own first
NAMES_MAX = 380  # bytes of names in one line
MARKS = {"op": "@", "voice": "+", "op,voice": "@+"}


def is_channel(name: str) -> bool:
    return name.startswith("#")


def every_room() -> Rooms:
    return Rooms(all=True)


def info(door: IrcDoor, room: str) -> Asks[RoomInfo | None]:
    """Ask about one room; returns its RoomInfo, or None."""
    answer = yield Rooms(all=True, to=room)
    if isinstance(answer, RoomList):
        for row in answer.rooms:
            if door.network.fold(row.to) == door.network.fold(room):
                return row
    return None


def members(door: IrcDoor, room: str, here: bool = False) -> Asks[tuple[Person, ...] | None]:
    """Ask who is in a room, or only who of it is ``here``; returns the people, or None when one may not know."""
    answer = yield Who(to=room, all=not here)
    return answer.people if isinstance(answer, People) else None


def switch(room: RoomInfo | None, name: str) -> bool:
    return room is not None and any(change.name == name and change.on for change in room.modes)


def marks(person: Person, caps: Iterable[str]) -> str:
    """The marks of a member: all of them, or the highest."""
    shown = MARKS.get(person.role, "")
    return shown if "multi-prefix" in caps else shown[:1]


# -- JOIN and PART -------------------------------------------------------------------------------------------


@command("JOIN", "#room{,#room} [key{,key}]", "Enter rooms.", least=1)
def join(door: IrcDoor, line: Line) -> Steps:
    if line.params[0] == "0":  # RFC 2812, 3.2.1: leave everything
        for room in list(door.rooms.values()):
            yield from part_one(door, room, "")
        return
    rooms = [name for name in line.params[0].split(",") if name]
    if not rooms:
        door.reply("ERR_NEEDMOREPARAMS", "JOIN")
    keys = line.params[1].split(",") if len(line.params) > 1 else []
    for place, room in enumerate(rooms):
        yield from join_one(door, room, keys[place] if place < len(keys) else "")


def join_one(door: IrcDoor, room: str, key: str) -> Steps:
    network = door.network
    if not is_channel(room) or len(room) > network.channel_max or events.hidden(door, room):
        door.reply("ERR_NOSUCHCHANNEL", wire.cut(room, 200).split(" ")[0] or "*")
        return
    if network.fold(room) in door.rooms:
        return
    if len(door.rooms) >= network.rooms_max:
        door.reply("ERR_TOOMANYCHANNELS", room)
        return
    answer = yield Join(room=room, key=key)
    if isinstance(answer, Refused) and answer.code != "already_member":
        refusals.refuse(door, answer, refusals.JOIN, room, command="JOIN")
        return
    joins.entered(door, room)
    yield from describe(door, door.rooms.get(network.fold(room), room))


def describe(door: IrcDoor, room: str, row: RoomInfo | None = None) -> Steps:
    """Topic, read mark and names, as behind every JOIN. ``row``: what is known of the room already."""
    row = row or (yield from info(door, room))
    if row is not None and row.topic:
        door.reply("RPL_TOPIC", room, text=row.topic)
        door.reply("RPL_TOPICWHOTIME", room, topic_by(door, row), row.topic_at // 1000)
    if "draft/read-marker" in door.caps:
        at = max(row.read_at if row is not None else 0, door.network.mark_of(door.login, room))
        door.put(f":{door.network.server} MARKREAD {room} {events.mark_word(at)}")
    if "draft/no-implicit-names" not in door.caps:
        yield from names_of(door, room, row)
    if door.subscribed:
        metadata.entered(door, room, (yield from members(door, room)) or ())


def topic_by(door: IrcDoor, row: RoomInfo) -> str:
    return nick_of(row.topic_by) or door.network.server


@command("PART", "#room{,#room} [reason]", "Leave rooms.", least=1)
def part(door: IrcDoor, line: Line) -> Steps:
    why = wire.cut(line.params[1], door.network.kick_max) if len(line.params) > 1 else ""
    for room in line.params[0].split(","):
        yield from part_one(door, room, why)


def part_one(door: IrcDoor, room: str, why: str) -> Steps:
    if not is_channel(room) or events.hidden(door, room):
        door.reply("ERR_NOSUCHCHANNEL", wire.cut(room, 200) or "*")
        return
    key = door.network.fold(room)
    if key not in door.rooms:
        row = yield from info(door, room)
        door.reply("ERR_NOTONCHANNEL" if row is not None else "ERR_NOSUCHCHANNEL", room)
        return
    answer = yield Leave(room=room, why=why)
    if isinstance(answer, Refused):
        refusals.refuse(door, answer, refusals.ROOM, room, command="PART")
    elif key in door.rooms:  # a room that one cannot leave in the chat can be left here
        door.relay(door.login, "PART", door.rooms.pop(key), *([why] if why else []))


# -- TOPIC ---------------------------------------------------------------------------------------------------


@command("TOPIC", "#room [topic]", "See or set the topic of a room.", least=1)
def topic(door: IrcDoor, line: Line) -> Steps:
    room = line.params[0]
    if not is_channel(room) or events.hidden(door, room):
        door.reply("ERR_NOSUCHCHANNEL", room)
        return
    if len(line.params) > 1:
        text = wire.cut(line.params[1], door.network.topic_max)
        answer = yield Topic(room=room, text=text)
        if isinstance(answer, Refused):
            refusals.refuse(door, answer, refusals.ROOM, room, command="TOPIC")
        return
    row = yield from info(door, room)
    if row is None:
        door.reply("ERR_NOSUCHCHANNEL", room)
    elif not row.member and switch(row, "secret"):
        door.reply("ERR_NOTONCHANNEL", room)
    elif not row.topic:
        door.reply("RPL_NOTOPIC", row.to)
    else:
        door.reply("RPL_TOPIC", row.to, text=row.topic)
        door.reply("RPL_TOPICWHOTIME", row.to, topic_by(door, row), row.topic_at // 1000)


# -- NAMES and LIST ------------------------------------------------------------------------------------------


@command("NAMES", "[#room{,#room}]", "Who is in a room.")
def names(door: IrcDoor, line: Line) -> Steps:
    if not line.params:
        answer = yield every_room()
        known = answer.rooms if isinstance(answer, RoomList) else ()
        rows = [row for row in known if is_channel(row.to) and not events.hidden(door, row.to)]
        for row in sorted(rows, key=lambda row: (not row.member, row.created))[:NAMES_ROOMS]:
            yield from names_lines(door, row.to, row)
        door.reply("RPL_ENDOFNAMES", "*")
        return
    rooms = {door.network.fold(room): room for room in line.params[0].split(",")[:10]}
    for room in rooms.values():
        found = (yield from info(door, room)) if is_channel(room) else None
        if found is not None and (found.member or not switch(found, "secret")):
            yield from names_lines(door, found.to, found)
    door.reply("RPL_ENDOFNAMES", line.params[0])


def names_of(door: IrcDoor, room: str, row: RoomInfo | None) -> Steps:
    yield from names_lines(door, room, row)
    door.reply("RPL_ENDOFNAMES", room)


def names_lines(door: IrcDoor, room: str, row: RoomInfo | None) -> Steps:
    people = yield from members(door, room, here=True)
    if people is None:
        return
    symbol = "@" if switch(row, "secret") else "="
    key = (room, "multi-prefix" in door.caps, "userhost-in-names" in door.caps)
    known = door.network.rolls.get(key)
    if known is None or known[0] is not people:  # the chat makes a new list when somebody has come, gone or changed
        known = door.network.rolls[key] = people, roll(door, people)
    door.rows([("353", f"{symbol} {room} :{names}") for names in known[1]])


def roll(door: IrcDoor, people: tuple[Person, ...]) -> list[str]:
    """The names of people, in pieces that fit a line each."""
    mask, caps = door.network.mask, door.caps
    shown = [mask(one.login) for one in people] if "userhost-in-names" in caps else [one.login for one in people]
    words = [marks(one, caps) + name if one.role else name for one, name in zip(people, shown, strict=True)]
    data = nick_of("\n".join(words)).replace("\n", " ").encode(errors="replace")
    rows: list[str] = []
    while data:
        end = len(data) if len(data) <= NAMES_MAX else data.rfind(b" ", 0, NAMES_MAX + 1)
        if end < 0:  # one name alone is longer
            end = data.find(b" ") if b" " in data else len(data)
        rows.append(data[:end].decode())
        data = data[end + 1 :]
    return rows


@command(
    "LIST",
    "[#room{,#room} | *mask* | !*mask* | <n | >n | C<min | C>min | T<min | T>min]",
    "The rooms there are.",
)
def list_(door: IrcDoor, line: Line) -> Steps:
    answer = yield every_room()
    wanted = [word for param in line.params[:1] for word in param.split(",") if word][:LIST_WORDS]
    door.reply("RPL_LISTSTART", "Channel")
    rows = [row for row in answer.rooms if listed(door, row, wanted)] if isinstance(answer, RoomList) else []
    for row in rows[:LIST_MAX]:
        door.reply("RPL_LIST", row.to, row.online, row.topic, text="")
    door.reply("RPL_LISTEND")
    if len(rows) > LIST_MAX:
        door.notice(f"{len(rows) - LIST_MAX} rooms more: LIST *word* or LIST >9 shows fewer")


def listed(door: IrcDoor, row: RoomInfo, wanted: list[str]) -> bool:
    """Is this one of the rooms that LIST shows?"""
    if not is_channel(row.to) or events.hidden(door, row.to) or (switch(row, "secret") and not row.member):
        return False
    return bool(row.online) and chosen(door, row, wanted)


def chosen(door: IrcDoor, row: RoomInfo, wanted: list[str]) -> bool:
    """Does LIST with these conditions show the room? (https://modern.ircdocs.horse/#elist-parameter)"""
    plain = [word for word in wanted if not condition(word)]
    if plain and not any(wire.matches(word, row.to) for word in plain):
        return False
    return all(fits(door, row, word) for word in wanted if condition(word))


def condition(word: str) -> bool:
    return word[0] in "<>!" or word[:2].upper() in ("C<", "C>", "T<", "T>")


def fits(door: IrcDoor, row: RoomInfo, word: str) -> bool:
    if word.startswith("!"):
        return not wire.matches(word[1:], row.to)
    kind = word[0].upper() if word[0] not in "<>" else ""
    sign, digits = word[len(kind)], word[len(kind) + 1 :]
    if not digits.isascii() or not digits.isdigit():
        return True
    number = float(digits)
    if not kind:
        value = float(row.online)
    else:
        at = row.created if kind == "C" else row.topic_at
        if not at:
            return False
        value = (door.now - at / 1000) / 60
    return value < number if sign == "<" else value > number


# -- KICK, INVITE, RENAME ------------------------------------------------------------------------------------


@command("KICK", "#room nick{,nick} [reason]", "Put somebody out of a room.", least=2)
def kick(door: IrcDoor, line: Line) -> Steps:
    rooms, nicks = line.params[0].split(","), [nick for nick in line.params[1].split(",") if nick]
    why = line.params[2] if len(line.params) > 2 else ""
    why = wire.cut(why, door.network.kick_max) or door.nick
    if not nicks or len(rooms) not in (1, len(nicks)):
        door.reply("ERR_NEEDMOREPARAMS", "KICK")
        return
    for place, nick in enumerate(nicks[:10]):
        yield from kick_one(door, rooms[place] if len(rooms) > 1 else rooms[0], nick, why)


def kick_one(door: IrcDoor, room: str, nick: str, why: str) -> Steps:
    if not is_channel(room) or events.hidden(door, room):
        door.reply("ERR_NOSUCHCHANNEL", room)
        return
    answer = yield Kick(room=room, login=nick, why=why)
    if not isinstance(answer, Refused):
        return
    if answer.code == "no_such_login":
        missing_member(door, nick, room)
    else:
        refusals.refuse(door, answer, refusals.ROOM, room, command="KICK")


def missing_member(door: IrcDoor, nick: str, room: str) -> None:
    """Somebody is not in the room, or not at all."""
    if door.network.face_online(nick):
        door.reply("ERR_USERNOTINCHANNEL", nick, room)
    else:
        door.reply("ERR_NOSUCHNICK", nick or "*")


@command("INVITE", "[nick #room]", "Ask somebody into a room.")
def invite(door: IrcDoor, line: Line) -> Steps | None:
    if not line.params:
        door.reply("RPL_ENDOFINVITELIST")
        return None
    if len(line.params) < 2:
        door.reply("ERR_NEEDMOREPARAMS", "INVITE")
        return None
    return invite_one(door, line.params[0], line.params[1])


def invite_one(door: IrcDoor, nick: str, room: str) -> Steps:
    network = door.network
    if not is_channel(room) or events.hidden(door, room):
        door.reply("ERR_NOSUCHCHANNEL", room)
        return
    answer = yield Invite(room=room, login=nick)
    if not isinstance(answer, Refused):
        face = network.people.get(network.fold(nick))
        shown = nick_of(face.login) if face is not None else nick
        door.reply("RPL_INVITING", shown, door.rooms.get(network.fold(room), room))
        if face is not None and face.away:
            door.reply("RPL_AWAY", shown, text=face.away)
    elif answer.code == "no_such_login":
        door.reply("ERR_NOSUCHNICK", nick)
    elif answer.code == "already_member":
        door.reply("ERR_USERONCHANNEL", nick, room)
    else:
        refusals.refuse(door, answer, refusals.ROOM, room, command="INVITE")


@command("RENAME", "#old #new [reason]", "Give a room another name.", least=2)
def rename(door: IrcDoor, line: Line) -> Steps:
    old, new = line.params[:2]
    why = line.params[2] if len(line.params) > 2 else ""
    if not is_channel(new) or len(new) > door.network.channel_max:
        door.fail("RENAME", "CANNOT_RENAME", old, new, text="This cannot be a room's name")
        return
    if door.rooms.get(door.network.fold(old)) == new:
        door.fail("RENAME", "CHANNEL_NAME_IN_USE", old, new, text="The room has this name")
        return
    answer = yield Rename(to=new, room=old, why=why)
    if isinstance(answer, Refused):
        if answer.code in ("exists", "in_use"):
            door.fail("RENAME", "CHANNEL_NAME_IN_USE", old, new, text=answer.text)
        elif answer.code in ("bad_name", "unsupported"):
            door.fail("RENAME", "CANNOT_RENAME", old, new, text=answer.text)
        else:
            refusals.refuse(door, answer, refusals.ROOM, old, command="RENAME")
