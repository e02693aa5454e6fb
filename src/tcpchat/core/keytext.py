"""How a public key is written: one key has one spelling, whatever base64 a client makes of it."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode

SIZES = {"ed25519": 32, "p256": 65}  # bytes: RFC 8032, section 5.1.5; an uncompressed point (SEC 1, section 2.3.3)
WRITTEN_MAX = 200  # characters; longer is no key of these


def canonical(key: str) -> str:
    """The key as base64url without padding; what is no such key stays as it is."""
    kind, _, text = key.partition(":")
    if kind not in SIZES or len(text) > WRITTEN_MAX:
        return key
    try:
        raw = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        return key
    return f"{kind}:{urlsafe_b64encode(raw).rstrip(b'=').decode()}" if len(raw) == SIZES[kind] else key
