"""Fingerprints, their words, the file of known servers, certificates."""

from __future__ import annotations

import datetime
import os
import ssl
import threading
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tcpchat.trust import certificates, fingerprint
from tcpchat.trust.fingerprint import CertificateError
from tcpchat.trust.known import Known, KnownError, address
from tcpchat.trust.wordlist import WORDS

ONE, TWO = fingerprint.of_key(b"one"), fingerprint.of_key(b"two")


def test_words() -> None:
    assert len(WORDS) == len(set(WORDS)) == 256
    assert len(fingerprint.words(ONE).split()) == 8
    assert fingerprint.words("SHA256:short") == fingerprint.words("SHA256:!") == ""
    assert fingerprint.is_fingerprint(ONE)
    assert not fingerprint.is_fingerprint(ONE[7:])


def test_the_key_is_found_in_every_certificate(tmp_path: Path) -> None:
    found = certificates.own(tmp_path)
    der = ssl.PEM_cert_to_DER_cert(found.cert.read_text())
    assert fingerprint.of_certificate(der) == found.fingerprint
    for end in range(len(der) - 150):
        with pytest.raises(ValueError, match="not a certificate"):
            fingerprint.of_certificate(der[:end])
    with pytest.raises(ValueError, match="not a certificate"):
        fingerprint.of_certificate(b"0\x85" + bytes(50))


def test_the_own_certificate(tmp_path: Path) -> None:
    first = certificates.own(tmp_path, names=["chat.example", "bad name", "192.0.2.7"])
    assert os.stat(first.key).st_mode & 0o777 == 0o600
    cert = x509.load_pem_x509_certificate(first.cert.read_bytes())
    names = cert.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert {"localhost", "chat.example"} <= set(names.get_values_for_type(x509.DNSName))
    assert {"127.0.0.1", "::1", "192.0.2.7"} <= {str(a) for a in names.get_values_for_type(x509.IPAddress)}
    assert certificates.own(tmp_path) == first


def test_renewed_with_the_same_key(tmp_path: Path) -> None:
    now = datetime.datetime.now(datetime.UTC)
    old = certificates.own(tmp_path, now - datetime.timedelta(days=certificates.DAYS - 29))
    new = certificates.own(tmp_path, now)
    assert new.fingerprint == old.fingerprint
    assert new.ends > old.ends
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["tls-cert.pem", "tls-key.pem"]


def test_a_certificate_of_another_key_is_made_anew(tmp_path: Path) -> None:
    other = certificates.own(tmp_path / "other")
    mine = certificates.own(tmp_path)
    mine.cert.write_bytes(other.cert.read_bytes())
    assert certificates.own(tmp_path).fingerprint == mine.fingerprint


def test_files_that_cannot_be_used(tmp_path: Path) -> None:
    one, two = certificates.own(tmp_path / "1"), certificates.own(tmp_path / "2")
    with pytest.raises(CertificateError, match="not the key"):
        certificates.given(one.cert, two.key)
    with pytest.raises(CertificateError, match="not a certificate"):
        certificates.given(one.key)
    one.key.write_text("nothing")
    with pytest.raises(CertificateError, match="is not a private key"):
        certificates.own(tmp_path / "1")
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError):
        certificates.own(tmp_path / "file")


def test_a_given_key_may_be_of_another_kind_and_in_the_same_file(tmp_path: Path) -> None:
    private = rsa.generate_private_key(65537, 2048)
    made = certificates._make_cert(private, datetime.datetime.now(datetime.UTC), ["localhost"])  # type: ignore[arg-type]
    both = tmp_path / "both.pem"
    key = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    both.write_bytes(made.public_bytes(Encoding.PEM) + key)
    assert certificates.given(both).fingerprint.startswith("SHA256:")


# -- known servers ---------------------------------------------------------------------------------------------------


def test_known_servers(tmp_path: Path) -> None:
    known = Known(tmp_path / "folder" / "known_servers")
    assert known.all() == []
    assert known.find("chat", 6060) == ""
    assert known.forget("chat") == []
    known.add("Chat", 6060, ONE)
    known.add("chat", 7070, TWO)
    known.add("::1", 6060, "system")
    assert known.find("CHAT.", 6060) == ONE
    assert known.find("::1", 6060) == "system"
    known.add("chat", 6060, TWO)
    assert known.find("chat", 6060) == TWO
    assert [one.address for one in known.forget("chat", 7070)] == ["chat:7070"]
    known.add("chat", 7070, ONE)
    assert len(known.forget("chat")) == 2
    assert [one.address for one in known.all()] == ["[::1]:6060"]
    assert [path.name for path in known.path.parent.iterdir()] == ["known_servers"]


def test_a_damaged_file_trusts_nobody(tmp_path: Path) -> None:
    path = tmp_path / "known_servers"
    path.write_text("chat:6060 SHA256:cut\n")
    with pytest.raises(KnownError, match="line 1"):
        Known(path).find("other", 1)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(KnownError, match="cannot be read"):
        Known(path).all()


def test_many_write_at_once(tmp_path: Path) -> None:
    known = Known(tmp_path / "known_servers")
    threads = [threading.Thread(target=known.add, args=(f"host{i}", 1, ONE)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(known.all()) == 8


def test_addresses() -> None:
    assert address("A.example", 1) == "a.example:1"
    assert address("::1", 1) == "[::1]:1"
