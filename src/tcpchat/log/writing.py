"""The writer's thread: commits whole batches, and when nothing waits lets the followers come nearer.

Everything in here runs in that thread but for ``Worker.run``, ``Worker.stop``.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Protocol, TypeVar

from tcpchat.core.model import FORGOTTEN, AnyFact, Entry
from tcpchat.log import Lineage, LogError, LogLost, LogUnavailable
from tcpchat.log.damage import Damage, Row, rows_of, stand_in
from tcpchat.log.follow import erase_some, follow, forget_some, redo_some
from tcpchat.log.fulltext import Index
from tcpchat.log.opening import open_for_writing
from tcpchat.log.schema import (
    BUSY_SECONDS,
    advice,
    advised,
    begin_lineage,
    first_at,
    followed,
    in_doubt,
    insert_many,
    lineages,
    touch,
    transaction,
)
from tcpchat.log.sums import Chain, chain_at, digest, intact
from tcpchat.log.told import Record, Told

logger = logging.getLogger("tcpchat.log")
T = TypeVar("T")

SLICE = 128  # entries followed before the writer looks whether a batch waits: about a millisecond
CHUNK = 8_192  # entries followed in one transaction: the bigger, the fewer pages and merges each costs
SOON = 1_024  # entries behind from which the followers move as soon as nothing waits and batches are small
SMALL = 32  # a batch: more come only when the chat is busy, and then few big chunks are better than many small ones
FAR = 8_192  # entries behind from which the followers move first, and a batch waits: their memory is bounded
IDLE = 0.25  # seconds after which they move also for a few entries
RETRY = 1.0  # seconds after an error
ERASE, FORGET, REDO, SCRUB = 64, 512, 256, 64  # messages, entries, entries, pages of the index in one transaction
CHECKPOINT = 1_000  # pages, about, written since the last checkpoint before the next one: 4 MB
CLOSE_SECONDS = 2.0  # for what is left to erase when the log is closed; the next start goes on with it
DOUBT_SECONDS = 10.0  # that a disk which gives errors is asked again what it holds, while nobody is answered
DOUBT_PAUSE = 0.2  # seconds between two tries
OTHER_WRITER = (
    "Two servers on one file lose messages: this one stops. Stop the other one too, see that only one can start, and"
    " start it."
)
UNKNOWN = "What was said last may or may not be on it: the next start shows, and the clients find out by themselves."
SNAPSHOTS = 2  # kept: the newest, and one in case that it is damaged

Cursors = dict[tuple[int, str], tuple[int, int]]


class Chores(Protocol):
    """What a worker does when it has no job."""

    def wait(self) -> float | None:
        """Seconds until ``step`` wants to be called; None: not before the next job; negative: before the next job."""

    def step(self, waiting: Callable[[], bool]) -> None:
        """Do a little, and less when a job is waiting. Never raises."""


class Worker:
    """A thread that does jobs in order and chores in between."""

    def __init__(self, name: str, chores: Chores) -> None:
        self._chores = chores
        self._inbox: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._serve, name=name, daemon=True)
        self._thread.start()

    def run(self, work: Callable[[], T]) -> asyncio.Future[T]:
        """Have a job done; the answer comes back on the loop's thread, also when nobody waits for it any more."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()

        def job() -> None:
            try:
                answer = work()
            except BaseException as error:
                call(loop, _fail, future, error)
            else:
                call(loop, _settle, future, answer)

        self._inbox.put(job)
        return future

    def stop(self) -> None:
        """End the thread behind the jobs that it has."""
        self._inbox.put(None)

    def _serve(self) -> None:
        while True:
            job = self._next()
            if job is None:
                return
            job()

    def _next(self) -> Callable[[], None] | None:
        while True:
            wait = self._chores.wait()
            if wait is None or wait >= 0:
                try:
                    return self._inbox.get(timeout=wait) if wait != 0 else self._inbox.get_nowait()
                except Empty:
                    pass
            self._chores.step(lambda: not self._inbox.empty())


def call(loop: asyncio.AbstractEventLoop, function: Callable[..., object], *args: object) -> None:
    """Call something on the loop's thread, if the loop is still there."""
    try:
        loop.call_soon_threadsafe(function, *args)
    except RuntimeError:
        logger.debug("= the loop has ended before the log")


def _settle(future: asyncio.Future[T], answer: T) -> None:
    if not future.done():
        future.set_result(answer)


def _fail(future: asyncio.Future[T], error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)


