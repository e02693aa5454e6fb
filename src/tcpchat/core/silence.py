"""Muted means muted: whoever an operator has silenced says nothing by other words either.

Goodbyes and reasons lose their text, names and topics stay as they are, a passing notice does not pass. What is said
in messages is refused where messages are (core.messages), for the sake of their numbers.
"""

from __future__ import annotations

from msgspec.structs import replace

from tcpchat.core import model as m
from tcpchat.core.messages import silenced
from tcpchat.core.rules import IRC_PREFERENCE
from tcpchat.core.sessions import User
from tcpchat.core.world import World

AWAY = "away"  # all that a muted login may say of why it is away
WORDED = frozenset({"ban", "except", "invex", "key"})  # switches of a room that hold words of one's own


def hush(chat: World, user: User, command: m.Command, now: float) -> m.Command | None:
    """What of the command of a muted login may be carried out: all, without its words, or nothing (None)."""
    if not silenced(chat, user, now):
        return command
    match command:
        case m.Leave() | m.Bye() | m.Remove() | m.Kick() if command.why:
            return replace(command, why="")
        case m.Away() if command.why:
            return replace(command, why=AWAY)
        case m.Rename() | m.Topic() | m.Edit() | m.Typing():
            return None
        case m.Set() if command.key == "name" or command.room or command.key.startswith(IRC_PREFERENCE):
            return None if command.value else command
        case m.Mode() if any(change.on and change.name in WORDED for change in command.changes):
            return None
        case m.Join() if chat.state.room(command.room) is None:
            return None  # a new room has a name
        case m.Admin() if command.do == "announce":
            return None
        case m.Admin() if "why" in command.args:
            return replace(command, args={key: value for key, value in command.args.items() if key != "why"})
    return command
