"""Doors: sans-I/O codecs between bytes and the chat's commands and events, and the choice among them."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, Protocol

from tcpchat.core.model import AnyEvent, Command
from tcpchat.core.sessions import Traits


class Door(Protocol):
    """One connection's codec. Never raises for the peer's faults: those become Fault commands (or an answer in the
    door's own language and ``closing``); an exception is a bug.

    The driver calls ``receive`` with what came, hands the commands to the chat, calls ``deliver`` with what the chat
    tells this session, and writes ``data_to_send()`` at the end of its turn.
    """

    @property
    def name(self) -> str:
        """ "native", "seed", "irc", "web"."""
        ...

    @property
    def traits(self) -> Traits:
        """What this protocol is like, as far as the chat must know."""
        ...

    @property
    def dialect(self) -> Hashable:
        """Events encode to the same bytes for all doors of one dialect (see encode)."""
        ...

    @property
    def piece(self) -> int:
        """Bytes that are better not given to ``receive`` at once: a millisecond or two of work at the worst."""
        ...

    @property
    def units(self) -> int:
        """Pieces of work done so far (lines, frames; ten for an HTTP request): by it the driver counts who makes much
        of it."""
        ...

    @property
    def unread(self) -> bool:
        """True: some of what was received has not been looked at yet; ``more`` does, once there is room for answers."""
        ...

    def more(self, now: float) -> list[Command]:
        """Go on with what is unread; see ``receive``."""
        ...

    @property
    def closing(self) -> bool:
        """True: write what is left in data_to_send() and close."""
        ...

    def receive(self, data: bytes, now: float) -> list[Command]:
        """Take bytes from the peer (b"" = the peer closed its half) and return the commands they complete."""
        ...

    def deliver(self, event: AnyEvent) -> None:
        """Encode one event for this session only; the bytes wait in data_to_send()."""
        ...

    def encode(self, event: AnyEvent) -> bytes | None:
        """Encode an event that many sessions get, without touching this door's state.

        The result is valid for every door of the same dialect. None: this kind of event needs ``deliver``.
        """
        ...

    def outlook(self, members: Sequence[Any], own: bool) -> Hashable:
        """Where ``encode`` gives None: doors of one outlook are shown the same of these (place, FanOut), as ``view``
        encodes it. None: this door has to be told each by ``deliver``. ``own``: some are this session's doing, and it
        is not told those."""
        ...

    def view(self, event: AnyEvent) -> bytes | None:
        """Encode an event for all doors of this outlook. None: this kind of event needs ``deliver``."""
        ...

    def mark(self, seq: int) -> bytes:
        """Bytes to put behind a flush of shared events whose last entry is ``seq`` (IRC: a PING that asks for a
        receipt); b"" where the peer confirms by itself."""
        ...

    @property
    def ready(self) -> bool:
        """False while this door cannot take another event (original clients: until MESSACC)."""
        ...

    def data_to_send(self) -> bytes:
        """Return and forget the bytes that wait for the peer."""
        ...

    def tick(self, now: float) -> list[Command]:
        """Called about once a second: time-outs of the door's own (pacing, half-sent objects)."""
        ...
