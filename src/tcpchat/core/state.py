"""The state of the chat: users, rooms, devices. Changed by facts in log order and by nothing else, but for cursors.

What is here is what a restart has again: a snapshot is these structs in MessagePack, and the entries behind it are
replayed through the same appliers. Sessions and audiences hang on users and rooms but are not part of the state.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, TypeAlias, TypeVar

import msgspec
from msgspec import Struct

from tcpchat.core.feed import Audience, Session
from tcpchat.core.model import Change
from tcpchat.core.rules import ALL, ALL_NAME, MEMBER, OP, OWNER, VOICE, WINDOW, Bucket
from tcpchat.core.text import fold, skeleton

OUTSTANDING = 64  # newest messages of one author in one room whose receipts are still being counted
AUTHORS = 256  # authors of one room for whom they are counted
AWAITING = 32  # places of unconfirmed messages of one direct conversation; more are thinned out, the last one stays
DEVICES = 200  # devices of one login whose numbering is remembered
MENTIONS_MAX = 100  # unread mentions remembered for one login


CLOSING = {"invite_only", "key", "secret", "registered_only"}  # switches that keep others from reading along


class Device:
    """One device's numbering: the last number, and the places of the last 64."""

    __slots__ = ("cursor", "last", "proposed", "ring", "session")

    def __init__(self, last: int = 0) -> None:
        self.last = self.proposed = last
        self.cursor = 0  # what this device has confirmed
        self.ring: array[int] | None = None
        self.session: Session | None = None

    @property
    def unanswered(self) -> bool:
        """Is a number on its way to the log?"""
        return self.proposed > self.last

    def note(self, n: int, seq: int) -> None:
        ring = self.ring
        if ring is None:
            ring = self.ring = array("Q", bytes(8 * WINDOW))
        ring[n % WINDOW] = seq
        self.last = n  # numbers come one by one: what a failed batch left behind is never appended
        if self.proposed < n:
            self.proposed = n

    def place(self, n: int) -> int:
        """The seq that number ``n`` got; 0 when it is older than what is remembered."""
        return self.ring[n % WINDOW] if self.ring is not None and self.last - WINDOW < n <= self.last else 0

    def recent(self) -> tuple[int, ...]:
        return tuple(self.place(n) for n in range(max(1, self.last - WINDOW + 1), self.last + 1))


EMPTY: Mapping[Any, Any] = MappingProxyType({})  # what most logins have in most of their tables


class User:
    """Somebody the chat knows: a guest, or the owner of a claimed login.

    Most tables of most logins are empty, and there are tens of thousands of them: an empty one is EMPTY, and who wants
    to write asks for the ``own`` one.
    """

    __slots__ = (
        "awaiting", "byte_tokens", "claimed", "commands", "delivered", "delivered_at", "device", "devices",
        "directs", "fold", "host", "keys", "leaving", "login", "mentions", "muted", "name", "offline_since",
        "online_since", "password", "prefs", "reads", "reads_at", "role", "rooms", "seen", "sessions",
        "since", "tokens", "tokens_at", "uid",
    )  # fmt: skip

    def __init__(self, uid: int, login: str, since: int) -> None:
        self.uid, self.login, self.fold = uid, login, fold(login)
        self.since = since  # seq of the entry that made it: nothing before it is shown in #all's feed
        self.claimed = False
        self.device = ""  # of a guest: the device that is this guest
        self.name = ""
        self.role = ""
        self.muted = 0  # ms until when, -1 = for good
        self.keys: Mapping[str, str] = EMPTY  # public key -> label
        self.password = ""
        self.prefs: Mapping[str, str] = EMPTY
        self.rooms: Mapping[int, None] = EMPTY  # besides #all
        self.directs: Mapping[int, int] = EMPTY  # direct conversation -> the other user
        self.devices: dict[str, Device] = {}
        self.mentions: Mapping[int, list[int]] = EMPTY
        # cursors: merged by max, kept outside the log
        self.delivered = 0
        self.delivered_at = 0
        self.reads: Mapping[int, int] = EMPTY
        self.reads_at: Mapping[int, int] = EMPTY
        # of this run only
        self.sessions: list[Session] = []
        self.awaiting: Mapping[int, list[int]] = EMPTY  # direct conversation -> seqs in it not confirmed by this user
        self.online_since = 0
        self.seen = 0
        self.offline_since = 0.0
        self.leaving = False  # of a guest: its end is on its way to the log
        self.host = ""  # IRC: user@host, as masks see it
        self.tokens = -1.0
        self.byte_tokens = -1.0
        self.tokens_at = 0.0
        self.commands: Bucket | None = None  # once one was counted

    def own(self, table: str) -> dict[Any, Any]:
        """One of its tables, to be written."""
        found = getattr(self, table)
        if found is EMPTY:
            found = {}
            setattr(self, table, found)
        return found  # type: ignore[no-any-return]

    def await_receipt(self, number: int, seq: int) -> None:
        """Remember that somebody waits for this user to have ``seq``."""
        seqs = self.awaiting.get(number)
        if seqs is None:
            self.own("awaiting")[number] = [seq]
            return
        seqs.append(seq)
        if len(seqs) > AWAITING:
            del seqs[-2::-2]  # receipts are cumulative: the ones between are told with the next

    def numbering(self, name: str) -> Device:
        """The numbering of a device that says its first message; the one that was silent longest is forgotten."""
        speaking = [(one.place(one.last), key) for key, one in self.devices.items() if one.last]
        if len(speaking) >= DEVICES:
            del self.devices[min(speaking)[1]]
        device = self.devices[name] = Device()
        return device

    @property
    def online(self) -> bool:
        return any(not session.quiet for session in self.sessions)

    @property
    def account(self) -> str:
        """The account that speaks: the login itself, or the one that vouches for a guest (IRC)."""
        if self.claimed:
            return self.login
        return next((session.account.login for session in self.sessions if session.account is not None), "")


