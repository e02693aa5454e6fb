"""Effects: what the chat wants done, and its questions to the log. Part of core.model."""

from __future__ import annotations

from msgspec import Struct

from tcpchat.core.commands import Command
from tcpchat.core.events import AnyEvent
from tcpchat.core.facts import AnyFact, Origin, Row
from tcpchat.core.meant import NOBODY, Meant
from tcpchat.core.sessions import Audience, Session


class Effect(Struct, frozen=True):
    """What the chat wants done."""


class Append(Effect, frozen=True, gc=False):
    """Put a fact into the log; it comes back through Chat.applied once it is durable."""

    fact: AnyFact
    origin: Origin | None = None


FORGOTTEN = 1 << 62  # as the seq of a Keep: this cursor need not be kept any more


class Keep(Effect, frozen=True):
    """Remember a cursor, or with ``seq`` = FORGOTTEN forget it. place: "d" delivered (any device), "d:<device>",
    "r:<room number>" read, "m:<room number>" the moment (ms) until which all is read.

    With ``session`` nobody hears of it before it is durable: it comes back through Chat.kept (or Chat.unkept).
    """

    user: int
    place: str
    seq: int
    at: int = 0
    session: Session | None = None
    ref: int | str = 0
    moment: int = 0  # of a read cursor: ms, all that was said until then is read


class Tell(Effect, frozen=True, gc=False):
    session: Session
    event: AnyEvent


class FanOut(Effect, frozen=True, gc=False):
    """Tell every live session of the audience but ``skip``.

    ``late``: it has waited to be told together with others; whoever came with it knows those before it already.
    """

    event: AnyEvent
    audience: Audience
    skip: Session | None = None
    late: bool = False


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
    """The log's answer. count: ``counts`` = room -> number of messages behind the cursor given (at most 100), up to
    ``head``."""

    rows: tuple[Row, ...] = ()
    more: bool = False
    counts: dict[int, int] = {}
    head: int = 0


class Load(Effect, frozen=True):
    """Ask the log; the answer comes back through Chat.loaded(session, query, command, result)."""

    session: Session
    query: Query
    command: Command | None = None


class Check(Effect, frozen=True):
    """Have a credential checked or made outside the core; comes back through Chat.checked(check, answer).

    what: "key" (secret = signature, against = public key, text = what was signed) -> "ok" or "";
    "password" (secret, against = hash) -> "ok" or ""; "hash" (secret) -> the encoded hash with a verifier for SCRAM,
    "argon" without one; "raise" (secret, against = hash; after "password" was "ok") -> the same hash with a new
    verifier, "lower" without.
    """

    session: Session
    what: str
    secret: str
    against: str = ""
    text: str = ""
    command: Command | None = None
    meant: Meant = NOBODY  # whose login it was for when it was asked


class HangUp(Effect, frozen=True):
    session: Session
    why: str = ""


class Fork(Effect, frozen=True):
    """The log lost its end: begin a new lineage behind ``since``; the answer comes back through Chat.forked."""

    why: str
    since: int


AnyEffect = Append | Keep | Tell | FanOut | Load | Check | HangUp | Fork
Effects = list[AnyEffect]
