"""Tags are what IRCv3 says and nothing of the inside; words to some of a room are for them alone."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.coreworld import Peer, World
from tcpchat.core import model as m
from tcpchat.core import tags

BAD_KEYS = [
    "~lines",
    "~status",
    "~x",
    "",
    "+a",
    "a b",
    "a;b",
    "a=b",
    "a\r",
    "a\n",
    "a\r\nQUIT",
    "a\0",
    "ä",
    "a/b/c",
    "/a",
    "a/",
]
BAD_VALUES = ["\r", "a\nb", "x\r\n:a PRIVMSG b :c", "\0", "\ud800"]


def two(world: World) -> tuple[Peer, Peer]:
    return world.own("duck"), world.own("goose")


@pytest.mark.parametrize("key", BAD_KEYS)
def test_a_key_is_a_vendor_and_a_name(key: str) -> None:
    duck, _ = two(World())
    assert duck.refused(m.Say("#all", "x", tags={"fine": "1", key: "1"})) == "bad_command"


@pytest.mark.parametrize("value", BAD_VALUES)
def test_a_value_has_no_line_ends(value: str) -> None:
    duck, _ = two(World())
    assert duck.refused(m.Say("#all", "x", tags={"fine": value})) == "bad_command"


def test_tags_are_measured_as_they_are_written() -> None:
    duck, _ = two(World())
    for value in ("x" * 4_092, ";" * 2_046, "ж" * 2_046):
        assert duck.refused(m.Say("#all", "x", tags={"a": value})) == "bad_command"
        assert duck.ask(m.Say("#all", "x", tags={"a": value[: len(value) * 9 // 10]}), m.Accepted).seq
    assert duck.refused(m.Say("#all", "x", tags={str(place): "" for place in range(2_000)})) == "bad_command"


def test_good_tags_pass() -> None:
    duck, goose = two(World())
    good = {"draft/react": "👍 ; \\", "example.com/a-b": "", "typing": "active", "A1": "x"}
    duck.do(m.Say("#all", "x", tags=good))
    assert goose.only(m.Message).tags == good


@pytest.mark.parametrize(
    "say",
    [
        m.Say("#all", "abc", cuts=(0,)), m.Say("#all", "abc", cuts=(3,)), m.Say("#all", "abc", cuts=(2, 1)),
        m.Say("#all", "abc", cuts=(-1,)), m.Say("#all", "abc", cuts=(1, 1)),
        m.Say("#all", "x" * 500, cuts=tuple(range(1, 200))),
        m.Say("#all", "abc", rank="@"), m.Say("#all", "abc", rank="owner"), m.Say("@goose", "abc", rank="op"),
    ],
)  # fmt: skip
def test_cuts_and_ranks_that_there_cannot_be(say: m.Say) -> None:
    duck, _ = two(World())
    assert duck.refused(say) == "bad_command"


def test_cuts_are_kept_until_the_text_is_another() -> None:
    duck, goose = two(World())
    seq = duck.ask(m.Say("#all", "abc\nde", cuts=(1, 5)), m.Accepted).seq
    assert goose.only(m.Message).cuts == (1, 5)
    assert [one.cuts for one in goose.ask(m.History("#all"), m.Page).messages if isinstance(one, m.Message)] == [(1, 5)]
    duck.do(m.Edit(seq, "x"))
    assert [one.cuts for one in goose.ask(m.History("#all"), m.Page).messages if isinstance(one, m.Message)] == [()]


# -- words to some of a room -------------------------------------------------------------------------------------------


def room_with_ranks(world: World) -> tuple[Peer, Peer, Peer]:
    """An operator of #ops, somebody with a voice there, and somebody without."""
    peers = world.own("op"), world.own("voiced"), world.own("plain")
    for peer in peers:
        peer.do(m.Join("#ops"))
    peers[0].do(m.Mode("#ops", (m.Change("voice", True, "voiced"),)))
    return peers


