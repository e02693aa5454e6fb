"""What was sent and is not accepted yet, with the device and the numbers it was sent under.

In memory, or in a small SQLite file: then a message is on disk before ``send`` returns, survives the process, and goes
out once under the same number. A number is on disk before it leaves; that a message is settled is written with the next
commit, because the server's Welcome tells it again anyway.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from tcpchat.client.errors import OutboxError
from tcpchat.client.record import Item, Record
from tcpchat.client.sent import Sent

if TYPE_CHECKING:
    import sqlite3

FORMAT = 1
LOCK_SECONDS = 0.2  # another process has the file for as long as it lives, so waiting longer would not help
SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS outbox (id INTEGER PRIMARY KEY, n INTEGER NOT NULL, message TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS own (seq INTEGER PRIMARY KEY);
"""


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Turn what SQLite and the file system say into one sentence."""
    import sqlite3

    try:
        yield
    except (sqlite3.Error, OSError) as error:
        text = "another program uses it" if "locked" in str(error) else str(error)
        raise OutboxError(f"{path}: {text}") from error


def _text(item: Item) -> str:
    try:
        return msgspec.json.encode(item.message()).decode()
    except UnicodeEncodeError:  # halves of surrogate pairs: command-line bytes that are no UTF-8
        clean = {key: _clean(value) if isinstance(value, str) else value for key, value in item.message().items()}
        return msgspec.json.encode(clean).decode()


def _clean(text: str) -> str:
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


class Outbox(Record):
    """Pending messages of one device. Without a path they live as long as the process."""

    def __init__(self, path: Path | str | None = None, device: str = "") -> None:
        super().__init__(device)
        self._path = Path(path) if path is not None else Path()
        self._db: sqlite3.Connection | None = None
        if path is not None:
            with _told(self._path):
                self._open()
        self.device = self.device or os.urandom(16).hex()
        if self._db is not None:
            with _told(self._path):
                self._put("device", self.device)
                self._db.execute("COMMIT")

    def _open(self) -> None:
        import sqlite3

        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._path.touch(mode=0o600)
        db = sqlite3.connect(self._path, isolation_level=None, timeout=LOCK_SECONDS, check_same_thread=False)
        try:
            # Exclusive for as long as this process lives: two processes of one device would number over each other.
            db.execute("PRAGMA locking_mode = EXCLUSIVE")
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = FULL")
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if version > FORMAT:
                raise OutboxError(f"{self._path}: made by a newer tcpchat")
            db.executescript(f"BEGIN IMMEDIATE; {SCHEMA} PRAGMA user_version = {FORMAT}; COMMIT")
            self._load(db)
        except BaseException:
            db.close()
            raise
        self._db = db

    def _load(self, db: sqlite3.Connection) -> None:
        meta = dict(db.execute("SELECT key, value FROM meta"))
        known = meta.get("device", "")
        if self.device and known and self.device != known:
            raise OutboxError(f"{self._path}: it belongs to another device; leave the device out or take another file")
        self.device = self.device or known
        self.cursor = int(meta["cursor"]) if "cursor" in meta else None
        self.log = meta.get("log", "")
        self.accepted, self.head = int(meta.get("accepted", "0")), int(meta.get("head", "0"))
        self.own = [seq for (seq,) in db.execute("SELECT seq FROM own ORDER BY seq")]
        for number, n, message in db.execute("SELECT id, n, message FROM outbox ORDER BY id"):
            item = Sent(**msgspec.json.decode(message))
            item.number, item.n, item.left = number, n, n > 0
            self._last = number
            if n < 0:
                item.doubt()
                self.doubtful.append(item)
            else:
                self.found.append(item)

    @property
    def durable(self) -> bool:
        """Does what is in it survive the process?"""
        return self._db is not None

    def _run(self, statement: str, values: tuple[int | str, ...] = ()) -> None:
        if self._db is not None:
            if not self._db.in_transaction:
                self._db.execute("BEGIN IMMEDIATE")
            self._db.execute(statement, values)

    def _put(self, key: str, value: str) -> None:
        self._run("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def add(self, item: Item) -> None:
        """Keep a message; on disk when this returns, if there is a file. Raises OutboxError: it is not kept."""
        super().add(item)
        if self._db is not None:
            with self._committed():
                self._run("INSERT INTO outbox VALUES (?, ?, ?)", (item.number, item.n, _text(item)))
                if item.n:
                    self._put_log()

    def numbered(self, items: list[Item]) -> None:
        """Remember under which numbers these messages leave, before they do. Raises OutboxError."""
        if self._db is not None and items:
            with self._committed():
                for item in items:
                    self._run("UPDATE outbox SET n = ? WHERE id = ?", (item.n, item.number))
                self._put_log()

    def doubted(self, item: Item) -> None:
        """Keep it as one of which nobody knows whether it was taken. On disk with the next commit."""
        super().doubted(item)
        if self._db is not None:
            with _told(self._path):
                self._run("UPDATE outbox SET n = -1 WHERE id = ?", (item.number,))

    def _put_log(self) -> None:
        for key, value in (("log", self.log), ("accepted", str(self.accepted)), ("head", str(self.head))):
            self._put(key, value)

    @contextmanager
    def _committed(self) -> Iterator[None]:
        assert self._db is not None
        with _told(self._path):
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    def remove(self, item: Item) -> None:
        """The message is settled: accepted in its ``seq``, or refused. On disk with the next commit."""
        super().remove(item)
        if self._db is not None:
            with _told(self._path):
                self._run("DELETE FROM outbox WHERE id = ?", (item.number,))
                if item.seq:
                    self._run("INSERT OR IGNORE INTO own VALUES (?)", (item.seq,))

    def forget_own(self, seq: int) -> None:
        """The log has nothing from ``seq`` on: own messages there will not come back with the feed."""
        if self._db is not None:
            with _told(self._path):
                self._run("DELETE FROM own WHERE seq >= ?", (seq,))

    def save(self) -> None:
        """Commit what waits for it. Raises OutboxError."""
        if self._db is None:
            return
        with self._committed():
            self._put_log()
            if self.cursor is not None:
                self._put("cursor", str(self.cursor))
                self._run("DELETE FROM own WHERE seq <= ?", (self.cursor,))

    def close(self) -> None:
        """Save and close the file; idempotent."""
        if self._db is not None:
            try:
                self.save()
            finally:
                self._db.close()
                self._db = None
