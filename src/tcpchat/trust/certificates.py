"""The server's certificate: made by itself at first start, kept in the data folder, renewed before it ends.

The key stays the same over every renewal, so that clients which trust its fingerprint notice nothing. Real
certificates (from a certificate authority) are given as files and only read.
"""

from __future__ import annotations

import datetime
import ipaddress
import os
import socket
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tcpchat.trust import fingerprint
from tcpchat.trust.fingerprint import CertificateError

KEY_FILE, CERT_FILE = "tls-key.pem", "tls-cert.pem"
DAYS = 825  # the longest that browsers and Apple's systems take from a certificate that a person trusts by hand
RENEW_DAYS = 30
BACKDATED = datetime.timedelta(days=1)  # clocks of other machines may be behind


class Certificate(NamedTuple):
    """Files of a certificate and its key, and the fingerprint of that key."""

    cert: Path
    key: Path
    fingerprint: str
    ends: datetime.datetime
    begins: datetime.datetime

    def due(self, now: datetime.datetime | None = None) -> bool:
        """Must a self-made one be made anew: it ends soon, or the clock that it was made by was wrong?"""
        now = now or datetime.datetime.now(datetime.UTC)
        return self.ends - now < datetime.timedelta(days=RENEW_DAYS) or self.begins > now


def given(cert: Path, key: Path | None = None) -> Certificate:
    """A certificate that the operator has; the key may be in the same file. Raises CertificateError."""
    found = _read_cert(cert)
    key = key or cert
    private = _read_key(key)
    if _public(private) != _public_of(found):
        raise CertificateError(f"{key} is not the key of the certificate in {cert}.")
    return _certificate(found, cert, key)


def own(folder: Path, now: datetime.datetime | None = None, names: Iterable[str] = ()) -> Certificate:
    """The certificate in this folder: made when there is none, renewed with the same key when it ends soon.

    ``names`` are more names or addresses that it should hold. Raises CertificateError.
    """
    now = now or datetime.datetime.now(datetime.UTC)
    folder.mkdir(parents=True, exist_ok=True)
    key_file, cert_file = folder / KEY_FILE, folder / CERT_FILE
    private = _read_key(key_file) if key_file.exists() else _make_key(key_file)
    found = _read_cert(cert_file) if cert_file.exists() else None
    fits = found is not None and _public_of(found) == _public(private)
    if found is None or not fits or _certificate(found, cert_file, key_file).due(now):
        found = _make_cert(private, now, {*host_names(), *names})
        _write(cert_file, found.public_bytes(Encoding.PEM), 0o644)
    return _certificate(found, cert_file, key_file)


def _certificate(found: x509.Certificate, cert: Path, key: Path) -> Certificate:
    shown = fingerprint.of_key(_public_of(found))
    return Certificate(cert, key, shown, found.not_valid_after_utc, found.not_valid_before_utc)


def names_of(certificate: Certificate) -> list[str]:
    """The names in a certificate, as it was when this is asked; none when it cannot be read."""
    try:
        extensions = _read_cert(certificate.cert).extensions
        return list(
            extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(x509.DNSName)
        )
    except (CertificateError, x509.ExtensionNotFound, ValueError):
        return []


def host_names() -> list[str]:
    """What this machine is called, and its addresses."""
    name = socket.gethostname()
    found = {"localhost", name, "127.0.0.1", "::1"}
    try:
        for _, _, _, _, address in socket.getaddrinfo(name, None, type=socket.SOCK_STREAM):
            found.add(str(address[0]).partition("%")[0])
    except OSError:
        pass  # a machine that does not know its own name
    return sorted(found | set(_routed()))


def _routed() -> list[str]:
    """The addresses that this machine uses towards others. Nothing is sent: a datagram socket only looks up the
    route (to the networks for documentation, RFC 5737 and RFC 3849)."""
    found = []
    for family, target in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as sock:
                sock.connect((target, 9))
                found.append(str(sock.getsockname()[0]).partition("%")[0])
        except OSError:
            continue
    return found


# -- making ----------------------------------------------------------------------------------------------------------


def _make_key(path: Path) -> ec.EllipticCurvePrivateKey:
    """A P-256 key: every browser, IRC client and TLS library takes it (Ed25519 certificates few)."""
    private = ec.generate_private_key(ec.SECP256R1())
    _write(path, private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), 0o600)
    return private


def _make_cert(private: ec.EllipticCurvePrivateKey, now: datetime.datetime, names: Iterable[str]) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tcpchat")])
    usage = x509.KeyUsage(
        digital_signature=True, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=False, crl_sign=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    builder = (
        x509.CertificateBuilder(subject, subject, private.public_key(), x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + datetime.timedelta(days=DAYS))
        .add_extension(x509.SubjectAlternativeName([_general(name) for name in sorted(names) if _usable(name)]), False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
        .add_extension(usage, True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(private.public_key()), False)
    )
    return builder.sign(private, hashes.SHA256())


def _usable(name: str) -> bool:
    return bool(name) and name.isascii() and len(name) <= 253 and all(c.isalnum() or c in "-._:" for c in name)


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


# -- files -----------------------------------------------------------------------------------------------------------


def _read_key(path: Path) -> ec.EllipticCurvePrivateKey:
    try:
        private = load_pem_private_key(path.read_bytes(), None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise CertificateError(f"{path} is not a private key that can be used: {_why(error)}") from None
    return private  # type: ignore[return-value]  # a given one may be of another kind: only its public half is asked


def _read_cert(path: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificates(path.read_bytes())[0]
    except (OSError, ValueError) as error:
        raise CertificateError(f"{path} is not a certificate that can be used: {_why(error)}") from None


def _why(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error or type(error).__name__)


def _public(private: ec.EllipticCurvePrivateKey) -> bytes:
    return private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _public_of(cert: x509.Certificate) -> bytes:
    try:
        return cert.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise CertificateError(f"The certificate has a key that cannot be used: {_why(error)}") from None


def _write(path: Path, data: bytes, mode: int) -> None:
    """Whole or not at all, and never readable for others in between. Raises CertificateError."""
    try:
        handle, made = tempfile.mkstemp(dir=path.parent, prefix=".tls-")  # mode 0600
        try:
            with os.fdopen(handle, "wb") as out:
                out.write(data)
                out.flush()
                os.fsync(out.fileno())
            os.chmod(made, mode)
            os.replace(made, path)
        finally:
            Path(made).unlink(missing_ok=True)
    except OSError as error:
        raise CertificateError(f"{path} cannot be written: {error.strerror}") from None
