"""Too much, too slow, too long, in the wrong language, or made to be read as something else."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import tcpchat
from support.intruder import ask, hello, http, irc, refused, seed, talk
from support.rawpeer import PATIENCE, Peer, Start, eventually
from tcpchat.server import Server

LINES = {
    "native": b'{"t":"hello","login":"victim"}\n{"t":"say","to":"#all","text":"forged"}\n',
    "irc": b"NICK victim\r\nUSER victim 0 * :v\r\nPRIVMSG #all :forged\r\n",
    "seed": seed("HI", "victim") + seed("EVERY1", "forged"),
    "web": b'POST /all?token=x HTTP/1.1\r\nHost: localhost\r\n\r\n{"t":"say","to":"#all","text":"forged"}',
}


@pytest.mark.parametrize("method", ["POST", "PUT", "OPTIONS", "GET"])
@pytest.mark.parametrize("path", ["/", "/all", "/ws"])
@pytest.mark.parametrize("kind", sorted(LINES))
async def test_a_page_cannot_make_its_visitor_speak(server: Server, kind: str, path: str, method: str) -> None:
    watcher = await Peer.enter(server.port, "watcher")
    body = LINES[kind]
    head = f"{method} {path} HTTP/1.1\r\nHost: [::1]\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n\r\n"
    await talk(server.port, head.encode() + body)
    assert [event["t"] for event in await watcher.sync() if event["t"] in ("message", "presence")] == []
    assert server.chat.state.find("victim") is None


@pytest.mark.parametrize("garbage", [b"\x00" * 2000, b"SSH-2.0-x\r\n", b"EHLO x\r\n", b"\xff\xfe\xfd", b"[1,2]\n"])
async def test_what_speaks_no_protocol_of_ours_is_shown_out(start: Start, garbage: bytes) -> None:
    server = await start(first_bytes_seconds=0.5)
    await talk(server.port, garbage, half_close=False)
    assert not server.chat.sessions


async def test_silent_sockets_are_hung_up_and_hold_nobody_up(start: Start) -> None:
    server = await start(first_bytes_seconds=1.0, auth_seconds=1.0, connections_per_address=2_000)
    silent = []
    for number in range(1_000):  # each says its word at once: the first may be hung up before the last is here
        silent.append(await Peer.connect(server.port))
        if number % 4:
            silent[-1].raw((b"", b"{", b'{"t":"hel', b"NICK x\r\n")[number % 4])
    duck = await Peer.enter(server.port, "duck")
    await duck.say("#all", "while they wait", 1)
    for peer in silent:
        await peer.rest()
    await eventually(lambda: len(server.connections) == 1)
    assert len(server.chat.strangers) == 0
    await duck.say("#all", "and after", 2)


async def test_bytes_that_drip_are_no_sign_of_life(start: Start) -> None:
    server = await start(first_bytes_seconds=1.0, auth_seconds=1.0)
    for first in (b'{"t":', b"CAP LS\r\n", b"GET / HT"):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(first)
        ended = asyncio.ensure_future(reader.read())
        for _ in range(600):
            done, _ = await asyncio.wait([ended], timeout=0.05)
            if done:
                break
            writer.write(b" ")
        assert ended.done(), first
        await asyncio.gather(ended, return_exceptions=True)
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)


async def test_connections_of_one_address_are_counted(start: Start) -> None:
    server = await start(connections_per_address=5)
    peers = [await Peer.connect(server.port) for _ in range(5)]
    assert b"too many connections" in await talk(server.port, b"")
    other, first = await hello(server.port, "duck", address="127.0.0.2")
    assert first["t"] == "welcome"
    assert peers
    assert other


async def test_a_line_of_a_megabyte_is_refused_and_not_kept(server: Server) -> None:
    peer = await Peer.enter(server.port, "duck")
    peer.raw(b'{"t":"say","to":"#all","text":"' + b"x" * 1_000_000 + b'"}\n')
    assert (await peer.until("refused"))["code"] == "too_large"
    await peer.say("#all", "short", 1)
    assert await refused(peer, "say", to="#all", text="x" * 60_000) == "too_long"
    async with irc(server.port, "goose") as client:
        await client.until("001")
        client.send("PRIVMSG #all :" + "y" * 1_000_000)
        await client.until("417", "ERROR")  # or it is cut off while it still writes
    await talk(server.port, seed("HI", "swan") + b'{"TYPE":"EVERY1","BODY":"' + b"z" * 1_000_000 + b'"}')
    assert [one["text"] for one in (await ask(peer, "history", to="#all"))["messages"]] == ["short"]


async def test_a_flood_is_told_how_long_to_wait_and_nothing_is_lost(start: Start) -> None:
    server = await start(messages_per_second=100.0, message_burst=20)
    other = await Peer.enter(server.port, "goose")
    peer = await Peer.enter(server.port, "duck")
    said = 200
    for number in range(said):
        peer.send("say", to="#all", text=str(number), ref=number + 1)
    accepted, waits = [], []
    while len(accepted) + len(waits) < said:
        event = await peer.read()
        if event["t"] == "accepted":
            accepted.append(event["ref"] - 1)
        elif event["t"] == "refused":
            assert event["code"] == "too_fast"
            assert 0 < event["after"] <= 1
            waits.append(event["ref"] - 1)
    assert len(waits) > 100
    heard = [event["text"] for event in await other.sync() if event["t"] == "message"]
    assert heard == [str(number) for number in accepted]  # what was not refused has come, and nothing else


async def test_our_client_gets_all_of_a_flood_through(start: Start) -> None:
    server = await start(messages_per_second=400.0, message_burst=20)
    other = await Peer.enter(server.port, "goose")
    async with tcpchat.connect(f"127.0.0.1:{server.port}", "duck", outbox=None) as chat:
        sent = [await chat.send("#all", str(number)) for number in range(300)]
        await asyncio.gather(*(one.accepted(timeout=PATIENCE) for one in sent))
    heard: list[str] = []
    while len(heard) < 300:
        heard.append((await other.until("message"))["text"])
    assert heard == [str(number) for number in range(300)]


async def test_joins_and_parts_are_limited_too(start: Start) -> None:
    server = await start(commands_per_second=10.0, command_burst=30, rooms_per_login=50)
    peer = await Peer.enter(server.port, "duck")
    head = server.chat.head
    for number in range(300):
        peer.send("join" if number % 2 == 0 else "leave", room="#pond", ref=number + 1)
    codes = [event["code"] for event in await peer.sync() if event["t"] == "refused"]
    assert codes.count("too_fast") > 200
    assert server.chat.head - head < 60


async def test_rooms_of_one_login_are_counted(start: Start) -> None:
    server = await start(rooms_per_login=5, commands_per_second=0.0)
    peer = await Peer.enter(server.port, "duck")
    codes = [await refused(peer, "join", room=f"#room{number}") for number in range(8)]
    assert codes == [""] * 5 + ["too_many"] * 3


ESCAPES = [
    "\x1b[2J",
    "\x1b]0;x\x07",
    "\x9b31m",
    "a\nb",
    "a\rb",
    "a\tb",
    "a\x00b",
    "\u202eabc",
    "a\u200bb",
    "\ud800x",
    "\u2028",
]


@pytest.mark.parametrize("bad", ESCAPES)
async def test_names_admit_no_escapes(server: Server, bad: str) -> None:
    name = f"x{bad}y"
    _, first = await hello(server.port, name)
    assert first["t"] == "refused"
    peer = await Peer.enter(server.port, "duck")
    await peer.sync()
    for kind, fields in (
        ("join", {"room": "#" + name}),
        ("rename", {"to": name}),
        ("rename", {"to": "#" + name, "room": "#all"}),
    ):
        peer.send(kind, **fields)
        assert (await peer.read())["code"] in ("bad_name", "bad_text", "bad_command"), kind
    assert [user.login for user in server.chat.state.users.values()] == ["duck"]


@pytest.mark.parametrize(
    "text", ["a\nduck : <accepted>", "a\r\nroot > x", "\x1b[1A\x1b[2Kgone", "a\u2028b\u0085c", "a\x0bb\x0cc"]
)
async def test_no_text_makes_a_second_line_of_the_log(server: Server, text: str) -> None:
    peer = await Peer.enter(server.port, "duck", label=text, name=text)
    await peer.say("#all", text, 1)
    await ask(peer, "join", room="#pond")
    await ask(peer, "topic", room="#pond", text=text)
    await ask(peer, "away", why=text)
    peer.send("bye", why=text)
    await peer.rest()
    await server.stop()
    assert server.data is not None
    lines = (server.data / "syslog").read_text(encoding="utf-8").splitlines()
    assert all(
        line.isprintable() and line.startswith(("duck ", "Accepted new", "User duck", "server at")) for line in lines
    ), lines


async def test_escapes_reach_irc_clients_as_one_line(server: Server) -> None:
    async with irc(server.port, "goose") as client:
        await client.until("366")
        await client.ask()
        peer = await Peer.enter(server.port, "duck")
        await peer.say("#all", "a\r\n:root!r@r PRIVMSG #all :forged\r\nQUIT :x\0", 1)
        lines = await client.ask()
        assert not any(line.startswith(":root!") for line in lines)
        assert any("PRIVMSG #all :a" in line for line in lines), lines


EVIL = "\x1b[2J\x1b]2;pwned\x07\x9b31m\u202e<b>&[red]\0"


@pytest.mark.parametrize("command", ["tail -n 9", "search quack", "rooms --all", "who --all", "who goose", "whoami"])
async def test_escapes_reach_no_terminal_of_the_command_line(server: Server, tmp_path: Path, command: str) -> None:
    goose, first = await hello(server.port, "goose", name="goose " + EVIL, label=EVIL)
    assert first["t"] == "welcome"
    await goose.say("#all", "quack " + EVIL, 1)
    assert (await ask(goose, "join", room="#pond"))["t"] == "done"
    assert (await ask(goose, "topic", room="#pond", text=EVIL))["t"] == "done"
    await ask(goose, "away", text=EVIL)
    words = [*command.split(), "-s", f"127.0.0.1:{server.port}", "-u", "spy", "--no-input"]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tcpchat", *words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, env={**os.environ, "TCPCHAT_HOME": str(tmp_path / "spy")},
    )  # fmt: skip
    shown, said = await process.communicate()
    assert process.returncode == 0, said
    text = (shown + said).decode()
    assert text.strip()
    assert not {"\x1b", "\x9b", "\x07", "\0", "\u202e"} & set(text), text


PATHS = [
    "../x",
    "..",
    "a/b",
    "/etc/passwd",
    "a\\b",
    "a\x00b",
    "%2e%2e",
    "~root",
    ".",
    "con",
    "a;b",
    "${x}",
    "'; DROP TABLE entries;--",
]


@pytest.mark.parametrize("name", PATHS)
async def test_a_room_name_is_never_a_path(server: Server, name: str) -> None:
    assert server.data is not None
    before = sorted(path.name for path in server.data.iterdir())
    peer = await Peer.enter(server.port, "duck")
    made = await ask(peer, "join", room="#" + name)
    if made["t"] == "done":
        assert (await ask(peer, "say", to="#" + name, text="inside"))["t"] == "accepted"
        page = await ask(peer, "history", to="#" + name)
        assert [one["text"] for one in page["messages"]] == ["inside"]
    assert sorted(path.name for path in server.data.iterdir()) == before
    assert sorted(path.name for path in server.data.parent.iterdir()) == ["data"]


@pytest.mark.parametrize(
    "path",
    [
        "/../tcpchat.db",
        "/..%2ftcpchat.db",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/all/../../x",
        "//x",
        "/tcpchat.db",
        "/admin.secret",
    ],
)
async def test_no_path_of_a_request_reaches_the_disk(server: Server, path: str) -> None:
    assert server.data is not None
    secret = (server.data / "admin.secret").read_bytes().split()[-1]
    for method in ("GET", "POST"):
        for query in ("", "?token=x"):
            status, body = await http(server.port, method, path + query)
            assert 400 <= status < 500
            assert secret not in body
            assert b"SQLite format" not in body


async def test_json_of_every_wrong_shape_is_answered(server: Server) -> None:
    peer = await Peer.enter(server.port, "duck")
    await peer.sync()
    deep = "[" * 30_000
    for line in (
        deep,
        '{"t":"say"}',
        '{"t":1}',
        '{"t":"say","to":null,"text":5}',
        '{"t":"nothing"}',
        "1e999",
        '{"a":NaN}',
    ):
        peer.raw(line.encode() + b"\n")
        assert (await peer.read())["t"] == "refused"
    peer.raw(json.dumps({"t": "history", "to": "#all", "after": 0, "limit": 10**9, "ref": 1}).encode() + b"\n")
    assert (await peer.until("page"))["ref"] == 1
