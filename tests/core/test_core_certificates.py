"""Certificates as keys of a login, and what a login shows when it comes back."""

from __future__ import annotations

from support.coreworld import Peer, World
from tcpchat.core import certificates
from tcpchat.core import model as m
from tcpchat.core.rules import IRC_PREFERENCE

MINE, OTHER = "ab" * 32, "cd" * 32
KEY = certificates.PREFIX + MINE


def owner(world: World, fingerprint: str = MINE) -> Peer:
    duck = world.own("duck")
    duck.do(m.Key("add", certificates.PREFIX + fingerprint))
    return duck


def test_fingerprints_as_tools_print_them() -> None:
    colons = ":".join(MINE[at : at + 2] for at in range(0, 64, 2)).upper()
    assert {certificates.key_of(text) for text in (MINE, KEY, colons, f" {MINE} ")} == {KEY}
    assert [certificates.key_of(text) for text in ("", "ab", MINE[:-1], MINE + "0", "g" * 64)] == [""] * 5


def test_added_listed_and_revoked() -> None:
    world = World()
    duck = owner(world)
    assert duck.ask(m.Key("list"), m.Done).data["keys"] == {"ed25519:duck": "", KEY: ""}
    assert duck.refused(m.Key("add", "x509:short")) == "bad_command"
    peer = world.connect(certfp=MINE)
    peer.do(m.Hello("duck", device="other"))
    assert peer.only(m.Welcome).login == "duck"
    duck.do(m.Key("revoke", KEY))
    assert peer.hung_up == "revoked"
    world.connect(certfp=MINE).do(m.Hello("duck")).only(m.Challenge)
    assert certificates.PREFIX not in str(world.again().state.users[1].keys)


def test_it_lasts() -> None:
    for snapshot in (True, False):
        world = World()
        owner(world)
        world.restart(snapshot)
        assert world.connect(certfp=MINE).ask(m.External(ref=7), m.Done).data == {"account": "duck"}


def test_guests_have_none() -> None:
    assert World().enter("goose").refused(m.Key("add", KEY)) == "guest"


def test_who_has_only_certificates_is_asked_for_no_signature() -> None:
    world = World()
    duck = world.enter("duck")
    duck.do(m.Password("", new="sesame"))
    duck.do(m.Key("add", KEY))
    assert world.connect().ask(m.Hello("duck"), m.Challenge).methods == ("password",)


def test_external_before_the_hello_and_after() -> None:
    world = World()
    owner(world).close()
    early = world.connect("irc", certfp=MINE)
    assert early.ask(m.External(account="duck", ref=1), m.Done).data["account"] == "duck"
    early.do(m.Hello("goose", account="duck"))
    assert early.only(m.Welcome).account == "duck"
    late = world.connect("irc", certfp=MINE)
    late.do(m.Hello("swan"))
    assert late.ask(m.External(ref=2), m.Done).data["account"] == "duck"
    assert late.ask(m.External(ref=3), m.Done).data["account"] == "duck"


def test_external_refused() -> None:
    world = World()
    owner(world)
    assert world.connect().refused(m.External()) == "wrong_proof"
    assert world.connect(certfp=OTHER).refused(m.External()) == "wrong_proof"
    assert world.connect(certfp=MINE).refused(m.External(account="nobody")) == "wrong_proof"
    guesser = world.connect(certfp="ef" * 32)
    for _ in range(3):
        guesser.do(m.External())
    assert guesser.hung_up == "wrong_proof"


def test_external_of_the_banned() -> None:
    world = World()
    duck = owner(world)
    goose = world.own("goose")
    goose.do(m.Key("add", certificates.PREFIX + OTHER))
    duck.do(m.Admin("ban", {"login": "goose"}))
    assert world.connect(certfp=OTHER).refused(m.External()) == "banned"


def test_external_while_something_else_is_decided() -> None:
    world = World()
    owner(world).close()
    peer = world.connect(certfp=MINE)
    peer.do(m.Hello("goose"), commit=False)  # on its way to the log
    peer.do(m.External(), commit=False)
    assert peer.codes == ["too_many_pending"]


def test_one_certificate_of_two_logins() -> None:
    world = World()
    owner(world)
    thief = world.own("thief")
    thief.do(m.Key("add", KEY))
    assert world.connect(certfp=MINE).refused(m.External()) == "wrong_proof"
    for name in ("duck", "thief"):
        assert world.connect(certfp=MINE).ask(m.External(account=name), m.Done).data["account"] == name


# -- who comes back --------------------------------------------------------------------------------------------------


def test_ranks_are_told_to_those_who_may_know_the_room() -> None:
    world = World()
    duck = world.own("duck")
    for room in ("#pond", "#den"):
        duck.do(m.Join(room))
    duck.do(m.Mode("#den", (m.Change("secret"),)))
    inside, outside = world.enter("inside"), world.enter("outside")
    for room in ("#pond", "#den"):
        inside.do(m.Join(room))
    duck.close()
    inside.forget()
    outside.forget()
    again = world.connect()
    again.do(m.Hello("duck", device="dev-duck"))
    again.do(m.Proof("signature", "ed25519:duck"))
    assert inside.only(m.Presence).ranks == {"#pond": "op", "#den": "op"}
    assert outside.only(m.Presence).ranks == {"#pond": "op"}
    again.close()
    assert inside.told(m.Presence)[-1].ranks == {}


def test_the_host_is_that_of_the_first_irc_connection() -> None:
    world = World()
    world.own("duck").close()
    duck = world.chat.state.find("duck")
    assert duck is not None

    def come(host: str) -> Peer:
        peer = world.connect("irc")
        peer.do(m.Hello("duck", host=host))
        return peer.do(m.Proof("signature", "ed25519:duck"))

    first = come("a@one")
    second = come("b@two")
    assert duck.host == "a@one"
    first.close()
    assert duck.host == "a@one"
    second.close()
    come("c@three")
    assert duck.host == "c@three"


def test_preferences_of_others() -> None:
    world = World()
    boss, goose = world.own("boss"), world.own("goose")
    key = IRC_PREFERENCE + "badge"
    assert boss.session.staff
    boss.ask(m.Set(key, "gold", login="goose", ref=1), m.Done)
    user = world.chat.state.find("goose")
    assert user is not None
    assert user.prefs == {key: "gold"}
    assert boss.refused(m.Set("receipts", "off", login="goose")) == "not_allowed"
    assert goose.refused(m.Set(key, "tin", login="boss")) == "not_allowed"
    assert boss.refused(m.Set(key, "tin", login="nobody")) == "no_such_login"
