"""The fingerprint of a server: SHA-256 of its public key, as text and in words.

Of the key, not of the certificate: a renewed certificate for the same key is still the same server (RFC 7469 2.4).
Needs no cryptography library, so that a client is quick to start.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256

from tcpchat.trust.wordlist import WORDS

PREFIX = "SHA256:"
WORD_COUNT = 8  # 64 bits: nobody makes a second key with the same words
_SEQUENCE, _VERSION = 0x30, 0xA0


class CertificateError(Exception):
    """A key or certificate cannot be used; the text says which file and why."""


def of_key(info: bytes) -> str:
    """The fingerprint of a SubjectPublicKeyInfo (DER)."""
    return PREFIX + urlsafe_b64encode(sha256(info).digest()).rstrip(b"=").decode()


def of_certificate(der: bytes) -> str:
    """The fingerprint of the public key in a certificate (DER). Raises ValueError for what is none."""
    return of_key(key_info(der))


def words(fingerprint: str) -> str:
    """The first bytes of a fingerprint in words; "" for what is no fingerprint."""
    encoded = fingerprint.removeprefix(PREFIX)
    try:
        digest = urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
    except ValueError:
        return ""
    return " ".join(WORDS[byte] for byte in digest[:WORD_COUNT]) if len(digest) == 32 else ""


def is_fingerprint(text: str) -> bool:
    """Could this be a fingerprint?"""
    return text.startswith(PREFIX) and bool(words(text))


def key_info(der: bytes) -> bytes:
    """The SubjectPublicKeyInfo of a certificate (RFC 5280 4.1). Raises ValueError."""
    _, start, end, _ = _element(der, 0, len(der))  # Certificate
    _, place, end, _ = _element(der, start, end)  # TBSCertificate
    tag, _, _, behind = _element(der, place, end)
    if tag == _VERSION:
        place = behind
    for _field in ("serialNumber", "signature", "issuer", "validity", "subject"):
        _, _, _, place = _element(der, place, end)
    tag, _, _, behind = _element(der, place, end)
    if tag != _SEQUENCE:
        raise ValueError("not a certificate")
    return der[place:behind]


def _element(der: bytes, place: int, end: int) -> tuple[int, int, int, int]:
    """One DER element: its tag, where its content starts and ends, and where the next begins (X.690 8.1)."""
    if place + 2 > end:
        raise ValueError("not a certificate")
    tag, length, start = der[place], der[place + 1], place + 2
    if length & 0x80:
        count = length & 0x7F
        if not 1 <= count <= 4 or start + count > end:
            raise ValueError("not a certificate")
        length = int.from_bytes(der[start : start + count], "big")
        start += count
    if start + length > end:
        raise ValueError("not a certificate")
    return tag, start, start + length, start + length
