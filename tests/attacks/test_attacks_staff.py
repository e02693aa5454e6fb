"""Operators and those they keep out: by every door, and not beyond what the role allows."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from websockets.asyncio.client import connect

from support.intruder import ask, hello, http, irc, own, refused, seed, signed, talk
from support.rawpeer import Peer, Start
from tcpchat.server import Server
from tcpchat.trust.keys import Key

TOKEN = "a-token-that-is-long-enough"
ELSEWHERE = "127.0.0.2"


async def rule(peer: Peer, do: str, **args: str) -> str:
    """An operator's act: "" or the code of the refusal."""
    return await refused(peer, "admin", do=do, args=args)


async def staff(server: Server) -> tuple[Peer, Peer]:
    """An owner and a moderator."""
    owner, _ = await own(server.port, "alice")
    moderator, _ = await own(server.port, "bob")
    assert await rule(owner, "role", login="bob", role="moderator") == ""
    return owner, moderator


async def irc_enters(server: Server, nick: str, *lines: str, address: str = "127.0.0.1") -> bool:
    async with irc(server.port, nick, *lines, address=address) as client:
        seen = await client.until("001", "465", "ERROR", "433", "432")
        return any(" 001 " in line for line in seen)


async def web_enters(server: Server, login: str, address: str = "127.0.0.1") -> bool:
    uri = f"ws://127.0.0.1:{server.port}/ws"
    async with connect(uri, local_addr=(address, 0), proxy=None) as page:
        await page.send(json.dumps({"t": "hello", "login": login}))
        event: dict[str, Any] = json.loads(await page.recv())
        return event["t"] == "welcome"


async def test_a_banned_login_comes_in_by_no_door(server: Server) -> None:
    owner, _ = await own(server.port, "alice")
    victim, key = await own(server.port, "goose")
    assert await rule(owner, "ban", login="goose", why="honks") == ""
    assert b"honks" in await victim.rest()
    _, first = await hello(server.port, "goose", key=key.public)
    assert first["code"] == "banned"
    assert "honks" in first["text"]
    for name in ("Goose", "g00se", "goоse", "GOOSE"):
        _, first = await hello(server.port, name, key=key.public)
        assert first["code"] == "banned", name
        assert not await irc_enters(server, "Goose")
        assert b"BYE" in await talk(server.port, seed("HI", name))
        assert not await web_enters(server, name)
    assert server.chat.state.find("goose") is not None
    guest = await Peer.enter(server.port, "swan")
    assert await refused(guest, "rename", to="g00se") != ""


async def test_a_banned_guest_login_cannot_be_taken_by_renaming(server: Server) -> None:
    owner, _ = await own(server.port, "alice")
    assert await rule(owner, "ban", login="goose") == ""
    guest = await Peer.enter(server.port, "swan")
    for name in ("goose", "Goose", "g00se"):
        assert await refused(guest, "rename", to=name) == "banned"
    async with irc(server.port, "duck") as client:
        await client.until("001")
        await client.ask("NICK goose")
    assert server.chat.state.find("goose") is None


async def test_a_banned_account_vouches_for_no_guest(server: Server) -> None:
    owner, _ = await own(server.port, "alice")
    victim, _ = await own(server.port, "goose")
    assert (await ask(victim, "password", password="", new="honk honk"))["t"] == "done"
    plain = ["CAP REQ :sasl", "AUTHENTICATE PLAIN", "AUTHENTICATE AGdvb3NlAGhvbmsgaG9uaw==", "CAP END"]
    assert await irc_enters(server, "swan", *plain)
    assert await rule(owner, "ban", login="goose") == ""
    assert not await irc_enters(server, "goose", *plain)
    async with irc(server.port, "swan", *plain) as client:
        seen = await client.until("001", "465", "ERROR", "904")
        assert not any(" 900 " in line and "goose" in line for line in seen), seen
    async with irc(server.port, "heron") as client:
        await client.until("001")
        lines = await client.ask("PRIVMSG NickServ :IDENTIFY goose honk honk")
        assert not any(" 900 " in line for line in lines), lines
    assert not any(one.account and one.account.login == "goose" for one in server.chat.sessions.values())


