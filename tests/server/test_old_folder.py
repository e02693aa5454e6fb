"""A folder that version 0.1.0 left behind: a newer server starts on it, and everything is found again."""

from __future__ import annotations

import json
import shutil
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from support.rawpeer import Peer, Start
from tcpchat.core.rules import challenge_text
from tcpchat.trust.keys import Key

FOLDER = Path(__file__).resolve().parent.parent / "data" / "0.1.0"
EXPECTED: dict[str, Any] = json.loads((FOLDER / "expected.json").read_text(encoding="utf-8"))
PEOPLE = {"ann": "ann", "ben": "ben", "Щука": "cyd"}  # login: name of its key
# What time changes, and what is counted in another way now.
PASSING = {"ref", "seen", "online", "since", "at", "unread", "mentions", "snippet", "members", "delivered"}


def key_of(name: str) -> Key:
    secret = sha256(b"tcpchat 0.1.0 fixture " + name.encode()).digest()
    return Key(Ed25519PrivateKey.from_private_bytes(secret))


def missing(expected: Any, found: Any, path: str = "") -> list[str]:
    """Where ``found`` lacks something of ``expected``; what it has besides (newer fields) does not matter."""
    if isinstance(expected, dict) and isinstance(found, dict):
        known = {key: value for key, value in expected.items() if key not in PASSING}
        return [row for key, value in known.items() for row in missing(value, found.get(key), f"{path}.{key}")]
    if isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        pairs = zip(expected, found, strict=True)
        return [row for i, (one, other) in enumerate(pairs) for row in missing(one, other, f"{path}[{i}]")]
    return [] if expected == found else [f"{path}: {expected!r} is now {found!r}"]


async def enter(port: int, login: str, key: Key) -> Peer:
    peer = await Peer.connect(port)
    peer.send("hello", login=login, key=key.public, device="later", after=-1)
    challenge = await peer.until("challenge")
    text = challenge_text(challenge["nonce"], login, challenge.get("binding", ""))
    peer.send("proof", signature=key.sign(text))
    peer.welcome = await peer.until("welcome")
    await peer.sync()
    return peer


async def ask(peer: Peer, command: str, **fields: Any) -> dict[str, Any]:
    peer.send(command, ref="asked", **fields)
    while (event := await peer.read()).get("ref") != "asked":
        assert event["t"] != "refused", event
    return event


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    where = tmp_path / "old"
    shutil.copytree(FOLDER, where)
    return where


@pytest.mark.parametrize("login", PEOPLE)
async def test_everybody_finds_everything_again(start: Start, folder: Path, login: str) -> None:
    server = await start(data=folder)
    view = EXPECTED["views"][login]
    peer = await enter(server.port, login, key_of(PEOPLE[login]))
    lost = missing(view["rooms"], (await ask(peer, "rooms"))["rooms"], "rooms")
    for to, page in view["history"].items():
        lost += missing(page, await ask(peer, "history", to=to, limit=500, events=True), to)
    lost += missing(view["keys"], await ask(peer, "key", do="list"), "keys")
    lost += missing(view["search"], await ask(peer, "search", words="bulk 59"), "search")
    assert not lost, "\n".join(lost)


async def test_rules_roles_and_receipts_are_found_again(start: Start, folder: Path) -> None:
    server = await start(data=folder)
    view = EXPECTED["views"]["ann"]
    peer = await enter(server.port, "ann", key_of("ann"))
    lost: list[str] = []
    for act in ("bans", "invites", "tokens", "log"):
        lost += missing(view[act], await ask(peer, "admin", do=act), act)
    users = {row["login"]: row for row in (await ask(peer, "admin", do="users"))["data"]["users"]}
    for row in view["users"]["data"]["users"]:
        lost += missing(row, users.get(row["login"]), row["login"])
    for name in ("ops1", "dm1"):
        asked = await ask(peer, "receipts", seq=EXPECTED["seqs"][name])
        lost += missing(view[f"receipts-{name}"], asked, f"receipts of {name}")
    assert not lost, "\n".join(lost)


async def test_numbers_and_cursors_go_on_where_they_were(start: Start, folder: Path) -> None:
    server = await start(data=folder)
    peer = await Peer.connect(server.port)
    key = key_of("ann")
    peer.send("hello", login="ann", key=key.public, device="ann-desk")
    challenge = await peer.until("challenge")
    text = challenge_text(challenge["nonce"], "ann", challenge.get("binding", ""))
    peer.send("proof", signature=key.sign(text))
    welcome = await peer.until("welcome")
    assert welcome["last"] == EXPECTED["n"]["ann"] + 1
    again = await peer.say("#ops", "behind the snapshot", welcome["last"])  # a repeat: answered as the first time
    assert again["seq"] == EXPECTED["seqs"]["behind"]