class Store:
    """The file, for its only writer."""

    db: sqlite3.Connection
    index: Index
    chain: Chain

    def __init__(self, path: Path, told: Callable[[int], None], damage: Damage) -> None:
        self.path, self._damage = path, damage
        self.head = 0
        self.followed = 0
        self._told = told  # is called with the place up to which the followers have come
        self._behind: deque[Entry] = deque()
        self._behind_since = 0.0
        self._not_before = 0.0  # no chores until then: something failed
        self._last_batch = 0
        self._pages = 0  # written since the last checkpoint, about
        self._closed = False
        self._stale = False  # what is known of the index's parts, after a transaction that failed
        self._lost: LogLost | None = None
        self._record: Record | None = None
        self._lineage = ""
        self._cleaning = True  # something may be to erase, to scrub
        self._scrubbed = False  # the write-ahead log may hold what was erased or cut off

    # -- opening and closing ---------------------------------------------------------------------------------------

    def open(self) -> list[Entry]:
        """Open the file; returns the entries that the followers have not passed. Raises LogError, sqlite3.Error,
        OSError."""
        self.db = open_for_writing(self.path)
        self._record = Record(self.path)
        self.index = Index(self.db)
        self.head = self.db.execute("SELECT coalesce(max(seq), 0) FROM entries").fetchone()[0]
        self.followed = followed(self.db)
        self.chain = chain_at(self.db, self.head)
        self._lineage = self.lineages()[-1].id
        self._tell()
        for after in range(self.followed, self.head - FAR, CHUNK):
            if entries := self.read(after, min(after + CHUNK, self.head - FAR)):
                self._follow(entries, lambda: False)
        self._behind.extend(self.read(self.followed, self.head))
        return list(self._behind)

    def abandon(self) -> None:
        """Close what was opened of a log that cannot be used."""
        if self._record is not None:
            self._record.close()
        if hasattr(self, "db"):
            self.db.close()

    def _tell(self) -> None:
        """Note up to where senders may be told that they are accepted."""
        assert self._record is not None
        try:
            self._record.write(Told(self.head, self.chain.value, self._lineage))
        except OSError as error:
            logger.warning("! %s: what is told cannot be noted beside it: %s", self.path, error.strerror)

    def read(self, after: int, upto: int) -> list[Entry]:
        """Entries behind a seq, up to another. One that is damaged is left out, or something stands in for it. Raises
        LogError for one of a newer program."""
        rows = rows_of(self.db, "seq > ? AND seq <= ? ORDER BY seq", (after, upto))
        return [Entry(row[0], row[1], fact) for row in rows if (fact := self._fact(row)) is not None]

    def _fact(self, row: Row) -> AnyFact | None:
        fact = self._damage.fact(*row)
        if fact is None:
            self._damage.known(*row)
        return fact or stand_in(row[0], row[3])

    def restore(self) -> tuple[int, bytes | None, list[tuple[int, str, int, int]]]:
        """The newest snapshot and all cursors."""
        seq, state = 0, None
        sql = "SELECT seq, state, sum FROM snapshots WHERE seq <= ? ORDER BY seq DESC"
        for seq_kept, kept, check in self.db.execute(sql, (self.head,)).fetchall():
            if intact(seq_kept, 0, 0, kept, check):
                seq, state = seq_kept, kept
                break
            logger.error("! %s: the state saved at %d is damaged; an older one is taken", self.path, seq_kept)
        return seq, state, self.db.execute("SELECT user, place, seq, at FROM cursors").fetchall()

    def erasing(self) -> dict[int, int]:
        """Users whose texts are still being erased, and before which seq."""
        return dict(self.db.execute("SELECT user, before FROM erasures").fetchall())

    def lineages(self) -> tuple[Lineage, ...]:
        """All lineages, oldest first."""
        return lineages(self.db)

    def last_at(self) -> int:
        """The time of the newest entry."""
        row = self.db.execute("SELECT at FROM entries ORDER BY seq DESC LIMIT 1").fetchone()
        return row[0] if row else 0

    def close(self) -> None:
        """Leave one file and nothing beside it, and in it nothing that was to be erased, if it can be helped."""
        self._closed = True
        end = time.monotonic() + CLOSE_SECONDS
        try:
            self._usable()
            with advised(self.path):
                while time.monotonic() < end and self.catch_up():
                    pass
                self.db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        except LogError as error:
            logger.warning("! %s", error)
        self.abandon()

    # -- jobs --------------------------------------------------------------------------------------------------------

    def append(self, entries: list[Entry], values: list[object], cursors: Cursors) -> None:
        """Make entries durable together, and cursors with them. Raises LogUnavailable: then none of it is there, nor
        comes back. Raises LogLost: nothing is known, and nothing more is written."""
        self._usable()
        chain = self.chain.over(values)
        try:
            if cursors or len(values) > 5 * PADDED[-1]:
                with transaction(self.db):
                    insert_many(self.db, "INSERT INTO entries", 5, values)
                    _merge(self.db, cursors)
            else:
                self.db.execute(*_one_statement(values))
        except sqlite3.IntegrityError as error:  # the place is taken
            raise self.lose(f"{self.path}: another program writes to it. {OTHER_WRITER}") from error
        except sqlite3.Error as error:
            if in_doubt(error):
                self._make_sure(error)
            raise LogUnavailable(advice(self.path, error)) from error
        self.head, self.chain = entries[-1].seq, chain
        self._tell()
        if not self._behind:
            self._behind_since = time.monotonic()
        self._behind.extend(entries)
        self._last_batch = len(entries)
        self._pages += 3 + len(entries) // 12

    def _make_sure(self, error: sqlite3.Error) -> None:
        """Write over what a failed commit may have left on the disk, so that it cannot come back. Raises LogLost.

        A failed fsync says nothing of what is on the disk, and the next one may succeed without having written it: the
        system forgets what it could not write. But every commit before was synced, and the next one takes the place
        of the failed one in the write-ahead log: once that is on the disk, the failed one is not.
        """
        logger.error("! nobody is answered until it is known what is on the disk: %s", advice(self.path, error))
        end = time.monotonic() + DOUBT_SECONDS
        while True:
            try:
                touch(self.db)
            except sqlite3.Error as again:
                if time.monotonic() >= end:
                    raise self.lose(f"{advice(self.path, again)} {UNKNOWN}") from again
                time.sleep(DOUBT_PAUSE)
            else:
                logger.error("! the disk answers again; the batch that failed is not on it")
                return

    def lose(self, why: str) -> LogLost:
        """Write nothing more: what it would be written to is not what it was. Returns the error to raise."""
        self._lost = self._lost or LogLost(why)
        return self._lost

    def _usable(self) -> None:
        if self._lost is not None:
            raise LogLost(str(self._lost))

    def keep(self, cursors: Cursors) -> None:
        """Make cursors durable. Raises LogUnavailable, LogLost."""
        self._usable()
        with advised(self.path), transaction(self.db):
            _merge(self.db, cursors)
        self._pages += 2 + len(cursors) // 50

    def snapshot(self, seq: int, state: bytes) -> None:
        """Keep a state of the chat. Raises LogUnavailable, LogLost."""
        self._usable()
        with advised(self.path), transaction(self.db):
            self.db.execute("INSERT OR REPLACE INTO snapshots VALUES (?, ?, ?)", (seq, state, digest(seq, 0, 0, state)))
            sql = "DELETE FROM snapshots WHERE seq NOT IN (SELECT seq FROM snapshots ORDER BY seq DESC LIMIT ?)"
            self.db.execute(sql, (SNAPSHOTS,))
        self._pages += 2 + len(state) // 4096

    def new_lineage(self, since: int | None = None) -> tuple[Lineage, ...]:
        """Begin a lineage behind a seq, or the head; returns all. Raises LogUnavailable, LogLost."""
        self._usable()
        with advised(self.path), transaction(self.db):
            begin_lineage(self.db, since)
        every = self.lineages()
        self._lineage = every[-1].id
        self._tell()
        return every

    def forget(self, before: int) -> int:
        """Delete some of the entries before a seq; returns how many. Only what a snapshot has, never the newest."""
        kept = self.db.execute("SELECT max(seq) FROM snapshots").fetchone()[0] or 0
        before = min(before, kept + 1, self.followed + 1, self.head)
        with advised(self.path), self._indexing():
            gone = forget_some(self.db, self.index, before, FORGET)
        self._pages += gone
        self._cleaning = True
        return gone

    def shrink(self) -> bool:
        """Give some of the free pages back to the system; False when there are none."""
        self._usable()
        with advised(self.path):
            self.db.execute("PRAGMA incremental_vacuum(512)").fetchall()
            self._pages += 512
            self._scrubbed = True
            free: int = self.db.execute("PRAGMA freelist_count").fetchone()[0]
        return free > 0

    def oldest(self) -> int:
        """The first seq that is there."""
        seq: int = self.db.execute("SELECT coalesce(min(seq), 0) FROM entries").fetchone()[0]
        return seq

    def first_at(self, at: int) -> int:
        """The first seq at or behind a time."""
        return first_at(self.db, at)

    def catch_up(self) -> bool:
        """Do one chore now; False when there is nothing left to do."""
        self._not_before = 0.0
        if not (self._behind or self._cleaning or self._scrubbed):
            return False
        self._chore(lambda: False)
        return True

    # -- chores ------------------------------------------------------------------------------------------------------

    def wait(self) -> float | None:
        """See Chores."""
        if self._closed or self._lost is not None:
            return None
        lag = len(self._behind)
        if lag >= FAR and self._not_before <= time.monotonic():
            return -1
        if (lag >= SOON and self._last_batch <= SMALL) or self._pages >= CHECKPOINT:
            due = 0.0
        elif lag:
            due = self._behind_since + IDLE
        elif self._cleaning or self._scrubbed:
            due = 0.0
        else:
            return None
        return max(0.0, max(due, self._not_before) - time.monotonic())

    def step(self, waiting: Callable[[], bool]) -> None:
        """See Chores."""
        try:
            self._chore(waiting)
        except Exception as error:  # whatever it is, the messages go on; the indexes try again
            logger.warning("! the log's indexes wait: %s", error, exc_info=not isinstance(error, sqlite3.Error))
            self._not_before = time.monotonic() + RETRY

    def _chore(self, waiting: Callable[[], bool]) -> None:
        if self._pages >= CHECKPOINT:
            self.db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
            self._pages = 0
        elif self._behind:
            self._follow(list(islice(self._behind, CHUNK)), waiting)
        elif self._cleaning:
            self._clean()
        elif self._scrubbed:
            self._empty_wal()

    @contextmanager
    def _indexing(self) -> Iterator[None]:
        """A transaction of the followers. It waits for the disk, although it could be made again when it is lost: in
        front of entries on the disk there may be nothing that is not (see _make_sure)."""
        self._usable()
        if self._stale:
            self.index.reload()
        self._stale = True
        with transaction(self.db):
            yield
        self._stale = False

    def _empty_wal(self) -> None:
        """What was erased shall not stay in the write-ahead log; readers may keep it for a moment."""
        self.db.execute("PRAGMA busy_timeout = 0").fetchall()
        busy = self.db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        self.db.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000:.0f}").fetchall()
        self._scrubbed = bool(busy)
        self._not_before = time.monotonic() + RETRY if busy else 0.0

    def _follow(self, entries: list[Entry], waiting: Callable[[], bool]) -> None:
        """One transaction for as many entries as possible: fewer when a batch waits, unless there are too many."""
        patient = len(self._behind) < FAR
        step = SLICE if patient else CHUNK
        count = 0
        with self._indexing():
            while count < len(entries) and not (count and patient and waiting()):
                follow(self.db, self.index, entries[count : count + step])
                count += step
        self.followed = entries[min(count, len(entries)) - 1].seq
        while self._behind and self._behind[0].seq <= self.followed:
            self._behind.popleft()
        self._behind_since = time.monotonic()
        self._pages += count // 3
        self._cleaning = True
        self._told(self.followed)

    def _clean(self) -> None:
        """Erase what is to be erased, then its traces in the index."""
        with self._indexing():
            if erase_some(self.db, self.index, ERASE):
                self._pages += ERASE
            elif redo_some(self.db, self.index, REDO):
                self._pages += REDO // 8
            elif self.index.scrub_some(SCRUB):
                self._pages += SCRUB
                self._scrubbed = True
            else:
                self._cleaning = False


