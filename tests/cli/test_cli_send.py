"""``tcpchat send``: its exit codes are a contract."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest

from tcpchat.client import connect
from tcpchat.server import Server

Run = Any


@asynccontextmanager
async def listening(server: Server, login: str) -> Any:
    """Somebody who takes every message; yields the list of them."""
    taken: list[str] = []
    async with connect(f"127.0.0.1:{server.port}", login) as chat:

        async def take() -> None:
            async for message in chat.messages():
                taken.append(message.text)
                chat.read("@" + message.by, message.seq)

        task = asyncio.create_task(take())
        yield taken
        task.cancel()


def duck(server: Server) -> AbstractAsyncContextManager[list[str]]:
    return listening(server, "duck")


async def test_delivered_means_that_the_recipient_has_it(server: Server, run: Run) -> None:
    async with duck(server) as taken:
        code, out, err = await asyncio.to_thread(run, "send", "duck", "quack", "--wait", "delivered")
        assert code == 0, err
        word, seq = out.split()
        assert word in ("delivered", "read")
        assert int(seq) > 0
        assert taken == ["quack"]


async def test_read_and_json(server: Server, run: Run) -> None:
    async with duck(server):
        code, out, _ = await asyncio.to_thread(run, "send", "@Duck", "two", "words", "--wait", "read", "--json")
        answer = json.loads(out)
        assert code == 0
        assert (answer["to"], answer["state"], answer["reached"]) == ("@Duck", "read", True)


async def test_waiting_in_vain_is_124_and_says_where_it_is(server: Server, run: Run) -> None:
    async with connect(f"127.0.0.1:{server.port}", "duck"):  # here, but takes nothing
        code, out, err = await asyncio.to_thread(
            run, "send", "duck", "quack", "--wait", "delivered", "--timeout", "300ms"
        )
        assert (code, out.split()[0]) == (124, "accepted")
        assert f"tcpchat receipts {out.split()[1]}" in err
        assert run("receipts", out.split()[1])[1].splitlines()[0] == "✓ accepted"


async def test_an_unknown_login_has_a_suggestion(server: Server, run: Run) -> None:
    async with duck(server):
        code, out, err = await asyncio.to_thread(run, "send", "dukc", "hi")
        assert (code, out) == (5, "")
        assert err.startswith('No user "dukc" here. Did you mean duck? (tcpchat who')


async def test_one_unknown_login_does_not_keep_the_others_waiting(server: Server, run: Run) -> None:
    async with duck(server) as taken, listening(server, "carol") as too:
        code, out, err = await asyncio.to_thread(run, "send", "duck,nobody,carol", "quack", "--wait", "delivered")
        assert code == 5
        assert len(out.splitlines()) == 2
        assert 'No user "nobody" here.' in err
        assert (taken, too) == (["quack"], ["quack"])


async def test_the_same_id_is_sent_once(server: Server, run: Run) -> None:
    async with duck(server) as taken:
        first = await asyncio.to_thread(run, "send", "duck", "backup done", "--id", "backup-7", "--wait", "delivered")
        again = await asyncio.to_thread(run, "send", "duck", "backup done", "--id", "backup-7", "--wait", "delivered")
        other = await asyncio.to_thread(run, "send", "duck", "backup done", "--id", "backup-8", "--wait", "delivered")
        assert first[0] == again[0] == other[0] == 0
        assert first[1].split()[1] == again[1].split()[1] != other[1].split()[1]
        assert taken == ["backup done"] * 2


async def test_rooms_and_all(server: Server, run: Run) -> None:
    async with duck(server) as taken:
        assert (await asyncio.to_thread(run, "send", "@all", "coffee", "--wait", "delivered"))[0] == 0
        assert taken == ["coffee"]
        assert run("send", "--room", "ops", "hi")[0] == 5
        assert run("rooms", "join", "ops")[0] == 0
        assert run("send", "--room", "ops", "hi")[0] == 0
        assert run("send", "#ops", "hi")[0] == 0


def test_usage(server: Server, run: Run) -> None:
    assert run("send")[0] == 2
    assert run("send", "duck", "")[0] == 2
    assert run("send", "duck", "x", "--wait", "tomorrow")[0] == 2
    assert run("send", "duck", "x", "--timeout", "soon")[0] == 2


def test_no_server_is_3(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        monkeypatch.setenv("TCPCHAT_SERVER", f"127.0.0.1:{probe.getsockname()[1]}")
        code, _, err = run("send", "duck", "hi")
    assert code == 3
    assert "tcpchat serve" in err


def test_somebody_elses_login_is_4(server: Server, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    assert run("whoami")[0] == 0  # claims it
    monkeypatch.setenv("TCPCHAT_HOME", str(tmp_path / "other"))
    code, _, err = run("send", "duck", "hi")
    assert code == 4
    assert "--user LOGIN" in err


def test_a_key_file_that_cannot_be_used_is_4(server: Server, run: Run, tmp_path: Any) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "me.key").write_text("no key")
    code, _, err = run("status")
    assert code == 4
    assert "me.key" in err


@pytest.mark.parametrize("say", [b"", b'{"t":"welcome","login":"me","head":0,"after":0}\n'], ids=["hello", "say"])
def test_a_lost_connection(run: Run, monkeypatch: pytest.MonkeyPatch, say: bytes) -> None:
    """Before the welcome: 3, nothing was sent. Behind it: 6, nobody knows."""
    import threading

    monkeypatch.setenv("TCPCHAT_TLS", "never")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        monkeypatch.setenv("TCPCHAT_SERVER", f"127.0.0.1:{listener.getsockname()[1]}")

        def serve() -> None:
            peer, _ = listener.accept()
            with peer:
                peer.recv(65536)
                if say:
                    peer.sendall(say)
                    peer.recv(65536)

        thread = threading.Thread(target=serve)
        thread.start()
        code, _, err = run("send", "duck", "hi", "--id", "k")
        thread.join()
    assert code == (6 if say else 3)
    if say:
        assert "--id k" in err


def test_the_process(server: Server) -> None:
    """What it imports, and what becomes of a closed pipe."""
    code = "import sys; from tcpchat.cli import main; main(sys.argv[1:]); print(*sorted(sys.modules))"
    command = [sys.executable, "-c", code, "send", "@all", "hi"]
    out = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ).stdout
    imported = set(out.splitlines()[-1].split())
    assert "tcpchat.core.model" in imported
    assert not imported & {"textual", "rich", "asyncio", "sqlite3", "tcpchat.server", "tcpchat.menu", "uvloop"}

    with subprocess.Popen([sys.executable, "-m", "tcpchat", "tail", "-f"], stdout=subprocess.PIPE) as tail:
        assert tail.stdout is not None
        assert b"hi" in tail.stdout.readline()
        tail.stdout.close()
        subprocess.run([sys.executable, "-m", "tcpchat", "send", "@all", "again", "-u", "duck"], check=True,
                       stdout=subprocess.DEVNULL)  # fmt: skip
        assert tail.wait(20) == 141


def test_text_from_standard_input(server: Server, home: Any) -> None:
    command = [sys.executable, "-m", "tcpchat", "send", "@all", "-"]
    assert subprocess.run(command, input=b"one\ntwo\n", check=True, stdout=subprocess.DEVNULL).returncode == 0
    tail = subprocess.run([sys.executable, "-m", "tcpchat", "tail", "@all", "--json"], capture_output=True, check=True)
    assert json.loads(tail.stdout)["text"] == "one\ntwo"
