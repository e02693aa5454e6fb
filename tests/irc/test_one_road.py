"""What one client does reaches all others by the chat: read marks, facts, hosts, WALLOPS."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator

import pytest

from support.ircpeer import Client, House, commands, only
from tcpchat.doors.irc import encode

MARKS = ("draft/read-marker", "server-time")


class Native:
    """A client of the native protocol."""

    def __init__(self, port: int, login: str, password: str = "") -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), 10)
        self.lines = self.socket.makefile("rb")
        self.send(t="hello", login=login)
        if password:
            self.until("challenge")
            self.send(t="password", password=password)
        self.until("state")

    def send(self, **fields: object) -> None:
        self.socket.sendall(json.dumps(fields).encode() + b"\n")

    def events(self) -> Iterator[dict[str, object]]:
        for line in self.lines:
            yield json.loads(line)

    def until(self, kind: str) -> dict[str, object]:
        return next(event for event in self.events() if event["t"] == kind)

    def sync(self) -> list[dict[str, object]]:
        """All that was told so far."""
        self.send(t="ping", token="now")
        told = []
        for event in self.events():
            if event["t"] == "pong":
                return told
            told.append(event)
        raise AssertionError("closed")

    def ask(self, answer: str, **fields: object) -> dict[str, object]:
        self.send(ref=7, **fields)
        return self.until(answer)

    def room(self, name: str) -> dict[str, object]:
        rooms = self.ask("roomlist", t="rooms")["rooms"]
        assert isinstance(rooms, list)
        return next(row for row in rooms if row["to"] == name)

    def close(self) -> None:
        self.lines.close()
        self.socket.close()


@pytest.fixture
def reader(house: House) -> Iterator[tuple[House, Client, Client, Native]]:
    """Two IRC clients and a native one of an account."""
    house.account("alice", "sesame")
    one = house.join("alice", *MARKS, user="one", password="sesame", rooms=("#r",))
    two = house.join("alice", *MARKS, user="two", password="sesame")
    native = Native(house.port, "alice", "sesame")
    yield house, one, two, native
    native.close()


def say(bob: Client, hearer: Client, text: str) -> str:
    """Bob says something; its time, which no other message has."""
    bob.ask(f"PRIVMSG #r :{text}")
    stamp = str((only(hearer.sync(), "PRIVMSG").tags or {})["time"])
    while int(time.time() * 1000) <= encode.moment(stamp) + 2:
        pass
    return stamp


def test_a_mark_moves_the_cursor_of_all_clients(reader: tuple[House, Client, Client, Native]) -> None:
    house, one, two, native = reader
    bob = house.join("bob", rooms=("#r",))
    stamps = [say(bob, one, text) for text in "abc"]
    two.sync()
    native.sync()
    assert native.room("#r")["unread"] == 3
    for place, stamp in enumerate(stamps):
        assert only(one.ask(f"MARKREAD #r timestamp={stamp}"), "MARKREAD").params == ["#r", f"timestamp={stamp}"]
        told = [event for event in native.sync() if event["t"] == "markread"]
        assert [event["at"] for event in told] == [encode.moment(stamp)]
        assert native.room("#r").get("unread", 0) == 2 - place
        assert [line.params for line in two.sync() if line.command == "MARKREAD"] == [["#r", f"timestamp={stamp}"]]
    one.ask(f"MARKREAD #r timestamp={stamps[0]}")  # it only moves forward
    assert native.sync() == two.sync() == []
    assert only(two.ask("MARKREAD #r"), "MARKREAD").params == ["#r", f"timestamp={stamps[2]}"]


def test_what_is_said_between_does_not_count_as_read(reader: tuple[House, Client, Client, Native]) -> None:
    house, one, two, native = reader
    bob = house.join("bob", rooms=("#r",))
    first, second, _ = [say(bob, one, text) for text in "abc"]
    head = native.room("#r")["head"]
    seqs = [event["seq"] for event in native.ask("page", t="history", to="#r")["messages"]]  # type: ignore[union-attr]
    assert seqs[-1] == head
    two.sync()
    native.ask("done", t="read", to="#r", seq=seqs[0])
    for client in (one, two):
        assert only(client.sync(), "MARKREAD").params == ["#r", f"timestamp={first}"]
    native.ask("done", t="read", to="#r", seq=seqs[1])
    assert only(one.sync(), "MARKREAD").params == ["#r", f"timestamp={second}"]
    assert only(one.ask("MARKREAD #r"), "MARKREAD").params == ["#r", f"timestamp={second}"]
    third = house.join("alice", *MARKS, user="three", password="sesame")
    assert [line.params for line in third.seen if line.command == "MARKREAD"] == [["#r", f"timestamp={second}"]]


def test_a_moment_that_has_not_come_is_now(reader: tuple[House, Client, Client, Native]) -> None:
    _, one, two, _ = reader
    answer = only(one.ask("MARKREAD #r timestamp=2100-01-01T00:00:00.000Z"), "MARKREAD").params
    assert answer[1] < f"timestamp={encode.stamp(int(time.time() * 1000) + 60_000)}"
    assert only(two.sync(), "MARKREAD").params == answer


def test_a_preference_reaches_every_kind_of_client(house: House) -> None:
    caps = ("draft/metadata-3", "batch")
    house.account("alice", "sesame")
    alice = house.join("alice", *caps, password="sesame", rooms=("#r",))
    bob = house.join("bob", *caps, rooms=("#r",))
    deaf = house.join("deaf", *caps, rooms=("#r",))
    for client in (alice, bob):
        client.ask("METADATA * SUB color")
    native = Native(house.port, "alice", "sesame")
    other = Native(house.port, "carol")
    for client in (alice, bob, deaf):
        client.sync()
    native.ask("done", t="set", key="irc/color", value="red")
    for client in (alice, bob):
        assert only(client.sync(), "761").params[1:] == ["alice", "color", "*", "red"]
    assert deaf.sync() == []
    told = other.until("preferred")
    assert (told["to"], told["key"], told["value"]) == ("@alice", "irc/color", "red")
    other.sync()
    alice.ask("METADATA * SET color :blue")
    assert only(bob.sync(), "761").params[-1] == "blue"
    assert [event["value"] for event in native.sync() if event["t"] == "preferred"] == ["blue"]
    assert [event["value"] for event in other.sync() if event["t"] == "preferred"] == ["blue"]
    alice.ask("METADATA #r SET color :green")
    assert only(bob.sync(), "761").params[1:] == ["#r", "color", "*", "green"]
    assert [event["to"] for event in native.sync() if event["t"] == "preferred"] == ["#r"]
    assert other.sync() == []  # it is not in the room
    alice.ask("METADATA * CLEAR")
    assert commands(bob.sync()) == ["766"]
    native.close()
    other.close()


def test_a_private_preference_is_nobodys_business(house: House) -> None:
    native, other = Native(house.port, "alice"), Native(house.port, "bob")
    native.sync()
    other.sync()
    native.ask("done", t="set", key="receipts", value="off")
    assert other.sync() == []
    native.close()
    other.close()


def test_wallops_is_an_announcement_of_its_kind(house: House) -> None:
    op, hearer, deaf = house.join("op"), house.join("hearer"), house.join("deaf")
    native = Native(house.port, "nina")
    op.ask("OPER boss secret")
    hearer.ask("MODE hearer +w")
    native.sync()
    for client in (hearer, deaf):
        client.sync()
    assert commands(op.ask("WALLOPS :hear, hear")) == ["WALLOPS"]
    line = only(hearer.sync(), "WALLOPS")
    assert (str(line.source).partition("!")[0], line.params) == ("op", ["hear, hear"])
    assert deaf.sync() == []
    told = [event for event in native.sync() if event["t"] == "announced"]
    assert [(event["by"], event["text"], event["kind"]) for event in told] == [("op", "hear, hear", "wallops")]
    native.close()
