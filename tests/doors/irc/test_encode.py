"""Messages as lines: whatever is stored becomes lines of IRC, with nothing lost and nobody's line forged."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.ircrig import HELLO, Rig
from tcpchat.core.model import Command, Message, Say
from tcpchat.doors.irc import encode, wire
from tcpchat.doors.irc.network import Network

DIALECTS = [
    frozenset(words.split())
    for words in ("", "message-tags", "server-time account-tag message-tags", "message-tags draft/multiline batch")
]
TEXTS = st.text(st.characters(blacklist_categories=["Cs"]), min_size=1, max_size=600)


def said(text: str, **more: Any) -> Message:
    return Message(7, 1_000, "duck", "#room", text, **more)


def words(lines: list[str]) -> list[str]:
    """What stands behind the colon of each PRIVMSG."""
    return [line.params[-1] for line in map(wire.parse, lines) if line.command == "PRIVMSG"]


@given(TEXTS, st.lists(st.integers(-5, 700), max_size=8), st.sampled_from(DIALECTS))
def test_any_cuts_become_lines(text: str, cuts: list[int], dialect: frozenset[str]) -> None:
    network = Network()
    encode.message(network, said(text, cuts=tuple(cuts)), dialect)
    encode.message(network, said(text, cuts=tuple(cuts), tags={"a": "b"}, rank="op"), dialect)


@given(TEXTS, st.lists(st.integers(1, 599), max_size=8))
def test_lines_hold_the_whole_text(text: str, places: list[int]) -> None:
    cuts = tuple(sorted({place for place in places if place < len(text)}))
    parts = encode.bodies(said(text, cuts=cuts), 100, "", True)
    joined = "".join(piece if going or not place else "\n" + piece for place, (piece, going) in enumerate(parts))
    whole = "\n".join(wire.rows(text))
    assert joined == whole or (joined.endswith(" more lines") and whole.count("\n") >= encode.ROWS_MAX)


def asked(rig: Rig, lines: bytes) -> list[Command]:
    commands: list[Command] = []
    receive = rig.chat.receive

    def noted(session: Any, command: Any, now: float) -> Any:
        commands.append(command)
        return receive(session, command, now)

    rig.chat.receive = noted  # type: ignore[method-assign]
    rig.feed(lines)
    return commands


@pytest.mark.parametrize("tag", ["+~lines=x", "+~status=@", "+=x", "+", "++a", "+a/b/c=x", "+é=x", r"+a=b\r\nQUIT"])
def test_what_is_no_tag_goes_no_further(tag: str) -> None:
    rig = Rig()
    rig.feed(HELLO + b"JOIN #room\r\n")
    (say,) = [one for one in asked(rig, f"@{tag};+fine=1 PRIVMSG #room :hi\r\n".encode()) if isinstance(one, Say)]
    assert say.tags in ({"fine": "1"}, None)
    assert not say.rank
    assert say.cuts == ()


NAMES = st.sampled_from(["duck", "ж" * 32, "🦆" * 32, "x" * 32])
PREFIXES = st.sampled_from(["", "[11-28 16:00] "])
LONG = st.lists(st.sampled_from(["x", "ж", "🦆", " ", "word ", "\n", "\x02"]), min_size=1, max_size=1_500).map("".join)


@given(NAMES, st.sampled_from(["text", "action", "notice"]), LONG, PREFIXES, st.sampled_from(DIALECTS))
def test_lines_are_of_512_bytes_with_whatever_is_put_in_front(
    name: str, kind: str, text: str, prefix: str, dialect: frozenset[str]
) -> None:
    network = Network()
    face = network.face(name)
    face.user, face.host = "~" + "u" * 20, "h" * 63
    event = Message(7, 1_000, name, "#" + "ж" * 50, text, kind=kind)
    rows = encode.lines(network, event, dialect, prefix=prefix)
    for row in rows:
        assert len(row[row.index(":") if row[0] == "@" else 0 :].encode()) <= 510
        assert wire.line(row).decode() == row + "\r\n"
    said_ = [line for line in map(wire.parse, rows) if line.command in ("PRIVMSG", "NOTICE")]
    bodies = [line.params[-1].removeprefix("\x01ACTION ").removesuffix("\x01") for line in said_]
    assert all(body.startswith(prefix) for body in bodies)
    if text.count("\n") < encode.ROWS_MAX:
        assert "".join(body.removeprefix(prefix) for body in bodies) == text.replace("\n", "")


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
def test_a_message_of_many_lines_has_an_end(dialect: frozenset[str], end: str) -> None:
    rows = encode.lines(Network(), said(end.join(map(str, range(2_000)))), dialect)
    assert words(rows) == [*map(str, range(encode.ROWS_MAX - 1)), "... 1951 more lines"]
    data = encode.message(Network(), said(end.join(["x"] * 2_000)), dialect)
    assert data.count(b"\r\n") <= encode.ROWS_MAX + 2


def test_blank_lines_are_for_those_who_know_messages_of_many_lines() -> None:
    text = "a" + "\n" * 40 + "b"
    assert words(encode.lines(Network(), said(text), frozenset())) == ["a", "b"]
    assert len(words(encode.lines(Network(), said(text), frozenset({"draft/multiline", "batch"})))) == 41
