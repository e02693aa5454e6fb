"""Every noun of the chat: commands in, facts and entries (what the log holds), events out, effects.

Commands and events are msgspec structs tagged by ``t``, so the native door (JSON lines) needs no second set of
types: what is written here is the wire. Doors of other protocols translate from and to the same structs.

Conventions: ``at`` is milliseconds since the Unix epoch, UTC. ``seq`` is a place in the log, from 1; 0 is "none".
A conversation is written ``#room`` or ``@login``. ``ref`` is the asker's own mark, given back in the answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

if TYPE_CHECKING:
    from tcpchat.core.feed import Audience, Session

# --------------------------------------------------------------------------------------------------------------
# Commands: what a peer asks for. A door makes them; Chat.receive takes them.
# --------------------------------------------------------------------------------------------------------------


class Command(Struct, frozen=True, tag_field="t", tag=str.lower, omit_defaults=True, gc=False):
    """What a peer asks for."""


class Hello(Command, frozen=True):
    """First word of every session: who I am, on which device, and what I have already."""

    login: str
    device: str = ""  # random id that this device keeps; "" = a device that lives as long as the connection
    label: str = ""  # what people may see of the device: "laptop", "web", "irc"
    after: int | None = None  # last seq this device has; None = "you tell me" (the kept cursor, else now)
    key: str = ""  # public key, "ed25519:<base64url>"; offered, proved after Challenge
    claim: bool = False  # claim a login nobody has with this key
    name: str = ""  # real name, shown by who
    account: str = ""  # IRC: speak as guest `login`, vouched for by this account once it has proved itself
    bot: bool = False
    token: str = ""  # invite or link code
    proto: int = 1  # version of the native protocol that the peer speaks
    quiet: bool = False  # do not count as present (one-shot scripts)
    host: str = ""  # IRC: "user@host" as masks of bans see it; only the IRC door is believed


class Proof(Command, frozen=True):
    """Answer to Challenge: the signature over ``challenge_text(nonce, login, binding)``."""

    signature: str  # base64url
    key: str = ""


class Password(Command, frozen=True):
    """Answer to Challenge, or (with ``new``) a request to set the own password."""

    password: str
    account: str = ""  # IRC SASL: whose password, when it is not the login's
    new: str = ""
    ref: int | str = 0


class Scram(Command, frozen=True):
    """One message of SCRAM-SHA-256; the answer is Done with the server's message, and "account" when it is proved."""

    message: str
    ref: int | str = 0


class Say(Command, frozen=True):
    """Say something. ``n`` numbers this device's messages 1, 2, 3, ...; 0 = not numbered (no safe retry)."""

    to: str
    text: str
    n: int = 0
    re: int = 0  # seq of the message that this one answers
    kind: str = "text"  # text, action, notice, tag (only tags, no text)
    tags: dict[str, str] | None = None  # client-only tags of IRCv3, without the "+"
    ref: int | str = 0


class Edit(Command, frozen=True):
    """Replace the text of an own message."""

    seq: int
    text: str
    ref: int | str = 0


class Remove(Command, frozen=True):
    """Take an own message back (moderators: any message of their room); its text is erased."""

    seq: int
    why: str = ""
    ref: int | str = 0
    to: str = ""  # the conversation it is thought to be in; another one is refused


class Confirm(Command, frozen=True):
    """This device has everything up to and including ``seq``."""

    seq: int


class Read(Command, frozen=True):
    """A person has seen this conversation up to ``seq``."""

    to: str
    seq: int
    ref: int | str = 0


class Join(Command, frozen=True):
    """Enter a room, or make it."""

    room: str
    key: str = ""
    invite_only: bool = False  # only when the room is made by this
    ref: int | str = 0


class Leave(Command, frozen=True):
    room: str
    why: str = ""
    ref: int | str = 0


class Topic(Command, frozen=True):
    room: str
    text: str
    ref: int | str = 0


class Invite(Command, frozen=True):
    room: str
    login: str
    ref: int | str = 0


class Kick(Command, frozen=True):
    room: str  # "" = from the whole chat
    login: str
    why: str = ""
    ref: int | str = 0


class Change(Struct, frozen=True, omit_defaults=True, gc=False):
    """One switch of a room. Names: invite_only, moderated, members_only, topic_locked, secret, no_ctcp, key, limit,
    op, voice (arg = login), ban, except, invex (arg = mask)."""

    name: str
    on: bool = True
    arg: str = ""
    by: str = ""  # in lists: who set it
    at: int = 0  # in lists: when


