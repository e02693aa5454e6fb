"""Facts as the file holds them, and rows as they are read back: with their edits, or erased."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import msgspec

from tcpchat.core.model import (
    AnyFact,
    Claimed,
    Deleted,
    Edited,
    Renamed,
    RoomMade,
    Row,
    Ruled,
    Said,
)
from tcpchat.core.tags import modern

ACTS = (Ruled, Deleted, Claimed, Renamed)  # of no room, but shown by `admin log`: they stand under room 0

encode: Callable[[AnyFact], bytes] = msgspec.json.Encoder().encode
_decode: Callable[[bytes], AnyFact] = msgspec.json.Decoder(AnyFact).decode


def decode(body: bytes) -> AnyFact:
    """Read a fact; one of an older program as it would be written now."""
    fact = _decode(body)
    return modern(fact) if type(fact) is Said and fact.tags else fact


def place(fact: AnyFact) -> int | None:
    """The room under which the index lists a fact; None when no page and no feed shows it."""
    if fact.room:
        return None if type(fact) is RoomMade else fact.room
    return 0 if isinstance(fact, ACTS) else None


def is_message(fact: AnyFact) -> bool:
    """Is it something that a person reads? Tags alone (reactions and the like) are not."""
    return type(fact) is Said and fact.kind != "tag"


def blank(fact: Said | Edited) -> Said | Edited:
    """The fact without what was said in it."""
    if type(fact) is Said:
        return msgspec.structs.replace(fact, text="", tags=None, cuts=())
    return msgspec.structs.replace(fact, text="")


class Mark(NamedTuple):
    """How a message stands now: erased, or with another text since ``at``."""

    erased: bool
    at: int = 0
    text: str = ""


def row_of(seq: int, at: int, fact: AnyFact, mark_of: Callable[[int], Mark | None], erasing: dict[int, int]) -> Row:
    """The entry as of now. ``erasing``: users whose messages before a seq count as erased."""
    if not isinstance(fact, Said | Edited):
        return Row(seq, at, fact)
    message = fact.seq if isinstance(fact, Edited) else seq
    mark = mark_of(message)
    if (mark is not None and mark.erased) or erasing.get(fact.user, 0) > message:
        return Row(seq, at, blank(fact), 0, True)
    if mark is not None and type(fact) is Said:
        return Row(seq, at, msgspec.structs.replace(fact, text=mark.text), mark.at)
    return Row(seq, at, fact)
