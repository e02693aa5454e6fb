"""What others must be told when somebody comes back: the rank that JOIN does not show, a host that is another now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tcpchat.core.model import Change, Presence, RoomEvent
from tcpchat.doors.irc import wire
from tcpchat.doors.irc.network import nick_of

if TYPE_CHECKING:
    from tcpchat.doors.irc.door import IrcDoor


def rank(login: str, room: str, role: str) -> RoomEvent:
    """The modes of a member that was away, as if the server gave them now: clients forgot them at its QUIT."""
    changes = tuple(Change(name, arg=login) for name in role.split(",") if name)
    return RoomEvent(seq=0, at=0, room=room, what="mode", changes=changes)


def dress(door: IrcDoor, user: str, host: str) -> None:
    """Show the user and host of this connection from now on.

    One who is here by several connections keeps the host of the first: masks and bans hold for the login. So it is in
    the chat too, which tells the others.
    """
    face = door.network.face(door.login)
    if not face.doors:
        face.user, face.host = user, host


def show(door: IrcDoor, event: Presence) -> None:
    """Somebody else has another host (https://ircv3.net/specs/extensions/chghost)."""
    user, _, host = event.text.partition("@")
    was = event.was or door.network.default_host(event.login)
    line = wire.join("CHGHOST", [user, host], f"{nick_of(event.login)}!{was}")
    door.put(line, door.author_tags(event.login))
