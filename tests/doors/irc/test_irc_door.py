"""The IRC door without a socket: bytes at every cut, hostile lines, shared bytes, tables, receipts."""

from __future__ import annotations

import ast
import inspect
import pkgutil
from importlib import import_module
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.ircrig import HELLO, NOW, Rig
from tcpchat.core.model import Message, Say, TypingNotice
from tcpchat.doors import irc
from tcpchat.doors.irc import encode
from tcpchat.doors.irc.caps import CAPS
from tcpchat.doors.irc.commands import COMMANDS
from tcpchat.doors.irc.door import IrcDoor
from tcpchat.doors.irc.network import Network
from tcpchat.doors.irc.numerics import NUMERICS

TALK = HELLO + b"JOIN #room\r\nPRIVMSG #room :h\xc3\xa9llo\r\nMODE #room\r\nWHO #room\r\nPING end\r\n"


def test_cut_at_every_byte() -> None:
    whole = Rig().feed(TALK)
    assert b" PONG " in whole
    host = whole.split(b"foo!~foo@")[1].split(b"\r\n")[0].split(b" ")[0]
    for cut in range(1, len(TALK), 3):
        rig = Rig()
        out = rig.feed(TALK[:cut]) + rig.feed(TALK[cut:])
        other = out.split(b"foo!~foo@")[1].split(b"\r\n")[0].split(b" ")[0]
        lines = [line for line in out.replace(other, host).split(b"\r\n") if b" 003 " not in line]
        assert lines == [line for line in whole.split(b"\r\n") if b" 003 " not in line], cut


WORDS = st.sampled_from(
    [
        *sorted(COMMANDS),
        "#room",
        "foo",
        "@label=x",
        ":",
        "*",
        "+o",
        "-b",
        "x,y",
        "msgid=tc1",
        "timestamp=x",
        "\x01",
        "",
    ]
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.one_of(st.binary(max_size=40), st.lists(WORDS, max_size=6).map(lambda w: " ".join(w).encode()))))
def test_nothing_that_a_peer_sends_is_an_exception(lines: list[bytes]) -> None:
    rig = Rig()
    rig.feed(HELLO)
    for line in lines:
        if not line.upper().startswith((b"QUIT",)):
            rig.feed(line + b"\r\n")
    assert len(rig.door.buffer) < 10_000


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=300))
def test_garbage_before_the_welcome(data: bytes) -> None:
    Rig().feed(data + b"\r\n")


def test_shared_bytes_are_those_of_one_alone() -> None:
    network = Network()
    message = Message(seq=7, at=1_700_000_000_123, by="Big Brother", to="@foo", text="hi", account="Big Brother")
    for caps in (
        set(),
        {"server-time"},
        {"message-tags", "account-tag"},
        {"server-time", "message-tags", "batch"},
    ):
        door = IrcDoor(network)
        door.recap(caps)
        door.registered = True
        door.login = door.nick = "foo"
        shared = door.encode(message)
        door.deliver(message)
        assert door.data_to_send() == shared
        assert shared is not None
        assert b":Big_Brother!" in shared
        assert (b"time=2023-11-14T22:13:20.123Z" in shared) is ("server-time" in caps)
        assert (b"msgid=tc7" in shared) is ("message-tags" in caps)
        assert (b"account=Big_Brother" in shared) is ("account-tag" in caps)
    assert IrcDoor(network).encode(TypingNotice("a", "@b")) == b""
    door.recap({"message-tags"})
    assert b"@+typing=active" in (door.encode(TypingNotice("a", "#b")) or b"")


def test_moments() -> None:
    assert encode.stamp(1_700_000_000_123) == "2023-11-14T22:13:20.123Z"
    assert encode.moment("2023-11-14T22:13:20.123Z") == 1_700_000_000_123
    for wrong in ("", "x", "2023-11-14", "2023-11-14T22:13:20", "9999999-01-01T00:00:00Z"):
        assert encode.moment(wrong) == 0
    assert encode.seq_of(encode.msgid(42)) == 42
    assert [encode.seq_of(word) for word in ("", "42", "tcx", "tc²", "tc" + "9" * 30)] == [0] * 5


def test_messages_are_not_held_back_by_one_another() -> None:
    rig = Rig()
    rig.feed(HELLO + b"JOIN #r\r\n")
    commands = rig.door.receive(b"PRIVMSG #r :x\r\n" * 40 + b"PING end\r\n", NOW)
    assert [type(command) for command in commands] == [Say] * 32
    assert rig.door.more(NOW) == []
    rig.door.receive(b"PING more\r\n" * 600, NOW)
    assert rig.door.busy


def modules() -> list[Any]:
    return [import_module(f"{irc.__name__}.{one.name}") for one in pkgutil.iter_modules(irc.__path__)]


def test_every_numeric_that_is_sent_is_in_the_table() -> None:
    sent = set()
    for module in modules():
        for node in ast.walk(ast.parse(inspect.getsource(module))):
            text = node.value if isinstance(node, ast.Constant) else None
            if isinstance(text, str) and text.startswith(("RPL_", "ERR_")) and "\n" not in text:
                sent.add(text)
    assert sent <= set(NUMERICS)
    assert len({numeric.code for numeric in NUMERICS.values()}) == len(NUMERICS)


def test_every_command_has_a_help_text() -> None:
    for spec in COMMANDS.values():
        assert spec.help, spec.name
    assert all(cap.what for cap in CAPS.values())


@pytest.mark.parametrize("limit", [700])
def test_no_file_is_long(limit: int) -> None:
    for module in modules():
        assert len(inspect.getsource(module).splitlines()) <= limit, module.__name__


def test_the_docs_are_those_of_the_code() -> None:
    from pathlib import Path

    from tools.docs.irc import rendered

    page = Path(__file__).parents[3] / "docs" / "irc.md"
    text = page.read_text(encoding="utf-8")
    assert rendered(text) == text, "run: make docs"
