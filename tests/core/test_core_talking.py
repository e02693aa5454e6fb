"""Saying, numbering, editing; receipts and cursors."""

from __future__ import annotations

import msgspec
import pytest

from support.coreworld import FREE, Peer, World
from tcpchat.core import history
from tcpchat.core import model as m
from tcpchat.core.rules import Limits, dm_room, dm_users
from tcpchat.core.state import Device, State


def two(world: World) -> tuple[Peer, Peer]:
    duck, goose = world.enter("duck"), world.enter("goose")
    return duck.forget(), goose.forget()


def receipts(peer: Peer) -> list[tuple[str, int, str, int, int]]:
    return [(e.to, e.seq, e.state, e.have, e.of) for e in peer.told(m.Receipt)]


# -- saying and numbering --------------------------------------------------------------------------------------------


def test_a_direct_message_is_accepted_delivered_and_read() -> None:
    world = World()
    duck, goose = two(world)
    duck.do(m.Say("@GOOSE", "quack", n=1, ref="r"))
    seq = goose.only(m.Message).seq
    assert duck.only(m.Accepted) == m.Accepted(1, seq, 1_000_000, "r")
    assert duck.texts == []
    goose.do(m.Confirm(seq)).do(m.Read("@duck", seq))
    assert receipts(duck) == [("@goose", seq, "delivered", 0, 0), ("@goose", seq, "read", 0, 0)]


@pytest.mark.parametrize("text", ["alpha\r\nomega", "alpha\romega", "\ufeffalpha\nomega", "\ufeffalpha\r\nomega"])
def test_a_text_has_one_kind_of_line_end(text: str) -> None:
    world = World()
    duck, goose = two(world)
    duck.do(m.Say("@goose", text, n=1)).do(m.Say("@goose", "old"))
    assert goose.texts == ["alpha\nomega", "old"]
    duck.do(m.Edit(goose.told(m.Message)[-1].seq, text))
    assert goose.only(m.Amended).text == "alpha\nomega"


def test_a_byte_order_mark_alone_is_no_message() -> None:
    duck, _ = two(World())
    assert duck.ask(m.Say("@goose", "\ufeff", n=1), m.Refused).code == "empty"


def test_a_repeat_gets_the_same_answer_and_a_gap_the_number_expected() -> None:
    duck, goose = two(World())
    duck.do(m.Say("@goose", "one", n=1)).do(m.Say("@goose", "one", n=1))
    assert len({event.seq for event in duck.told(m.Accepted)}) == 1
    assert duck.ask(m.Say("@goose", "three", n=3, ref=9), m.Refused) == m.Refused(
        "gap", "A message is missing before this one.", 9, 3, 0.0, 2
    )
    assert goose.texts == ["one"]


def test_a_number_that_is_on_its_way_is_answered_once_it_is_there() -> None:
    world = World()
    duck, goose = two(world)
    duck.do(m.Say("@goose", "one", n=1), commit=False).do(m.Say("@goose", "one", n=1), commit=False)
    assert duck.events == []
    world.commit()
    assert len(duck.told(m.Accepted)) == 1
    assert goose.texts == ["one"]


def test_a_refused_message_does_not_use_up_its_number() -> None:
    duck, _ = two(World())
    assert duck.refused(m.Say("@nobody", "x", n=1)) == "no_such_login"
    assert duck.ask(m.Say("@goose", "x", n=1), m.Accepted).n == 1


def test_at_most_a_window_is_unanswered() -> None:
    world = World()
    duck, _ = two(world)
    for n in range(1, 66):
        duck.do(m.Say("@goose", "x", n=n), commit=False)
    assert (duck.codes, len(world.pending)) == (["too_many_pending"], 64)


def test_places_older_than_the_ring_are_answered_with_nought() -> None:
    duck, _ = two(World())
    for n in range(1, 70):
        duck.do(m.Say("@goose", "x", n=n))
    assert duck.ask(m.Say("@goose", "x", n=5), m.Accepted).seq == 0
    assert duck.ask(m.Say("@goose", "x", n=6), m.Accepted).seq > 0


