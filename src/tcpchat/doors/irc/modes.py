"""MODE: the switches of rooms and of people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tcpchat.core.model import Change, Guess, Mode, Refused, RoomInfo
from tcpchat.doors.irc import channels, events, preferences, refusals, wire
from tcpchat.doors.irc.commands import Steps, command
from tcpchat.doors.irc.network import (
    CHANNEL_MODES,
    LETTERS,
    LIST_MODES,
    PROPS,
    RANKS,
    USER_MODES,
    USER_PROPS,
    Face,
    nick_of,
)

if TYPE_CHECKING:
    from tcpchat.doors.irc.door import IrcDoor
    from tcpchat.doors.irc.wire import Line

CHANGES_MAX = 20  # switches of one MODE line (MODES in 005)
SETTABLE = "BRTiw"  # user modes that people set themselves; +o comes from OPER, r and Z are facts
LETTERS_MAX = 50  # letters and signs of one MODE that are looked at; there are not half as many modes
EXTENDED = ("a", "m", "~a", "~account", "~q", "~quiet")  # kinds of bans that are no mask, written "kind:..."
LISTS = {
    "b": ("RPL_BANLIST", "RPL_ENDOFBANLIST"),
    "e": ("RPL_EXCEPTLIST", "RPL_ENDOFEXCEPTLIST"),
    "I": ("RPL_INVEXLIST", "RPL_ENDOFINVEXLIST"),
}


@command("MODE", "#room|nick [modes [parameters]]", "See or turn switches of a room or of yourself.", least=1)
def mode(door: IrcDoor, line: Line) -> Steps | None:
    target = line.params[0]
    if channels.is_channel(target):
        return room_mode(door, target, line.params[1:])
    return user_mode(door, target, line.params[1:])


# -- people --------------------------------------------------------------------------------------------------


def user_mode(door: IrcDoor, target: str, words: list[str]) -> Steps | None:
    network = door.network
    if network.fold(target) != network.fold(door.nick):
        known = network.face_online(target)
        door.reply("ERR_USERSDONTMATCH" if known else "ERR_NOSUCHNICK", *([] if known else [target]))
        return None
    face = network.face(door.login)
    if not words:
        door.reply("RPL_UMODEIS", "+" + "".join(sorted(face.modes)))
        return None
    changes, unknown = turn(face, words[0])
    if unknown:
        door.reply("ERR_UMODEUNKNOWNFLAG")
    shown = signed(changes)
    if shown:
        door.put(f":{network.mask(door.login)} MODE {door.nick} {shown}")
    return settle(door, (False, "o") in changes)


def settle(door: IrcDoor, resigned: bool) -> Steps:
    """Have the chat know what of the modes concerns it."""
    if resigned:
        yield Guess(what="unoper")
    yield from preferences.keep_modes(door)


def turn(face: Face, word: str) -> tuple[list[tuple[bool, str]], bool]:
    """Apply ``+iw-B`` to the modes of somebody; returns what changed, and whether a letter was unknown."""
    on, unknown = True, False
    changes: list[tuple[bool, str]] = []
    for letter in word:
        if letter in "+-":
            on = letter == "+"
        elif letter not in USER_MODES:
            unknown = True
        elif (letter in SETTABLE or (letter == "o" and not on)) and (letter in face.modes) != on:
            face.wear(letter, on)
            changes.append((on, letter))
    return changes, unknown


def signed(changes: list[tuple[bool, str]]) -> str:
    out, sign = "", ""
    for on, letter in changes:
        mark = "+" if on else "-"
        out += (mark if mark != sign else "") + letter
        sign = mark
    return out


# -- rooms ---------------------------------------------------------------------------------------------------


def room_mode(door: IrcDoor, room: str, words: list[str]) -> Steps:
    row = None if events.hidden(door, room) else (yield from channels.info(door, room))
    if row is None:
        door.reply("ERR_NOSUCHCHANNEL", room)
        return
    if not words:
        show(door, row)
        return
    changes, lists = read(door, row, words)
    for letter in lists:
        show_list(door, row, letter)
    if not changes:
        return
    answer = yield Mode(room=row.to, changes=tuple(changes))
    if isinstance(answer, Refused):
        refuse(door, answer, row, changes)


def show(door: IrcDoor, row: RoomInfo) -> None:
    letters, arguments = "", []
    for change in row.modes:
        letter = LETTERS.get(change.name, "")
        if letter and letter not in LIST_MODES + RANKS and change.on:
            letters += letter
            if change.arg:
                arguments.append(change.arg if row.member else "*")
    door.reply("RPL_CHANNELMODEIS", row.to, "+" + letters, *arguments)
    door.reply("RPL_CREATIONTIME", row.to, row.created // 1000)


# -- modes by name (https://github.com/ircv3/ircv3-specifications/pull/484) ------------------------------------


def named(letter: str) -> str:
    """One entry of 964: type, name, letter."""
    kind = 1 if letter in LIST_MODES else 2 if letter == "k" else 3 if letter == "l" else 5 if letter in RANKS else 4
    return f"{kind}:{PROPS[letter]}={letter}"


def list_props(door: IrcDoor) -> None:
    """What modes there are, as behind the welcome of those with draft/named-modes."""
    rooms = [named(letter) for letter in sorted(PROPS, key=lambda letter: letter == "n")]
    people = sorted(USER_PROPS.items(), key=lambda item: item[0] == "i")
    for code, words in (("964", rooms), ("965", [f"4:{name}={letter}" for letter, name in people])):
        for start in range(0, len(words), 12):
            more = "* " if start + 12 < len(words) else ""
            row = " ".join(words[start : start + 12])
            door.put(f":{door.network.server} {code} {door.nick} {more}{row}")


@command("PROP", "#room [[+|-]name[=value]]", "See or turn switches by their names.", least=1)
def prop(door: IrcDoor, line: Line) -> Steps:
    room, words = line.params[0], line.params[1:]
    row = None if events.hidden(door, room) else (yield from channels.info(door, room))
    if row is None:
        door.reply("ERR_NOSUCHCHANNEL", room)
        return
    names = {name: letter for letter, name in PROPS.items()}
    if not words:
        show_props(door, row)
    changes: list[Change] = []
    for word in dict.fromkeys(words):  # a list that is asked for twice is shown once
        name, _, value = word.lstrip("+-").partition("=")
        letter = names.get(name)
        if letter is None:
            door.reply("ERR_UNKNOWNMODE", name or "*")
        elif word[0] not in "+-":
            if letter in LIST_MODES:
                show_list_prop(door, row, letter)
        else:
            change = one(door, row, letter, word[0] == "+", [value] if value else [])
            changes += [change] if change is not None else []
    if changes:
        answer = yield Mode(room=row.to, changes=tuple(changes[:CHANGES_MAX]))
        if isinstance(answer, Refused):
            refuse(door, answer, row, changes)


def show_props(door: IrcDoor, row: RoomInfo) -> None:
    words = []
    for change in row.modes:
        letter = LETTERS.get(change.name, "")
        if letter and letter not in LIST_MODES + RANKS:
            words.append(PROPS[letter] + (f"={change.arg}" if change.arg and row.member else ""))
    door.put(wire.join("961", [door.nick, row.to, *words], door.network.server))
    door.reply("RPL_ENDOFPROPLIST", row.to)


def show_list_prop(door: IrcDoor, row: RoomInfo, letter: str) -> None:
    for change in row.modes:
        if change.name == CHANNEL_MODES[letter]:
            by = nick_of(change.by) or door.network.server
            door.reply("RPL_LISTPROPLIST", row.to, PROPS[letter], change.arg, by, change.at // 1000)
    door.reply("RPL_ENDOFLISTPROPLIST", row.to, PROPS[letter])


def show_list(door: IrcDoor, row: RoomInfo, letter: str) -> None:
    entry, end = LISTS[letter]
    for change in row.modes:
        if change.name == CHANNEL_MODES[letter]:
            by = nick_of(change.by) or door.network.server
            door.reply(entry, row.to, change.arg, by, change.at // 1000)
    door.reply(end, row.to)


def read(door: IrcDoor, row: RoomInfo, words: list[str]) -> tuple[list[Change], list[str]]:
    """The changes that the words ask for, and the lists that they ask to see. What is wrong is answered here."""
    on = True
    changes: list[Change] = []
    lists: list[str] = []
    arguments = list(words[1:])
    for letter in words[0][:LETTERS_MAX]:
        if letter in "+-":
            on = letter == "+"
            continue
        name = CHANNEL_MODES.get(letter)
        if name is None:
            door.reply("ERR_UNKNOWNMODE", letter)
        elif letter in LIST_MODES and not arguments:
            if letter not in lists:
                lists.append(letter)
        else:
            change = one(door, row, letter, on, arguments)
            if change is not None and len(changes) < CHANGES_MAX:
                changes.append(change)
    return changes, lists


def one(door: IrcDoor, row: RoomInfo, letter: str, on: bool, arguments: list[str]) -> Change | None:
    """One switch with its argument, or None after an answer."""
    name = CHANNEL_MODES[letter]
    takes = letter in LIST_MODES + RANKS or letter == "k" or (letter == "l" and on)
    if not takes:
        return Change(name=name, on=on)
    if not arguments:
        if letter == "k" and not on:
            return Change(name=name, on=False)
        door.reply("ERR_NEEDMOREPARAMS", "MODE")
        return None
    word = arguments.pop(0)
    wrong = fault(door, letter, on, word)
    if wrong:
        door.reply(
            "ERR_INVALIDMODEPARAM",
            row.to,
            letter,
            "*" if letter == "k" else word.split(" ")[0] or "*",
            text=wrong,
        )
        return None
    if letter in LIST_MODES:
        word = ban_mask(word)
    elif letter == "k" and not on:
        word = ""
    return Change(name=name, on=on, arg=word)


def fault(door: IrcDoor, letter: str, on: bool, word: str) -> str:
    """What is wrong with an argument, or ""."""
    if letter == "k" and on:
        fine = 0 < len(word) <= door.network.key_max and word.isascii() and word.isprintable()
        return "" if fine and " " not in word and "," not in word and word[0] != ":" else "Invalid key"
    if letter == "l":
        return "" if word.isascii() and word.isdigit() and 0 < int(word) < 1_000_000 else "Invalid limit"
    if not word or " " in word or (letter in LIST_MODES and word[-1] == ":" and word[:-1] in EXTENDED):
        return "Invalid mask" if letter in LIST_MODES else "Invalid name"
    return ""


def ban_mask(word: str) -> str:
    """A mask in its full form; extended bans keep theirs."""
    kind, colon, rest = word.partition(":")
    if colon and kind in EXTENDED:
        return f"{kind}:{wire.full_mask(rest)}" if kind in ("m", "~q", "~quiet") else word
    return wire.full_mask(word)


def refuse(door: IrcDoor, answer: Refused, row: RoomInfo, changes: list[Change]) -> None:
    named = next((change.arg for change in changes if change.name in ("op", "voice")), "")
    about = next((word for word in answer.about if not word.startswith("#")), named)
    if answer.code == "no_such_login":
        channels.missing_member(door, nick_of(about), row.to)
    elif answer.code == "too_many":
        door.reply("ERR_BANLISTFULL", row.to, LETTERS.get(changes[0].name, "b"))
    else:
        refusals.refuse(door, answer, refusals.ROOM, row.to, command="MODE")
