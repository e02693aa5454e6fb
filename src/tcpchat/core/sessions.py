"""Users, their devices, sessions and audiences: who hears what live, and where each reader is in the log.

A session is *live* when it has everything up to the head; then it hears through its audiences. When its pipe is full it
is not live, its feed remembers one number, and later it reads on from the log. That is all the back-pressure there is.
"""

from __future__ import annotations

from array import array
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any, NamedTuple

from tcpchat.core.commands import Command, Hello
from tcpchat.core.events import AnyEvent
from tcpchat.core.meant import Meant
from tcpchat.core.rules import MODERATOR, OWNER, WINDOW, Bucket
from tcpchat.core.scram import Exchange
from tcpchat.core.text import fold


class Stage(StrEnum):
    """Where a session is in its login; core.stages says what leads from one to the next."""

    NEW = "new"
    CHALLENGED = "challenged"
    CHECKING = "checking"
    ARRIVING = "arriving"
    ENTERING = "entering"  # known, its counts are on their way from the log
    OPEN = "open"
    CLOSED = "closed"


NEW, CHALLENGED, CHECKING, ARRIVING = Stage.NEW, Stage.CHALLENGED, Stage.CHECKING, Stage.ARRIVING
ENTERING, OPEN, CLOSED = Stage.ENTERING, Stage.OPEN, Stage.CLOSED
PASSWORD = "password"  # the credential of who has shown one


@dataclass(frozen=True, slots=True)
class Traits:
    """What a protocol is like, as far as the chat must know: what follows from it is asked by trait, never by name.

    Each is false for the native protocol.
    """

    hello_may_wait: bool = False  # its door ends idle connections itself, and some never say who they are
    proof_is_unbound: bool = False  # its peers cannot see the server's certificate: they sign the nonce alone
    cannot_prove: bool = False  # it has no words for a challenge: a claimed login cannot come in
    tells_itself: bool = False  # its door keeps what it is told and paces that, whether the feed is live or not
    has_no_cursor: bool = False  # its peers keep nothing that a log which went back would make wrong
    names_no_log: bool = False  # its peers cannot say of which log theirs is: what they have confirmed must tell
    guest_is_connection: bool = False  # nobody comes back as such a guest: its device was the connection
    guest_may_become_account: bool = False  # a guest may take over the login of the account that vouches for it
    registers_first: bool = False  # a password may be set for a login before the hello
    stays_refused: bool = False  # its door ends the connection of a refused hello itself, in its own words
    gives_host: bool = False  # its door says what masks of bans see as user@host
    staff_needs_oper: bool = False  # roles give no powers before OPER, as people there expect


PLAIN = Traits()


class Way(NamedTuple):
    """How a connection came: ``mode`` is "tls", "plain" or "ws" (a browser's, with TLS or without), ``port`` the one
    that it was made to, 0 where it is not known."""

    mode: str = "plain"
    port: int = 0


class Session:
    """One connection, as the chat sees it."""

    __slots__ = (
        "account", "address", "asking", "away", "binding", "bot", "carrier", "certfp", "credential", "device",
        "device_id", "dialect", "door", "early", "excess", "guess", "guessing", "hello", "hook", "id", "knocks",
        "label", "linking", "live", "local", "meant", "missed", "nonce", "opened", "oper", "quiet", "ready",
        "scram", "secure", "sent", "signals", "spare", "stage", "stopped", "traits", "tries", "trusted", "user",
        "way",
    )  # fmt: skip

    def __init__(self, number: int, now: float) -> None:
        self.id = number
        self.stage = Stage.NEW
        self.user: User | None = None
        self.device: Device | None = None
        self.device_id = ""
        self.label = ""
        self.door = ""  # what others are shown of where it is; what the chat does goes by the traits
        self.traits = PLAIN
        self.dialect: Hashable = ""
        self.secure = self.local = self.trusted = False
        self.address = ""
        self.nonce = ""
        self.binding = ""
        self.way = Way()
        self.certfp = ""  # SHA-256 of the certificate that the peer has shown, in hex
        self.hello: Hello | None = None
        self.early: tuple[Command, ...] = ()  # what came before the session was open
        self.missed: dict[Hashable, AnyEvent] | None = None  # what it could not be told while it was not live
        self.ready = ""  # the state of the chat that it was told last
        self.account: User | None = None  # whose credentials were shown, when that is not the login itself
        self.credential = ""  # what it came in by: a public key, PASSWORD, a token's hash; "" for guests
        self.hook = 0  # room number, when this session came in by a room token
        self.live = False  # hears through audiences
        self.stopped = False  # the pipe is full
        self.asking = False  # a page of its feed is on its way from the log
        self.sent = 0  # last seq that was given to the door; kept only while not live
        self.quiet = False
        self.bot = False
        self.scram: Exchange | None = None  # a login by SCRAM on its way
        self.oper = False  # the IRC door has checked an operator's password
        self.away = ""
        self.tries = 0
        self.meant: Meant | None = None  # whose login it was that the challenge was for
        self.spare = 0  # signals that it may still give before its login's (or its own) bucket is asked again
        self.excess = 0  # commands that came in spite of too_fast, less those since that did not
        self.signals: Bucket | None = None  # while it is nobody's
        self.knocks: Bucket | None = None  # what it has asked for before it was open
        self.guessing = False  # a password of this session is being checked or made
        self.guess: str | None = None  # at which login it is a guess
        self.linking = ""  # the code by which a device wants to add its key
        self.opened = now
        self.carrier: Any = None

    @property
    def private(self) -> bool:
        """Can nobody on the way read along, or change what is said?"""
        return self.secure or self.local or self.trusted

    @property
    def staff(self) -> bool:
        """Does it act with the powers of an owner or moderator? On IRC only after OPER, as people there expect."""
        if self.trusted or self.oper:
            return True
        return not self.traits.staff_needs_oper and self.user is not None and self.user.role in (OWNER, MODERATOR)

    def __repr__(self) -> str:
        return f"<Session {self.id} {self.user.login if self.user else '?'} {self.stage}>"