class Mode(Command, frozen=True):
    """Turn switches of a room."""

    room: str
    changes: tuple[Change, ...]
    ref: int | str = 0


class Rename(Command, frozen=True):
    """Take another login (history stays), or with ``room`` give a room another name."""

    to: str
    room: str = ""
    why: str = ""
    ref: int | str = 0


class Set(Command, frozen=True):
    """Set a lasting preference of the own login ("receipts": "off", "name": "Real Name", ...), "" unsets.

    With ``room`` it is kept for the room (who may do so: its operators).
    """

    key: str
    value: str = ""
    room: str = ""
    ref: int | str = 0


class Away(Command, frozen=True):
    """Say that one is away (why), or back ("")."""

    why: str = ""
    ref: int | str = 0


class Typing(Command, frozen=True):
    """Passing notice, never stored."""

    to: str
    on: bool = True


class History(Command, frozen=True):
    """A page of one conversation, oldest first. Give at most one of before, after, around (seq) or at (ms)."""

    to: str
    before: int = 0
    after: int = 0
    around: int = 0
    at: int = 0
    until: int = 0  # upper end (seq, exclusive) for after
    limit: int = 50
    events: bool = False  # joins, topics and the like too
    ref: int | str = 0


class Search(Command, frozen=True):
    """Messages that hold the words, newest first, from conversations that the asker is in."""

    words: str
    to: str = ""
    by: str = ""
    since: int = 0  # ms
    until: int = 0  # ms
    before: int = 0  # seq, for the next page
    limit: int = 20
    ref: int | str = 0


class Who(Command, frozen=True):
    """Who is here ("" = everybody online), who is in a room, or one login; ``all`` adds those who are away."""

    to: str = ""
    all: bool = False
    ref: int | str = 0


class Rooms(Command, frozen=True):
    """The rooms one is in and one's direct conversations; ``all`` adds the public ones; ``to`` asks about one alone."""

    all: bool = False
    ref: int | str = 0
    to: str = ""


class Receipts(Command, frozen=True):
    """Who has, who has read, and who still waits for this message (authors and room members may ask)."""

    seq: int
    ref: int | str = 0


class Status(Command, frozen=True):
    ref: int | str = 0


class Key(Command, frozen=True):
    """List ("list"), add or revoke a key of the own login; "claim" claims the own guest login with ``key``."""

    do: str
    key: str = ""
    signature: str = ""
    label: str = ""
    ref: int | str = 0


class Admin(Command, frozen=True):
    """An operator's act: role, ban, unban, mute, unmute, kick, delete, announce, invite, link, log, ..."""

    do: str
    args: dict[str, str] = {}
    ref: int | str = 0


class Ping(Command, frozen=True):
    token: str = ""


class Pong(Command, frozen=True):
    token: str = ""


class Bye(Command, frozen=True):
    why: str = ""


class Fault(Command, frozen=True):
    """Made by a door, never sent by a peer: what came was wrong. ``fatal`` ends the connection after the answer."""

    code: str
    hint: str = ""
    fatal: bool = False
    ref: int | str = 0


AnyCommand = (
    Hello | Proof | Password | Scram | Say | Edit | Remove | Confirm | Read | Join | Leave | Topic | Invite | Kick
    | Mode | Rename | Set | Away | Typing | History | Search | Who | Rooms | Receipts | Status | Key | Admin | Ping
    | Pong | Bye
)  # fmt: skip


# --------------------------------------------------------------------------------------------------------------
# Facts and entries: what the log holds. Users and rooms are numbers here, so that renaming keeps history.
# --------------------------------------------------------------------------------------------------------------


class Fact(Struct, frozen=True, tag_field="f", tag=str.lower, omit_defaults=True, gc=False):
    """Something that happened. ``room`` is the room's number, 0 when it concerns no room."""


class Arrived(Fact, frozen=True):
    """A guest whom the chat does not know yet; gets the next user number."""

    login: str
    device: str
    name: str = ""
    room: int = 0


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


class KeyAdded(Fact, frozen=True):
    user: int
    key: str
    label: str = ""
    room: int = 0


class KeyRevoked(Fact, frozen=True):
    user: int
    key: str
    room: int = 0


class PasswordSet(Fact, frozen=True):
    user: int
    password: str  # argon2 encoded hash, "" = none any more
    by: int = 0
    room: int = 0


class Renamed(Fact, frozen=True):
    user: int
    login: str
    room: int = 0


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


class Edited(Fact, frozen=True):
    room: int
    user: int
    seq: int
    text: str


class Removed(Fact, frozen=True):
    room: int
    user: int
    seq: int
    why: str = ""