def test_a_failed_log_frees_the_numbers_and_says_so() -> None:
    world = World()
    duck, goose = two(world)
    duck.do(m.Say("@goose", "one", n=1))
    duck.forget().do(m.Say("@goose", "two", n=2), commit=False).do(m.Say("@goose", "three", n=3), commit=False)
    world.fail()
    assert duck.codes == ["unavailable"] * 2
    duck.forget().do(m.Say("@goose", "two", n=2)).do(m.Say("@goose", "three", n=3))
    assert goose.texts == ["one", "two", "three"]


@pytest.mark.parametrize(
    ("say", "code"),
    [
        (m.Say("@goose", "", n=1), "empty"),
        (m.Say("@goose", "x" * 8001, n=1), "too_long"),
        (m.Say("@goose", "ж" * 4001, n=1), "too_long"),
        (m.Say("#none", "x", n=1), "no_such_room"),
        (m.Say("none", "x", n=1), "no_such_room"),
        (m.Say("@goose", "x", n=1, kind="shout"), "bad_command"),
        (m.Say("@goose", "x", n=1, tags={"a": "b" * 5000}), "bad_command"),
        (m.Say("@goose", "x", n=-3), "bad_command"),
        (m.Say("@goose", "x", n=1, re=99), "no_such_message"),
        (m.Say("@goose", "x", n=1, re=-1), "no_such_message"),
        (m.Say("@goose", "\ud800", n=1), "bad_text"),
    ],
)
def test_what_cannot_be_said(say: m.Say, code: str) -> None:
    duck, _ = two(World())
    assert duck.refused(say) == code


def test_too_fast_says_how_long_to_wait_and_waiting_helps() -> None:
    world = World(Limits(messages_per_second=2.0, message_burst=3))
    duck, _ = two(world)
    for n in range(1, 4):
        duck.do(m.Say("@goose", "x", n=n))
    refused = duck.ask(m.Say("@goose", "x", n=4), m.Refused)
    assert (refused.code, refused.after) == ("too_fast", 0.5)
    world.now += refused.after
    assert duck.ask(m.Say("@goose", "x", n=4), m.Accepted).n == 4


def test_a_moment_too_early_is_too_early() -> None:
    world = World(Limits(messages_per_second=2.0, message_burst=3))
    duck, _ = two(world)
    for n in range(1, 4):
        duck.do(m.Say("@goose", "x", n=n))
    world.now += 0.49999
    for _ in range(5):
        assert duck.ask(m.Say("@goose", "x", n=4), m.Refused).after == 0.001
    world.now += 0.001
    assert duck.ask(m.Say("@goose", "x", n=4), m.Accepted).n == 4


def test_bytes_are_limited_too() -> None:
    world = World(Limits(bytes_per_second=100.0, byte_burst=1000))
    duck, _ = two(world)
    duck.do(m.Say("@goose", "x" * 900, n=1))
    assert duck.ask(m.Say("@goose", "x" * 900, n=2), m.Refused).after == 8.0


def test_other_commands_are_limited_as_well() -> None:
    world = World(Limits(commands_per_second=1.0, command_burst=5))
    duck, goose = two(world)
    codes = []
    for place in range(7):
        duck.forget().do(m.Join(f"#{place}", ref=1))
        codes += duck.codes
    assert codes == ["too_fast", "too_fast"]
    duck.forget().do(m.Typing("@goose")).do(m.Confirm(1)).do(m.Ping("x"))
    assert (duck.codes, goose.told(m.TypingNotice)) == ([], [])
    world.now += 1
    assert duck.ask(m.Join("#more", ref=1), m.Done)


def test_to_a_guest_that_went_while_the_message_was_on_its_way() -> None:
    world = World()
    duck, goose = two(world)
    goose.close()
    duck.forget().do(m.Say("@goose", "too late", n=1), commit=False)
    world.now += 700
    world.run(world.chat.tick(world.now))
    world.pending.reverse()  # the end of the guest comes first in the log
    world.commit()
    assert duck.only(m.Accepted).n == 1
    assert [event.state for event in duck.told(m.Receipt)] == ["failed"]


def test_devices_that_are_forgotten_are_the_oldest() -> None:
    world = World()
    duck = world.enter("duck")
    duck.session.device_id = "x"
    user = duck.session.user
    assert user is not None
    for place in range(230):
        fact = m.Said(1, user.uid, "duck", "hi", "#all", f"old{place}", 1)
        world.append([m.Append(fact)])
    assert len(user.devices) <= 202
    assert "old229" in user.devices
    assert "old0" not in user.devices
    assert world.again(snapshot=False).snapshot() == world.chat.snapshot()


