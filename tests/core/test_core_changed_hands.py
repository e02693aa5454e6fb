"""What was begun under a name ends when the name changes hands: nobody comes in, or reads, by what was before."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable

import pytest

from support.coreworld import Peer, World
from tcpchat.core import model as m
from tcpchat.core import scram

SALT = b"salt" * 4
OLD = scram.verifier("quack", SALT)


def duck(world: World) -> Peer:
    """A login with the password "quack"."""
    world.answer["hash"] = f"$argon {OLD}"
    peer = world.own("duck").do(m.Password("", new="quack"))
    world.answer["hash"] = "$another " + scram.verifier("honk", SALT)
    return peer


def boss(world: World) -> Peer:
    return world.own("boss")


def taken(world: World) -> Peer:
    """Somebody else claims the name, with a password of their own."""
    world.answer["hash"] = "$new " + scram.verifier("moo", SALT)
    other = world.connect()
    other.do(m.Hello("duck", device="farm")).do(m.Password("", new="moo"))
    user = world.chat.state.find("duck")
    assert user is not None
    assert user.claimed
    return other.forget()


def renamed(world: World, peer: Peer) -> None:
    peer.do(m.Rename("drake"))
    taken(world)


def deleted(world: World, peer: Peer) -> None:
    peer.do(m.Admin("delete", {"login": "duck"}))
    taken(world)


def only_renamed(world: World, peer: Peer) -> None:
    peer.do(m.Rename("drake"))


def only_deleted(world: World, peer: Peer) -> None:
    peer.do(m.Admin("delete", {"login": "duck"}))


Happens = Callable[[World, Peer], None]
CHANGES = pytest.mark.parametrize("happens", [renamed, deleted, only_renamed, only_deleted])


def attributes(text: str) -> dict[str, str]:
    return dict(part.split("=", 1) for part in text.split(","))


def scram_final(challenge: str, password: str, first: str) -> str:
    words = attributes(challenge)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(words["s"]), int(words["i"]))
    key = hmac.new(salted, b"Client Key", hashlib.sha256).digest()
    bare = f"c=biws,r={words['r']}"
    signature = hmac.new(hashlib.sha256(key).digest(), f"{first},{challenge},{bare}".encode(), hashlib.sha256).digest()
    proof = base64.b64encode(bytes(a ^ b for a, b in zip(key, signature, strict=True))).decode()
    return f"{bare},p={proof}"


def begin_scram(peer: Peer, login: str = "duck") -> str:
    """The client's last message, made from what the server has said to its first one."""
    first = f"n={login},r=abc"
    challenge = peer.ask(m.Scram(f"n,,{first}", ref=1), m.Done).data["message"]
    assert isinstance(challenge, str)
    return scram_final(challenge, "quack", first)


def test_a_scram_login_that_nothing_disturbs() -> None:
    world = World()
    boss(world)
    duck(world)
    peer = world.connect()
    final = begin_scram(peer)
    assert peer.ask(m.Scram(final, ref=2), m.Done).data["account"] == "duck"
    assert peer.ask(m.Hello("duck", device="other"), m.Welcome).login == "duck"


@CHANGES
def test_a_scram_login_is_for_the_login_it_was_begun_for(happens: Happens) -> None:
    world = World()
    boss(world)
    old = duck(world)
    thief = world.connect()
    final = begin_scram(thief)
    happens(world, old)
    assert thief.refused(m.Scram(final, ref=2)) == "wrong_password"
    thief.forget().do(m.Hello("duck", device="other"))
    assert not [one for one in thief.told(m.Welcome) if one.claimed]
    assert thief.session.account is None


def test_a_scram_login_does_not_wait_for_ever() -> None:
    world = World()
    boss(world)
    duck(world)
    slow = world.connect()
    final = begin_scram(slow)
    world.now += scram.SECONDS + 1
    assert slow.refused(m.Scram(final, ref=2)) == "wrong_password"


def test_a_scram_login_of_who_was_banned_meanwhile() -> None:
    world = World()
    operator = boss(world)
    duck(world)
    peer = world.connect()
    final = begin_scram(peer)
    operator.do(m.Admin("ban", {"login": "duck"}))
    assert peer.refused(m.Scram(final, ref=2)) == "banned"


@CHANGES
@pytest.mark.parametrize("account", ["", "duck"])
def test_a_password_is_for_the_login_it_was_given_for(happens: Happens, account: str) -> None:
    world = World()
    boss(world)
    old = duck(world)
    thief = world.connect()
    if not account:
        thief.do(m.Hello("duck", device="other"))
    thief.forget().do(m.Password("quack", account), commit=False)
    (late,) = world.checks
    world.checks.clear()
    happens(world, old)
    world.run(world.chat.checked(late, "ok", world.now))
    assert thief.codes == ["wrong_password"]
    assert not thief.told(m.Welcome)
    assert thief.session.account is None


