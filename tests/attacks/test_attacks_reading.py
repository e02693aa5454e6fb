"""Reading what is not for one, changing what is another's, and words that try to be commands of a database."""

from __future__ import annotations

import asyncio

import pytest

from support.intruder import ask, http, irc, own, refused, texts
from support.rawpeer import PATIENCE, Peer
from tcpchat.server import Server

TOKEN = "a-token-that-is-long-enough"


async def secret_room(server: Server) -> tuple[Peer, int]:
    """A room that is by invitation only and shown to nobody, with one message."""
    member, _ = await own(server.port, "alice")
    assert (await ask(member, "join", room="#crypt", invite_only=True))["t"] == "done"
    changes = [{"name": "secret"}, {"name": "invite_only"}]
    assert (await ask(member, "mode", room="#crypt", changes=changes))["t"] == "done"
    assert (await ask(member, "topic", room="#crypt", text="hidden topic"))["t"] == "done"
    said = await ask(member, "say", to="#crypt", text="hidden words")
    return member, int(said["seq"])


async def test_a_room_one_is_not_in_cannot_be_read(server: Server) -> None:
    member, seq = await secret_room(server)
    spy = await Peer.enter(server.port, "spy", after=0)
    assert await refused(spy, "history", to="#crypt") == "no_such_room"
    assert await refused(spy, "history", to="#crypt", around=seq, events=True) == "no_such_room"
    assert await refused(spy, "search", words="hidden", to="#crypt") == "not_member"
    assert not (await ask(spy, "search", words="hidden"))["messages"]
    assert not (await ask(spy, "search", words="", by="alice"))["messages"]
    assert await refused(spy, "receipts", seq=seq) == "no_such_message"
    assert await refused(spy, "who", to="#crypt") == "no_such_room"
    assert await refused(spy, "say", to="#crypt", text="x") == "no_such_room"
    assert await refused(spy, "topic", room="#crypt", text="x") == "no_such_room"
    assert await refused(spy, "invite", room="#crypt", login="spy") == "no_such_room"
    assert await refused(spy, "mode", room="#crypt", changes=[{"name": "op", "arg": "spy"}]) == "no_such_room"
    assert await refused(spy, "join", room="#crypt") == "invite_only"
    assert await refused(spy, "read", to="#crypt", seq=seq) != "internal"
    shown = str(
        [await ask(spy, "rooms", all=True), await ask(spy, "rooms", to="#crypt"), await ask(spy, "who", all=True)]
    )
    assert "hidden" not in shown
    assert "#crypt" not in shown
    await member.say("#crypt", "still hidden", 1)
    assert "hidden" not in str(await spy.sync())


async def test_a_secret_room_is_secret_on_irc_too(server: Server) -> None:
    await secret_room(server)
    async with irc(server.port, "spy", "CAP REQ :draft/chathistory batch") as client:
        client.send("CAP END")
        await client.until("001")
        lines = await client.ask(
            "LIST", "NAMES #crypt", "WHO #crypt", "WHOIS alice", "TOPIC #crypt", "MODE #crypt", "JOIN #crypt",
            "CHATHISTORY LATEST #crypt * 50", "SEARCH text=hidden", "PRIVMSG #crypt :x",
        )  # fmt: skip
        assert not any("hidden" in line for line in lines), lines
        assert not any("alice" in line and "#crypt" in line for line in lines), lines


async def test_who_was_put_out_reads_no_further(server: Server) -> None:
    owner, _ = await own(server.port, "alice")
    await ask(owner, "join", room="#pond")
    duck = await Peer.enter(server.port, "duck", device="d")
    await ask(duck, "join", room="#pond")
    assert (await ask(owner, "kick", room="#pond", login="duck"))["t"] == "done"
    await owner.say("#pond", "now we can talk", 1)
    assert "now we can talk" not in str(await duck.sync())
    assert await refused(duck, "history", to="#pond") == "not_member"
    again = await Peer.enter(server.port, "duck", device="d", after=0)
    assert "now we can talk" not in str(await again.sync())


async def test_direct_messages_are_between_two(server: Server) -> None:
    a = await Peer.enter(server.port, "alice")
    await Peer.enter(server.port, "bob")
    said = await a.say("@bob", "between us", 1)
    spy = await Peer.enter(server.port, "spy", after=0)
    for to in ("@alice", "@bob"):
        assert not (await ask(spy, "history", to=to)).get("messages")
        assert not (await ask(spy, "search", words="between", to=to)).get("messages")
    assert await refused(spy, "receipts", seq=said["seq"]) == "no_such_message"
    assert await refused(spy, "remove", seq=said["seq"]) == "no_such_message"
    assert "between us" not in str(await spy.sync())


async def test_typing_in_a_room_one_is_not_in_is_not_heard(server: Server) -> None:
    member, _ = await secret_room(server)
    spy = await Peer.enter(server.port, "spy")
    spy.send("typing", to="#crypt")
    await spy.sync()
    assert not [event for event in await member.sync() if event["t"] == "typingnotice"]


