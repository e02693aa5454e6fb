"""TLS in front of every door, over real sockets."""

from __future__ import annotations

import datetime
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
from pathlib import Path

import pytest

from support.tlspeer import SECONDS, Native, Start, anyone, dial, rest, secure
from tcpchat.server import Server
from tcpchat.server.server import LOOK_TICKS
from tcpchat.trust import certificates, fingerprint
from tcpchat.trust.tls import HANDSHAKE_MAX, Tls


def test_all_doors_inside(server: Server) -> None:
    with Native(secure(server.port)) as duck:
        welcome = duck.enter("duck")
        assert welcome["fingerprint"] == server.fingerprint != ""
        with secure(server.port) as goose:
            goose.sendall(json.dumps({"TYPE": "HI", "BODY": "goose"}).encode())
            assert json.loads(goose.recv(1024)) == {"TYPE": "STATE", "BODY": "READY2SERV"}
            duck.send("say", to="@goose", text="quack", n=1)
            while (item := json.loads(goose.recv(1024)))["TYPE"] != "INCMESS":
                pass
            assert item["BODY"] == ["duck", "quack"]
        with secure(server.port) as irc:
            irc.sendall(b"NICK swan\r\nUSER s 0 * :S\r\n")
            lines = irc.makefile("rb")
            assert any(b" 001 swan " in line for line in lines)
            lines.close()
        with secure(server.port) as web:
            web.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            assert rest(web).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("protocol", ["http/1.1", "irc", "h2"])
def test_alpn(server: Server, protocol: str) -> None:
    context = anyone()
    context.set_alpn_protocols([protocol])
    with secure(server.port, context) as peer:
        assert peer.selected_alpn_protocol() == (None if protocol == "h2" else protocol)


def test_versions(server: Server) -> None:
    with secure(server.port) as peer:
        assert peer.version() == "TLSv1.3"
    old = anyone()
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with secure(server.port, old) as peer:
        assert peer.version() == "TLSv1.2"
    # A hello that offers nothing above TLS 1.1, by hand: libraries refuse to.
    body = bytes.fromhex("0302") + bytes(32) + b"\0" + bytes.fromhex("0002002f") + b"\1\0"
    shake = b"\x01" + len(body).to_bytes(3, "big") + body
    with dial(server.port) as peer_plain:
        peer_plain.sendall(b"\x16\x03\x01" + len(shake).to_bytes(2, "big") + shake)
        assert rest(peer_plain).hex() == "15030200020246"  # alert, fatal, protocol_version


GARBAGE = {
    "a record of nothing": b"\x16\x03\x01\x00\x05hello",
    "an endless record": b"\x16\x03\x01\xff\xff" + bytes(70_000),
    "TLS in name only": b"\x16" + b"GET / HTTP/1.1\r\n\r\n",
    "an alert": b"\x16\x03\x01\x00\x02\x02\x28" * 3,
}


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE)
def test_garbage_ends_the_connection(server: Server, garbage: bytes, caplog: pytest.LogCaptureFixture) -> None:
    with dial(server.port) as peer:
        try:
            peer.sendall(garbage)
        except OSError:
            pass  # it has closed already
        assert len(rest(peer)) < 100  # an alert at most
    assert not [record for record in caplog.records if record.levelname == "ERROR"]
    with Native(secure(server.port)) as duck:
        assert duck.enter("duck")["t"] == "welcome"