@pytest.mark.parametrize("network", ["127.0.0.2", "127.0.0.2/31", "127.0.0.0/30"])
async def test_a_banned_address_comes_in_by_no_door(server: Server, network: str) -> None:
    owner, _ = await own(server.port, "alice", address="127.0.0.9")
    assert (await ask(owner, "join", room="#ops"))["t"] == "done"
    await ask(owner, "admin", do="token", args={"room": "#ops", "name": "robot", "secret": TOKEN})
    victim, key = await own(server.port, "goose", address=ELSEWHERE)
    assert await rule(owner, "ban", address=network, why="noise") == ""
    await victim.rest()
    for login in ("goose", "swan"):
        _, first = await hello(server.port, login, address=ELSEWHERE, key=key.public)
        assert first["code"] == "banned"
        assert not await irc_enters(server, login, address=ELSEWHERE)
        assert b"BYE" in await talk(server.port, seed("HI", login), address=ELSEWHERE)
        assert not await web_enters(server, login, ELSEWHERE)
    for method, path in (("POST", "/ops"), ("GET", "/ops/messages")):
        assert (await http(server.port, method, f"{path}?token={TOKEN}", b"x", address=ELSEWHERE))[0] == 403
        assert (await http(server.port, method, f"{path}?token={TOKEN}", b"x", address="127.0.0.9"))[0] == 200
    assert (await hello(server.port, "swan", address="127.0.0.7"))[1]["t"] == "welcome"
    assert await rule(owner, "unban", address=network) == ""
    await own(server.port, "goose", key, address=ELSEWHERE)


async def test_who_was_waiting_while_banned_does_not_come_in(server: Server) -> None:
    owner, _ = await own(server.port, "alice")
    _, key = await own(server.port, "goose")
    late, challenge = await hello(server.port, "goose", key=key.public)
    assert await rule(owner, "ban", login="goose") == ""
    late.send("proof", **signed(key, challenge, "goose"))
    assert (await late.read())["code"] == "banned"


async def test_the_muted_write_nowhere(server: Server) -> None:
    owner, _ = await own(server.port, "alice")
    goose, key = await own(server.port, "goose")
    assert (await ask(goose, "join", room="#pond"))["t"] == "done"
    said = await goose.say("#all", "before", 1)
    assert await rule(owner, "mute", login="goose", why="later") == ""
    for kind, fields in (
        ("say", {"to": "#all", "text": "x"}), ("say", {"to": "#pond", "text": "x"}),
        ("say", {"to": "@alice", "text": "x"}),
        ("say", {"to": "#all", "text": "x", "kind": "notice"}), ("edit", {"seq": said["seq"], "text": "x"}),
        ("topic", {"room": "#pond", "text": "x"}),
    ):  # fmt: skip
        assert await refused(goose, kind, **fields) == "muted", kind
    other, _ = await own(server.port, "goose", key)
    assert await refused(other, "say", to="#all", text="x") == "muted"
    assert await rule(owner, "unmute", login="goose") == ""
    assert await refused(other, "say", to="#all", text="free") == ""


async def test_the_kicked_are_out_and_know_why(server: Server) -> None:
    owner, moderator = await staff(server)
    guest = await Peer.enter(server.port, "goose")
    assert await rule(moderator, "kick", login="goose", why="calm down") == ""
    assert b"calm down" in await guest.rest()
    assert "goose" not in str(await ask(owner, "who"))


async def test_a_moderator_is_no_owner(server: Server) -> None:
    _, moderator = await staff(server)
    await own(server.port, "carol")
    for do, args in (
        ("role", {"login": "bob", "role": "owner"}), ("role", {"login": "carol", "role": "moderator"}),
        ("role", {"login": "alice", "role": "member"}), ("delete", {"login": "carol"}),
        ("account", {"login": "alice", "secret": "mine now"}), ("account", {"login": "new", "secret": "mine now"}),
        ("ban", {"login": "alice"}), ("ban", {"login": "A1ice"}), ("ban", {"login": "аlice"}),
        ("mute", {"login": "alice"}), ("kick", {"login": "alice"}), ("delete", {"login": "alice"}),
    ):  # fmt: skip
        assert await rule(moderator, do, **args) == "not_allowed", (do, args)
    assert await refused(moderator, "kick", room="", login="alice") == "not_allowed"


