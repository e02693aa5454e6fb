"""A short line of one client brings a bounded answer, whatever it asks."""

from __future__ import annotations

import pytest

from support.ircpeer import House, commands
from tcpchat.doors.irc import channels, metadata, modes, network


def test_a_mode_of_very_many_letters(house: House) -> None:
    a = house.join("alice", rooms=("#r",))
    assert commands(a.ask("MODE #r " + "Z" * 450)) == ["472"] * modes.LETTERS_MAX
    assert commands(a.ask("MODE #r +" + "b" * 450)) == ["368"]
    assert commands(a.ask("PROP #r ban ban ban ban ban ban")) == commands(a.ask("PROP #r ban"))


def test_names_of_one_room_many_times(house: House) -> None:
    a = house.join("alice", rooms=("#r",))
    assert commands(a.ask("NAMES " + ",".join(["#r", "#R"] * 60))) == ["353", "366"]


def test_a_list_of_very_many_rooms(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channels, "LIST_MAX", 3)
    monkeypatch.setattr(channels, "NAMES_ROOMS", 3)
    a = house.join("alice", rooms=tuple(f"#r{number}" for number in range(5)))
    assert commands(a.ask("LIST")) == ["321", "322", "322", "322", "323", "NOTICE"]
    assert commands(a.ask("LIST #r1,#r2")) == ["321", "322", "322", "323"]
    assert commands(a.ask("NAMES")) == ["353"] * 3 + ["366"]
    assert house.support["TARGMAX"].split(",")[2] == f"LIST:{network.LIST_WORDS}"


def test_who_may_write_has_an_end(house: House) -> None:
    a = house.join("alice")
    for start in range(0, 2 * network.ACCEPT_MAX, 50):
        a.ask("ACCEPT " + ",".join(f"n{number}" for number in range(start, start + 50)))
    face = network.Face("x")
    for number in range(2 * network.ACCEPT_MAX):
        face.accept(str(number))
    assert face.accepted is not None
    assert len(face.accepted) == network.ACCEPT_MAX


def test_facts_of_a_room_have_an_end(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "SYNC_MAX", 4)
    people = [house.join(f"n{number}", "draft/metadata-2", "batch", rooms=("#r",)) for number in range(3)]
    for one in people:
        one.ask("METADATA * SET a 1", "METADATA * SET b 2", "METADATA * SET c 3")
    asker = house.join("asker", "draft/metadata-2", "batch")
    asker.ask("METADATA * SUB a b c")
    told = asker.ask("JOIN #r")
    assert sum(line.command in ("METADATA", "761") for line in told) == 4
    told = asker.ask("METADATA #r SYNC")
    assert sum(line.command in ("METADATA", "761") for line in told) == 4
