"""METADATA: facts about people and rooms that others may read. Source: https://ircv3.net/specs/extensions/metadata"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from tcpchat.core.model import Person, RoomInfo
from tcpchat.doors.irc.commands import Asks, Steps, command

if TYPE_CHECKING:
    from tcpchat.doors.irc.door import IrcDoor
    from tcpchat.doors.irc.wire import Line

KEY = re.compile(r"[a-z0-9_./-]{1,64}\Z")


def fail(door: IrcDoor, code: str, *context: str, text: str) -> None:
    door.fail("METADATA", code, *context, text=text)


@command(
    "METADATA",
    "target GET|LIST|SET|CLEAR|SUB|UNSUB|SUBS|SYNC ...",
    "Facts about people and rooms.",
    least=2,
    early=True,
)
def metadata(door: IrcDoor, line: Line) -> Steps | None:
    target, word, rest = line.params[0], line.params[1].upper(), line.params[2:]
    if word not in SUBCOMMANDS:
        fail(door, "SUBCOMMAND_INVALID", line.params[1], text="Unknown subcommand")
        return None
    if not door.registered and (target != "*" or word not in ("GET", "LIST", "SET", "SUB", "SUBS", "UNSUB")):
        door.reply("ERR_NOTREGISTERED")
        return None
    return SUBCOMMANDS[word](door, target, rest)


def shown(door: IrcDoor, target: str) -> str:
    """How the target is named in answers."""
    if target == "*":
        return door.nick or "*"
    if target.startswith("#"):
        return door.rooms.get(door.network.fold(target), target)
    face = door.network.people.get(door.network.fold(target))
    return face.login.replace(" ", "_") if face is not None else target


def table(door: IrcDoor, target: str) -> dict[str, str]:
    """The facts about a target; written to only by its owner."""
    if target == "*" and not door.registered:
        return door.pre_metadata
    key = door.network.fold(door.login if target == "*" else target)
    return door.network.metadata.get(key, {})


def room_info(door: IrcDoor, room: str) -> Asks[RoomInfo | None]:
    from tcpchat.doors.irc import channels

    return (yield from channels.info(door, room))


def readable(door: IrcDoor, target: str) -> Asks[bool]:
    """May this client read it? False after an answer."""
    if target == "*" or not door.registered:
        return True
    if target.startswith("#"):
        row: RoomInfo | None = yield from room_info(door, target)
        closed = row is None or (not row.member and any(c.name in ("invite_only", "secret") for c in row.modes))
        if closed:
            fail(door, "INVALID_TARGET", target, text="No such room, or it is not yours to read")
        return not closed
    if not door.network.face_online(target):
        fail(door, "INVALID_TARGET", target, text="There is nobody of this name")
        return False
    return True


def writable(door: IrcDoor, target: str, key: str) -> Asks[bool]:
    """May this client set it? False after an answer."""
    mine = target == "*" or (door.registered and door.is_me(target))
    if mine or "o" in door.network.face(door.login).modes:
        return True
    if target.startswith("#"):
        row: RoomInfo | None = yield from room_info(door, target)
        if row is None:
            fail(door, "INVALID_TARGET", target, text="There is no such room")
            return False
        if row.role.startswith("op"):
            return True
    elif not door.network.face_online(target):
        fail(door, "INVALID_TARGET", target, text="There is nobody of this name")
        return False
    fail(door, "KEY_NO_PERMISSION", target, key, text="You may not change this")
    return False


def value_line(door: IrcDoor, target: str, key: str, value: str, batch: str = "") -> None:
    tags = [("batch", batch)] if batch else []
    server, nick = door.network.server, door.nick or "*"
    if value:
        door.put(f":{server} 761 {nick} {target} {key} * :{value}", tags)
    else:
        door.put(f":{server} 766 {nick} {target} {key} :key not set", tags)


def rows(door: IrcDoor, target: str, items: Iterable[tuple[str, str]]) -> None:
    """Keys with their values in a batch."""
    reference = door.batch("metadata", target)
    for key, value in items:
        value_line(door, target, key, value, reference)
    door.end_batch(reference)


def get(door: IrcDoor, target: str, keys: list[str]) -> Steps:
    if not keys:
        door.reply("ERR_NEEDMOREPARAMS", "METADATA")
        return
    if not (yield from readable(door, target)):
        return
    facts = table(door, target)
    name = shown(door, target)
    good = [key for key in keys if KEY.match(key)]
    for key in keys:
        if key not in good:
            fail(door, "KEY_INVALID", key.split(" ")[0] or "*", text="This cannot be a key")
    if good:
        rows(door, name, [(key, facts.get(key, "")) for key in good])


def list_(door: IrcDoor, target: str, rest: list[str]) -> Steps:
    if (yield from readable(door, target)):
        rows(door, shown(door, target), list(table(door, target).items()))


def sync(door: IrcDoor, target: str, rest: list[str]) -> Steps:
    if (yield from readable(door, target)):
        facts = table(door, target)
        rows(door, shown(door, target), [(key, facts[key]) for key in door.subscribed if key in facts])


def set_(door: IrcDoor, target: str, rest: list[str]) -> Steps:
    key, value = rest[0] if rest else "", rest[1] if len(rest) > 1 else ""
    if not KEY.match(key):
        fail(door, "KEY_INVALID", key.split(" ")[0] or "*", text="This cannot be a key")
        return
    if not (yield from writable(door, target, key)):
        return
    facts = writing(door, target)
    if len(value.encode()) > door.network.max_value:
        context = [key] if "draft/metadata-3" in door.caps else []
        fail(door, "INVALID_VALUE", *context, text="The value is too long")
    elif value and key not in facts and len(facts) >= door.network.max_keys:
        fail(door, "LIMIT_REACHED", target, text="There are too many keys")
    elif not value and key not in facts:
        fail(door, "KEY_NOT_SET", target, key, text="This key is not set")
    else:
        change(door, target, facts, key, value)
        value_line(door, shown(door, target), key, value)


def writing(door: IrcDoor, target: str) -> dict[str, str]:
    if not door.registered:
        return door.pre_metadata
    return door.network.metadata.setdefault(door.network.fold(door.login if target == "*" else target), {})


def change(door: IrcDoor, target: str, facts: dict[str, str], key: str, value: str) -> None:
    """Set or unset a key, and tell those who subscribed to it."""
    if value:
        facts[key] = value
    else:
        facts.pop(key, None)
    if not door.registered:
        return
    name = shown(door, target)
    for other in hearers(door, target):
        if key in other.subscribed:
            kept, other.answer = other.answer, None
            value_line(other, name, key, value)
            other.answer = kept
            other.wake()


def hearers(door: IrcDoor, target: str) -> list[IrcDoor]:
    """The other connections that see this target: in the room, sharing one, or monitoring it."""
    network = door.network
    key = network.fold(door.login if target == "*" else target)
    face = network.people.get(key)
    rooms = {key} if target.startswith("#") else set(face.doors[0].rooms) if face and face.doors else set()
    out = []
    for other_face in network.people.values():
        for other in other_face.doors:
            if other is not door and other.subscribed and (rooms & other.rooms.keys() or key in other.monitored):
                out.append(other)
    return out


def clear(door: IrcDoor, target: str, rest: list[str]) -> Steps:
    if not (yield from writable(door, target, "*")):
        return
    facts = writing(door, target)
    keys = list(facts)
    for key in keys:
        change(door, target, facts, key, "")
    rows(door, shown(door, target), [(key, "") for key in keys])


# -- subscriptions -------------------------------------------------------------------------------------------


def sub(door: IrcDoor, target: str, keys: list[str]) -> Steps | None:
    added = []
    for key in keys:
        if not KEY.match(key):
            fail(door, "KEY_INVALID", key.split(" ")[0] or "*", text="This cannot be a key")
        elif key in door.subscribed:
            added.append(key)
        elif len(door.subscribed) >= door.network.max_subs:
            fail(door, "TOO_MANY_SUBS", key, text="There are too many subscriptions")
            break
        else:
            door.subscribed.append(key)
            added.append(key)
    if added:
        words(door, "770", added)
    return catch_up(door, added) if door.registered and door.network.metadata else None


def catch_up(door: IrcDoor, keys: list[str]) -> Steps:
    """The present values of keys just subscribed to."""
    from tcpchat.doors.irc import channels

    for room in list(door.rooms.values()):
        people = yield from channels.members(door, room)
        entered(door, room, people or (), keys)


def unsub(door: IrcDoor, target: str, keys: list[str]) -> None:
    door.subscribed[:] = [key for key in door.subscribed if key not in keys]
    words(door, "771", [key for key in keys if KEY.match(key)])


def subs(door: IrcDoor, target: str, rest: list[str]) -> None:
    reference = door.batch("metadata-subs")
    words(door, "772", door.subscribed, reference)
    door.end_batch(reference)


def words(door: IrcDoor, code: str, keys: list[str], batch: str = "") -> None:
    tags = [("batch", batch)] if batch else []
    for start in range(0, len(keys), 10):
        door.put(f":{door.network.server} {code} {door.nick or '*'} {' '.join(keys[start : start + 10])}", tags)


def entered(door: IrcDoor, room: str, people: Iterable[Person], keys: list[str] | None = None) -> None:
    """What is known about a room and those in it, for one who subscribed."""
    keys = door.subscribed if keys is None else keys
    if not keys:
        return
    names = [room, *(person.login for person in people if person.online and not door.is_me(person.login))]
    for name in names:
        facts = door.network.metadata.get(door.network.fold(name), {})
        items = [(key, facts[key]) for key in keys if key in facts]
        if items:
            rows(door, shown(door, name), items)


def came(door: IrcDoor, login: str) -> None:
    """Somebody entered a room where this client is."""
    facts = door.network.metadata.get(door.network.fold(login), {}) if door.subscribed else {}
    items = [(key, facts[key]) for key in door.subscribed if key in facts]
    if items:
        rows(door, shown(door, login), items)


def burst(door: IrcDoor) -> None:
    """At the welcome: what was set before it, and what is kept about this login."""
    if door.pre_metadata:
        door.network.metadata.setdefault(door.network.fold(door.login), {}).update(door.pre_metadata)
    facts = table(door, "*")
    if facts and {"draft/metadata-2", "draft/metadata-3"} & door.caps:
        rows(door, door.nick, list(facts.items()))


def whois(door: IrcDoor, login: str) -> None:
    if {"draft/metadata-2", "draft/metadata-3"} & door.caps:
        nick = shown(door, login)
        for key, value in door.network.metadata.get(door.network.fold(login), {}).items():
            door.put(f":{door.network.server} 760 {door.nick} {nick} {key} * :{value}")


SUBCOMMANDS = {
    "CLEAR": clear,
    "GET": get,
    "LIST": list_,
    "SET": set_,
    "SUB": sub,
    "SUBS": subs,
    "SYNC": sync,
    "UNSUB": unsub,
}
