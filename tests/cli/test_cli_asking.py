"""tail, search, who, rooms, status, receipts, whoami: what they print for people, for pipes and for programs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tcpchat.server import Server

Run = Any


@pytest.fixture
def talk(server: Server, run: Run) -> Run:
    """A chat with some history: duck and me."""
    assert run("whoami")[0] == run("whoami", "-u", "duck")[0] == 0
    assert run("send", "me", "quack", "-u", "duck")[0] == 0
    assert run("send", "duck", "hi\nthere \x1b]2;x\x07", "-u", "me")[0] == 0
    assert run("send", "@all", "coffee is ready", "-u", "duck")[0] == 0
    return run


def test_tail(talk: Run) -> None:
    code, out, _ = talk("tail")
    assert code == 0
    assert "duck: quack" in out
    assert "#all duck: coffee is ready" in out
    assert "\x1b" not in out
    assert "\x07" not in out
    assert "me: hi\n      there" in out
    assert json.loads(talk("tail", "duck", "--json")[1].splitlines()[0])["text"] == "quack"
    assert len(talk("tail", "-n", "1", "--json")[1].splitlines()) == 1
    assert talk("tail", "-n", "0")[1] == ""
    assert talk("tail", "@all", "--since", "1h", "--json")[1].count("\n") == 1
    assert talk("tail", "nobody")[0] == 5


def test_tail_marks_only_what_was_asked_for(talk: Run) -> None:
    seq = json.loads(talk("tail", "duck", "-n", "2", "--json")[1].splitlines()[0])["seq"]
    assert talk("receipts", str(seq), "-u", "duck")[1].startswith("✓ accepted")
    assert talk("tail", "duck", "--unread", "--json", "--mark", "read")[1].count("quack") == 1
    assert talk("receipts", str(seq), "-u", "duck")[1].startswith("✓✓ read")
    assert "quack" not in talk("tail", "duck", "--unread", "--json")[1]
    code, _, err = talk("tail", "duck", "-f", "--mark", "delivered")
    assert code == 2
    assert "--mark read" in err


def test_tail_follows_and_runs_commands(talk: Run, tmp_path: Path) -> None:
    """With --mark delivered it begins with what waits, and values never become code."""
    script = 'printf "%s|%s\\n" "$TCPCHAT_FROM" "$TCPCHAT_TEXT" >> said'
    command = [sys.executable, "-m", "tcpchat", "tail", "-f", "--mark", "delivered", "--exec", script]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE) as tail:
        assert tail.stdout is not None
        assert b"quack" in tail.stdout.readline()
        assert b"hi" in tail.stdout.readline()
        tail.stdout.readline()
        assert b"coffee" in tail.stdout.readline()
        code, out, _ = talk("send", "me", "$(touch hacked); `touch hacked`", "-u", "duck", "--wait", "delivered")
        assert (code, out.split()[0]) == (0, "delivered")
        tail.terminate()
    lines = (tmp_path / "said").read_text().splitlines()
    assert lines[0] == "duck|quack"
    assert lines[-1] == "duck|$(touch hacked); `touch hacked`"
    assert not (tmp_path / "hacked").exists()


def test_search(talk: Run) -> None:
    code, out, _ = talk("search", "coffee")
    assert code == 0
    assert "coffee is ready" in out
    assert "\x1b[" not in out
    assert talk("search", "tea")[0] == 1
    assert json.loads(talk("search", "quack", "--from", "duck", "--json")[1])["text"] == "quack"


def test_colours(talk: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b[1m" in talk("search", "coffee")[1]
    assert "\x1b[" not in talk("search", "coffee", "--no-color")[1]
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in talk("search", "coffee")[1]


def test_who_status_rooms(talk: Run) -> None:
    assert talk("who")[1] == ""
    everybody = {json.loads(line)["login"] for line in talk("who", "--all", "--json")[1].splitlines()}
    assert everybody == {"me", "duck"}
    assert talk("who", "nobody")[0] == 5
    state = json.loads(talk("status", "--json")[1])
    assert state["state"] == "WAIT4CLIENTS"
    assert talk("status")[1].startswith("WAIT4CLIENTS  0 online")
    assert talk("rooms")[1].startswith("#all")
    assert talk("rooms", "join", "#ops")[0] == talk("rooms", "leave", "ops")[0] == 0
    assert talk("rooms", "join")[0] == 2


def test_whoami(talk: Run, home: Path) -> None:
    answer = json.loads(talk("whoami", "--json")[1])
    assert (answer["login"], answer["claimed"]) == ("me", True)
    assert Path(answer["key"]).parent == home / "keys"
    assert talk("whoami")[1].startswith("me (owner) at 127.0.0.1:")


def test_keys_of_ones_own_login(talk: Run) -> None:
    (only,) = [json.loads(line) for line in talk("login", "--keys", "--json")[1].splitlines()]
    assert talk("login", "--keys")[1] == f"{only['key']}  {only['label']}\n"
    code, _, err = talk("login", "--revoke", only["key"][:16])
    assert code != 0  # nobody could ever prove this login again
    assert "key" in err
    assert talk("login", "--revoke", "ed25519:nobody")[0] != 0
    assert len(talk("login", "--keys")[1].splitlines()) == 1


def test_defaults_come_from_the_file(talk: Run, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TCPCHAT_USER")
    (home / "config.toml").write_text('[default]\nuser = "me"\n[profile.other]\nuser = "duck"\n')
    assert talk("whoami")[1].startswith("me ")
    assert talk("whoami", "-p", "other")[1].startswith("duck ")
    assert talk("whoami", "-p", "none")[0] == 2
    (home / "config.toml").write_text("[default\n")
    code, _, err = talk("whoami")
    assert code == 2
    assert "config.toml" in err
