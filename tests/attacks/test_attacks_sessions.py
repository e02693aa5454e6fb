"""Who is in already, and what stands in the files: keys taken back, proxies in between, words to be forgotten."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from support.intruder import ask, hello, http, irc, own, refused, signed, talk
from support.rawpeer import Peer, Start
from tcpchat.server import Server
from tcpchat.trust.keys import Key

TOKEN = "a-token-that-is-long-enough"
PLAIN = ("CAP REQ :sasl", "AUTHENTICATE PLAIN", "AUTHENTICATE AGdvb3NlAGhvbmsgaG9uaw==", "CAP END")


async def act(peer: Peer, do: str, **args: str) -> str:
    return await refused(peer, "admin", do=do, args=args)


async def end_of(peer: Peer) -> dict[str, Any]:
    """With what the server ends this connection."""
    goodbye = await peer.until("bye")
    await peer.rest()
    return goodbye


async def by_password(port: int, login: str, password: str) -> Peer:
    peer, challenge = await hello(port, login)
    assert "password" in challenge["methods"], challenge
    peer.send("password", password=password)
    await peer.until("welcome")
    return peer


def visit(server: Server, address: str, **headers: str) -> connect:
    """A page's WebSocket that comes through a proxy on this machine, which says for whom."""
    uri = f"ws://127.0.0.1:{server.port}/ws"
    return connect(uri, proxy=None, additional_headers={"X-Forwarded-For": address, **headers})


async def enters(page: ClientConnection, login: str, **fields: str) -> dict[str, Any]:
    await page.send(json.dumps({"t": "hello", "login": login, **fields}))
    event: dict[str, Any] = json.loads(await page.recv())
    return event


# -- what was taken back -----------------------------------------------------------------------------------------


async def test_a_revoked_key_ends_who_came_in_by_it(server: Server) -> None:
    lost, old = await own(server.port, "goose")
    second, challenge = await hello(server.port, "goose", key=old.public)
    second.send("proof", **signed(old, challenge, "goose"))
    await second.until("welcome")
    new = Key.make()
    assert (await ask(second, "key", do="add", **signed(new, challenge, "goose")))["t"] == "done"
    shown = (await ask(lost, "key", do="link"))["data"]["code"]
    kept, _ = await own(server.port, "goose", new)
    assert (await ask(kept, "key", do="revoke", key=old.public))["t"] == "done"
    for peer in (lost, second):
        assert (await end_of(peer))["code"] == "revoked"
    await kept.say("#all", "still here", 1)
    third = Key.make()
    _, answer = await hello(server.port, "goose", key=third.public, token=shown)
    assert answer["t"] == "refused", "a code shown by the lost device links nothing any more"


async def test_a_reset_password_ends_who_came_in_by_it(server: Server) -> None:
    owner, _ = await own(server.port, "alice")
    victim, _ = await own(server.port, "goose")
    assert (await ask(victim, "password", password="", new="honk honk"))["t"] == "done"
    thief = await by_password(server.port, "goose", "honk honk")
    async with irc(server.port, "swan", *PLAIN) as client:
        await client.until("001")
        assert await act(owner, "account", login="goose", secret="quack quack") == ""
        assert (await end_of(thief))["code"] == "revoked"
        assert "ERROR" in (await client.until("ERROR"))[-1]
    await victim.say("#all", "it came in by its key", 1)


async def test_who_changes_the_password_stays(server: Server) -> None:
    first, _ = await own(server.port, "goose")
    assert (await ask(first, "password", password="", new="honk honk"))["t"] == "done"
    mine, thief = [await by_password(server.port, "goose", "honk honk") for _ in range(2)]
    assert (await ask(mine, "password", password="honk honk", new="quack quack"))["t"] == "done"
    assert (await end_of(thief))["code"] == "revoked"
    await mine.say("#all", "it is me", 1)


async def test_a_deleted_login_vouches_for_nobody(server: Server) -> None:
    owner, _ = await own(server.port, "alice")
    victim, _ = await own(server.port, "goose")
    assert (await ask(victim, "password", password="", new="honk honk"))["t"] == "done"
    async with irc(server.port, "swan", *PLAIN) as client:
        await client.until("001")
        assert await act(owner, "delete", login="goose") == ""
        assert "deleted" in (await client.until("ERROR"))[-1]
    assert (await end_of(victim))["code"] == "deleted"


