"""The peer without I/O, against the conversations that every client is tested with; see their README."""

from __future__ import annotations

import json
from collections import defaultdict, deque
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tcpchat.client.errors import Refused
from tcpchat.client.outcomes import Delayed, Doubted, Ended, LogReplaced, Opened, Rejected, Settled
from tcpchat.client.peer import DEAD_AFTER, PING_AFTER, Peer
from tcpchat.client.record import Item, Record
from tcpchat.core import model as m
from tcpchat.core.rules import challenge_text
from tcpchat.trust.keys import Key, verify

FOLDER = Path(__file__).parent.parent / "data" / "conversations"
EMPTY = (None, "", 0, False, [])
COUNTED = {"hello", "proof", "password", "say", "bye"}
Fields = dict[str, Any]


def conversations() -> list[Path]:
    return sorted(FOLDER.glob("*.jsonl"))


def steps(path: Path) -> list[Fields]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def fits(wanted: Fields, found: Fields) -> bool:
    """Every field that is named is the same."""
    return all(
        bool(found.get(name)) if value == "*" else found.get(name) == value or (value in EMPTY and not found.get(name))
        for name, value in wanted.items()
    )


class Replay:
    """A peer that a conversation is played with."""

    def __init__(self, head: Fields) -> None:
        self.now = 1000.0
        self.key = Key(Ed25519PrivateKey.from_private_bytes(bytes.fromhex(head["key"]))) if "key" in head else None
        hello = m.Hello(head["login"], claim=head.get("claim", False))
        self.peer = Peer(hello, Record(head["device"]), signer=self.key, password=lambda: head.get("password"))
        self.sent: deque[Fields] = deque()
        self.confirmed = 0
        self.told: dict[str, deque[Fields]] = defaultdict(deque)
        self.asked = False
        self.nonce = ""

    def play(self, step: Fields) -> None:
        ((verb, value),) = step.items()
        if verb not in ("client", "told", "say"):
            assert not self.sent, "said without being asked"
        getattr(self, "do_" + verb)(value)
        self.look()

    def look(self) -> None:
        """What the peer sends."""
        for line in self.peer.data_to_send().decode().splitlines():
            command = json.loads(line)
            if command["t"] == "confirm":
                self.confirmed = command["seq"]
            elif command["t"] in COUNTED or (command["t"] == "pong" and command.get("token")):
                self.sent.append(command)
            elif command["t"] == "ping" and self.asked:
                self.asked = False
                self.sent.append(command)

    def hear(self, events: list[Any]) -> None:
        for event in events:
            if (outcome := name(event)) is not None:
                self.told[outcome["what"]].append(outcome)

    def do_open(self, value: Fields) -> None:
        self.peer.connected(self.now)

    def do_client(self, wanted: Fields) -> None:
        if wanted["t"] == "confirm":
            assert self.confirmed == wanted["seq"]
            return
        found = self.sent.popleft()
        assert fits(wanted, found), found
        if wanted["t"] == "proof":
            assert self.key is not None
            assert verify(self.key.public, challenge_text(self.nonce, self.peer.login, ""), found["signature"])

    def do_server(self, event: Fields) -> None:
        self.nonce = event.get("nonce", self.nonce)
        self.do_bytes(json.dumps(event) + "\n")

    def do_bytes(self, text: str) -> None:
        self.hear(self.peer.receive(text.encode(), self.now))

    def do_cut(self, value: bool) -> None:
        self.peer.lost()

    def do_say(self, message: Fields) -> None:
        self.peer.say(Item(message["to"], message["text"]), self.now)

    def do_taken(self, seq: int) -> None:
        self.peer.cursor.take(seq)

    def do_pass(self, value: float | str) -> None:
        self.asked = value == "ping"
        end = self.now + {"ping": PING_AFTER, "dead": DEAD_AFTER - PING_AFTER}.get(value, value)  # type: ignore[arg-type,call-overload,operator]
        while self.peer.next_timer is not None and self.peer.next_timer <= end:
            self.now = self.peer.next_timer
            self.hear(self.peer.tick(self.now))
        self.now = end

    def do_told(self, wanted: Fields) -> None:
        found = self.told[wanted["what"]].popleft()
        codes = wanted.pop("code", None)
        assert fits(wanted, found), found
        assert codes is None or found["code"] in codes, found


def name(event: object) -> Fields | None:
    """An outcome, as conversations write it."""
    match event:
        case Opened():
            return {"what": "online"}
        case m.Message(seq=seq, text=text):
            return {"what": "message", "seq": seq, "text": text}
        case Settled(item, seq):
            return {"what": "accepted", "text": item.text, "seq": seq}
        case Delayed(item, refused):
            return {"what": "waits", "text": item.text, "code": refused.code}
        case Rejected(item, refused):
            return {"what": "failed", "text": item.text, "code": refused.code}
        case Doubted(item):
            return {"what": "unknown", "text": item.text}
        case LogReplaced(seq):
            return {"what": "set_back", "seq": seq}
        case Ended(error):
            final = isinstance(error, Refused)
            return {"what": "ended", "again": not final, "code": error.code if isinstance(error, Refused) else ""}
    return None


@pytest.mark.parametrize("path", conversations(), ids=lambda path: path.stem)
def test_conversation(path: Path) -> None:
    head, *rest = steps(path)
    if "python" not in head.get("clients", ["python"]):
        pytest.skip("another client's")
    replay = Replay(head)
    for number, step in enumerate(rest, 2):
        try:
            replay.play(step)
        except (AssertionError, IndexError) as error:
            raise AssertionError(f"{path.name}:{number} {json.dumps(step)}: {error!r}, sent {replay.sent}") from error
    assert not replay.sent, "said more than it should"
    assert {what: list(left) for what, left in replay.told.items() if left} == {}, "told more than it should"


def test_every_line_is_of_the_protocol() -> None:
    """A field that is misspelled would never be compared."""
    known = {
        kind.__struct_config__.tag: set(kind.__struct_fields__)
        for union in (m.AnyCommand, m.AnyEvent)
        for kind in union.__args__  # type: ignore[attr-defined]
    }
    for path in conversations():
        for step in steps(path):
            for message in (step.get("client"), step.get("server")):
                if message is not None and message["t"] != "a_thing_of_tomorrow":
                    assert set(message) - {"t"} <= known[message["t"]], f"{path.name}: {message}"
