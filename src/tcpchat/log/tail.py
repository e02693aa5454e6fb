"""The newest entries, which the indexes have not passed yet: answers about them come from memory."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from tcpchat.core.model import Deleted, Edited, Entry, Query, Removed, RoomMade, Row, Said
from tcpchat.log import reading
from tcpchat.log.follow import ACTS


def shown_in(entry: Entry, room: int) -> bool:
    """Does the entry belong to the room's index?"""
    fact = entry.fact
    if room == 0:
        return isinstance(fact, ACTS)
    return fact.room == room and not isinstance(fact, RoomMade)


def _is_message(entry: Entry) -> bool:
    return isinstance(entry.fact, Said) and entry.fact.kind != "tag"


def rows(entries: Iterable[Entry], query: Query) -> list[Row]:
    """Rows of the tail that a page, feed or search might want, oldest first."""
    rooms = set(query.rooms)
    out = []
    for entry in entries:
        if not any(shown_in(entry, room) for room in ({entry.fact.room} & rooms or rooms & {0})):
            continue
        if query.kind == "page" and not query.events and not _is_message(entry):
            continue
        if query.kind == "search" and not _found(entry, query):
            continue
        out.append(Row(entry.seq, entry.at, entry.fact))
    return out


def _found(entry: Entry, query: Query) -> bool:
    fact = entry.fact
    if not isinstance(fact, Said) or (query.user and fact.user != query.user):
        return False
    if query.words.strip() and not reading.matches(fact.text, query.words):
        return False
    return not ((query.since and entry.at < query.since) or (query.until and entry.at > query.until)
                or (query.before and entry.seq >= query.before))  # fmt: skip


def amend(found: list[Row], entries: Iterable[Entry]) -> list[Row]:
    """Apply edits and deletions of the tail to rows from anywhere."""
    by_seq = {row.seq: row for row in found}
    for entry in entries:
        fact = entry.fact
        if isinstance(fact, Edited | Removed):
            row = by_seq.get(fact.seq)
            if row is not None and isinstance(row.fact, Said) and not row.removed:
                if isinstance(fact, Edited):
                    row.fact, row.edited = msgspec.structs.replace(row.fact, text=fact.text), entry.at
                else:
                    row.fact, row.removed = msgspec.structs.replace(row.fact, text="", tags=None), True
        elif isinstance(fact, Deleted) and fact.erase:
            for row in found:
                if isinstance(row.fact, Said) and row.fact.user == fact.user:
                    row.fact, row.removed = msgspec.structs.replace(row.fact, text="", tags=None), True
    return found
