"""The door of the original clients, with an honest re-creation of one at the other end of a fake link."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.original import BLOCK, Screen, pack
from tcpchat.core import model as m
from tcpchat.core.text import clean
from tcpchat.doors.original import door as original
from tcpchat.doors.original import wire
from tcpchat.doors.original.door import SeedDoor

LOOPBACK = {"address": "127.0.0.1", "secure": False}
CYRILLIC = "Съешь ещё этих мягких французских булок, да выпей чаю. "


class Link:
    """A door, an original client, and the kernel's buffer between them."""

    def __init__(self, login: str = "duck", *, local: bool = True, enter: bool = True) -> None:
        self.door = SeedDoor(local=local, address="127.0.0.1", secure=False)
        self.screen = Screen()
        self.buffer = bytearray()
        self.menu = False
        self.got: list[m.Command] = []
        self.writes: list[int] = []
        self.now = 0.0
        if enter:
            assert self.say("HI", login) == [m.Hello(login=login, label="original")]
            self.tell(m.Welcome(login=login, head=0, after=0, state="WAIT4CLIENTS"))
            self.got.clear()

    def say(self, kind: str, body: Any = "BODY") -> list[m.Command]:
        """The person chooses; what the chat gets."""
        return self.bytes(pack(kind, body))

    def bytes(self, data: bytes) -> list[m.Command]:
        commands = self.door.receive(data, self.now)
        self.got += commands
        self.flush()
        return commands

    def tell(self, *events: Any) -> None:
        for event in events:
            self.door.deliver(event)
        self.flush()

    def tick(self) -> list[m.Command]:
        self.now += 1
        commands = self.door.tick(self.now)
        self.got += commands
        self.flush()
        return commands

    def flush(self) -> None:
        data = self.door.data_to_send()
        if data:
            self.writes.append(len(data) // BLOCK)
            assert len(data) % BLOCK == 0
            self.buffer += data
        while self.buffer and not self.menu:
            raw = bytes(self.buffer[:BLOCK])
            del self.buffer[:BLOCK]
            answer = self.screen.read(raw)
            if answer:
                self.bytes(answer)

    def close_menu(self) -> None:
        self.menu = False
        self.flush()

    @property
    def shown(self) -> list[str]:
        assert self.screen.tracebacks == []
        return self.screen.shown

    @property
    def confirmed(self) -> list[int]:
        return [c.seq for c in self.got if isinstance(c, m.Confirm)]


def dm(seq: int, text: str, by: str = "bob") -> m.Message:
    return m.Message(seq=seq, at=0, by=by, to="@duck", text=text)


def room(seq: int, text: str, by: str = "bob", to: str = "#all") -> m.Message:
    return m.Message(seq=seq, at=0, by=by, to=to, text=text)


def person(login: str, online: bool = True) -> m.Person:
    return m.Person(login=login, online=online)


def said(commands: list[m.Command]) -> m.Say:
    (say,) = commands
    assert isinstance(say, m.Say)
    return say


GOOD, FAILED = "< Message have been delivered! >  =)", "< Message sending failure >       =("


# -- coming in ---------------------------------------------------------------------------------------------------


def test_enters_and_sees_the_state() -> None:
    link = Link("Big Brother")
    assert link.shown == ["< Server is WAIT4CLIENTS >"]
    assert link.door.login == "Big Brother"
    link.tell(m.State(state="WAIT4CLIENTS"))  # told again behind Welcome
    link.tell(m.State(state="READY2SERV"))
    assert link.shown == ["< Server is WAIT4CLIENTS >", "< Server is READY2SERV >"]


def test_only_the_first_hi_counts() -> None:
    link = Link()
    assert link.say("HI", "cat") == []


def test_menu_choices() -> None:
    link = Link()
    assert link.say("STATE") == [m.Status(ref="state")]
    link.tell(m.State(state="WAIT4CLIENTS", ref="state"))
    assert link.say("WHOAVAIL") == [m.Who(ref="who")]
    link.tell(m.People(to="", people=(person("duck"), person("Big Brother"), person("away", False)), ref="who"))
    assert link.shown == ["< Server is WAIT4CLIENTS >"] * 2 + ["Users:", "duck; Big Brother"]


@pytest.mark.parametrize(
    "no",
    [
        m.Refused(code="in_use", text="Somebody with this name is here now."),
        m.Challenge(nonce="n", methods=("key",), login="duck"),
    ],
)
@pytest.mark.parametrize("local", [True, False])
def test_turned_away_with_a_reason_and_bye(no: Any, local: bool) -> None:
    link = Link(enter=False, local=local)
    link.say("HI", "duck")
    link.tell(no)
    assert link.shown[0].startswith("tcpchat  : ")
    assert link.shown[-1] == "< Server Dead. =( >"
    assert link.door.closing
    assert link.got[1:] == []  # nothing is confirmed by who never came in


def test_turned_away_while_the_menu_is_open() -> None:
    link = Link(enter=False)
    link.menu = True
    link.say("HI", "duck")
    link.tell(m.Refused(code="in_use", text="Taken."))
    assert not link.door.closing
    link.tick()
    link.tick()
    assert link.door.closing
    link.close_menu()
    assert link.shown == ["tcpchat  : Taken.", "< Server Dead. =( >"]


def test_a_fatal_refusal_and_a_goodbye_are_bye_at_once() -> None:
    for event in (m.Refused(code="banned", text="", fatal=True), m.Goodbye(why="stopping")):
        link = Link()
        link.menu = True
        link.tell(dm(1, "unread"), dm(2, "never sent"), event)
        assert link.door.closing
        link.tell(dm(3, "late"))
        link.close_menu()
        assert link.shown[-1] == "< Server Dead. =( >"
        assert link.confirmed == []
        assert link.say("STATE") == []
        assert link.tick() == []


def test_bye_is_answered() -> None:
    link = Link()
    assert link.say("BYE") == [m.Bye()]
    assert link.shown[-1] == "< Server Dead. =( >"
    assert link.door.closing
    assert link.door.data_to_send() == b""


# -- hearing -----------------------------------------------------------------------------------------------------


def test_a_burst_while_the_menu_is_open() -> None:
    link = Link()
    link.menu = True
    link.tell(*[dm(seq, f"{seq}: {CYRILLIC}") for seq in range(1, 51)])
    assert not link.door.ready
    assert len(link.buffer) == BLOCK  # one that is not acknowledged, no more
    for _ in range(3):
        link.tick()
    assert link.confirmed == []
    link.close_menu()
    assert link.shown[1:] == [f"bob  : {seq}: {CYRILLIC}" for seq in range(1, 51)]
    assert link.confirmed == list(range(1, 51))
    assert link.door.ready
    assert link.tick() == [m.Status(ref="missed")]  # a change of state may have passed by
    link.tell(m.State(state="READY2SERV", ref="missed"))
    assert link.shown[-1] == "< Server is READY2SERV >"
    assert link.tick() == []


def test_answers_pass_by_a_message_that_is_not_acknowledged() -> None:
    link = Link()
    link.menu = True
    link.tell(dm(1, "first"), dm(2, "second"))
    link.say("STATE")
    link.tell(m.State(state="READY2SERV", ref="state"))
    link.close_menu()
    assert link.shown[1:] == ["bob  : first", "< Server is READY2SERV >", "bob  : second"]


def test_a_long_text_comes_in_parts_and_is_confirmed_with_the_last() -> None:
    link = Link()
    text = CYRILLIC * 60
    link.menu = True
    link.tell(dm(7, text))
    link.menu = False
    for _ in range(3):
        raw = bytes(link.buffer[:BLOCK])
        link.buffer.clear()
        assert link.confirmed == []
        link.door.receive(link.screen.read(raw), 0.0)
        link.buffer += link.door.data_to_send()
    link.flush()
    lines = [line.removeprefix("bob  : ") for line in link.shown[1:]]
    assert "".join(lines) == text
    assert all(line.endswith(" ") for line in lines)
    assert link.confirmed == [7]


def test_broadcasts_are_confirmed_when_it_speaks_or_after_a_second() -> None:
    link = Link()
    link.tell(room(1, "hi all"), room(2, CYRILLIC * 40))
    assert link.confirmed == []
    link.say("STATE")
    assert link.confirmed == [2]
    link.tell(room(3, "more"))
    assert link.tick() == []
    assert link.tick() == [m.Confirm(seq=3)]
    assert link.shown[1] == "broadcast - bob : hi all"
    assert "".join(line.removeprefix("broadcast - bob : ") for line in link.shown[2:-1]) == CYRILLIC * 40


def test_order_is_kept_between_broadcasts_and_messages() -> None:
    link = Link()
    link.menu = True
    link.tell(room(1, "a"), dm(2, "b"), room(3, "c"), dm(4, "d"))
    link.tick()
    link.tick()
    assert link.confirmed == [1]
    link.close_menu()
    assert [line[-1] for line in link.shown[1:]] == ["a", "b", "c", "d"]
    assert link.confirmed[-1] == 4


def test_to_other_machines_one_object_a_write() -> None:
    link = Link(local=False)
    link.menu = True
    link.tell(*[room(seq, str(seq)) for seq in range(1, 6)])
    for _ in range(10):
        link.tick()
    assert set(link.writes) == {1}
    link.close_menu()
    assert [line[-1] for line in link.shown[1:]] == ["1", "2", "3", "4", "5"]
    assert link.confirmed[-1] == 5


def test_on_the_loopback_a_write_has_a_limit() -> None:
    link = Link()
    link.menu = True
    link.tell(*[room(seq, str(seq)) for seq in range(1, 101)])
    assert not link.door.ready
    while not link.door.ready:
        link.tick()
    assert max(link.writes) <= original.LOCAL_BURST
    link.close_menu()
    assert len(link.shown) == 101


def test_what_is_not_shown_is_confirmed_all_the_same() -> None:
    link = Link()
    link.tell(
        m.Message(seq=1, at=0, by="bob", to="@duck", text="", removed=True),
        m.Message(seq=2, at=0, by="bob", to="@duck", text="x", kind="tag"),
        dm(3, "own, replayed", by="DUCK"),
        m.Amended(seq=4, at=0, by="bob", to="@duck", target=1, text="y"),
        m.RoomEvent(seq=5, at=0, what="joined", room="#all", login="bob"),
        m.TypingNotice(by="bob", to="@duck"),
    )
    assert link.shown == ["< Server is WAIT4CLIENTS >"]
    link.say("STATE")
    assert link.confirmed == [3]


def test_actions_and_other_rooms() -> None:
    link = Link()
    link.tell(m.Message(seq=1, at=0, by="bob", to="@duck", text="waves", kind="action"), room(2, "psst", to="#ops"))
    assert link.shown[1:] == ["bob  : * waves", "bob  : #ops: psst"]


def test_a_stray_messacc_confirms_nothing() -> None:
    link = Link()
    assert link.say("MESSACC", "bob") == []
    link.menu = True
    link.tell(dm(5, "x"))
    link.say("MESSACC", "bob")
    link.say("MESSACC", "bob")
    assert link.confirmed == [5]


def test_waiting_for_who_has_left() -> None:
    link = Link()
    link.tell(m.Presence(login="bob", what="offline"))
    assert link.say("SENDTO", ["bob", "x"])[0] == m.Say(to="@bob", text="x", ref=1)
    link.tell(m.Accepted(n=0, seq=9, ref=1))
    link.tell(m.Receipt(to="@bob", seq=8, state="delivered"))
    assert GOOD not in link.shown
    link.tell(m.Receipt(to="@bob", seq=9, state="failed"))
    assert link.shown[-1] == FAILED


# -- saying ------------------------------------------------------------------------------------------------------


def test_messtat_waits_for_the_receiver() -> None:
    link = Link()
    assert said(link.say("SENDTO", ["Big Brother", "*quack*"])) == m.Say(to="@Big Brother", text="*quack*", ref=1)
    link.tell(m.Accepted(n=0, seq=4, ref=1))
    assert GOOD not in link.shown
    link.tell(m.Receipt(to="@big brother", seq=4, state="delivered", by="Big Brother"))
    assert link.shown[-1] == GOOD


def test_messtat_false_at_once() -> None:
    link = Link()
    link.say("SENDTO", ["nobody", "x"])
    link.tell(m.Refused(code="no_such_login", text="", ref=1))
    assert link.shown[-1] == FAILED


def test_answers_come_in_the_order_of_the_sends() -> None:
    link = Link()
    for login in ("a", "b", "nobody"):
        link.say("SENDTO", [login, "x"])
    link.tell(m.Accepted(n=0, seq=1, ref=1), m.Accepted(n=0, seq=2, ref=2))
    link.tell(m.Refused(code="no_such_login", text="", ref=3))
    link.tell(m.Receipt(to="@b", seq=2, state="read"))
    assert len(link.shown) == 1
    link.tell(m.Receipt(to="#all", seq=9, state="delivered"))  # of a room: nothing to do with it
    link.tell(m.Receipt(to="@a", seq=1, state="delivered"))
    assert link.shown[1:] == [GOOD, GOOD, FAILED]


def test_one_receipt_answers_all_before_it() -> None:
    link = Link()
    for seq in (1, 2):
        link.say("SENDTO", ["bob", "x"])
        link.tell(m.Accepted(n=0, seq=seq, ref=seq))
    link.tell(m.Receipt(to="@bob", seq=2, state="delivered"))
    assert link.shown[1:] == [GOOD, GOOD]


def test_the_receiver_takes_another_login() -> None:
    link = Link()
    link.say("SENDTO", ["bob", "x"])
    link.tell(m.Accepted(n=0, seq=1, ref=1))
    link.tell(m.Presence(login="bob", what="renamed", text="rob"))
    link.tell(m.Presence(login="duck", what="renamed", text="drake"))
    link.tell(m.Receipt(to="@rob", seq=1, state="delivered"))
    assert link.shown[-1] == GOOD
    assert link.door.login == "drake"


def test_a_broadcast_comes_back_to_its_author() -> None:
    link = Link()
    assert said(link.say("EVERY1", "hi all")) == m.Say(to="#all", text="hi all", ref=1)
    link.tell(m.Accepted(n=0, seq=3, ref=1))
    assert sorted(link.shown[1:]) == sorted(["broadcast - duck : hi all", GOOD])


def test_a_note_to_oneself_arrives() -> None:
    link = Link()
    link.say("SENDTO", ["Duck", "note"])
    link.tell(m.Receipt(to="@duck", seq=3, state="delivered"), m.Accepted(n=0, seq=3, ref=1))
    assert sorted(link.shown[1:]) == sorted(["duck  : note", GOOD])


def test_too_many_unanswered_messages_fail() -> None:
    link = Link()
    link.menu = True
    glued = pack("SENDTO", ["absent", "x"]) * (original.SENDS_MAX + 1)
    assert len([c for c in link.bytes(glued) if isinstance(c, m.Say)]) == original.SENDS_MAX
    link.close_menu()
    assert link.shown[1:] == [FAILED]
    link.menu = True
    last = link.bytes(pack("EVERY1", "x") * (original.ANSWERS_MAX + 50))[-1]
    assert isinstance(last, m.Fault)
    assert last.fatal


# -- what comes ----------------------------------------------------------------------------------------------------

STREAM = [
    ("HI", "Утка"),
    ("STATE", "BODY"),
    ("SENDTO", ['Big "Brother" \\', 'a } { ] [ \\" кря \U0001f986 \n']),
    ("EVERY1", "x" * 900),
    ("BYE", None),
]


def unescaped(kind: str, body: Any) -> bytes:
    return json.dumps({"TYPE": kind, "BODY": body}, ensure_ascii=False).encode()


@pytest.mark.parametrize("form", [pack, unescaped])
@pytest.mark.parametrize("between", [b"", b" ", b"\r\n", b" " * 700])
def test_glued_objects_cut_at_every_byte(form: Any, between: bytes) -> None:
    wire = between.join(form(kind, body) for kind, body in STREAM) + between
    whole = SeedDoor(**LOOPBACK).receive(wire)
    assert [type(c) for c in whole] == [m.Hello, m.Status, m.Say, m.Say, m.Bye]
    assert whole[2] == m.Say(to="@" + STREAM[2][1][0], text=STREAM[2][1][1], ref=1)
    for cut in range(1, len(wire)):
        door = SeedDoor(**LOOPBACK)
        assert door.receive(wire[:cut]) + door.receive(wire[cut:]) == whole
    door = SeedDoor(**LOOPBACK)
    assert [c for i in range(len(wire)) for c in door.receive(wire[i : i + 1])] == whole


BAD = [
    b"nonsense ",
    b"\xff\xfe ",
    b"{}",
    b"{]",
    b'{"TYPE":"NOPE","BODY":1}',
    b'{"TYPE":5}',
    b'{"TYPE":"HI","BODY":5}',
    b'{"TYPE":"HI"}',
    b'{"TYPE":"SENDTO","BODY":["a"]}',
    b'{"TYPE":"SENDTO","BODY":["a",1]}',
    b'{"TYPE":"SENDTO","BODY":"a"}',
    b'{"TYPE":"EVERY1","BODY":null}',
    b'{"TYPE":"EVERY1","BODY":"\xff"}',
    b'{"TYPE":"X","BODY":' + b"[" * 5000 + b"]" * 5000 + b"}",
    b'{"TYPE":"X","BODY":' + b"9" * 9000 + b"}",
    b'{"TYPE":"EVERY1","BODY":"' + b"x" * 20000 + b'"}',
]


@pytest.mark.parametrize("data", BAD, ids=lambda item: repr(item)[:40])
@pytest.mark.parametrize("step", [1, 7, 4096, 100_000])
def test_bad_objects_are_faults_and_the_next_is_good(data: bytes, step: int) -> None:
    door = SeedDoor(**LOOPBACK)
    commands = [c for i in range(0, len(data), step) for c in door.receive(data[i : i + step])]
    assert commands
    assert all(isinstance(c, m.Fault) for c in commands)
    if not any(isinstance(c, m.Fault) and c.fatal for c in commands):
        assert door.receive(pack("STATE")) == [m.Status(ref="state")]


def test_many_faults_in_a_row_end_it() -> None:
    door = SeedDoor(**LOOPBACK)
    commands = door.receive(b'{"TYPE":5}' * 100)
    assert len(commands) == original.MAX_FAULTS
    assert isinstance(commands[-1], m.Fault)
    assert commands[-1].fatal
    assert not any(isinstance(c, m.Fault) and c.fatal for c in commands[:-1])


def test_an_object_without_end_keeps_no_memory_and_ends_it() -> None:
    door = SeedDoor(**LOOPBACK)
    commands: list[m.Command] = []
    while not any(isinstance(c, m.Fault) and c.fatal for c in commands):
        commands += door.receive(b'{"TYPE":"EVERY1","BODY":"' + b"x" * 1000)
        assert len(door._objects._part) <= wire.OBJECT_MAX
    assert len(commands) == original.MAX_FAULTS


def test_a_fault_before_the_welcome_does_not_turn_it_away() -> None:
    link = Link(enter=False)
    link.say("HI", "duck")
    (fault,) = link.say("NOPE")
    assert isinstance(fault, m.Fault)
    link.tell(m.Refused(code="bad_command", text="", ref=fault.ref))
    link.tell(m.Welcome(login="duck", head=0, after=0))
    assert not link.door.closing


def test_half_characters_do_no_harm() -> None:
    say = said(SeedDoor(**LOOPBACK).receive(b'{"TYPE":"SENDTO","BODY":["a\\ud800","\\udc00b"]}'))
    assert (say.to, say.text) == ("@a\ufffd", "\ufffdb")
    assert len(wire.pack("INCMESS", ["a", "\ud800"])) == BLOCK


def test_the_end_of_the_stream_says_nothing() -> None:
    assert SeedDoor(**LOOPBACK).receive(b"") == []


def test_door_odds_and_ends() -> None:
    door = SeedDoor(**LOOPBACK)
    assert (door.name, door.dialect, door.encode(dm(1, "x")), door.mark(1)) == ("seed", "seed", None, b"")
    assert door.tick(0.0) == []


@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(st.binary(max_size=50), st.sampled_from([*BAD[:13], pack("MESSACC", "a"), pack("BYE")]))))
def test_random_bytes_raise_nothing(chunks: list[bytes]) -> None:
    door = SeedDoor(**LOOPBACK)
    for chunk in chunks:
        for command in door.receive(chunk):
            assert isinstance(command, m.Command)
        assert len(door.data_to_send()) % BLOCK == 0


