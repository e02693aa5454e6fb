"""Which protocol a connection speaks: decided once, by its first bytes."""

from __future__ import annotations

from tcpchat.doors.registry import KINDS

FIRST_BYTES_MAX = 1024  # who has not said by then what it speaks is not one of ours


def choose(data: bytes) -> str:
    """Say what the first bytes of a connection speak.

    The name of a row of the registry, or "tls"; "more" when they do not decide yet, "none" when they never will.
    Blank lines before the first word are passed over (people press Enter; RFC 9112 2.2 asks the same for HTTP).
    """
    if data[:1] == b"\x16":  # a TLS record of type handshake, RFC 8446 5.1
        return "tls"
    head = data[:FIRST_BYTES_MAX].lstrip(b"\r\n")
    open_ended = not head
    if head:
        for kind in KINDS.values():
            speaks = kind.speaks(head)
            if speaks:
                return kind.name
            open_ended = open_ended or speaks is None
    return "more" if open_ended and len(data) < FIRST_BYTES_MAX else "none"
