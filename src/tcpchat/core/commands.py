"""Commands: what a peer asks for. A door makes them; Chat.receive takes them. Part of core.model."""

from __future__ import annotations

from msgspec import Struct


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
    bot: bool = False  # a program that speaks on its own: its messages are marked, so that no other answers them
    token: str = ""  # invite or link code
    proto: int = 1  # version of the native protocol that the peer speaks
    quiet: bool = False  # do not count as present (one-shot scripts)
    host: str = ""  # IRC: "user@host" as masks of bans see it; only the IRC door is believed
    log: str = ""  # Welcome.log that came with the cursor `after` and the numbers used; "" = not kept
    seen: int = 0  # the highest seq of that log that this device knows of, an own message's for example


class Proof(Command, frozen=True):
    """Answer to Challenge: the signature over ``core.proofs.proof_text(...)`` when there is an ``at``, else over
    ``core.rules.challenge_text(...)``, which without TLS is bound to nothing but the connection."""

    signature: str  # base64url
    key: str = ""
    at: str = ""  # HOST:PORT that the client meant to talk to; with it the signed text is version 2


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


class External(Command, frozen=True):
    """Log in by the certificate that this connection's TLS has shown; ``account`` says whose, if several have it."""

    account: str = ""
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
    rank: str = ""  # in a room: only its operators hear it (op), or those with a voice too (voice)
    cuts: tuple[int, ...] = ()  # before which characters its author's client went on on another line
    bot: bool = False  # a program wrote it on its own; so is all that a session says whose hello says ``bot``


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
    """A person has seen this conversation up to ``seq``. The answer tells what counts: the cursor, and as ``at`` in
    its data the moment until which all is read."""

    to: str
    seq: int
    ref: int | str = 0
    at: int = 0  # ms: the moment up to which it was read, if the client marks moments; 0 = when ``seq`` was said


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

    With ``room`` it is kept for the room (who may do so: its operators). Operators of the server may set for another
    ``login`` what IRC shows of it ("irc/...").
    """

    key: str
    value: str = ""
    room: str = ""
    ref: int | str = 0
    login: str = ""


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
    """Who is here ("" = everybody online), who is in a room, or one login; ``all`` adds those who are away.
    ``after`` is the last login of an answer that had more."""

    to: str = ""
    all: bool = False
    ref: int | str = 0
    after: str = ""


class Rooms(Command, frozen=True):
    """The rooms one is in and one's direct conversations; ``all`` adds the public ones; ``to`` asks about one alone.
    ``after`` is the last public room of an answer that had more."""

    all: bool = False
    ref: int | str = 0
    to: str = ""
    after: str = ""


class Receipts(Command, frozen=True):
    """Who has, who has read, and who still waits for this message (authors and room members may ask)."""

    seq: int
    ref: int | str = 0


class Status(Command, frozen=True):
    ref: int | str = 0


class Key(Command, frozen=True):
    """List ("list"), add or revoke a key of the own login; "claim" claims the own guest login with ``key``; "link"
    shows a code by which another device adds its key: that says it in Hello.token. A certificate of TLS is added by
    its SHA-256 alone: ``x509:<hex>``."""

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


class Guess(Command, frozen=True):
    """Made by the IRC door, never sent by a peer: a password of the server was tried (``oper``, ``pass``), which that
    door has compared; or the powers of an operator are given back (``unoper``)."""

    what: str
    right: bool = False
    ref: int | str = 0


AnyCommand = (
    Hello | Proof | Password | Scram | External | Say | Edit | Remove | Confirm | Read | Join | Leave | Topic
    | Invite | Kick | Mode | Rename | Set | Away | Typing | History | Search | Who | Rooms | Receipts | Status | Key
    | Admin | Ping | Pong | Bye
)  # fmt: skip
