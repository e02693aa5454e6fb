"""Everything that a stranger can send is measured before it is worked on, and counted."""

from __future__ import annotations

from typing import Any, get_args

import msgspec
import pytest

from support.coreworld import FREE, Peer, World
from tcpchat.core import chat as gate
from tcpchat.core import counting, operators
from tcpchat.core import model as m
from tcpchat.core.bounds import ARGUMENTS, CHANGE, FIELDS, SPECIAL, Bounds, Refusal, message_size, message_text
from tcpchat.core.commands import AnyCommand, Change
from tcpchat.core.receipts import CURSORS_MAX
from tcpchat.core.rules import Limits
from tcpchat.core.text import fold, skeleton

COMMANDS: tuple[type[m.Command], ...] = (*get_args(AnyCommand), m.Fault, m.Guess)
SMALL = (int, bool, float, type(None))
CONTROLS = ["\0", "\r", "\n", "\x1b", "\x7f", "\x85", "\x9b", "\u2028", "\u2029", "\u202e", "\u2066", "\u200f"]
TAKES = {do: frozenset(act.takes.split()) for do, act in operators.ACTS.items()}
BOUNDS = Bounds(FREE, TAKES)


def texts_of(kind: type) -> list[str]:
    """The fields of a struct that can hold more than a number."""
    found = []
    for field in msgspec.structs.fields(kind):
        hints = (
            get_args(field.type) if get_args(field.type) and not hasattr(field.type, "__origin__") else (field.type,)
        )
        if any(hint not in SMALL for hint in hints):
            found.append(field.name)
    return found


def filled(kind: type[m.Command], name: str, value: Any) -> m.Command:
    """A command with this value in one field, and something harmless in those that must be there."""
    given: dict[str, Any] = {name: value}
    for field in msgspec.structs.fields(kind):
        if field.required and field.name != name:
            given[field.name] = () if field.name == "changes" else 1 if field.type is int else "x"
    return kind(**given)


FIELD_NAMES = [(kind, name) for kind in COMMANDS for name in texts_of(kind)]
STRINGS = [(kind, name) for kind, name in FIELD_NAMES if name not in SPECIAL]


def test_no_field_of_a_command_is_without_a_bound() -> None:
    missing = [f"{kind.__name__}.{name}" for kind, name in FIELD_NAMES if name not in FIELDS.get(kind, {})]
    assert not missing
    assert set(texts_of(Change)) == CHANGE.keys()
    assert set().union(*TAKES.values()) <= ARGUMENTS.keys()
    assert len(FIELD_NAMES) > 60, "the walk has found the fields"


@pytest.mark.parametrize("letter", ["x", "\ufdfa", "\x02"], ids=ascii)
def test_every_field_is_cut_or_refused_when_it_is_long(letter: str) -> None:
    for kind, name in STRINGS:
        kept = taken(kind, name, letter * 70_000)
        assert kept is None or len(kept) <= 2_048, (kind, name)


def taken(kind: type[m.Command], name: str, value: str) -> str | None:
    """What is taken of a field; None = it is refused."""
    try:
        return str(getattr(BOUNDS.kept(filled(kind, name, value)), name))
    except Refusal:
        return None


@pytest.mark.parametrize("control", CONTROLS, ids=ascii)
def test_no_control_character_comes_through(control: str) -> None:
    for kind, name in STRINGS:
        chars = FIELDS[kind][name].chars
        if chars == "any":
            continue  # compared or given back, never shown
        kept = taken(kind, name, f"a{control}b")
        assert (kept is None) is (chars == "name"), (kind, name)
        if chars == "line":
            assert not set(CONTROLS) & set(kept or ""), (kind, name)
        elif chars == "text":
            assert not {char for char in kept or "" if char < " " or "\x7f" <= char <= "\x9f"} - {"\n", "\t"}


@pytest.mark.parametrize("args", [{"junk": "J" * 60_000}, {str(n): "x" for n in range(5_000)}])
def test_acts_take_their_own_arguments_only(args: dict[str, str]) -> None:
    kept = BOUNDS.kept(m.Admin("mute", {"login": "duck", "why": "W" * 60_000, **args}))
    assert isinstance(kept, m.Admin)
    assert kept.args == {"login": "duck", "why": "W" * FREE.max_why}


def test_of_a_message_formatting_and_the_frame_of_ctcp_stay() -> None:
    assert message_text("\x02bold\x0f \x0304red\x1d\n\tnext") == "\x02bold\x0f \x0304red\x1d\n\tnext"
    assert message_text("\x01PING 1\x01") == "\x01PING 1\x01"
    assert message_text("a\x01b\x00c\x07\x1b[2Jd\x9be\r\nf\rg") == "abc[2Jde\nf\ng"
    assert message_size("\x02ü") == 8
    world = World()
    duck, goose = world.enter("duck"), world.enter("goose")
    duck.ask(m.Say("#all", "a\x1b[1mb\0"), m.Accepted)
    assert goose.texts == ["a[1mb"]
    assert duck.refused(m.Say("#all", "\x02" * 2_000)) == "too_long"
    assert duck.refused(m.Say("#all", "\0")) == "empty"