def test_garbage_behind_the_handshake(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    plain = dial(server.port)
    with anyone().wrap_socket(plain, server_hostname="localhost") as peer:
        native = Native(peer)
        native.enter("duck")
        os.write(peer.fileno(), b"\x17\x03\x03\x00\x20" + bytes(32))  # a record with a wrong seal
        assert rest(peer) is not None
        native.file.close()
    with Native(secure(server.port)) as again:
        assert again.enter("duck2")["t"] == "welcome"
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


def test_a_slow_handshake_is_ended(start: Start) -> None:
    server = start(first_bytes_seconds=0.5)
    with dial(server.port) as peer:
        peer.sendall(b"\x16\x03\x01\x02\x00\x01")
        assert rest(peer) == b""
    with secure(server.port) as peer:  # the handshake is done, and then nothing
        assert b"no first bytes" in rest(peer)


def test_a_handshake_holds_little(tmp_path: Path) -> None:
    layer = Tls(tmp_path).layer()
    fragment = b"\x16\x03\x01\x00\x01\x01"
    count = 0
    while not layer.closing:
        layer.receive(fragment * 100)
        count += 600
    assert count <= HANDSHAKE_MAX + 600
    assert layer.receive(b"more") == b""


def test_a_goodbye_is_answered(server: Server) -> None:
    peer = secure(server.port)
    native = Native(peer)
    native.enter("duck")
    native.file.close()
    plain = peer.unwrap()  # sends close_notify, and waits for the server's
    assert rest(plain) == b""
    plain.close()


def test_the_server_says_goodbye(server: Server) -> None:
    with anyone().wrap_socket(dial(server.port), suppress_ragged_eofs=False) as peer:
        peer.sendall(b'{"t":"hello","login":"duck"}\n{"t":"bye"}\n')
        while peer.recv(65536):
            pass  # an end without close_notify would raise


def test_much_both_ways(start: Start) -> None:
    server = start(messages_per_second=0, bytes_per_second=0)
    with Native(secure(server.port)) as duck, Native(secure(server.port)) as goose:
        duck.enter("duck")
        goose.enter("goose")
        for n in range(1, 51):
            duck.send("say", to="@goose", text="x" * 7_000, n=n)
            assert duck.until("accepted")["n"] == n
        assert [len(goose.until("message")["text"]) for _ in range(50)] == [7_000] * 50


# -- certificates ----------------------------------------------------------------------------------------------------


def shown(port: int) -> str:
    with secure(port) as peer:
        return fingerprint.of_certificate(peer.getpeercert(binary_form=True) or b"")


def test_given_files_are_read_again_without_dropping_anyone(start: Start, tmp_path: Path) -> None:
    old, new = certificates.own(tmp_path / "old"), certificates.own(tmp_path / "new")
    server = start(tls_cert=str(old.cert), tls_key=str(old.key))
    with Native(secure(server.port)) as duck:
        duck.enter("duck")
        assert shown(server.port) == old.fingerprint
        old.key.write_bytes(new.key.read_bytes())
        server.reload()  # half of the pair: it stays as it was
        assert shown(server.port) == old.fingerprint
        old.cert.write_bytes(new.cert.read_bytes())
        server.reload()
        assert shown(server.port) == new.fingerprint == server.fingerprint
        duck.send("ping", token="still here")
        assert duck.until("pong")["token"] == "still here"


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="this system has no SIGHUP")
def test_sighup(tmp_path: Path) -> None:
    old, new = certificates.own(tmp_path / "old"), certificates.own(tmp_path / "new")
    command = [sys.executable, "-m", "tcpchat.cli.serve", "--port", "0", "--data", str(tmp_path / "data")]
    files = ["--tls-cert", str(old.cert), "--tls-key", str(old.key)]
    environment = {**os.environ, "TCPCHAT_LOG": "1", "TCPCHAT_CONFIG": os.devnull}
    with subprocess.Popen(
        [*command, *files], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        port = 0
        for line in process.stdout:
            if line.startswith("server (HOST,PORT)"):
                port = int(line.rstrip(")\n").rpartition(",")[2])
            if line.startswith("Messages in"):
                break
        try:
            with Native(secure(port)) as duck:
                duck.enter("duck")
                old.cert.write_bytes(new.cert.read_bytes())
                old.key.write_bytes(new.key.read_bytes())
                process.send_signal(signal.SIGHUP)
                for line in process.stdout:
                    if "certificate read" in line:
                        break
                assert shown(port) == new.fingerprint
                duck.send("ping", token="x")
                assert duck.until("pong")
        finally:
            process.terminate()
            process.communicate(timeout=SECONDS)


def test_the_key_outlives_a_restart(start: Start, tmp_path: Path) -> None:
    with Server.in_thread(port=0, data=tmp_path) as first:
        before = first.fingerprint
    assert start(data=tmp_path).fingerprint == before


def test_a_server_without_tls_says_so(start: Start) -> None:
    server = start(plain_only=True)
    assert server.fingerprint == ""
    with dial(server.port) as peer, pytest.raises(ssl.SSLError):
        anyone().wrap_socket(peer, server_hostname="localhost")


def test_files_that_do_not_fit_stop_the_start(start: Start, tmp_path: Path) -> None:
    with pytest.raises(fingerprint.CertificateError, match="nowhere"):
        start(tls_cert=str(tmp_path / "nowhere.pem"))


def test_certificates_of_clients(start: Start, tmp_path: Path) -> None:
    """Asked for only when a file says whom to believe; another one is refused, none is fine."""
    mine, other = certificates.own(tmp_path / "mine"), certificates.own(tmp_path / "other")
    with pytest.raises(fingerprint.CertificateError, match="no certificates"):
        start(tls_client_ca=str(mine.key))
    tls = Tls(tmp_path, client_ca=str(mine.cert))
    assert handshake(tls, None) == ""
    found = handshake(tls, other)
    assert found is None
    start(tls_client_ca=str(mine.cert))


def handshake(tls: Tls, own: certificates.Certificate | None) -> str | None:
    """The fingerprint that the server's layer saw; None: it did not take the certificate."""
    context, layer = anyone(), tls.layer()
    if own is not None:
        context.load_cert_chain(own.cert, own.key)
    down, up = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(down, up)
    for _ in range(5):
        try:
            client.do_handshake()
        except ssl.SSLWantReadError:
            pass
        layer.receive(up.read())
        down.write(layer.data_to_send())
    return None if layer.closing else layer.certfp


# -- only TLS --------------------------------------------------------------------------------------------------------


def plain(port: int, data: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), SECONDS) as peer:
        peer.sendall(data)
        return rest(peer)


