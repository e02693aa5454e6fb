"""The file: tables, how an older file becomes a newer one, and what its errors mean to whoever runs the chat."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tcpchat.log import Lineage, LogError, LogUnavailable

APPLICATION_ID = 0x74637074  # "tcpt": in the file's header, so that no other program's database is taken for a log
PART_BITS = 18  # messages of 2**18 places share one full-text index: merges, searches and deletions stay small
BUSY_SECONDS = 1.0  # somebody may have the file open in another program; a commit does not wait longer for that
MERGE_AT = 16  # pieces of a part's index that are merged into one: few big merges cost less than many small ones
STATEMENT_ROWS = 256  # 4 columns of it are far below SQLite's limit of 32,766 values
SMALLEST = 512  # bytes of a database that has anything in it
# What `said` of `places` says: 0 = no message, SOMEBODYS = a message that an older program listed, TAKEN_BACK = one
# whose text is erased, AUTHOR + n = one of user n.
SOMEBODYS, TAKEN_BACK, AUTHOR = 1, 2, 2
WAL_KEPT = 8 << 20  # bytes that the write-ahead log keeps behind a checkpoint: a burst does not hold disk for good
END = 1 << 62  # behind every seq
TOKENIZER = "unicode61 remove_diacritics 2"

# Append-only; PRAGMA user_version counts how many of them a file has.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        # The hot path appends to this table and to nothing else.
        "CREATE TABLE entries"
        " (seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, room INTEGER NOT NULL, body BLOB NOT NULL)",
        # What the followers keep, up to `followed` of `marks`. One more table for each part: see words_table().
        "CREATE TABLE places (room INTEGER, seq INTEGER, said INTEGER NOT NULL, PRIMARY KEY (room, seq)) WITHOUT ROWID",
        "CREATE TABLE amendments"
        " (target INTEGER, seq INTEGER, erased INTEGER NOT NULL, PRIMARY KEY (target, seq)) WITHOUT ROWID",
        "CREATE TABLE parts (part INTEGER PRIMARY KEY, scrub INTEGER NOT NULL)",
        "CREATE TABLE erasures (user INTEGER PRIMARY KEY, before INTEGER NOT NULL)",
        "CREATE TABLE marks (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID",
        "INSERT INTO marks VALUES ('followed', 0)",
        # What is merged, not ordered.
        "CREATE TABLE cursors (user INTEGER, place TEXT, seq INTEGER NOT NULL, at INTEGER NOT NULL,"
        " PRIMARY KEY (user, place)) WITHOUT ROWID",
        "CREATE TABLE snapshots (seq INTEGER PRIMARY KEY, state BLOB NOT NULL)",
    ),
    (
        # The last is what is appended to; those before it end where the next one begins.
        "CREATE TABLE lineages (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, since INTEGER NOT NULL)",
        "INSERT INTO lineages (id, since) VALUES (lower(hex(randomblob(16))), 0)",
    ),
    (
        # Checksums and their chain: see sums.py. Entries and snapshots from before have none.
        "ALTER TABLE entries ADD COLUMN sum BLOB",
        "ALTER TABLE snapshots ADD COLUMN sum BLOB",
        "CREATE TABLE seals (block INTEGER PRIMARY KEY, anchor BLOB NOT NULL, digests BLOB NOT NULL)",
    ),
    (
        # The numbers of unread messages leave out those that were taken back, and one's own.
        f"UPDATE places SET said = {TAKEN_BACK} WHERE said > 0 AND (room, seq) IN"
        " (SELECT e.room, e.seq FROM amendments a JOIN entries e ON e.seq = a.target WHERE a.erased)",
    ),
    (
        # Languages without spaces, and Russian letters with dots: indexed anew, bit by bit, while nothing waits.
        "INSERT INTO marks VALUES ('redone', 0)",
        "INSERT INTO marks SELECT 'redo to', value FROM marks WHERE name = 'followed'",
    ),
)

# Set on every connection that writes. The checkpoint is called when there is time for it (writing.py); the automatic
# one is only the net below. Whatever is deleted is overwritten.
PRAGMAS = (
    "PRAGMA auto_vacuum = INCREMENTAL",  # first: only a file without tables takes it over
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA secure_delete = ON",
    "PRAGMA wal_autocheckpoint = 16000",
    f"PRAGMA journal_size_limit = {WAL_KEPT}",
    "PRAGMA cache_size = -16384",
    "PRAGMA temp_store = MEMORY",
)


def part_of(seq: int) -> int:
    """Which full-text index a message belongs to."""
    return seq >> PART_BITS


def words_table(part: int) -> str:
    """The name of a part's full-text index."""
    return f"words_{part}"


def make_part(db: sqlite3.Connection, part: int) -> None:
    """Make the full-text index of a part: it holds words and no texts, and does not know where in a text they are."""
    db.execute(
        f"CREATE VIRTUAL TABLE {words_table(part)} USING fts5"
        f" (text, content='', columnsize=0, detail=none, tokenize='{TOKENIZER}')"
    )
    table = words_table(part)
    db.execute(f"INSERT INTO {table} ({table}, rank) VALUES ('automerge', ?)", (MERGE_AT,))
    db.execute("INSERT INTO parts VALUES (?, 0)", (part,))


def connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """A connection without implicit transactions, for one thread at a time."""
    where = path.absolute().as_uri() + ("?mode=ro" if read_only else "")
    return sqlite3.connect(
        where, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=256
    )


def touch(db: sqlite3.Connection) -> None:
    """Have something written to the disk. (To set a value that is there already writes nothing.)"""
    with transaction(db):
        more = " ON CONFLICT (name) DO UPDATE SET value = value + 1"
        db.execute(f"INSERT INTO marks VALUES ('touched', 1){more}")


def lineages(db: sqlite3.Connection) -> tuple[Lineage, ...]:
    """All lineages, oldest first."""
    return tuple(Lineage(*row) for row in db.execute("SELECT id, since FROM lineages ORDER BY number"))


def begin_lineage(db: sqlite3.Connection, since: int | None = None) -> None:
    """What is behind a seq (the head, without one) belongs to a lineage of its own, and so does what will be appended.
    Works inside the caller's transaction."""
    db.execute(
        "INSERT INTO lineages (id, since)"
        " SELECT lower(hex(randomblob(16))), coalesce(?, (SELECT coalesce(max(seq), 0) FROM entries))",
        (since,),
    )


def mark_copy(db: sqlite3.Connection) -> None:
    """Make one file, on disk, of a copy, and note in it that it is one."""
    db.execute("PRAGMA journal_mode = DELETE").fetchall()
    db.execute("PRAGMA synchronous = FULL")
    db.execute("INSERT OR REPLACE INTO marks VALUES ('copy', 1)")


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """All of it or nothing."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:  # after some errors SQLite has rolled back by itself
            db.execute("ROLLBACK")
        raise


# Errors after which no commit mark of the transaction is in the file: it did not come so far. After any other (fsync
# failed) the transaction may be there at the next start, or not.
NOT_WRITTEN = ("SQLITE_FULL", "SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_READONLY", "SQLITE_IOERR_WRITE", "SQLITE_TOOBIG")


def in_doubt(error: sqlite3.Error) -> bool:
    """May the transaction that ended with this error be on the disk?"""
    return not getattr(error, "sqlite_errorname", "").startswith(NOT_WRITTEN)


ADVICE = {
    "SQLITE_FULL": "the disk is full. Make room on it; nothing is lost, and writing goes on by itself.",
    "SQLITE_IOERR": "the disk gives errors. See the system's log; writing goes on by itself when it works again.",
    "SQLITE_READONLY": "it cannot be written. Check who owns it and its rights, or choose another folder with --data.",
    "SQLITE_CANTOPEN": "it cannot be opened. Check that it is a file with the right owner and rights.",
    "SQLITE_NOTADB": "it is not a tcpchat log. Move it away to start anew, or choose another folder with --data.",
    "SQLITE_CORRUPT": "it is damaged. Stop the server and put a backup in its place, or save what can be read with:"
    " sqlite3 FILE .recover",
    "SQLITE_BUSY": "another program keeps it locked. Close that program.",
    "SQLITE_LOCKED": "another program keeps it locked. Close that program.",
}


def advice(path: Path, error: sqlite3.Error) -> str:
    """What is wrong with the file, and what to do."""
    name: str = getattr(error, "sqlite_errorname", "")  # SQLITE_IOERR_WRITE and the like
    for known, text in ADVICE.items():
        if name.startswith(known):
            return f"{path}: {text} ({error})"
    return f"{path}: {error}"


@contextmanager
def advised(path: Path, kind: type[LogError] = LogUnavailable) -> Iterator[None]:
    """Errors of the file come out with advice."""
    try:
        yield
    except sqlite3.Error as error:
        raise kind(advice(path, error)) from error
    except UnicodeDecodeError as error:  # of a text that SQLite gave
        raise kind(f"{path}: {ADVICE['SQLITE_CORRUPT']} ({error})") from error
    except OSError as error:
        raise kind(f"{error.filename or path} cannot be used: {error.strerror}. Choose another with --data.") from error


def insert_many(db: sqlite3.Connection, head: str, columns: int, values: list[object], tail: str = "") -> None:
    """``INSERT ... VALUES`` with many rows a statement: few and big ones let the interpreter's lock go for long."""
    row = "(" + ",".join("?" * columns) + ")"
    step = STATEMENT_ROWS * columns
    for start in range(0, len(values), step):
        part = values[start : start + step]
        db.execute(f"{head} VALUES {','.join([row] * (len(part) // columns))}{tail}", part)


def first_at(db: sqlite3.Connection, at: int) -> int:
    """The first seq at or behind a time, else the one behind the newest. Times never decrease: this is a bisection."""
    low, high = db.execute("SELECT coalesce(min(seq), 1), coalesce(max(seq), 0) + 1 FROM entries").fetchone()
    while low < high:
        middle = (low + high) // 2
        (found,) = db.execute("SELECT at FROM entries WHERE seq >= ? ORDER BY seq LIMIT 1", (middle,)).fetchone()
        if found >= at:
            high = middle
        else:
            low = middle + 1
    return int(low)


def followed(db: sqlite3.Connection) -> int:
    """Up to which seq the followers have come."""
    seq: int = db.execute("SELECT value FROM marks WHERE name = 'followed'").fetchone()[0]
    return seq
