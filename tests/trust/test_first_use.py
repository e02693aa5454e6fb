"""Trust on first use: the first key is taken, a changed one is refused, plain is never gone back to."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.tlspeer import Start
from tcpchat import cli
from tcpchat.client import ConnectionFailed, KeyChanged, NotTrusted, Refused, connect, first_use
from tcpchat.client.blocking import connect_blocking
from tcpchat.client.first_use import NewServer, Trusting, known_servers
from tcpchat.core import model as m
from tcpchat.server import Server
from tcpchat.trust import certificates, fingerprint
from tcpchat.trust.fingerprint import of_key

OTHER = of_key(b"another key")


def at(server: Server) -> str:
    return f"127.0.0.1:{server.port}"


def trusted(server: Server) -> str:
    return known_servers().find("127.0.0.1", server.port)


async def talks(server: Server, **options: object) -> str:
    """The fingerprint with which a client gets in."""
    async with connect(at(server), "duck", reconnect=False, **options) as chat:  # type: ignore[arg-type]
        assert (await chat.status_now()).secure is bool(chat.fingerprint)
        return chat.fingerprint


async def test_the_first_key_is_taken(server: Server, elsewhere: None) -> None:
    assert await talks(server) == server.fingerprint == trusted(server)
    assert await talks(server, tls="always") == server.fingerprint


async def test_a_person_is_asked_once(server: Server, elsewhere: None) -> None:
    asked: list[NewServer] = []

    async def no(new: NewServer) -> bool:
        asked.append(new)
        return False

    async def yes(new: NewServer) -> bool:
        asked.append(new)
        return True

    with pytest.raises(NotTrusted):
        await talks(server, trust=no)
    assert trusted(server) == ""
    await talks(server, trust=yes)
    await talks(server, trust=no)
    assert len(asked) == 2
    assert asked[0] == (at(server), server.fingerprint, fingerprint.words(server.fingerprint))


async def test_a_changed_key_is_refused(server: Server, elsewhere: None) -> None:
    known_servers().add("127.0.0.1", server.port, OTHER)
    with pytest.raises(KeyChanged) as error:
        await talks(server)
    text = str(error.value)
    assert OTHER in text
    assert server.fingerprint in text
    assert f"tcpchat trust forget {at(server)}" in text
    assert trusted(server) == OTHER
    known_servers().forget("127.0.0.1", server.port)
    assert await talks(server) == server.fingerprint


async def test_a_changed_key_ends_a_client_that_reconnects(start: Start, elsewhere: None, tmp_path: Path) -> None:
    server = start(data=tmp_path)
    async with connect(at(server), "duck") as chat:
        assert server._tls is not None
        for file in (certificates.KEY_FILE, certificates.CERT_FILE):
            (tmp_path / file).unlink()
        server.reload()
        chat._hang_up()
        async with asyncio.timeout(20):
            async for _ in chat.events():
                pass
        assert isinstance(chat.error, KeyChanged)


async def test_on_this_machine_nothing_is_pinned(server: Server) -> None:
    known_servers().add("127.0.0.1", server.port, OTHER)
    assert await talks(server) == server.fingerprint
    assert trusted(server) == OTHER


# -- plain -----------------------------------------------------------------------------------------------------------


async def test_plain_on_this_machine_only(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    server = start(plain_only=True)
    assert await talks(server) == ""
    with pytest.raises(ConnectionFailed, match="does not speak TLS"):
        await talks(server, tls="always")
    monkeypatch.setattr(first_use, "is_loopback", lambda host: False)
    with pytest.raises(ConnectionFailed, match="TCPCHAT_TLS=never"):
        await talks(server)
    assert await talks(server, tls="never") == ""


async def test_downgrade(start: Start, elsewhere: None) -> None:
    """Who stands in between and answers in plain gets nothing, not even when plain is asked for."""
    server = start(plain_only=True)
    known_servers().add("127.0.0.1", server.port, OTHER)
    with pytest.raises(ConnectionFailed, match="known with TLS"):
        await talks(server)
    with pytest.raises(KeyChanged, match="not talked to in plain"):
        await talks(server, tls="never")
    with pytest.raises(ConnectionFailed, match="known with TLS"):
        connect_blocking("127.0.0.1", server.port, 5)


async def test_a_password_is_not_given_to_plain(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    server = start(plain_only=True)
    async with connect(at(server), "duck") as duck:
        await duck.command(m.Password("", new="quack quack"))
    monkeypatch.setattr("tcpchat.client.client.is_loopback", lambda host: False)
    with pytest.raises(Refused, match="over TLS"):
        await talks(server, tls="never", password="quack quack")


@contextmanager
def silent(answer: bytes = b"") -> Iterator[int]:
    """Something that is no TLS server."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    peer, _ = listener.accept()
                except OSError:
                    return
                with peer:
                    peer.recv(65536)
                    peer.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x16\x03\x03\x00\x01\x00"])
