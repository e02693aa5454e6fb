"""The state of the chat: users, rooms, devices. Changed by facts in log order and by nothing else, but for cursors.

What is here is what a restart has again: a snapshot is these structs in MessagePack, and the entries behind it are
replayed through the same appliers. Sessions and audiences hang on users and rooms but are not part of the state.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias, TypeVar

import msgspec
from msgspec import Struct

from tcpchat.core.commands import Change
from tcpchat.core.devices import LOOK, Departed, last_place, numberings, numbers_ms
from tcpchat.core.keytext import canonical
from tcpchat.core.looks import Names
from tcpchat.core.rules import ALL, ALL_NAME, HOOK, OP, VOICE, Limits
from tcpchat.core.sessions import EMPTY, Audience, Device, Record, User
from tcpchat.core.text import fold, skeleton
from tcpchat.core.version import VERSION as PROGRAM

LOOKS = 1  # version of the rules by which names look alike; facts say under which they were checked
OUTSTANDING = 64  # newest messages of one author in one room whose receipts are still being counted
AUTHORS = 256  # authors of one room for whom they are counted
MENTIONS_MAX = 100  # unread mentions remembered for one login


CLOSING = {"invite_only", "key", "secret", "registered_only"}  # switches that keep others from reading along


class Member:
    """Membership of one room."""

    __slots__ = ("role", "since")

    def __init__(self, since: int, role: str = "") -> None:
        self.since, self.role = since, role


class Room:
    """A room: who is in it, its switches, and the newest messages whose receipts are still counted."""

    __slots__ = (
        "audience",
        "created",
        "head",
        "here",
        "invited",
        "lasting",
        "lists",
        "members",
        "modes",
        "name",
        "number",
        "outstanding",
        "prefs",
        "topic",
        "topic_at",
        "topic_by",
        "unread_by",
    )

    def __init__(self, number: int, name: str, created: int) -> None:
        self.number, self.name, self.created = number, name, created
        self.topic = self.topic_by = ""
        self.topic_at = 0
        self.head = 0
        self.lasting = number == ALL  # has anybody been in it who is more than a guest?
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
    spoke: list[int] = []  # when each of ``devices`` said something last


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
    lasting: bool = True  # older snapshots do not know


class Snapshot(Struct):
    """A new field has a default, and stands at the end in the records: snapshots from before are read as they are.
    What cannot be said so is another VERSION, with a step in MIGRATIONS."""

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
    forgot: int = 0
    departed: list[tuple[str, list[Record]]] = []
    program: str = ""  # version of the program that wrote it


class _Stamp(Struct):
    """Whose a snapshot is: this much every version can read of every other."""

    version: int
    program: str = ""


class StateError(ValueError):
    """A snapshot cannot be read; the text says why and what to do."""


VERSION = 1

# version -> what makes of its snapshot (as plain lists and dicts) one of the next version
MIGRATIONS: dict[int, Callable[[dict[str, Any]], None]] = {}


def _read(data: bytes) -> Snapshot:
    """A snapshot of this version or an older one. Raises StateError."""
    try:
        stamp = msgspec.msgpack.decode(data, type=_Stamp)
        if stamp.version > VERSION or (stamp.version < VERSION and stamp.version not in MIGRATIONS):
            raise StateError(_foreign(stamp))
        if stamp.version == VERSION:
            return msgspec.msgpack.decode(data, type=Snapshot)
        found = msgspec.msgpack.decode(data)
        for version in range(stamp.version, VERSION):
            MIGRATIONS[version](found)
        found["version"] = VERSION
        return msgspec.convert(found, Snapshot)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise StateError(
            f"The saved state cannot be read ({error}). Start the version of tcpchat that wrote it, or put a backup in"
            " its place."
        ) from None


def _foreign(stamp: _Stamp) -> str:
    named = stamp.program not in ("", PROGRAM)
    by = f"tcpchat {stamp.program}" if named else "another version of tcpchat"
    newer = stamp.version > VERSION
    return (
        f"The saved state is of version {stamp.version}, written by {by}; this is tcpchat {PROGRAM}, which reads"
        f" versions {min(MIGRATIONS, default=VERSION)} to {VERSION}. "
        + (
            f"Start {by if named else 'the newer tcpchat'} or a later one"
            if newer
            else "Update it by a version in between"
        )
        + ", or put a backup in its place."
    )


class State:
    """All users and rooms."""

    def __init__(self) -> None:
        self.seq = 0
        self.next_user = 1
        self.next_room = ALL + 1
        self.users: dict[int, User] = {}
        self.by_fold: dict[str, User] = {}
        self.looks = Names()  # of users
        self.old_looks: tuple[Names, Names] | None = None  # of users and rooms, while an older version's log is read
        self.rooms: dict[int, Room] = {ALL: Room(ALL, ALL_NAME, 0)}
        self.by_name: dict[str, Room] = {fold(ALL_NAME): self.rooms[ALL]}
        self.room_looks = Names()
        self.room_looks.add(ALL_NAME, ALL)
        self.founded = False  # has the place, or had it ever, an owner?
        self.directs: dict[int, Audience] = {}  # audiences of direct conversations with somebody online
        self.heads: dict[int, int] = {}  # direct conversation -> its last message
        self.amended: dict[int, int] = {}  # direct conversation -> the last change of a message in it
        self.rules: dict[str, dict[str, dict[str, str]]] = {}  # kind (ban, invite, token, ...) -> key -> details
        self.departed = Departed()
        self.forgot = 0  # numbers of messages behind this place are all remembered

    # -- looking up ----------------------------------------------------------------------------------------------

    def find(self, login: str) -> User | None:
        return self.by_fold.get(fold(login))

    def taken(self, login: str, looks: int = LOOKS) -> User | None:
        """Who has this name or one that looks the same: there is no second one but of before they looked the same.

        ``looks``: by which version's rules; an entry is read by those under which it was written.
        """
        names = self.looks if looks else self._older()[0]
        return self.find(login) or self._most([self.users[uid] for uid in names.find(login)])

    def lookalike(self, login: str) -> User | None:
        """Another user whose name looks the same."""
        folded = fold(login)
        return self._most([user for uid in self.looks.find(login) if (user := self.users[uid]).fold != folded])

    @staticmethod
    def _most(users: list[User]) -> User | None:
        """Whom of several a name belongs to more than to the others."""
        return min(users, key=lambda user: (not user.claimed, user.uid)) if users else None

    def room(self, name: str) -> Room | None:
        return self.by_name.get(fold(name if name.startswith("#") else "#" + name))

    def room_taken(self, name: str, looks: int = LOOKS) -> Room | None:
        """Which room has this name or one that looks the same (see ``taken``)."""
        names = self.room_looks if looks else self._older()[1]
        return self.room(name) or next((self.rooms[number] for number in names.find(name)), None)

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

    def add_user(self, login: str, since: int, device: str = "") -> User:
        """Somebody new; who was a guest of this name on this ``device`` goes on with its numbers."""
        user = User(self.next_user, login, since)
        self.next_user += 1
        if device and self.departed.count:
            user.devices.update(self.departed.back(user.fold, device))
            user.numbered = len(user.devices)
        self._index(user)
        self.users[user.uid] = user
        return user

    def _index(self, user: User) -> None:
        self.by_fold[user.fold] = user
        self.looks.add(user.login, user.uid)
        if self.old_looks is not None:
            self.old_looks[0].add(user.login, user.uid)

    def _unindex(self, user: User) -> None:
        if self.by_fold.get(user.fold) is user:
            del self.by_fold[user.fold]
        self.looks.remove(user.login, user.uid)
        if self.old_looks is not None:
            self.old_looks[0].remove(user.login, user.uid)

    def _index_room(self, room: Room) -> None:
        self.by_name[fold(room.name)] = room
        self.room_looks.add(room.name, room.number)
        if self.old_looks is not None:
            self.old_looks[1].add(room.name, room.number)

    def _unindex_room(self, room: Room) -> None:
        del self.by_name[fold(room.name)]
        self.room_looks.remove(room.name, room.number)
        if self.old_looks is not None:
            self.old_looks[1].remove(room.name, room.number)

    def _older(self) -> tuple[Names, Names]:
        """What looked alike in version 0.1.0: made when the first entry of that version is read."""
        if self.old_looks is None:
            self.old_looks = Names(skeleton), Names(skeleton)
            for user in self.users.values():
                self.old_looks[0].add(user.login, user.uid)
            for room in self.rooms.values():
                self.old_looks[1].add(room.name, room.number)
        return self.old_looks

    def rename_user(self, user: User, login: str) -> None:
        self._unindex(user)
        user.login, user.fold = login, fold(login)
        self._index(user)

    def drop_user(self, user: User) -> None:
        self._unindex(user)
        if self.users.pop(user.uid, None) is not None:
            self.drop_tokens("user", user.uid)
        if user.numbered:
            self.departed.add(user.fold, user.devices)
        for number in list(user.rooms):
            self.leave(user, self.rooms[number])
        for number, other in user.directs.items():
            # The other side keeps the conversation: what was said in it may still be waiting there.
            peer = self.users.get(other)
            if peer is not None:
                for table in ("awaiting", "reads", "reads_at", "moments"):
                    peer.own(table).pop(number, None)

    def numbering(self, user: User, name: str, at: int, limits: Limits) -> Device:
        """The numbering of a device that says its first message; now and then those that are too old are forgotten."""
        user.numbered += 1
        most = numberings(user.claimed, limits)
        if user.numbered % LOOK == 0 or user.numbered > most:
            self._forget_numbers(user, at, limits, most)
        device = user.devices.get(name)
        if device is None:
            device = user.devices[name] = Device()
        return device

    def _forget_numbers(self, user: User, at: int, limits: Limits, most: int) -> None:
        before = at - numbers_ms(limits)
        for one in user.devices.values():
            one.at = one.at or at
        spoken = sorted((one.at, name) for name, one in user.devices.items() if one.last)
        over = len(spoken) + 1 - most  # more were proposed at once than there may be
        gone = [name for place, (when, name) in enumerate(spoken) if when < before or place < over]
        self.forgot = max(self.forgot, last_place(user.devices.pop(name) for name in gone))
        user.numbered -= len(gone)

    def add_room(self, name: str, created: int) -> Room:
        room = Room(self.next_room, name, created)
        self.next_room += 1
        self.rooms[room.number] = room
        self._index_room(room)
        return room

    def rename_room(self, room: Room, name: str) -> None:
        self._unindex_room(room)
        room.name = name
        self._index_room(room)

    def end_room(self, room: Room) -> None:
        """The room is no more; its entries stay in the log, where nobody can ask for them."""
        del self.rooms[room.number]
        self._unindex_room(room)
        self.drop_tokens("room", room.number)

    def add_token(self, key: str, room: int, user: int) -> None:
        """From now on whoever knows the secret of this hash posts to this room as this login."""
        self.rules.setdefault("token", {})[key] = {"room": str(room), "user": str(user)}

    def drop_tokens(self, what: str, number: int | str) -> None:
        """End the tokens of a "room" or a "user", or the one with a "hash", and the logins that only they were for."""
        tokens = self.rules.get("token", {})
        gone = {key: details for key, details in tokens.items() if str(number) == ({**details, "hash": key})[what]}
        for key in gone:
            del tokens[key]
        for uid in {int(details["user"]) for details in gone.values()}:
            user = self.users.get(uid)
            if user is not None and HOOK in user.login and not self.tokens_of("user", uid):
                self.drop_user(user)

    def tokens_of(self, what: str, number: int) -> list[str]:
        """The hashes of the tokens of a "room" or a "user"."""
        return [key for key, details in self.rules.get("token", {}).items() if details[what] == str(number)]

    def join(self, user: User, room: Room, since: int, role: str = "") -> None:
        room.members[user.uid] = Member(since, role)
        room.lasting = room.lasting or user.claimed
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
                version=VERSION,
                seq=self.seq,
                next_user=self.next_user,
                next_room=self.next_room,
                users=[_user_record(self.users[uid]) for uid in sorted(self.users)],
                rooms=[_room_record(self.rooms[number]) for number in sorted(self.rooms)],
                rules=[
                    (kind, [(key, sorted(about.items())) for key, about in sorted(table.items())])
                    for kind, table in sorted(self.rules.items())
                    if table
                ],
                heads=sorted(self.heads.items()),
                amended=sorted(self.amended.items()),
                founded=self.founded,
                forgot=self.forgot,
                departed=self.departed.records(),
                program=PROGRAM,
            ),
        )

    @classmethod
    def load(cls, data: bytes) -> State:
        """A state from ``dump``, of this version or an older one. Raises StateError for what cannot be read."""
        record = _read(data)
        state = cls()
        state.seq, state.next_user, state.next_room = record.seq, record.next_user, record.next_room
        state.rules = {kind: {key: dict(about) for key, about in table} for kind, table in record.rules}
        state.heads, state.amended, state.founded = dict(record.heads), dict(record.amended), record.founded
        state.forgot = record.forgot
        state.departed.load(record.departed)
        for row in record.users:
            state._load_user(row)
        state.rooms.clear()
        state.by_name.clear()
        state.room_looks = Names()
        for entry in record.rooms:
            state._load_room(entry)
        for details in state.rules.get("token", {}).values():
            if "name" in details:  # as 0.1.0 kept it: by names
                details.update(state.numbered(details.pop("name"), details["room"]))
        return state

    def numbered(self, login: str, room: str) -> dict[str, str]:
        """The numbers of the login and the room that a token of version 0.1.0 names."""
        user, place = self.find(login), self.room(room)
        return {"room": str(place.number if place else 0), "user": str(user.uid if user else 0)}

    def _load_user(self, row: UserRecord) -> None:
        user = User(row.uid, row.login, row.since)
        user.delivered = row.since
        user.claimed, user.device, user.name, user.role, user.muted = (
            row.claimed,
            row.device,
            row.name,
            row.role,
            row.muted,
        )
        user.keys, user.password, user.prefs = (
            {canonical(key): label for key, label in row.keys} or EMPTY,
            row.password,
            dict(row.prefs) or EMPTY,
        )
        user.rooms, user.directs = dict.fromkeys(row.rooms) or EMPTY, dict(row.directs) or EMPTY
        user.mentions = dict(row.mentions) or EMPTY
        # A snapshot of an older program does not know when they spoke: 0, and they are new when they are looked at.
        for (name, last, places), at in zip(row.devices, row.spoke or [0] * len(row.devices), strict=True):
            user.devices[name] = Device.of((name, last, places, at))
        user.numbered = len(user.devices)
        self.users[user.uid] = user
        self._index(user)

    def _load_room(self, row: RoomRecord) -> None:
        room = Room(row.number, row.name, row.created)
        room.topic, room.topic_by, room.topic_at, room.head = row.topic, row.topic_by, row.topic_at, row.head
        room.members = {uid: Member(since, role) for uid, since, role in row.members}
        room.modes, room.lists, room.prefs = dict(row.modes), dict(row.lists), dict(row.prefs)
        room.invited, room.lasting = set(row.invited), row.lasting
        self.rooms[room.number] = room
        self._index_room(room)


def _user_record(user: User) -> UserRecord:
    # Most logins have hardly any of this, and nothing else happens while tens of thousands of them are written down.
    devices = sorted(one.record(name) for name, one in user.devices.items() if one.last) if user.numbered else NOTHING
    mentions = [(k, v) for k, v in sorted(user.mentions.items()) if v] if user.mentions else NOTHING
    return UserRecord(
        uid=user.uid,
        login=user.login,
        since=user.since,
        claimed=user.claimed,
        device=user.device,
        name=user.name,
        role=user.role,
        muted=user.muted,
        keys=_pairs(user.keys),
        password=user.password,
        prefs=_pairs(user.prefs),
        rooms=sorted(user.rooms) if user.rooms else NOTHING,
        directs=_pairs(user.directs),
        devices=[one[:3] for one in devices],
        mentions=mentions,
        spoke=[one[3] for one in devices],
    )


def _pairs(table: Mapping[K, V]) -> Pairs[K, V]:
    return sorted(table.items()) if table else NOTHING


def _room_record(room: Room) -> RoomRecord:
    return RoomRecord(
        number=room.number,
        name=room.name,
        created=room.created,
        topic=room.topic,
        topic_by=room.topic_by,
        topic_at=room.topic_at,
        head=room.head,
        members=[(uid, member.since, member.role) for uid, member in sorted(room.members.items())],
        modes=sorted(room.modes.items()),
        lists=[(name, rows) for name, rows in sorted(room.lists.items()) if rows],
        invited=sorted(room.invited),
        prefs=sorted(room.prefs.items()),
        lasting=room.lasting,
    )
