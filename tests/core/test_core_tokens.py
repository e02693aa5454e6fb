"""Tokens belong to a room and to its operators: who makes, sees and ends them, and under whose name they post."""

from __future__ import annotations

import msgspec
import pytest

from support.coreworld import Peer, World
from tcpchat.core import model as m
from tcpchat.core.rules import Limits
from tcpchat.core.state import State
from tcpchat.core.tokens import PER_ROOM, hash_token

SECRET = "s" * 24


def token(peer: Peer, room: str = "#ops", name: str = "alarm", secret: str = SECRET) -> str:
    """Ask for a token; the code of the refusal, or ""."""
    peer.forget().do(m.Admin("token", {"room": room, "name": name, "secret": secret}, ref=5))
    return peer.codes[0] if peer.codes else ""


def revoke(peer: Peer, start: str, room: str = "#ops") -> str:
    peer.forget().do(m.Admin("token_revoke", {"room": room, "token": start}, ref=6))
    return peer.codes[0] if peer.codes else ""


def hook(world: World, secret: str = SECRET) -> Peer:
    peer = world.connect("http")
    return peer.do(m.Hello("", token=secret, after=-1))


def listed(peer: Peer, **args: str) -> object:
    return peer.ask(m.Admin("tokens", args), m.Done).data["tokens"]


def same_after_a_restart(world: World) -> None:
    assert world.again(snapshot=False).snapshot() == world.chat.snapshot()
    assert world.again().snapshot() == world.chat.snapshot()


def rooms(world: World) -> tuple[Peer, Peer, Peer]:
    """The owner of the place, and the operators of two rooms."""
    owner = world.own("owner")
    return owner, world.own("alice").do(m.Join("#ops")), world.own("evil").do(m.Join("#mine"))


def test_operators_of_another_room_end_none_and_see_none() -> None:
    world = World()
    _, alice, evil = rooms(world)
    assert token(alice) == ""
    start = hash_token(SECRET)[:12]
    assert revoke(evil, start, "#mine") == "bad_command"
    assert revoke(evil, start, "#ops") == "not_allowed"
    assert revoke(evil, start, "") == "not_allowed"
    assert listed(evil, room="#mine") == {}
    assert evil.refused(m.Admin("tokens", {"room": "#ops"})) == "not_allowed"
    assert evil.refused(m.Admin("tokens")) == "not_allowed"
    assert hook(world).told(m.Welcome)
    assert listed(alice, room="#ops") == {start: {"room": "#ops", "name": "alarm/ops"}}
    assert revoke(alice, start) == ""
    assert hook(world).codes == ["not_allowed"]


def test_the_owner_handles_the_tokens_of_all_rooms() -> None:
    world = World()
    owner, alice, evil = rooms(world)
    token(alice)
    token(evil, "#mine", secret="e" * 24)
    assert listed(owner) == {
        hash_token(SECRET)[:12]: {"room": "#ops", "name": "alarm/ops"},
        hash_token("e" * 24)[:12]: {"room": "#mine", "name": "alarm/mine"},
    }
    assert revoke(owner, hash_token(SECRET)[:12], "#mine") == "bad_command"  # it is none of that room's
    assert revoke(owner, hash_token(SECRET)[:12], "") == ""
    assert token(owner, "#mine", "second", "o" * 24) == ""


@pytest.mark.parametrize("act", ["token", "tokens", "token_revoke"])
def test_a_moderator_has_no_hand_in_the_tokens_of_rooms(act: str) -> None:
    world = World()
    owner, alice, _ = rooms(world)
    moderator = world.own("mod")
    owner.do(m.Admin("role", {"login": "mod", "role": "moderator"}))
    alice.do(m.Mode("#ops", (m.Change("secret"), m.Change("invite_only"))))
    args = {"room": "#ops", "name": "spy", "secret": SECRET, "token": hash_token(SECRET)[:12]}
    assert moderator.refused(m.Admin(act, args)) == "not_allowed"


def test_the_room_is_told_of_its_tokens() -> None:
    world = World()
    owner, alice, _ = rooms(world)
    member = world.enter("goose").do(m.Join("#ops")).forget()
    token(owner)
    revoke(alice, hash_token(SECRET)[:12])
    told = member.told(m.Message)
    assert [(one.to, one.kind, one.system) for one in told] == [("#ops", "notice", True)] * 2
    assert told[0].text == "owner made a token: alarm/ops may post here, and read what is said."
    assert told[1].text == "alice revoked a token of alarm/ops."
    page = member.ask(m.History("#ops", events=True), m.Page)
    assert [one for one in page.messages if isinstance(one, m.Message)] == told
    later = world.connect().do(m.Hello("goose", device="dev-goose", after=0))
    assert later.told(m.Message) == told


def test_a_machine_has_a_name_that_no_person_can_have() -> None:
    world = World()
    _, alice, _ = rooms(world)
    person = world.own("alarm")
    assert token(alice) == ""
    assert hook(world).only(m.Welcome).login == "alarm/ops"
    assert world.connect().refused(m.Hello("alarm/ops", device="x")) == "bad_name"
    assert person.refused(m.Rename("alarm/ops")) == "bad_name"
    assert world.connect("irc").refused(m.Password("", "bell/ops", "quack")) == "bad_name"
    assert token(alice, name="a/b", secret="x" * 24) == "bad_name"
    assert world.connect().do(m.Hello("monitor", device="y", key="k", claim=True)).told(m.Challenge)
    same_after_a_restart(world)


