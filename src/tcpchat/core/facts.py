"""Facts and entries: what the log holds. Users and rooms are numbers, so that renaming keeps history.

Part of core.model.
"""

from __future__ import annotations

from msgspec import Struct

from tcpchat.core.commands import Change, Command
from tcpchat.core.sessions import Session


class Fact(Struct, frozen=True, tag_field="f", tag=str.lower, omit_defaults=True, gc=False):
    """Something that happened. ``room`` is the room's number, 0 when it concerns no room."""


class Arrived(Fact, frozen=True):
    """A guest whom the chat does not know yet; gets the next user number."""

    login: str
    device: str
    name: str = ""
    room: int = 0
    looks: int = 0  # see state.LOOKS


class Gone(Fact, frozen=True):
    """A guest that did not come back in time: leaves its rooms and is forgotten."""

    user: int
    room: int = 0


class Claimed(Fact, frozen=True):
    """A login has an owner from here on. Without ``user`` it is made new (from the command line, or IRC REGISTER)."""

    login: str
    user: int = 0
    key: str = ""
    password: str = ""  # argon2 encoded hash
    label: str = ""
    device: str = ""
    name: str = ""
    room: int = 0
    role: str = ""  # owner or member; "" = as in version 0.1.0, where the first one ever became the owner
    looks: int = 0  # see state.LOOKS


class KeyAdded(Fact, frozen=True):
    user: int
    key: str
    label: str = ""
    room: int = 0
    by: str = ""  # what its adder came in by: void if that does not open the login any more, "" = not looked at


class KeyRevoked(Fact, frozen=True):
    user: int
    key: str
    room: int = 0


class PasswordSet(Fact, frozen=True):
    user: int
    password: str  # argon2 encoded hash, "" = none any more
    by: int = 0
    room: int = 0
    same: bool = False  # the same password, kept in another way: nobody is locked out
    was: str = ""  # which password it replaces: void if that is another one by then, "" = whatever it is


class Renamed(Fact, frozen=True):
    user: int
    login: str
    room: int = 0
    looks: int = 0  # see state.LOOKS


class Deleted(Fact, frozen=True):
    """A login is gone: keys, membership, and with ``erase`` the text of its messages."""

    user: int
    by: int
    erase: bool = False
    room: int = 0


class Ruled(Fact, frozen=True):
    """An operator's act on the whole chat: role, ban, unban, mute, unmute, kick, announce, invite codes, ..."""

    by: int
    do: str
    user: int = 0
    args: dict[str, str] = {}
    why: str = ""
    room: int = 0


class Preferred(Fact, frozen=True):
    """A lasting preference of a user, or of a room when ``room`` is not 0."""

    user: int
    key: str
    value: str
    room: int = 0


class RoomMade(Fact, frozen=True):
    """Gets the next room number; its maker becomes member and operator."""

    name: str
    by: int
    invite_only: bool = False
    room: int = 0
    looks: int = 0  # see state.LOOKS


class Joined(Fact, frozen=True):
    room: int
    user: int


class Left(Fact, frozen=True):
    room: int
    user: int
    why: str = ""
    by: int = 0  # who kicked


class TopicSet(Fact, frozen=True):
    room: int
    by: int
    text: str


class Invited(Fact, frozen=True):
    room: int
    by: int
    user: int


class Moded(Fact, frozen=True):
    """Switches of a room were turned; args of op and voice are user numbers in decimal."""

    room: int
    by: int
    changes: tuple[Change, ...]


class RoomRenamed(Fact, frozen=True):
    room: int
    by: int
    name: str
    why: str = ""
    looks: int = 0  # see state.LOOKS


class Noted(Fact, frozen=True):
    """The server tells a room what was done to it, in words; it stands in the room's history."""

    room: int
    by: int
    text: str


class RoomEnded(Fact, frozen=True):
    """A room is no more, and who was in it is out of it. ``vacant``: only if nobody is in it when this is applied."""

    room: int
    by: int = 0
    why: str = ""
    vacant: bool = False


class Said(Fact, frozen=True):
    """A message. In a direct conversation ``room`` is core.rules.dm_room(user, peer), a negative number."""

    room: int
    user: int
    by: str  # the author's login as it was
    text: str
    to: str  # "#room" or "@login" as it was
    device: str = ""
    n: int = 0
    peer: int = 0
    re: int = 0
    kind: str = "text"
    tags: dict[str, str] | None = None
    account: str = ""
    rank: str = ""
    cuts: tuple[int, ...] = ()
    bot: bool = False


class Edited(Fact, frozen=True):
    room: int
    user: int
    seq: int
    text: str
    rank: str = ""  # of the message


class Removed(Fact, frozen=True):
    room: int
    user: int
    seq: int
    why: str = ""
    rank: str = ""  # of the message


AnyFact = (
    Arrived | Gone | Claimed | KeyAdded | KeyRevoked | PasswordSet | Renamed | Deleted | Ruled | Preferred | RoomMade
    | Joined | Left | TopicSet | Invited | Moded | RoomRenamed | RoomEnded | Noted | Said | Edited | Removed
)  # fmt: skip


class Origin(Struct, frozen=True):
    """Who on this node waits for an entry to be applied. Never stored."""

    session: Session
    ref: int | str = 0
    command: Command | None = None
    was: Said | None = None  # the message as it was before it is edited or removed


class Entry(Struct):
    """A fact with its place in the log and the time it was accepted."""

    seq: int
    at: int
    fact: AnyFact
    origin: Origin | None = None


class Row(Struct):
    """A message as the log reads it back: with its edits, or erased."""

    seq: int
    at: int
    fact: AnyFact
    edited: int = 0  # ms of the last edit
    removed: bool = False
    snippet: str = ""  # search: the words' surroundings, hits between \x02 and \x03
