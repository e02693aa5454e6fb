"""The first time at a server: its key, in the client on a pty, from a real server with TLS."""

from __future__ import annotations

import re
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.realterm import PtyTerminal
from support.realworld import World

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs a pty")


def own_address() -> str:
    """An address of this machine that is not localhost: nothing is pinned for that."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing
        except OSError:
            pytest.skip("this machine has no network")
        return str(probe.getsockname()[0])


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path, host="0.0.0.0")
    yield made
    made.kill()


@pytest.fixture
def visit(world: World) -> Iterator[Callable[[], PtyTerminal]]:
    """``visit()``: the client, on its way to the server."""
    opened: list[PtyTerminal] = []

    def go() -> PtyTerminal:
        opened.append(PtyTerminal(["chat", f"me@{own_address()}:{world.port}"], world.home))
        return opened[-1]

    yield go
    for terminal in opened:
        terminal.close()


def printed(world: World) -> tuple[str, str]:
    """Fingerprint and words, as the server printed them when it started."""
    found = re.search(r"Key (SHA256:\S+)  \((.+)\)", world.printed)
    assert found is not None
    return found[1], found[2]


def known(world: World) -> str:
    """The file of known servers."""
    files = [path for path in world.home.rglob("known_servers") if path.is_file()]
    return files[0].read_text() if files else ""


def test_yes_is_asked_once_and_remembered(world: World, visit: Callable[[], PtyTerminal]) -> None:
    fingerprint, words = printed(world)
    terminal = visit()
    text = terminal.until("Trust this server?")
    assert f"First time at {own_address()}:{world.port}." in text
    assert fingerprint in text
    assert words in text
    assert fingerprint not in known(world)
    terminal.press("\r")
    terminal.until("#all>")
    terminal.until("TLS, trusted since")
    assert fingerprint in known(world)
    terminal.press("\x11")
    assert terminal.gone() == 0
    again = visit()
    again.until("#all>")
    assert b"Trust this server?" not in again.raw


@pytest.mark.parametrize("key", ["\x1b[B\r", "\x1b"], ids=["no", "escape"])
def test_no_stores_nothing_and_leaves(world: World, visit: Callable[[], PtyTerminal], key: str) -> None:
    terminal = visit()
    terminal.until("Trust this server?")
    terminal.press(key)
    terminal.until("Where to?")
    terminal.until("was not trusted")
    assert "SHA256" not in known(world)
    terminal.press("\x11")
    assert terminal.gone() == 0
    visit().until("Trust this server?")


def test_a_changed_key_is_refused_with_what_to_do(
    world: World, visit: Callable[[], PtyTerminal], tmp_path: Path
) -> None:
    old = printed(world)
    first = visit()
    first.until("Trust this server?")
    first.press("\r")
    first.until("#all>")
    first.press("waits\r")
    first.until(lambda text: re.search("waits +✓", text))
    world.kill()
    world.folder = tmp_path / "another"
    world.folder.mkdir()
    world.start()
    new = printed(world)
    assert new[0] != old[0]
    first.press("\r")
    stopped = visit()
    told = ("HAS CHANGED", *old, *new, f"tcpchat trust forget {own_address()}:{world.port}", "Go back")
    for terminal in (first, stopped):
        text = terminal.until(lambda text: all(wanted in text for wanted in told))
        assert "Yes" not in text
        terminal.press("\r")
        terminal.until("Where to?")
    assert old[0] in known(world)
    assert new[0] not in known(world)


def test_a_server_is_never_talked_to_in_plain_behind_one_s_back(visit: Callable[[], PtyTerminal], world: World) -> None:
    world.kill()
    world.options = ("--plain-only",)
    world.start()
    terminal = visit()
    terminal.until("does not speak TLS")
    assert "#all>" not in terminal.text
