"""What a restart may not take back: cursors, what was told by them, mentions that were read."""

from __future__ import annotations

import pytest

from support.coreworld import World
from tcpchat.core import model as m


def unread(world: World, login: str) -> m.RoomInfo:
    return next(room for room in world.own(login).only(m.RoomList).rooms if room.to == "#all")


@pytest.mark.parametrize("snapshot", [True, False], ids=["behind a snapshot", "from the log alone"])
def test_own_words_read_again_at_a_start_do_not_take_a_read_cursor_back(snapshot: bool) -> None:
    world = World()
    alice, bob = world.own("alice"), world.own("Bob")
    old = world.chat.snapshot()
    alice.do(m.Say("#all", "mine", n=1)).do(m.Say("@Bob", "mine", n=2))
    for number in range(1, 9):
        bob.do(m.Say("#all", f"hello @alice {number}", n=2 * number - 1)).do(m.Say("@alice", "psst", n=2 * number))
    head = len(world.rows)
    alice.do(m.Read("#all", head - 4)).do(m.Read("@Bob", head - 4))
    if snapshot:
        world.chat.snapshot = lambda: old  # type: ignore[method-assign] # killed: the last snapshot is older
    world.restart(snapshot)

    rooms = {room.to: room for room in world.own("alice").only(m.RoomList).rooms}

    assert (rooms["#all"].read, rooms["@Bob"].read) == (head - 4, head - 4)
    assert (rooms["#all"].unread, rooms["@Bob"].unread) == (2, 2)
    assert rooms["#all"].mentions == 2, "mentions that were read are back"
    seen = {room.to: room.seen for room in world.own("Bob").only(m.RoomList).rooms}
    assert seen["@alice"] == head - 4, "the author's `read` is taken back"


def test_a_read_cursor_comes_back_to_who_is_made_by_the_replay_in_pages() -> None:
    """The cursor is merged behind the page that makes its user, and own words follow in later pages."""
    world = World()
    alice, bob = world.own("alice"), world.own("Bob")
    for number in range(1, 9):
        bob.do(m.Say("#all", f"{number}", n=number))
        alice.do(m.Read("#all", len(world.rows)) if number == 2 else m.Say("#all", "mine", n=0))
    alice.do(m.Read("#all", len(world.rows)))
    world.restart(snapshot=False)

    assert unread(world, "alice").read == len(world.rows)
    assert unread(world, "alice").unread == 0
