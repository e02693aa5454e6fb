"""TLS that takes whatever certificate a client shows, as people on IRC make them themselves, and tells its fingerprint.

Python's own ssl refuses each certificate that no authority vouches for, in the middle of the handshake. pyOpenSSL lets
the server decide: the client proves that it has the certificate's key (OpenSSL checks that in any case), and who
vouches for it does not matter where the fingerprint was registered before. An optional dependency:
``tcpchat[certificates]``.

Only clients that may be IRC clients are asked for a certificate: browsers would bother people with a question.
"""

from __future__ import annotations

import logging
import os
from functools import partial
from typing import Any

from OpenSSL import SSL

from tcpchat.trust.certificates import Certificate
from tcpchat.trust.fingerprint import CertificateError
from tcpchat.trust.tls import HANDSHAKE_MAX, RECORD

logger = logging.getLogger("tcpchat.trust")

OUT = 65_536  # bytes taken from OpenSSL at a time


class AnyCertLayer:
    """One connection's encryption, server side. Fulfils server.layer.Layer."""

    __slots__ = ("_came", "_tls", "certfp", "closing", "ended", "established", "fingerprint")

    def __init__(self, context: SSL.Context, fingerprint: str = "") -> None:
        self._tls = SSL.Connection(context, None)
        self._tls.set_accept_state()
        self._came = 0
        self.established = False
        self.ended = False
        self.closing = False
        self.fingerprint = fingerprint
        self.certfp = ""

    def receive(self, data: bytes) -> bytes:
        """Take bytes from the network, return what they decrypt to."""
        if self.closing or not data:
            return b""
        try:
            self._tls.bio_write(data)
            if not self.established and not self._shake_hands(len(data)):
                return b""
            return self._read()
        except SSL.Error as error:  # an alert for the peer waits in data_to_send()
            logger.debug("! TLS: %r", error)
            self.closing = True
            return b""

    def _shake_hands(self, count: int) -> bool:
        self._came += count
        try:
            self._tls.do_handshake()
        except SSL.WantReadError:
            self.closing = self._came > HANDSHAKE_MAX
            return False
        self.established = True
        peer = self._tls.get_peer_certificate()
        self.certfp = peer.digest("sha256").replace(b":", b"").decode().lower() if peer is not None else ""
        return True

    def _read(self) -> bytes:
        pieces = []
        try:
            while piece := self._tls.recv(RECORD):
                pieces.append(piece)
        except SSL.WantReadError:
            pass
        except SSL.ZeroReturnError:
            self.ended = True
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def send(self, data: bytes) -> None:
        """Encrypt; the bytes wait in data_to_send(). Before the handshake is done nothing can be said."""
        if self.established and data:
            try:
                self._tls.sendall(data)
            except SSL.Error as error:
                logger.debug("! TLS: %r", error)
                self.closing = True

    def close(self) -> None:
        """Say that nothing more comes (close_notify); the bytes wait in data_to_send()."""
        if self.established:
            try:
                self._tls.shutdown()
            except SSL.Error:
                pass  # the peer has broken it off

    def data_to_send(self) -> bytes:
        """Return and forget the bytes for the network."""
        pieces = []
        try:
            while True:
                pieces.append(self._tls.bio_read(OUT))
        except SSL.Error:  # WantReadError: that was all
            return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def context(certificate: Certificate, alpn: tuple[str, ...] = ()) -> SSL.Context:
    """What all connections with one certificate share. Raises CertificateError."""
    made = SSL.Context(SSL.TLS_SERVER_METHOD)
    made.set_min_proto_version(SSL.TLS1_2_VERSION)
    made.set_options(SSL.OP_NO_RENEGOTIATION | SSL.OP_NO_COMPRESSION | SSL.OP_NO_TICKET)
    # IRC connections live for days: to take one up again saves nothing, and each shows its certificate itself.
    made.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    made.set_mode(SSL.MODE_RELEASE_BUFFERS)  # 34 KB a connection that is silent, as Python's own ssl gives back too
    made.set_verify(SSL.VERIFY_PEER, _welcome)
    if alpn:
        made.set_alpn_select_callback(partial(_select, alpn))
    try:
        made.use_certificate_chain_file(os.fspath(certificate.cert))
        made.use_privatekey_file(os.fspath(certificate.key))
        made.check_privatekey()
    except SSL.Error as error:
        raise CertificateError(f"{certificate.cert} and {certificate.key} do not make a certificate: {error}") from None
    return made


def _welcome(*_: Any) -> bool:
    """Any certificate will do: what it opens is decided by its fingerprint."""
    return True


def _select(spoken: tuple[str, ...], _: Any, offered: list[bytes]) -> Any:
    return next((one for one in offered if one.decode("latin-1") in spoken), SSL.NO_OVERLAPPING_PROTOCOLS)