async def test_messages_of_others_are_theirs(server: Server) -> None:
    duck, goose = await Peer.enter(server.port, "duck"), await Peer.enter(server.port, "goose")
    said = await duck.say("#all", "my words", 1)
    assert await refused(goose, "edit", seq=said["seq"], text="forged") == "not_allowed"
    assert await refused(goose, "remove", seq=said["seq"]) == "not_allowed"
    assert await refused(goose, "edit", seq=10**9, text="forged") == "no_such_message"
    page = await ask(goose, "history", to="#all")
    assert [(one["by"], one["text"]) for one in page["messages"]] == [("duck", "my words")]


async def test_a_room_token_opens_its_room_only(server: Server) -> None:
    member, _ = await secret_room(server)
    await ask(member, "join", room="#ops")
    await member.say("#ops", "for all of ops", 1)
    args = {"room": "#ops", "name": "robot", "secret": TOKEN}
    assert (await ask(member, "admin", do="token", args=args))["t"] == "done"
    status, body = await http(server.port, "GET", f"/ops/messages?token={TOKEN}")
    assert status == 200
    assert b"for all of ops" in body
    for room in ("crypt", "all", "alice", "@alice", "%40alice"):
        for path in (f"/{room}/messages", f"/{room}/messages?after=0"):
            join = "&" if "?" in path else "?"
            status, body = await http(server.port, "GET", f"{path}{join}token={TOKEN}")
            assert status in (400, 403, 404), (room, status, body)
            assert b"hidden" not in body
        status, _ = await http(server.port, "POST", f"/{room}?token={TOKEN}", b"x")
        assert status in (400, 403, 404), (room, status)
    assert (await http(server.port, "GET", f"/ops/messages?token={TOKEN}x"))[0] in (401, 403)


async def test_a_stream_of_a_token_hears_its_room_only(server: Server) -> None:
    member, _ = await secret_room(server)
    await ask(member, "join", room="#ops")
    await ask(member, "admin", do="token", args={"room": "#ops", "name": "robot", "secret": TOKEN})
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(f"GET /crypt/stream?token={TOKEN} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    await asyncio.wait_for(reader.readuntil(b"connected"), PATIENCE)
    await member.say("#crypt", "hidden again", 1)
    await member.say("#all", "in the hall", 2)
    await member.say("@robot/ops", "hidden from it", 3)
    other, other_writer = await asyncio.open_connection("127.0.0.1", server.port)
    other_writer.write(f"GET /ops/stream?token={TOKEN} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    await asyncio.wait_for(other.readuntil(b"connected"), PATIENCE)
    await member.say("#ops", "last word", 4)
    assert b"hidden" not in await asyncio.wait_for(other.readuntil(b"last word"), PATIENCE)
    for one in (writer, other_writer):
        one.close()
        await one.wait_closed()
    assert b"hidden" not in await reader.read()


WORDS = [
    "' OR 1=1 --", '" OR "1"="1', "hidden*", "text:hidden", "NEAR(hidden words)", "hidden OR spy", "NOT spy", "{a b}:x",
    "\"", "*", "(", ")", "AND", "^hidden", "a\x00b", "%", "_", "'; DROP TABLE entries; --", "-hidden", "rowid:1", "\\",
]  # fmt: skip


@pytest.mark.parametrize("words", WORDS)
async def test_search_words_are_words(server: Server, words: str) -> None:
    await secret_room(server)
    spy = await Peer.enter(server.port, "spy")
    await spy.say("#all", "spy was here", 1)
    for fields in (
        {"words": words},
        {"words": words, "by": "alice"},
        {"words": words, "by": words},
        {"words": words, "to": words},
    ):
        answer = await ask(spy, "search", **fields)
        assert answer["t"] in ("page", "refused"), answer
        assert answer.get("code") != "internal"
        assert "hidden" not in str(answer.get("messages"))
    assert (await ask(spy, "history", to=words))["t"] == "refused"
    assert texts((await ask(spy, "history", to="#all"))["messages"]) == ["spy was here"]


async def test_numbers_beyond_all_bounds_are_answered(server: Server) -> None:
    spy = await Peer.enter(server.port, "spy")
    await spy.say("#all", "one", 1)
    for number in (-1, -(2**53) + 1, 2**53 - 1, 2**63, 2**70):
        await spy.sync()  # a peer that makes no sense many times in a row is hung up
        for name in ("before", "after", "around", "at", "until", "limit"):
            assert await refused(spy, "history", to="#all", **{name: number}) in ("", "bad_command")
        for name in ("since", "until", "before", "limit"):
            assert await refused(spy, "search", words="one", **{name: number}) in ("", "bad_command")
        await spy.sync()
        for kind in ("receipts", "remove"):
            assert await refused(spy, kind, seq=number) in ("no_such_message", "bad_command")
        spy.send("confirm", seq=number)
        assert await refused(spy, "read", to="#all", seq=number) != "internal"
    assert (await ask(spy, "say", to="#all", text="two", n=2))["t"] == "accepted"