async def test_a_revoked_token_hears_no_more(server: Server) -> None:
    owner, _ = await own(server.port, "alice")
    await ask(owner, "join", room="#ops")
    assert await act(owner, "token", room="#ops", name="robot", secret=TOKEN) == ""
    head = f"GET /ops/stream?token={TOKEN} HTTP/1.1\r\nHost: localhost\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(head.encode())
    await reader.readuntil(b"\r\n\r\n")
    tokens = (await ask(owner, "admin", do="tokens", args={}))["data"]["tokens"]
    assert await act(owner, "token_revoke", token=next(iter(tokens))) == ""
    await owner.say("#ops", "for no robots", 1)
    assert b"for no robots" not in await asyncio.wait_for(reader.read(), 10)
    writer.close()
    await writer.wait_closed()


# -- addresses behind a proxy ------------------------------------------------------------------------------------


async def test_a_banned_visitor_behind_a_proxy(start: Start) -> None:
    server = await start(proxies="127.0.0.0/8")
    owner, _ = await own(server.port, "alice")
    await ask(owner, "join", room="#ops")
    assert await act(owner, "token", room="#ops", name="robot", secret=TOKEN) == ""
    assert await act(owner, "ban", address="203.0.113.0/24") == ""
    for chain in ("203.0.113.9", "9.9.9.9, 203.0.113.9", "203.0.113.9:4711, 127.0.0.3", "::ffff:203.0.113.9"):
        async with visit(server, chain) as page:
            assert (await enters(page, "goose"))["code"] == "banned", chain
    async with visit(server, "203.0.113.9, 198.51.100.1") as page:
        assert (await enters(page, "goose"))["t"] == "welcome"  # what a visitor says of itself is not believed
    head = f"POST /ops?token={TOKEN} HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: %s\r\nContent-Length: 1\r\n\r\nx"
    assert b" 403 " in await talk(server.port, (head % "203.0.113.9").encode(), half_close=False)
    assert b" 200 " in await talk(server.port, (head % "198.51.100.1").encode(), half_close=False)


