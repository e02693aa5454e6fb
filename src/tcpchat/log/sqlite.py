"""The embedded log: one SQLite file, WAL, every commit on disk before anybody hears of it.

The loop's thread numbers entries and keeps the newest (tail.py). A writer's thread commits them and lets the indexes
follow (writing.py, follow.py). Two readers' threads answer what the tail cannot (reading.py), so that a long search
holds up no feed, and neither holds up the writer.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from tcpchat.core.model import Append, Entry, Keep, Query, Result
from tcpchat.log import Lineage, LogError, LogUnavailable
from tcpchat.log.codec import encode
from tcpchat.log.copying import copy
from tcpchat.log.damage import Damage
from tcpchat.log.lock import FolderLock
from tcpchat.log.opening import make_private, wal_of, write_again
from tcpchat.log.reading import Reader
from tcpchat.log.schema import advised
from tcpchat.log.tail import Tail
from tcpchat.log.writing import Cursors, Store, Worker, call

FILE_NAME = "tcpchat.db"  # in a folder
WATCH_SECONDS = 1.0  # how often it is looked whether the files are still there
GONE = "Nothing more is accepted: stop other programs that move these files, put a backup in their place, start again."
REPLAY_PAGE = 2_000  # entries handed over at a time at the start
CURSOR_SECONDS = 0.2  # how long cursors wait for others to travel with
RETENTION_SECONDS = 3_600.0  # how often old entries are looked for
DAY_MS = 86_400_000

T = TypeVar("T")


class SqliteLog:
    """Fulfils log.Log with one file. ``path``: the file, or the folder that it is (or shall be) in."""

    def __init__(self, path: Path | str, *, retention_days: int = 0) -> None:
        path = Path(path)
        self.path = path / FILE_NAME if path.is_dir() and path.name != FILE_NAME else path
        self.retention_days = retention_days  # 0 keeps everything
        self.head = 0
        self.on_lost: Callable[[LogError], None] | None = None
        self._at = 0  # of the newest entry
        self._lock = FolderLock(self.path.with_name(self.path.name + ".lock"))
        self._tail = Tail()
        self._lineages: tuple[Lineage, ...] = ()
        self.damage = Damage(self.path)  # entries that cannot be read
        self._cursors: Cursors = {}
        self._cursors_due: asyncio.TimerHandle | None = None
        self._cursors_from = 0.0  # loop time from which they go with the next append
        self._retaining: asyncio.Task[None] | None = None
        self._readers: list[Reader] = []
        self._appending = False
        self._open = False

    # -- opening and closing -----------------------------------------------------------------------------------------

    async def open(self) -> tuple[int, bytes | None, list[tuple[int, str, int, int]]]:
        """Open or make the file; see Log.open. Raises LogError that says what to do."""
        loop = asyncio.get_running_loop()
        self._store = Store(self.path, lambda seq: call(loop, self._tail.trim, seq), self.damage)
        start = await loop.run_in_executor(None, self._open_files)
        self._worker = Worker("tcpchat-log-writer", self._store)
        self._threads = [ThreadPoolExecutor(1, f"tcpchat-log-{name}") for name in ("reader", "searcher")]
        self._open = True
        self._files = self._identity()
        self._watching = loop.call_later(WATCH_SECONDS, self._watch)
        if self.retention_days:
            self._retaining = loop.create_task(self._retain(), name="log retention")
        return start

    def _open_files(self) -> tuple[int, bytes | None, list[tuple[int, str, int, int]]]:
        if self.path.is_dir():
            raise LogError(f"{self.path} is a folder: the messages are kept in a file of that name. Move it away.")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LogError(f"{self.path.parent} cannot be made: {error.strerror}. Choose another --data.") from None
        self._lock.take()
        try:
            with advised(self.path, LogError):
                make_private(self.path)
                if self._lock.take_log(self.path):
                    write_again(self.path)
                self._tail.add(self._store.open())
                self._tail.erasing |= self._store.erasing()
                self.head, self._at = self._store.head, self._store.last_at()
                self._lineages = self._store.lineages()
                self._readers += [Reader(self.path, self.damage), Reader(self.path, self.damage)]
                return self._store.restore()
        except BaseException:
            for reader in self._readers:
                reader.close()
            self._readers = []
            self._store.abandon()
            self._lock.release()
            raise

    def lineages(self) -> tuple[Lineage, ...]:
        """Whose entries these are; see Log.lineages."""
        return self._lineages

    async def new_lineage(self, since: int | None = None) -> Lineage:
        """Begin one behind a seq; see Log.new_lineage. Raises LogUnavailable."""
        self._lineages = await self._job(lambda: self._store.new_lineage(since))
        return self._lineages[-1]

    async def replay(self, after: int, take: Callable[[list[Entry]], None]) -> None:
        """Hand over all entries behind a seq; see Log.replay. Raises LogError."""
        head = self.head
        while after < head:
            upto = min(after + REPLAY_PAGE, head)
            entries = await self._job(lambda after=after, upto=upto: self._store.read(after, upto))  # type: ignore[misc]
            if entries:
                take(entries)
            after = upto

    async def close(self) -> None:
        """Write what is left and close. Idempotent."""
        if not self._open:
            return
        self._open = False
        self._watching.cancel()
        if self._retaining is not None:
            self._retaining.cancel()
            await asyncio.gather(self._retaining, return_exceptions=True)
        if self._cursors_due is not None:
            self._cursors_due.cancel()
        await self._write_cursors()
        for thread in self._threads:
            await asyncio.get_running_loop().run_in_executor(None, thread.shutdown)
        for reader in self._readers:
            reader.close()
        await self._worker.run(self._store.close)
        self._worker.stop()
        self._lock.release()

    def _identity(self) -> list[tuple[int, int]]:
        """Which files the names of the log stand for. Raises FileNotFoundError."""
        found = [os.stat(path) for path in (self.path, wal_of(self.path))]
        return [(one.st_dev, one.st_ino) for one in found]

    def _watch(self) -> None:
        """Once a second: what is written goes into the files that were opened, also when these have lost their names;
        then it is gone with this process."""
        try:
            same = self._identity() == self._files
        except OSError:
            same = False
        if same:
            self._watching = asyncio.get_running_loop().call_later(WATCH_SECONDS, self._watch)
            return
        why = f"{self.path} or its write-ahead log was deleted or replaced while it was in use. {GONE}"
        error = self._store.lose(why)
        if self.on_lost is not None:
            self.on_lost(error)

    async def _job(self, work: Callable[[], T]) -> T:
        """Have the writer do something. Raises LogError."""
        with advised(self.path, LogError):
            return await self._worker.run(work)

    # -- writing -----------------------------------------------------------------------------------------------------

    async def append(self, batch: Sequence[Append], at: int) -> list[Entry]:
        """Make a batch durable together; see Log.append. Times never go back: an earlier ``at`` becomes the last one.

        Raises LogUnavailable: then none of it is there. One call at a time; who cancels it may not append any more,
        because the batch may be durable all the same (the next start shows).
        """
        if not self._open or self._appending:
            raise RuntimeError("the log is closed" if not self._open else "one append at a time")
        if not batch:
            return []
        at = max(at, self._at)
        entries = [Entry(seq, at, item.fact, item.origin) for seq, item in enumerate(batch, self.head + 1)]
        values: list[object] = []
        for entry in entries:
            fact = entry.fact
            # A bytearray: of bytes the sqlite3 module asks first whether they adapt, which costs as much as the rest.
            values += (entry.seq, at, fact.room, bytearray(encode(fact)), None)
        cursors = self._take_cursors() if self._cursors and self._now() >= self._cursors_from else {}
        self._appending = True
        try:
            await self._worker.run(lambda: self._store.append(entries, values, cursors))
        except LogUnavailable:
            self._merge(cursors)
            raise
        finally:
            self._appending = False
        self.head, self._at = entries[-1].seq, at
        self._tail.add(entries)
        return entries

    async def snapshot(self, seq: int, state: bytes) -> None:
        """Keep the chat's state; see Log.snapshot. Raises LogUnavailable."""
        await self._job(lambda: self._store.snapshot(seq, state))

    # -- cursors -----------------------------------------------------------------------------------------------------

    def keep(self, cursors: Sequence[Keep]) -> None:
        """Remember cursors; see Log.keep. Those of CURSOR_SECONDS are merged and written together."""
        kept = self._cursors
        for one in cursors:
            key = (one.user, one.place)
            old = kept.get(key)
            if old is None or one.seq > old[0]:
                kept[key] = (one.seq, one.at)
        self._cursors_soon()
        if any(one.session is not None for one in cursors):
            self._cursors_from = 0.0  # somebody waits for them to be durable

    async def sync(self) -> None:
        """See Log.sync. Raises LogUnavailable, LogLost."""
        cursors = self._take_cursors()
        try:
            await self._worker.run(lambda: self._store.keep(cursors))
        except LogError:
            self._merge(cursors)
            raise

    def _cursors_soon(self) -> None:
        if self._cursors_due is None and self._open and self._cursors:
            self._cursors_from = self._now() + CURSOR_SECONDS / 2
            self._cursors_due = asyncio.get_running_loop().call_later(CURSOR_SECONDS, self._cursors_wait)

    def _cursors_wait(self) -> None:
        """Nothing was appended meanwhile: they get a commit of their own."""
        self._cursors_due = None
        if self._cursors:
            cursors = self._take_cursors()
            self._worker.run(lambda: self._store.keep(cursors)).add_done_callback(
                lambda done: self._cursors_done(done, cursors)
            )

    def _cursors_done(self, done: asyncio.Future[None], cursors: Cursors) -> None:
        if not done.cancelled() and done.exception() is not None:
            self._merge(cursors)  # peers need not know: what is confirmed stays in memory until it can be written

    def _take_cursors(self) -> Cursors:
        cursors, self._cursors = self._cursors, {}
        if self._cursors_due is not None:
            self._cursors_due.cancel()
            self._cursors_due = None
        return cursors

    def _merge(self, cursors: Cursors) -> None:
        """Take back cursors that could not be written."""
        for key, kept in cursors.items():
            self._cursors[key] = max(kept, self._cursors.get(key, kept))
        self._cursors_soon()

    async def _write_cursors(self) -> None:
        with contextlib.suppress(LogError):
            await self.sync()

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()

    # -- reading -----------------------------------------------------------------------------------------------------

    async def ask(self, query: Query) -> Result:
        """Answer a question about everything up to the head; see model.Query. Raises LogError.

        Rows are as of now: messages with their edits, or erased. feed: rooms, after, limit. page: rooms[0] and at most
        one of before, after (until), around, at; without ``events`` messages only. search: words, and rooms (none, no
        answer), user, since, until, before. count: rooms with ``after`` or ``cursors``. entry: seq.
        """
        if not self._open:
            raise LogError("The log is closed.")
        result = self._tail.answer(query)
        if result is not None:
            return result
        which = 1 if query.kind == "search" else 0
        view, reader = self._tail.view(self.head, query.rooms or query.cursors or ()), self._readers[which]
        return await self._read(which, lambda: reader.answer(query, view))

    async def _read(self, which: int, work: Callable[[], T]) -> T:
        with advised(self.path, LogError):
            return await asyncio.get_running_loop().run_in_executor(self._threads[which], work)

    # -- keeping house -----------------------------------------------------------------------------------------------

    async def settle(self) -> None:
        """Wait until the indexes have passed all that is there now, and what was erased has left no trace."""
        await self._write_cursors()
        while await self._job(self._store.catch_up):
            pass

    async def backup(self, target: Path | str) -> None:
        """Copy the whole log into another file while it is in use. Raises LogError."""
        await self._write_cursors()
        await asyncio.get_running_loop().run_in_executor(None, copy, self.path, Path(target))

    async def forget(self, before_ms: int) -> int:
        """Delete entries from before a time and give the disk back; returns how many went. Raises LogUnavailable.

        The newest entry stays, and so does what the newest snapshot has not: a start needs it.
        """
        before = await self._job(lambda: self._store.first_at(before_ms))
        gone = 0
        while some := await self._job(lambda: self._store.forget(before)):
            gone += some
        if gone:
            self._tail.forget(await self._job(self._store.oldest))
            while await self._job(self._store.shrink):
                pass
        return gone

    async def _retain(self) -> None:
        while True:
            try:
                await self.forget(int(time.time() * 1000) - self.retention_days * DAY_MS)
            except LogError:
                pass  # no disk space to delete in: the next time, perhaps
            await asyncio.sleep(RETENTION_SECONDS)
