"""Floods over real sockets: what is long, what is much, what the muted still try to say."""

from __future__ import annotations

import json
from typing import Any

import pytest

from support.intruder import ask, hello, own, refused
from support.rawpeer import Peer, Start
from tcpchat import Server
from tcpchat.core import counting

SPEECH = "SPEECH"
WAYS: dict[str, dict[str, Any]] = {
    "away": {"why": SPEECH}, "set": {"key": "name", "value": SPEECH}, "rename": {"to": SPEECH},
    "topic": {"room": "#r", "text": SPEECH}, "leave": {"room": "#r", "why": SPEECH},
}  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
async def test_the_muted_say_nothing_by_other_words(server: Server, way: str) -> None:
    owner, _ = await own(server.port, "alice")
    muted = await Peer.enter(server.port, "goose")
    await ask(muted, "join", room="#r")
    await ask(owner, "join", room="#r")
    assert (await ask(owner, "admin", do="mute", args={"login": "goose"}))["t"] == "done"
    await ask(muted, way, **WAYS[way])
    muted.send("bye", why=SPEECH)
    owner.send("ping", token="end")
    seen = [await owner.until("presence")]
    while not (seen[-1]["t"] == "presence" and seen[-1]["what"] == "offline"):
        seen.append(await owner.read())
    assert SPEECH not in json.dumps(seen)


@pytest.mark.parametrize("kind", ["ping", "pong", "status", "confirm", "read", "typing", "say", "who", "rooms"])
async def test_every_kind_of_command_is_counted(start: Start, kind: str) -> None:
    server = await start(
        work_per_second=0.0, signals_per_second=1.0, signal_burst=100, messages_per_second=1.0, message_burst=5
    )
    peer = await Peer.enter(server.port, "duck")
    fields = {"confirm": {"seq": 1}, "read": {"to": "#all", "seq": 1}, "say": {"to": "#all", "text": "x", "n": 9}}
    line = json.dumps({"t": kind, "to": "#all", **fields.get(kind, {})}).encode() + b"\n"
    peer.raw(line * (counting.EXCESS_MAX + 4 * counting.BLOCK))
    event: dict[str, Any] = {}
    while not event.get("fatal"):
        event = await peer.read()
    assert event["code"] == "too_fast"


async def test_who_says_no_hello_is_counted(start: Start) -> None:
    server = await start(work_per_second=0.0)  # else it is slowed down so much that it is no flood any more
    peer, first = await hello(server.port, "\ufdfa" * 9_000)
    assert first["code"] == "bad_name"
    peer.raw(b'{"t":"status"}\n' * (counting.EXCESS_MAX + counting.STRANGER_SIGNAL_BURST + counting.BLOCK))
    event: dict[str, Any] = {}
    while not event.get("fatal"):
        event = await peer.read()
    assert event["code"] == "too_fast"


async def test_reasons_labels_and_names_are_short_and_clean(server: Server) -> None:
    owner, _ = await own(server.port, "alice")
    evil, _ = await hello(server.port, "goose", label="L" * 30_000 + "\n", name="N" * 30_000)
    why = "\r\n:alice!a@b PRIVMSG goose :forged" + "W" * 60_000
    await ask(evil, "join", room="#r")
    await ask(owner, "join", room="#r")
    people = await ask(owner, "who", to="goose")
    assert len(json.dumps(people)) < 1_000
    await ask(evil, "leave", room="#r", why=why)
    left = await owner.until("event")
    assert len(left["text"]) <= server.config.max_why
    assert "\n" not in left["text"]
    assert await refused(evil, "join", room="#r\r\n:forged") == "bad_name"


async def test_what_waits_behind_a_hello_is_bounded(server: Server) -> None:
    _, key = await own(server.port, "alice")
    evil, first = await hello(server.port, "alice", key=key.public)
    assert first["t"] == "challenge"
    evil.raw((json.dumps({"t": "say", "to": "#all", "text": "x" * 60_000}).encode() + b"\n") * 5)
    assert [(await evil.read())["code"] for _ in range(4)] == ["too_many_pending"] * 4


async def test_guests_take_neither_rooms_nor_disk_for_good(start: Start) -> None:
    server = await start(rooms=12, guest_grace=0.1, commands_per_second=0.0)
    for number in range(2):
        guest = await Peer.enter(server.port, f"guest{number}")
        for room in range(3):
            await ask(guest, "join", room=f"#r{number}-{room}")
            await guest.say(f"#r{number}-{room}", "x", room + 1)
        if number:
            assert await refused(guest, "join", room="#more") == "too_many"
        await guest.gone()
    owner, _ = await own(server.port, "alice")
    while len((await ask(owner, "rooms", all=True))["rooms"]) > 1:
        pass
    assert (await ask(owner, "join", room="#work"))["t"] == "done"
    assert (await ask(owner, "admin", do="room_delete", args={"room": "#work"}))["t"] == "done"
    assert await refused(owner, "say", to="#work", text="x") == "no_such_room"
