"""What IRC shows of people and rooms and a restart must not take: METADATA and user modes.

They are preferences of logins and rooms in the log (``Set``), told apart by how their keys begin, and read where they
are kept: what is renamed, deleted or forgotten in the chat is so here.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tcpchat.core.model import Refused, Set
from tcpchat.core.rules import IRC_PREFERENCE
from tcpchat.doors.irc.commands import Asks, Steps

if TYPE_CHECKING:
    from tcpchat.doors.irc.door import IrcDoor
    from tcpchat.doors.irc.network import Network

KEY = re.compile(r"[a-z0-9_./-]{1,64}\Z")  # other doors may have set what cannot stand in a line
MODES = "irc-modes"
LASTING_MODES = frozenset("BRT")  # what clients do not ask for again by themselves, as they do for i and w


def facts(network: Network, target: str) -> dict[str, str]:
    """What is known about a login or a room."""
    kept = network.preferences(target)
    size = len(IRC_PREFERENCE)
    found = {name[size:]: value for name, value in kept.items() if name.startswith(IRC_PREFERENCE)}
    return {key: value for key, value in found.items() if KEY.match(key)} if found else found


def keep(door: IrcDoor, target: str, key: str, value: str) -> Asks[Refused | None]:
    """Keep a fact about a room or somebody in the log; "" unsets it. Returns the refusal, if there is one."""
    room = target if target.startswith("#") else ""
    other = "" if room or target == "*" or door.is_me(target) else target
    answer = yield Set(key=IRC_PREFERENCE + key, value=value, room=room, login=other)
    return answer if isinstance(answer, Refused) else None


def keep_modes(door: IrcDoor) -> Steps:
    """Keep the user modes worth keeping, if they have changed."""
    letters = "".join(sorted(LASTING_MODES.intersection(door.network.face(door.login).modes)))
    if owns(door) and letters != door.network.preferences(door.login).get(MODES, ""):
        yield Set(key=MODES, value=letters)


def wear_modes(door: IrcDoor) -> None:
    """Put on at the welcome what the owner of this login wore."""
    if owns(door):
        door.network.face(door.login).wear(door.network.preferences(door.login).get(MODES, ""))


def owns(door: IrcDoor) -> bool:
    """Is this login an account of its own (not a guest for whom an account vouches)?"""
    return bool(door.account) and door.network.fold(door.account) == door.network.fold(door.login)
