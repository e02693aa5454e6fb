"""What opens a login no more, and what it had begun; new logins of one address."""

from __future__ import annotations

import pytest

from support.coreworld import Peer, World
from tcpchat.core import model as m
from tcpchat.core import throttle
from tcpchat.core.rules import Bucket, Limits, wait_of
from tcpchat.core.scram import verifier
from tcpchat.core.sessions import PASSWORD

SLOW = Limits(logins_per_minute=60.0, login_burst=2)


def stranger(world: World, login: str, address: str = "192.0.2.1", **hello: str) -> Peer:
    peer = world.connect(local=False, address=address)
    return peer.do(m.Hello(login, device=f"dev-{login}", **hello))


def reset(world: World, login: str, password: str) -> None:
    """The owner gives a login another password."""
    world.answer["hash"] = password
    world.enter("boss", key="ed25519:boss").do(m.Proof("s")).do(m.Admin("account", {"login": login, "secret": "x"}))


def boss(world: World) -> Peer:
    return world.own("boss")


def test_a_password_that_is_being_checked_while_it_is_reset_opens_nothing() -> None:
    world = World()
    boss(world)
    duck = world.own("duck").do(m.Password("", new="quack"))
    thief = world.connect().do(m.Hello("duck", device="other"))
    thief.do(m.Password("quack"), commit=False)
    (late,) = world.checks
    world.checks.clear()
    reset(world, "duck", "$another")
    world.run(world.chat.checked(late, "ok", world.now))
    assert thief.codes == ["wrong_password"]
    assert duck.hung_up == ""  # it came in by its key


def test_a_scram_exchange_that_was_begun_with_the_old_password_ends() -> None:
    world = World()
    boss(world)
    world.answer["hash"] = "$argon " + verifier("quack", b"salt" * 4)
    world.own("duck").do(m.Password("", new="quack"))
    thief = world.connect("irc")
    first = thief.ask(m.Scram("n,,n=DUCK,r=abc", ref=1), m.Done)
    assert first.data["message"].startswith("r=abc")
    assert thief.session.scram is not None
    reset(world, "duck", "$another " + verifier("honk", b"salt" * 4))
    assert thief.session.scram is None


def test_a_claim_is_a_credential_too() -> None:
    world = World()
    boss(world)
    by_key, by_password = world.enter("duck"), world.enter("goose")
    by_key.do(m.Key("claim", key="ed25519:duck", signature="s"))
    by_password.do(m.Password("", new="honk"))
    assert (by_key.session.credential, by_password.session.credential) == ("ed25519:duck", PASSWORD)
    by_key.do(m.Key("add", key="ed25519:two", signature="s"))
    by_key.do(m.Key("revoke", key="ed25519:duck"))
    assert by_key.hung_up == "revoked"
    assert by_key.only(m.Goodbye).code == "revoked"
    reset(world, "goose", "$another")
    assert by_password.hung_up == "revoked"


def test_a_link_code_goes_with_the_key() -> None:
    world = World()
    duck = world.own("duck")
    duck.do(m.Key("link"))
    assert world.chat.links
    duck.do(m.Key("add", key="ed25519:two", signature="s")).do(m.Key("revoke", key="ed25519:two"))
    assert not world.chat.links
    assert duck.hung_up == ""


def test_new_logins_of_an_address_wait() -> None:
    world = World(SLOW)
    assert [stranger(world, f"g{n}").told(m.Welcome) != [] for n in range(2)] == [True, True]
    third = stranger(world, "g2")
    refused = third.only(m.Refused)
    assert (refused.code, refused.after, refused.fatal) == ("too_fast", 1.0, False)
    assert stranger(world, "other", "192.0.2.2").told(m.Welcome)
    assert world.enter("here").told(m.Welcome)  # this machine's own people are not counted
    world.now += 1.0
    assert third.do(m.Hello("g2", device="dev-g2")).told(m.Welcome)


def test_a_claim_counts_as_a_new_login() -> None:
    world = World(SLOW)
    for n in range(3):
        peer = world.connect(local=False, address="192.0.2.1")
        peer.do(m.Hello(f"d{n}", device=f"dev{n}", key="ed25519:k", claim=True)).do(m.Proof("s"))
    assert peer.codes == ["too_fast"]
    late = world.connect("irc", local=False, address="192.0.2.1").do(m.Password("", account="duck", new="quack"))
    assert late.codes == ["too_fast"]


def test_no_limit_is_no_limit() -> None:
    world = World(Limits(logins_per_minute=0, login_burst=1))
    assert all(stranger(world, f"g{n}").told(m.Welcome) for n in range(5))


def test_only_so_many_addresses_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "ADDRESSES", 2)
    world = World(SLOW)
    for n in range(5):
        stranger(world, f"g{n}", f"192.0.2.{n}")
    assert len(world.chat.newcomers._logins) == 2


def test_a_neighbourhood_of_ipv6_is_one_address() -> None:
    world = World(SLOW)
    told = [stranger(world, f"g{n}", f"2001:db8::{n}").codes for n in range(3)]
    assert told == [[], [], ["too_fast"]]


def test_nearly_a_token_is_none() -> None:
    bucket = Bucket()
    assert bucket.take(0.0, 1.0, 1) == 0
    assert bucket.take(0.9999, 1.0, 1) == 0.001 == wait_of(1e-9, 1.0)
    assert bucket.take(1.0, 1.0, 1) == 0
