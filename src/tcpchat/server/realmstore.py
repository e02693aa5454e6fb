"""What realms keep over a restart besides the log (IRC: WHOWAS and the exact times of read marks), and their secret.

Entries belong to the log; these are neither said nor decided by anybody. They are written about once a second to a
small SQLite file for each realm: a crash may cost the last second of them, never a message.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import sqlite3
from collections.abc import Mapping
from pathlib import Path

from tcpchat.doors import Kept, Realm, Row, Table

logger = logging.getLogger("tcpchat.server")

KEY_FILE = "cloak.key"
KEY_BYTES = 16


class RealmFile:
    """The file of one realm."""

    def __init__(self, realm: Realm, path: Path) -> None:
        self._realm, self._path = realm, path
        self._writing: asyncio.Task[None] | None = None
        self._db: sqlite3.Connection | None = None
        try:
            self._db = open_file(path, realm.keeps)
            realm.load(read(self._db, realm.keeps))
        except (OSError, sqlite3.Error) as error:
            logger.error("! %s cannot be used, and what belongs there is not kept: %s", path, error)
            self._forget()

    def _forget(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None

    def tick(self) -> None:
        """Write what is new, if nothing is being written."""
        if self._writing is None and (kept := self._realm.save()) and self._db is not None:
            self._writing = asyncio.get_running_loop().create_task(self._write(self._db, kept), name=self._path.name)

    async def _write(self, db: sqlite3.Connection, kept: Kept) -> None:
        try:
            await asyncio.to_thread(store, db, self._realm.keeps, kept)
        except sqlite3.Error as error:
            logger.error("! %s takes nothing, and what belongs there is not kept from now on: %s", self._path, error)
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


class RealmStore:
    """The files of all realms in the data folder. Without a folder nothing is kept."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._files: list[RealmFile] = []

    def open(self) -> bytes:
        """The secret of this folder; a new one where it cannot be kept."""
        if self._folder is not None:
            try:
                return cloak_key(self._folder / KEY_FILE)
            except OSError as error:
                logger.error("! cloaks last until the next start only: %s", error)
        return secrets.token_bytes(KEY_BYTES)

    def load(self, name: str, realm: Realm) -> None:
        """Hand over what was kept. A file that cannot be read costs what stood in it, not the start."""
        if self._folder is not None and realm.keeps:
            self._files.append(RealmFile(realm, self._folder / f"{name}.db"))

    def tick(self) -> None:
        """Once a second: write what is new."""
        for file in self._files:
            file.tick()

    async def close(self) -> None:
        """Write the rest and close."""
        for file in self._files:
            await file.close()


def read(db: sqlite3.Connection, tables: tuple[Table, ...]) -> Kept:
    """All that is kept in these tables."""
    kept: dict[str, list[Row]] = {}
    for table in tables:
        columns = ", ".join(table.columns)
        if table.keys:
            kept[table.name] = db.execute(f"SELECT {columns} FROM {table.name}").fetchall()
        else:
            query = f"SELECT {columns} FROM {table.name} ORDER BY id DESC LIMIT ?"
            kept[table.name] = db.execute(query, (table.most,)).fetchall()[::-1]
    return kept


def store(db: sqlite3.Connection, tables: tuple[Table, ...], kept: Mapping[str, list[Row]]) -> None:
    """One transaction with everything new; see doors.Table."""
    with db:
        for table in tables:
            rows = kept.get(table.name, [])
            whole = [row for row in rows if len(row) == len(table.columns)]
            columns, marks = ", ".join(table.columns), ", ".join("?" * len(table.columns))
            db.executemany(f"INSERT OR REPLACE INTO {table.name} ({columns}) VALUES ({marks})", whole)
            if table.keys:
                named = " AND ".join(f"{column} = ?" for column in table.columns[: table.keys])
                cut = [row for row in rows if len(row) == table.keys]
                db.executemany(f"DELETE FROM {table.name} WHERE {named}", cut)
            else:
                last = f"(SELECT max(id) FROM {table.name})"
                db.execute(f"DELETE FROM {table.name} WHERE id <= {last} - ?", (table.most,))


def open_file(path: Path, tables: tuple[Table, ...]) -> sqlite3.Connection:
    """The file, made readable for its owner only, with these tables in it. Raises OSError, sqlite3.Error."""
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    db = sqlite3.connect(path, check_same_thread=False)  # one task at a time writes, in a thread
    try:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=NORMAL")
        for table in tables:
            db.execute(_created(table))
    except sqlite3.Error:
        db.close()
        raise
    return db


def _created(table: Table) -> str:
    columns = ", ".join(table.columns)
    if not table.keys:
        return f"CREATE TABLE IF NOT EXISTS {table.name} (id INTEGER PRIMARY KEY, {columns})"
    key = ", ".join(table.columns[: table.keys])
    return f"CREATE TABLE IF NOT EXISTS {table.name} ({columns}, PRIMARY KEY ({key})) WITHOUT ROWID"


def cloak_key(path: Path) -> bytes:
    """The key of cloaks, made at the first start: bans by host hold for as long as it does. Raises OSError."""
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