async def test_one_connection_of_a_proxy_brings_many_visitors(start: Start) -> None:
    server = await start(proxies="127.0.0.0/8")
    owner, _ = await own(server.port, "alice")
    assert await act(owner, "ban", address="203.0.113.9") == ""
    first = b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: %s\r\n\r\n"
    upgrade = first.replace(b"GET /", b"GET /ws").replace(
        b"Host: localhost\r\n",
        b"Host: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n",
    )
    text = b'{"t":"hello","login":"goose"}'
    frame = b"\x81" + bytes([0x80 + len(text)]) + bytes(4) + text
    for before, then, expected in (
        (b"198.51.100.1", b"203.0.113.9", b"banned"),
        (b"203.0.113.9", b"198.51.100.1", b"welcome"),
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(first % before + upgrade % then + frame)
        await asyncio.wait_for(reader.readuntil(b"101 Switching Protocols"), 10)
        await asyncio.wait_for(reader.readuntil(b'"t":"'), 10)
        assert expected in await asyncio.wait_for(reader.readuntil(b","), 10) + await reader.read(100)
        writer.close()
        await writer.wait_closed()


async def test_only_a_proxy_is_asked_for_whom(server: Server) -> None:
    owner, _ = await own(server.port, "alice")
    assert await act(owner, "ban", address="127.0.0.2") == ""
    uri = f"ws://127.0.0.1:{server.port}/ws"
    headers = {"X-Forwarded-For": "198.51.100.1", "X-Forwarded-Proto": "https"}
    async with connect(uri, proxy=None, local_addr=("127.0.0.2", 0), additional_headers=headers) as page:
        assert (await enters(page, "goose"))["code"] == "banned"


async def test_connections_are_counted_by_visitor(start: Start) -> None:
    server = await start(proxies="127.0.0.0/8", connections_per_address=3)
    pages = [await visit(server, f"203.0.113.{number}").__aenter__() for number in range(6)]
    for number, page in enumerate(pages):
        assert (await enters(page, f"duck{number}"))["t"] == "welcome"
    same = [await visit(server, "198.51.100.1").__aenter__() for _ in range(4)]
    assert json.loads(await same[-1].recv())["code"] == "too_many"
    assert (await enters(same[0], "goose"))["t"] == "welcome"
    for page in pages + same:
        await page.close()


async def test_a_password_comes_through_a_proxy_only_from_https(start: Start) -> None:
    server = await start(proxies="127.0.0.0/8")
    victim, _ = await own(server.port, "goose")
    assert (await ask(victim, "password", password="", new="honk honk"))["t"] == "done"
    for proto, expected in (("http", "refused"), ("https", "welcome")):
        async with visit(server, "198.51.100.1", **{"X-Forwarded-Proto": proto}) as page:
            assert (await enters(page, "goose"))["t"] == "challenge"
            await page.send(json.dumps({"t": "password", "password": "honk honk"}))
            assert json.loads(await page.recv())["t"] == expected


async def test_new_logins_of_one_address_are_slowed_down(start: Start) -> None:
    server = await start(proxies="127.0.0.0/8", logins_per_minute=60.0, login_burst=3)
    crowd = []
    for number in range(3):
        page = await visit(server, "203.0.113.9").__aenter__()
        crowd.append(page)
        assert (await enters(page, f"goose{number}", device=f"d{number}"))["t"] == "welcome"
    async with visit(server, "203.0.113.9") as page:
        answer = await enters(page, "goose4")
        assert answer["code"] == "too_fast"
        assert 0 < answer["after"] <= 1.0
        await asyncio.sleep(answer["after"] + 0.01)
        assert (await enters(page, "goose4"))["t"] == "welcome"  # the same connection may try again
        key = Key.make()
        async with visit(server, "203.0.113.9") as other:
            challenge = await enters(other, "heron", key=key.public, claim=True)  # type: ignore[arg-type]
            await other.send(
                json.dumps({"t": "proof", **signed(key, challenge, "heron", at="chat.example", mode="ws")})
            )
            assert json.loads(await other.recv())["code"] == "too_fast"
    async with visit(server, "203.0.113.10") as page:
        assert (await enters(page, "swan"))["t"] == "welcome"
    async with visit(server, "203.0.113.9") as page:
        await crowd[0].close()
        assert (await enters(page, "goose0", device="d0"))["t"] == "welcome"  # it is not new
    for page in crowd:
        await page.close()


# -- words to be forgotten ---------------------------------------------------------------------------------------


async def files_hold(server: Server, words: bytes) -> list[str]:
    assert server.data is not None
    return [path.name for path in server.data.iterdir() if words in await asyncio.to_thread(path.read_bytes)]


async def test_an_erased_login_leaves_no_text_in_the_text_log(start: Start) -> None:
    server = await start(syslog="syslog")
    owner, _ = await own(server.port, "alice")
    goose, _ = await own(server.port, "goose")
    await goose.say("#all", "unforgettable one", 1)
    assert (await ask(goose, "rename", to="gander"))["t"] == "done"
    await goose.say("@alice", "unforgettable < two > three", 2)
    await goose.say("#all", "x", 3)
    await owner.say("#all", "gander > this is mine", 1)
    assert server.data is not None
    (server.data / "syslog.1").write_text("goose <#pond> unforgettable of last week\nalice <#pond> hi\n")
    assert await act(owner, "delete", login="gander", erase="on") == ""
    await server.stop()
    assert await files_hold(server, b"unforgettable") == []
    lines = (server.data / "syslog").read_text().splitlines()
    assert "alice <broadcast> gander > this is mine" in lines
    assert [line.rstrip() for line in lines if line.startswith(("goose <b", "gander "))] == [
        "goose <broadcast> [erased]", "gander > [erased]", "gander <broadcast> [",
    ]  # fmt: skip
    assert (server.data / "syslog.1").read_text().splitlines()[1] == "alice <#pond> hi"


async def test_a_message_taken_back_leaves_no_text_in_the_text_log(start: Start) -> None:
    server = await start(syslog="syslog")
    goose = await Peer.enter(server.port, "goose")
    said = await goose.say("#all", "unforgettable one", 1)
    assert await refused(goose, "edit", seq=said["seq"], text="unforgettable two") == ""
    assert await refused(goose, "remove", seq=said["seq"]) == ""
    await goose.say("#all", "something else", 2)
    await server.stop()
    assert await files_hold(server, b"unforgettable") == []
    assert await files_hold(server, b"goose <broadcast> something else") == ["syslog"]


async def test_erasing_while_the_server_is_off(start: Start) -> None:
    server = await start(syslog="syslog")
    await own(server.port, "alice")
    goose, _ = await own(server.port, "goose")
    await goose.say("#all", "unforgettable", 1)
    await server.stop()
    server = await start(syslog="off")  # as `tcpchat admin` opens the folder
    assert server.data is not None
    secret = (server.data / "admin.secret").read_text().split()[-1]
    operator, _ = await hello(server.port, "", token="admin:" + secret)
    assert await act(operator, "delete", login="goose", erase="on") == ""
    await server.stop()
    assert await files_hold(server, b"unforgettable") == []


async def test_health_tells_the_key_and_nothing_of_others(server: Server) -> None:
    await own(server.port, "no word of a key")  # the words of the key may be any bird
    status, body = await http(server.port, "GET", "/healthz")
    assert status == 200
    assert b"no word" not in body
    told = json.loads(body)
    assert told["fingerprint"] == server.fingerprint
    assert len(told["words"].split()) == 8