def test_a_note_to_oneself() -> None:
    duck, _ = two(World())
    duck.do(m.Say("@duck", "milk", n=1))
    assert [event.state for event in duck.told(m.Receipt)] == ["delivered"]
    assert duck.ask(m.History("@duck"), m.Page).messages[0].text == "milk"  # type: ignore[union-attr]


# -- editing ---------------------------------------------------------------------------------------------------------


def test_authors_edit_and_remove_and_nobody_else() -> None:
    duck, goose = two(World())
    seq = duck.ask(m.Say("@goose", "tpyo", n=1), m.Accepted).seq
    goose.forget()
    assert goose.refused(m.Edit(seq, "mine")) == "not_allowed"
    duck.do(m.Edit(seq, "typo", ref=5))
    assert goose.only(m.Amended).text == "typo"
    assert duck.only(m.Done).ref == 5
    assert (duck.refused(m.Edit(seq, "")), duck.refused(m.Edit(seq, "x" * 9000))) == ("empty", "too_long")
    duck.do(m.Remove(seq, "why"))
    assert goose.told(m.Amended)[-1].removed
    assert duck.refused(m.Edit(seq, "again")) == "no_such_message"


def test_strangers_cannot_even_tell_that_a_message_is_there() -> None:
    world = World()
    duck, _ = two(world)
    seq = duck.ask(m.Say("@goose", "secret", n=1), m.Accepted).seq
    teal = world.enter("teal")
    for command in (
        m.Edit(seq, "x"),
        m.Remove(seq),
        m.Receipts(seq),
        m.Edit(2**63, "x"),
        m.Remove(-1),
        m.Receipts(0),
    ):
        assert teal.refused(command) == "no_such_message"


def test_an_erased_text_is_not_replayed_from_memory() -> None:
    world = World()
    duck, goose = two(world)
    goose.close()
    first = duck.ask(m.Say("@goose", "oops", n=1), m.Accepted).seq
    second = duck.ask(m.Say("@goose", "tpyo", n=2), m.Accepted).seq
    duck.do(m.Remove(first)).do(m.Edit(second, "typo"))
    back = world.enter("goose")
    assert back.texts == ["", "typo"]
    assert back.told(m.Message)[0].removed


# -- receipts --------------------------------------------------------------------------------------------------------


def test_receipts_name_messages_of_their_own_conversation_only() -> None:
    world = World()
    duck, goose = two(world)
    teal = world.enter("teal")
    hub = world.enter("hub")
    seqs = [peer.ask(m.Say("@hub", "x", n=n), m.Accepted).seq for n in (1, 2, 3) for peer in (duck, goose, teal)]
    for peer in (duck, goose, teal):
        peer.forget()
    hub.do(m.Confirm(seqs[3]))
    assert (receipts(duck), receipts(goose), receipts(teal)) == (
        [("@hub", seqs[3], "delivered", 0, 0)],
        [("@hub", seqs[1], "delivered", 0, 0)],
        [("@hub", seqs[2], "delivered", 0, 0)],
    )
    duck.forget()
    hub.do(m.Confirm(seqs[4]))
    assert receipts(duck) == []  # nothing new of this conversation


def test_many_unconfirmed_messages_cost_bounded_memory_and_the_last_is_always_told() -> None:
    world = World()
    duck, goose = two(world)
    for _ in range(1000):
        duck.do(m.Say("@goose", "x"), commit=False)
    world.commit()
    user = goose.session.user
    assert user is not None
    assert all(len(seqs) <= 32 for seqs in user.awaiting.values())
    duck.forget()
    goose.do(m.Confirm(len(world.rows)))
    assert receipts(duck) == [("@goose", len(world.rows), "delivered", 0, 0)]


def test_read_receipts_can_be_switched_off_and_delivered_cannot() -> None:
    world = World()
    duck, goose = two(world)
    goose.do(m.Set("receipts", "off"))
    seq = duck.ask(m.Say("@goose", "x", n=1), m.Accepted).seq
    duck.forget()
    goose.do(m.Read("@duck", seq))
    assert [event.state for event in duck.told(m.Receipt)] == ["delivered"]
    assert duck.ask(m.Receipts(seq), m.ReceiptList).people[0].state == "delivered"
    assert duck.ask(m.History("@goose"), m.Page).seen == 0


