"""Entries that cannot be read, or are not what was written: left out, loudly, and nobody waits because of them."""

from __future__ import annotations

import logging
import re
import sqlite3
from contextlib import suppress
from pathlib import Path

import msgspec

from tcpchat.core.model import AnyFact, Arrived, RoomMade
from tcpchat.core.version import VERSION
from tcpchat.log import LogError
from tcpchat.log.codec import decode
from tcpchat.log.sums import intact

logger = logging.getLogger("tcpchat.log")

NOTED_MAX = 10_000  # damaged entries that are remembered, so that each is reported once
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, TypeError)  # what decoding an entry may end with
Row = tuple[int, int, int, bytes, bytes | None]  # seq, at, room, body, sum


class _Kind(msgspec.Struct):
    """Of a fact no more than what it is."""

    f: str


class Damage:
    """The damaged entries of one log. Any thread may use it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.seqs: set[int] = set()

    def fact(self, seq: int, at: int, room: int, body: bytes, kept: bytes | None) -> AnyFact | None:
        """What an entry says; None when it is damaged."""
        try:
            if intact(seq, at, room, body, kept):
                return decode(body)
            self.note(seq, "it is not what was written")
        except UNREADABLE as error:
            self.note(seq, str(error))
        return None

    def known(self, seq: int, at: int, room: int, body: bytes, kept: bytes | None) -> None:
        """Raises LogError for an entry that nothing has damaged, and that this program cannot read all the same: a
        newer one wrote it, and without it the rest would mean something else."""
        if kept is None or not intact(seq, at, room, body, kept):
            return
        with suppress(*UNREADABLE):
            kind = msgspec.json.decode(body, type=_Kind).f
            raise LogError(
                f"{self.path}: entry {seq} ({kind!r}) was written by a newer version of tcpchat; this is {VERSION},"
                " which does not know what it says. Start the newer one, or put a backup from before in its place."
            )

    def note(self, seq: int, why: str) -> None:
        """Report an entry, once."""
        if seq not in self.seqs and len(self.seqs) < NOTED_MAX:
            self.seqs.add(seq)
            logger.error(
                "! %s: entry %d is damaged and is left out (%s). Look with `tcpchat admin check`, and put a backup in"
                " its place.", self.path, seq, why,
            )  # fmt: skip


def rows_of(db: sqlite3.Connection, where: str, values: tuple[object, ...]) -> list[Row]:
    """Entries as they stand in the file, for Damage.fact."""
    return db.execute(f"SELECT seq, at, room, body, sum FROM entries WHERE {where}", values).fetchall()


def stand_in(seq: int, body: object) -> AnyFact | None:
    """What a start takes instead of a damaged entry. Users and rooms are numbered as they come: without one of them all
    behind it would be somebody else."""
    if not isinstance(body, bytes):
        return None
    if b'"f":"arrived"' in body or (b'"f":"claimed"' in body and b'"user":' not in body):
        return Arrived(login=f"damaged-{seq}", device="")
    if b'"f":"roommade"' in body and (maker := re.search(rb'"by":(\d+)', body)):
        return RoomMade(name=f"#damaged-{seq}", by=int(maker[1]))
    return None
