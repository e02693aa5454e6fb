"""A log that was set back, or another one: which of a client's past counts, and what its authors are told."""

from __future__ import annotations

import pytest

from support.coreworld import Peer, World
from tcpchat.core import model as m


def a_past(world: World, messages: int = 10) -> tuple[int, int]:
    """Bob says things to alice; returns the heads before and behind them."""
    alice, bob = world.own("alice"), world.own("Bob")
    before = len(world.rows)
    for n in range(1, messages + 1):
        bob.do(m.Say("@alice", f"old {n}", n=n))
    alice.do(m.Confirm(len(world.rows)))
    return before, len(world.rows)


def come(world: World, after: int | None, log: str, **hello: object) -> tuple[m.Welcome, Peer]:
    peer = world.own("alice", after=after, log=log, **hello)
    return peer.only(m.Welcome), peer


def delivered(peer: Peer) -> list[int]:
    return [event.seq for event in peer.told(m.Receipt) if event.state in ("delivered", "read")]


def test_the_same_log_is_believed_as_ever() -> None:
    world = World()
    _, head = a_past(world)
    world.restart()
    welcome, _ = come(world, head - 3, "one")
    assert (welcome.log, welcome.after, welcome.lost) == ("one", head - 3, 0)


@pytest.mark.parametrize(("seen", "after"), [(10, 4), (4, 4), (2, 2)])
def test_a_cursor_of_the_lineage_before_counts_up_to_where_they_part(seen: int, after: int) -> None:
    world = World()
    before, _ = a_past(world)
    world.set_back(before + 4, "two")
    bob = world.own("Bob")
    for n in range(5, 25):  # the new line outgrows the old one
        bob.do(m.Say("@alice", f"new {n}", n=n))
    bob.forget()
    welcome, alice = come(world, before + seen, "one")
    assert (welcome.log, welcome.after, welcome.lost) == ("two", before + after, before + 5)
    assert alice.texts[-20:] == [f"new {n}" for n in range(5, 25)]
    assert delivered(bob) == [before + after], "what both lines have, and no more"
    alice.do(m.Confirm(welcome.head))
    assert delivered(bob)[1:] == [welcome.head]


def test_the_cursor_of_a_log_that_nobody_knows_says_nothing() -> None:
    world = World()
    a_past(world)
    bob = world.own("Bob")
    bob.do(m.Say("@alice", "not yet seen", n=11)).forget()
    welcome, alice = come(world, len(world.rows), "a wiped one", device="another")
    assert (welcome.after, welcome.lost) == (len(world.rows) - 1, 1), "from the login's own cursor"
    assert alice.texts == ["not yet seen"]
    assert delivered(bob) == []


def test_hearing_only_what_comes_is_not_a_matter_of_logs() -> None:
    world = World()
    a_past(world)
    welcome, alice = come(world, -1, "a wiped one", device="another")
    assert welcome.after == len(world.rows)
    assert alice.texts == []


def test_who_names_no_log_is_capped_by_the_head_as_before() -> None:
    world = World()
    before, head = a_past(world)
    world.set_back(before + 4, "two")
    welcome, _ = come(world, head, "")
    assert (welcome.after, welcome.lost) == (before + 4, 0)


@pytest.mark.parametrize("works", [True, False])
def test_a_client_that_saw_more_of_this_lineage_proves_that_the_log_was_set_back(works: bool) -> None:
    """Somebody has put an old copy in place by hand, and others talk already."""
    world = World()
    before, head = a_past(world)
    world.set_back(before + 4)
    bob = world.own("Bob", log="one")
    bob.do(m.Say("@alice", "new", n=5)).forget()
    alice = world.own("alice", after=head, log="one")
    again = world.own("alice", after=head, log="one", device="phone")
    assert alice.told(m.Welcome) == []
    assert [fork.since for fork in world.forks] == [before + 4], "one for both"
    world.fork(works)
    if not works:
        assert [alice.codes, again.codes] == [["unavailable"], ["unavailable"]]
        return
    for peer in (alice, again):
        welcome = peer.only(m.Welcome)
        assert (welcome.log, welcome.after, welcome.lost) == ("after one", before + 4, before + 5)
    assert alice.texts == ["new"]
    assert max(delivered(bob)) == before + 4
    assert bob.only(m.Forked).log == "after one"
    welcome, alice = come(world, len(world.rows), "after one")
    assert (welcome.after, welcome.lost) == (len(world.rows), 0)


def test_who_leaves_while_the_lineage_begins_is_not_let_in() -> None:
    world = World()
    before, head = a_past(world)
    world.set_back(before + 4)
    alice = world.own("alice", after=head, log="one")
    alice.close()
    world.fork()
    assert alice.told(m.Welcome) == []
    assert not any(user.sessions for user in world.chat.state.users.values())


