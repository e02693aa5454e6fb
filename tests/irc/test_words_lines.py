"""Lines as the wire has them: what parts words and what does not, beside the vectors of tests/doors/irc/test_wire.py.

Sources: https://github.com/ircdocs/parser-tests and https://modern.ircdocs.horse/#message-format
"""

from __future__ import annotations

import pytest

from support.ircpeer import House, commands, only
from tcpchat.doors.irc import wire
from tcpchat.doors.irc.wire import Line

SPLIT = [
    ("COMMAND", Line("COMMAND", [])),
    ("  COMMAND  a   b  ", Line("COMMAND", ["a", "b"])),
    (":cool\tguy foo bar baz", Line("FOO", ["bar", "baz"], None, "cool\tguy")),
    (":coolguy foo b\tar baz", Line("FOO", ["b\tar", "baz"], None, "coolguy")),
    ("foo a\u00a0b c\u2003d e\x1ff", Line("FOO", ["a\u00a0b", "c\u2003d", "e\x1ff"])),
    (":irc.example.com COMMAND param1 param2 :param3 param3",
     Line("COMMAND", ["param1", "param2", "param3 param3"], None, "irc.example.com")),
    ("@tag1=value1;tag2;vendor1/tag3=value2;vendor2/tag4 COMMAND param1 param2 :param3 param3",
     Line("COMMAND", ["param1", "param2", "param3 param3"],
          {"tag1": "value1", "tag2": "", "vendor1/tag3": "value2", "vendor2/tag4": ""})),
    ("@tag1=value1;tag2;vendor1/tag3=value2;vendor2/tag4= :irc.example.com COMMAND param1 param2 :param3 param3",
     Line("COMMAND", ["param1", "param2", "param3 param3"],
          {"tag1": "value1", "tag2": "", "vendor1/tag3": "value2", "vendor2/tag4": ""}, "irc.example.com")),
    (r"@foo=\\\\\:\\s\s\r\n COMMAND", Line("COMMAND", [], {"foo": "\\\\;\\s \r\n"})),
    (r"@tag1=value\\ntest COMMAND", Line("COMMAND", [], {"tag1": r"value\ntest"})),
]  # fmt: skip


@pytest.mark.parametrize(("text", "line"), SPLIT, ids=range(len(SPLIT)))
def test_split(text: str, line: Line) -> None:
    assert wire.parse(text) == line


JOIN = [
    (("foo", ["b\tar", "baz"], "coolguy", {}), ":coolguy foo b\tar baz"),
    (("foo", ["bar", "baz", ""], "coolguy", {}), ":coolguy foo bar baz :"),
    (("foo", ["bar", "baz", "  "], "coolguy", {}), ":coolguy foo bar baz :  "),
    (("foo", ["bar", "baz", "asdf quux"], "coolguy", {}), ":coolguy foo bar baz :asdf quux"),
    (("foo", ["bar", "baz", "  "], "coolguy", {"asd": ""}), "@asd :coolguy foo bar baz :  "),
    (("foo", [], "", {"a": "b\\and\nk", "d": "gh;764"}), r"@a=b\\and\nk;d=gh\:764 foo"),
    (("foo", ["par1", "par2"], "", {"a": "b\\and\nk", "d": "gh;764"}), r"@a=b\\and\nk;d=gh\:764 foo par1 par2"),
    (("COMMAND", [], "", {"foo": "\\\\;\\s \r\n"}), r"@foo=\\\\\:\\s\s\r\n COMMAND"),
]  # fmt: skip


@pytest.mark.parametrize(("parts", "text"), JOIN, ids=range(len(JOIN)))
def test_join(parts: tuple[str, list[str], str, dict[str, str]], text: str) -> None:
    command, params, source, tags = parts
    assert wire.join(command, params, source, tags.items()) == text
    assert wire.parse(text) == Line(command.upper(), params, tags or None, source)


def test_only_the_blank_ends_a_word(house: House) -> None:
    a, b = house.join("foo", rooms=("#r",)), house.join("bar", rooms=("#r",))
    a.ask("PRIVMSG #r one\ttwo\u00a0three four")
    assert only(b.sync(), "PRIVMSG").params == ["#r", "one\ttwo\u00a0three"]


def test_the_longest_line_and_one_byte_more(house: House) -> None:
    a = house.join("foo")
    a.send("PING " + "x" * 505)
    assert "x" * 450 in a.read().params[-1]
    a.send("PING " + "x" * 506)
    assert a.read().command == "417"
    assert commands(a.ask("JOIN #r"))[0] == "JOIN"


@pytest.mark.parametrize("caps", [(), ("message-tags",)])
def test_a_line_without_end_is_the_end(house: House, caps: tuple[str, ...]) -> None:
    a = house.join("foo", *caps)
    a.send("PRIVMSG foo :" + "a" * 16384)
    assert commands(a.closed())[-1] == "ERROR"
