"""What others must be told when somebody comes back: the rank that JOIN does not show, a host that is another now."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from tcpchat.core.model import Change, RoomEvent
from tcpchat.doors.irc import wire

if TYPE_CHECKING:
    from tcpchat.doors.irc.door import IrcDoor


def rank(login: str, room: str, role: str) -> RoomEvent:
    """The modes of a member that was away, as if the server gave them now: clients forgot them at its QUIT."""
    changes = tuple(Change(name, arg=login) for name in role.split(",") if name)
    return RoomEvent(seq=0, at=0, room=room, what="mode", changes=changes)


def dress(door: IrcDoor, user: str, host: str) -> str:
    """Show the user and host of this connection from now on; returns the mask that others have seen until now, ""
    when none did or nothing changes.

    One who is here by several connections keeps the host of the first: masks and bans hold for the login.
    """
    face = door.network.face(door.login)
    if face.doors:
        return ""
    seen = face.mask if face.online and (face.user, face.host) != (user, host) else ""
    face.user, face.host = user, host
    return seen


def changed_host(door: IrcDoor, seen: str, rooms: Iterable[str]) -> None:
    """Tell who shares a room, or watches (https://ircv3.net/specs/extensions/chghost)."""
    network = door.network
    face = network.face(door.login)
    shared = {network.fold(room) for room in rooms}
    line = wire.join("CHGHOST", [face.user, face.host], seen)
    for other_face in list(network.people.values()):
        for other in other_face.doors:
            if other is not door and "chghost" in other.caps and _sees(other, door.login, shared):
                other.write(line, other.author_tags(door.login))
                other.wake()


def _sees(other: IrcDoor, login: str, rooms: set[str]) -> bool:
    watches = bool({"extended-monitor", "draft/extended-monitor"} & other.caps)
    return bool(rooms & other.rooms.keys()) or (watches and other.network.fold(login) in other.monitored)
