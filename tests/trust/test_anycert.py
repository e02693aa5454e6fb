"""The engine that takes any certificate of a client, against Python's ssl as the client, without sockets."""

from __future__ import annotations

import random
import ssl
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tcpchat.trust import certificates
from tcpchat.trust.fingerprint import CertificateError
from tcpchat.trust.tls import HANDSHAKE_MAX, Tls, TlsLayer

pytest.importorskip("OpenSSL")

from tcpchat.trust import openssl_layer
from tcpchat.trust.openssl_layer import AnyCertLayer


class Peer:
    """A client that talks to a layer in memory."""

    def __init__(self, layer: AnyCertLayer, own: certificates.Certificate | None = None, alpn: str = "") -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if own is not None:
            context.load_cert_chain(own.cert, own.key)
        if alpn:
            context.set_alpn_protocols([alpn])
        self.layer, self.down, self.up = layer, ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.down, self.up)
        self.heard = b""

    def do(self, step: Callable[[], object]) -> object:
        """One step of the client, with everything that goes to and fro for it."""
        for _ in range(6):
            try:
                return step()
            except ssl.SSLWantReadError:
                self.pass_on()
        raise AssertionError("this does not end")

    def pass_on(self) -> None:
        self.heard += self.layer.receive(self.up.read())
        self.down.write(self.layer.data_to_send())

    def shake_hands(self) -> Peer:
        self.do(self.tls.do_handshake)
        self.pass_on()
        return self


@pytest.fixture
def layer(tmp_path: Path) -> AnyCertLayer:
    return AnyCertLayer(openssl_layer.context(certificates.own(tmp_path), ("irc",)), "SHA256:x")


def test_a_conversation(layer: AnyCertLayer, tmp_path: Path) -> None:
    layer.send(b"too early")
    peer = Peer(layer, certificates.own(tmp_path / "mine"), alpn="irc").shake_hands()
    assert layer.established
    assert len(layer.certfp) == 64
    assert peer.tls.selected_alpn_protocol() == "irc"
    large = random.Random(1).randbytes(1_000_000)
    layer.send(large)
    got = b""
    while len(got) < len(large):
        got += peer.do(lambda: peer.tls.read(1 << 16))  # type: ignore[operator]
    assert got == large
    peer.tls.write(large)
    peer.pass_on()
    assert peer.heard == large
    layer.close()
    peer.down.write(layer.data_to_send())
    assert peer.do(lambda: peer.tls.read(1)) == b""
    peer.tls.unwrap()
    peer.pass_on()
    assert layer.ended
    layer.close()


def test_without_a_certificate(layer: AnyCertLayer) -> None:
    peer = Peer(layer, alpn="h2").shake_hands()
    assert layer.established
    assert layer.certfp == ""
    assert peer.tls.selected_alpn_protocol() is None


def test_garbage_before_and_behind_the_handshake(tmp_path: Path) -> None:
    context = openssl_layer.context(certificates.own(tmp_path))
    noise = random.Random(7)
    for _ in range(200):
        layer = AnyCertLayer(context)
        layer.receive(b"\x16\x03\x01" + noise.randbytes(noise.randrange(300)))
        layer.receive(noise.randbytes(noise.randrange(300)))
        layer.data_to_send()
        layer.close()
    layer = AnyCertLayer(context)
    Peer(layer).shake_hands()
    layer.receive(b"\x17\x03\x03\x00\x20" + bytes(32))
    assert layer.closing
    assert layer.data_to_send()  # an alert, encrypted
    assert layer.receive(b"more") == b""
    layer.send(b"nobody hears this")
    layer.close()


def test_handshake_cut_and_bent_anywhere(tmp_path: Path) -> None:
    """With a client's certificate on its way; TLS 1.3 has it encrypted, 1.2 in the clear."""
    context, own = openssl_layer.context(certificates.own(tmp_path)), certificates.own(tmp_path / "mine")
    noise = random.Random(3)
    for _ in range(150):
        layer = AnyCertLayer(context)
        peer = Peer(layer, own)
        for _ in range(3):
            try:
                peer.tls.do_handshake()
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLError:
                break
            data = bytearray(peer.up.read())
            if data and noise.random() < 0.5:
                data[noise.randrange(len(data))] ^= 1 << noise.randrange(8)
            layer.receive(bytes(data))
            peer.down.write(layer.data_to_send())
        assert layer.established or layer.certfp == ""


def test_a_handshake_has_an_end(layer: AnyCertLayer) -> None:
    hello = b"\x16\x03\x01\x40\x00\x01\x00\xff\xff" + bytes(0x4000 - 4)
    sent = 0
    while not layer.closing:
        layer.receive(hello)
        sent += len(hello)
        assert sent <= 2 * HANDSHAKE_MAX


def test_the_choice_of_the_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    up = ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), up, server_hostname="localhost").do_handshake()
    hello = up.read()
    asking = Tls(tmp_path, ask=True)
    assert isinstance(asking.layer(hello), AnyCertLayer)
    assert isinstance(asking.layer(b"\x16garbage"), TlsLayer)
    asking.reload()
    assert isinstance(asking.layer(hello), AnyCertLayer)
    assert isinstance(Tls(tmp_path).layer(hello), TlsLayer)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert isinstance(Tls(tmp_path, ask=True).layer(hello), TlsLayer)


def test_files_that_do_not_fit(tmp_path: Path) -> None:
    mine, other = certificates.own(tmp_path / "mine"), certificates.own(tmp_path / "other")
    with pytest.raises(CertificateError, match="do not make a certificate"):
        openssl_layer.context(mine._replace(key=other.key))


def test_it_is_not_loaded_without_need() -> None:
    """A client, and a server without TLS, start without it."""
    import subprocess

    code = "import sys, tcpchat, tcpchat.server, tcpchat.trust.tls; sys.exit('OpenSSL' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
