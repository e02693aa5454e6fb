"""Events that the client itself adds to those of the server."""

from __future__ import annotations

from msgspec import Struct

from tcpchat.client.sent import Sent
from tcpchat.core.model import Welcome


class Online(Struct, frozen=True):
    """The session is open (again)."""

    welcome: Welcome


class Offline(Struct, frozen=True):
    """The connection is lost; the next try is in ``retry_in`` seconds (None: there will be none)."""

    why: str
    retry_in: float | None


class SetBack(Struct, frozen=True):
    """The server's log is not the one that this client knew: it was set back, or is another one.

    What was heard from ``seq`` on is not on it, and new messages have those numbers; own messages there are ``lost``.
    ``whole``: nothing that was heard is on it.
    """

    seq: int
    whole: bool
    lost: tuple[Sent, ...] = ()


class SentChanged(Struct, frozen=True):
    """An own message got another state."""

    sent: Sent
