"""What may stand between a connection and the chat: the doors this server has, and a layer of encryption."""

from __future__ import annotations

import importlib
import re
from typing import Any, Protocol

from tcpchat.core.errors import CODES
from tcpchat.core.model import Refused
from tcpchat.doors import Door

TLS_REFUSED = b"\x15\x03\x01\x00\x02\x02\x28"  # alert handshake_failure (RFC 8446, 6.2): clients fall back at once

DOORS: dict[str, tuple[str, str, bool]] = {  # kind -> module, class, takes the settings
    "native": ("tcpchat.doors.native", "ServerSide", False),
    "seed": ("tcpchat.doors.original.door", "SeedDoor", False),
    "irc": ("tcpchat.doors.irc.door", "IrcDoor", True),
    "web": ("tcpchat.doors.web.door", "WebDoor", True),
}


class Layer(Protocol):
    """Encryption between the transport and a door (trust.tls has one)."""

    closing: bool  # write what is left and close: the peer does not speak it as it should
    established: bool  # the handshake is done
    ended: bool  # the peer has said that nothing more comes
    fingerprint: str  # of the key that the peer was shown
    certfp: str  # SHA-256 of the peer's own certificate, in hex; "" without one

    def receive(self, data: bytes) -> bytes:
        """Take bytes from the network, return what they decrypt to."""
        ...

    def send(self, data: bytes) -> None:
        """Encrypt; the bytes wait in data_to_send()."""
        ...

    def close(self) -> None:
        """Say that nothing more comes; the bytes wait in data_to_send()."""
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


# -- a server that takes only TLS ------------------------------------------------------------------------------

_TARGET = re.compile(rb"[A-Z]+ (/[\x21-\x7e]*) HTTP/1\.[01]\r?\n")
_HOST = re.compile(rb"\n[Hh][Oo][Ss][Tt]:[ \t]*([A-Za-z0-9.\-:\[\]]+)[ \t]*\r?\n")


def plain_refused(kind: str, data: bytes) -> bytes | None:
    """What a plain connection is told where only TLS is taken, in its own language; None = wait for more bytes."""
    text = CODES["tls_required"].text
    if kind == "web":
        return _elsewhere(data)
    if kind == "irc":
        return f"ERROR :{text}\r\n".encode()
    if kind == "seed":
        from tcpchat.doors.original.wire import pack

        return pack("BYE", False)
    from tcpchat.doors.native import encode

    return encode(Refused(code="tls_required", text=text, fatal=True))


def _elsewhere(data: bytes) -> bytes | None:
    """308 to the same place by https (RFC 9110 15.4.9); without a Host line 426 (15.5.22)."""
    if b"\r\n\r\n" not in data and b"\n\n" not in data:
        return None
    target, host = _TARGET.match(data.lstrip(b"\r\n")), _HOST.search(data)
    end = b"Content-Length: 0\r\nConnection: close\r\n\r\n"
    if target is None or host is None:
        return b"HTTP/1.1 426 Upgrade Required\r\nUpgrade: TLS/1.2, HTTP/1.1\r\n" + end.replace(
            b"close", b"Upgrade, close"
        )
    return b"HTTP/1.1 308 Permanent Redirect\r\nLocation: https://" + host[1] + target[1] + b"\r\n" + end
