"""Order, durability, cursors, snapshots, edits and erasures, retention, backup."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from support.loglab import append, facts, said, seqs, texts
from tcpchat.core.model import (
    FORGOTTEN,
    Append,
    Arrived,
    Deleted,
    Edited,
    Gone,
    Joined,
    Keep,
    Origin,
    Query,
    Removed,
    Said,
)
from tcpchat.log import LogError, schema, writing
from tcpchat.log.sqlite import SqliteLog
from tcpchat.log.writing import Store


async def reopened(log: SqliteLog) -> SqliteLog:
    await log.close()
    again = SqliteLog(log.path)
    await again.open()
    return again


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def told_when(store: Store, method: str) -> asyncio.Event:
    """An event that is set when the writer has done something once more."""
    done, loop, work = asyncio.Event(), asyncio.get_running_loop(), getattr(store, method)

    def watched(*args: Any) -> Any:
        answer = work(*args)
        loop.call_soon_threadsafe(done.set)
        return answer

    setattr(store, method, watched)
    return done


def bytes_of(log: SqliteLog) -> bytes:
    """All that is on disk of a log."""
    return b"".join(path.read_bytes() for path in log.path.parent.glob(log.path.name + "*"))


# -- appending ---------------------------------------------------------------------------------------------------------


async def test_a_new_log_is_empty(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "deep" / "folder" / "log.db")
    assert await log.open() == (0, None, [])
    assert log.head == 0
    assert await facts(log) == []
    await log.close()


async def test_a_folder_gets_the_usual_file(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path)
    await log.open()
    await log.close()
    assert names(tmp_path) == ["tcpchat.db", "tcpchat.db-head", "tcpchat.db.lock"]


@pytest.mark.parametrize("count", [1, 2, 3, 16, 17, 100, 512, 513, 2_000])
async def test_a_batch_keeps_its_order_and_its_origins(log: SqliteLog, count: int) -> None:
    origin = Origin(session=None)  # type: ignore[arg-type]
    batch = [Append(said(place, 1, f"text {place}"), origin) for place in range(1, count + 1)]
    entries = await log.append(batch, 5_000)
    assert [entry.seq for entry in entries] == list(range(1, count + 1))
    assert all(entry.at == 5_000 and entry.origin is origin for entry in entries)
    assert log.head == count
    log = await reopened(log)
    assert log.head == count
    assert await facts(log) == [item.fact for item in batch]
    assert await facts(log, after=count - 1) == [batch[-1].fact]
    await log.close()


async def test_nothing_to_append_is_nothing(log: SqliteLog) -> None:
    assert await log.append([], 1) == []
    assert log.head == 0


async def test_every_kind_of_fact_comes_back(log: SqliteLog) -> None:
    given = [
        Arrived(login="Утка", device="d1"),
        said(1, 1, "\x00 \U0001f986 \\ \" '", tags={"a": "b"}, re=3, kind="action"),
        Joined(room=2, user=1),
        Deleted(user=1, by=2),
    ]
    await append(log, *given)
    log = await reopened(log)
    assert await facts(log) == given
    await log.close()


async def test_times_never_go_back(log: SqliteLog) -> None:
    await append(log, said(1, 1, "a"), at=5_000)
    (entry,) = await append(log, said(1, 1, "b"), at=4_000)
    assert entry.at == 5_000
    log = await reopened(log)
    (entry,) = await append(log, said(1, 1, "c"), at=3_000)
    assert entry.at == 5_000
    await log.close()


async def test_one_append_at_a_time(log: SqliteLog) -> None:
    first = asyncio.ensure_future(append(log, said(1, 1, "a")))
    await asyncio.sleep(0)
    with pytest.raises(RuntimeError, match="one append at a time"):
        await append(log, said(1, 1, "b"))
    await first


async def test_closing_twice_is_closing_once(log: SqliteLog) -> None:
    await append(log, said(1, 1, "a"))
    await log.close()
    await log.close()
    with pytest.raises(RuntimeError, match="closed"):
        await append(log, said(1, 1, "b"))
    with pytest.raises(LogError, match="closed"):
        await log.ask(Query(kind="page", rooms=(1,)))
    assert names(log.path.parent) == ["log.db", "log.db-head", "log.db.lock"]


async def test_a_log_that_was_never_opened_can_be_closed(tmp_path: Path) -> None:
    await SqliteLog(tmp_path / "log.db").close()


# -- cursors and snapshots ---------------------------------------------------------------------------------------------


async def cursors_of(log: SqliteLog) -> list[tuple[int, str, int, int]]:
    again = SqliteLog(log.path)
    await log.close()
    _, _, cursors = await again.open()
    await again.close()
    return sorted(cursors)


async def test_cursors_only_grow(log: SqliteLog) -> None:
    log.keep([Keep(1, "d", 5, 50), Keep(1, "d", 3, 60), Keep(2, "r:1", 7, 70)])
    await log.settle()
    log.keep([Keep(1, "d", 4, 80), Keep(2, "r:1", 9, 90)])
    assert await cursors_of(log) == [(1, "d", 5, 50), (2, "r:1", 9, 90)]


async def test_a_forgotten_cursor_is_gone_and_may_come_again(log: SqliteLog) -> None:
    log.keep([Keep(1, "d:a", 5, 50), Keep(1, "d:b", 7, 60)])
    await log.settle()
    log.keep([Keep(1, "d:a", FORGOTTEN, 70)])
    assert await cursors_of(log) == [(1, "d:b", 7, 60)]


async def test_cursors_become_durable_while_nothing_is_said(log: SqliteLog) -> None:
    written = told_when(log._store, "keep")
    log.keep([Keep(user, "d", 5) for user in range(1_000)])
    await written.wait()
    reader = schema.connect(log.path, read_only=True)
    assert reader.execute("SELECT count(*) FROM cursors").fetchone() == (1_000,)
    reader.close()


async def test_cursors_travel_with_an_append_when_it_is_time(log: SqliteLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tcpchat.log.sqlite.CURSOR_SECONDS", 0.0)
    log.keep([Keep(1, "d", 5)])
    await append(log, said(1, 1, "a"))
    reader = schema.connect(log.path, read_only=True)
    assert reader.execute("SELECT seq FROM cursors").fetchall() == [(5,)]
    reader.close()


@pytest.mark.parametrize("fact", [Gone(user=1), Deleted(user=1, by=2)])
async def test_who_goes_takes_the_cursors_along(log: SqliteLog, fact: Gone | Deleted) -> None:
    log.keep([Keep(1, "d", 5), Keep(2, "d", 6)])
    await log.settle()
    await append(log, fact)
    await log.settle()
    assert await cursors_of(log) == [(2, "d", 6, 0)]


async def test_the_newest_two_snapshots_stay(log: SqliteLog) -> None:
    for place in range(1, 5):
        await append(log, said(1, 1, "a"))
        await log.snapshot(place, b"state %d" % place)
    path = log.path
    await log.close()
    again = SqliteLog(path)
    assert await again.open() == (4, b"state 4", [])
    assert again._store.db.execute("SELECT seq FROM snapshots").fetchall() == [(3,), (4,)]
    await again.close()


# -- edits and erasures ------------------------------------------------------------------------------------------------


async def test_what_is_removed_is_gone_from_the_file(log: SqliteLog) -> None:
    await append(log, said(1, 1, "xyzzysecret one", tags={"t": "xyzzysecret"}), said(1, 2, "stays"))
    await log.settle()
    await append(log, Edited(room=1, user=1, seq=1, text="xyzzysecret two"))
    await log.settle()
    assert b"xyzzysecret" in bytes_of(log)
    await append(log, Removed(room=1, user=1, seq=1))
    assert texts(await log.ask(Query(kind="page", rooms=(1,)))) == ["", "stays"]
    await log.settle()
    assert b"xyzzysecret" not in bytes_of(log)
    assert b"stays" in bytes_of(log)
    log._tail.forget(log.head + 1)
    rows = (await log.ask(Query(kind="feed", rooms=(1,)))).rows
    assert [(row.removed, getattr(row.fact, "text", None)) for row in rows] == [
        (True, ""), (False, "stays"), (True, ""), (False, None),
    ]  # fmt: skip


async def test_an_edit_behind_a_removal_changes_nothing(log: SqliteLog) -> None:
    await append(log, said(1, 1, "first"), Removed(room=1, user=1, seq=1))
    await log.settle()
    await append(log, Edited(room=1, user=1, seq=1, text="xyzzyagain"), Removed(room=1, user=1, seq=1))
    await log.settle()
    log._tail.forget(log.head + 1)
    assert texts(await log.ask(Query(kind="feed", rooms=(1,))))[::2] == ["", ""]
    assert b"xyzzyagain" not in bytes_of(log)


async def test_changes_of_what_is_not_there_are_ignored(log: SqliteLog) -> None:
    await append(log, Joined(room=1, user=1), Edited(room=1, user=1, seq=1, text="x"), Removed(room=1, user=1, seq=99))
    await log.settle()
    assert await facts(log) == [
        Joined(room=1, user=1),
        Edited(room=1, user=1, seq=1, text="x"),
        Removed(room=1, user=1, seq=99),
    ]


async def test_a_user_who_goes_with_all_texts(log: SqliteLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "PART_BITS", 6)
    mine, others = [], []
    for place in range(300):
        (mine if place % 3 else others).append(place)
        await append(log, said(1, 1 if place % 3 else 2, f"plover{place}"))
    await log.settle()
    await append(log, Deleted(user=1, by=2, erase=True), said(1, 2, "after"))
    query = Query(kind="search", rooms=(1,), words="plover", limit=1_000)
    assert len((await log.ask(query)).rows) == len(others)  # at once, whatever the file still holds
    log = await reopened(log)  # and it goes on where it was
    assert len((await log.ask(query)).rows) == len(others)
    await log.settle()
    assert len((await log.ask(query)).rows) == len(others)
    content = bytes_of(log)
    assert not [place for place in mine if b'plover%d"' % place in content]
    assert all(b'plover%d"' % place in content for place in others)
    await log.close()


async def test_the_words_of_what_was_removed_leave_the_index(log: SqliteLog) -> None:
    for place in range(40):
        await append(log, said(1, 1, f"common w{place:04}q"))
        await log.settle()
    await append(log, *(Removed(room=1, user=1, seq=place + 1) for place in range(0, 40, 2)))
    await log.settle()
    content = bytes_of(log)
    assert b"0001q" in content
    assert not [place for place in range(0, 40, 2) if b"w%04dq" % place in content]


# -- retention, backup -------------------------------------------------------------------------------------------------


async def test_forgetting_deletes_and_gives_the_disk_back(log: SqliteLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "PART_BITS", 9)
    for at in range(20):
        await append(
            log, *(said(place % 7, 1, f"plugh{at} " + "long text " * 20) for place in range(100)), at=at * 1_000
        )
    await append(log, Edited(room=3, user=1, seq=1_004, text="edited"), Removed(room=5, user=1, seq=3), at=20_000)
    await log.settle()
    before = log.path.stat().st_size
    assert await log.forget(15_000) == 0  # without a snapshot a start needs every entry
    await log.snapshot(log.head, b"state")
    assert await log.forget(15_000) == 1_500
    await log.settle()
    assert log.path.stat().st_size < before / 2
    assert b"plugh3 " not in bytes_of(log)
    for _ in range(2):
        assert min(seqs(await log.ask(Query(kind="feed", rooms=tuple(range(7)), limit=1_000)))) == 1_501
        assert seqs(await log.ask(Query(kind="search", rooms=(0, 1), words="plugh14"))) == []
        assert len(seqs(await log.ask(Query(kind="search", rooms=(0, 1), words="plugh15", limit=99)))) == 30
        assert seqs(await log.ask(Query(kind="page", rooms=(1,), at=1, limit=1))) == [1_502]
        assert (await log.ask(Query(kind="entry", seq=4))).rows == ()
        log = await reopened(log)
        assert log.head == 2_002
    assert next(fact for fact in await facts_from(log, 1_500) if isinstance(fact, Said)).text.startswith("plugh15")
    await log.close()


async def facts_from(log: SqliteLog, after: int) -> list[object]:
    found: list[object] = []
    await log.replay(after, lambda entries: found.extend(entry.fact for entry in entries))
    return found


async def test_the_newest_entry_stays(log: SqliteLog) -> None:
    await append(log, said(1, 1, "a"), said(1, 1, "b"))
    await log.snapshot(2, b"")
    await log.settle()
    assert await log.forget(1 << 50) == 1
    log = await reopened(log)
    assert (await append(log, said(1, 1, "c")))[0].seq == 3
    await log.close()


async def test_old_entries_go_by_themselves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tcpchat.log.sqlite.RETENTION_SECONDS", 0.01)
    log = SqliteLog(tmp_path / "log.db", retention_days=1)
    await log.open()
    await append(log, *(said(1, 1, "old") for _ in range(10)), at=1)
    shrunk = told_when(log._store, "shrink")  # from before there is anything to do: it may be done at once
    await log.snapshot(10, b"")
    await log.settle()
    await shrunk.wait()
    assert await facts_from(log, 0) == [said(1, 1, "old")]
    await log.close()


async def test_a_backup_is_a_log(log: SqliteLog, tmp_path: Path) -> None:
    await append(log, said(1, 1, "before"))
    log.keep([Keep(1, "d", 1)])
    await log.settle()
    await append(log, said(1, 1, "newest"))

    async def go_on() -> None:
        for _ in range(50):
            await append(log, said(1, 1, "meanwhile"))

    await asyncio.gather(log.backup(tmp_path / "copy.db"), go_on())
    copy = SqliteLog(tmp_path / "copy.db")
    assert await copy.open() == (0, None, [(1, "d", 1, 0)])
    assert texts(await copy.ask(Query(kind="page", rooms=(1,), limit=100)))[:2] == ["before", "newest"]
    await copy.close()
    with pytest.raises(LogError, match="is the log of a chat"):
        await log.backup(tmp_path / "copy.db")
    with pytest.raises(LogError, match="nowhere"):
        await log.backup(tmp_path / "nowhere" / "copy.db")


# -- followers and appends share a thread ------------------------------------------------------------------------------


async def test_the_tail_is_bounded_under_load(log: SqliteLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "FAR", 1_000)
    monkeypatch.setattr("tcpchat.log.tail.KEEP", 100)
    for _ in range(100):
        await append(log, *(said(1, 1, "word") for _ in range(100)))
        assert len(log._tail.entries) <= 2_500
    await log.settle()
    assert log._store.followed == log.head


async def test_an_index_that_cannot_be_written_waits(log: SqliteLog, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault of the indexes is no fault of the log: what is said goes on and is found."""
    monkeypatch.setattr(writing, "IDLE", 0.0)

    def broken(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as broken_for_now:
        broken_for_now.setattr(writing, "follow", broken)
        for place in range(5):
            await append(log, said(1, 1, f"word{place}"))
        assert seqs(await log.ask(Query(kind="search", rooms=(1,), words="word3"))) == [4]
    await log.settle()
    log._tail.forget(log.head + 1)
    assert seqs(await log.ask(Query(kind="search", rooms=(1,), words="word3"))) == [4]


async def test_a_fault_in_the_indexes_is_logged_and_tried_again(
    log: SqliteLog, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(writing, "IDLE", 0.0)
    monkeypatch.setattr(writing, "RETRY", 0.0)
    with monkeypatch.context() as broken_for_now:
        broken_for_now.setattr(writing, "follow", lambda *_: 1 / 0)
        tried = told_when(log._store, "step")
        await append(log, said(1, 1, "word"))
        await tried.wait()
    await log.settle()
    assert "the log's indexes wait: division by zero" in caplog.text
    assert log._store.followed == 1


async def test_what_an_older_program_kept_in_tags(log: SqliteLog) -> None:
    """Rows as 0.1.0 wrote them, a made-up one among them: the file stays as it is, what is read is of today."""
    await append(
        log,
        said(1, 1, "hello\nabcdef", tags={"~lines": "5;3+3", "draft/reply": "tc1"}),
        said(1, 1, "for the operators", tags={"~status": "@"}),
        said(1, 1, "evil", tags={"~lines": "x", "a\r\nQUIT": "1", "b": "\r\n"}),
    )
    log = await reopened(log)
    page = await log.ask(Query(kind="page", rooms=(1,), limit=9))
    for found in ([row.fact for row in page.rows], await facts(log)):
        first, second, third = (fact for fact in found if isinstance(fact, Said))
        assert (first.text, first.tags, first.cuts) == ("hello\nabcdef", {"draft/reply": "tc1"}, (9,))
        assert (second.rank, second.tags) == ("op", None)
        assert (third.text, third.tags, third.cuts) == ("evil", None, ())
    await log.close()