class Member:
    """Membership of one room."""

    __slots__ = ("role", "since")

    def __init__(self, since: int, role: str = "") -> None:
        self.since, self.role = since, role


class Room:
    """A room: who is in it, its switches, and the newest messages whose receipts are still counted."""

    __slots__ = (
        "audience", "created", "head", "here", "invited", "lists", "members", "modes", "name", "number", "outstanding",
        "prefs", "topic", "topic_at", "topic_by", "unread_by",
    )  # fmt: skip

    def __init__(self, number: int, name: str, created: int) -> None:
        self.number, self.name, self.created = number, name, created
        self.topic = self.topic_by = ""
        self.topic_at = 0
        self.head = 0
        self.members: dict[int, Member] = {}
        self.here = 0  # members who are online; of this run only
        self.modes: dict[str, str] = {}
        self.lists: dict[str, list[Change]] = {}
        self.invited: set[int] = set()
        self.prefs: dict[str, str] = {}
        self.audience = Audience()
        self.outstanding: dict[int, deque[list[int]]] = {}  # author -> [seq, how many were told to have it]
        self.unread_by: dict[int, deque[list[int]]] = {}  # the same for read

    def await_receipts(self, author: int, seq: int) -> None:
        """Count from now on who of the members has this message, for its author."""
        for waiting in (self.outstanding, self.unread_by):
            seqs = waiting.get(author)
            if seqs is None:
                if len(waiting) >= AUTHORS:
                    del waiting[next(iter(waiting))]
                seqs = waiting[author] = deque(maxlen=OUTSTANDING)
            seqs.append([seq, 0])

    def role(self, uid: int) -> str:
        member = self.members.get(uid)
        return member.role if member else ""

    def is_op(self, uid: int) -> bool:
        return OP in self.role(uid).split(",")

    def has_voice(self, uid: int) -> bool:
        roles = self.role(uid).split(",")
        return OP in roles or VOICE in roles

    def changes(self) -> tuple[Change, ...]:
        """Its switches that are on, without the lists."""
        return tuple(Change(name, True, arg) for name, arg in sorted(self.modes.items()))


# -- what a snapshot holds: pairs in order instead of dicts, so that the same state has the same bytes -----------------

K = TypeVar("K")
V = TypeVar("V")
Pairs: TypeAlias = list[tuple[K, V]]
NOTHING: list[Any] = []  # never added to


class UserRecord(Struct, array_like=True, gc=False):
    uid: int
    login: str
    since: int
    claimed: bool
    device: str
    name: str
    role: str
    muted: int
    keys: Pairs[str, str]
    password: str
    prefs: Pairs[str, str]
    rooms: list[int]
    directs: Pairs[int, int]
    devices: list[tuple[str, int, tuple[int, ...]]]
    mentions: Pairs[int, list[int]]


class RoomRecord(Struct, array_like=True, gc=False):
    number: int
    name: str
    created: int
    topic: str
    topic_by: str
    topic_at: int
    head: int
    members: list[tuple[int, int, str]]
    modes: Pairs[str, str]
    lists: Pairs[str, list[Change]]
    invited: list[int]
    prefs: Pairs[str, str]


class Snapshot(Struct):
    version: int
    seq: int
    next_user: int
    next_room: int
    users: list[UserRecord]
    rooms: list[RoomRecord]
    rules: Pairs[str, Pairs[str, Pairs[str, str]]]
    heads: Pairs[int, int]
    amended: Pairs[int, int]
    founded: bool


VERSION = 1