def heard(peer: Peer) -> list[str]:
    return [event.text for event in peer.events if isinstance(event, m.Message | m.Amended)]


@pytest.mark.parametrize(("rank", "hearers"), [("op", "op"), ("voice", "op voiced"), ("", "op voiced plain")])
def test_who_hears_words_to_a_rank(rank: str, hearers: str) -> None:
    world = World()
    op, voiced, plain = room_with_ranks(world)
    author = world.own("author").do(m.Join("#ops"))
    seq = author.ask(m.Say("#ops", "secret @plain", rank=rank), m.Accepted).seq
    author.do(m.Edit(seq, "changed"))
    assert plain.session.user is not None
    assert any(plain.session.user.mentions.values()) == (rank == "")
    author.do(m.Remove(seq))
    for peer in (op, voiced, plain):
        name = peer.session.user.login if peer.session.user else ""
        assert heard(peer) == (["secret @plain", "changed", ""] if name in hearers.split() else []), name


def test_pages_feeds_and_receipts_of_words_to_operators() -> None:
    world = World()
    op, _, plain = room_with_ranks(world)
    op.do(m.Admin("token", {"room": "#ops", "name": "alarm", "secret": "s" * 20}))
    seq = op.ask(m.Say("#ops", "secret", rank="op"), m.Accepted).seq
    op.do(m.Edit(seq, "changed"))
    hook = world.connect("http").do(m.Hello("", token="s" * 20, after=0))
    again = world.connect()
    again.do(m.Hello("plain", device="new", key="ed25519:plain", after=0)).do(m.Proof("signature"))
    for peer in (hook, again, plain):
        text = str(peer.events) + str(peer.ask(m.History("#ops", events=True), m.Page))
        assert "secret" not in text
        assert "changed" not in text
    assert plain.refused(m.Receipts(seq)) == "no_such_message"
    assert [one.login for one in op.ask(m.Receipts(seq), m.ReceiptList).people] == []


# -- what older logs hold ----------------------------------------------------------------------------------------------


def said(text: str, old: dict[str, str]) -> m.Said:
    return tags.modern(m.Said(1, 1, "duck", text, "#all", tags=old))


@pytest.mark.parametrize(
    ("text", "shape", "cuts"),
    [
        ("hello\nabcdefghijklmnopq", "5;8+9", (14,)), ("ab", "1+1", (1,)), ("ab\ncd", "2;2", ()),
        ("ab\n\ncd", "2;0;1+1", (5,)),
        ("ab", "x", ()), ("ab", "", ()), ("ab", "5+5", ()), ("ab", "1+" * 1000, ()),
        ("ab", "1+-1", ()), ("ab", "²+1", ()),
        ("ab", "9" * 5000, ()), ("ab", "0+2", ()),
    ],
)  # fmt: skip
def test_old_lines(text: str, shape: str, cuts: tuple[int, ...]) -> None:
    now = said(text, {"~lines": shape, "draft/reply": "tc1"})
    assert (now.text, now.cuts, now.tags) == (text, cuts, {"draft/reply": "tc1"})


@pytest.mark.parametrize(("mark", "rank"), [("@", "op"), ("+", "voice"), ("anything", "op")])
def test_old_words_to_a_rank(mark: str, rank: str) -> None:
    now = said("x", {"~status": mark})
    assert (now.rank, now.tags) == (rank, None)


@given(st.dictionaries(st.sampled_from(["~lines", "~status", "a", "a b", "+x"]) | st.text(), st.text()), st.text())
def test_nothing_old_raises(old: dict[str, Any], text: str) -> None:
    now = said(text, old)
    assert now.text == text
    assert not now.tags or tags.all_good(now.tags)
    assert not now.cuts or tags.good_cuts(now.cuts, len(text))


def test_what_is_good_stays_as_it_is() -> None:
    kept = m.Said(1, 1, "duck", "x", "#all", tags={"a": "b"})
    assert tags.modern(kept) is kept
