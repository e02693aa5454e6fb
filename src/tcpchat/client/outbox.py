"""What was sent and is not accepted yet, in order, with the device and the numbers it was sent under.

In memory, or in a small SQLite file: then a message is on disk before ``send`` returns, survives the process, and goes
out once under the same number.
"""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import Any

from tcpchat.client.sent import Sent

SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS outbox (id INTEGER PRIMARY KEY, n INTEGER NOT NULL, message TEXT NOT NULL);
"""


class OutboxError(Exception):
    """The outbox file cannot be used; the text says why and what to do."""


class Outbox:
    """Pending messages of one device. Without a path they live as long as the process."""

    def __init__(self, path: Path | str | None = None, device: str = "") -> None:
        self.items: list[Sent] = []
        self.device = device
        self.cursor: int | None = None
        self._db: Any = None
        self._last = 0
        if path is not None:
            self._open(Path(path), device)
        if not self.device:
            self.device = secrets.token_urlsafe(16)
            self._put("device", self.device)

    def _open(self, path: Path, device: str) -> None:
        import sqlite3

        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            db = sqlite3.connect(path, isolation_level=None, timeout=0.2, check_same_thread=False)
            # Exclusive for as long as this process lives: two processes of one device would number over each other.
            db.execute("PRAGMA locking_mode = EXCLUSIVE")
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = FULL")
            db.executescript(SCHEMA)
            db.execute("BEGIN IMMEDIATE")
            db.execute("COMMIT")
        except (sqlite3.Error, OSError) as error:
            text = "another window uses it" if "locked" in str(error) else str(error)
            raise OutboxError(f"{path}: {text}") from None
        self._db = db
        meta = dict(db.execute("SELECT key, value FROM meta"))
        self.device = device or meta.get("device", "")
        self.cursor = int(meta["cursor"]) if "cursor" in meta else None
        for number, n, message in db.execute("SELECT id, n, message FROM outbox ORDER BY id"):
            item = Sent(**json.loads(message))
            item.number, item.n = number, n
            self.items.append(item)
            self._last = number

    def _put(self, key: str, value: str) -> None:
        if self._db is not None:
            self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def add(self, item: Sent) -> None:
        """Keep a message; on disk when this returns, if there is a file."""
        self._last += 1
        item.number = self._last
        if self._db is not None:
            self._db.execute("INSERT INTO outbox VALUES (?, 0, ?)", (item.number, json.dumps(item.message())))
        self.items.append(item)

    def numbered(self, items: list[Sent]) -> None:
        """Remember under which numbers these messages leave, before they do."""
        if self._db is not None and items:
            self._db.execute("BEGIN")
            self._db.executemany("UPDATE outbox SET n = ? WHERE id = ?", [(item.n, item.number) for item in items])
            self._db.execute("COMMIT")

    def remove(self, item: Sent) -> None:
        """The message is settled."""
        if item in self.items:
            self.items.remove(item)
        if self._db is not None:
            self._db.execute("DELETE FROM outbox WHERE id = ?", (item.number,))

    def keep_cursor(self, seq: int) -> None:
        """Remember up to where everything was taken."""
        if self.cursor is None or seq > self.cursor:
            self.cursor = seq
            self._put("cursor", str(seq))

    def close(self) -> None:
        """Close the file; idempotent."""
        if self._db is not None:
            self._db.close()
            self._db = None