class State:
    """All users and rooms."""

    def __init__(self) -> None:
        self.seq = 0
        self.next_user = 1
        self.next_room = ALL + 1
        self.users: dict[int, User] = {}
        self.by_fold: dict[str, User] = {}
        self.by_skeleton: dict[str, User] = {}
        self.rooms: dict[int, Room] = {ALL: Room(ALL, ALL_NAME, 0)}
        self.by_name: dict[str, Room] = {fold(ALL_NAME): self.rooms[ALL]}
        self.by_look: dict[str, Room] = {skeleton(ALL_NAME): self.rooms[ALL]}
        self.founded = False  # has the first login been claimed, that owns the place?
        self.directs: dict[int, Audience] = {}  # audiences of direct conversations with somebody online
        self.heads: dict[int, int] = {}  # direct conversation -> its last message
        self.amended: dict[int, int] = {}  # direct conversation -> the last change of a message in it
        self.rules: dict[str, dict[str, dict[str, str]]] = {}  # kind (ban, invite, token, ...) -> key -> details

    # -- looking up ----------------------------------------------------------------------------------------------

    def find(self, login: str) -> User | None:
        return self.by_fold.get(fold(login))

    def taken(self, login: str) -> User | None:
        """Who has this name or one that looks the same: there is never a second one."""
        return self.by_skeleton.get(skeleton(login))

    def lookalike(self, login: str) -> User | None:
        """Another user whose name looks the same."""
        other = self.by_skeleton.get(skeleton(login))
        return other if other is not None and other.fold != fold(login) else None

    def room(self, name: str) -> Room | None:
        return self.by_name.get(fold(name if name.startswith("#") else "#" + name))

    def room_taken(self, name: str) -> Room | None:
        """Which room has this name or one that looks the same."""
        return self.by_look.get(skeleton(name))

    def is_member(self, user: User, room: Room) -> bool:
        return room.number == ALL or user.uid in room.members

    def members(self, room: Room) -> Iterator[User]:
        """Who is in a room; in #all everybody the chat knows."""
        if room.number == ALL:
            yield from self.users.values()
        else:
            for uid in room.members:
                yield self.users[uid]

    def rooms_of(self, user: User) -> Iterator[Room]:
        yield self.rooms[ALL]
        for number in user.rooms:
            yield self.rooms[number]

    # -- changing (only from appliers) ---------------------------------------------------------------------------

    def add_user(self, login: str, since: int) -> User:
        user = User(self.next_user, login, since)
        self.next_user += 1
        self._index(user)
        self.users[user.uid] = user
        return user

    def _index(self, user: User) -> None:
        self.by_fold[user.fold] = user
        self.by_skeleton[skeleton(user.login)] = user

    def _unindex(self, user: User) -> None:
        if self.by_fold.get(user.fold) is user:
            del self.by_fold[user.fold]
        look = skeleton(user.login)
        if self.by_skeleton.get(look) is user:
            del self.by_skeleton[look]

    def rename_user(self, user: User, login: str) -> None:
        self._unindex(user)
        user.login, user.fold = login, fold(login)
        self._index(user)

    def drop_user(self, user: User) -> None:
        self._unindex(user)
        self.users.pop(user.uid, None)
        for number in list(user.rooms):
            self.leave(user, self.rooms[number])
        for number, other in user.directs.items():
            # The other side keeps the conversation: what was said in it may still be waiting there.
            peer = self.users.get(other)
            if peer is not None:
                for table in ("awaiting", "reads", "reads_at"):
                    peer.own(table).pop(number, None)

    def add_room(self, name: str, created: int) -> Room:
        room = Room(self.next_room, name, created)
        self.next_room += 1
        self.rooms[room.number] = room
        self.by_name[fold(name)] = self.by_look[skeleton(name)] = room
        return room

    def rename_room(self, room: Room, name: str) -> None:
        del self.by_name[fold(room.name)], self.by_look[skeleton(room.name)]
        for details in self.rules.get("token", {}).values():
            if details["room"] == room.name:
                details["room"] = name
        room.name = name
        self.by_name[fold(name)] = self.by_look[skeleton(name)] = room

    def end_room(self, room: Room) -> None:
        """The room is no more; its entries stay in the log, where nobody can ask for them."""
        del self.rooms[room.number], self.by_name[fold(room.name)], self.by_look[skeleton(room.name)]
        tokens = self.rules.get("token", {})
        for key in [key for key, details in tokens.items() if details["room"] == room.name]:
            del tokens[key]

    def join(self, user: User, room: Room, since: int, role: str = "") -> None:
        room.members[user.uid] = Member(since, role)
        room.invited.discard(user.uid)
        user.own("rooms")[room.number] = None
        room.here += user.online

    def leave(self, user: User, room: Room) -> None:
        if room.members.pop(user.uid, None) is not None:
            room.here -= user.online
        user.own("rooms").pop(room.number, None)
        user.own("mentions").pop(room.number, None)
        for session in user.sessions:
            room.audience.remove(session)
        # Who comes first to a closed room that all have left must not read what was said in it.
        if not room.members and (not room.head or CLOSING & room.modes.keys()):
            self.end_room(room)

    # -- snapshot ------------------------------------------------------------------------------------------------

    def dump(self) -> bytes:
        """The whole state, the same bytes for the same state."""
        return msgspec.msgpack.encode(
            Snapshot(
                VERSION, self.seq, self.next_user, self.next_room,
                [_user_record(self.users[uid]) for uid in sorted(self.users)],
                [_room_record(self.rooms[number]) for number in sorted(self.rooms)],
                [(kind, [(key, sorted(about.items())) for key, about in sorted(table.items())])
                 for kind, table in sorted(self.rules.items()) if table],
                sorted(self.heads.items()), sorted(self.amended.items()), self.founded,
            ),
        )  # fmt: skip

    @classmethod
    def load(cls, data: bytes) -> State:
        """A state from ``dump``. Raises ValueError when it is of another version."""
        record = msgspec.msgpack.decode(data, type=Snapshot)
        if record.version != VERSION:
            raise ValueError(f"state of version {record.version}, this program reads {VERSION}")
        state = cls()
        state.seq, state.next_user, state.next_room = record.seq, record.next_user, record.next_room
        state.rules = {kind: {key: dict(about) for key, about in table} for kind, table in record.rules}
        state.heads, state.amended, state.founded = dict(record.heads), dict(record.amended), record.founded
        for row in record.users:
            state._load_user(row)
        state.rooms.clear()
        state.by_name.clear()
        state.by_look.clear()
        for entry in record.rooms:
            state._load_room(entry)
        return state

    def _load_user(self, row: UserRecord) -> None:
        user = User(row.uid, row.login, row.since)
        user.delivered = row.since
        user.claimed, user.device, user.name, user.role, user.muted = (
            row.claimed, row.device, row.name, row.role, row.muted,
        )  # fmt: skip
        user.keys, user.password, user.prefs = dict(row.keys) or EMPTY, row.password, dict(row.prefs) or EMPTY
        user.rooms, user.directs = dict.fromkeys(row.rooms) or EMPTY, dict(row.directs) or EMPTY
        user.mentions = dict(row.mentions) or EMPTY
        for name, last, places in row.devices:
            device = user.devices[name] = Device(last)
            for n, seq in enumerate(places, last - len(places) + 1):
                device.note(n, seq)
        self.users[user.uid] = user
        self._index(user)

    def _load_room(self, row: RoomRecord) -> None:
        room = Room(row.number, row.name, row.created)
        room.topic, room.topic_by, room.topic_at, room.head = row.topic, row.topic_by, row.topic_at, row.head
        room.members = {uid: Member(since, role) for uid, since, role in row.members}
        room.modes, room.lists, room.prefs = dict(row.modes), dict(row.lists), dict(row.prefs)
        room.invited = set(row.invited)
        self.rooms[room.number] = room
        self.by_name[fold(room.name)] = self.by_look[skeleton(room.name)] = room


