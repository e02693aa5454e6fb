"""Original clients on real sockets against the real server: menus open, bursts, Cyrillic, two of them talking."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.original import OriginalClient
from tcpchat.server import Server

CYRILLIC = "Съешь ещё этих мягких французских булок, да выпей чаю. "
GOOD, FAILED = "< Message have been delivered! >  =)", "< Message sending failure >       =("
READY = "< Server is READY2SERV >"


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    with Server.in_thread(port=0, data=tmp_path) as server:
        yield server.port


class Native:
    """The least of a native client."""

    def __init__(self, port: int, login: str) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=15)
        self.file = self.socket.makefile("rwb")
        self.n = 0
        self.send(t="hello", login=login)
        self.until("welcome")

    def __enter__(self) -> Native:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def send(self, **command: Any) -> None:
        self.file.write(json.dumps(command).encode() + b"\n")
        self.file.flush()

    def say(self, to: str, text: str) -> None:
        self.n += 1
        self.send(t="say", n=self.n, to=to, text=text)

    def until(self, t: str, **fields: Any) -> dict[str, Any]:
        for line in self.file:
            event: dict[str, Any] = json.loads(line)
            if event["t"] == t and all(event.get(k) == v for k, v in fields.items()):
                return event
        raise AssertionError(f"the connection ended before {t}")

    def close(self) -> None:
        self.file.close()
        self.socket.close()


def test_two_originals_talk(port: int) -> None:
    with OriginalClient("127.0.0.1", port, "duck") as duck:
        duck.wait_for("< Server is WAIT4CLIENTS >")
        with OriginalClient("127.0.0.1", port, "Big Brother") as brother:
            duck.wait_for(READY)
            brother.wait_for(READY)
            duck.who()
            duck.wait_for("duck; Big Brother")
            brother.send_to("duck", "I'm watching you ...")
            duck.wait_for("Big Brother  : I'm watching you ...")
            brother.wait_for(GOOD)
            duck.send_to("nobody", "hm")
            duck.wait_for(FAILED)
            duck.everyone("Привет всем")
            for client in (duck, brother):
                client.wait_for("broadcast - duck : Привет всем")
            duck.wait_for(GOOD)
            brother.bye()
            assert brother.wait_end() == "bye"
        duck.wait_for(lambda shown: shown[-1] == "< Server is WAIT4CLIENTS >")
        assert duck.screen.tracebacks == brother.screen.tracebacks == []


def test_a_burst_while_the_menu_is_open(port: int) -> None:
    with OriginalClient("127.0.0.1", port, "duck") as duck:
        duck.wait_for("< Server is WAIT4CLIENTS >")
        duck.menu_open()
        with Native(port, "cat") as cat:
            for number in range(50):
                cat.say("@duck", f"{number} {CYRILLIC}")
            last = cat.until("accepted", n=50)["seq"]
            duck.menu_close()
            cat.until("receipt", seq=last, state="delivered")
            lines = [line for line in duck.shown if line.startswith("cat  : ")]
            assert lines == [f"cat  : {number} {CYRILLIC}" for number in range(50)]
            duck.wait_for(READY)  # it changed while the menu was open
            assert duck.screen.tracebacks == []


def test_no_receipt_while_the_menu_is_open(port: int) -> None:
    with OriginalClient("127.0.0.1", port, "duck") as duck, OriginalClient("127.0.0.1", port, "cat") as cat:
        duck.wait_for(READY)
        duck.menu_open()
        cat.send_to("duck", "there?")
        cat.state()
        cat.wait_for(lambda shown: shown.count(READY) >= 2)
        assert GOOD not in cat.shown
        duck.send_to("cat", "one")  # the menu closes with the choice
        cat.wait_for("duck  : one")
        cat.wait_for(GOOD)
        duck.wait_for(GOOD)


def test_a_long_text_comes_in_parts(port: int) -> None:
    with OriginalClient("127.0.0.1", port, "duck") as duck:
        duck.wait_for("< Server is WAIT4CLIENTS >")
        with Native(port, "cat") as cat:
            text = (CYRILLIC * 80)[:3900]
            cat.say("@duck", text)
            cat.until("receipt", state="delivered")
            shown = "".join(line.removeprefix("cat  : ") for line in duck.shown if line.startswith("cat  : "))
            assert shown == text
            cat.say("#all", text)
            cat.until("accepted", n=2)
            duck.wait_for(lambda shown: sum(line.startswith("broadcast - cat") for line in shown) > 5)
            assert duck.screen.tracebacks == []


def test_a_burst_of_broadcasts(port: int) -> None:
    with OriginalClient("127.0.0.1", port, "duck") as duck:
        duck.wait_for("< Server is WAIT4CLIENTS >")
        with Native(port, "cat") as cat:
            for number in range(50):
                cat.say("#all", f"{number} {CYRILLIC}")
            duck.wait_for(f"broadcast - cat : 49 {CYRILLIC}")
            lines = [line for line in duck.shown if line.startswith("broadcast")]
            assert lines == [f"broadcast - cat : {number} {CYRILLIC}" for number in range(50)]
            assert duck.screen.tracebacks == []


def test_the_same_login_is_turned_away(port: int) -> None:
    with OriginalClient("127.0.0.1", port, "duck") as first:
        first.wait_for("< Server is WAIT4CLIENTS >")
        with OriginalClient("127.0.0.1", port, "Duck") as second:
            assert second.wait_end() == "bye"
            assert second.shown[0].startswith("tcpchat  : ")
            assert second.screen.tracebacks == []


def test_bye_before_the_server_stops(tmp_path: Path) -> None:
    with Server.in_thread(port=0, data=tmp_path) as server:
        duck = OriginalClient("127.0.0.1", server.port, "duck")
        duck.wait_for("< Server is WAIT4CLIENTS >")
    assert duck.wait_end() == "bye"
    assert duck.screen.tracebacks == []
    duck.kill()