@CHANGES
def test_a_challenge_is_for_the_login_it_was_made_for(happens: Happens) -> None:
    world = World()
    boss(world)
    old = duck(world)
    thief = world.connect()
    thief.do(m.Hello("duck", device="other")).forget()
    happens(world, old)
    assert thief.refused(m.Proof("s", key="ed25519:duck")) == "wrong_proof"


def test_a_challenge_of_the_one_before_does_not_open_a_key_that_both_have() -> None:
    """One person's key in two logins: the challenge was for the login that had the name then."""
    world = World()
    boss(world)
    old = duck(world)
    peer = world.connect()
    peer.do(m.Hello("duck", device="other"))
    old.do(m.Rename("drake"))
    taken(world).do(m.Key("add", key="ed25519:duck", signature="s"))
    assert peer.refused(m.Proof("s", key="ed25519:duck")) == "wrong_proof"


@CHANGES
def test_a_proof_is_for_the_login_it_was_given_for(happens: Happens) -> None:
    world = World()
    boss(world)
    old = duck(world)
    thief = world.connect()
    thief.do(m.Hello("duck", device="other")).forget()
    thief.do(m.Proof("s", key="ed25519:duck"), commit=False)
    (late,) = world.checks
    world.checks.clear()
    happens(world, old)
    world.run(world.chat.checked(late, "ok", world.now))
    assert thief.codes == ["wrong_proof"]


def test_a_claim_is_for_a_name_that_nobody_has() -> None:
    world = World()
    boss(world)
    late = world.connect()
    late.do(m.Hello("duck", device="late", key="ed25519:late", claim=True)).forget()
    taken(world)
    assert late.refused(m.Proof("s")) == "wrong_proof"


def link(world: World, old: Peer, commit: bool = True) -> Peer:
    """Another device brings a code of the login's."""
    code = old.ask(m.Key("link", ref=1), m.Done).data["code"]
    device = world.connect()
    device.do(m.Hello("duck", device="two", key="ed25519:two", token=str(code)))
    assert device.told(m.Challenge)
    device.forget().do(m.Proof("s"), commit=commit)
    return device


@CHANGES
def test_a_link_code_is_for_the_login_that_showed_it(happens: Happens) -> None:
    world = World()
    boss(world)
    old = duck(world)
    device = link(world, old, commit=False)
    (late,) = world.checks
    world.checks.clear()
    happens(world, old)
    world.run(world.chat.checked(late, "ok", world.now))
    world.commit()
    assert device.codes == ["wrong_proof"]
    assert all("ed25519:two" not in user.keys for user in world.chat.state.users.values())


def test_a_device_that_is_linked_by_a_key_that_is_revoked_meanwhile() -> None:
    """Both stand in the log, the revocation first: who came in by the key has added nothing."""
    world = World()
    boss(world)
    thief = world.own("duck")
    home = thief.do(m.Key("add", key="ed25519:home", signature="s")).world.connect()
    home.do(m.Hello("duck", device="home")).do(m.Proof("s", key="ed25519:home"))
    device = link(world, thief, commit=False)
    (check,) = world.checks
    world.checks.clear()
    home.do(m.Key("revoke", key="ed25519:duck"), commit=False)
    world.run(world.chat.checked(check, "ok", world.now))
    world.commit()
    assert device.codes == ["wrong_proof"]
    assert list(world.chat.state.users[thief.session.user.uid if thief.session.user else 0].keys) == ["ed25519:home"]
    assert world.again(snapshot=False).snapshot() == world.chat.snapshot()


@pytest.mark.parametrize("key", ["ed25519:mine", "x509:" + "0" * 64])
def test_a_key_that_is_added_by_who_is_locked_out_meanwhile(key: str) -> None:
    world = World()
    operator = boss(world)
    duck(world)
    thief = world.connect()
    thief.do(m.Hello("duck", device="other")).do(m.Password("quack")).forget()
    thief.do(m.Key("add", key=key, signature="s"), commit=False)
    checks = world.checks[:]
    world.checks.clear()
    late = world.pending[:]
    world.pending.clear()
    operator.do(m.Admin("account", {"login": "duck", "secret": "x"}), commit=False)
    while world.checks:
        world.run(world.chat.checked(world.checks.pop(0), "$reset", world.now))
    world.pending += late
    for check in checks:
        world.run(world.chat.checked(check, "ok", world.now))
    world.commit()
    user = world.chat.state.find("duck")
    assert user is not None
    assert (user.password, list(user.keys)) == ("$reset", ["ed25519:duck"])
    assert world.again(snapshot=False).snapshot() == world.chat.snapshot()


