"""Who owns the place, and what is taken from whom: a stranger on the network gets no more than a login."""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64decode, b64encode, urlsafe_b64encode

import pytest

from support.coreworld import FREE, Peer, World
from tcpchat.core import model as m
from tcpchat.core import scram
from tcpchat.core.keytext import canonical
from tcpchat.core.rules import Limits

FAR = {"local": False, "address": "203.0.113.5"}


def far(world: World, login: str, secure: bool = True) -> Peer:
    """A login that is claimed from another machine."""
    peer = world.connect(secure=secure, **FAR)
    return peer.do(m.Hello(login, device=f"dev-{login}", key=f"ed25519:{login}", claim=True)).do(
        m.Proof("s", at="chat.example:6060")
    )


def role(world: World, login: str) -> str:
    user = world.chat.state.find(login)
    assert user is not None
    return user.role


@pytest.mark.parametrize("secure", [False, True])
def test_who_claims_first_from_elsewhere_owns_nothing(secure: bool) -> None:
    world = World()
    assert far(world, "stranger", secure).only(m.Welcome).role == "member"
    by_password = world.connect(secure=True, **FAR).do(m.Hello("second", device="2")).do(m.Password("", new="x"))
    by_password.do(m.Key("add", key="ed25519:2", signature="s"))
    guest = world.connect(secure=secure, **FAR).do(m.Hello("third", device="3"))
    guest.do(m.Key("claim", key="ed25519:3", signature="s"))
    irc = world.connect("irc", secure=True, **FAR)
    irc.do(m.Password("", "fourth", "x")).do(m.Hello("fourth", device="4"))
    assert [role(world, name) for name in ("stranger", "second", "third", "fourth")] == ["member"] * 4
    assert world.own("here").only(m.Welcome).role == "owner"
    assert world.own("later").only(m.Welcome).role == "member"
    assert world.again(snapshot=False).snapshot() == world.chat.snapshot()


def test_the_machine_itself_names_the_owner() -> None:
    world = World()
    far(world, "stranger")
    console = world.connect(trusted=True)
    console.do(m.Hello("console", device="c")).do(m.Admin("role", {"login": "stranger", "role": "owner"}))
    assert role(world, "stranger") == "owner"
    assert world.own("here").only(m.Welcome).role == "member"  # there is one already


def test_owners_of_an_older_version_stay_owners() -> None:
    world = World()
    world.append([m.Append(m.Claimed("first", key="ed25519:first")), m.Append(m.Claimed("next", password="$hash"))])
    for snapshot in (False, True):
        world.restart(snapshot)
        assert (role(world, "first"), role(world, "next")) == ("owner", "member")
    assert world.own("here").only(m.Welcome).role == "member"


@pytest.mark.parametrize(("given", "code"), [({"secure": False}, "insecure"), ({"secure": True}, "")])
def test_a_link_code_is_not_taken_where_others_read_along(given: dict[str, bool], code: str) -> None:
    world = World()
    shown = world.own("duck").ask(m.Key("link", ref=1), m.Done).data["code"]
    device = world.connect(**FAR, **given)
    device.do(m.Hello("duck", device="two", key="ed25519:two", token=str(shown))).do(m.Proof("s"))
    assert ([*device.codes, ""][0], bool(device.told(m.Welcome))) == (code, not code)
    assert bool(world.chat.links) is bool(code)  # it is not spent


@pytest.mark.parametrize("token", ["admin:é", "admin:\ud800", "é" * 30, "\udfff"])
def test_no_token_is_a_fault_of_ours(token: str) -> None:
    world = World()
    world.chat.admin_secret = "secret"
    assert world.connect().refused(m.Hello("", token=token)) in ("not_allowed", "bad_command")


@pytest.mark.parametrize("message", ["n,,n=\ud800,r=x", "n,,n=é,r=é", "n,,n==2C,r=\udfff"])
def test_no_message_of_scram_is_a_fault_of_ours(message: str) -> None:
    world = World()
    peer = world.connect()
    peer.do(m.Scram(message, ref=1)).do(m.Scram(f"c=biws,r=é,p={message}", ref=2))
    assert peer.codes[-1] == "wrong_password"


@pytest.mark.parametrize("door", ["native", "http"])
def test_who_listens_is_shown(door: str) -> None:
    world = World()
    watcher = world.enter("watcher").forget()
    ghost = world.connect(door).do(m.Hello("ghost", device="g", quiet=True, after=0))
    assert [event.login for event in watcher.told(m.Presence)] == ["ghost"]
    assert "ghost" in [person.login for person in watcher.ask(m.Who(), m.People).people]
    watcher.do(m.Say("#all", "are we alone?"))
    assert ghost.texts == ["are we alone?"]


def test_who_is_not_shown_hears_nothing() -> None:
    world = World()
    watcher = world.enter("watcher").forget()
    quiet = world.connect().do(m.Hello("quiet", device="q", quiet=True))
    quiet.do(m.Join("#room"))
    world.enter("other").do(m.Join("#room")).do(m.Say("#room", "in the room"))
    watcher.do(m.Say("#all", "to all"))
    assert quiet.texts == []
    assert not [event for event in watcher.told(m.Presence) if event.login == "quiet"]


# -- keys ------------------------------------------------------------------------------------------------------------


RAW = bytes(range(3, 35))


