"""Addresses, folders, keys, and what an import costs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tcpchat.client import identity
from tcpchat.trust import keys


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("chat.example", ("chat.example", 6060)),
        ("chat.example:7000", ("chat.example", 7000)),
        ("[::1]:6061", ("::1", 6061)),
        ("[::1]", ("::1", 6060)),
        ("::1", ("::1", 6060)),
        (" 10.0.0.1:1 ", ("10.0.0.1", 1)),
        (None, ("localhost", 6060)),
        ("", ("localhost", 6060)),
    ],
)
def test_addresses(text: str | None, expected: tuple[str, int]) -> None:
    assert identity.parse_address(text) == expected


@pytest.mark.parametrize("text", ["host:", "host:0", "host:65536", "host:x", ":6060", "[::1", "a b:c:d"])
def test_bad_addresses(text: str) -> None:
    with pytest.raises(ValueError, match=r"address|port"):
        identity.parse_address(text)


def test_the_server_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TCPCHAT_SERVER", "there:1234")
    assert identity.parse_address(None) == ("there", 1234)
    assert identity.parse_address("here") == ("here", 6060)


def test_folders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TCPCHAT_HOME", str(tmp_path))
    assert identity.home("data") == identity.home("state") == identity.home("config") == tmp_path
    assert identity.key_path("Big Brother").parent == tmp_path / "keys"
    names = {identity.key_path(login).name for login in ("Big Brother", "big_brother", "утка", "duck", "DUCK", "../x")}
    assert len(names) == 4  # the first two are one login, so are duck and DUCK
    assert all(name.endswith(".key") and "/" not in name for name in names)
    assert identity.outbox_path("a:1", "duck", "tui") != identity.outbox_path("a:2", "duck", "tui")
    monkeypatch.setenv("TCPCHAT_KEY_FILE", str(tmp_path / "own.pem"))
    assert identity.key_path("duck") == tmp_path / "own.pem"
    monkeypatch.delenv("TCPCHAT_HOME")
    assert identity.home("state").name == "tcpchat"


def test_a_key_is_made_once(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "duck.key"
    key = keys.Key.load_or_make(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert keys.Key.load_or_make(path).public == keys.load_key(path).public == key.public
    assert [one.name for one in path.parent.iterdir()] == ["duck.key"]
    with pytest.raises(FileExistsError):
        keys.make_key(path)
    assert keys.load_key(path).public == key.public
    assert keys.make_key(tmp_path / "other.key").public != key.public


def test_signatures(tmp_path: Path) -> None:
    key = keys.make_key(tmp_path / "k")
    signature = keys.sign(key, "текст")
    assert key.public.startswith("ed25519:")
    assert "=" not in key.public + signature
    assert keys.verify(key.public, "текст", signature)
    assert not keys.verify(key.public, "другой", signature)
    for public, signed in [("", ""), ("ed25519:x", signature), (key.public, "!"), ("rsa:" + key.public[8:], signature)]:
        assert not keys.verify(public, "текст", signed)


def test_p256_in_both_forms() -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    raw = private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    public = "p256:" + keys._text(raw)
    der = private.sign(b"hi", ec.ECDSA(hashes.SHA256()))
    r, s = decode_dss_signature(der)
    browsers = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    for signature in (der, browsers):
        assert keys.verify(public, "hi", keys._text(signature))
        assert not keys.verify(public, "ho", keys._text(signature))


@pytest.mark.parametrize("content", [b"", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", b"\xff"])
def test_key_files_that_cannot_be_used(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "k"
    path.write_bytes(content)
    with pytest.raises(keys.KeyFileError, match="not a key"):
        keys.load_key(path)
    with pytest.raises(keys.KeyFileError):
        keys.load_key(tmp_path / "none")


def test_imports_cost_only_what_is_used() -> None:
    code = (
        "import sys, tcpchat\n"
        "assert not {'asyncio', 'msgspec', 'textual'} & set(sys.modules)\n"
        "import tcpchat.client\n"
        "heavy = {'sqlite3', 'cryptography', 'platformdirs', 'textual', 'rich', 'tcpchat.server', 'uvloop'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
        "assert tcpchat.connect is tcpchat.client.connect and tcpchat.sync and tcpchat.model\n"
        "assert all(hasattr(tcpchat, name) for name in tcpchat.__all__)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)
