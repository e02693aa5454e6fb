"""The short session of a command: what becomes of it when the line dies, and of a login that cannot be proved."""

from __future__ import annotations

import json
import socket
import threading

import pytest

from tcpchat.cli import main
from tcpchat.client import peer
from tcpchat.core.errors import CODES

WELCOME = {"t": "welcome", "login": "me", "head": 1, "after": 1, "log": "L1"}


class Script:
    """A server that answers each line with the next of its lines, and then keeps silent."""

    def __init__(self, *answers: dict[str, object]) -> None:
        self.answers = list(answers)
        self.heard: list[dict[str, object]] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self) -> None:
        own, _ = self.listener.accept()
        with own, own.makefile("rb") as lines:
            for line in lines:
                self.heard.append(json.loads(line))
                if self.answers:
                    own.sendall(json.dumps(self.answers.pop(0)).encode() + b"\n")

    def end(self) -> list[object]:
        """The kinds of what was heard, once the command is gone."""
        self.thread.join()
        self.listener.close()
        return [one["t"] for one in self.heard]


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> type[Script]:
    monkeypatch.setenv("TCPCHAT_TLS", "never")
    return Script


def test_a_dead_line_is_noticed(
    script: type[Script], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(peer, "PING_AFTER", 0.05)
    monkeypatch.setattr(peer, "DEAD_AFTER", 0.1)
    server = script(WELCOME)
    assert main(["who", "-s", f"127.0.0.1:{server.listener.getsockname()[1]}", "--timeout", "30"]) == 3
    assert "no sign of life" in capsys.readouterr().err
    assert server.end() == ["hello", "who", "ping", "bye"]


def test_a_login_of_somebody_else(script: type[Script], capsys: pytest.CaptureFixture[str]) -> None:
    challenge = {"t": "challenge", "nonce": "n0nce", "methods": ["key"], "login": "me"}
    server = script(challenge, {"t": "refused", "code": "wrong_proof", "text": "The key does not fit this login."})
    assert main(["who", "-s", f"127.0.0.1:{server.listener.getsockname()[1]}"]) == 4
    assert capsys.readouterr().err.startswith(CODES["claimed"].text)
    assert server.end() == ["hello", "proof"]


def test_the_password_is_tried_where_the_key_does_not_fit(
    script: type[Script], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tcpchat.cli.connection.password_option", lambda: "quack")
    challenge = {"t": "challenge", "nonce": "n0nce", "methods": ["key", "password"], "login": "me"}
    refused = {"t": "refused", "code": "wrong_proof", "text": "The key does not fit this login."}
    server = script(challenge, refused, WELCOME, {"t": "people", "to": "", "people": [], "ref": 1})
    assert main(["who", "-s", f"127.0.0.1:{server.listener.getsockname()[1]}"]) == 0
    assert server.end() == ["hello", "proof", "password", "who", "bye"]
    assert server.heard[2]["password"] == "quack"