def test_what_is_no_tls_server(answer: bytes, elsewhere: None) -> None:
    with silent(answer) as port:
        with pytest.raises(ConnectionFailed, match="does not speak TLS"):
            connect_blocking("127.0.0.1", port, 5)
        known_servers().add("127.0.0.1", port, OTHER)
        with pytest.raises(ConnectionFailed, match="known with TLS"):
            connect_blocking("127.0.0.1", port, 5)


# -- what the system trusts ------------------------------------------------------------------------------------------


async def test_what_the_system_trusts_needs_no_question(
    start: Start, elsewhere: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = start(data=tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / certificates.CERT_FILE))

    async def never(new: NewServer) -> bool:
        raise AssertionError("nobody is asked")

    assert await talks(server, trust=never) == server.fingerprint
    assert trusted(server) == "system"
    assert await talks(server, trust=never) == server.fingerprint
    known_servers().forget("127.0.0.1")
    own, shown = connect_blocking("127.0.0.1", server.port, 5)
    own.close()
    assert (shown, trusted(server)) == (server.fingerprint, "system")
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(KeyChanged, match="this system trusts"):
        await talks(server)
    with pytest.raises(KeyChanged, match="this system trusts"):
        connect_blocking("127.0.0.1", server.port, 5)


# -- the rest --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "here"),
    [("localhost", True), ("LOCALHOST.", True), ("127.9.9.9", True), ("::1", True), ("10.0.0.1", False),
     ("localhost.example", False), ("127.0.0.1.example", False)],
)  # fmt: skip
def test_loopback(host: str, here: bool) -> None:
    assert first_use.is_loopback(host) is here


def test_a_damaged_file_stops_everything(server: Server, elsewhere: None, home: Path) -> None:
    home.mkdir()
    (home / "known_servers").write_text("what is this\n")
    with pytest.raises(ConnectionFailed, match="line 1"):
        connect_blocking("127.0.0.1", server.port, 5)


def test_the_mode_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TCPCHAT_TLS", "never")
    assert Trusting("localhost", 1).plain
    assert not Trusting("localhost", 1, "always").plain
    monkeypatch.setenv("TCPCHAT_TLS", "sometimes")
    with pytest.raises(ConnectionFailed, match="sometimes"):
        Trusting("localhost", 1)


# -- the command line ------------------------------------------------------------------------------------------------


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    capsys.readouterr()
    code = cli.main(arguments)
    return code, *capsys.readouterr()


def test_commands_note_a_first_key_and_refuse_a_changed_one(
    server: Server, elsewhere: None, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(capsys, "status", "-s", at(server))
    assert (code, out.split()[0]) == (0, "WAIT4CLIENTS")
    assert f"server key {server.fingerprint}" in err
    assert run(capsys, "status", "-s", at(server))[2] == ""
    known_servers().add("127.0.0.1", server.port, OTHER)
    code, out, err = run(capsys, "status", "-s", at(server))
    assert (code, out) == (4, "")
    assert OTHER in err
    assert "trust forget" in err


def test_trust(server: Server, elsewhere: None, capsys: pytest.CaptureFixture[str]) -> None:
    where, key = at(server), server.fingerprint
    assert run(capsys, "trust") == (0, "", "")
    assert run(capsys, "trust", "show", where)[1] == f"trusted  not known\nnow      {key}  ({fingerprint.words(key)})\n"
    code, out, _ = run(capsys, "trust", "add", where)
    assert (code, out.startswith(f"{where}  {key}  (")) == (0, True)
    assert json.loads(run(capsys, "trust", "list", "127.0.0.1", "--json")[1])[0]["fingerprint"] == key
    assert run(capsys, "trust", "list", "127.0.0.2")[1] == ""
    assert json.loads(run(capsys, "trust", "show", where, "--json")[1]) == {
        "server": where, "trusted": key, "shown": key,
    }  # fmt: skip
    assert run(capsys, "trust", "add", where, OTHER)[0] == 0
    assert run(capsys, "trust", "show", where)[0] == 4
    assert run(capsys, "trust", "add", where, "SHA256:nonsense")[0] == 2
    assert run(capsys, "trust", "forget")[0] == 2
    assert run(capsys, "trust", "forget", where)[0] == 0
    assert run(capsys, "trust", "forget", "127.0.0.1")[0] == 5
    known_servers().path.write_text("?\n")
    assert run(capsys, "trust")[0] == 1


def test_trust_of_what_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        assert run(capsys, "trust", "add", f"127.0.0.1:{probe.getsockname()[1]}")[0] == 3


def test_the_menu_in_a_pipe(server: Server, tmp_path: Path) -> None:
    """Nobody can be asked there: the key is taken, and told on standard error."""
    code = "import sys; from tcpchat.client import first_use; first_use.is_loopback = lambda host: False; "
    code += "from tcpchat.cli import main; sys.exit(main(['client', '127.0.0.1', sys.argv[1], '-u', 'duck']))"
    done = subprocess.run(
        [sys.executable, "-c", code, str(server.port)], input="\n5\n", capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 0, done.stderr
    assert "< Server is WAIT4CLIENTS >" in done.stdout
    assert f"server key {server.fingerprint}" in done.stderr