def spellings(raw: bytes) -> list[str]:
    text = urlsafe_b64encode(raw).decode()
    last = text.rstrip("=")
    return [text, last, b64encode(raw).decode(), last[:20] + "!\n" + last[20:], last[:-1] + chr(ord(last[-1]) + 1)]


def test_one_key_has_one_spelling() -> None:
    found = {canonical(f"ed25519:{text}") for text in spellings(RAW)}
    assert found == {"ed25519:" + urlsafe_b64encode(RAW).decode().rstrip("=")}
    assert canonical("ed25519:short") == "ed25519:short"
    assert canonical("x509:" + "0" * 64) == "x509:" + "0" * 64
    assert canonical("ed25519:é") == "ed25519:é"


def test_a_key_that_an_older_version_kept_in_another_spelling_opens_and_is_revoked() -> None:
    world = World()
    padded = f"ed25519:{urlsafe_b64encode(RAW).decode()}"
    world.append([m.Append(m.Claimed("duck", key=padded, label="old")), m.Append(m.KeyAdded(1, "ed25519:b"))])
    for snapshot in (False, True):
        world.restart(snapshot)
        peer = world.connect().do(m.Hello("duck", device="d", key=padded)).do(m.Proof("s"))
        assert peer.ask(m.Key("list"), m.Done).data["keys"] == {canonical(padded): "old", "ed25519:b": ""}
    peer.do(m.Key("revoke", key=padded))
    user = world.chat.state.find("duck")
    assert user is not None
    assert list(user.keys) == ["ed25519:b"]
    assert peer.hung_up == "revoked"


# -- SCRAM -----------------------------------------------------------------------------------------------------------


def salt(world: World, login: str) -> bytes:
    message = world.connect().ask(m.Scram(f"n,,n={login},r=abc", ref=1), m.Done).data["message"]
    assert isinstance(message, str)
    words = dict(part.split("=", 1) for part in message.split(","))
    assert words["i"] == str(scram.ITERATIONS)
    return b64decode(words["s"])


def test_the_salt_of_nobody_is_for_the_server_to_know() -> None:
    world, other = World(), World()
    world.chat.salt, other.chat.salt = b"one", b"two"
    assert salt(world, "nobody") == salt(world, "NOBODY") == hmac.digest(b"one", b"nobody", hashlib.sha256)[:16]
    assert len({salt(world, "nobody"), salt(world, "noone"), salt(other, "nobody")}) == 3


def quack(world: World, verifier: str) -> Peer:
    """A login that comes in by its password, which an older version has kept."""
    world.append([m.Append(m.Claimed("duck", password=f"$argon{verifier}"))])
    first = world.connect().do(m.Hello("duck", device="first")).do(m.Password("quack"))
    assert first.told(m.Welcome)
    return world.connect().do(m.Hello("duck", device="d")).do(m.Password("quack"))


@pytest.mark.parametrize("before", ["", " " + scram.verifier("quack", b"salt" * 4, 4_096)])
def test_a_verifier_of_an_older_version_is_raised_at_the_next_login(before: str) -> None:
    world = World()
    raised = "$argon " + scram.verifier("quack", b"pepper" * 3)
    world.answer["raise"] = raised
    peer = quack(world, before)
    assert peer.told(m.Welcome)
    user = world.chat.state.find("duck")
    assert user is not None
    assert (user.password, len(user.sessions)) == (raised, 2)  # nobody is locked out by it
    world.answer["raise"] = "not asked for again"
    world.connect().do(m.Hello("duck", device="again")).do(m.Password("quack"))
    assert user.password == raised
    assert world.again(snapshot=False).snapshot() == world.chat.snapshot()


def test_a_key_that_is_added_while_the_verifier_is_raised_is_kept() -> None:
    world = World()
    world.append([m.Append(m.Claimed("duck", password="$argon"))])
    world.answer["raise"] = "$argon " + scram.verifier("quack", b"pepper" * 3)
    peer = world.connect().do(m.Hello("duck", device="d")).do(m.Password("quack"), commit=False)
    world.run(world.chat.checked(world.checks.pop(0), "ok", world.now))
    (raising,) = world.checks
    world.checks.clear()
    world.run(world.chat.checked(raising, world.answer["raise"], world.now))
    peer.do(m.Key("add", key="ed25519:mine", signature="s"))
    user = world.chat.state.find("duck")
    assert user is not None
    assert "ed25519:mine" in user.keys


def test_an_overloaded_server_raises_it_another_time() -> None:
    world = World()
    world.append([m.Append(m.Claimed("duck", password="$argon"))])
    peer = world.connect().do(m.Hello("duck", device="d")).do(m.Password("quack"), commit=False)
    world.run(world.chat.checked(world.checks.pop(0), "ok", world.now))
    world.run(world.chat.overloaded(world.checks.pop(0)))
    assert (peer.codes, len(peer.told(m.Welcome))) == ([], 1)


def test_without_scram_nothing_is_kept_for_it() -> None:
    world = World(Limits(messages_per_second=0, scram=False))
    world.answer["lower"] = "$argon"
    assert FREE.scram
    assert world.connect().refused(m.Scram("n,,n=duck,r=abc")) == "unsupported"
    quack(world, " " + scram.verifier("quack", b"salt" * 4))
    user = world.chat.state.find("duck")
    assert user is not None
    assert user.password == "$argon"
    world.enter("goose").do(m.Password("", new="honk"))
    goose = world.chat.state.find("goose")
    assert goose is not None
    assert goose.password == "$argon"
