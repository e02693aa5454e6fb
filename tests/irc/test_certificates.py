"""Logging in by the certificate of one's client: any certificate, also one that nobody vouches for, over real TLS."""

from __future__ import annotations

import base64
import datetime
import hashlib
import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from support.ircpeer import SETTINGS, Client, House, commands, only
from tcpchat.server import Server
from tcpchat.trust.client_hello import protocols, whole

pytest.importorskip("OpenSSL", reason="without pyOpenSSL certificates of clients are not asked for")


class Mine(NamedTuple):
    """A client's certificate, made as people on IRC make theirs."""

    path: Path
    fingerprint: str


def make(folder: Path, name: str, days: int = 30, key: str = "ec") -> Mine:
    private = ec.generate_private_key(ec.SECP256R1()) if key == "ec" else rsa.generate_private_key(65537, 2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    cert = (
        x509.CertificateBuilder(subject, subject, private.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=60))
        .not_valid_after(now + datetime.timedelta(days=days))
        .sign(private, hashes.SHA256())
    )
    path = folder / f"{name}.pem"
    secret = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(secret + cert.public_bytes(Encoding.PEM))
    return Mine(path, hashlib.sha256(cert.public_bytes(Encoding.DER)).hexdigest())


class TlsClient(Client):
    """An IRC connection over TLS, with a certificate or without."""

    def __init__(
        self, port: int, mine: Mine | None = None, version: ssl.TLSVersion | None = None, alpn: str = ""
    ) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if mine is not None:
            context.load_cert_chain(mine.path)
        if version is not None:
            context.maximum_version = version
        if alpn:
            context.set_alpn_protocols([alpn])
        super().__init__(port)
        self.socket = context.wrap_socket(self.socket, server_hostname="localhost")


class Secure(House):
    """A house whose clients come over TLS."""

    def connect(self, mine: Mine | None = None, version: ssl.TLSVersion | None = None, alpn: str = "") -> TlsClient:
        client = TlsClient(self.port, mine, version, alpn)
        self.clients.append(client)
        return client

    def external(self, nick: str, mine: Mine | None, account: str = "", **how: ssl.TLSVersion) -> TlsClient:
        """A client that logs in by SASL EXTERNAL, up to the answer."""
        client = self.connect(mine, **how)
        word = base64.b64encode(account.encode()).decode() if account else "+"
        client.send("CAP LS 302", "CAP REQ :sasl", f"NICK {nick}", "USER u 0 * :R")
        client.send("AUTHENTICATE EXTERNAL", f"AUTHENTICATE {word}")
        client.seen = client.until("903", "904", "906")
        return client


