"""Damage at rest: found at the start or by a check, left out loudly, and never served as if it had been said."""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
import shutil
import sqlite3
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from support.loglab import append, said, texts
from tcpchat.core.model import Arrived, Claimed, Edited, Query, Removed, RoomMade
from tcpchat.log import LogError, LogLost, checking, schema, sums, told
from tcpchat.log.checking import check
from tcpchat.log.sqlite import SqliteLog


async def kept(folder: Path, count: int = 40) -> Path:
    """A log that was closed, with messages of one room."""
    log = SqliteLog(folder / "log.db")
    await log.open()
    await append(log, *(said(1, 1, f"duck number {n}") for n in range(1, count + 1)))
    await log.settle()
    await log.close()
    return log.path


async def left_open(folder: Path, count: int = 40) -> Path:
    """The files of a log whose process was killed: nothing of it has gone from the write-ahead log into the file."""
    log = SqliteLog(folder / "live.db")
    await log.open()
    for n in range(1, count + 1):
        await append(log, said(1, 1, f"duck number {n}"))
    for suffix in ("", "-wal", "-head"):
        shutil.copyfile(f"{log.path}{suffix}", folder / f"log.db{suffix}")
    await log.close()
    return folder / "log.db"


def change(path: Path, sql: str, *values: object) -> None:
    with sqlite3.connect(path) as db:
        db.execute(sql, values)
    db.close()


# -- one entry ---------------------------------------------------------------------------------------------------------

SPOILT = [b'{"f":"said","room":1', b'{"f":"said","text":"\xff\xfe"}', b"", b"null", b'{"f":"nothing"}', "text", 7, None]


@pytest.mark.parametrize("with_sum", [True, False])
@pytest.mark.parametrize("body", SPOILT, ids=str)
async def test_an_entry_that_cannot_be_read_is_stepped_over_by_everybody(
    tmp_path: Path, body: object, with_sum: bool, caplog: pytest.LogCaptureFixture
) -> None:
    path = await kept(tmp_path)
    if body is None:
        change(path, "DELETE FROM entries WHERE seq = 20")
    else:
        change(path, f"UPDATE entries SET body = ?{'' if with_sum else ', sum = NULL'} WHERE seq = 20", body)
    log = SqliteLog(path)
    await log.open()
    replayed: list[int] = []
    await log.replay(0, lambda entries: replayed.extend(entry.seq for entry in entries))
    expected = [n for n in range(1, 41) if n != 20]
    assert replayed == expected
    found = [row.seq for row in (await log.ask(Query(kind="feed", rooms=(1,), limit=100))).rows]
    assert found == expected
    page = await log.ask(Query(kind="page", rooms=(1,), around=20, limit=4))
    assert [row.seq for row in page.rows] == [18, 19, 21]
    hits = await log.ask(Query(kind="search", rooms=(1,), words="duck", limit=100))
    assert sorted(row.seq for row in hits.rows) == expected
    assert (await log.ask(Query(kind="entry", seq=20))).rows == ()
    entries = await append(log, said(1, 1, "behind it"), Removed(room=1, user=1, seq=20))
    assert entries[0].seq == 41
    await log.settle()
    assert log.damage.seqs == {20}
    assert caplog.text.count("entry 20 is damaged") == 1
    await log.close()


async def test_a_text_with_one_changed_byte_is_not_served(tmp_path: Path) -> None:
    path = await kept(tmp_path)
    content = path.read_bytes()
    assert content.count(b'"duck number 7"') == 1
    path.write_bytes(content.replace(b'"duck number 7"', b'"duck number 8"'))
    log = SqliteLog(path)
    await log.open()
    assert "duck number 7" not in (there := texts(await log.ask(Query(kind="page", rooms=(1,), limit=100))))
    assert there.count("duck number 8") == 1
    await log.close()