def test_the_own_other_devices_learn_what_was_read() -> None:
    world = World()
    duck = world.enter("duck")
    one, two_ = world.own("goose", device="1"), world.connect()
    two_.do(m.Hello("goose", device="2")).do(m.Proof("s", key="ed25519:goose"))
    seq = duck.ask(m.Say("@goose", "x", n=1), m.Accepted).seq
    one.forget().do(m.Read("@duck", seq, ref=4))
    assert (one.told(m.MarkRead), two_.only(m.MarkRead).seq, one.only(m.Done).seq) == ([], seq, seq)
    one.forget().do(m.Read("@duck", 1))
    assert one.events == []  # cursors only grow


def test_a_cursor_knows_until_when_all_is_read() -> None:
    """Also of what was said long ago, and over a restart."""
    world = World()
    duck = world.enter("duck")
    one, other = world.own("goose", device="1"), world.connect()
    other.do(m.Hello("goose", device="2")).do(m.Proof("s", key="ed25519:goose"))
    times = []
    for n in range(1, 4):
        world.now += 60
        duck.do(m.Say("#all", "x", n=n))
        times.append(world.rows[-1].at)
    first = world.rows[-3].seq
    world.chat.recent.clear()
    world.now += 60
    other.forget()
    assert one.ask(m.Read("#all", first, ref=1), m.Done).data == {"at": times[0]}
    assert (other.only(m.MarkRead).seq, other.only(m.MarkRead).at) == (first, times[0])
    assert one.ask(m.Read("#all", first + 1, ref=1, at=times[1] + 5), m.Done).data == {"at": times[1] + 5}
    assert one.ask(m.Read("#all", 0, ref=1), m.Done).data == {"at": times[1] + 5}
    for _ in range(2):
        user = world.chat.state.find("goose")
        assert user is not None
        assert history.info(world.chat, user, world.chat.state.rooms[1], {}).read_at == times[1] + 5
        world.restart()


def test_read_of_what_one_has_no_part_in() -> None:
    duck, _ = two(World())
    assert (duck.refused(m.Read("#none", 1)), duck.refused(m.Read("@none", 1))) == (
        "no_such_room",
        "no_such_login",
    )


def room(world: World, *logins: str) -> list[Peer]:
    peers = [world.enter(login) for login in logins]
    for peer in peers:
        peer.do(m.Join("#ops"))
    for peer in peers:
        peer.forget()
    return peers


def test_in_a_room_the_author_is_told_how_many_have_it() -> None:
    world = World()
    duck, goose, teal = room(world, "duck", "goose", "teal")
    seq = duck.ask(m.Say("#ops", "x", n=1), m.Accepted).seq
    goose.do(m.Confirm(seq))
    world.tick(1)
    assert receipts(duck) == [("#ops", seq, "delivered", 1, 2)]
    teal.do(m.Confirm(seq))
    world.tick(1)
    assert receipts(duck)[1:] == [("#ops", seq, "delivered", 2, 2)]
    for peer in (goose, teal):
        peer.do(m.Read("#ops", seq))
    world.tick(1)
    assert receipts(duck)[2:] == [("#ops", seq, "read", 2, 2)]
    world.tick(1)
    assert len(receipts(duck)) == 3
    assert (receipts(goose), receipts(teal)) == ([], [])


def test_who_joins_later_does_not_count() -> None:
    world = World()
    duck, goose = room(world, "duck", "goose")
    seq = duck.ask(m.Say("#ops", "x", n=1), m.Accepted).seq
    late = world.enter("late").do(m.Join("#ops"))
    late.do(m.Confirm(len(world.rows)))
    world.tick(1)
    assert receipts(duck) == []
    goose.do(m.Confirm(seq))
    world.tick(1)
    assert receipts(duck) == [("#ops", seq, "delivered", 1, 1)]


def test_who_leaves_is_not_waited_for() -> None:
    world = World()
    duck, goose, teal = room(world, "duck", "goose", "teal")
    seq = duck.ask(m.Say("#ops", "x", n=1), m.Accepted).seq
    goose.do(m.Confirm(seq))
    world.tick(1)
    duck.forget()
    teal.do(m.Leave("#ops"))
    world.tick(1)
    assert receipts(duck) == [("#ops", seq, "delivered", 1, 1)]


