"""Forged lines: no field of any command becomes a line of its own in the client of somebody else."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any, get_args

import msgspec
import pytest

from benchmarks.oracle import Watch
from benchmarks.payloads import MEANT
from support.intruder import Irc, irc
from support.rawpeer import PATIENCE, Peer, Start
from tcpchat.core.commands import AnyCommand
from tcpchat.doors.irc.caps import CAPS

FORGED = ("a\r\n:boss!b@c PRIVMSG #all :forged\r\nQUIT :b", "a\n:boss 001 x", "a\r:boss!b@c NOTICE goose :x", "a\0b")
WITHOUT_TAGS = "CAP END"
WITH_ALL = tuple(f"CAP REQ :{name}" for name in CAPS if name not in ("sasl", "sts", "draft/account-registration"))


def forged(kind: type[msgspec.Struct]) -> Iterator[dict[str, Any]]:
    """A command with each of its texts, and the keys and values of its tables, forged in turn."""
    name = kind.__struct_config__.tag
    fields = [field.name for field in msgspec.structs.fields(kind)]
    required = {field.name for field in msgspec.structs.fields(kind) if field.required}
    meant = {"t": name, **{field: MEANT.get(field, "x") for field in fields if field in MEANT or field in required}}
    for field in fields:
        for evil in FORGED:
            if isinstance(meant.get(field, ""), str):
                yield {**meant, field: evil}
                yield {**meant, field: "#" + evil, "to": "#all"} if field == "room" else {**meant, field: "irc/" + evil}
            elif isinstance(meant[field], dict):
                yield {**meant, field: {evil: "x", "x": evil, "+" + evil: evil}}
            elif isinstance(meant[field], list):
                yield {**meant, field: [{"name": "ban", "arg": evil}, {"name": "key", "arg": evil}]}


@pytest.mark.parametrize("caps", [(WITHOUT_TAGS,), (*WITH_ALL, "CAP END")], ids=["plain", "all capabilities"])
async def test_no_field_forges_a_line_of_irc(start: Start, caps: tuple[str, ...]) -> None:
    server = await start(commands_per_second=0, messages_per_second=0, work_per_second=0, logins_per_minute=0)
    async with irc(server.port, "goose", "CAP LS 302", *caps) as goose:
        await heard(goose, b" 001 ")
        goose.send("JOIN #hostile", "METADATA * SUB url status x")
        for number, kind in enumerate(get_args(AnyCommand)):
            if kind.__struct_config__.tag == "bye":
                continue
            for at, command in enumerate(forged(kind)):
                await attack(server.port, f"evil{number}n{at}", command)
        goose.send("WHO #hostile", "NAMES #hostile", "LIST", "TOPIC #hostile", "MODE #hostile b")
        goose.send("CHATHISTORY LATEST #all * 500", "PING walked")
        lines = await heard(goose, b"walked")
    watch = Watch("irc")
    watch.feed(b"".join(lines))
    assert not watch.fault
    said = [line.partition(b" ")[2] if line.startswith(b"@") else line for line in lines]
    assert not [line for line in said if line.startswith((b":boss", b"QUIT"))]
    assert len(said) > 100, "goose heard of all that"


async def heard(client: Irc, last: bytes) -> list[bytes]:
    """Lines up to the one that holds a word."""
    lines = [b""]
    while last not in lines[-1]:
        lines.append(await asyncio.wait_for(client.reader.readline(), PATIENCE))
        assert lines[-1], "goose was hung up"
        if b"PING " in lines[-1].split(b":")[0]:
            client.send("PONG" + lines[-1].decode().partition("PING")[2].strip("\r\n"))
    return lines


async def attack(port: int, login: str, command: dict[str, Any]) -> None:
    """Somebody comes, is in the room, sends this, and has been answered."""
    peer = await Peer.enter(port, login)
    peer.raw(b'{"t":"join","room":"#hostile"}\n' + json.dumps(command).encode() + b'\n{"t":"ping","token":"end"}\n')
    while (event := await peer.read())["t"] != "pong":
        if event["t"] == "bye":
            break
    await peer.gone()
    Peer.made.remove(peer)