class Audience:
    """The sessions that hear a room, by dialect, in the order in which they came."""

    __slots__ = ("by_dialect", "size")

    def __init__(self) -> None:
        self.by_dialect: dict[Hashable, dict[Session, None]] = {}
        self.size = 0

    def add(self, session: Session) -> None:
        group = self.by_dialect.setdefault(session.dialect, {})
        if session not in group:
            group[session] = None
            self.size += 1

    def remove(self, session: Session) -> None:
        group = self.by_dialect.get(session.dialect)
        if group is not None and session in group:
            del group[session]
            self.size -= 1
            if not group:
                del self.by_dialect[session.dialect]

    def __iter__(self) -> Iterator[Session]:
        for group in self.by_dialect.values():
            yield from group

    def __len__(self) -> int:
        return self.size

    def __contains__(self, session: Session) -> bool:
        return session in self.by_dialect.get(session.dialect, ())


SILENT = 200  # devices of one login that said nothing numbered and are remembered all the same, for their cursors
Record = tuple[str, int, tuple[int, ...], int]  # a device in a snapshot: name, last number, places, when it spoke last


class Device:
    """One device's numbering: the last number, and the places of the last 64."""

    __slots__ = ("at", "cursor", "last", "only", "proposed", "ring", "session")

    def __init__(self, last: int = 0) -> None:
        self.last = self.proposed = last
        self.cursor = 0  # what this device has confirmed
        self.at = 0  # ms, when it said something numbered last
        self.only = 0  # the place of its only number: most devices of `tcpchat send --id` have one, and no ring
        self.ring: array[int] | None = None
        self.session: Session | None = None

    @property
    def unanswered(self) -> bool:
        """Is a number on its way to the log?"""
        return self.proposed > self.last

    def note(self, n: int, seq: int, at: int = 0) -> None:
        """Number ``n`` is in the log, at this place since this moment."""
        ring, self.at = self.ring, at
        if ring is None:
            if not self.last:
                self.only = seq
                self.last = n
                self.proposed = max(self.proposed, n)
                return
            ring = self.ring = array("Q", bytes(8 * WINDOW))
            ring[self.last % WINDOW] = self.only
        ring[n % WINDOW] = seq
        self.last = n  # numbers come one by one: what a failed batch left behind is never appended
        if self.proposed < n:
            self.proposed = n

    def place(self, n: int) -> int:
        """The seq that number ``n`` got; 0 when it is older than what is remembered."""
        if self.ring is None:
            return self.only if n == self.last else 0
        return self.ring[n % WINDOW] if self.last - WINDOW < n <= self.last else 0

    def recent(self) -> tuple[int, ...]:
        """The places of the last numbers."""
        return tuple(self.place(n) for n in range(max(1, self.last - WINDOW + 1), self.last + 1))

    def record(self, name: str) -> Record:
        """As a snapshot holds it."""
        return name, self.last, self.recent(), self.at

    @classmethod
    def of(cls, record: Record) -> Device:
        """From a snapshot."""
        _, last, places, at = record
        device = cls()
        for n, seq in enumerate(places, last - len(places) + 1):
            device.note(n, seq, at)
        device.last = device.proposed = last
        return device


EMPTY: Mapping[Any, Any] = MappingProxyType({})  # what most logins have in most of their tables
AWAITING = 32  # places of unconfirmed messages of one direct conversation; more are thinned out, the last one stays


class User:
    """Somebody the chat knows: a guest, or the owner of a claimed login.

    Most tables of most logins are empty, and there are tens of thousands of them: an empty one is EMPTY, and who wants
    to write asks for the ``own`` one.
    """

    __slots__ = (
        "awaiting", "byte_tokens", "claimed", "commands", "delivered", "delivered_at", "device", "devices",
        "directs", "fold", "host", "keys", "leaving", "login", "mentions", "moments", "muted", "name", "numbered",
        "offline_since", "online_since", "password", "prefs", "reads", "reads_at", "role", "room_left", "rooms", "seen",
        "sessions", "signals", "since", "stored", "tokens", "tokens_at", "uid",
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
        self.numbered = 0  # so many of them have said something numbered
        self.mentions: Mapping[int, list[int]] = EMPTY
        # cursors: merged by max, kept outside the log
        self.delivered = 0
        self.delivered_at = 0
        self.reads: Mapping[int, int] = EMPTY
        self.reads_at: Mapping[int, int] = EMPTY
        self.moments: Mapping[int, int] = EMPTY  # ms: all that was said until then is read
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
        self.signals: Bucket | None = None
        self.room_left = 0  # bytes it may still leave in the log before its budget is asked again
        self.stored: Bucket | None = None

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

    def restore_device(self, name: str, seq: int) -> None:
        """Take over a device's kept cursor. Those that said nothing are bounded."""
        device = self.devices.get(name)
        if device is None:
            if len(self.devices) - self.numbered >= SILENT:
                return
            device = self.devices[name] = Device()
        device.cursor = max(device.cursor, seq)

    @property
    def online(self) -> bool:
        return any(not session.quiet for session in self.sessions)

    @property
    def account(self) -> str:
        """The account that speaks: the login itself, or the one that vouches for a guest (IRC)."""
        if self.claimed:
            return self.login
        return next((session.account.login for session in self.sessions if session.account is not None), "")
