"""One line: split, joined, its tags, sources, masks and host names, as the public IRC parser vectors try them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tcpchat.doors.irc import wire
from tcpchat.doors.irc.wire import Line, Source

SPLIT = [
    # a verb with parameters
    ("foo bar baz asdf", Line("FOO", ["bar", "baz", "asdf"])),
    (":coolguy foo bar baz asdf", Line("FOO", ["bar", "baz", "asdf"], None, "coolguy")),
    ("foo bar baz :asdf quux", Line("FOO", ["bar", "baz", "asdf quux"])),
    ("foo bar baz :", Line("FOO", ["bar", "baz", ""])),
    ("foo bar baz ::asdf", Line("FOO", ["bar", "baz", ":asdf"])),
    (":coolguy foo bar baz :asdf quux", Line("FOO", ["bar", "baz", "asdf quux"], None, "coolguy")),
    (":coolguy foo bar baz :  asdf quux ", Line("FOO", ["bar", "baz", "  asdf quux "], None, "coolguy")),
    (":coolguy PRIVMSG bar :lol :) ", Line("PRIVMSG", ["bar", "lol :) "], None, "coolguy")),
    (":coolguy foo bar baz :", Line("FOO", ["bar", "baz", ""], None, "coolguy")),
    (":coolguy foo bar baz :  ", Line("FOO", ["bar", "baz", "  "], None, "coolguy")),
    ("foo bar b:z", Line("FOO", ["bar", "b:z"])),
    # tags
    (
        "@a=b;c=32;k;rt=ql7 foo", Line("FOO", [], {"a": "b", "c": "32", "k": "", "rt": "ql7"}),
    ),
    (
        r"@a=b\\and\nk;c=72\s45;d=gh\:764 foo",
        Line("FOO", [], {"a": "b\\and\nk", "c": "72 45", "d": "gh;764"}),
    ),
    ("@c;h=;a=b :quux ab cd", Line("AB", ["cd"], {"c": "", "h": "", "a": "b"}, "quux")),
    (r"@tag1=value\1 COMMAND", Line("COMMAND", [], {"tag1": "value1"})),
    ("@tag1=value1\\ COMMAND", Line("COMMAND", [], {"tag1": "value1"})),
    ("@tag1=1;tag2=3;tag3=4;tag1=5 COMMAND", Line("COMMAND", [], {"tag1": "5", "tag2": "3", "tag3": "4"})),
    (
        "@tag1=1;tag2=3;tag3=4;tag1=5;vendor/tag2=8 COMMAND",
        Line("COMMAND", [], {"tag1": "5", "tag2": "3", "tag3": "4", "vendor/tag2": "8"}),
    ),
    ("@a=b=c COMMAND", Line("COMMAND", [], {"a": "b=c"})),
    # the last parameter with and without its colon
    (":src JOIN #chan", Line("JOIN", ["#chan"], None, "src")),
    (":src JOIN :#chan", Line("JOIN", ["#chan"], None, "src")),
    (":src AWAY", Line("AWAY", [], None, "src")),
    (":src AWAY ", Line("AWAY", [], None, "src")),
    (":src AWAY :", Line("AWAY", [""], None, "src")),
    # what stands in a source
    (":coolguy!~ag@n\x02et\x0305w\x0fork.admin PRIVMSG foo :bar baz",
     Line("PRIVMSG", ["foo", "bar baz"], None, "coolguy!~ag@n\x02et\x0305w\x0fork.admin")),
    (":coolguy!ag@net\x035w\x03ork.admin PRIVMSG foo :bar baz",
     Line("PRIVMSG", ["foo", "bar baz"], None, "coolguy!ag@net\x035w\x03ork.admin")),
    ("@tag1=value1;tag2;vendor1/tag3=value2;vendor2/tag4 :irc.example.com COMMAND param1 param2 :param3 param3",
     Line("COMMAND", ["param1", "param2", "param3 param3"],
          {"tag1": "value1", "tag2": "", "vendor1/tag3": "value2", "vendor2/tag4": ""}, "irc.example.com")),
    # seen in the wild
    (":gravel.mozilla.org 432  #momo :Erroneous Nickname: Illegal characters",
     Line("432", ["#momo", "Erroneous Nickname: Illegal characters"], None, "gravel.mozilla.org")),
    (":gravel.mozilla.org MODE #tckk +n ", Line("MODE", ["#tckk", "+n"], None, "gravel.mozilla.org")),
    (":services.esper.net MODE #foo-bar +o foobar  ",
     Line("MODE", ["#foo-bar", "+o", "foobar"], None, "services.esper.net")),
    (":SomeOp MODE #channel :+i", Line("MODE", ["#channel", "+i"], None, "SomeOp")),
    (":SomeOp MODE #channel +oo SomeUser :AnotherUser",
     Line("MODE", ["#channel", "+oo", "SomeUser", "AnotherUser"], None, "SomeOp")),
    # nothing in it
    ("", Line("", [])), ("   ", Line("", [])), ("@a=b", Line("", [], {"a": "b"})), (":src", Line("", [], None, "src")),
    (":src :only text", Line("", [], None, "src")),
    ("x " + " ".join("abcdefghijklmnopq"), Line("X", [*"abcdefghijklmn", "o p q"])),
]  # fmt: skip


@pytest.mark.parametrize(("text", "line"), SPLIT, ids=range(len(SPLIT)))
def test_split(text: str, line: Line) -> None:
    assert wire.parse(text) == line


JOIN = [
    (("foo", ["bar", "baz", "asdf"], "", {}), "foo bar baz asdf"),
    (("AWAY", [], "src", {}), ":src AWAY"),
    (("AWAY", [""], "src", {}), ":src AWAY :"),
    (("foo", ["bar", "baz", "asdf"], "coolguy", {}), ":coolguy foo bar baz asdf"),
    (("foo", ["bar", "baz", "asdf quux"], "", {}), "foo bar baz :asdf quux"),
    (("foo", ["bar", "baz", ""], "", {}), "foo bar baz :"),
    (("foo", ["bar", "baz", ":asdf"], "", {}), "foo bar baz ::asdf"),
    (("foo", ["bar", "baz", "  asdf quux "], "coolguy", {}), ":coolguy foo bar baz :  asdf quux "),
    (("PRIVMSG", ["bar", "lol :) "], "coolguy", {}), ":coolguy PRIVMSG bar :lol :) "),
    (("foo", ["b:r", "baz"], "", {}), "foo b:r baz"),
    (("foo", ["par1", "par2", "par3 par3"], "src", {"tag1": "value1", "tag2": ""}),
     "@tag1=value1;tag2 :src foo par1 par2 :par3 par3"),
    (("foo", [], "", {"a": "b\\and\nk", "d": "gh;764", "e": "x y\r"}), "@a=b\\\\and\\nk;d=gh\\:764;e=x\\sy\\r foo"),
]  # fmt: skip


@pytest.mark.parametrize(("parts", "text"), JOIN, ids=range(len(JOIN)))
def test_join(parts: tuple[str, list[str], str, dict[str, str]], text: str) -> None:
    command, params, source, tags = parts
    assert wire.join(command, params, source, tags.items()) == text


NO_NUL = st.characters(blacklist_characters="\0", blacklist_categories=["Cs"])


@given(st.dictionaries(st.from_regex(r"\A[+]?[a-z/.-]{1,12}\Z"), st.text(NO_NUL, max_size=30)))
def test_tags_come_back_as_they_went(tags: dict[str, str]) -> None:
    text = wire.format_tags(tags.items())
    assert wire.parse_tags(text[1:-1]) == tags
    assert "\n" not in text


@given(st.text(max_size=200))
def test_any_text_can_be_split(text: str) -> None:
    line = wire.parse(text)
    assert len(line.params) <= wire.MAX_PARAMS


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("coolguy", Source("coolguy")),
        ("coolguy!ag@127.0.0.1", Source("coolguy", "ag", "127.0.0.1")),
        ("coolguy!~ag@localhost", Source("coolguy", "~ag", "localhost")),
        ("coolguy@127.0.0.1", Source("coolguy", "", "127.0.0.1")),
        ("coolguy!ag", Source("coolguy", "ag", "")),
        ("coolguy!ag@net\x035w\x03ork.admin", Source("coolguy", "ag", "net\x035w\x03ork.admin")),
        ("coolguy!~ag@n\x02et\x0305w\x0fork.admin", Source("coolguy", "~ag", "n\x02et\x0305w\x0fork.admin")),
        ("irc.example.net", Source("irc.example.net")),
    ],
)
def test_sources(text: str, source: Source) -> None:
    assert wire.parse_source(text) == source


MASKS = [
    ("*@127.0.0.1", ["coolguy!ag@127.0.0.1", "cooldud3!~bc@127.0.0.1"],
     ["coolguy!ag@127.0.0.5", "cooldud3!~d@124.0.0.1"]),
    ("cool*@*", ["coolguy!ag@127.0.0.1", "cooldud3!~bc@127.0.0.1", "cool132!ab@example.com"],
     ["koolguy!ag@127.0.0.5", "cooodud3!~d@124.0.0.1"]),
    ("cool!*@*", ["cool!guyg@127.0.0.1", "cool!~dudebc@127.0.0.1", "cool!312ab@example.com"],
     ["coolguy!ag@127.0.0.1", "cooldud3!~bc@127.0.0.1", "koolguy!ag@127.0.0.5", "cooodud3!~d@124.0.0.1"]),
    ("cool!?username@*", ["cool!ausername@127.0.0.1", "cool!~username@127.0.0.1"], ["cool!username@127.0.0.1"]),
    ("cool!a?*@*", ["cool!ab@127.0.0.1", "cool!abc@127.0.0.1"], ["cool!a@127.0.0.1"]),
    ("cool[guy]!*@*", ["cool[guy]!guy@127.0.0.1", "cool[guy]!a@example.com"],
     ["coolg!ag@127.0.0.1", "cool[!ac@127.0.0.1"]),
    ("?ool\\*!*@*", ["cool*!x@y", "fool*!x@y"], ["coolguy!x@y"]),
    ("cool\\?!*@*", ["cool?!x@y"], ["cools!x@y"]),
    ("a\\b!*@*", ["a\\b!x@y"], ["ab!x@y"]),
    ("COOL*", ["coolGuy"], ["guycool"]),
    ("*" * 40 + "b", ["a" * 50 + "b"], ["a" * 60]),
]  # fmt: skip


@pytest.mark.parametrize(("mask", "hits", "misses"), MASKS)
def test_masks(mask: str, hits: list[str], misses: list[str]) -> None:
    assert [text for text in hits + misses if wire.matches(mask, text)] == hits


@pytest.mark.parametrize(
    ("text", "full"),
    [
        ("nick", "nick!*@*"), ("nick!user", "nick!user@*"), ("user@host", "*!user@host"), ("@host", "*!*@host"),
        ("nick!user@host", "nick!user@host"), ("!@", "*!*@*"), ("nick!", "nick!*@*"), ("$a:x", "$a:x"),
    ],
)  # fmt: skip
def test_masks_are_completed(text: str, full: str) -> None:
    assert wire.full_mask(text) == full


@pytest.mark.parametrize(
    ("name", "good"),
    [
        ("irc.example.com", True), ("i.coolguy.net", True), ("irc-srv.net.uk", True), ("iRC.CooLguY.NeT", True),
        ("gsf.ds342.co.uk", True), ("324.net.uk", True), ("xn--bcher-kva.ch", True), ("pentos--bouncer.net", True),
        ("-lol-.net.uk", False), ("-lol.net.uk", False), ("_irc._sctp.lol.net.uk", False), ("irc", False),
        ("com", False), ("", False), ("a..b", False), (".x.y", False), ("x." * 130 + "y", False),
    ],
)  # fmt: skip
def test_host_names(name: str, good: bool) -> None:
    assert wire.valid_host(name) is good


def test_folding() -> None:
    assert wire.lower("ABC[]\\~É") == "abc[]\\~É"
    assert wire.lower("ABC[]\\~", "rfc1459") == "abc{}|^"


@given(st.text(st.characters(blacklist_categories=["Cs"]), max_size=300), st.integers(8, 60))
def test_pieces_fit_and_lose_nothing(text: str, size: int) -> None:
    pieces = wire.pieces(text, size)
    assert all(len(piece.encode()) <= size for piece in pieces)
    assert "".join(pieces) == text
    assert "\n".join(wire.rows(text)) == text.replace("\r\n", "\n").replace("\r", "\n")


def test_cut_keeps_characters_whole() -> None:
    assert wire.cut("aé", 2) == "a"
    assert wire.cut("aé", 3) == "aé"
