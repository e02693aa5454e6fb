"""Being somebody one is not."""

from __future__ import annotations

import pytest

from support.intruder import ask, hello, irc, own, refused, seed, signed, talk
from support.rawpeer import Peer
from tcpchat.core import model as m
from tcpchat.server import Server
from tcpchat.trust.keys import Key


async def test_a_claimed_login_is_not_for_others(server: Server) -> None:
    await own(server.port, "duck")
    peer, first = await hello(server.port, "duck")
    assert first["t"] == "challenge"
    stranger = Key.make()
    peer, challenge = await hello(server.port, "duck", key=stranger.public, claim=True)
    peer.send("proof", **signed(stranger, challenge, "duck"))
    assert (await peer.read())["code"] == "wrong_proof"


async def test_a_claimed_login_is_not_for_others_at_other_doors(server: Server) -> None:
    await own(server.port, "duck")
    assert b"BYE" in await talk(server.port, seed("HI", "duck"))
    async with irc(server.port, "duck") as client:
        assert not any(" 001 " in line for line in await client.until("001", "433", "ERROR", "904"))
    user = server.chat.state.find("duck")
    assert user is not None
    assert len(user.sessions) == 1


async def test_what_is_sent_before_the_proof_is_never_said(server: Server) -> None:
    owner, _ = await own(server.port, "duck")
    stranger = Key.make()
    peer, challenge = await hello(server.port, "duck", key=stranger.public)
    peer.send("say", to="#all", text="forged", n=1)
    for _ in range(3):
        peer.send("proof", **signed(stranger, challenge, "duck"))
    assert b"forged" not in await peer.rest()
    page = await ask(owner, "history", to="#all")
    assert "messages" not in page or not page["messages"]


async def test_a_proof_is_not_taken_twice(server: Server) -> None:
    key = Key.make()
    peer, challenge = await hello(server.port, "duck", key=key.public, claim=True)
    proof = signed(key, challenge, "duck")
    peer.send("proof", **proof)
    await peer.until("welcome")
    other, second = await hello(server.port, "duck", key=key.public)
    assert second["nonce"] != challenge["nonce"]
    other.send("proof", **proof)
    assert (await other.read())["code"] == "wrong_proof"


async def test_a_proof_is_for_one_login_only(server: Server) -> None:
    _, key = await own(server.port, "duck")
    await own(server.port, "goose")
    peer, challenge = await hello(server.port, "goose", key=key.public)
    peer.send("proof", **signed(key, challenge, "duck"))
    assert (await peer.read())["code"] == "wrong_proof"
    peer.send("proof", **signed(key, challenge, "goose"))
    assert (await peer.read())["code"] == "wrong_proof"


async def test_a_revoked_key_opens_nothing(server: Server) -> None:
    owner, old = await own(server.port, "duck")
    new = Key.make()
    nonce_peer, challenge = await hello(server.port, "duck", key=old.public)
    nonce_peer.send("proof", **signed(old, challenge, "duck"))
    await nonce_peer.until("welcome")
    added = await ask(nonce_peer, "key", do="add", **signed(new, challenge, "duck"))
    assert added["t"] == "done", added
    late, asked = await hello(server.port, "duck", key=old.public)  # challenged before the key is revoked
    assert (await ask(nonce_peer, "key", do="revoke", key=old.public))["t"] == "done"
    late.send("proof", **signed(old, asked, "duck"))
    assert (await late.read())["code"] == "wrong_proof"
    again, asked = await hello(server.port, "duck", key=old.public)
    again.send("proof", **signed(old, asked, "duck"))
    assert (await again.read())["code"] == "wrong_proof"
    await own(server.port, "duck", new)
    assert owner.welcome["claimed"]


@pytest.mark.parametrize("name", ["Duck", "DUCK", "d_uck", "D uck", "d\u00fcck", "dυck", "duсk", "ｄｕｃｋ", "Ԁuck"])
async def test_names_that_look_alike_are_one_name(server: Server, name: str) -> None:
    await own(server.port, "d uck" if "_" in name or " " in name else "duck")
    _, first = await hello(server.port, name)
    assert first["t"] == "challenge" or first["code"] in ("in_use", "claimed"), first
    key = Key.make()
    _, first = await hello(server.port, name, key=key.public, claim=True)
    assert first["t"] == "challenge" or first["code"] in ("in_use", "claimed"), first
    guest = await Peer.enter(server.port, "goose")
    assert await refused(guest, "rename", to=name) in ("claimed", "in_use", "bad_name")


async def test_a_guest_does_not_get_what_another_guest_was_sent(server: Server) -> None:
    first = await Peer.enter(server.port, "duck", device="one")
    friend = await Peer.enter(server.port, "goose")
    await friend.say("@duck", "for the first duck", 1)
    await first.until("message")
    first.send("bye")
    await first.rest()
    second = await Peer.enter(server.port, "duck", device="two", after=0)
    assert not [event for event in await second.sync() if event["t"] == "message"]
    assert not (await ask(second, "history", to="@goose")).get("messages")
    assert not (await ask(second, "search", words="first duck")).get("messages")


async def test_wrong_passwords_are_slowed_down(server: Server) -> None:
    await own(server.port, "alice")  # owns the place, and would never wait on this machine
    duck, _ = await own(server.port, "duck")
    assert (await ask(duck, "password", password="", new="correct horse"))["t"] == "done"
    codes = []
    for number in range(8):
        peer, _ = await hello(server.port, "duck")
        peer.send("password", password=f"guess {number}")
        event = await peer.read()
        codes.append(event["code"])
        if event["code"] == "too_fast":
            assert event["after"] > 0
    assert "too_fast" in codes
    assert set(codes) <= {"wrong_password", "too_fast"}


async def test_the_operators_secret_is_the_one_of_this_run_and_machine(server: Server) -> None:
    assert server.data is not None
    host, port, secret = (server.data / "admin.secret").read_text().split()
    assert (host, int(port)) == ("127.0.0.1", server.port)
    for guess in ("", secret[:-1], secret + "x", secret.swapcase()):
        _, first = await hello(server.port, "", token="admin:" + guess)
        assert first["code"] == "not_allowed"
    peer, first = await hello(server.port, "", token="admin:" + secret)
    assert first["t"] == "done"
    assert await refused(peer, "say", to="#all", text="hi") == "hello_first"
    guest = await Peer.enter(server.port, "duck")
    assert [one["login"] for one in (await ask(guest, "who"))["people"]] == ["duck"]
    far = server.chat.open(0.0, nonce="n", device="d", door="native", dialect="native", local=False)
    (answer, *_) = server.chat.receive(far, m.Hello("", token="admin:" + secret), 0.0)
    assert isinstance(answer, m.Tell)
    assert isinstance(answer.event, m.Refused)
    server.chat.close(far, 0.0)


async def test_nobody_is_an_operator_by_asking(server: Server) -> None:
    await own(server.port, "alice")
    member, _ = await own(server.port, "duck")
    guest = await Peer.enter(server.port, "goose")
    for peer in (member, guest):
        assert await refused(peer, "admin", do="role", args={"login": "duck", "role": "owner"}) == "not_allowed"
        assert await refused(peer, "admin", do="log") == "not_allowed"
        assert await refused(peer, "admin", do="oper") in ("bad_command", "not_allowed")
        assert await refused(peer, "kick", room="", login="alice") == "not_allowed"
