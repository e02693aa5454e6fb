"""Sessions and audiences: who hears what live, and where each reader is in the log.

A session is *live* when it has everything up to the head; then it hears through its audiences. When its pipe is full it
is not live, its feed remembers one number, and later it reads on from the log. That is all the back-pressure there is.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tcpchat.core.rules import MODERATOR, OWNER

if TYPE_CHECKING:
    from tcpchat.core.devices import Device
    from tcpchat.core.meant import Meant
    from tcpchat.core.model import AnyEvent, Command, Hello
    from tcpchat.core.rules import Bucket
    from tcpchat.core.scram import Exchange
    from tcpchat.core.state import User

NEW, CHALLENGED, CHECKING, ARRIVING = "new", "challenged", "checking", "arriving"
PASSWORD = "password"  # the credential of who has shown one
ENTERING, OPEN, CLOSED = "entering", "open", "closed"  # entering: known, its counts are on their way from the log


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


class Session:
    """One connection, as the chat sees it."""

    __slots__ = (
        "account", "address", "asking", "away", "binding", "bot", "carrier", "certfp", "credential", "device",
        "device_id", "dialect", "door", "early", "excess", "guess", "guessing", "hello", "hook", "id", "knocks",
        "label", "linking", "live", "local", "meant", "missed", "nonce", "opened", "oper", "quiet", "ready",
        "scram", "secure", "sent", "signals", "spare", "stage", "stopped", "traits", "tries", "trusted", "user",
    )  # fmt: skip

    def __init__(self, number: int, now: float) -> None:
        self.id = number
        self.stage = NEW
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