# -- fitting texts -------------------------------------------------------------------------------------------------


@settings(max_examples=150, deadline=None)
@given(
    st.text(max_size=40),
    st.text(alphabet=st.one_of(st.characters(), st.sampled_from(' \n"\\\x01\u0301\u200d')), min_size=1),
    st.integers(1, 60),
)
def test_every_part_fits_and_nothing_is_lost(author: str, text: str, times: int) -> None:
    text = (text * times).encode("utf-8", "replace").decode()
    author = author.encode("utf-8", "replace").decode()
    objects = wire.parts("INCMESS", author, text)
    assert all(len(item) == BLOCK for item in objects)
    assert "".join(json.loads(item)["BODY"][1] for item in objects) == clean(text)


def test_cuts_between_words_and_before_marks() -> None:
    assert wire.cut("aaa bbb ccc", 8) == ["aaa bbb ", "ccc"]
    assert wire.cut("aaaaaaaaaaaa", 8) == ["aaaaaaaa", "aaaa"]
    assert wire.cut(" aaaaaaaaaaaa", 8) == [" ", "aaaaaaaa", "aaaa"]
    assert wire.cut("aaae\u0301b", 5) == ["aaa", "e\u0301b"]
    assert wire.cut("a" + "\u0301" * 20, 8)[0].startswith("a\u0301")
    assert wire.cut("", 8) == [""]


def test_a_long_list_of_logins_says_how_many_more() -> None:
    logins = [f"Большой Брат {n}" for n in range(500)]
    shown = wire.roll(logins)
    assert len(wire.pack("WHOAVAIL", shown)) == BLOCK
    assert shown[-1] == f"(+{500 - (len(shown) - 1)})"
    assert wire.roll(["a", "b"]) == ["a", "b"]