def test_require_tls(start: Start) -> None:
    server = start(require_tls=True)
    refused = json.loads(plain(server.port, b'{"t":"hello","login":"duck"}\n'))
    assert (refused["code"], refused["fatal"]) == ("tls_required", True)
    assert json.loads(plain(server.port, b'{"TYPE":"HI","BODY":"duck"}')) == {"TYPE": "BYE", "BODY": False}
    assert plain(server.port, b"NICK duck\r\n").startswith(b"ERROR :This server requires TLS.")
    with Native(secure(server.port)) as duck:
        assert duck.enter("duck")["t"] == "welcome"


def test_require_tls_for_browsers(start: Start) -> None:
    port = start(require_tls=True).port
    moved = plain(port, b"GET /a?b=c HTTP/1.1\r\nHost: chat.example:6060\r\n\r\n")
    assert moved.startswith(b"HTTP/1.1 308 ")
    assert b"\r\nLocation: https://chat.example:6060/a?b=c\r\n" in moved
    assert plain(port, b"GET / HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 426 ")
    assert plain(port, b"GET / HTTP/1.1\r\nHost: a\x00b\r\n\r\n").startswith(b"HTTP/1.1 426 ")
    long = b"GET / HTTP/1.1\r\nHost: x\r\nCookie: " + b"c" * 2_000
    assert b"https://x/" in plain(port, long)


@pytest.mark.parametrize("year", [2003, 2090])
def test_a_certificate_made_by_a_wrong_clock_is_renewed_when_it_is_right(tmp_path: Path, year: int) -> None:
    wrong = datetime.datetime(year, 1, 1, tzinfo=datetime.UTC)
    made = certificates.own(tmp_path, wrong)
    right = certificates.own(tmp_path)
    now = datetime.datetime.now(datetime.UTC)
    assert made.due(now)
    assert not right.due(now)
    assert right.begins < now < right.ends
    assert right.fingerprint == made.fingerprint
    assert certificates.own(tmp_path).begins == right.begins  # and is left alone from then on


async def test_a_running_server_looks_at_its_certificate_every_minute(tmp_path: Path) -> None:
    certificates.own(tmp_path)
    async with Server(port=0, data=tmp_path) as server:
        assert server._tls is not None
        long_ago = datetime.datetime(2003, 1, 1, tzinfo=datetime.UTC)
        (tmp_path / certificates.CERT_FILE).unlink()
        server._tls.certificate = certificates.own(tmp_path, long_ago)  # as a start would, before the clock was set
        server.ticks = LOOK_TICKS - 1
        server._timer.cancel() if server._timer is not None else None
        server._tick()
        assert not server._tls.certificate.due()