def test_a_name_belongs_to_its_room() -> None:
    world = World()
    _, alice, evil = rooms(world)
    token(alice)
    assert token(evil, "#mine", "alarm", "e" * 24) == ""
    machine = hook(world, "e" * 24)
    assert machine.only(m.Welcome).login == "alarm/mine"
    alice.do(m.Rename("#ops2", room="#ops"))
    evil.do(m.Join("#ops"))
    assert token(evil, "#ops", "alarm", "f" * 24) == "exists"  # that machine still posts to #ops2
    assert token(alice, "#ops2", "alarm", "g" * 24) == ""
    assert hook(world).only(m.Welcome).login == "alarm/ops"
    same_after_a_restart(world)


def test_a_secret_that_another_room_has_is_not_taken_over() -> None:
    world = World()
    _, alice, evil = rooms(world)
    token(alice)
    assert token(evil, "#mine") == "exists"
    assert hook(world).session.hook == world.chat.state.by_name["#ops"].number


def test_guests_make_no_tokens() -> None:
    world = World()
    world.own("owner")
    guest = world.enter("guest").do(m.Join("#ops"))
    before = len(world.chat.state.users)
    assert token(guest) == "guest"
    assert guest.refused(m.Admin("tokens", {"room": "#ops"})) == "guest"
    assert len(world.chat.state.users) == before


def test_machines_are_counted_as_newcomers_and_in_their_room() -> None:
    world = World(Limits(logins_per_minute=60.0, login_burst=3))
    world.own("owner")
    far = world.connect(local=False, address="192.0.2.1")
    far.do(m.Hello("far", device="far", key="ed25519:far", claim=True)).do(m.Proof("s")).do(m.Join("#ops"))
    codes = [token(far, name=f"name{n}", secret=f"{n}" * 24) for n in range(3)]
    assert codes == ["", "", "too_fast"]  # far itself was the first
    near = world.own("near").do(m.Join("#near"))
    codes = [token(near, "#near", "same", f"secret-{n:020}") for n in range(PER_ROOM + 1)]
    assert codes == [""] * PER_ROOM + ["too_many"]


def test_the_last_token_takes_its_name_along() -> None:
    world = World()
    _, alice, _ = rooms(world)
    token(alice)
    token(alice, secret="t" * 24)
    machine = hook(world)
    revoke(alice, hash_token("t" * 24)[:12])
    assert world.chat.state.find("alarm/ops") is not None
    machine.do(m.Say("#ops", "disk full"))
    revoke(alice, hash_token(SECRET)[:12])
    assert machine.hung_up == "revoked"
    assert world.chat.state.find("alarm/ops") is None
    (message,) = alice.ask(m.History("#ops"), m.Page).messages
    assert isinstance(message, m.Message)
    assert message.by == "alarm/ops"
    same_after_a_restart(world)


def test_a_token_ends_with_its_login_and_with_its_room() -> None:
    world = World()
    owner, alice, evil = rooms(world)
    token(alice)
    token(evil, "#mine", secret="e" * 24)
    owner.do(m.Admin("delete", {"login": "alarm/ops"}))
    assert hook(world).codes == ["not_allowed"]
    evil.do(m.Mode("#mine", (m.Change("invite_only"),))).do(m.Leave("#mine"))
    assert hook(world, "e" * 24).codes == ["not_allowed"]
    assert [user.login for user in world.chat.state.users.values()] == ["owner", "alice", "evil"]
    same_after_a_restart(world)


def old_world() -> World:
    """The log of version 0.1.0: a login is claimed for a machine, and a token names it and its room."""
    world = World()
    owner = world.own("owner").do(m.Join("#ops"))
    world.append(
        [
            m.Append(m.Claimed("monitor", name="posts to #ops")),
            m.Append(m.Ruled(1, "token", 0, {"hash": hash_token(SECRET), "room": "#ops", "name": "monitor"})),
        ]
    )
    owner.do(m.Rename("#ops2", room="#ops"))
    return world


def test_tokens_of_an_older_version_go_on() -> None:
    world = old_world()
    for snapshot in (False, True):
        world.restart(snapshot)
        assert hook(world).only(m.Welcome).login == "monitor"
        assert world.chat.state.rooms[hook(world).session.hook].name == "#ops2"
    same_after_a_restart(world)


def test_tokens_of_an_older_snapshot_go_on() -> None:
    world = old_world()
    world.restart()
    seq, state = world.chat.snapshot()
    kept = msgspec.msgpack.decode(state)
    for kind, rows in kept["rules"]:
        if kind == "token":
            rows[0][1] = [["name", "monitor"], ["room", "#ops2"]]  # as 0.1.0 has written it
    world.chat.state = State.load(msgspec.msgpack.encode(kept))
    world.chat.state.seq = seq
    assert hook(world).only(m.Welcome).login == "monitor"


def test_a_token_whose_login_somebody_else_has_taken_posts_for_nobody() -> None:
    world = old_world()
    owner = world.connect()
    owner.do(m.Hello("owner", device="two")).do(m.Proof("s", key="ed25519:owner"))
    owner.do(m.Admin("delete", {"login": "monitor"}))
    world.own("monitor")
    assert hook(world).codes == ["not_allowed"]
