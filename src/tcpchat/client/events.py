"""Events that the client itself adds to those of the server."""

from __future__ import annotations

from dataclasses import dataclass

from tcpchat.client.sent import Sent
from tcpchat.core.model import Welcome


@dataclass(frozen=True, slots=True)
class Online:
    """The session is open (again)."""

    welcome: Welcome


@dataclass(frozen=True, slots=True)
class Offline:
    """The connection is lost; the next try is in ``retry_in`` seconds (None: there will be none)."""

    why: str
    retry_in: float | None


@dataclass(frozen=True, slots=True)
class SentChanged:
    """An own message got another state."""

    sent: Sent