def test_a_chatty_neighbour_pushes_nobody_out() -> None:
    world = World()
    duck, goose, chatty = room(world, "duck", "goose", "chatty")
    seq = duck.ask(m.Say("#ops", "x", n=1), m.Accepted).seq
    for _ in range(500):
        chatty.do(m.Say("#ops", "blah"), commit=False)
    world.commit()
    duck.forget()
    for peer in (goose, chatty):
        peer.do(m.Confirm(len(world.rows)))
    world.tick(1)
    assert receipts(duck) == [("#ops", seq, "delivered", 2, 2)]
    assert sum(len(waiting) for waiting in world.chat.state.rooms[2].outstanding.values()) <= 64


def test_receipts_that_could_not_be_told_are_told_when_the_author_listens_again() -> None:
    world = World()
    duck, goose = two(world)
    seq = duck.ask(m.Say("@goose", "x", n=1), m.Accepted).seq
    duck.forget()
    world.chat.paused(duck.session)
    for _ in range(50):
        goose.do(m.Typing("@duck"))
    goose.do(m.Confirm(seq)).do(m.Read("@duck", seq))
    assert duck.events == []  # a full pipe is not filled further
    world.run(world.chat.resumed(duck.session, world.now))
    assert [event.state for event in duck.told(m.Receipt)] == ["delivered", "read"]
    assert duck.told(m.TypingNotice) == []


def test_after_a_restart_receipts_go_on() -> None:
    for snapshot in (True, False):
        world = World()
        duck, goose = two(world)
        done = duck.ask(m.Say("@goose", "one", n=1), m.Accepted).seq
        goose.do(m.Confirm(done))
        seq = duck.ask(m.Say("@goose", "two", n=2), m.Accepted).seq
        world.restart(snapshot)
        duck = world.enter("duck").forget()
        world.enter("goose").do(m.Confirm(seq))
        assert receipts(duck) == [("@goose", seq, "delivered", 0, 0)]


def test_a_guest_that_had_everything_fails_nothing_after_a_restart() -> None:
    world = World()
    duck, goose = two(world)
    seq = duck.ask(m.Say("@goose", "one", n=1), m.Accepted).seq
    goose.do(m.Confirm(seq))
    world.restart(snapshot=False)
    duck = world.enter("duck").forget()
    world.tick(10)
    world.tick(700)
    assert receipts(duck) == []


def test_cursors_of_connections_without_a_device_are_not_kept_one_by_one() -> None:
    world = World()
    duck = world.own("duck", device="")
    duck.do(m.Say("#all", "x")).do(m.Confirm(99))
    assert [place for _, place in world.kept] == ["d"]


def test_confirming_what_is_not_there_yet_confirms_what_is() -> None:
    world = World()
    duck, _ = two(world)
    duck.do(m.Confirm(2**64 - 1)).do(m.Confirm(-5))
    assert world.kept[1, "d"][0] == len(world.rows)


def test_own_words_do_not_mark_as_read_what_others_said() -> None:
    world = World()
    duck, goose = two(world)
    duck.do(m.Say("@goose", "one", n=1)).do(m.Say("@goose", "two", n=2))
    goose.do(m.Say("@duck", "busy", n=1))
    rooms = {info.to: info for info in goose.ask(m.Rooms(), m.RoomList).rooms}
    assert rooms["@duck"].read == 0
    assert rooms["@duck"].unread >= 2
    duck.do(m.Read("@goose", len(world.rows)))
    duck.do(m.Say("@goose", "three", n=3))
    rooms = {info.to: info for info in duck.ask(m.Rooms(), m.RoomList).rooms}
    assert (rooms["@goose"].unread, rooms["@goose"].head) == (0, len(world.rows))


def test_mentions_are_counted_until_they_are_read() -> None:
    world = World()
    duck, goose = two(world)
    goose.do(m.Say("#all", "hey @Duck, and @nobody @ x", n=1))
    count = duck.ask(m.Rooms(), m.RoomList).rooms[0].mentions
    duck.do(m.Read("#all", len(world.rows)))
    assert (count, duck.ask(m.Rooms(), m.RoomList).rooms[0].mentions) == (1, 0)


def test_unread_of_a_room_counts_from_joining() -> None:
    world = World()
    duck, goose = two(world)
    duck.do(m.Join("#ops")).do(m.Say("#ops", "before"))
    goose.do(m.Join("#ops"))
    duck.do(m.Say("#ops", "after"))
    rooms = {info.to: info for info in goose.ask(m.Rooms(), m.RoomList).rooms}
    assert rooms["#ops"].unread == 1


