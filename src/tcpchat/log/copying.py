"""A copy of the whole log in one file, of one moment, made while the log is in use or not."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from tcpchat.log import LogError
from tcpchat.log.opening import make_private
from tcpchat.log.schema import advised, connect, mark_copy


def copy(source: Path, target: Path) -> None:
    """One state of the source, on disk, under the target's name only when it is whole. Raises LogError.

    The copy is marked: who opens it to write begins a new lineage, because what the source went on with is not in it.
    """
    part = target.with_name(target.name + ".part")
    with advised(target, LogError):
        try:
            part.unlink(missing_ok=True)
            make_private(part)
            reader, writer = connect(source, read_only=True), sqlite3.connect(part, isolation_level=None)
            try:
                reader.backup(writer)
                mark_copy(writer)
            finally:
                reader.close()
                writer.close()
            os.replace(part, target)
        except OSError as error:
            raise LogError(f"{target} cannot be written: {error.strerror}.") from None