@pytest.mark.parametrize("steps", [0, 1, 2])
def test_a_new_password_by_who_knows_one_that_was_reset_meanwhile(steps: int) -> None:
    """At each step of it: while the old one is checked, while the new one is hashed, on the way to the log."""
    world = World()
    operator = boss(world)
    peer = duck(world).forget()
    peer.do(m.Password("quack", new="mine", ref=7), commit=False)
    for _ in range(steps):
        check = world.checks.pop(0)
        world.run(world.chat.checked(check, "ok" if check.what == "password" else "$mine", world.now))
    late, pending = world.checks[:], world.pending[:]
    world.checks.clear()
    world.pending.clear()
    world.answer["hash"] = "$reset"
    operator.do(m.Admin("account", {"login": "duck", "secret": "x"}))
    world.answer["hash"] = "$mine"
    for check in late:
        world.run(world.chat.checked(check, "ok" if check.what == "password" else "$mine", world.now))
    world.pending += pending
    world.commit()
    user = world.chat.state.find("duck")
    assert user is not None
    assert user.password == "$reset"
    assert peer.codes == ["wrong_password"]
    assert world.again(snapshot=False).snapshot() == world.chat.snapshot()


@CHANGES
def test_a_password_that_an_operator_gives_is_for_the_login_that_was_meant(happens: Happens) -> None:
    world = World()
    operator = boss(world)
    old = duck(world)
    operator.forget().do(m.Admin("account", {"login": "duck", "secret": "x"}), commit=False)
    (late,) = world.checks
    world.checks.clear()
    happens(world, old)
    world.run(world.chat.checked(late, "$given", world.now))
    world.commit()
    assert operator.codes == ["exists"]
    assert all(user.password != "$given" for user in world.chat.state.users.values())


def test_an_account_that_is_made_for_a_name_that_is_claimed_meanwhile() -> None:
    world = World()
    operator = boss(world).forget()
    operator.do(m.Admin("account", {"login": "duck", "secret": "x"}), commit=False)
    (late,) = world.checks
    world.checks.clear()
    taken(world)
    world.run(world.chat.checked(late, "$given", world.now))
    world.commit()
    assert operator.codes == ["exists"]


def test_an_act_that_takes_time_asks_for_the_role_at_its_end() -> None:
    world = World()
    operator = boss(world)
    second = world.own("second")
    operator.do(m.Admin("role", {"login": "second", "role": "owner"}))
    duck(world)
    second.forget().do(m.Admin("account", {"login": "duck", "secret": "x"}), commit=False)
    (late,) = world.checks
    world.checks.clear()
    world.hold_loads = True
    second.do(m.Admin("log"))
    operator.do(m.Admin("role", {"login": "second", "role": "member"}))
    world.answer_loads()
    world.run(world.chat.checked(late, "$given", world.now))
    world.commit()
    assert second.codes == ["not_allowed", "not_allowed"]


def test_a_name_that_is_registered_while_somebody_comes_by_it() -> None:
    world = World()
    boss(world)
    irc = world.connect("irc")
    irc.do(m.Password("", "duck", "quack", ref=1), commit=False)
    (late,) = world.checks
    world.checks.clear()
    guest = world.enter("duck")
    world.run(world.chat.checked(late, "$hash", world.now))
    world.commit()
    assert irc.codes == ["exists"]
    assert not guest.hung_up
    assert guest.session.user is world.chat.state.find("duck")


# -- pages -----------------------------------------------------------------------------------------------------------


def private(world: World, room: str = "#den") -> tuple[Peer, Peer]:
    owner = boss(world).do(m.Join(room)).do(m.Say(room, "before"))
    member = world.enter("goose").do(m.Join(room)).forget()
    world.hold_loads = True
    return owner, member


def test_a_page_of_a_room_whose_name_another_room_has_by_then() -> None:
    world = World()
    owner, member = private(world)
    owner.do(m.Say("#den", "for members"))
    member.do(m.History("#den"))
    owner.do(m.Kick("#den", "goose")).do(m.Rename("#cave", room="#den"))
    member.do(m.Join("#den"))
    world.answer_loads()
    assert member.codes == ["no_such_room"]
    assert not member.told(m.Page)


def test_a_page_is_of_the_room_that_was_asked_about() -> None:
    world = World()
    owner, member = private(world)
    member.do(m.History("#den"))
    owner.do(m.Rename("#cave", room="#den"))
    member.do(m.Join("#den"))
    world.answer_loads()
    assert member.only(m.Page).to == "#cave"


def test_a_page_of_a_direct_conversation_whose_other_side_has_another_name() -> None:
    world = World()
    boss(world)
    old = duck(world)
    goose = world.own("goose").do(m.Say("@duck", "for the duck")).forget()
    world.hold_loads = True
    goose.do(m.History("@duck"))
    renamed(world, old)
    world.answer_loads()
    assert goose.only(m.Page).to == "@drake"


def test_a_search_that_was_begun_before_one_was_put_out() -> None:
    world = World()
    owner, member = private(world)
    owner.do(m.Say("#den", "for members"))
    member.do(m.Search("members"))
    owner.do(m.Kick("#den", "goose"))
    world.answer_loads()
    assert member.only(m.Page).messages == ()
