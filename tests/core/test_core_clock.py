"""The time of day is set while the chat runs: what was to last so long lasts so long, before and behind a restart."""

from __future__ import annotations

import pytest

from support.coreworld import FREE, Peer, World
from tcpchat.core import model as m
from tcpchat.core.rules import Limits

HOUR = 3_600.0


def jump(world: World, seconds: float) -> None:
    """The time of day is set by so much."""
    wall = world.now + world.chat.offset + seconds
    world.run(world.chat.set_clock(wall, world.now))
    world.commit()
    assert world.chat.offset == pytest.approx(wall - world.now, abs=0.002)


def staffed(limits: Limits = FREE) -> tuple[World, Peer, Peer]:
    world = World(limits)
    world.now = 100 * HOUR
    return world, world.own("owner"), world.enter("evil")


def muted(peer: Peer) -> bool:
    peer.forget().do(m.Say("#all", "x"))
    return bool(peer.told(m.Refused))


@pytest.mark.parametrize("by", [HOUR, -HOUR, 1.5, -1.5])
def test_a_mute_lasts_what_was_said_whatever_the_clock_does(by: float) -> None:
    world, owner, evil = staffed()
    owner.ask(m.Admin("mute", {"login": "evil", "seconds": "60"}), m.Done)
    jump(world, by)
    world.tick(59.0)
    assert muted(evil)
    world.tick(2.0)
    assert not muted(evil)


@pytest.mark.parametrize("by", [HOUR, -HOUR])
@pytest.mark.parametrize("snapshot", [True, False])
def test_a_ban_lasts_as_long_behind_a_restart_by_the_new_clock(by: float, snapshot: bool) -> None:
    world, owner, _ = staffed()
    owner.ask(m.Admin("ban", {"login": "evil", "seconds": "60"}), m.Done)
    jump(world, by)
    wall = world.now + world.chat.offset
    world.restart(snapshot)
    world.now = wall + 58.0  # a new process begins by the time of day
    assert world.enter("evil").codes == ["banned"]
    world.tick(3.0)
    assert not world.enter("evil", "another").codes


def test_a_ban_behind_a_jump_hangs_up_who_is_here() -> None:
    world, owner, evil = staffed()
    jump(world, 10 * HOUR)
    jump_back = world.now + 20.0
    world.tick(20.0)
    assert jump_back == world.now
    jump(world, -10 * HOUR)
    owner.ask(m.Admin("ban", {"login": "evil", "seconds": "60"}), m.Done)
    assert evil.hung_up


def test_small_corrections_of_the_clock_write_nothing_and_big_ones_once() -> None:
    world, _, _ = staffed()
    rows = len(world.rows)
    for drift in (0.3, -0.5, 0.9):
        world.run(world.chat.set_clock(world.now + world.chat.offset + drift, world.now))
    assert not world.pending
    for _ in range(5):  # ticks before the log has taken the first
        world.run(world.chat.set_clock(world.now + HOUR, world.now))
    world.commit()
    assert len(world.rows) == rows + 1


def test_what_is_shown_follows_the_time_of_day() -> None:
    world, owner, _ = staffed()
    jump(world, HOUR)
    seen = owner.ask(m.Who("evil"), m.People).people[0]
    world.enter("evil", "dev-evil").do(m.Ping())
    seen = owner.ask(m.Who("evil"), m.People).people[0]
    assert seen.seen == int((world.now + HOUR) * 1000)


def test_rates_and_guesses_count_what_has_passed() -> None:
    world = World(Limits(messages_per_second=1.0, message_burst=1))
    peer = world.enter("duck")
    assert peer.ask(m.Say("#all", "1"), m.Accepted)
    jump(world, -HOUR)
    world.tick(1.0)
    assert peer.ask(m.Say("#all", "2"), m.Accepted)
