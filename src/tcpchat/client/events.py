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


class SentChanged(Struct, frozen=True):
    """An own message got another state."""

    sent: Sent
