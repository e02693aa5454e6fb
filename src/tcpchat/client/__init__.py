"""The library: connect, send with receipts, hear, ask; bots; a synchronous face."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tcpchat.client.bot import Bot
    from tcpchat.client.client import Client, connect
    from tcpchat.client.errors import (
        ChatError,
        ConnectionFailed,
        KeyChanged,
        Lost,
        NotTrusted,
        OutboxError,
        Refused,
        TimedOut,
        Unknown,
    )
    from tcpchat.client.events import Offline, Online, SentChanged, SetBack
    from tcpchat.client.sent import Sent

__all__ = [
    "Bot",
    "ChatError",
    "Client",
    "ConnectionFailed",
    "KeyChanged",
    "Lost",
    "NotTrusted",
    "Offline",
    "Online",
    "OutboxError",
    "Refused",
    "Sent",
    "SentChanged",
    "SetBack",
    "TimedOut",
    "Unknown",
    "connect",
]

_PLACES = {
    "Bot": "bot",
    "Client": "client",
    "Offline": "events",
    "Online": "events",
    "Sent": "sent",
    "SentChanged": "events",
    "SetBack": "events",
    "connect": "client",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for and nothing else: `tcpchat send` needs the errors and no event loop (-75 ms)."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_PLACES.get(name, 'errors')}"), name)
