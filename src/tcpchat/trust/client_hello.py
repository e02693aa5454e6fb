"""The first record of a TLS client, read for what it wants to speak (ALPN): it comes in the clear."""

from __future__ import annotations

HANDSHAKE, CLIENT_HELLO, ALPN = 22, 1, 16
HEADER = 5  # of a record
RECORD_MAX = HEADER + 16_384 + 256  # RFC 8446 5.1


def whole(data: bytes) -> bool:
    """Is the first record complete, or is it none whose rest is worth waiting for?"""
    if data[:1] != b"\x16":
        return True
    length = HEADER + int.from_bytes(data[3:HEADER], "big")
    return len(data) >= HEADER and (length > RECORD_MAX or len(data) >= length)


def protocols(data: bytes) -> tuple[bytes, ...] | None:
    """The protocols that a ClientHello names, () when it names none; None for what is no ClientHello in one record."""
    end = HEADER + int.from_bytes(data[3:HEADER], "big")
    if data[:1] != b"\x16" or len(data) < end or data[HEADER : HEADER + 1] != bytes([CLIENT_HELLO]):
        return None
    if int.from_bytes(data[6:9], "big") > end - 9:
        return None  # it goes on in another record, as no client has need to
    try:
        return _protocols(data[9:end])
    except IndexError:
        return None


def _protocols(body: bytes) -> tuple[bytes, ...]:
    """RFC 8446 4.1.2: version, random, session id, cipher suites, compression methods, extensions."""
    place = 34
    place += 1 + body[place]
    place += 2 + (body[place] << 8 | body[place + 1])
    place += 1 + body[place]
    if place == len(body):
        return ()  # TLS 1.2 without extensions
    end = place + 2 + (body[place] << 8 | body[place + 1])
    place += 2
    while place < end:
        kind, length = body[place] << 8 | body[place + 1], body[place + 2] << 8 | body[place + 3]
        place += 4
        if kind == ALPN:
            return _names(body[place + 2 : place + length])
        place += length
    return ()


def _names(text: bytes) -> tuple[bytes, ...]:
    names = []
    while text:
        names.append(text[1 : 1 + text[0]])
        text = text[1 + text[0] :]
    return tuple(names)
