"""What was told: a small file beside the log with the place up to which senders have heard that they are accepted.

It is written over in place behind every batch and never synced: so it cannot be ahead of the log, and behind it only
after a power cut. When a start finds less in the log than it says, messages are missing: the write-ahead log was cut,
damaged or deleted, or the file is another one. SQLite alone takes all that for the end of what was written.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

SUFFIX = "-head"


class Told(NamedTuple):
    """The newest entry that was accepted, the chain behind it, and the lineage that it belongs to."""

    seq: int
    chain: bytes
    lineage: str


def beside(path: Path) -> Path:
    """The record's file of a log."""
    return path.with_name(path.name + SUFFIX)


def read(path: Path) -> Told | None:
    """The record of a log; None when there is none that can be read."""
    try:
        line = beside(path).read_bytes()[:256].decode("ascii")
        body, check = line.split("\n")[0].rsplit(" ", 1)
        seq, chain, lineage = body.split(" ")
        return Told(int(seq), bytes.fromhex(chain), lineage) if check == _check(body) else None
    except (OSError, ValueError):  # also UnicodeDecodeError
        return None


class Record:
    """The file, open for the log's only writer."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(beside(path), os.O_WRONLY | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)

    def write(self, told: Told) -> None:
        """Write it over in place: always as many bytes, within the first sector. Raises OSError."""
        body = f"{told.seq:020d} {told.chain.hex()} {told.lineage}"
        _write(self._file, f"{body} {_check(body)}\n".encode("ascii"))

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


def _check(body: str) -> str:
    return f"{crc32(body.encode('ascii')):08x}"


if hasattr(os, "pwrite"):

    def _write(file: int, line: bytes) -> None:
        os.pwrite(file, line, 0)

else:

    def _write(file: int, line: bytes) -> None:
        os.lseek(file, 0, os.SEEK_SET)
        os.write(file, line)
