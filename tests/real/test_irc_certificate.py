"""irssi and WeeChat over TLS with a certificate of their own: SASL EXTERNAL, no password anywhere."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

import tcpchat
from support.realpeer import Irssi, Program, WeeChat, missing, wait
from tcpchat.server import Server

pytest.importorskip("OpenSSL", reason="without pyOpenSSL certificates of clients are not asked for")
pytestmark = [
    pytest.mark.real,
    pytest.mark.timeout(120),
    pytest.mark.skipif(
        bool(missing("irssi", "weechat-headless", "tmux")),
        reason=missing("irssi", "weechat-headless", "tmux"),
    ),
]


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("TCPCHAT_HOME", str(tmp_path / "home"))
    folder = tmp_path / "server"
    folder.mkdir()
    with Server.in_thread(host="127.0.0.1", port=0, data=folder, irc_receipts_after=0.5) as server:
        yield server


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """As the documentation says that one makes it."""
    path = tmp_path / "duck.pem"
    if shutil.which("openssl") is None:
        pytest.skip("not installed: openssl")
    words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj /CN=duck"
    subprocess.run(["openssl", *words.split(), "-keyout", path, "-out", path], check=True, capture_output=True)
    return path


@pytest.mark.parametrize("kind", [Irssi, WeeChat], ids=["irssi", "weechat"])
def test_it_is_its_owner_at_once(kind: type[Program], server: Server, mine: Path, tmp_path: Path) -> None:
    with tcpchat.sync.connect(f"127.0.0.1:{server.port}", login="duck", tls="never") as first:
        first.command(tcpchat.model.Password(password="", new="sesame"))
        der = x509.load_pem_x509_certificate(mine.read_bytes()).public_bytes(Encoding.DER)
        first.command(tcpchat.model.Key("add", f"x509:{sha256(der).hexdigest()}"))
    program = kind(tmp_path / kind.__name__, server.port, nick="duck", cert=mine)
    program.start()
    try:
        with tcpchat.sync.connect(f"127.0.0.1:{server.port}", login="rabbit", tls="never") as rabbit:
            wait("it is here", lambda: any(one.login == "duck" and one.online for one in rabbit.who("#all")))
            (duck,) = rabbit.who("@duck")
            assert (duck.account, duck.secure) == ("duck", True)
            rabbit.send("@duck", "only for the owner").delivered(timeout=20)
            program.shows("only for the owner")
    finally:
        program.stop()  # type: ignore[attr-defined]
