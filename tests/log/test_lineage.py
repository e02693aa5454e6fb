"""Whose entries a log holds: new files, files of older programs, copies, logs that went back in time."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from support.loglab import append, said
from tcpchat.log import Lineage, schema
from tcpchat.log.codec import encode
from tcpchat.log.sqlite import SqliteLog


async def lineages_of(path: Path) -> tuple[Lineage, ...]:
    log = SqliteLog(path)
    await log.open()
    await log.close()
    return log.lineages()


async def test_a_new_log_has_one_and_keeps_it(log: SqliteLog, tmp_path: Path) -> None:
    (one,) = log.lineages()
    assert one.since == 0
    assert len(bytes.fromhex(one.id)) == 16
    await append(log, said(1, 1, "a"))
    await log.close()
    assert await lineages_of(log.path) == (one,)
    assert (await lineages_of(tmp_path / "other.db"))[0].id != one.id


async def test_a_file_of_the_first_format_gets_one(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    with sqlite3.connect(path) as db:
        for statement in schema.MIGRATIONS[0]:
            db.execute(statement)
        db.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
        db.execute("PRAGMA user_version = 1")
        db.execute("INSERT INTO entries VALUES (1, 5, 1, ?)", (encode(said(1, 1, "a")),))
    db.close()
    (one,) = await lineages_of(path)
    assert one.since == 0
    assert await lineages_of(path) == (one,)


async def test_a_copy_that_is_written_to_goes_its_own_way(log: SqliteLog, tmp_path: Path) -> None:
    await append(log, said(1, 1, "a"), said(1, 1, "b"))
    copy = tmp_path / "copy.db"
    await log.backup(copy)
    await append(log, said(1, 1, "c"))
    assert len(log.lineages()) == 1  # the source stays what it is
    first, second = await lineages_of(copy)
    assert (first,) == log.lineages()
    assert second.since == 2
    assert second.id != first.id
    assert await lineages_of(copy) == (first, second)  # once


async def test_two_restored_from_one_copy_are_not_the_same(log: SqliteLog, tmp_path: Path) -> None:
    await append(log, said(1, 1, "a"))
    await log.backup(tmp_path / "copy.db")
    (tmp_path / "again.db").write_bytes((tmp_path / "copy.db").read_bytes())
    one, other = await lineages_of(tmp_path / "copy.db"), await lineages_of(tmp_path / "again.db")
    assert one[0] == other[0]
    assert one[1] != other[1]


async def test_a_log_that_went_back_in_time(log: SqliteLog) -> None:
    await append(log, said(1, 1, "a"))
    (first,) = log.lineages()
    second = await log.new_lineage()
    assert log.lineages() == (first, second)
    assert second.since == 1
    await append(log, said(1, 1, "b"))
    await log.close()
    assert await lineages_of(log.path) == (first, second)