def _user_record(user: User) -> UserRecord:
    # Most logins have hardly any of this, and nothing else happens while tens of thousands of them are written down.
    devices = [(name, d.last, d.recent()) for name, d in user.devices.items() if d.last] if user.devices else NOTHING
    mentions = [(k, v) for k, v in sorted(user.mentions.items()) if v] if user.mentions else NOTHING
    return UserRecord(
        user.uid, user.login, user.since, user.claimed, user.device, user.name, user.role, user.muted,
        _pairs(user.keys), user.password, _pairs(user.prefs), sorted(user.rooms) if user.rooms else NOTHING,
        _pairs(user.directs), sorted(devices) if devices else NOTHING, mentions,
    )  # fmt: skip


def _pairs(table: Mapping[K, V]) -> Pairs[K, V]:
    return sorted(table.items()) if table else NOTHING


def _room_record(room: Room) -> RoomRecord:
    return RoomRecord(
        room.number, room.name, room.created, room.topic, room.topic_by, room.topic_at, room.head,
        [(uid, member.since, member.role) for uid, member in sorted(room.members.items())],
        sorted(room.modes.items()), [(name, rows) for name, rows in sorted(room.lists.items()) if rows],
        sorted(room.invited), sorted(room.prefs.items()),
    )  # fmt: skip


def default_role(state: State) -> str:
    """The role of somebody who claims a login: the first one ever owns the place."""
    return MEMBER if state.founded else OWNER
