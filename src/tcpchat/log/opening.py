"""How the log's file is opened for its writer: made private, brought up to date, and compared with what was told."""

from __future__ import annotations

import logging
import os
import shutil
import sqlite3
import sys
from contextlib import suppress
from pathlib import Path

from tcpchat.log import LogError, told
from tcpchat.log.schema import (
    ADVICE,
    APPLICATION_ID,
    MIGRATIONS,
    PRAGMAS,
    SMALLEST,
    begin_lineage,
    connect,
    lineages,
    touch,
    transaction,
)
from tcpchat.log.sums import chain_at
from tcpchat.log.told import Told

logger = logging.getLogger("tcpchat.log")


def open_for_writing(path: Path) -> sqlite3.Connection:
    """Open or make the file, bring it up to date, make sure that it can be written. Raises LogError, sqlite3.Error."""
    db = connect(path)
    try:
        _identify(db, path)
        record = told.read(path)
        missing = _missing(db, record)
        if missing:
            _keep_aside(wal_of(path))
        for pragma in PRAGMAS:
            db.execute(pragma).fetchall()
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()  # into the file before anybody hears of it
        _migrate(db)
        copied = _leave_the_source(db)
        if record is not None and (fault := missing or _another(db, record)):
            logger.error("! %s: %s", path, fault)
            if not copied:
                with transaction(db):
                    begin_lineage(db)
        touch(db)  # what cannot be written shows here and not with the first message
    except BaseException:
        db.close()
        raise
    return db


def wal_of(path: Path) -> Path:
    """The write-ahead log of a file."""
    return path.with_name(path.name + "-wal")


def _missing(db: sqlite3.Connection, record: Told | None) -> str:
    """What is to be said when the log ends before what was told; "" when it does not."""
    there = db.execute("SELECT 1 FROM sqlite_master WHERE name = 'entries'").fetchone()
    head: int = db.execute("SELECT coalesce(max(seq), 0) FROM entries").fetchone()[0] if there else 0
    if record is None or head >= record.seq:
        return ""
    return (
        f"{record.seq - head} messages that were told accepted are missing: {record.seq} were told, {head} are there."
        " The file is a copy or another one, or its write-ahead log was damaged or deleted."
        " The chat goes on from there, and clients are told that it is not the same any more."
    )


def _another(db: sqlite3.Connection, record: Told) -> str:
    """What is to be said when the log has other entries than those that were told; "" when it has these."""
    if record.lineage in {one.id for one in lineages(db)}:
        oldest: int = db.execute("SELECT coalesce(min(seq), 0) FROM entries").fetchone()[0]
        if record.seq < oldest or chain_at(db, record.seq).value == record.chain:
            return ""  # what was deleted for its age cannot be compared any more
    return f"other messages are in it than the {record.seq} that were told accepted. Is it the right file?"


def _keep_aside(wal: Path) -> None:
    """Keep a write-ahead log of which SQLite reads a part only: somebody may get the rest out of it."""
    kept = wal.with_name(wal.name + ".damaged")
    with suppress(OSError):
        if wal.stat().st_size:
            kept.unlink(missing_ok=True)
            os.close(os.open(kept, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            shutil.copyfile(wal, kept)
            logger.error("! %s is kept as %s", wal, kept.name)


def make_private(path: Path) -> None:
    """Make the file, or keep others from reading the one that is there. Rights that somebody chose (none for others)
    stay. SQLite gives the files beside it the same. Raises OSError."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        sync_folder(path.parent)
    except FileExistsError:
        for one in (path, wal_of(path), path.with_name(path.name + "-shm")):
            if one.exists() and one.stat().st_mode & 0o007:
                with suppress(PermissionError):  # of somebody else's file; whether it can be written shows later
                    one.chmod(0o600)


def sync_folder(path: Path) -> None:
    """Have a folder's names on the disk. Raises OSError."""
    if sys.platform == "win32":
        return
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def write_again(path: Path) -> None:
    """Have on the disk what reads as the write-ahead log of a process that was killed. After a failed fsync the system
    may show what it could not write, and believe that it is written: only what is written again goes out again. To be
    called only when it is sure that nobody else writes to it. Raises LogError."""
    wal = wal_of(path)
    try:
        with open(wal, "r+b") as file:
            while some := file.read(1 << 20):
                file.seek(-len(some), os.SEEK_CUR)
                file.write(some)
            file.flush()
            os.fsync(file.fileno())
    except FileNotFoundError:
        pass
    except OSError as error:
        raise LogError(f"{wal} cannot be read and written: {error.strerror}. {ADVICE['SQLITE_IOERR']}") from None


def _identify(db: sqlite3.Connection, path: Path) -> None:
    if 0 < path.stat().st_size < SMALLEST:
        raise LogError(f"{path}: {ADVICE['SQLITE_NOTADB']}")  # SQLite would take it for an empty one
    number: int = db.execute("PRAGMA application_id").fetchone()[0]
    version: int = db.execute("PRAGMA user_version").fetchone()[0]
    if number == APPLICATION_ID and version > len(MIGRATIONS):
        raise LogError(
            f"{path} was written by a newer tcpchat (its format is {version}, this program knows {len(MIGRATIONS)})."
            " Update tcpchat, or choose another folder with --data."
        )
    if number != APPLICATION_ID and db.execute("SELECT 1 FROM sqlite_master").fetchone():
        raise LogError(f"{path} is a database of another program. Choose another folder with --data.")


def _migrate(db: sqlite3.Connection) -> None:
    version: int = db.execute("PRAGMA user_version").fetchone()[0]
    for number in range(version, len(MIGRATIONS)):
        with transaction(db):
            for statement in MIGRATIONS[number]:
                db.execute(statement)
            db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            db.execute(f"PRAGMA user_version = {number + 1}")


def _leave_the_source(db: sqlite3.Connection) -> bool:
    """A copy that is written to goes its own way from here. Is it one?"""
    if db.execute("SELECT 1 FROM marks WHERE name = 'copy'").fetchone() is None:
        return False
    with transaction(db):
        begin_lineage(db)
        db.execute("DELETE FROM marks WHERE name = 'copy'")
    return True