Start = Callable[..., Secure]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a server over one folder, also again."""
    opened: list[object] = []
    houses: list[Secure] = []

    def stop() -> None:
        while houses:
            houses.pop().close()
        while opened:
            opened.pop().__exit__(None, None, None)  # type: ignore[attr-defined]

    def begin(**settings: object) -> Secure:
        stop()
        folder = tmp_path / "data"
        folder.mkdir(exist_ok=True)
        context = Server.in_thread(host="127.0.0.1", port=0, data=folder, **{**SETTINGS, **settings})
        server = context.__enter__()
        opened.append(context)
        houses.append(Secure(server.port))
        return houses[-1]

    yield begin
    stop()


@pytest.fixture
def mine(tmp_path: Path) -> Mine:
    return make(tmp_path, "duck")


def notices(client: Client, line: str) -> str:
    return "\n".join(one.params[-1] for one in client.ask(line) if one.command == "NOTICE")


def offer(client: Client) -> dict[str, str]:
    """The capabilities that this connection is offered, with their values."""
    client.send("CAP LS 302")
    lines = [client.read()]
    while "*" in lines[-1].params[2:-1]:
        lines.append(client.read())
    words = [word.partition("=") for line in lines for word in line.params[-1].split()]
    return {name: value for name, _, value in words}


def duck(house: Secure, mine: Mine) -> Client:
    """The owner of the account duck, logged in by password, with a certificate that is not registered yet."""
    house.account("duck", "sesame")
    client = house.connect(mine)
    blob = base64.b64encode(b"\0duck\0sesame").decode()
    client.send("CAP REQ :sasl", "AUTHENTICATE PLAIN", f"AUTHENTICATE {blob}", "NICK duck", "USER u 0 * :R", "CAP END")
    assert client.until("001", "ERROR")[-1].command == "001"
    client.sync()
    return client


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_add_and_log_in(start: Start, mine: Mine, version: ssl.TLSVersion) -> None:
    house = start()
    first = duck(house, mine)
    assert mine.fingerprint in notices(first, "PRIVMSG NickServ :CERT LIST")
    assert f"Added {mine.fingerprint}" in notices(first, "PRIVMSG NickServ :CERT ADD")
    assert f"{mine.fingerprint} (this connection's)" in notices(first, "PRIVMSG NickServ :cert list")
    first.send("QUIT")
    first.closed()
    again = house.external("duck", mine, version=version)
    assert only(again.seen, "900").params[2] == "duck"
    assert offer(again)["sasl"] == "PLAIN,SCRAM-SHA-256,EXTERNAL"
    again.send("CAP END")
    assert again.until("001", "433")[-1].params[0] == "duck"
    again.sync()
    shown = only(again.ask("WHOIS duck"), "276")
    assert shown.params[-1].endswith(mine.fingerprint)
    stranger = house.connect()
    stranger.send("NICK goose", "USER g 0 * :G")
    stranger.until("001")
    stranger.sync()
    assert "276" not in commands(stranger.ask("WHOIS duck"))


def test_it_lasts_over_a_restart(start: Start, mine: Mine) -> None:
    notices(duck(start(), mine), "PRIVMSG NickServ :CERT ADD")
    again = start().external("duck", mine)
    assert again.seen[-1].command == "903"


def test_the_nick_alone_is_enough_with_its_certificate(start: Start, mine: Mine) -> None:
    house = start()
    notices(duck(house, mine), "PRIVMSG NickServ :CERT ADD")
    client = house.connect(mine)
    client.send("NICK duck", "USER u 0 * :R")
    assert client.until("001", "433")[-1].command == "001"
    assert only(client.ask("WHOIS duck"), "330").params[2] == "duck"
    without = house.connect()
    without.send("NICK duck", "USER u 0 * :R")
    assert without.until("001", "433")[-1].command == "433"


def test_unknown_certificates_break_nothing(start: Start, tmp_path: Path) -> None:
    house = start()
    for other in (make(tmp_path, "expired", days=-1), make(tmp_path, "rsa", key="rsa")):
        client = house.external("goose", other)
        assert client.seen[-1].command == "904"
        client.send("CAP END")
        assert client.until("001", "433")[-1].command == "001"
        client.send("QUIT")
        client.closed()


def test_without_a_certificate_external_is_not_offered(start: Start, mine: Mine) -> None:
    house = start()
    for client in (house.connect(), house.connect(mine, alpn="http/1.1"), Client(house.port)):
        assert offer(client)["sasl"] == "PLAIN,SCRAM-SHA-256"
        client.send("CAP REQ :sasl", "NICK goose", "AUTHENTICATE EXTERNAL")
        assert "904" in commands(client.until("904", "903"))
        client.close()


def test_alpn_irc_is_asked(start: Start, mine: Mine) -> None:
    assert "EXTERNAL" in offer(start().connect(mine, alpn="irc"))["sasl"]


def test_delete(start: Start, mine: Mine) -> None:
    house = start()
    first = duck(house, mine)
    colons = ":".join(mine.fingerprint[at : at + 2] for at in range(0, 64, 2)).upper()
    assert "Added" in notices(first, f"PRIVMSG NickServ :CERT ADD {colons}")
    other = house.external("duck", mine)
    other.send("CAP END")
    other.until("001")
    other.sync()
    assert f"Removed {mine.fingerprint}" in notices(first, f"PRIVMSG NickServ :CERT DEL {mine.fingerprint}")
    assert commands(other.closed())[-1] == "ERROR"  # it was in by that certificate
    assert "no such certificate" in notices(first, "PRIVMSG NickServ :CERT DEL")
    assert "0 certificates" in notices(first, "PRIVMSG NickServ :CERT LIST")
    assert house.external("duck", mine).seen[-1].command == "904"


def test_words_that_do_not_work(start: Start, mine: Mine) -> None:
    house = start()
    first = duck(house, mine)
    assert "64 hexadecimal" in notices(first, "PRIVMSG NickServ :CERT ADD abc")
    assert "CERT ADD|LIST|DEL" in notices(first, "PRIVMSG NickServ :CERT EAT")
    guest = house.connect()
    guest.send("NICK goose", "USER g 0 * :G")
    guest.until("001")
    guest.sync()
    assert "no certificate" in notices(guest, "PRIVMSG NickServ :CERT ADD")
    assert "claimed login" in notices(guest, f"PRIVMSG NickServ :CERT ADD {mine.fingerprint}")


def test_of_several_accounts_the_one_that_is_named(start: Start, mine: Mine) -> None:
    """Whoever knows a fingerprint may register it: that must not lock its owner out."""
    house = start()
    notices(duck(house, mine), "PRIVMSG NickServ :CERT ADD")
    house.account("thief", "sesame")
    thief = house.join("thief", password="sesame")
    assert "Added" in notices(thief, f"PRIVMSG NickServ :CERT ADD {mine.fingerprint}")
    assert house.external("duck", mine).seen[-1].command == "904"
    named = house.external("duck", mine, account="duck")
    assert only(named.seen, "900").params[2] == "duck"
    assert house.external("duck", mine, account="nobody").seen[-1].command == "904"


def test_a_certificate_alone_answers_no_challenge(start: Start, mine: Mine) -> None:
    """Who has only a password and certificates is asked for the password on other doors."""
    house = start()
    notices(duck(house, mine), "PRIVMSG NickServ :CERT ADD")
    with socket.create_connection(("127.0.0.1", house.port), 10) as native:
        lines = native.makefile("rb")
        native.sendall(b'{"t":"hello","login":"duck"}\n')
        assert b'"methods":["password"]' in lines.readline()
        forged = f'{{"t":"proof","key":"x509:{mine.fingerprint}","signature":"AAAA"}}\n'
        native.sendall(forged.encode())
        assert b"wrong_proof" in lines.readline()
        native.sendall(b'{"t":"external"}\n')
        assert b"wrong_proof" in lines.readline()
        lines.close()


def test_switched_off(start: Start, mine: Mine) -> None:
    assert "EXTERNAL" not in offer(start(tls_client_certs=False).connect(mine))["sasl"]


@pytest.mark.parametrize("cut", [1, 5, 9, 50, 200])
def test_a_hello_that_comes_in_pieces(start: Start, mine: Mine, cut: int) -> None:
    """The choice between the two engines waits for the whole first record."""
    house = start()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.load_cert_chain(mine.path)
    down, up = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(down, up)
    with socket.create_connection(("127.0.0.1", house.port), 10) as raw:
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                pending = up.read()
                raw.sendall(pending[:cut])
                raw.sendall(pending[cut:])
                down.write(raw.recv(65536))
        tls.write(b"CAP LS 302\r\n")
        raw.sendall(up.read())
        text = b""
        while b"EXTERNAL" not in text:
            data = raw.recv(65536)
            assert data, text
            down.write(data)
            try:
                text += tls.read(65536)
            except ssl.SSLWantReadError:
                pass


# -- the first record ------------------------------------------------------------------------------------------------


def hello(*names: str) -> bytes:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if names:
        context.set_alpn_protocols(list(names))
    down, up = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(down, up, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    return up.read()


def test_what_a_hello_speaks() -> None:
    assert protocols(hello()) == ()
    assert protocols(hello("h2", "http/1.1")) == (b"h2", b"http/1.1")
    assert protocols(hello("irc")) == (b"irc",)


def test_hello_cut_and_bent_anywhere() -> None:
    data = hello("irc")
    for end in range(len(data)):
        assert whole(data[:end]) == (end == 0)
        protocols(data[:end])
    for place in range(len(data)):
        for value in (0, 0x7F, 0xFF):
            bent = data[:place] + bytes([value]) + data[place + 1 :]
            protocols(bent)
    assert whole(b"\x16\x03\x01\xff\xff")
    assert whole(data)
    assert protocols(b"GET / HTTP/1.1\r\n\r\n") is None
