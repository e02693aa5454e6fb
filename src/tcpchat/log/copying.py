"""A copy of the whole log in one file, of one moment, made while the log is in use or not.

It takes the place of an earlier copy, and of nothing else: not of a log, of what belongs to one, or of any other file.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tcpchat.log import LogError
from tcpchat.log.opening import sync_folder
from tcpchat.log.schema import APPLICATION_ID, advised, connect, mark_copy

BESIDE = ("-wal", "-shm", "-journal", "-head", ".lock")  # what stands behind a log's name in the names of its files
CHOOSE = "Choose another name for the copy."


def copy(source: Path, target: Path) -> Path:
    """One state of the source, on disk, under the target's name only when it is whole; returns the file written (a link
    is followed). Raises LogError: then nothing was changed.

    The copy is marked: who opens it to write begins a new lineage, because what the source went on with is not in it.
    """
    try:
        target = target.resolve()
        _may_replace(source.resolve(), target)
        with advised(target, LogError), _partial(target) as part:
            reader, writer = connect(source, read_only=True), sqlite3.connect(part, isolation_level=None)
            try:
                reader.backup(writer)
                mark_copy(writer)
            finally:
                reader.close()
                writer.close()
            os.replace(part, target)
            sync_folder(target.parent)
    except OSError as error:
        raise LogError(f"{target} cannot be written: {error.strerror}. {CHOOSE}") from None
    return target


def _may_replace(source: Path, target: Path) -> None:
    """Raises LogError, OSError."""
    if target.is_dir():
        raise LogError(f"{target} is a folder. Name a file in it.")
    if not target.parent.is_dir():
        raise LogError(f"There is no folder {target.parent}. Make it first, or choose another.")
    if target.parent == source.parent and _reserved(source, target.name):
        raise LogError(f"{target} belongs to the chat itself. {CHOOSE}")
    for suffix in BESIDE:
        log = target.name.removesuffix(suffix)
        if log != target.name and target.with_name(log).exists():
            raise LogError(f"{target} belongs to {log}. {CHOOSE}")
    if not target.exists():
        return
    if any(one.samefile(target) for one in source.parent.iterdir() if one.exists() and one != target):
        raise LogError(f"{target} is a file of the chat itself, by another name. {CHOOSE}")
    if any(target.with_name(target.name + suffix).exists() for suffix in BESIDE):
        raise LogError(f"{target} is the log of a chat. {CHOOSE}")
    if not _is_log(target):
        raise LogError(f"{target} is there, and it is not a copy of a chat. {CHOOSE}")


def _reserved(source: Path, name: str) -> bool:
    """Would a server take a file of this name in its folder for its own?"""
    own = ("irc.db", "tls-", "cloak.key", "admin.secret", "syslog")
    return (
        name == source.name or name.startswith(tuple(source.name + suffix for suffix in BESIDE)) or name.startswith(own)
    )


def _is_log(path: Path) -> bool:
    """Is it the database of a chat (a copy is one), or empty?"""
    with open(path, "rb") as file:
        start = file.read(72)
    return not start or start[68:72] == APPLICATION_ID.to_bytes(4, "big")  # where SQLite keeps it


@contextmanager
def _partial(target: Path) -> Iterator[Path]:
    """A file beside the target that only the owner can read, and that is gone in the end, whatever happens."""
    file, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".partial", dir=target.parent)
    os.close(file)
    part = Path(name)
    try:
        yield part
    finally:
        for suffix in ("", "-journal", "-wal", "-shm"):
            with suppress(FileNotFoundError):
                part.with_name(part.name + suffix).unlink()
