"""Who comes and goes, as IRC lines; and for many clients at once, as the same bytes.

A class that comes in is n times n JOIN lines. What a client is shown of them depends on few things: what it wants, and
in which of the rooms named it is. Clients that are alike in these have one *outlook* and are sent the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING, Any

from tcpchat.core.model import AnyEvent, Message, Presence, RoomEvent, TypingNotice
from tcpchat.doors.irc import chghost, encode, metadata
from tcpchat.doors.irc.network import nick_of

if TYPE_CHECKING:
    from tcpchat.doors.irc.door import IrcDoor
    from tcpchat.doors.irc.network import Network


class News:
    """Somebody who has come: noted once in the directory, whoever of the doors hears of it first."""

    __slots__ = ("event", "key", "rooms")

    def __init__(self, network: Network, event: Presence) -> None:
        self.event, self.key = event, network.fold(event.login)
        self.rooms = [(network.fold(room), room) for room in event.rooms]


def arrival(network: Network, event: Presence) -> News:
    """Note in the directory that somebody is here, once."""
    news = network.news.get(id(event))
    if news is None:
        news = network.news[id(event)] = News(network, event)
        face = network.face(event.login)
        face.account = event.account
        if not face.doors:
            face.login, face.real = event.login, event.name or face.real
            if event.bot:
                face.wear("B")
        network.arrive(event.login)
    return news


# -- one line --------------------------------------------------------------------------------------------------------


def seq_tags(door: IrcDoor, seq: int) -> list[tuple[str, str]]:
    return [("msgid", encode.msgid(seq))] if seq and "message-tags" in door.caps else []


def show_join(door: IrcDoor, login: str, room: str, at: int = 0, seq: int = 0, own: bool = False) -> None:
    """A JOIN, and where it belongs that this one is away."""
    face = door.network.face(login)
    tags = seq_tags(door, seq)
    if "extended-join" in door.caps:
        account = nick_of(face.account) if face.account else "*"
        text = f":{face.mask} JOIN {room} {account} :{face.real or nick_of(face.login)}"
        door.put(text, door.author_tags(login, tags), at)
    else:
        door.relay(login, "JOIN", room, tags=tags, at=at)
    if face.away and "away-notify" in door.caps and not own:
        door.relay(login, "AWAY", face.away, at=at)


def show_arrival(door: IrcDoor, event: Presence) -> None:
    """The JOINs of somebody who is back, in the rooms where this client is too."""
    from tcpchat.doors.irc import events

    for key, room in arrival(door.network, event).rooms:
        if key in door.rooms:
            show_join(door, event.login, room)
            if room in event.ranks:  # clients have forgotten it at the QUIT, and JOIN does not say it
                events.on_mode(door, chghost.rank(event.login, room, event.ranks[room]))


def show_departure(door: IrcDoor, event: Presence) -> None:
    """The QUIT of somebody, for a client that is in one of its rooms."""
    mask = door.network.mask(event.login)
    door.network.leave(event.login)
    if shared(door, event.rooms):
        why = event.text or "Quit"
        text = f":{mask} QUIT :{why if why.startswith('Quit') else 'Quit: ' + why}"
        door.put(text, door.author_tags(event.login))


def show_joined(door: IrcDoor, event: RoomEvent) -> None:
    """Somebody else has entered a room."""
    face = door.network.face(event.login)
    if event.account:
        face.account = event.account
    if event.name and not face.doors:
        face.real = event.name
    if face.online and door.network.fold(event.room) in door.rooms:
        show_join(door, event.login, event.room, event.at, event.seq)


def show_left(door: IrcDoor, event: RoomEvent, own: bool = False) -> None:
    """Somebody has left a room; who is gone already has been shown with a QUIT."""
    if (own or door.network.face(event.login).online) and door.network.fold(event.room) in door.rooms:
        why = [event.text] if event.text else []
        door.relay(event.login, "PART", event.room, *why, tags=seq_tags(door, event.seq), at=event.at)


def shared(door: IrcDoor, rooms: tuple[str, ...]) -> list[str]:
    """The rooms of these that this client is in too."""
    return [door.rooms[key] for room in rooms if (key := door.network.fold(room)) in door.rooms]


# -- what this client is told of it ----------------------------------------------------------------------------------


def on_online(door: IrcDoor, event: Presence) -> None:
    news = arrival(door.network, event)
    if news.key == door.network.fold(door.login):
        return
    if news.key in door.monitored:
        door.reply("RPL_MONONLINE", text=door.network.mask(event.login))
    show_arrival(door, event)


def on_offline(door: IrcDoor, event: Presence) -> None:
    network = door.network
    if door.is_me(event.login):
        network.leave(event.login)
        return
    if network.fold(event.login) in door.monitored:
        door.reply("RPL_MONOFFLINE", text=nick_of(network.face(event.login).login))
    show_departure(door, event)


def on_joined(door: IrcDoor, event: RoomEvent) -> None:
    if door.is_me(event.login):
        entered(door, event.room, event.at)
        return
    show_joined(door, event)
    if door.network.face(event.login).online and door.network.fold(event.room) in door.rooms:
        metadata.came(door, event.login)


def on_left(door: IrcDoor, event: RoomEvent) -> None:
    own = door.is_me(event.login)
    show_left(door, event, own)
    if own:
        door.rooms.pop(door.network.fold(event.room), None)


def entered(door: IrcDoor, room: str, at: int = 0) -> None:
    """This client is in a room now: its own JOIN line, once."""
    key = door.network.fold(room)
    if key not in door.rooms:
        door.rooms[key] = room
        show_join(door, door.login, room, at, own=True)


# -- for many at once ------------------------------------------------------------------------------------------------


class About:
    """Whom and what a number of events told together are about."""

    __slots__ = ("keys", "logins", "members", "movers", "rooms")

    def __init__(self, network: Network, members: Sequence[Any]) -> None:
        self.members = members
        rooms: dict[str, None] = {}
        self.logins: set[str] = set()  # who has come or gone
        self.movers: set[str] = set()  # who has entered or left a room, and who did that
        for _, fan in members:
            event = fan.event
            if type(event) is Presence:
                self.logins.add(event.login)
                rooms.update(dict.fromkeys(event.rooms))
            elif type(event) is RoomEvent:
                self.movers.update((event.login, event.by))
                rooms[event.room] = None
        self.rooms = tuple(network.fold(room) for room in rooms)
        self.keys = {network.fold(login) for login in self.logins}


def outlook(door: IrcDoor, members: Sequence[Any], own: bool) -> Hashable:
    """See Door.outlook. A client that is concerned itself, or watches one of these, is told by itself."""
    about = door.network.about
    if about is None or about.members is not members:
        about = door.network.about = About(door.network, members)
    if door.entering or door.subscribed or door.login in about.movers or (door.login in about.logins and not own):
        return None
    if door.monitored and not about.keys.isdisjoint(door.monitored):
        return None
    rooms = door.rooms
    return door.caps, tuple([room for room in about.rooms if room in rooms])


def view(door: IrcDoor, event: AnyEvent) -> bytes | None:
    """See Door.view."""
    kind = type(event)
    if kind is Message or kind is TypingNotice:
        return door.encode(event)
    show: Callable[[IrcDoor, Any], None] | None = None
    if kind is Presence:
        show = SEEN.get(event.what)  # type: ignore[union-attr]
    elif kind is RoomEvent and not door.network.hides(event.room):  # type: ignore[union-attr]
        show = MOVED.get(event.what)  # type: ignore[union-attr]
    if show is None:
        return None
    (out, door.out), (answer, door.answer) = (door.out, []), (door.answer, None)
    try:
        show(door, event)
        return b"".join(door.out)
    finally:
        door.out, door.answer = out, answer


SEEN: dict[str, Callable[[IrcDoor, Presence], None]] = {"online": show_arrival, "offline": show_departure}
MOVED: dict[str, Callable[[IrcDoor, RoomEvent], None]] = {"joined": show_joined, "left": show_left}