@pytest.mark.parametrize("work", [fold, skeleton])
def test_a_long_name_is_not_worked_on(work: Any) -> None:
    name = "\ufdfa" * 257
    assert work(name) is name
    assert work("\ufdfa" * 3) != "\ufdfa" * 3


# -- counting --------------------------------------------------------------------------------------------------------


def test_every_command_is_counted() -> None:
    """By the rates of messages, or as a signal, and beyond those as a command or a knock."""
    assert gate.RECEIVE.keys() == set(COMMANDS)
    assert gate.BEFORE <= counting.SIGNALS | counting.KNOCKS
    limits = Limits(signals_per_second=1.0, signal_burst=counting.BLOCK, commands_per_second=1.0, command_burst=5)
    for kind in COMMANDS:
        if kind in (m.Say, m.Bye, m.Fault):
            continue
        world = World(limits)
        peer = world.enter("duck")
        for _ in range(3 * counting.BLOCK + counting.EXCESS_MAX):
            world.run(world.chat.receive(peer.session, plain(kind), world.now))
            if peer.hung_up:
                break
        assert "too_fast" in peer.codes or kind is m.Typing, kind.__name__
        assert peer.hung_up, f"{kind.__name__} is not counted"


def plain(kind: type[m.Command]) -> m.Command:
    required = {field.name for field in msgspec.structs.fields(kind) if field.required}
    values: dict[str, Any] = {"seq": 0, "changes": ()}
    return kind(**{name: values.get(name, "nobody") for name in required})


@pytest.mark.parametrize("again", [m.Say("#all", "x", 1), m.Say("#all", "x", 5), m.Say("#nowhere", "x")])
def test_messages_that_are_not_taken_are_counted(again: m.Say) -> None:
    world = World(Limits(signals_per_second=1.0, signal_burst=counting.BLOCK, message_burst=10))
    peer = world.enter("duck").do(m.Say("#all", "x", 1))
    for _ in range(3 * counting.BLOCK + counting.EXCESS_MAX):
        world.run(world.chat.receive(peer.session, again, world.now))
    assert peer.hung_up


@pytest.mark.parametrize("command", [m.Ping(), m.Status(), m.Hello("a\nb"), m.Say("#all", "x"), m.Password("x")])
def test_who_has_not_said_hello_is_counted(command: m.Command) -> None:
    world = World()
    peer = world.connect()
    for _ in range(counting.STRANGER_SIGNAL_BURST + counting.EXCESS_MAX):
        world.run(world.chat.receive(peer.session, command, world.now))
        if peer.hung_up:
            break
    assert "too_fast" in peer.codes
    assert peer.hung_up


def test_a_reader_of_fast_rooms_confirms_as_much_as_it_likes() -> None:
    world = World(Limits(messages_per_second=0, signals_per_second=1.0, signal_burst=counting.BLOCK))
    duck, goose = world.enter("duck"), world.enter("goose")
    for number in range(200):
        seq = duck.ask(m.Say("#all", str(number)), m.Accepted).seq
        goose.do(m.Confirm(seq))
    world.tick(1.0)
    assert goose.session.user is not None
    assert goose.session.user.delivered == seq
    assert not goose.told(m.Refused)


def test_what_comes_behind_a_hello_is_bounded_in_bytes() -> None:
    world = World()
    world.own("alice")
    peer = world.connect()
    peer.do(m.Hello("alice", key="ed25519:alice"))
    for _ in range(80):
        peer.do(m.Say("#all", "x" * 60_000))
    assert len(peer.session.early) == 1
    assert peer.codes == ["too_many_pending"] * 79


# -- muted -----------------------------------------------------------------------------------------------------------

SPEECH = "SPEECH"
WAYS: list[m.Command] = [
    m.Away(SPEECH), m.Set("name", SPEECH), m.Set("irc/x", SPEECH), m.Set("irc/x", SPEECH, "#r"), m.Rename(SPEECH),
    m.Rename("#SPEECH", "#r", SPEECH), m.Topic("#r", SPEECH), m.Typing("#r"), m.Typing("@owner"),
    m.Leave("#r", SPEECH), m.Bye(SPEECH), m.Say("#r", SPEECH), m.Say("@owner", SPEECH), m.Join("#SPEECH"),
    m.Mode("#r", (m.Change("ban", True, SPEECH),)), m.Remove(3, SPEECH), m.Kick("#r", "owner", SPEECH),
]  # fmt: skip


@pytest.mark.parametrize("way", WAYS, ids=lambda way: type(way).__name__)
def test_the_muted_speak_by_nothing(way: m.Command) -> None:
    world = World()
    owner = world.own("owner")
    muted = world.enter("muted").do(m.Join("#r"))
    owner.do(m.Join("#r"))
    muted.do(m.Say("#r", "before"))
    owner.do(m.Admin("mute", {"login": "muted"}))
    owner.forget()
    muted.do(way)
    world.tick(10.0)
    heard = [event for event in owner.events if not isinstance(event, m.Receipt)]
    assert SPEECH not in str(heard)
    assert not owner.told(m.TypingNotice)
    people: m.People = owner.ask(m.Who(all=True), m.People)
    assert SPEECH not in str(people)