# How many rows the statement of a batch may have. Few different ones, so that all stay prepared; what a batch has less
# is filled up with rows that are left out again. One statement and no transaction around it: every call of SQLite lets
# the interpreter's lock go, and may have to wait for the busy loop to get it back.
PADDED = (1, 2, 4, 8, *range(16, 513, 16))
_STATEMENTS = {
    size: "INSERT INTO entries SELECT * FROM (VALUES "
    + ",".join(["(?,?,?,?,?)"] * size)
    + ") WHERE column1 IS NOT NULL"
    for size in PADDED
}


def _one_statement(values: list[object]) -> tuple[str, list[object]]:
    rows = len(values) // 5
    size = next(size for size in PADDED if size >= rows) if rows <= 16 else -(-rows // 16) * 16
    return _STATEMENTS[size], values + [None] * (5 * (size - rows)) if size > rows else values


def _merge(db: sqlite3.Connection, cursors: Cursors) -> None:
    values: list[object] = [value for (user, where), (seq, at) in cursors.items() for value in (user, where, seq, at)]
    keep_newest = (
        " ON CONFLICT (user, place) DO UPDATE SET seq = excluded.seq, at = excluded.at WHERE excluded.seq > seq"
    )
    insert_many(db, "INSERT INTO cursors", 4, values, keep_newest)
    gone = [key for key, (seq, _) in cursors.items() if seq == FORGOTTEN]
    if gone:
        db.executemany("DELETE FROM cursors WHERE user = ? AND place = ?", gone)
