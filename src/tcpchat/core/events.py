"""Events: what sessions are told. A door encodes them. Part of core.model."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from tcpchat.core.commands import Change


class Event(Struct, frozen=True, tag_field="t", tag=str.lower, omit_defaults=True, gc=False):
    """What a session is told."""


class Challenge(Event, frozen=True):
    """The login (or account) is claimed, or a key was offered: prove it in one of these ways."""

    nonce: str
    methods: tuple[str, ...]  # "key", "password"
    login: str
    server: str = ""  # the server's id, part of what has to be signed; "" = it takes version 1 only


class Welcome(Event, frozen=True):
    """The session is open."""

    login: str
    head: int  # last seq of the log
    after: int  # the feed starts after this seq
    last: int = 0  # last number accepted from this device
    recent: tuple[int, ...] = ()  # seqs of the numbers last-len+1 .. last
    server: str = ""
    version: str = ""
    claimed: bool = False
    role: str = ""
    state: str = ""  # WAIT4CLIENTS or READY2SERV
    account: str = ""
    device: str = ""
    window: int = 64  # messages that may be unanswered at once
    max_text: int = 0  # bytes of UTF-8
    fingerprint: str = ""
    at: int = 0  # the server's clock
    log: str = ""  # id of the log; keep it with the cursor and say it in the next hello
    lost: int = 0  # with Hello.log: the first seq of that log that is not in this one; 0 = it is the same log
    forgot: int = 0  # numbers of messages up to this seq may be forgotten, later ones are remembered


class Forked(Event, frozen=True):
    """The log has another id from here on, because somebody proved that it was set back: keep it instead of the old."""

    log: str  # its id


class Accepted(Event, frozen=True):
    """Answer to Say: durable, in this place. seq 0 = a repeat older than the chat remembers places for."""

    n: int
    seq: int
    at: int = 0
    ref: int | str = 0


class Done(Event, frozen=True):
    """The command with this ref has been carried out."""

    ref: int | str
    seq: int = 0
    data: dict[str, Any] = {}


class Refused(Event, frozen=True):
    """A command failed and changed nothing."""

    code: str  # see core.errors
    text: str
    ref: int | str = 0
    n: int = 0
    after: float = 0.0  # seconds to wait before trying again
    expected: int = 0  # with code gap: the number expected
    fatal: bool = False  # the connection ends after this
    about: tuple[str, ...] = ()  # the names concerned: room, login, ...


class Message(Event, frozen=True):
    """A message, live, replayed, or in a page."""

    seq: int
    at: int
    by: str
    to: str
    text: str
    re: int = 0
    kind: str = "text"
    tags: dict[str, str] | None = None
    account: str = ""
    edited: int = 0
    removed: bool = False
    snippet: str = ""
    rank: str = ""  # said to the operators of the room only (op), or to those with a voice too (voice)
    cuts: tuple[int, ...] = ()  # before which characters its author's client went on on another line
    system: bool = False  # the server's own words (an announcement, news of a room): no login can send this
    bot: bool = False  # a program wrote it on its own: other programs need not answer


class Amended(Event, frozen=True):
    """The message ``target`` has another text now (or none: ``removed``)."""

    seq: int
    at: int
    by: str
    to: str
    target: int
    text: str = ""
    removed: bool = False
    why: str = ""


class Receipt(Event, frozen=True):
    """For authors. In a DM: ``by`` has every message up to ``seq``. In a room: ``have`` of ``of`` members have ``seq``;
    when all have, all before it too. state: delivered, read, failed (a guest left without it)."""

    to: str
    seq: int
    state: str
    by: str = ""
    have: int = 0
    of: int = 0
    at: int = 0


class MarkRead(Event, frozen=True):
    """Another device of yours has read this conversation up to ``seq``."""

    to: str
    seq: int
    at: int = 0  # ms: the moment until which all is read: the one that was marked, or when ``seq`` was said


class Person(Struct, frozen=True, omit_defaults=True, gc=False):
    login: str
    online: bool = True
    account: str = ""  # "" = guest
    name: str = ""
    away: str = ""
    role: str = ""  # owner, moderator, member; in a room: op, voice, ""
    doors: tuple[str, ...] = ()
    since: int = 0  # ms, online since
    seen: int = 0  # ms, last sign of life
    rooms: tuple[str, ...] = ()  # those the asker may know of
    bot: bool = False
    secure: bool = False
    ranks: tuple[str, ...] = ()  # op, voice or "" in each of rooms; only when one login was asked for


class RoomInfo(Struct, frozen=True, omit_defaults=True, gc=False):
    to: str  # "#room" or "@login"
    member: bool = True
    topic: str = ""
    topic_by: str = ""
    topic_at: int = 0
    members: int = 0
    online: int = 0
    role: str = ""  # op, voice, ""
    modes: tuple[Change, ...] = ()
    created: int = 0
    head: int = 0  # seq of the last message
    read: int = 0  # own read cursor
    unread: int = 0
    mentions: int = 0
    delivered: int = 0  # every other member has what is up to here
    seen: int = 0  # every other member has read what is up to here
    read_at: int = 0  # ms: all that was said until then is read


class People(Event, frozen=True):
    """Answer to Who."""

    to: str
    people: tuple[Person, ...]
    ref: int | str = 0
    more: bool = False  # there are more than one answer holds: ask again with ``after``


class RoomList(Event, frozen=True):
    """Answer to Rooms; also sent after Welcome."""

    rooms: tuple[RoomInfo, ...]
    ref: int | str = 0
    more: bool = False  # there are more than one answer holds: ask again with ``after``


class Page(Event, frozen=True):
    """Answer to History (oldest first) and Search (newest first)."""

    to: str
    messages: tuple[Message | Amended | RoomEvent, ...]
    more: bool = False
    ref: int | str = 0
    delivered: int = 0
    seen: int = 0


class RoomEvent(Event, frozen=True, tag="event"):
    """Something happened in a room. what: made, joined, left, kicked, topic, invited, mode, renamed."""

    seq: int
    at: int
    what: str
    room: str
    by: str = ""
    login: str = ""
    account: str = ""
    name: str = ""  # real name of who joined
    text: str = ""  # topic, reason, new name
    changes: tuple[Change, ...] = ()


class Presence(Event, frozen=True):
    """A login came, went, is away, was renamed, has another name, account or host. what: online, offline, away, back,
    renamed, name, account, host."""

    login: str
    what: str
    rooms: tuple[str, ...] = ()  # all rooms the login is in; a door intersects with its own
    text: str = ""  # reason, away text, new login, real name, user@host as IRC shows it
    account: str = ""
    name: str = ""
    bot: bool = False
    ranks: dict[str, str] = {}  # with online: rooms of these where the login is more than a member: op, voice
    was: str = ""  # with host: user@host until now, "" = it had none


class Preference(Event, frozen=True, tag="preferred"):
    """What everybody may read of a login or a room has changed: a preference whose key begins with ``irc/``, METADATA
    on IRC."""

    to: str  # "#room" or "@login"
    key: str  # which preference
    value: str = ""  # "" = it is not set any more
    rooms: tuple[str, ...] = ()  # of a login: all rooms it is in; a door intersects with its own


class Announced(Event, frozen=True):
    """Words of an operator to all who want to hear such. kind: wallops (IRC's WALLOPS). An announcement without a kind
    is a Message."""

    seq: int
    at: int
    by: str
    text: str
    kind: str = ""  # wallops


class TypingNotice(Event, frozen=True, tag="typing"):
    by: str
    to: str
    on: bool = True
    account: str = ""


class Delivery(Struct, frozen=True, omit_defaults=True, gc=False):
    login: str
    state: str  # accepted (waiting), delivered, read
    at: int = 0
    online: bool = False
    seen: int = 0


class ReceiptList(Event, frozen=True):
    """Answer to Receipts."""

    seq: int
    state: str  # of the whole: accepted, delivered, read
    people: tuple[Delivery, ...]
    ref: int | str = 0


class State(Event, frozen=True):
    """WAIT4CLIENTS or READY2SERV; pushed when it changes and the answer to Status."""

    state: str
    online: int = 0
    head: int = 0
    server: str = ""
    version: str = ""
    secure: bool = False
    uptime: int = 0  # seconds
    ref: int | str = 0


class Pinged(Event, frozen=True, tag="ping"):
    token: str = ""


class Ponged(Event, frozen=True, tag="pong"):
    token: str = ""


class Goodbye(Event, frozen=True, tag="bye"):
    why: str = ""
    code: str = ""


AnyEvent = (
    Challenge | Welcome | Forked | Accepted | Done | Refused | Message | Amended | Receipt | MarkRead | People
    | RoomList | Page | RoomEvent | Presence | Preference | Announced | TypingNotice | ReceiptList | State | Pinged
    | Ponged | Goodbye
)  # fmt: skip