def test_who_is_muted_in_a_room_leaves_it_without_words() -> None:
    world = World()
    owner, duck = world.own("owner").do(m.Join("#r")), world.enter("duck").do(m.Join("#r"))
    owner.do(m.Mode("#r", (m.Change("moderated"),))).forget()
    duck.do(m.Leave("#r", SPEECH))
    assert [event.text for event in owner.told(m.RoomEvent)] == [""]


def test_reasons_are_cut_and_clean_wherever_they_are_given() -> None:
    world = World()
    owner, duck = world.own("owner"), world.enter("duck").do(m.Join("#r"))
    owner.do(m.Join("#r")).forget()
    why = "\r\n:evil" + "w" * 5_000
    duck.do(m.Away(why)).do(m.Rename("#s", "#r", why)).do(m.Leave("#s", why)).do(m.Bye(why))
    texts = [event.text for event in owner.events if isinstance(event, m.RoomEvent | m.Presence)]
    texts += [event.name for event in owner.told(m.RoomEvent)]
    assert any(texts)
    assert max(map(len, texts)) <= FREE.max_why
    assert not any("\n" in one or "\r" in one for one in texts)


def test_a_real_name_is_cut_however_it_is_given() -> None:
    world = World()
    peer = world.enter("duck", name="n" * 900)
    for _ in range(2):
        assert peer.ask(m.Who("duck"), m.People).people[0].name == "n" * FREE.max_name
        peer.do(m.Set("name", "n" * 900))


def labels(peer: Peer) -> list[str]:
    return [label for person in peer.ask(m.Who(), m.People).people for label in person.doors]


def test_labels_are_cut() -> None:
    world = World()
    peer = world.enter("duck", label="x" * 60_000)
    assert labels(peer) == ["x" * FREE.max_label]


def test_answers_with_people_and_rooms_are_bounded_and_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tcpchat.core.who.ANSWER_BYTES", 30_000)
    monkeypatch.setattr("tcpchat.core.history.ANSWER_BYTES", 10_000)
    world = World(Limits(messages_per_second=0, commands_per_second=0, logins_per_minute=0))
    crowd = [world.enter(f"guest {number}", name="n" * 100).do(m.Join(f"#r{number}")) for number in range(150)]
    asker = world.enter("asker")
    people: list[str] = []
    answer = asker.ask(m.Who(), m.People)
    while answer.more:
        people += [one.login for one in answer.people]
        answer = asker.ask(m.Who(after=people[-1]), m.People)
        assert len(msgspec.json.encode(answer)) < 60_000
    people += [one.login for one in answer.people]
    assert people == [*(f"guest {number}" for number in range(150)), "asker"]
    rooms: list[str] = []
    listed = asker.ask(m.Rooms(all=True), m.RoomList)
    while listed.more:
        rooms += [one.to for one in listed.rooms]
        listed = asker.ask(m.Rooms(all=True, after=rooms[-1]), m.RoomList)
    rooms += [one.to for one in listed.rooms]
    assert rooms == ["#all", *(f"#r{number}" for number in range(150))]
    assert len(crowd) == 150


def test_big_answers_count_as_more_commands() -> None:
    world = World(Limits(messages_per_second=0, commands_per_second=1.0, command_burst=40))
    for number in range(200):
        world.enter(f"guest {number}")
    asker = world.enter("asker")
    answers = [asker.forget().do(m.Who()).events[0] for _ in range(12)]
    assert isinstance(answers[-1], m.Refused)
    assert isinstance(answers[4], m.People)


def test_cursors_of_made_up_devices_are_bounded() -> None:
    world = World()
    world.own("duck", device="first").do(m.Confirm(1)).close()
    for number in range(CURSORS_MAX + 20):
        peer = world.connect()
        peer.do(m.Hello("duck", device=f"device{number}", key="ed25519:duck")).do(m.Proof("signature"))
        peer.do(m.Say("#all", "x"))
        peer.do(m.Confirm(world.chat.head)).close()
    user = world.chat.state.find("duck")
    assert user is not None
    assert sum(1 for device in user.devices.values() if device.cursor) == CURSORS_MAX
    kept = [place for (_, place), (seq, _) in world.kept.items() if place.startswith("d:") and seq < m.FORGOTTEN]
    assert len(kept) == CURSORS_MAX
    assert f"d:device{CURSORS_MAX + 19}" in kept
    world.restart()
    again = world.connect()
    again.do(m.Hello("duck", device="first", key="ed25519:duck")).do(m.Proof("signature"))
    assert again.only(m.Welcome).after == world.chat.state.find("duck").delivered  # type: ignore[union-attr]
