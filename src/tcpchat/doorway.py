"""What may stand between a connection and the chat: the doors this server has, and a layer of encryption."""

from __future__ import annotations

import importlib
from typing import Any, Protocol

from tcpchat.doors import Door

TLS_REFUSED = b"\x15\x03\x01\x00\x02\x02\x28"  # alert handshake_failure (RFC 8446, 6.2): clients fall back at once

DOORS: dict[str, tuple[str, str, bool]] = {  # kind -> module, class, takes the settings
    "native": ("tcpchat.doors.native", "ServerSide", False),
    "seed": ("tcpchat.doors.seed", "SeedDoor", False),
    "irc": ("tcpchat.doors.irc.door", "IrcDoor", True),
    "web": ("tcpchat.doors.web", "WebDoor", True),
}


class Layer(Protocol):
    """Encryption between the transport and a door (trust.tls has one)."""

    closing: bool

    def receive(self, data: bytes) -> bytes:
        """Take bytes from the network, return what they decrypt to."""
        ...

    def send(self, data: bytes) -> None:
        """Encrypt; the bytes wait in data_to_send()."""
        ...

    def data_to_send(self) -> bytes: ...


def open_door(kind: str, settings: Any, address: str, secure: bool, local: bool) -> Door | None:
    """The door of this kind; None when this server has none."""
    module, name, configured = DOORS[kind]
    try:
        make = getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        if error.name and error.name.startswith("tcpchat."):
            return None
        raise
    arguments = (settings,) if configured else ()
    door: Door = make(*arguments, address=address, secure=secure, local=local)
    return door
