"""Refusals: the chat's error codes as numerics and standard replies, one table per kind of command."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tcpchat.core.model import Refused

if TYPE_CHECKING:
    from tcpchat.doors.irc.commands import Spec
    from tcpchat.doors.irc.door import IrcDoor
    from tcpchat.doors.irc.wire import Line

JOIN = {
    "banned": "ERR_BANNEDFROMCHAN", "invite_only": "ERR_INVITEONLYCHAN", "wrong_key": "ERR_BADCHANNELKEY",
    "room_full": "ERR_CHANNELISFULL", "too_many": "ERR_TOOMANYCHANNELS", "bad_name": "ERR_NOSUCHCHANNEL",
    "no_such_room": "ERR_NOSUCHCHANNEL", "guest": "ERR_NEEDREGGEDNICK", "not_allowed": "ERR_INVITEONLYCHAN",
}  # fmt: skip
ROOM = {
    "no_such_room": "ERR_NOSUCHCHANNEL", "bad_name": "ERR_NOSUCHCHANNEL", "not_member": "ERR_NOTONCHANNEL",
    "not_allowed": "ERR_CHANOPRIVSNEEDED", "guest": "ERR_NEEDREGGEDNICK",
}  # fmt: skip
SAY_ROOM = {"no_such_room": "ERR_NOSUCHCHANNEL", "bad_name": "ERR_NOSUCHCHANNEL"}
SAY_LOGIN = {"no_such_login": "ERR_NOSUCHNICK", "bad_name": "ERR_NOSUCHNICK", "guest": "ERR_NEEDREGGEDNICK"}
NICK = {"in_use": "ERR_NICKNAMEINUSE", "exists": "ERR_NICKNAMEINUSE", "claimed": "ERR_NICKNAMEINUSE",
        "bad_name": "ERR_ERRONEUSNICKNAME", "banned": "ERR_YOUREBANNEDCREEP"}  # fmt: skip


def refuse(door: IrcDoor, event: Refused, table: dict[str, str], *context: str, command: str = "") -> None:
    """Answer with the numeric that this table has for the code; else say it in words, never nothing."""
    name = table.get(event.code)
    if name is not None:
        door.reply(name, *context)
    elif event.code == "too_fast":
        wait = f" Wait {event.after:.0f} s." if event.after else ""
        door.fail(command or "*", "RATE_LIMITED", *context, text=event.text + wait)
    else:
        door.reply("ERR_UNKNOWNERROR", command or "*", *context, text=event.text)


def refuse_say(door: IrcDoor, event: Refused, target: str, command: str) -> None:
    """A message was not taken. Room: 404 for whatever forbids it (modern, "ERR_CANNOTSENDTOCHAN")."""
    if event.code == "empty":
        door.reply("ERR_NOTEXTTOSEND")
    elif event.code in ("too_long", "too_large"):
        door.reply("ERR_INPUTTOOLONG")
    elif target.lstrip("@+").startswith("#"):
        table = dict.fromkeys(("not_member", "banned", "muted", "not_allowed", "invite_only"), "ERR_CANNOTSENDTOCHAN")
        refuse(door, event, {**table, **SAY_ROOM}, target, command=command)
    else:
        table = dict.fromkeys(("banned", "muted", "not_allowed"), "ERR_CANNOTSENDTOUSER")
        refuse(door, event, {**table, **SAY_LOGIN}, target, command=command)


def missing(door: IrcDoor, spec: Spec) -> None:
    """Too few parameters."""
    if spec.missing in ("ERR_NONICKNAMEGIVEN", "ERR_NOTEXTTOSEND", "ERR_NOORIGIN"):
        door.reply(spec.missing)
    elif spec.missing == "FAIL":
        door.fail(spec.name, "NEED_MORE_PARAMS", text="Missing parameters")
    elif spec.missing == "INVALID_PARAMS":
        door.fail(spec.name, "INVALID_PARAMS", text="Missing parameters")
    elif spec.missing:
        door.reply(spec.missing, text=f"No recipient given ({spec.name})")
    else:
        door.reply("ERR_NEEDMOREPARAMS", spec.name)


def bad_text(door: IrcDoor, line: Line) -> None:
    """The line was not UTF-8 (https://ircv3.net/specs/extensions/utf8-only)."""
    from tcpchat.doors.irc.labels import Answer

    label = (line.tags or {}).get("label", "") if "labeled-response" in door.caps else ""
    answer = door.answer = Answer(label) if label else None
    command = line.command if line.command.isascii() and line.command.isalnum() else "*"
    door.fail(command, "INVALID_UTF8", text="Message rejected: it is not valid UTF-8")
    door.answer = None
    if answer is not None:
        answer.flush(door)
