"""Plain messages take a short way through the IRC door: it must show nothing of it. PINGs have a pace."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.ircrig import HELLO, NOW, Rig
from tcpchat.core.chat import Chat
from tcpchat.core.model import Command, Confirm, FanOut, Message, Pong
from tcpchat.core.sessions import Session
from tcpchat.doors.irc.door import IrcDoor
from tcpchat.doors.irc.network import ASKS_BEATS, ASKS_FREE, Network
from tcpchat.server.fanout import Parcel

TARGETS = ["#room", "#nowhere", "foo", "bar", "NickServ", "#all", "@#room", "a,b", "nobody", "*", "żółw"]
BODIES = ["hi", "", " ", ":x", "\x01ACTION waves\x01", "\x01VERSION\x01", "a\0b", "x" * 91, "ж" * 91, "y" * 500]
PLAIN = HELLO.replace(b"CAP REQ :server-time message-tags\r\n", b"")


class Slow(IrcDoor):
    """A door that takes every line apart."""

    def _said_at_once(self, raw: bytes) -> bool:
        return False


def commands_of(make: Callable[[], Rig], lines: list[bytes]) -> tuple[list[Command], bytes]:
    rig = make()
    rig.feed(PLAIN + b"JOIN #room\r\n")
    asked: list[Command] = []
    receive = rig.chat.receive

    def noted(session: Session, command: Any, now: float) -> Any:
        asked.append(command)
        return receive(session, command, now)

    rig.chat.receive = noted  # type: ignore[method-assign]
    out = rig.feed(b"".join(line + b"\r\n" for line in lines))
    return asked, out.replace(rig.door.network.mask("foo").encode(), b"<foo>")


def slow() -> Rig:
    rig = Rig()
    rig.door = Slow(rig.network, local=True, address="127.0.0.1")
    return rig


LINE = st.tuples(
    st.sampled_from(["PRIVMSG", "privmsg", "PRIVMSG  "]), st.sampled_from(TARGETS), st.sampled_from(BODIES)
)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(LINE.map(lambda w: f"{w[0]} {w[1]} :{w[2]}".encode()), st.just(b"PING x")), max_size=6))
def test_the_short_way_says_what_the_long_way_says(lines: list[bytes]) -> None:
    assert commands_of(Rig, lines) == commands_of(slow, lines)


def test_a_text_that_is_no_utf8_is_refused_on_both_ways() -> None:
    for make in (Rig, slow):
        asked, out = commands_of(make, [b"PRIVMSG #room :\xff\xfe"])
        assert set(asked) <= {Pong()}  # what the door answers alone is counted all the same
        assert b"INVALID_UTF8" in out or b" 417 " in out or b"FAIL PRIVMSG" in out


def test_a_message_behind_one_that_waits_keeps_its_turn() -> None:
    rig = Rig()
    rig.feed(PLAIN + b"JOIN #room\r\n")
    texts = [c.text for c in rig.door.receive(b"JOIN #b\r\nPRIVMSG #room :behind\r\n", NOW) if hasattr(c, "text")]
    assert texts == []  # the answer to JOIN comes first


def test_an_answer_to_our_own_ping_does_not_wait_behind_messages() -> None:
    network = Network()
    network.receipts_after = 0
    rig = Rig(network)
    rig.feed(PLAIN + b"JOIN #room\r\n")
    rig.door.receipts.tell(5)
    rig.door.receipts.tick(NOW)
    asked = rig.door.data_to_send()
    assert asked == b"PING :tc-5\r\n"
    commands = rig.door.receive(b"PRIVMSG #room :x\r\nPONG me :tc-5\r\n", NOW)
    assert [c for c in commands if isinstance(c, Confirm)] == [Confirm(seq=5)]


@pytest.mark.parametrize(
    "line", [b"PONG :tc-zz", b"PONG tc-", b"PONG :tc-\xff", b"PONG :other", b"PONG", b"PONG :tc-ffff"]
)
def test_a_pong_that_answers_nothing_confirms_nothing(line: bytes) -> None:
    rig = Rig()
    rig.feed(PLAIN)
    rig.door.receipts.tell(5)
    rig.door.receipts.asked, rig.door.receipts.waiting = 5, True
    assert [c for c in rig.door.receive(line + b"\r\n", NOW) if isinstance(c, Confirm)] == []
    assert rig.door.receipts.waiting


def test_where_many_are_asked_they_take_turns() -> None:
    network = Network()
    doors = []
    for number in range(2 * ASKS_FREE + 5):
        rig = Rig(network, Chat())
        rig.feed(PLAIN.replace(b"foo", b"f%d" % number))
        rig.door.receipts.answers = True
        doors.append(rig.door)
    network.tick()
    asked = [bool(door.mark(10)) for door in doors]
    assert asked == [True] * ASKS_FREE + [False] * (ASKS_FREE + 5)
    assert [bool(door.mark(20)) for door in doors] == [False] * len(doors)  # waits, or is asked already
    for rest in (doors[ASKS_FREE : 2 * ASKS_FREE], doors[2 * ASKS_FREE :], []):
        assert network.tick() == rest
        for door in rest:
            assert b"PING :tc-14\r\n" in door.data_to_send()


def test_no_turn_is_further_away_than_a_second() -> None:
    network = Network()
    count = (ASKS_BEATS + 5) * ASKS_FREE
    doors = [IrcDoor(network) for _ in range(count)]
    for door in doors:
        network.may_ask(door)
    assert sum(len(network.tick()) for _ in range(ASKS_BEATS)) == count - ASKS_FREE


def text_of(event: Message) -> bytes:
    return event.text.encode()


@given(st.lists(st.tuples(st.integers(0, 3), st.text(max_size=3)), min_size=1, max_size=12))
def test_everybody_gets_all_but_the_own_words(said: list[tuple[int, str]]) -> None:
    sessions = [Session(number, 0.0) for number in range(4)]
    fans = [
        (place, FanOut(Message(place + 1, 0, "x", "#a", text), audience=None, skip=sessions[who]))  # type: ignore[arg-type]
        for place, (who, text) in enumerate(said)
    ]
    parcel = Parcel(fans, text_of)  # type: ignore[arg-type]
    assert parcel.last == len(said)
    for number, session in enumerate(sessions):
        if session in parcel.own:
            assert b"".join(parcel.without(session)).decode() == "".join(text for who, text in said if who != number)
    assert all(a <= b for a, b in pairwise(parcel.ends))
