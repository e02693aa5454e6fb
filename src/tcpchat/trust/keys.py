"""Keys of people: made at first run, kept in a file only its owner can read, used to sign challenges.

A public key is written ``ed25519:<base64url>`` (raw, 32 bytes) or ``p256:<base64url>`` (uncompressed point).
"""

from __future__ import annotations

import os
import tempfile
from base64 import urlsafe_b64decode, urlsafe_b64encode
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from tcpchat.core.keytext import SIZES, canonical


class KeyFileError(Exception):
    """A key file cannot be used; the text says which and why."""


class KeyNotKept(KeyFileError):
    """There is no key, and no file can be made for one; the text says which and why."""


class Key:
    """One person's private key."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private

    @property
    def public(self) -> str:
        """The public key as text."""
        raw = self._private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        return "ed25519:" + _text(raw)

    def sign(self, text: str) -> str:
        """The signature over the UTF-8 of ``text``, base64url."""
        return _text(self._private.sign(text.encode()))

    @classmethod
    def make(cls) -> Key:
        """A new key, in memory only."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def load(cls, path: Path | str) -> Key:
        """Read a key from a PEM file (PKCS 8). Raises KeyFileError."""
        try:
            private = load_pem_private_key(Path(path).read_bytes(), None)
        except OSError as error:
            raise KeyFileError(f"{path} is not a key that can be used: {error.strerror}") from None
        except (ValueError, TypeError):
            raise KeyFileError(f"{path} is not a key that can be used: it is no PEM file of a private key.") from None
        if not isinstance(private, Ed25519PrivateKey):
            raise KeyFileError(f"{path} holds another kind of key; an Ed25519 key is needed.")
        return cls(private)

    def save(self, path: Path | str) -> None:
        """Write the key where only its owner can read it (mode 0600), whole or not at all.

        Raises FileExistsError: an existing file is not overwritten.
        """
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".key-")  # mode 0600
        try:
            with os.fdopen(handle, "wb") as out:
                out.write(self._private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
                out.flush()
                os.fsync(out.fileno())
            _place(name, path)
        finally:
            Path(name).unlink(missing_ok=True)

    @classmethod
    def load_or_make(cls, path: Path | str) -> Key:
        """The key in this file, made at the first use. Raises KeyFileError (KeyNotKept: it cannot be made)."""
        try:
            there = Path(path).exists()
        except OSError as error:  # in another account's home
            raise KeyNotKept(f"{path} cannot be looked at: {error.strerror}") from None
        if not there:
            try:
                key = cls.make()
                key.save(path)
                return key
            except FileExistsError:
                pass  # another process was a moment faster; its key is the key
            except OSError as error:
                raise KeyNotKept(f"{path} cannot be written: {error.strerror}") from None
        return cls.load(path)


def verify(public: str, text: str, signature: str) -> bool:
    """Does the signature over ``text`` fit the public key? False for anything malformed."""
    kind, _, encoded = public.partition(":")
    try:
        raw, signed = _bytes(encoded), _bytes(signature)
        if canonical(public) != public or len(raw) != SIZES.get(kind):
            return False  # one key would be many
        if kind == "ed25519":
            if _weak(raw):
                return False
            Ed25519PublicKey.from_public_bytes(raw).verify(signed, text.encode())
        elif kind == "p256":
            point = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), raw)
            point.verify(_der(signed), text.encode(), ec.ECDSA(hashes.SHA256()))
        else:
            return False
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


# Points of small order (y coordinates): whoever signs by one of them, the signature fits every text.
_SMALL = {
    0,
    1,
    (P := 2**255 - 19) - 1,
    int.from_bytes(bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little"),
    int.from_bytes(bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"), "little"),
}


def _weak(raw: bytes) -> bool:
    """Is this Ed25519 key of small order, or written in a second way (RFC 8032, section 5.1.3, step 1)?"""
    y = int.from_bytes(raw, "little") & ((1 << 255) - 1)
    return y >= P or y in _SMALL


def make_key(path: Path | str) -> Key:
    """A new key in a new file (mode 0600). Raises FileExistsError when there is one already."""
    key = Key.make()
    key.save(path)
    return key


def load_key(path: Path | str) -> Key:
    """The key in this file. Raises KeyFileError."""
    return Key.load(path)


def sign(key: Key, text: str) -> str:
    """The signature over the UTF-8 of ``text``, base64url."""
    return key.sign(text)


def _place(made: str, path: Path) -> None:
    """Give a file its name unless that is taken. Raises FileExistsError."""
    try:
        os.link(made, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        if path.exists():
            raise FileExistsError(path) from None
        os.replace(made, path)


def _der(signature: bytes) -> bytes:
    """Browsers (WebCrypto) write an ECDSA signature as r and s, 32 bytes each; everybody else in DER."""
    if len(signature) != 64:
        return signature
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    return encode_dss_signature(r, s)


def _text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
