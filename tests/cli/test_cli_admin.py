"""The operator's command line: no password on the server's own machine, with or without a running server."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

import tcpchat
from tcpchat.cli import main
from tcpchat.core import model as m


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TCPCHAT_HOME", str(tmp_path / "home"))
    return tmp_path / "data"


@pytest.fixture
def server(folder: Path) -> Iterator[tcpchat.Server]:
    with tcpchat.Server.in_thread(port=0, data=folder) as running:
        yield running


def admin(folder: Path, *words: str) -> int:
    return main(["admin", "--data", str(folder), "--json", *words])


def password(tmp_path: Path, text: str) -> str:
    path = tmp_path / "password"
    path.write_text(text + "\n")
    return str(path)


def test_an_account_made_here_can_log_in(server: tcpchat.Server, folder: Path, tmp_path: Path) -> None:
    assert admin(folder, "account", "duck", "--password-file", password(tmp_path, "quack")) == 0
    with tcpchat.sync.connect(f"localhost:{server.port}", "duck", password="quack") as chat:
        assert chat.welcome.claimed
    with pytest.raises(tcpchat.Refused):
        tcpchat.sync.connect(f"localhost:{server.port}", "duck", password="moo").__enter__()


def test_an_account_is_made_without_a_running_server(folder: Path, tmp_path: Path) -> None:
    with tcpchat.Server.in_thread(port=0, data=folder):
        pass
    assert admin(folder, "account", "duck", "--password-file", password(tmp_path, "quack")) == 0
    with (
        tcpchat.Server.in_thread(port=0, data=folder) as server,
        tcpchat.sync.connect(f"localhost:{server.port}", "duck", password="quack") as chat,
    ):
        assert chat.welcome.role == "owner"


def test_the_secret_is_private_and_goes_with_the_server(folder: Path) -> None:
    with tcpchat.Server.in_thread(port=0, data=folder):
        assert (folder / "admin.secret").stat().st_mode & 0o077 == 0
    assert not (folder / "admin.secret").exists()


def test_a_wrong_secret_opens_nothing(server: tcpchat.Server, folder: Path) -> None:
    host, port, secret = (folder / "admin.secret").read_text().split()
    (folder / "admin.secret").write_text(f"{host} {port} {secret[:-1]}x")
    assert admin(folder, "users") == 4


def test_acts_are_logged_with_who_and_why(
    server: tcpchat.Server, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with tcpchat.sync.connect(f"localhost:{server.port}", "alice", key=True, claim=True):
        pass  # the first one owns the place, and its last owner cannot be made less
    with tcpchat.sync.connect(f"localhost:{server.port}", "duck", key=True, claim=True):
        assert admin(folder, "role", "duck", "moderator") == 0
        assert admin(folder, "ban", "goose", "--for", "1h", "--why", "honks") == 0
        with pytest.raises(tcpchat.Refused, match="honks"):
            tcpchat.sync.connect(f"localhost:{server.port}", "goose").__enter__()
    capsys.readouterr()
    assert admin(folder, "log") == 0
    acts = json.loads(capsys.readouterr().out)["log"]
    assert [(act["do"], act["by"]) for act in acts if act["do"] != "claim"] == [
        ("role", "the server's machine"),
        ("ban", "the server's machine"),
    ]
    assert acts[-1]["why"] == "honks"


def test_a_token_is_shown_once_and_kept_as_a_hash(
    server: tcpchat.Server, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with tcpchat.sync.connect(f"localhost:{server.port}", "duck") as chat:
        chat.join("#ops")
        assert admin(folder, "token", "ops", "robot") == 0
    token = json.loads(capsys.readouterr().out)["token"]
    assert admin(folder, "backup", str(folder / "copy.db")) == 0
    assert token.encode() not in (folder / "copy.db").read_bytes()


def test_a_session_of_the_operator_may_do_nothing_else(server: tcpchat.Server, folder: Path) -> None:
    import argparse

    from tcpchat.cli.connection import Session

    host, port, secret = (folder / "admin.secret").read_text().split()
    args = argparse.Namespace(server=f"{host}:{port}", user="x", profile=None, timeout=5.0, no_input=True)
    with Session(args, operator=secret) as session, pytest.raises(tcpchat.Refused) as refused:
        session.ask(m.Who("", True), m.People)
    assert refused.value.code == "hello_first"


def test_backup_and_check(server: tcpchat.Server, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with tcpchat.sync.connect(f"localhost:{server.port}", "duck") as chat:
        chat.send("#all", "keep me").accepted(5)
    assert admin(folder, "backup", str(folder / "copy.db")) == 0
    rows = sqlite3.connect(folder / "copy.db").execute("SELECT body FROM entries").fetchall()
    assert any(b"keep me" in bytes(body) for (body,) in rows)
    capsys.readouterr()
    assert admin(folder, "check") == 0
    assert json.loads(capsys.readouterr().out)["ok"] is True


def test_who_holds_a_role_operates_from_elsewhere(
    server: tcpchat.Server, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for login in ("alice", "duck"):
        with tcpchat.sync.connect(f"localhost:{server.port}", login, key=True, claim=True):
            pass
    assert main(["admin", "-s", f"localhost:{server.port}", "-u", "alice", "mute", "duck", "--why", "loud"]) == 0
    assert main(["admin", "-s", f"localhost:{server.port}", "-u", "duck", "unmute", "duck"]) == 4
    capsys.readouterr()
    assert admin(folder, "log") == 0
    last = json.loads(capsys.readouterr().out)["log"][-1]
    assert (last["by"], last["do"], last["login"], last["why"]) == ("alice", "mute", "duck", "loud")


def test_a_secret_left_behind_by_a_killed_server_is_no_obstacle(folder: Path, tmp_path: Path) -> None:
    with tcpchat.Server.in_thread(port=0, data=folder):
        left = (folder / "admin.secret").read_text()
    (folder / "admin.secret").write_text(left)
    assert admin(folder, "account", "duck", "--password-file", password(tmp_path, "quack")) == 0


def test_check_finds_what_is_missing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with (
        tcpchat.Server.in_thread(port=0, data=folder) as server,
        tcpchat.sync.connect(f"localhost:{server.port}", "duck") as chat,
    ):
        for text in "abc":
            chat.send("#all", text).accepted(5)
    db = sqlite3.connect(folder / "tcpchat.db")
    db.execute("DELETE FROM entries WHERE seq = 2")
    db.commit()
    db.close()
    assert admin(folder, "check") == 1
    assert json.loads(capsys.readouterr().out)["missing"] == 1


def test_an_erased_login_is_gone_from_the_file_when_no_server_runs(folder: Path, tmp_path: Path) -> None:
    with tcpchat.Server.in_thread(port=0, data=folder, syslog="off") as server:
        for login in ("alice", "duck"):
            with tcpchat.sync.connect(f"localhost:{server.port}", login, key=True, claim=True, outbox=None) as chat:
                chat.send("#all", f"unforgettable of {login}").accepted(5)
    assert admin(folder, "delete", "duck", "--erase") == 0
    held = (folder / "tcpchat.db").read_bytes()
    assert b"unforgettable of alice" in held
    assert b"unforgettable of duck" not in held


@pytest.mark.parametrize("target", ["tcpchat.db", "../chat/tcpchat.db", "tcpchat.db-wal", "", "missing/copy.db"])
def test_a_backup_to_a_wrong_place_is_refused_in_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], target: str
) -> None:
    folder = tmp_path / "chat"
    with (
        tcpchat.Server.in_thread(port=0, data=folder) as server,
        tcpchat.sync.connect(f"localhost:{server.port}", "duck") as chat,
    ):
        chat.send("#all", "before").accepted(5)
        assert admin(folder, "backup", str(folder / target)) == 1
        assert "No copy was made" in capsys.readouterr().err
        chat.send("#all", "behind it").accepted(5)
    assert not list(folder.rglob("*.partial"))
    assert admin(folder, "check") == 0
    rows = sqlite3.connect(folder / "tcpchat.db").execute("SELECT body FROM entries").fetchall()
    assert any(b"behind it" in body for (body,) in rows)


@pytest.mark.parametrize("act", [("backup", "copy.db"), ("check",)])
def test_a_folder_in_the_place_of_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str], act: tuple[str]) -> None:
    (tmp_path / "tcpchat.db").mkdir()
    assert admin(tmp_path, *act) == 1
    assert "is no file" in capsys.readouterr().err


def test_check_names_what_is_damaged(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with (
        tcpchat.Server.in_thread(port=0, data=folder) as server,
        tcpchat.sync.connect(f"localhost:{server.port}", "duck") as chat,
    ):
        seq = chat.send("#all", "quack").accepted(5).seq
    with sqlite3.connect(folder / "tcpchat.db") as db:
        db.execute("UPDATE entries SET body = replace(body, 'quack', 'quick') WHERE seq = ?", (seq,))
    db.close()
    assert main(["admin", "--data", str(folder), "check"]) == 1
    assert f"1 entries are damaged and are left out: {seq}." in capsys.readouterr().out
