"""METADATA: facts about people and rooms that others may read. Source: https://ircv3.net/specs/extensions/metadata"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from tcpchat.core.model import Person, Preference, RoomInfo
from tcpchat.core.rules import IRC_PREFERENCE
from tcpchat.doors.irc import preferences, wire
from tcpchat.doors.irc.commands import Asks, Steps, command

if TYPE_CHECKING:
    from tcpchat.doors.irc.door import IrcDoor
    from tcpchat.doors.irc.wire import Line

Show = Callable[["IrcDoor", str, str, str, str], None]

SYNC_MAX = 1_000  # facts told at once about a room and those in it, in 400 KB at most
KEY = preferences.KEY


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


def table(door: IrcDoor, target: str) -> Mapping[str, str]:
    """The facts about a target; written to only by its owner."""
    if target == "*" and not door.registered:
        return door.pre_metadata
    return preferences.facts(door.network, door.login if target == "*" else target)


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


def older(door: IrcDoor) -> bool:
    """True for a client of the draft before this one, draft/metadata-2: news are METADATA lines, not numerics."""
    return "draft/metadata-2" in door.caps and "draft/metadata-3" not in door.caps


def news_line(door: IrcDoor, target: str, key: str, value: str, batch: str = "") -> None:
    """A fact that this client did not ask for."""
    if older(door):
        words = [target, key, "*"]
        line = wire.join("METADATA", words, door.network.server) + (f" :{value}" if value else "")
        door.put(line, [("batch", batch)] if batch else [])
    else:
        value_line(door, target, key, value, batch)


def end_rows(door: IrcDoor, reference: str) -> None:
    """That was all: the end of the batch, or the numeric of old for a client that knows no batches."""
    if reference:
        door.end_batch(reference)
    else:
        door.reply("RPL_METADATAEND")


def rows(door: IrcDoor, target: str, items: Iterable[tuple[str, str]], show: Show = value_line) -> None:
    """Keys with their values in a batch."""
    reference = door.batch("metadata", target)
    for key, value in items:
        show(door, target, key, value, reference)
    end_rows(door, reference)


def get(door: IrcDoor, target: str, keys: list[str]) -> Steps:
    if keys and not (yield from readable(door, target)):
        return
    facts = table(door, target)
    name = shown(door, target)
    good = good_keys(door, keys)
    if good:
        rows(door, name, [(key, facts.get(key, "")) for key in good])


def list_(door: IrcDoor, target: str, rest: list[str]) -> Steps:
    if (yield from readable(door, target)):
        rows(door, shown(door, target), list(table(door, target).items()))


def sync(door: IrcDoor, target: str, rest: list[str]) -> Steps:
    """What one subscribed to, about somebody, or about a room and everybody in it."""
    if not (yield from readable(door, target)):
        return
    from tcpchat.doors.irc import channels

    people = (yield from channels.members(door, target)) if target.startswith("#") else None
    reference = door.batch("metadata", shown(door, target))
    left = SYNC_MAX
    for one in (target, *(person.login for person in people or () if person.online)):
        facts = table(door, one)
        for key in door.subscribed:
            if key in facts and left:
                left -= 1
                news_line(door, shown(door, one), key, facts[key], reference)
    end_rows(door, reference)


def set_(door: IrcDoor, target: str, rest: list[str]) -> Steps:
    key, value = rest[0] if rest else "", rest[1] if len(rest) > 1 else ""
    if not KEY.match(key):
        fail(door, "KEY_INVALID", key.split(" ")[0] or "*", text="Invalid key name")
        return
    if not (yield from writable(door, target, key)):
        return
    facts = table(door, target)
    if len(value.encode()) > door.network.max_value:
        code = ["VALUE_INVALID"] if older(door) else ["INVALID_VALUE", key]
        fail(door, *code, text="The value is too long")
    elif value and key not in facts and len(facts) >= door.network.max_keys:
        fail(door, "LIMIT_REACHED", target, text="There are too many keys")
    elif not value and key not in facts:
        fail(door, "KEY_NOT_SET", target, key, text="This key is not set")
    elif not (yield from refused(door, target, key, value)):
        if not door.registered:
            note(door, key, value)
        value_line(door, shown(door, target), key, value)


def refused(door: IrcDoor, target: str, key: str, value: str) -> Asks[bool]:
    """True, after an answer, when the chat would not keep it."""
    answer = (yield from preferences.keep(door, target, key, value)) if door.registered else None
    if answer is None:
        return False
    if answer.code == "too_fast":
        fail(door, "RATE_LIMITED", target, key, str(round(answer.after) or 1), text=answer.text)
    elif answer.code == "too_many":
        fail(door, "LIMIT_REACHED", target, text=answer.text)
    else:
        fail(door, "KEY_NO_PERMISSION", target, key, text=answer.text)
    return True


def note(door: IrcDoor, key: str, value: str) -> None:
    """A key is set or unset before the welcome: it is set in the chat then."""
    rest = {name: one for name, one in door.pre_metadata.items() if name != key}
    door.pre_metadata = {**rest, key: value} if value else rest


def on_preferred(door: IrcDoor, event: Preference) -> None:
    """Somebody has set a key, by whatever door, and this client may have subscribed to it."""
    key = event.key.removeprefix(IRC_PREFERENCE)
    if key in door.subscribed and sees(door, event):
        news_line(door, shown(door, event.to.removeprefix("@")), key, event.value)


def sees(door: IrcDoor, event: Preference) -> bool:
    """Is this client in the room, or in one with that login, or does it watch it?"""
    fold = door.network.fold
    if event.to.startswith("#"):
        return fold(event.to) in door.rooms
    login = fold(event.to.removeprefix("@"))
    shared = any(fold(room) in door.rooms for room in event.rooms)
    return shared or login in door.monitored or login == fold(door.login)


def clear(door: IrcDoor, target: str, rest: list[str]) -> Steps:
    if not (yield from writable(door, target, "*")):
        return
    keys = []
    for key in list(table(door, target)):
        if (yield from refused(door, target, key, "")):
            break
        keys.append(key)
    rows(door, shown(door, target), [(key, "") for key in keys])


# -- subscriptions -------------------------------------------------------------------------------------------


def good_keys(door: IrcDoor, keys: list[str]) -> list[str]:
    """Those that can be keys, after an answer about the others."""
    if not keys:
        door.reply("ERR_NEEDMOREPARAMS", "METADATA")
    good = [key for key in keys if KEY.match(key)]
    for key in keys:
        if key not in good:
            fail(door, "KEY_INVALID", key.split(" ")[0] or "*", text="Invalid key name")
    return good


def sub(door: IrcDoor, target: str, keys: list[str]) -> Steps | None:
    added = []
    for key in good_keys(door, keys):
        if key in door.subscribed:
            added.append(key)
        elif len(door.subscribed) >= door.network.max_subs:
            fail(door, "TOO_MANY_SUBS", key, text="There are too many subscriptions")
            break
        else:
            door.subscribed += (key,)
            added.append(key)
    if added:
        words(door, "770", added)
    return catch_up(door, added) if door.registered else None


def catch_up(door: IrcDoor, keys: list[str]) -> Steps:
    """The present values of keys just subscribed to."""
    from tcpchat.doors.irc import channels

    for room in list(door.rooms.values()):
        people = yield from channels.members(door, room)
        entered(door, room, people or (), keys)


def unsub(door: IrcDoor, target: str, keys: list[str]) -> None:
    keys = good_keys(door, keys)
    door.subscribed = tuple(key for key in door.subscribed if key not in keys)
    words(door, "771", keys)


def subs(door: IrcDoor, target: str, rest: list[str]) -> None:
    reference = door.batch("metadata-subs")
    words(door, "772", door.subscribed, reference)
    end_rows(door, reference)


def words(door: IrcDoor, code: str, keys: Sequence[str], batch: str = "") -> None:
    tags = [("batch", batch)] if batch else []
    for start in range(0, len(keys), 10):
        door.put(f":{door.network.server} {code} {door.nick or '*'} {' '.join(keys[start : start + 10])}", tags)


def entered(door: IrcDoor, room: str, people: Iterable[Person], keys: Sequence[str] | None = None) -> None:
    """What is known about a room and those in it, for one who subscribed."""
    keys = door.subscribed if keys is None else keys
    if not keys:
        return
    names = [room, *(person.login for person in people if person.online and not door.is_me(person.login))]
    left = SYNC_MAX
    for name in names:
        facts = preferences.facts(door.network, name)
        items = [(key, facts[key]) for key in keys if key in facts][:left]
        left -= len(items)
        if items:
            rows(door, shown(door, name), items, news_line)


def came(door: IrcDoor, login: str) -> None:
    """Somebody entered a room where this client is."""
    facts = preferences.facts(door.network, login) if door.subscribed else {}
    items = [(key, facts[key]) for key in door.subscribed if key in facts]
    if items:
        rows(door, shown(door, login), items, news_line)


def burst(door: IrcDoor) -> Steps:
    """At the welcome: what was set before it, and what is kept about this login."""
    for key, value in door.pre_metadata.items():
        yield from refused(door, "*", key, value)
    facts = table(door, "*")
    if facts and {"draft/metadata-2", "draft/metadata-3"} & door.caps:
        rows(door, door.nick, list(facts.items()), news_line)


def whois(door: IrcDoor, login: str) -> None:
    if {"draft/metadata-2", "draft/metadata-3"} & door.caps:
        nick = shown(door, login)
        for key, value in preferences.facts(door.network, login).items():
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
