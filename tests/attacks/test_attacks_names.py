"""Names: who takes one that somebody else had, or means somebody else by it."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest

from support.intruder import ask, hello, http, irc, own, refused
from tcpchat.core import model as m
from tcpchat.server import Server

TOKEN = "a-token-that-is-long-enough"


def scram_final(first: str, challenge: str, password: str) -> str:
    """The last message of a SCRAM client (RFC 5802)."""
    words = dict(part.split("=", 1) for part in challenge.split(","))
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(words["s"]), int(words["i"]))
    key = hmac.new(salted, b"Client Key", hashlib.sha256).digest()
    bare = f"c=biws,r={words['r']}"
    signature = hmac.new(hashlib.sha256(key).digest(), f"{first},{challenge},{bare}".encode(), hashlib.sha256).digest()
    proof = base64.b64encode(bytes(a ^ b for a, b in zip(key, signature, strict=True))).decode()
    return f"{bare},p={proof}"


@pytest.mark.parametrize("how", ["rename", "delete"])
async def test_a_scram_login_begun_before_the_name_changed_hands(server: Server, how: str) -> None:
    boss, _ = await hello(server.port, "boss")
    await ask(boss, "password", password="", new="the first one is the owner")
    old, _ = await hello(server.port, "duck")
    await ask(old, "password", password="", new="old password")
    thief, _ = await hello(server.port, "thief")
    first = "n=duck,r=0123456789"
    challenge = (await ask(thief, "scram", message=f"n,,{first}"))["data"]["message"]
    if how == "rename":
        assert await refused(old, "rename", to="drake") == ""
    else:
        assert await refused(boss, "admin", do="delete", args={"login": "duck"}) == ""
    new, first_told = await hello(server.port, "duck", device="another")
    assert first_told["t"] == "welcome"
    assert (await ask(new, "password", password="", new="a quite other one"))["t"] == "done"
    assert await refused(thief, "scram", message=scram_final(first, challenge, "old password")) == "wrong_password"


async def test_tokens_are_their_rooms(server: Server) -> None:
    """Who is operator of any room ends no token of another one, posts under nobody's name, and claims no login."""
    alice, _ = await own(server.port, "alice")
    evil, _ = await own(server.port, "evil")
    guest, _ = await hello(server.port, "guest")
    for peer, room in ((alice, "#ops"), (evil, "#mine"), (guest, "#guests")):
        await ask(peer, "join", room=room)
    args = {"room": "#ops", "name": "monitor", "secret": TOKEN}
    assert await refused(alice, "admin", do="token", args=args) == ""
    (start,) = (await ask(alice, "admin", do="tokens", args={"room": "#ops"}))["data"]["tokens"]
    for room in ("#mine", "#ops", ""):
        assert await refused(evil, "admin", do="token_revoke", args={"room": room, "token": start}) != ""
    for room, name in (("#mine", "monitor"), ("#mine", "alice")):
        args = {"room": room, "name": name, "secret": name + TOKEN}
        assert await refused(evil, "admin", do="token", args=args) == ""
        assert (await http(server.port, "POST", f"/mine?token={name + TOKEN}", b"forged"))[0] == 200
        assert (await evil.until("message", text="forged", by=f"{name}/mine"))["to"] == "#mine"
    assert (await http(server.port, "POST", f"/ops?token={TOKEN}", b"well"))[0] == 200
    args = {"room": "#guests", "name": "colleague", "secret": "g" + TOKEN}
    assert await refused(guest, "admin", do="token", args=args) == "guest"
    assert (await own(server.port, "colleague"))[0].welcome["login"] == "colleague"


def far(server: Server, login: str, **hello: object) -> list[m.AnyEffect]:
    """What is done when a stranger on the network says hello in plain: on the loopback everybody is this machine."""
    session = server.chat.open(
        0.0, nonce="n", device="d", door="native", dialect="native", local=False, address="203.0.113.5"
    )
    return server.chat.receive(session, m.Hello(login, **hello), 0.0)  # type: ignore[arg-type]


async def test_a_stranger_who_comes_first_owns_nothing(server: Server) -> None:
    (challenge,) = far(server, "stranger", key="ed25519:b", claim=True)
    assert isinstance(challenge, m.Tell)
    session = challenge.session
    (check,) = server.chat.receive(session, m.Proof("s", at="chat.example:6060"), 0.0)
    assert isinstance(check, m.Check)
    (claim, *_) = server.chat.checked(check, "ok", 0.0)
    assert isinstance(claim, m.Append)
    assert isinstance(claim.fact, m.Claimed)
    assert claim.fact.role == "member"
    assert (await own(server.port, "here"))[0].welcome["role"] == "owner"


async def test_a_link_code_in_plain_from_elsewhere(server: Server) -> None:
    peer, _ = await own(server.port, "alice")
    code = (await ask(peer, "key", do="link"))["data"]["code"]
    (refusal, *_) = far(server, "alice", key="ed25519:b", token=code)
    assert isinstance(refusal, m.Tell)
    assert isinstance(refusal.event, m.Refused)
    assert refusal.event.code == "insecure"
    assert (await hello(server.port, "alice", key="ed25519:b", token=code))[1]["t"] == "challenge"


async def test_nobody_listens_unseen(server: Server) -> None:
    alice, _ = await own(server.port, "alice")
    ghost, _ = await hello(server.port, "ghost", quiet=True, after=0)
    assert "ghost" in [one["login"] for one in (await ask(alice, "who"))["people"]]
    silent, _ = await hello(server.port, "silent", quiet=True)
    await ask(alice, "say", to="#all", text="are we alone?")
    assert not [one for one in await silent.sync() if one["t"] == "message"]
    await ghost.until("message", text="are we alone?")


async def test_a_key_of_small_order_claims_nothing(server: Server) -> None:
    """With the neutral point as key, R = that point and S = 0 sign every text."""
    neutral = base64.urlsafe_b64encode(bytes([1]) + bytes(31)).decode().rstrip("=")
    signature = base64.urlsafe_b64encode(bytes([1]) + bytes(63)).decode().rstrip("=")
    thief, challenge = await hello(server.port, "duck", key="ed25519:" + neutral, claim=True)
    assert challenge["t"] == "challenge"
    thief.send("proof", signature=signature, key="ed25519:" + neutral)
    assert (await thief.until("refused"))["code"] == "wrong_proof"


@pytest.mark.parametrize(
    "name", ["NickServ", "N1ckServ", "tcpchat", "the server's machine", "admin", "аdmin", "owner."]
)
async def test_nobody_is_called_as_the_server_is(server: Server, name: str) -> None:
    await own(server.port, "keeper")
    guest, _ = await hello(server.port, "guest")
    assert (await hello(server.port, name))[1]["code"] == "bad_name"
    assert await refused(guest, "rename", to=name) == "bad_name"
    async with irc(server.port, name.replace(" ", "_")) as client:
        assert (await client.until("432", "433", "001"))[-1].split()[1] in ("432", "433")
