"""Names: who takes one that somebody else had, or means somebody else by it."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest
from intruder import ask, hello, http, own, refused

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
