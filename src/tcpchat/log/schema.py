"""The file: tables, and how an older file becomes a newer one. The list is append-only; ``user_version`` counts it."""

from __future__ import annotations

import sqlite3

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        # The hot path appends to this table and to nothing else.
        "CREATE TABLE entries (seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, room INTEGER NOT NULL, body BLOB NOT NULL)",
        # Followers of the log, each with its own cursor in `followers`.
        "CREATE TABLE places (room INTEGER, seq INTEGER, said INTEGER, PRIMARY KEY (room, seq)) WITHOUT ROWID",
        "CREATE TABLE amendments (seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, text TEXT)",
        "CREATE VIRTUAL TABLE texts USING fts5 (text, content='', tokenize=\"unicode61 remove_diacritics 2\")",
        "CREATE TABLE followers (name TEXT PRIMARY KEY, seq INTEGER NOT NULL) WITHOUT ROWID",
        "CREATE TABLE cursors (user INTEGER, place TEXT, seq INTEGER NOT NULL, at INTEGER NOT NULL,"
        " PRIMARY KEY (user, place)) WITHOUT ROWID",
        "CREATE TABLE snapshots (seq INTEGER PRIMARY KEY, state BLOB NOT NULL)",
        "INSERT INTO followers VALUES ('index', 0)",
    ),
)


class TooNew(Exception):
    """The file was written by a newer program."""


def prepare(db: sqlite3.Connection) -> None:
    """Set the pragmas of the writer and bring the file up to date. Raises TooNew, sqlite3.Error."""
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version > len(MIGRATIONS):
        raise TooNew(f"version {version}, this program knows {len(MIGRATIONS)}")
    if version == 0:
        db.execute("PRAGMA auto_vacuum = INCREMENTAL")  # retention gives the disk back
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.execute("PRAGMA secure_delete = ON")  # a deleted message's text is overwritten
    db.execute("PRAGMA wal_autocheckpoint = 4000")
    db.execute("PRAGMA cache_size = -32768")
    db.execute("PRAGMA temp_store = MEMORY")
    for number in range(version, len(MIGRATIONS)):
        db.execute("BEGIN IMMEDIATE")
        try:
            for statement in MIGRATIONS[number]:
                db.execute(statement)
            db.execute(f"PRAGMA user_version = {number + 1}")
            db.execute("COMMIT")
        except BaseException:
            db.execute("ROLLBACK")
            raise
