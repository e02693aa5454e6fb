"""The embedded log: one SQLite file, WAL, every commit on disk before anybody hears of it.

Two threads: the writer commits whole batches (what arrives during a commit is the next batch) and, when it has time,
lets the indexes follow; the reader answers questions on a connection of its own, so that neither waits for the other.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from tcpchat.core.model import Append, Entry, Keep, Query, Result, Row
from tcpchat.log import LogError, LogUnavailable, reading, tail
from tcpchat.log.follow import index, insert_many
from tcpchat.log.lock import FolderLock
from tcpchat.log.schema import TooNew, prepare

REPLAY_PAGE = 5_000  # entries handed over at a time at the start
FOLLOW_STEP = 1_000  # entries indexed in one go: some milliseconds, which is what a commit may have to wait for
FOLLOW_LAG = 20_000  # entries the indexes may be behind before they are given a step after every commit
CURSOR_SECONDS = 0.2  # how long cursors may wait for a commit to travel with
SNAPSHOTS = 2  # kept: the newest, and one in case it is damaged

T = TypeVar("T")
_ENCODE = msgspec.json.Encoder().encode


class SqliteLog:
    """Fulfils log.Log over one file."""

    def __init__(self, path: Path | str, *, retention_days: int = 0) -> None:
        self.path = Path(path)
        self.retention_days = retention_days
        self.head = 0
        self._lock = FolderLock(self.path.with_name(self.path.name + ".lock"))
        self._write: sqlite3.Connection | None = None
        self._read: sqlite3.Connection | None = None
        self._writer = ThreadPoolExecutor(1, "tcpchat-log-writer")
        self._reader = ThreadPoolExecutor(1, "tcpchat-log-reader")
        self._tail: deque[Entry] = deque()
        self._indexed = 0
        self._cursors: dict[tuple[int, str], tuple[int, int]] = {}
        self._following: asyncio.Task[None] | None = None
        self._saving: asyncio.TimerHandle | None = None
        self._appending = False
        self._closed = False

    # -- opening and closing -------------------------------------------------------------------------------------------

    async def open(self) -> tuple[int, bytes | None, list[tuple[int, str, int, int]]]:
        """Open or make the file; see Log.open. Raises LogError that says what to do."""
        return await self._in(self._writer, self._open)

    def _open(self) -> tuple[int, bytes | None, list[tuple[int, str, int, int]]]:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LogError(
                f"{self.path.parent} cannot be made ({error.strerror}). Choose another with --data."
            ) from None
        self._lock.take()
        try:
            return self._open_file()
        except TooNew as error:
            self._shut()
            raise LogError(f"{self.path} was written by a newer tcpchat ({error}). Update this one.") from None
        except sqlite3.Error as error:
            self._shut()
            raise LogError(_advice(self.path, error)) from None

    def _open_file(self) -> tuple[int, bytes | None, list[tuple[int, str, int, int]]]:
        db = self._write = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        prepare(db)
        db.execute("BEGIN IMMEDIATE")  # a file that cannot be written shows here, not at the first message
        db.execute("COMMIT")
        self._read = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        self._read.execute("PRAGMA query_only = ON")
        self.head = db.execute("SELECT coalesce(max(seq), 0) FROM entries").fetchone()[0]
        self._indexed = db.execute("SELECT seq FROM followers WHERE name = 'index'").fetchone()[0]
        while self._indexed < self.head:
            index(db, self._entries(db, self._indexed, FOLLOW_STEP))
            self._indexed = db.execute("SELECT seq FROM followers WHERE name = 'index'").fetchone()[0]
        row = db.execute(
            "SELECT seq, state FROM snapshots WHERE seq <= ? ORDER BY seq DESC LIMIT 1", (self.head,)
        ).fetchone()
        cursors = db.execute("SELECT user, place, seq, at FROM cursors").fetchall()
        return (row[0], row[1], cursors) if row else (0, None, cursors)

    @staticmethod
    def _entries(db: sqlite3.Connection, after: int, limit: int) -> list[Entry]:
        rows = db.execute("SELECT seq, at, body FROM entries WHERE seq > ? ORDER BY seq LIMIT ?", (after, limit))
        return [Entry(seq, at, reading.DECODER.decode(body)) for seq, at, body in rows]

    async def replay(self, after: int, take: Callable[[list[Entry]], None]) -> None:
        """See Log.replay."""
        while after < self.head:
            entries = await self._in(self._writer, self._entries, self._write, after, REPLAY_PAGE)
            if not entries:
                return
            take(entries)
            after = entries[-1].seq

    async def close(self) -> None:
        """Write cursors, let the indexes finish, close. Idempotent."""
        if self._closed:
            return
        self._closed = True
        if self._saving is not None:
            self._saving.cancel()
        if self._following is not None:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)
        if self._write is not None:
            await self._in(self._writer, self._finish)
        self._writer.shutdown()
        self._reader.shutdown()

    def _finish(self) -> None:
        try:
            self._write_cursors()
        except sqlite3.Error:
            pass  # the peers confirm again; nothing that was accepted hangs on it
        self._shut()

    def _shut(self) -> None:
        for db in (self._read, self._write):
            if db is not None:
                db.close()
        self._read = self._write = None
        self._lock.release()

    async def _in(self, pool: ThreadPoolExecutor, work: Callable[..., T], *args: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(pool, work, *args)

    # -- writing ---------------------------------------------------------------------------------------------------------

    async def append(self, batch: Sequence[Append], at: int) -> list[Entry]:
        """Make a batch durable together; see Log.append. Raises LogUnavailable: then none of it is there."""
        first = self.head + 1
        entries = [Entry(seq, at, item.fact, item.origin) for seq, item in enumerate(batch, first)]
        values: list[object] = []
        for entry in entries:
            fact = entry.fact
            values += (entry.seq, at, fact.room, _ENCODE(fact))
        cursors, self._cursors = self._cursors, {}
        self._appending = True
        try:
            await self._in(self._writer, self._commit, values, cursors)
        except sqlite3.Error as error:
            self._put_back(cursors)
            raise LogUnavailable(_advice(self.path, error)) from error
        finally:
            self._appending = False
        self.head = entries[-1].seq
        self._tail.extend(entries)
        self._follow_soon()
        return entries

    def _commit(self, values: list[object], cursors: dict[tuple[int, str], tuple[int, int]]) -> None:
        db = self._write
        if db is None:
            raise sqlite3.OperationalError("the log is closed")
        db.execute("BEGIN IMMEDIATE")
        try:
            insert_many(db, "INSERT INTO entries VALUES ", 4, values)
            _store_cursors(db, cursors)
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise

    def keep(self, cursors: Sequence[Keep]) -> None:
        """Remember cursors; see Log.keep."""
        kept = self._cursors
        for one in cursors:
            key = (one.user, one.place)
            old = kept.get(key)
            if old is None or one.seq > old[0]:
                kept[key] = (one.seq, one.at)
        if self._saving is None and not self._closed:
            self._saving = asyncio.get_running_loop().call_later(CURSOR_SECONDS, self._save_cursors)

    def _put_back(self, cursors: dict[tuple[int, str], tuple[int, int]]) -> None:
        for key, (seq, at) in cursors.items():
            if key not in self._cursors or self._cursors[key][0] < seq:
                self._cursors[key] = (seq, at)

    def _save_cursors(self) -> None:
        """Nothing was appended for a while: the cursors get a commit of their own."""
        self._saving = None
        if self._cursors and not self._appending and not self._closed:
            self._writer.submit(self._try_write_cursors)

    def _try_write_cursors(self) -> None:
        try:
            self._write_cursors()
        except sqlite3.Error:
            pass  # kept in memory; they go with a later commit

    def _write_cursors(self) -> None:
        cursors, self._cursors = self._cursors, {}
        if self._write is None or not cursors:
            return
        try:
            _store_cursors(self._write, cursors)
        except sqlite3.Error:
            self._put_back(cursors)
            raise

    async def snapshot(self, seq: int, state: bytes) -> None:
        """See Log.snapshot. Raises LogUnavailable."""
        try:
            await self._in(self._writer, self._store_snapshot, seq, state)
        except sqlite3.Error as error:
            raise LogUnavailable(_advice(self.path, error)) from error

    def _store_snapshot(self, seq: int, state: bytes) -> None:
        db = self._write
        if db is None:
            return
        db.execute("INSERT OR REPLACE INTO snapshots VALUES (?, ?)", (seq, state))
        sql = "DELETE FROM snapshots WHERE seq NOT IN (SELECT seq FROM snapshots ORDER BY seq DESC LIMIT ?)"
        db.execute(sql, (SNAPSHOTS,))

    # -- the indexes follow ------------------------------------------------------------------------------------------------

    def _follow_soon(self) -> None:
        if self._following is None and not self._closed:
            self._following = asyncio.get_running_loop().create_task(self._follow(), name="log indexes")

    async def _follow(self) -> None:
        """Index the tail in steps, letting commits go first unless the indexes are far behind."""
        try:
            while self._tail and not self._closed:
                if self._appending and len(self._tail) < FOLLOW_LAG:
                    await asyncio.sleep(0.005)  # a commit is under way; another step would only make the next one wait
                    if self._appending and len(self._tail) < FOLLOW_LAG // 4:
                        continue
                step = [self._tail[i] for i in range(min(FOLLOW_STEP, len(self._tail)))]
                try:
                    erased = await self._in(self._writer, self._index, step)
                except sqlite3.Error:
                    await asyncio.sleep(1.0)  # a full disk: the tail answers meanwhile
                    continue
                self._indexed = step[-1].seq
                for _ in step:
                    self._tail.popleft()
                if erased:
                    await self._in(self._writer, self._empty_wal)
        finally:
            self._following = None

    def _index(self, entries: list[Entry]) -> bool:
        if self._write is None:
            raise sqlite3.OperationalError("the log is closed")
        return index(self._write, entries)

    def _empty_wal(self) -> None:
        """What was erased must not stay in the write-ahead log either."""
        if self._write is not None:
            self._write.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    async def followed(self) -> None:
        """Wait until the indexes have passed everything that was appended before this call."""
        goal = self.head
        while self._indexed < goal and not self._closed:
            await asyncio.sleep(0.002)

    # -- reading -------------------------------------------------------------------------------------------------------------

    async def ask(self, query: Query) -> Result:
        """Answer a question about everything up to the head; see model.Query. Raises LogError."""
        entries, upto = list(self._tail), self._indexed
        try:
            return await self._in(self._reader, self._answer, query, entries, upto)
        except sqlite3.Error as error:
            raise LogError(_advice(self.path, error)) from error

    def _answer(self, query: Query, entries: list[Entry], upto: int) -> Result:
        db = self._read
        if db is None:
            raise sqlite3.OperationalError("the log is closed")
        match query.kind:
            case "count":
                return Result(counts=self._counts(db, query, entries, upto))
            case "entry":
                return Result(tuple(tail.amend(self._entry(db, query.seq, entries), entries)))
            case "search":
                return self._search(db, query, entries, upto)
            case "feed":
                rows = reading.rows_of(db, reading.feed_seqs(db, query, upto))
                rows += [row for row in tail.rows(entries, query) if row.seq > query.after]
                return reading.result(tail.amend(rows, entries), query.limit)
        return self._page(db, query, entries, upto)

    @staticmethod
    def _entry(db: sqlite3.Connection, seq: int, entries: list[Entry]) -> list[Row]:
        for entry in entries:
            if entry.seq == seq:
                return [Row(entry.seq, entry.at, entry.fact)]
        return reading.rows_of(db, [seq])

    @staticmethod
    def _counts(db: sqlite3.Connection, query: Query, entries: list[Entry], upto: int) -> dict[int, int]:
        out = reading.counts(db, query, upto)
        for room in query.rooms:
            cursor = (query.cursors or {}).get(room, query.after)
            more = sum(1 for row in tail.rows(entries, Query(kind="page", rooms=(room,))) if row.seq > cursor)
            out[room] = min(out[room] + more, reading.COUNT_MAX)
        return out

    @staticmethod
    def _search(db: sqlite3.Connection, query: Query, entries: list[Entry], upto: int) -> Result:
        newest = tail.amend(tail.rows(entries, query), entries)[::-1]
        older = tail.amend(reading.search_rows(db, query, upto), entries)
        rows = [row for row in newest + older if not row.removed]
        return Result(reading.with_snippets(rows[: query.limit], query.words), len(rows) > query.limit)

    @staticmethod
    def _page(db: sqlite3.Connection, query: Query, entries: list[Entry], upto: int) -> Result:
        rows = reading.rows_of(db, reading.page_seqs(db, query, upto))
        new = tail.rows(entries, query)
        limit = query.limit
        if query.after or query.until:
            rows += [row for row in new if row.seq > query.after and (not query.until or row.seq < query.until)]
            return reading.result(tail.amend(rows, entries), limit)
        middle = query.around or (_first_at(db, entries, query.at) if query.at else 0)
        if middle:
            rows = sorted(rows + new, key=lambda row: row.seq)
            before = [row for row in rows if row.seq < middle][-(limit // 2) :] if limit > 1 else []
            after = [row for row in rows if row.seq >= middle][: limit - len(before)]
            found = before + after
            more = bool(found) and len(rows) > len(found)
            return Result(tuple(tail.amend(found, entries)), more)
        rows += [row for row in new if not query.before or row.seq < query.before]
        return reading.result(tail.amend(rows, entries), limit, newest=True)

    # -- keeping house ---------------------------------------------------------------------------------------------------------

    async def backup(self, target: Path | str) -> None:
        """Copy the whole log into another file while it is in use."""
        await self._in(self._reader, self._backup, Path(target))

    def _backup(self, target: Path) -> None:
        assert self._read is not None
        copy = sqlite3.connect(target)
        try:
            self._read.backup(copy, pages=1000)
        finally:
            copy.close()

    async def forget(self, before_ms: int) -> int:
        """Delete entries older than a time (retention) and give the disk back; returns how many went."""
        gone = 0
        while True:
            step = await self._in(self._writer, self._forget_some, before_ms)
            gone += step
            if step == 0:
                return gone

    def _forget_some(self, before_ms: int) -> int:
        db = self._write
        if db is None:
            return 0
        sql = "SELECT seq FROM entries WHERE room <> 0 AND at < ? AND seq <= ? ORDER BY seq LIMIT ?"
        seqs = [row[0] for row in db.execute(sql, (before_ms, self._indexed, FOLLOW_STEP))]
        if not seqs:
            db.execute("PRAGMA incremental_vacuum")
            return 0
        db.execute("BEGIN IMMEDIATE")
        try:
            for row in reading.rows_of(db, seqs):
                text = getattr(row.fact, "text", "")
                if text and getattr(row.fact, "by", ""):
                    db.execute("INSERT INTO texts (texts, rowid, text) VALUES ('delete', ?, ?)", (row.seq, text))
            for table in ("entries", "amendments"):
                db.executemany(f"DELETE FROM {table} WHERE seq = ?", [(seq,) for seq in seqs])
            db.execute("DELETE FROM places WHERE seq IN (SELECT value FROM json_each(?))", (str(seqs),))
            db.execute("COMMIT")
        except BaseException:
            db.execute("ROLLBACK")
            raise
        return len(seqs)


def _first_at(db: sqlite3.Connection, entries: list[Entry], at: int) -> int:
    seq = reading.first_at(db, at)
    return next((entry.seq for entry in entries if entry.at >= at and entry.seq <= seq), seq)


def _store_cursors(db: sqlite3.Connection, cursors: dict[tuple[int, str], tuple[int, int]]) -> None:
    values: list[object] = []
    for (user, place), (seq, at) in cursors.items():
        values += (user, place, seq, at)
    insert_many(db, "INSERT OR REPLACE INTO cursors VALUES ", 4, values)


def _advice(path: Path, error: sqlite3.Error) -> str:
    """What is wrong with the file, and what to do."""
    text = str(error)
    if "full" in text:
        return f"The disk of {path} is full. Make room; nothing is lost, and writing goes on by itself."
    if "not a database" in text or "malformed" in text:
        return (
            f"{path} is damaged or not a tcpchat log ({text}). Restore a backup, or move the file away to start anew."
        )
    if "readonly" in text or "unable to open" in text:
        return f"{path} cannot be written ({text}). Check its owner and permissions, or choose another with --data."
    if "locked" in text:
        return f"{path} is locked by another program ({text}). Close it."
    return f"{path}: {text}"
