"""The original programming interface: the facade in ``tcp``."""

from __future__ import annotations

import io
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tcp.client import MyClientTCPHandler, MyTCPClient
from tcp.server import MyServerTCPHandler, MyTCPServer
from tcpchat.client import sync


class Noted(MyServerTCPHandler):
    """Writes down what it is told."""

    notes: list[tuple[str, ...]] = []
    more = threading.Condition()

    def note(self, *what: str) -> None:
        with self.more:
            self.notes.append((*what, self.user))
            self.more.notify_all()

    def setup(self) -> None:
        self.note("setup")

    def send_from_to(self, message_pack: list[str]) -> None:
        self.note("send_from_to", *message_pack)

    def send_broadcast(self, message: str) -> None:
        self.note("send_broadcast", message)
        raise RuntimeError("a hook that fails harms nobody")

    def finish(self) -> None:
        self.note("finish")


def noted(*what: str) -> None:
    with Noted.more:
        assert Noted.more.wait_for(lambda: what in Noted.notes, 10), (what, Noted.notes)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TCPCHAT_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    Noted.notes.clear()
    return tmp_path


@contextmanager
def serving(handler: type[MyServerTCPHandler] = MyServerTCPHandler, **options: Any) -> Iterator[MyTCPServer]:
    with MyTCPServer(("localhost", 0), handler, bind_and_activate=True, **options) as server:
        server.myinit(options.pop("log", None))
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()  # from another thread, as ever
            thread.join(10)
            assert not thread.is_alive()


def test_hooks(capsys: pytest.CaptureFixture[str]) -> None:
    with serving(Noted) as server:
        at = f"localhost:{server.server_address[1]}"
        with sync.connect(at, "duck") as duck, sync.connect(at, "me"):
            noted("setup", "duck")
            noted("setup", "me")
            assert server.STATE == "READY2SERV"
            assert sorted(server.get_users_list()) == ["duck", "me"]
            duck.send("@me", "quack")
            duck.send("#all", "to all")
            noted("send_from_to", "me", "quack", "duck")
            noted("send_broadcast", "to all", "duck")
        noted("finish", "duck")
        noted("finish", "me")
        assert server.STATE == "WAIT4CLIENTS"
    out = capsys.readouterr().out.splitlines()
    assert "duck has joined --- len users 1" in out
    assert out[-1].endswith("has left ... len users 0")


def test_the_log_has_the_lines_of_the_original() -> None:
    log = io.StringIO()
    with MyTCPServer(("127.0.0.1", 0), MyServerTCPHandler, bind_and_activate=True, data=None) as server:
        server.myinit(log)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        with sync.connect(f"127.0.0.1:{server.server_address[1]}", "duck") as duck:
            duck.send("#all", "hi all")
        server.shutdown()
        thread.join(10)
    lines = log.getvalue().splitlines()
    for line in ("Accepted new user duck", "duck <broadcast> hi all", "duck leaves server", "User duck has left ..."):
        assert line in lines


def test_the_port_is_taken_at_once_and_given_back(home: Path) -> None:
    with MyTCPServer(("127.0.0.1", 0), MyServerTCPHandler) as server:
        port = server.server_address[1]
        assert port
        with pytest.raises(OSError):
            MyTCPServer(("127.0.0.1", port), MyServerTCPHandler)
    MyTCPServer(("127.0.0.1", port), MyServerTCPHandler).server_close()
    assert not list(home.glob("*.db"))


def test_binding_later() -> None:
    server = MyTCPServer(("127.0.0.1", 0), MyServerTCPHandler, bind_and_activate=False, data=None)
    assert server.server_address == ("127.0.0.1", 0)
    server.server_bind()
    server.server_activate()
    assert server.server_address[1]
    server.server_close()


def test_a_shutdown_that_comes_early() -> None:
    server = MyTCPServer(("127.0.0.1", 0), MyServerTCPHandler, data=None)
    server.shutdown()
    server.serve_forever()
    server.server_close()


def test_shutdown_says_bye_to_original_clients() -> None:
    with serving(data=None) as server:
        peer = socket.create_connection(("localhost", server.server_address[1]), 5)
        peer.sendall(b'{"TYPE": "HI", "BODY": "old"}')
        assert b'"STATE"' in peer.recv(4096)
    data = b""
    while part := peer.recv(4096):
        data += part
    assert b'"BYE"' in data
    peer.close()


CLIENT = """
import sys, threading
from tcp.client import MyTCPClient, MyClientTCPHandler

class Loud(MyClientTCPHandler):
    def setup(self): print("SETUP")
    def handle(self, line): print(line.upper(), flush=True)
    def finish(self): print("FINISH")

with MyTCPClient(("localhost", int(sys.argv[1])), Loud, bind_and_activate=True) as client:
    {extra}
    client.serve_forever()
"""


@pytest.mark.parametrize("how", ["5", "shutdown", "end"])
def test_client_handlers(how: str, home: Path) -> None:
    """Every line goes through the handler; the client ends by option 5, by shutdown, by the end of its input."""
    extra = "threading.Timer(0.5, client.shutdown).start()" if how == "shutdown" else ""
    with serving(data=None) as server, subprocess.Popen(
        [sys.executable, "-c", CLIENT.format(extra=extra), str(server.server_address[1])],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, "LC_ALL": "C.UTF-8"},
    ) as client:  # fmt: skip
        assert client.stdin is not None
        assert client.stdout is not None
        client.stdin.write("me\n5\n" if how == "5" else "me\n\n")
        client.stdin.flush()
        if how == "end":
            client.stdin.close()
        lines = client.stdout.read().splitlines()
        assert client.wait(15) == 0
    assert lines[0] == "SETUP"
    assert lines[-1] == "FINISH"
    assert "< SERVER IS WAIT4CLIENTS >" in lines
    assert ("< BYE! >" in lines) == (how != "shutdown")


def test_client_options() -> None:
    client = MyTCPClient(("localhost", 1), MyClientTCPHandler, bind_and_activate=True)
    assert client.server_address == ("localhost", 1)
    assert isinstance(client.handler, MyClientTCPHandler)
    client.shutdown()  # nothing runs: nothing happens
    client.server_close()
