"""What IRC keeps over a restart besides the log: the key of cloaks, WHOWAS, and the exact times of read marks.

Entries belong to the log; these are neither said nor decided by anybody. They are written behind, about once a second,
to a small SQLite file of their own: a crash may cost the last second of them, never a message.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tcpchat.doors.irc.network import Network

logger = logging.getLogger("tcpchat.server")

KEY_FILE, FILE = "cloak.key", "irc.db"
KEY_BYTES = 16
TABLES = """
CREATE TABLE IF NOT EXISTS marks (login TEXT, target TEXT, at INTEGER, PRIMARY KEY (login, target)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS whowas (id INTEGER PRIMARY KEY, login TEXT, user TEXT, host TEXT, real TEXT, at REAL);
"""


class Kept:
    """The files of one network in the data folder. Without a folder nothing is kept."""

    def __init__(self, network: Network, folder: Path | None) -> None:
        self._network, self._folder = network, folder
        self._db: sqlite3.Connection | None = None
        self._writing: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Hand over what was kept. A file that cannot be read costs what stood in it, not the start."""
        if self._folder is None:
            return
        try:
            self._network.secret = cloak_key(self._folder / KEY_FILE)
        except OSError as error:
            logger.error("! cloaks last until the next start only: %s", error)
        try:
            self._db = open_file(self._folder / FILE)
            self._load(self._db)
        except (OSError, sqlite3.Error) as error:
            logger.error("! WHOWAS and read marks are not kept: %s: %s", self._folder / FILE, error)
            self._forget()

    def _load(self, db: sqlite3.Connection) -> None:
        network = self._network
        for login, target, at in db.execute("SELECT login, target, at FROM marks ORDER BY at"):
            network.marks[login, target] = at
        most = network.gone.maxlen or 0
        for row in db.execute("SELECT login, user, host, real, at FROM whowas ORDER BY id DESC LIMIT ?", (most,)):
            network.gone.append(row)
        network.keeping = True

    def _forget(self) -> None:
        self._network.keeping = False
        if self._db is not None:
            self._db.close()
            self._db = None

    def tick(self) -> None:
        """Write what is new, if nothing is being written."""
        network = self._network
        if self._db is not None and self._writing is None and (network.moved or network.went):
            self._writing = asyncio.get_running_loop().create_task(self._write(self._db), name="irc.db")

    async def _write(self, db: sqlite3.Connection) -> None:
        network = self._network
        moved, network.moved = network.moved, {}
        went = list(network.went)
        network.went.clear()
        try:
            await asyncio.to_thread(store, db, moved, went, network.gone.maxlen or 0)
        except sqlite3.Error as error:
            logger.error("! WHOWAS and read marks are not kept from now on: %s", error)
            self._forget()
        finally:
            self._writing = None

    async def close(self) -> None:
        """Write the rest and close."""
        while self._writing is not None:
            await asyncio.gather(self._writing, return_exceptions=True)
        self.tick()
        if self._writing is not None:
            await self._writing
        self._forget()


Row = tuple[str, str, str, str, float]


def store(db: sqlite3.Connection, moved: dict[tuple[str, str], int], went: list[Row], most: int) -> None:
    """One transaction with everything new; of WHOWAS the latest stay."""
    with db:
        db.executemany("INSERT OR REPLACE INTO marks VALUES (?, ?, ?)", [(*key, at) for key, at in moved.items()])
        db.execute("DELETE FROM marks WHERE at = 0")
        db.executemany("INSERT INTO whowas (login, user, host, real, at) VALUES (?, ?, ?, ?, ?)", went)
        db.execute("DELETE FROM whowas WHERE id <= (SELECT max(id) FROM whowas) - ?", (most,))


def open_file(path: Path) -> sqlite3.Connection:
    """The file, made readable for its owner only."""
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    db = sqlite3.connect(path, check_same_thread=False)  # one task at a time writes, in a thread
    try:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=NORMAL")
        db.executescript(TABLES)
    except sqlite3.Error:
        db.close()
        raise
    return db


def cloak_key(path: Path) -> bytes:
    """The key of cloaks, made at the first start: bans by host hold for as long as it does."""
    try:
        key = path.read_bytes()
        if len(key) == KEY_BYTES:
            return key
        path.unlink()
    except FileNotFoundError:
        pass
    key = secrets.token_bytes(KEY_BYTES)
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(file, "wb") as out:
        out.write(key)
        out.flush()
        os.fsync(out.fileno())
    return key
