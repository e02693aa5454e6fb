"""tcpchat: one command, one port, every client, no lost message."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from tcpchat.core.version import VERSION as __version__

if TYPE_CHECKING:
    from tcpchat.client import (
        Bot,
        ChatError,
        Client,
        ConnectionFailed,
        KeyChanged,
        Lost,
        Offline,
        Online,
        Refused,
        Sent,
        SentChanged,
        SetBack,
        TimedOut,
        Unknown,
        connect,
        sync,
    )
    from tcpchat.core import model
    from tcpchat.server import Server

__all__ = [
    "Bot",
    "ChatError",
    "Client",
    "ConnectionFailed",
    "KeyChanged",
    "Lost",
    "Offline",
    "Online",
    "Refused",
    "Sent",
    "SentChanged",
    "Server",
    "SetBack",
    "TimedOut",
    "Unknown",
    "__version__",
    "connect",
    "model",
    "sync",
]

_MODULES = {"sync": "tcpchat.client.sync", "model": "tcpchat.core.model"}


def __getattr__(name: str) -> Any:
    """Import what is asked for and nothing else: a client needs no server, a script no event loop."""
    if name in _MODULES:
        return import_module(_MODULES[name])
    if name == "Server":
        return import_module("tcpchat.server").Server
    if name in __all__:
        return getattr(import_module("tcpchat.client"), name)
    raise AttributeError(f"module 'tcpchat' has no attribute {name!r}")