async def test_a_feed_comes_past_pages_of_damage(tmp_path: Path) -> None:
    path = await kept(tmp_path)
    change(path, "UPDATE entries SET body = x'00' WHERE seq BETWEEN 5 AND 35")
    log = SqliteLog(path)
    await log.open()
    log._tail.forget(100)
    result = await log.ask(Query(kind="feed", rooms=(1,), after=4, limit=10))
    assert [row.seq for row in result.rows] == [36, 37, 38, 39, 40]
    older = await log.ask(Query(kind="page", rooms=(1,), before=36, limit=10))
    assert [row.seq for row in older.rows] == [1, 2, 3, 4]
    newer = await log.ask(Query(kind="page", rooms=(1,), after=4, limit=10))
    assert [row.seq for row in newer.rows] == [36, 37, 38, 39, 40]
    await log.close()


async def test_who_and_what_was_made_keeps_its_number(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "log.db")
    await log.open()
    await append(
        log, Arrived(login="duck", device="d"), Claimed(login="goose"), Claimed(login="duck", user=1),
        RoomMade(name="#pond", by=2),
    )  # fmt: skip
    await log.close()
    for letter, other in ((b"duck", b"dusk"), (b"goose", b"gooze"), (b"#pond", b"#bond")):
        content = log.path.read_bytes()
        log.path.write_bytes(content.replace(letter, other))
    again = SqliteLog(log.path)
    await again.open()
    assert await facts_there(again) == [
        Arrived(login="damaged-1", device=""),
        Arrived(login="damaged-2", device=""),
        RoomMade(name="#damaged-4", by=2),
    ]  # the third one, which made nobody, is left out
    await again.close()


async def facts_there(log: SqliteLog) -> list[object]:
    found: list[object] = []
    await log.replay(0, lambda entries: found.extend(entry.fact for entry in entries))
    return found


async def test_an_entry_listed_in_another_room_is_not_shown_there(tmp_path: Path) -> None:
    path = await kept(tmp_path)
    change(path, "UPDATE places SET room = 2 WHERE seq = 20")
    log = SqliteLog(path)
    await log.open()
    for kind in ("feed", "page"):
        assert (await log.ask(Query(kind=kind, rooms=(2,)))).rows == ()
    await log.close()


async def test_a_damaged_snapshot_is_not_taken(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "log.db")
    await log.open()
    for place in (1, 2):
        await append(log, said(1, 1, "a"))
        await log.snapshot(place, b"state %d" % place)
    await log.close()
    change(log.path, "UPDATE snapshots SET state = 'state 3' WHERE seq = 2")
    again = SqliteLog(log.path)
    assert (await again.open())[:2] == (1, b"state 1")
    await again.close()


# -- the end of the log ------------------------------------------------------------------------------------------------


async def opened(path: Path) -> SqliteLog:
    log = SqliteLog(path)
    await log.open()
    await log.close()
    return log


