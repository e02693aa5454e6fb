"""Many at once: comings are gathered, and what others are shown of somebody is made once and never stale."""

from __future__ import annotations

from typing import Any

from support.coreworld import Peer, World
from tcpchat.core import model as m
from tcpchat.core import presence


def entered(world: World, login: str) -> Peer:
    peer = world.connect()
    peer.do(m.Hello(proto=1, login=login))
    return peer


def people(peer: Peer, to: str = "#all", every: bool = False) -> dict[str, m.Person]:
    return {person.login: person for person in peer.ask(m.Who(to=to, all=every, ref=7), m.People).people}


def online(peer: Peer) -> list[str]:
    return [event.login for event in peer.told(m.Presence) if event.what == "online"]


def test_a_crowd_is_told_in_one_piece_and_nobody_twice() -> None:
    world = World()
    first = entered(world, "first")
    logins = [f"user{number}" for number in range(3 * presence.CROWD)]
    for login in logins:
        entered(world, login)
    assert len(online(first)) == presence.CROWD - 1  # its own coming was the first of the window
    world.tick(presence.WINDOW_MAX)
    assert online(first) == logins


def test_what_is_gathered_says_that_it_is() -> None:
    world = World()
    entered(world, "first")
    for number in range(2 * presence.CROWD):
        entered(world, f"user{number}")
    effects: list[Any] = world.chat.tick(world.now + presence.WINDOW_MAX)
    fans = [one for one in effects if isinstance(one, m.FanOut)]
    assert fans
    assert all(one.late and one.skip is not None for one in fans)


def test_people_are_shown_as_they_are_now() -> None:
    world = World()
    asks, other = entered(world, "asks"), entered(world, "other")
    assert people(asks)["other"].away == ""
    other.do(m.Away(why="tea"))
    assert people(asks)["other"].away == "tea"
    other.do(m.Join(room="#ops"))
    assert people(asks)["other"].rooms == ("#all", "#ops")
    third = entered(world, "third")
    assert {"asks", "other", "third"} == set(people(asks))
    third.close()
    other.close()
    assert {"asks"} == set(people(asks))
    assert not people(asks, every=True)["other"].online


def test_a_secret_room_is_shown_to_its_members_alone() -> None:
    world = World()
    member, stranger = entered(world, "member"), entered(world, "stranger")
    member.do(m.Join(room="#ops")).do(m.Mode(room="#ops", changes=(m.Change("secret", True),)))
    assert people(member)["member"].rooms == ("#all", "#ops")
    assert people(stranger)["member"].rooms == ("#all",)
    assert people(member)["member"].rooms == ("#all", "#ops")


def test_what_waits_for_a_session_is_told_once() -> None:
    world = World()
    early = world.connect()
    early.do(m.Hello(proto=1, login="early"), commit=False)
    early.do(m.Say(to="#all", text="quick", n=1), commit=False)
    world.commit()
    assert [event.n for event in early.told(m.Accepted)] == [1]
