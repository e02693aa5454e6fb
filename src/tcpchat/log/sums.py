"""Checksums of entries, so that damage is never served as said, and their chain, so that none can go unnoticed.

What an entry's column ``sum`` holds, one behind the other: the digest of the entry as it was said (8 bytes; it stays
when the text is erased); when it was rewritten, the digest of what stands there now (8); in the first entry of each
block of 256, the value of the chain before it (16). The chain's value behind an entry is the hash of the value at the
begin of its block and of the digests from there on, so it can be told from any block on, whatever was erased before.
Entries of files that are older than this have no sum and do not count.
"""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any
from zlib import adler32, crc32

BLOCK = 256  # entries from one stored value of the chain to the next: so many are read to go on with it
DIGEST, LINK = 8, 16  # bytes of a digest, of a value of the chain
_where = struct.Struct("<qqq").pack
_two = struct.Struct("<II").pack
START = bytes(LINK)  # the chain's value before anything


def digest(seq: int, at: int, room: int, body: bytes) -> bytes:
    """The checksum of an entry. Against damage, not against people: they can write the file anew. (A cryptographic
    hash took four times as long, and that for every message.)"""
    return _two(crc32(_where(seq, at, room) + body), adler32(body))


def _older(seq: int, at: int, room: int, body: bytes) -> bytes:
    """The checksum that entries of older files have."""
    return blake2b(_where(seq, at, room) + body, digest_size=DIGEST).digest()


def intact(seq: int, at: int, room: int, body: bytes, kept: bytes | None) -> bool:
    """Is this what was written? Also True where nobody noted what was."""
    if kept is None:
        return True
    try:
        now = kept[DIGEST : 2 * DIGEST] if len(kept) in (2 * DIGEST, 2 * DIGEST + LINK) else kept[:DIGEST]
        return digest(seq, at, room, body) == now or _older(seq, at, room, body) == now
    except (TypeError, struct.error):  # damage can turn any column into any type
        return False


def rewritten(seq: int, at: int, room: int, body: bytes, kept: bytes | None) -> bytes | None:
    """The sum of an entry whose body is another one from now on."""
    if kept is None:
        return None
    return kept[:DIGEST] + digest(seq, at, room, body) + (kept[-LINK:] if len(kept) >= DIGEST + LINK else b"")


class Chain:
    """The chain behind some entry."""

    __slots__ = ("_hash",)

    def __init__(self, anchor: bytes = START, digests: bytes = b"") -> None:
        self._hash = blake2b(anchor + digests, digest_size=LINK)

    @property
    def value(self) -> bytes:
        """16 bytes that stand for all entries up to here."""
        return self._hash.digest()

    def over(self, values: list[Any]) -> Chain:
        """The chain behind more entries. ``values``: seq, at, room, body, and a place for the sum, for each. For every
        message: what most of it costs is the two checksums."""
        ahead = Chain.__new__(Chain)
        ahead._hash = self._hash.copy()
        rows = zip(values[::5], values[1::5], values[2::5], values[3::5], strict=True)
        # digest(), written out
        kept = [_two(crc32(_where(seq, at, room) + body), adler32(body)) for seq, at, room, body in rows]
        values[4::5], start = map(bytearray, kept), 0  # not bytes: see SqliteLog.append
        for place in range(-values[0] % BLOCK, len(kept), BLOCK):
            ahead._hash.update(b"".join(kept[start:place]))
            anchor, start = ahead.value, place
            ahead._hash = blake2b(anchor, digest_size=LINK)
            values[5 * place + 4] = kept[place] + anchor
        ahead._hash.update(b"".join(kept[start:]))
        return ahead


def anchor_of(kept: bytes | None) -> bytes:
    """The chain's value before an entry that begins a block."""
    return kept[-LINK:] if isinstance(kept, bytes) and len(kept) >= DIGEST + LINK else START


def chain_at(db: sqlite3.Connection, seq: int) -> Chain:
    """The chain behind an entry that is there, or behind none (0)."""
    first = seq - seq % BLOCK
    sql = "SELECT seq, sum FROM entries WHERE seq BETWEEN ? AND ? ORDER BY seq"
    rows = db.execute(sql, (first, seq)).fetchall()
    sealed = db.execute("SELECT anchor, digests FROM seals WHERE block = ?", (first,)).fetchone()
    anchor, digests = sealed or (anchor_of(rows[0][1]) if rows and rows[0][0] == first else START, b"")
    return Chain(anchor, digests + joined([kept for _, kept in rows]))


def joined(sums: Sequence[bytes | None]) -> bytes:
    """The digests of entries, as the chain takes them."""
    return b"".join(kept[:DIGEST] for kept in sums if isinstance(kept, bytes))


def seal(db: sqlite3.Connection, before: int) -> None:
    """Note what the chain needs of the block of ``before``, when all entries before that one are deleted."""
    first = before - before % BLOCK
    sql = "SELECT seq, sum FROM entries WHERE seq >= ? AND seq < ? ORDER BY seq"
    rows = db.execute(sql, (first, before)).fetchall()
    sealed = db.execute("SELECT anchor, digests FROM seals WHERE block = ?", (first,)).fetchone()
    db.execute("DELETE FROM seals")
    if rows or sealed:
        anchor, digests = sealed or (anchor_of(rows[0][1]) if rows[0][0] == first else START, b"")
        db.execute("INSERT INTO seals VALUES (?, ?, ?)", (first, anchor, digests + joined([kept for _, kept in rows])))
