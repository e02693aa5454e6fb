"""What all web connections of one server share."""

from __future__ import annotations

import re

import msgspec

from tcpchat.doors import Door, Peer, Realm, Site
from tcpchat.doors.web.door import WebDoor, WebSettings

_TARGET = re.compile(rb"[A-Z]+ (/[\x21-\x7e]*) HTTP/1\.[01]\r?\n")
_HOST = re.compile(rb"\n[Hh][Oo][Ss][Tt]:[ \t]*([A-Za-z0-9.\-:\[\]]+)[ \t]*\r?\n")
_END = b"Content-Length: 0\r\nConnection: close\r\n\r\n"
_UPGRADE = b"HTTP/1.1 426 Upgrade Required\r\nUpgrade: TLS/1.2, HTTP/1.1\r\n" + _END.replace(
    b"close", b"Upgrade, close"
)


class WebRealm(Realm):
    """HTTP and WebSocket."""

    def __init__(self, site: Site) -> None:
        super().__init__(site)
        self.settings = msgspec.structs.replace(
            WebSettings.of(site.settings), inner=self._inner, key=site.key, names=site.names, warn=site.warn
        )

    def _inner(self, kind: str, peer: Peer) -> Door:
        """What is spoken inside a WebSocket."""
        return self.site.realm(kind).door(peer)

    def door(self, peer: Peer) -> WebDoor:
        return WebDoor(self.settings, address=peer.address, secure=peer.secure, local=peer.local, certfp=peer.certfp)

    def refuse_plain(self, data: bytes) -> bytes | None:
        """308 to the same place by https (RFC 9110 15.4.9); without a Host line 426 (15.5.22)."""
        if b"\r\n\r\n" not in data and b"\n\n" not in data:
            return None
        target, host = _TARGET.match(data.lstrip(b"\r\n")), _HOST.search(data)
        if target is None or host is None:
            return _UPGRADE
        return b"HTTP/1.1 308 Permanent Redirect\r\nLocation: https://" + host[1] + target[1] + b"\r\n" + _END