AnyFact = (
    Arrived | Gone | Claimed | KeyAdded | KeyRevoked | PasswordSet | Renamed | Deleted | Ruled | Preferred | RoomMade
    | Joined | Left | TopicSet | Invited | Moded | RoomRenamed | Said | Edited | Removed
)  # fmt: skip


class Origin(Struct, frozen=True):
    """Who on this node waits for an entry to be applied. Never stored."""

    session: Session
    ref: int | str = 0
    command: Command | None = None


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


# --------------------------------------------------------------------------------------------------------------
# Events: what sessions are told. A door encodes them.
# --------------------------------------------------------------------------------------------------------------


class Event(Struct, frozen=True, tag_field="t", tag=str.lower, omit_defaults=True, gc=False):
    """What a session is told."""


class Challenge(Event, frozen=True):
    """The login (or account) is claimed, or a key was offered: prove it in one of these ways."""

    nonce: str
    methods: tuple[str, ...]  # "key", "password"
    login: str


class Welcome(Event, frozen=True):
    """The session is open."""

    login: str
    head: int  # last seq of the log
    after: int  # the feed starts behind this seq
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
    fatal: bool = False  # the connection ends behind this
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
    at: int = 0


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


class People(Event, frozen=True):
    """Answer to Who."""

    to: str
    people: tuple[Person, ...]
    ref: int | str = 0


class RoomList(Event, frozen=True):
    """Answer to Rooms; also sent behind Welcome."""

    rooms: tuple[RoomInfo, ...]
    ref: int | str = 0


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
    """A login came, went, is away, was renamed, has another name or account. what: online, offline, away, back,
    renamed, name, account."""

    login: str
    what: str
    rooms: tuple[str, ...] = ()  # all rooms the login is in; a door intersects with its own
    text: str = ""  # reason, away text, new login, real name
    account: str = ""
    name: str = ""
    bot: bool = False


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
    Challenge | Welcome | Accepted | Done | Refused | Message | Amended | Receipt | MarkRead | People | RoomList | Page
    | RoomEvent | Presence | TypingNotice | ReceiptList | State | Pinged | Ponged | Goodbye
)  # fmt: skip


# --------------------------------------------------------------------------------------------------------------
# Effects: what the chat wants done. The driver carries them out, in order.
# --------------------------------------------------------------------------------------------------------------


class Effect(Struct, frozen=True):
    """What the chat wants done."""


class Append(Effect, frozen=True):
    """Put a fact into the log; it comes back through Chat.applied once it is durable."""

    fact: AnyFact
    origin: Origin | None = None


class Keep(Effect, frozen=True):
    """Remember a cursor. place: "d" delivered (any device), "d:<device>", "r:<room number>" read."""

    user: int
    place: str
    seq: int
    at: int = 0


class Tell(Effect, frozen=True):
    session: Session
    event: AnyEvent


class FanOut(Effect, frozen=True):
    """Tell every live session of the audience but ``skip``."""

    event: AnyEvent
    audience: Audience
    skip: Session | None = None


class Query(Struct, frozen=True, kw_only=True):
    """A question to the log. kind: feed (after, rooms, limit, by seq), page, search, count, entry."""

    kind: str
    rooms: tuple[int, ...] = ()
    after: int = 0
    before: int = 0
    around: int = 0
    at: int = 0
    since: int = 0
    until: int = 0
    limit: int = 50
    events: bool = False
    words: str = ""
    user: int = 0
    seq: int = 0
    cursors: dict[int, int] | None = None  # count: room -> behind which seq


class Result(Struct, frozen=True):
    """The log's answer. count: ``counts`` = room -> number of messages behind the cursor given (at most 100)."""

    rows: tuple[Row, ...] = ()
    more: bool = False
    counts: dict[int, int] = {}


class Load(Effect, frozen=True):
    """Ask the log; the answer comes back through Chat.loaded(session, query, command, result)."""

    session: Session
    query: Query
    command: Command | None = None


class Check(Effect, frozen=True):
    """Have a credential checked or made outside the core; comes back through Chat.checked(check, answer).

    what: "key" (secret = signature, against = public key, text = what was signed) -> "ok" or "";
    "password" (secret, against = hash) -> "ok" or ""; "hash" (secret) -> the encoded hash.
    """

    session: Session
    what: str
    secret: str
    against: str = ""
    text: str = ""
    command: Command | None = None


class HangUp(Effect, frozen=True):
    session: Session
    why: str = ""


AnyEffect = Append | Keep | Tell | FanOut | Load | Check | HangUp