def cut(path: Path) -> None:
    wal = path.with_name(path.name + "-wal")
    os.truncate(wal, wal.stat().st_size // 2)


def flip(path: Path) -> None:
    wal = path.with_name(path.name + "-wal")
    content = bytearray(wal.read_bytes())
    content[len(content) // 2] ^= 0x40
    wal.write_bytes(content)


def unlink(path: Path) -> None:
    path.with_name(path.name + "-wal").unlink()


def empty(path: Path) -> None:
    unlink(path)
    os.truncate(path, 0)


@pytest.mark.parametrize("harm", [cut, flip, unlink, empty])
async def test_messages_that_are_missing_are_missed(
    tmp_path: Path, harm: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    path = await left_open(tmp_path)
    lineage = told.read(path)
    assert lineage is not None
    harm(path)
    log = await opened(path)
    missing = 40 - log.head
    assert missing > 0
    assert f"{missing} messages that were told accepted are missing: 40 were told, {log.head} are there" in caplog.text
    assert log.lineages()[-1].id != lineage.lineage
    assert path.with_name("log.db-wal.damaged").exists() == (harm in (cut, flip))
    caplog.clear()
    log = await opened(path)  # it is said once
    assert "missing" not in caplog.text


async def test_nothing_is_missing_after_a_kill(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = await left_open(tmp_path)
    log = await opened(path)
    assert log.head == 40
    assert len(log.lineages()) == 1
    assert caplog.text == ""


async def test_another_file_in_its_place(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "other").mkdir()
    path, other = await kept(tmp_path), await kept(tmp_path / "other", 50)
    shutil.copyfile(other, path)
    assert len((await opened(path)).lineages()) == 2
    assert "other messages are in it" in caplog.text


async def test_a_record_that_cannot_be_read_says_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = await kept(tmp_path)
    record = told.beside(path)
    content = record.read_bytes()
    for spoilt in (b"", content[:40], content.replace(b"40 ", b"90 "), b"\xff" * 100):
        record.write_bytes(spoilt)
        assert len((await opened(path)).lineages()) == 1
    assert caplog.text == ""


async def test_a_record_of_before_a_power_cut_is_behind(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It was not synced: it may tell of an entry that has been deleted for its age since."""
    log = SqliteLog(tmp_path / "log.db")
    await log.open()
    await append(log, *(said(1, 1, f"old {n}") for n in range(5)), at=1)
    before = told.beside(log.path).read_bytes()
    await append(log, *(said(1, 1, f"new {n}") for n in range(5)), at=2)
    between = told.beside(log.path).read_bytes()
    await append(log, said(1, 1, "newest"), at=3)
    await log.snapshot(11, b"")
    await log.settle()
    assert await log.forget(2) == 5
    for record in (before, between):
        await log.close()
        told.beside(log.path).write_bytes(record)
        log = SqliteLog(log.path)
        await log.open()
    assert await log.forget(3) == 5
    await log.close()
    told.beside(log.path).write_bytes(before)
    assert len((await opened(log.path)).lineages()) == 1
    assert caplog.text == ""


async def test_the_record_is_never_ahead(log: SqliteLog) -> None:
    log._store.db.execute("PRAGMA max_page_count = 1")
    with pytest.raises(LogError):
        await append(log, *(said(1, 1, "text " * 1_000) for _ in range(100)))
    assert (record := told.read(log.path)) is not None
    assert record.seq == 0


# -- the chain ---------------------------------------------------------------------------------------------------------


async def test_the_chain_goes_through_restarts_erasures_and_retention(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sums, "BLOCK", 8)
    values: dict[str, bytes] = {}
    for way in ("straight", "winding"):
        log = SqliteLog(tmp_path / f"{way}.db")
        await log.open()
        for n in range(1, 60):
            await append(log, said(1, 1, f"word{n}"), at=n)
            if way == "winding" and n % 7 == 0:
                await log.settle()
                await log.snapshot(log.head, b"")
                await log.forget(n - 10)
                await log.close()
                log = SqliteLog(log.path)
                await log.open()
        await append(log, Edited(room=1, user=1, seq=55, text="edited"), Removed(room=1, user=1, seq=56), at=70)
        await log.settle()
        values[way] = sums.chain_at(log._store.db, log.head).value
        assert log._store.chain.value == values[way]
        await log.close()
        assert (record := told.read(log.path)) is not None
        assert record.chain == values[way]
        assert len((await opened(log.path)).lineages()) == 1
    assert values["straight"] == values["winding"]
    assert sums.START not in values.values()


async def test_a_chain_begins_where_an_older_file_ends(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    with sqlite3.connect(path) as db:
        for migration in schema.MIGRATIONS[:2]:
            for statement in migration:
                db.execute(statement)
        db.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
        db.execute("PRAGMA user_version = 2")
        for seq in range(1, 300):
            db.execute("INSERT INTO entries VALUES (?, 5, 1, ?)", (seq, b'{"f":"said","room":1,"user":1,"by":"a"'
                       b',"text":"old","to":"#all"}'))  # fmt: skip
    db.close()
    log = SqliteLog(path)
    await log.open()
    await append(log, *(said(1, 1, "new") for _ in range(300)))
    await log.close()
    log = await opened(path)
    assert len(log.lineages()) == 1
    assert log.head == 599


# -- a check -----------------------------------------------------------------------------------------------------------


async def test_a_check_finds_nothing_where_nothing_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (sums, checking):
        monkeypatch.setattr(module, "BLOCK", 8)
    log = SqliteLog(tmp_path / "log.db")
    await log.open()
    assert check(log.path).whole
    for n in range(1, 60):
        await append(log, said(1, 1, f"word{n}"), Removed(room=1, user=1, seq=n), at=n)
    await log.snapshot(log.head, b"state")
    assert check(log.path).whole  # while the indexes are behind
    await log.settle()
    await log.forget(20)
    report = check(log.path)
    assert (report.faults(), report.verdict) == ([], "ok")
    assert (report.entries, report.first, report.last, report.told) == (80, 39, 118, 118)
    await log.backup(tmp_path / "copy.db")
    await log.close()
    assert check(log.path).whole
    assert check(tmp_path / "copy.db").whole


FAULTS = {
    "DELETE FROM entries WHERE seq = 20": "1 entries are missing",
    "DELETE FROM entries WHERE seq > 35": "5 messages that were told accepted are missing",
    "UPDATE entries SET body = replace(body, 'duck', 'dock') WHERE seq = 7": "are left out: 7.",
    "UPDATE entries SET body = x'ff', sum = NULL WHERE seq IN (7, 9)": "2 entries are damaged and are left out: 7, 9",
    "UPDATE entries SET sum = (SELECT sum FROM entries WHERE seq = 8), body = (SELECT body FROM entries WHERE seq = 8)"
    " WHERE seq = 9": "1 entries are damaged",
    "UPDATE places SET room = 2 WHERE seq = 20": "A room's list",
    "UPDATE snapshots SET state = 'other'": "The state saved at entry 40 is damaged",
}


@pytest.mark.parametrize("sql", FAULTS)
async def test_a_check_finds_what_is_wrong(tmp_path: Path, sql: str) -> None:
    path = await kept(tmp_path)
    log = SqliteLog(path)
    await log.open()
    await log.snapshot(40, b"state")
    await log.close()
    change(path, sql)
    report = check(path)
    assert not report.whole
    assert FAULTS[sql] in " ".join(report.faults())


async def test_a_check_finds_entries_that_were_replaced_by_right_ones(tmp_path: Path) -> None:
    path = await kept(tmp_path)
    body = b'{"f":"said","room":1,"user":1,"by":"user1","text":"forged","to":"#room"}'
    change(path, "UPDATE entries SET body = ?, sum = ? WHERE seq = 9", body, sums.digest(9, 1_000, 1, body))
    assert "The chain of the entries breaks at entry 40" in " ".join(check(path).faults())


@pytest.mark.parametrize("harm", [cut, flip, unlink, empty])
async def test_a_check_finds_that_the_end_is_missing(tmp_path: Path, harm: Callable[[Path], None]) -> None:
    path = await left_open(tmp_path)
    harm(path)
    before = contents(path)
    assert is_found(path)
    assert contents(path).items() >= before.items()


# -- its files go away under it ----------------------------------------------------------------------------------------


def delete(path: Path) -> None:
    path.unlink()


def replace(path: Path) -> None:
    shutil.copyfile(path, path.with_name("copy"))
    os.replace(path.with_name("copy"), path)


def move_folder(path: Path) -> None:
    path.parent.rename(path.parent.with_name("away"))


@pytest.mark.parametrize("harm", [delete, replace, move_folder, unlink])
async def test_a_log_whose_files_go_away_takes_nothing_more(
    tmp_path: Path, harm: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tcpchat.log.sqlite.WATCH_SECONDS", 0.01)
    (tmp_path / "folder").mkdir()
    log = SqliteLog(tmp_path / "folder" / "log.db")
    await log.open()
    await append(log, said(1, 1, "a"))
    lost: asyncio.Future[LogError] = asyncio.get_running_loop().create_future()
    log.on_lost = lost.set_result
    harm(log.path)
    assert "deleted or replaced" in str(await asyncio.wait_for(lost, 10))
    with pytest.raises(LogLost, match="Nothing more is accepted"):
        await append(log, said(1, 1, "b"))
    await log.close()


# -- any byte ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("of", ["file", "wal"])
@pytest.mark.parametrize("seed", range(4))
async def test_a_flipped_byte_is_never_served_as_said(
    tmp_path: Path, of: str, seed: int, caplog: pytest.LogCaptureFixture
) -> None:
    """25 bytes a round, 200 in all: what is served is what was said, and what is not served was reported."""
    dice = random.Random(seed)
    whole = await (kept(tmp_path, 400) if of == "file" else left_open(tmp_path, 60))
    count = 400 if of == "file" else 60
    expected = {n: f"duck number {n}" for n in range(1, count + 1)}
    files = contents(whole)
    for turn in range(25):
        folder = tmp_path / str(turn)
        folder.mkdir()
        for suffix, content in files.items():
            spoilt = bytearray(content)
            if suffix == ("" if of == "file" else "-wal"):
                spoilt[dice.randrange(len(spoilt))] ^= dice.randrange(1, 256)
            (folder / f"log.db{suffix}").write_bytes(spoilt)
        caplog.clear()
        found = is_found(folder / "log.db")
        served = await what_is_served(folder / "log.db")
        if served is None:
            continue  # it does not start, and says why
        for seq, text in served.items():
            assert expected[seq] == text
        assert served == expected or found, turn
        assert served == expected or "missing" in caplog.text or "damaged" in caplog.text, turn


def contents(path: Path) -> dict[str, bytes]:
    """The files of a log, by what stands behind its name."""
    found = [(suffix, path.with_name(path.name + suffix)) for suffix in ("", "-wal", "-head")]
    return {suffix: one.read_bytes() for suffix, one in found if one.exists()}


def is_found(path: Path) -> bool:
    """Does a check find that something is wrong?"""
    try:
        return not check(path).whole
    except sqlite3.Error:
        return True


async def what_is_served(path: Path) -> dict[int, str] | None:
    """seq -> text by all ways to read; None when the log says that it cannot be used."""
    served: dict[int, str] = {}
    log = SqliteLog(path)
    try:
        await log.open()
        try:
            rows = list((await log.ask(Query(kind="feed", rooms=(1,), limit=1_000))).rows)
            log._tail.forget(1 << 50)
            for query in (
                Query(kind="feed", rooms=(1,), limit=1_000),
                Query(kind="page", rooms=(1,), limit=1_000),
                Query(kind="search", rooms=(1,), words="duck", limit=1_000),
            ):
                rows += (await log.ask(query)).rows
            served |= {row.seq: row.fact.text for row in rows}  # type: ignore[union-attr]
            served |= dict(await replayed(log))
        finally:
            await log.close()
    except LogError:
        return None
    return served


async def replayed(log: SqliteLog) -> list[tuple[int, str]]:
    found: list[tuple[int, str]] = []
    await log.replay(0, lambda entries: found.extend((entry.seq, entry.fact.text) for entry in entries))  # type: ignore[union-attr]
    return found


def test_sums_of_before_are_good() -> None:
    """Files that were written when checksums were blake2b are read on, and damage in them is still seen."""
    where = struct.pack("<qqq", 7, 1_000, 1)
    kept = hashlib.blake2b(where + b"quack", digest_size=sums.DIGEST).digest()
    assert sums.intact(7, 1_000, 1, b"quack", kept)
    assert not sums.intact(7, 1_000, 1, b"quick", kept)


def test_a_batch_has_the_sums_of_its_entries() -> None:
    """Made all at once, over the ends of blocks, sums are what each entry's would be, and so is the chain."""
    rows = [(seq, 1_000, 1, b"quack %d" % seq, None) for seq in range(1, 3 * sums.BLOCK + 9)]
    values = [value for row in rows for value in row]
    whole, one_by_one = sums.Chain().over(values), sums.Chain()
    for place, row in enumerate(rows):
        alone = list(row)
        one_by_one = one_by_one.over(alone)
        assert values[5 * place + 4] == alone[4]
        assert values[5 * place + 4][: sums.DIGEST] == sums.digest(*row[:4])
        assert (len(alone[4]) > sums.DIGEST) == (row[0] % sums.BLOCK == 0)
    assert whole.value == one_by_one.value