async def test_a_moderator_cannot_shut_an_owner_out_by_address(server: Server) -> None:
    owner, key = await own(server.port, "alice")
    moderator, _ = await own(server.port, "bob")
    assert await rule(owner, "role", login="bob", role="moderator") == ""
    moderator.send("admin", do="ban", args={"address": "127.0.0.0/8"})
    await moderator.rest()
    await own(server.port, "alice", key)
    assert await rule(owner, "bans") == ""
    assert await rule(owner, "unban", address="127.0.0.0/8") == ""


async def test_there_is_always_an_owner(server: Server) -> None:
    owner, _ = await own(server.port, "alice")
    assert await rule(owner, "role", login="alice", role="member") == "not_allowed"
    assert await rule(owner, "delete", login="alice") == "not_allowed"


async def test_acts_stand_in_the_log_with_who_and_why(server: Server) -> None:
    owner, moderator = await staff(server)
    await Peer.enter(server.port, "goose")
    await rule(moderator, "mute", login="goose", why="first")
    await rule(moderator, "kick", login="goose", why="second\nforged line")
    await rule(owner, "ban", login="swan", seconds="3600", why="third")
    rows = (await ask(owner, "admin", do="log"))["data"]["log"]
    acts = [(row["by"], row["do"], row["login"], row["why"]) for row in rows if row["do"] not in ("claim",)]
    assert acts == [
        ("alice", "role", "bob", ""),
        ("bob", "mute", "goose", "first"),
        ("bob", "kick", "goose", "second forged line"),
        ("alice", "ban", "", "third"),
    ]


async def test_an_erased_login_leaves_no_text_in_the_file(start: Start) -> None:
    server = await start(syslog="off")
    owner, _ = await own(server.port, "alice")
    goose, _ = await own(server.port, "goose")
    await ask(goose, "join", room="#pond")
    for number, to in enumerate(("#all", "#pond", "@alice"), 1):
        await goose.say(to, f"unforgettable{number} things", number)
    said = await goose.say("#all", "unforgettable4", 4)
    assert (await ask(goose, "edit", seq=said["seq"], text="unforgettable5"))["t"] in ("done", "accepted", "amended")
    assert (await ask(owner, "search", words="unforgettable1"))["messages"]
    assert await rule(owner, "delete", login="goose", erase="on") == ""
    assert not (await ask(owner, "search", words="unforgettable1"))["messages"]
    assert "unforgettable" not in str(await ask(owner, "history", to="#all"))
    await server.stop()
    assert server.data is not None
    for path in server.data.iterdir():
        assert b"unforgettable" not in await asyncio.to_thread(path.read_bytes), path.name


async def test_a_message_taken_back_leaves_no_text_in_the_file(start: Start) -> None:
    server = await start(syslog="off")
    goose = await Peer.enter(server.port, "goose")
    said = await goose.say("#all", "unforgettable", 1)
    assert await refused(goose, "remove", seq=said["seq"]) == ""
    await server.stop()
    assert server.data is not None
    for path in server.data.iterdir():
        assert b"unforgettable" not in await asyncio.to_thread(path.read_bytes), path.name


async def test_an_invite_code_lets_one_login_in(start: Start) -> None:
    server = await start()
    owner, _ = await own(server.port, "alice")
    await server.stop()
    server = await start(invite_only_server=True, guests=False)
    assert (await hello(server.port, "goose"))[1]["code"] == "closed"
    assert server.data is not None
    secret = (server.data / "admin.secret").read_text().split()[-1]
    operator, _ = await hello(server.port, "", token="admin:" + secret)
    assert await rule(operator, "invite", code="letmein-now") == ""
    for code in ("", "letmein", "letmein-now2"):
        key = Key.make()
        assert (await hello(server.port, "goose", key=key.public, claim=True, token=code))[1]["t"] == "refused"
    keys = [Key.make(), Key.make()]
    both = [
        await hello(server.port, name, key=key.public, claim=True, token="letmein-now")
        for name, key in zip(("goose", "swan"), keys, strict=True)
    ]
    events = []
    for (peer, challenge), key, name in zip(both, keys, ("goose", "swan"), strict=True):
        peer.send("proof", **signed(key, challenge, name))
    for peer, _ in both:
        events.append(await peer.read())
    assert sorted(event["t"] for event in events) == ["refused", "welcome"]
    assert owner
