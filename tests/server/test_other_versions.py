"""A folder that another version of the program left behind: older ones are brought up to date, newer ones are refused
with a sentence that says what to do, and nothing in the folder is changed."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from support.rawpeer import Peer, Start
from tcpchat.core import state
from tcpchat.core.state import VERSION, State, StateError
from tcpchat.core.version import VERSION as PROGRAM
from tcpchat.log import LogError
from tcpchat.log.sums import digest
from tcpchat.server import Server


async def left_behind(start: Start) -> int:
    server = await start()
    duck = await Peer.enter(server.port, "duck", device="d")
    await duck.say("#all", "quack", 1)
    await duck.gone()
    await server.stop()
    assert server.log is not None
    return server.log.head


def change_snapshot(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    with sqlite3.connect(folder / "tcpchat.db") as db:
        for seq, state in db.execute("SELECT seq, state FROM snapshots").fetchall():
            record = msgspec.msgpack.decode(state)
            change(record)
            data = msgspec.msgpack.encode(record)
            db.execute("UPDATE snapshots SET state = ?, sum = ? WHERE seq = ?", (data, digest(seq, 0, 0, data), seq))
    db.close()


def add_entry(folder: Path, seq: int, body: bytes) -> None:
    with sqlite3.connect(folder / "tcpchat.db") as db:
        at, room = db.execute("SELECT at, 1 FROM entries ORDER BY seq DESC").fetchone()
        kept = digest(seq, at, room, body)
        names = ("seq", "at", "room", "body", "sum")
        db.execute(f"INSERT INTO entries ({', '.join(names)}) VALUES (?, ?, ?, ?, ?)", (seq, at, room, body, kept))
    db.close()
    (folder / "tcpchat.db-told").unlink(missing_ok=True)


async def test_a_snapshot_of_a_newer_version_is_refused(start: Start, tmp_path: Path) -> None:
    await left_behind(start)
    change_snapshot(tmp_path / "data", lambda record: record.update(version=VERSION + 1, program="9.8.7"))
    with pytest.raises(
        LogError, match=rf"version {VERSION + 1}, written by tcpchat 9.8.7.*{PROGRAM}.*Start tcpchat 9.8.7"
    ):
        await Server(port=0, data=tmp_path / "data").start()


async def test_the_command_says_it_in_a_sentence(start: Start, tmp_path: Path) -> None:
    await left_behind(start)
    change_snapshot(tmp_path / "data", lambda record: record.update(version=VERSION + 5))
    command = [sys.executable, "-m", "tcpchat", "serve", "--port", "0", "--data", str(tmp_path / "data")]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert f"of version {VERSION + 5}" in done.stderr
    assert "Start the newer tcpchat" in done.stderr


@pytest.mark.parametrize("version", [0, -1])
def test_a_version_that_no_program_had_is_refused(version: int) -> None:
    record = msgspec.msgpack.decode(State().dump())
    record["version"] = version
    with pytest.raises(StateError, match=f"of version {version}"):
        State.load(msgspec.msgpack.encode(record))


@pytest.mark.parametrize("data", [b"", b"\xc1", b"\x80", b"{}", msgspec.msgpack.encode({"version": VERSION})])
def test_what_is_no_snapshot_is_refused(data: bytes) -> None:
    with pytest.raises(StateError, match="cannot be read"):
        State.load(data)


def test_fields_of_a_later_program_of_this_version_are_no_hindrance() -> None:
    """It may add some, and an older program starts on what it left behind."""
    record = msgspec.msgpack.decode(State().dump())
    record["pins"] = [1]
    for room in record["rooms"]:
        room.append("pinned")
    assert State.load(msgspec.msgpack.encode(record)).dump() == State().dump()


def test_an_older_version_is_brought_up_to_date_step_by_step(monkeypatch: pytest.MonkeyPatch) -> None:
    record = msgspec.msgpack.decode(State().dump())
    founded = record.pop("founded")
    record["owned"] = not founded

    def turned(snapshot: dict[str, Any]) -> None:
        snapshot["begun"] = snapshot.pop("owned")

    def renamed(snapshot: dict[str, Any]) -> None:
        snapshot["founded"] = snapshot.pop("begun")

    monkeypatch.setattr(state, "VERSION", VERSION + 2)
    monkeypatch.setattr(state, "MIGRATIONS", {VERSION: turned, VERSION + 1: renamed})
    found = State.load(msgspec.msgpack.encode(record))
    assert found.founded is not founded
    assert msgspec.msgpack.decode(found.dump())["version"] == VERSION + 2
    record["version"] = VERSION - 1
    with pytest.raises(StateError, match=f"reads versions {VERSION} to {VERSION + 2}"):
        State.load(msgspec.msgpack.encode(record))


@pytest.mark.parametrize("body", [b'{"f":"pinned","room":1,"seq":1}', b'{"f":"said","room":"new","user":1}'])
async def test_an_entry_of_a_newer_program_is_refused(start: Start, tmp_path: Path, body: bytes) -> None:
    head = await left_behind(start)
    add_entry(tmp_path / "data", head + 1, body)
    with pytest.raises(LogError, match=rf"entry {head + 1} .* newer version of tcpchat; this is {PROGRAM}"):
        await Server(port=0, data=tmp_path / "data").start()
