"""TLS as a codec: bytes in, bytes out, no sockets (ssl.MemoryBIO). It stands in front of any door.

The driver feeds what came from the network and writes what ``data_to_send`` returns; what a peer sends wrongly ends
the connection by an alert, never by an exception.
"""

from __future__ import annotations

import importlib.util
import logging
import ssl
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from tcpchat.trust.certificates import Certificate, given, own
from tcpchat.trust.client_hello import protocols
from tcpchat.trust.fingerprint import CertificateError

if TYPE_CHECKING:
    from OpenSSL import SSL

    from tcpchat.trust.openssl_layer import AnyCertLayer

logger = logging.getLogger("tcpchat.trust")

HANDSHAKE_MAX = 65_536  # bytes of a peer until its handshake is done; with a chain of client certificates it is ~10,000
RECORD = 16_384  # the most that one TLS record holds, RFC 8446 5.1


class TlsLayer:
    """One connection's encryption, server side. Fulfils server.layer.Layer."""

    __slots__ = (
        "_came",
        "_incoming",
        "_outgoing",
        "_sealed",
        "_tls",
        "certfp",
        "closing",
        "ended",
        "established",
        "fingerprint",
    )

    def __init__(self, context: ssl.SSLContext, fingerprint: str = "") -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._sealed: list[bytes] = []  # encrypted already
        self._came = 0
        self.established = False  # the handshake is done
        self.ended = False  # the peer has said that nothing more comes
        self.closing = False  # write what is left and close: the peer does not speak TLS as it should
        self.fingerprint = fingerprint  # of the certificate that this connection was shown
        self.certfp = ""  # SHA-256 of the peer's own certificate, in hex

    def receive(self, data: bytes) -> bytes:
        """Take bytes from the network, return what they decrypt to."""
        if self.closing:
            return b""
        self._incoming.write(data)
        try:
            if not self.established and not self._shake_hands(len(data)):
                return b""
            return self._read()
        except ssl.SSLError as error:  # an alert for the peer waits in data_to_send()
            logger.debug("! TLS: %s", error.reason or error)
            self.closing = True
            return b""

    def _shake_hands(self, count: int) -> bool:
        self._came += count
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self.closing = self._came > HANDSHAKE_MAX
            return False
        self.established = True
        peer = self._tls.getpeercert(binary_form=True)
        self.certfp = sha256(peer).hexdigest() if peer else ""
        return True

    def _read(self) -> bytes:
        pieces = []
        try:
            while piece := self._tls.read(RECORD):
                pieces.append(piece)
            self.ended = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.ended = True
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def send(self, data: bytes) -> None:
        """Encrypt; the bytes wait in data_to_send(). Before the handshake is done nothing can be said."""
        if self.established and data:
            try:
                for start in range(0, len(data), RECORD):  # what OpenSSL gathers it never gives back to the system
                    self._tls.write(data[start : start + RECORD])
                    self._sealed.append(self._outgoing.read())
            except ssl.SSLError as error:
                logger.debug("! TLS: %s", error.reason or error)
                self.closing = True

    def close(self) -> None:
        """Say that nothing more comes (close_notify); the bytes wait in data_to_send()."""
        if self.established:
            try:
                self._tls.unwrap()
            except ssl.SSLError:
                pass  # it waits for the peer's own goodbye, or the peer has broken it off

    def data_to_send(self) -> bytes:
        """Return and forget the bytes for the network."""
        sealed, self._sealed = self._sealed, []
        return b"".join([*sealed, self._outgoing.read()])


class Tls:
    """The TLS of a server: makes layers, re-reads its certificate without dropping anyone."""

    def __init__(
        self,
        folder: Path,
        cert: str = "",
        key: str = "",
        client_ca: str = "",
        *,
        name: str = "",
        ask: bool = False,
        alpn: tuple[str, ...] = (),
    ) -> None:
        """``ask``: take any certificate that an IRC client has, if pyOpenSSL is installed. ``alpn``: the protocols
        (RFC 7301); who asks for none of them is served all the same."""
        self._folder, self._cert, self._key, self._client_ca = folder, cert, key, client_ca
        self._names = [name] if name else []
        self._alpn = alpn
        self._ask = ask and importlib.util.find_spec("OpenSSL") is not None
        self.certificate: Certificate
        self._context: ssl.SSLContext
        self._asking: SSL.Context | None = None
        self.reload()

    @property
    def fingerprint(self) -> str:
        """Of the key that new connections are shown."""
        return self.certificate.fingerprint

    @property
    def due(self) -> bool:
        """Must the self-signed certificate be renewed? (A given one is its operator's to renew.)"""
        return not self._cert and self.certificate.due()

    def reload(self) -> None:
        """Read (or renew) the certificate; connections from now on get it. Raises CertificateError, keeping the old."""
        if self._cert:
            certificate = given(Path(self._cert), Path(self._key) if self._key else None)
        else:
            certificate = own(self._folder, names=self._names)
        made = context(certificate, self._client_ca, self._alpn)
        if self._ask:
            from tcpchat.trust import openssl_layer

            self._asking = openssl_layer.context(certificate, self._alpn)
        self._context, self.certificate = made, certificate

    def layer(self, hello: bytes = b"") -> TlsLayer | AnyCertLayer:
        """Encryption for one new connection, whose first record this is. Browsers and our own clients say what they
        speak (ALPN) and have no certificate that could be asked for; IRC clients say nothing, or "irc"."""
        if self._asking is not None and (spoken := protocols(hello)) is not None and (not spoken or b"irc" in spoken):
            from tcpchat.trust.openssl_layer import AnyCertLayer

            return AnyCertLayer(self._asking, self.certificate.fingerprint)
        return TlsLayer(self._context, self.certificate.fingerprint)


def context(certificate: Certificate, client_ca: str = "", alpn: tuple[str, ...] = ()) -> ssl.SSLContext:
    """What all connections with one certificate share. Raises CertificateError."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION  # CVE-2011-1473, CVE-2012-4929
    made.num_tickets = 1  # of TLS 1.3: enough for a browser's next connection
    if alpn:
        made.set_alpn_protocols(list(alpn))
    try:
        made.load_cert_chain(certificate.cert, certificate.key)
    except (OSError, ssl.SSLError) as error:
        raise CertificateError(f"{certificate.cert} and {certificate.key} do not make a certificate: {error}") from None
    if client_ca:
        _ask_for_certificates(made, client_ca)
    return made


def _ask_for_certificates(made: ssl.SSLContext, client_ca: str) -> None:
    """Take certificates from clients, if they have one that this file vouches for. Python's ssl cannot take just any:
    a peer with another one could not connect at all, hence nobody is asked without such a file (trust.anycert can)."""
    try:
        made.load_verify_locations(client_ca)
    except (OSError, ssl.SSLError) as error:
        raise CertificateError(f"{client_ca} holds no certificates that can be used: {error}") from None
    made.verify_mode = ssl.CERT_OPTIONAL
    made.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # the file may hold the clients' own certificates