# -- small parts -----------------------------------------------------------------------------------------------------


def test_the_number_of_a_direct_conversation_is_computed() -> None:
    assert dm_users(dm_room(7, 3)) == (3, 7)
    assert dm_room(3, 7) == dm_room(7, 3) < 0


def test_a_device_remembers_places_in_a_ring() -> None:
    device = Device()
    for n in range(1, 101):
        device.note(n, n * 10)
    assert (device.place(36), device.place(37), device.place(101)) == (0, 370, 0)
    assert device.recent() == tuple(n * 10 for n in range(37, 101))


def test_a_snapshot_of_another_version_is_refused() -> None:
    data = msgspec.msgpack.decode(State().dump())
    data["version"] = 99
    with pytest.raises(ValueError, match="99"):
        State.load(msgspec.msgpack.encode(data))


def test_limits_are_not_in_the_way_of_tests() -> None:
    assert FREE.messages_per_second == 0


def picture(state: State) -> dict[str, object]:
    """Everything a state consists of, but for what belongs to one run and for cursors."""
    run = {"sessions", "awaiting", "online_since", "seen", "offline_since", "leaving", "host", "tokens", "byte_tokens",
           "tokens_at", "commands", "signals", "room_left", "stored", "delivered", "delivered_at", "reads", "reads_at",
           "audience", "outstanding", "unread_by", "devices", "members", "here"}  # fmt: skip

    def slots(thing: object) -> dict[str, object]:
        return {name: getattr(thing, name) for name in type(thing).__slots__ if name not in run}  # type: ignore[attr-defined]

    return {
        "users": {uid: slots(user) for uid, user in state.users.items()},
        "devices": {
            uid: {name: (one.last, one.recent()) for name, one in user.devices.items() if one.last}
            for uid, user in state.users.items()
        },
        "rooms": {number: slots(room) for number, room in state.rooms.items()},
        "members": {
            number: {uid: (member.since, member.role) for uid, member in room.members.items()}
            for number, room in state.rooms.items()
        },
        "names": {name: user.uid for name, user in state.by_fold.items()},
        "looks": {user.uid: state.looks.find(user.login) for user in state.users.values()},
        "rest": (state.seq, state.next_user, state.next_room, state.rules, state.heads, state.amended, state.founded,
                 {name: room.number for name, room in state.by_name.items()},
                 {room.number: state.room_looks.find(room.name) for room in state.rooms.values()}),
    }  # fmt: skip


def test_a_snapshot_holds_everything() -> None:
    world = World()
    owner = world.own("owner", label="laptop", name="The Owner")
    duck, goose = two(world)
    owner.do(m.Join("#ops")).do(m.Join("#tea")).do(m.Rename("#Tea2", room="#tea"))
    owner.do(m.Topic("#ops", "work")).do(m.Invite("#ops", "duck")).do(m.Set("colour", "red"))
    owner.do(m.Set("url", "http://x", room="#ops")).do(m.Password("", new="secret"))
    changes = (m.Change("secret"), m.Change("key", True, "k"), m.Change("ban", True, "x!*@*"))
    owner.do(m.Mode("#ops", changes)).do(m.Admin("ban", {"login": "mallory", "why": "spam"}))
    owner.do(m.Admin("mute", {"login": "goose"})).do(
        m.Admin("token", {"room": "#all", "name": "bot", "secret": "s" * 16})
    )
    seq = duck.ask(m.Say("@goose", "hi @owner", n=1), m.Accepted).seq
    duck.do(m.Say("#all", "hi @owner", n=2)).do(m.Edit(seq, "ho")).do(m.Rename("mallard"))
    goose.close()
    expected = picture(world.chat.state)
    for snapshot in (True, False):
        assert picture(world.again(snapshot).state) == expected


def test_a_message_that_is_twice_in_the_log_counts_once() -> None:
    """Two nodes may have proposed it."""
    world = World()
    duck, goose = two(world)
    duck.do(m.Say("@goose", "once", n=1))
    again = world.rows[-1].fact
    world.append([m.Append(again)])
    assert goose.texts == ["once"]
    assert duck.session.device is not None
    assert duck.session.device.place(1) == len(world.rows) - 1
