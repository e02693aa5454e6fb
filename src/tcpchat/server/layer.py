"""What may stand between a connection and its door: a layer of encryption."""

from __future__ import annotations

from typing import Protocol

TLS_REFUSED = b"\x15\x03\x01\x00\x02\x02\x28"  # alert handshake_failure (RFC 8446, 6.2): clients fall back at once


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