def test_words_behind_the_hello_about_another_log_tell_nobody_anything() -> None:
    """A client that pipelines its confirmation, and its reading, before it has read the welcome."""
    world = World()
    before, head = a_past(world)
    world.set_back(before + 4, "two")
    bob = world.own("Bob", log="two")
    for n in range(5, 25):
        bob.do(m.Say("@alice", f"new {n}", n=n))
    bob.forget()
    world.hold_loads = True
    alice = world.own("alice", after=head, log="one")
    alice.do(m.Confirm(head)).do(m.Read("@Bob", head)).do(m.Confirm(len(world.rows) + 5))
    world.hold_loads = False
    world.answer_loads()
    world.tick(1.0)
    assert max(delivered(bob)) == before + 4
    alice.do(m.Confirm(len(world.rows) + 5)).do(m.Read("@Bob", len(world.rows) + 5))
    assert max(delivered(bob)) == before + 4, "a place behind the head is of another log"


# -- numbers ---------------------------------------------------------------------------------------------------------


def test_a_guest_that_was_away_for_long_goes_on_with_its_numbers() -> None:
    world = World()
    world.own("Bob")
    guest = world.enter("guest", device="g.1")
    first = guest.ask(m.Say("#all", "one", n=1), m.Accepted).seq
    for again in range(2):
        guest.close()
        world.tick(10)
        world.tick(world.limits.guest_grace + 10)
        assert world.chat.state.find("guest") is None
        world.restart(snapshot=bool(again))
        guest = world.enter("guest", device="g.1")
        assert guest.only(m.Welcome).last == 1
        assert guest.ask(m.Say("#all", "one", n=1), m.Accepted).seq == first
    stranger = world.enter("guest2", device="h.1")
    assert stranger.only(m.Welcome).last == 0


def test_who_takes_a_free_name_gets_none_of_its_numbers() -> None:
    world = World()
    guest = world.enter("guest", device="g.1")
    guest.do(m.Say("#all", "one", n=1)).close()
    world.tick(10)
    world.tick(world.limits.guest_grace + 10)
    assert world.enter("guest", device="h.1").only(m.Welcome).last == 0


def test_numbers_are_kept_by_time_and_not_by_count() -> None:
    world = World()
    alice = world.own("alice")
    for number in range(400):
        world.own("alice", device=f"id-{number}").do(m.Say("#all", "alert", n=1)).close()
    assert world.own("alice", device="id-0").only(m.Welcome).last == 1
    assert alice.only(m.Welcome).forgot == 0
    head = len(world.rows)
    world.now += (world.limits.numbers_days + 1) * 86_400
    for number in range(400, 600):
        world.own("alice", device=f"id-{number}").do(m.Say("#all", "alert", n=1)).close()
    welcome = world.own("alice", device="id-0").only(m.Welcome)
    assert (welcome.last, welcome.forgot) == (0, head)
    assert world.own("alice", device="id-400").only(m.Welcome).last == 1
    world.restart(snapshot=False)
    assert world.own("alice", device="id-1").only(m.Welcome).forgot == head


def test_more_devices_than_may_number_are_refused_until_one_is_old_enough() -> None:
    from msgspec.structs import replace

    from tcpchat.core.rules import Limits

    world = World(replace(Limits(), messages_per_second=0, numbered_devices=5))
    for number in range(5):
        world.own("alice", device=f"id-{number}").do(m.Say("#all", "alert", n=1)).close()
    late = world.own("alice", device="late")
    assert late.refused(m.Say("#all", "alert", n=1)) == "too_many_devices"
    assert late.ask(m.Say("#all", "not numbered"), m.Accepted).seq
    assert world.own("alice", device="id-3").ask(m.Say("#all", "two", n=2), m.Accepted).seq
    world.now += (world.limits.numbers_days + 1) * 86_400
    late = world.own("alice", device="late")
    assert late.ask(m.Say("#all", "alert", n=1), m.Accepted).seq
    assert len(world.chat.state.users[1].devices) < 5 + 2


def test_a_snapshot_of_an_older_program_is_read() -> None:
    """Without the times at which devices spoke: nothing of it is forgotten before its time."""
    import msgspec

    from tcpchat.core.state import Snapshot, State

    world = World()
    for number in range(70):
        world.own("alice", device=f"id-{number}").do(m.Say("#all", "alert", n=1)).close()
    whole = msgspec.msgpack.decode(world.chat.state.dump())
    assert len(whole["users"][0].pop()) == 70
    assert set(whole) == set(Snapshot.__struct_fields__)
    del whole["forgot"], whole["departed"]
    state = State.load(msgspec.msgpack.encode(whole))
    assert state.users[1].numbered == 70
    for number in range(70):
        state.numbering(state.users[1], f"new-{number}", 10**15, world.limits).note(1, 1000 + number, 10**15)
    assert state.forgot == 0
    assert len(state.users[1].devices) == 140
