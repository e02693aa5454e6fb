"""Doors: sans-I/O codecs between bytes and the chat's commands and events.

A *door* is one connection's codec. A *realm* is what all connections of one protocol share on one server. The driver
(server/) knows these two contracts and no protocol; which protocols there are stands in doors/registry.py.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from tcpchat.core.model import AnyEvent, Command
from tcpchat.core.sessions import Traits


class Peer(NamedTuple):
    """Who is at the other end of a connection, as far as is known."""

    address: str = ""
    secure: bool = False  # nobody on the way can read along
    local: bool = False  # a program of this machine
    certfp: str = ""  # SHA-256 of the certificate that the peer has shown, in hex


class Handover(NamedTuple):
    """A door gives its connection away; see Door.leaving."""

    door: Door  # who goes on; the door itself: only TLS begins (STARTTLS)
    rest: bytes = b""  # what was read and belongs to who goes on
    tls: bool = False  # ``rest`` and all that follows is TLS


NO_TRAITS = Traits()


def nothing() -> None:
    """What wakes a driver that is not there (tests)."""


class Door:
    """One connection's codec. Never raises for the peer's faults: those become Fault commands (or an answer in the
    door's own language and ``closing``); an exception is a bug.

    The driver calls ``receive`` with what came, hands the commands to the chat, calls ``deliver`` with what the chat
    tells this session, and writes ``data_to_send()`` at the end of its turn. All but ``name``, ``receive``,
    ``deliver``, ``encode`` and ``data_to_send`` have defaults that suit a simple protocol.
    """

    __slots__ = ()

    name: str = ""  # of its protocol
    piece: int = 4096  # bytes that are better not given to ``receive`` at once: a millisecond or two of work at most
    closing: bool = False  # write what is left in data_to_send() and close
    wake: Callable[[], None] = staticmethod(
        nothing
    )  # the driver's: the door has bytes although nobody told it anything
    visitor: Peer | None = None  # who is behind the connection, once the door has learnt more than the driver knows (a
    # proxy's visitor, a protocol inside): a new object each time

    # Properties for those to whom it changes; a plain class attribute does for the others, and costs less.

    @property
    def traits(self) -> Traits:
        """What this protocol is like, as far as the chat must know."""
        return NO_TRAITS

    @property
    def dialect(self) -> Hashable:
        """Events encode to the same bytes for all doors of one dialect (see encode)."""
        return self.name

    @property
    def units(self) -> int:
        """Pieces of work done so far (lines, frames; ten for an HTTP request), by which the driver limits work."""
        return 0

    # -- what kind of protocol this is: asked again when ``visitor`` is another --------------------------------------

    @property
    def sequential(self) -> bool:
        """True: lines wait for the answers of those before them, so ``more`` is asked when something was told."""
        return False

    @property
    def pingless(self) -> bool:
        """True: the protocol has no ping, and the kernel's keepalive takes its place."""
        return False

    @property
    def patience(self) -> float | None:
        """Seconds of silence until a peer is dead; it is asked at half of it. None = the server's ``dead_after``."""
        return None

    # -- flow ------------------------------------------------------------------------------------------------

    @property
    def unread(self) -> bool:
        """True: some of what was received has not been looked at yet; ``more`` does, once answers have room."""
        return False

    @property
    def may_proceed(self) -> bool:
        """Where the protocol is sequential: True when what was just told may let waiting lines go on."""
        return True

    @property
    def busy(self) -> bool:
        """True: the peer is better not read just now. Call ``wake`` when that is over."""
        return False

    @property
    def ready(self) -> bool:
        """False while this door cannot take another event (original clients: until MESSACC)."""
        return True

    @property
    def entering(self) -> bool:
        """True while the peer is being shown where it is: answers may come, messages not yet."""
        return False

    @property
    def producing(self) -> bool:
        """True: a long answer is on its way; ``produce`` is asked whenever the transport has room."""
        return False

    @property
    def streaming(self) -> bool:
        """True: what comes now is the body of a long request. The door gets all that was read at once, paces it by
        ``busy``, and counts as ``units`` what it does with it."""
        return False

    @property
    def leaving(self) -> bool:
        """True: the connection goes to somebody else; ``hand_over`` is asked once data_to_send() has been written."""
        return False

    @property
    def lingers(self) -> bool:
        """True when ``closing`` finds the peer in the middle of a word: it is let close first, so that it can read
        why."""
        return False

    def receive(self, data: bytes, now: float) -> list[Command]:
        """Take bytes from the peer (b"" = the peer closed its half) and return the commands they complete."""
        raise NotImplementedError

    def more(self, now: float) -> list[Command]:
        """Go on with what is unread; see ``receive``."""
        return []

    def deliver(self, event: AnyEvent) -> None:
        """Encode one event for this session only; the bytes wait in data_to_send()."""
        raise NotImplementedError

    def encode(self, event: AnyEvent) -> bytes | None:
        """Encode an event that many sessions get, without touching this door's state.

        The result is valid for every door of the same dialect. None: this kind of event needs ``deliver``.
        """
        return None

    def outlook(self, members: Sequence[Any], own: bool) -> Hashable:
        """Where ``encode`` gives None: doors of one outlook are shown the same of these (place, FanOut), as ``view``
        encodes it. None: this door has to be told each by ``deliver``. ``own``: some are this session's doing, and it
        is not told those."""
        return None

    def view(self, event: AnyEvent) -> bytes | None:
        """Encode an event for all doors of this outlook. None: this kind of event needs ``deliver``."""
        return None

    def mark(self, seq: int) -> bytes:
        """Bytes to put after a flush of shared events whose last entry is ``seq`` (IRC: a PING that asks for a
        receipt); b"" where the peer confirms on its own."""
        return b""

    def data_to_send(self) -> bytes:
        """Return and forget the bytes that wait for the peer."""
        raise NotImplementedError

    def produce(self, now: float) -> bytes:
        """The next piece of a long answer, some ten KiB; b"" = none just now (``wake`` when there is)."""
        return b""

    def hand_over(self) -> Handover:
        """Who gets the connection; see ``leaving``."""
        raise NotImplementedError

    def tick(self, now: float) -> list[Command]:
        """Called about once a second: time-outs of the door's own (pacing, half-sent objects)."""
        return []

    def closed(self, here: bool) -> None:
        """The connection is gone; ``here``: its login still is, by another one."""


class Table(NamedTuple):
    """Rows that a realm wants to find again after a restart. The first ``keys`` columns name a row, and the newest row
    of a name counts; a row that is cut after them says that it is to be forgotten. Without keys rows are added, and the
    newest ``most`` stay."""

    name: str
    columns: tuple[str, ...]
    keys: int = 0
    most: int = 0


Row = tuple[Any, ...]
Kept = Mapping[str, list[Row]]  # table -> rows, oldest first


class Site:
    """The server as its realms see it, with the values of one that is not there (tests of a codec alone)."""

    def __init__(self, settings: Any = None) -> None:
        self.settings = settings  # tcpchat.config.Config, or anything with attributes of these names
        self.started = 0.0  # Unix time
        self.secret = bytes(16)  # lasts as long as the data folder does, and nobody else knows it
        self.tls_port = 0  # where TLS is spoken; 0 = nowhere

    def realm(self, name: str) -> Realm:
        """Another protocol of this server: what is spoken inside a WebSocket is spoken outside too."""
        raise KeyError(name)

    def key(self) -> Mapping[str, str]:
        """The key of TLS as people compare it: fingerprint, words; empty without TLS."""
        return {}

    def names(self) -> Sequence[str]:
        """Names by which this server may be asked for."""
        return ()

    def motd(self) -> list[str]:
        """The lines of the message of the day."""
        return []

    def preferences(self, target: str) -> Mapping[str, str]:
        """What the log keeps of a room or login."""
        return {}

    def warn(self, text: str) -> None:
        """Tell the operator, once for each text."""

    def reload(self) -> list[str]:
        """Read settings, message of the day and certificate again; what was wrong with them, in sentences."""
        return []


class Realm:
    """What one protocol shares on one server: it makes the doors."""

    keeps: tuple[Table, ...] = ()  # what ``load`` gets and ``save`` gives

    def __init__(self, site: Site) -> None:
        self.site = site

    def door(self, peer: Peer) -> Door:
        """The codec of a connection that has just chosen this protocol."""
        raise NotImplementedError

    def tick(self, now: float) -> Iterable[Door]:
        """Called ten times a second: which doors have something to say although nobody told them anything?"""
        return ()

    def refuse_plain(self, data: bytes) -> bytes | None:
        """What a peer is told that comes without TLS where only TLS is taken, in its own language; ``data`` is all it
        has said. None: the answer needs more of it."""
        return b""

    def load(self, kept: Kept) -> None:
        """Take back what an earlier run has saved; called once, before the first door."""

    def save(self) -> Kept | None:
        """What is new since the last time, for ``load`` of a later run; None = nothing. Asked once a second."""
        return None
