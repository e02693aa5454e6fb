"""Tags that clients attach to a message: which there may be, and what older logs kept in them. Pure.

Source: https://ircv3.net/specs/extensions/message-tags ("Format", "Size limit")
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from tcpchat.core.facts import Said

TAGS_MAX = 4_094  # bytes of the tags of one message as IRCv3 writes them, which gives clients so much
CUTS_MAX = 100  # places of one message where its author's client cut a line; IRC takes 32 lines for one message
RANKS = ("", "op", "voice")  # who hears a message: everybody, the operators of the room, the voiced too

_KEY = re.compile(r"(?:[A-Za-z0-9.-]+/)?[A-Za-z0-9-]+\Z")
_LONGER = re.compile(r"[; \\]")  # written with two bytes each


def good(key: str, value: str) -> bool:
    """Tell whether this can be a tag: the key ``[vendor/]name``, the value without CR, LF and NUL."""
    if not _KEY.match(key) or "\r" in value or "\n" in value or "\0" in value:
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def size(tags: Mapping[str, str]) -> int:
    """Bytes of good tags as they are written: ``+key=value;``, the value escaped."""
    return sum(len(key) + 3 + len(value.encode()) + len(_LONGER.findall(value)) for key, value in tags.items())


def all_good(tags: Mapping[str, str]) -> bool:
    """May a message bear these tags? Measured before they are looked at."""
    if sum(len(key) + len(value) + 3 for key, value in tags.items()) > TAGS_MAX:
        return False
    return all(good(key, value) for key, value in tags.items()) and size(tags) <= TAGS_MAX


def good_cuts(cuts: tuple[int, ...], length: int) -> bool:
    """Are these places inside a text of so many characters, in their order?"""
    return len(cuts) <= CUTS_MAX and all(a < b for a, b in zip((0, *cuts), (*cuts, length), strict=True))


# -- what older logs hold ----------------------------------------------------------------------------------------------

LINES, STATUS = "~lines", "~status"  # tags in which 0.1.0 kept what ``cuts`` and ``rank`` hold now


def modern(said: Said) -> Said:
    """The message as it would be kept today: without the tags that only the inside ever meant."""
    tags = said.tags
    if not tags or all_good(tags):
        return said
    rank = said.rank or ("" if STATUS not in tags else "voice" if tags[STATUS] == "+" else "op")
    cuts = said.cuts or _cuts(tags.get(LINES, ""), said.text)
    kept = {key: value for key, value in tags.items() if good(key, value)}
    return msgspec.structs.replace(said, tags=kept if kept and size(kept) <= TAGS_MAX else None, rank=rank, cuts=cuts)


def _cuts(shape: str, text: str) -> tuple[int, ...]:
    """ "5;8+9" stood for two lines, the second cut in two; anything else was made up by a client."""
    at, cuts = 0, []
    for row in shape.split(";") if len(shape) <= TAGS_MAX else ():
        for place, digits in enumerate(row.split("+")):
            if not (digits.isascii() and digits.isdigit() and len(digits) < 6):
                return ()
            if place:
                cuts.append(at)
            at += int(digits)
        at += 1
    found = tuple(cuts)
    return found if at == len(text) + 1 and good_cuts(found, len(text)) else ()
