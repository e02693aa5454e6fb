"""Masks: patterns of ``*`` and ``?`` that people write and the server matches. Pure, and never slow.

What a mask costs does not depend on how it is written: without ``?`` it is a search for its pieces one after the other,
with ``?`` all places of the mask that the text could be at are followed at once, as the bits of one number (the
"shift-and" method of Baeza-Yates and Gonnet, 1992). Neither ever goes back in the text, so no mask can stop the server.

Source: https://modern.ircdocs.horse/#wildcard-expressions
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

LENGTH_MAX = 720  # characters: a nick of 32 that folding makes 18 times as long, a user name, a host name
KEPT = 256  # masks kept ready; one with "?" takes 200 KB at most, nearly always a hundredth of that


class Mask(NamedTuple):
    """A mask made ready."""

    pieces: tuple[str, ...]  # the literal texts between the stars
    wild: Wild | None  # when there are "?"


class Wild(NamedTuple):
    """A mask with ``?``: bit ``i`` stands for its ``i``-th sign, stars not counted."""

    signs: dict[str, int]  # character -> the places where the mask has it (or a "?")
    anything: int  # the places with "?"
    stars: int  # the places before which there is a star
    end: int  # the bit behind the last place


def _signs(mask: str) -> list[tuple[str, bool]]:
    """The signs of a mask, each with whether it is meant literally; a backslash before ``*`` or ``?`` makes it so."""
    out: list[tuple[str, bool]] = []
    place = 0
    while place < len(mask):
        if mask[place] == "\\" and mask[place + 1 : place + 2] in ("*", "?"):
            place += 1
            out.append((mask[place], True))
        else:
            out.append((mask[place], mask[place] not in "*?"))
        place += 1
    return out


@lru_cache(maxsize=KEPT)
def ready(mask: str) -> Mask:
    """Make a mask ready for matching."""
    signs = _signs(mask)
    if ("?", False) in signs:
        return Mask((), _wild(signs))
    pieces = [""]
    for char, literal in signs:
        if literal:
            pieces[-1] += char
        else:
            pieces.append("")
    return Mask((pieces[0], *filter(None, pieces[1:-1]), *pieces[1:][-1:]), None)


def _wild(signs: list[tuple[str, bool]]) -> Wild:
    chars: dict[str, int] = {}
    anything = stars = place = 0
    for char, literal in signs:
        if literal:
            chars[char] = chars.get(char, 0) | 1 << place
        elif char == "?":
            anything |= 1 << place
        else:
            stars |= 1 << place
            continue
        place += 1
    return Wild({char: bits | anything for char, bits in chars.items()}, anything, stars, 1 << place)


def matches(mask: str, text: str) -> bool:
    """Tell whether a mask fits the whole of a text, case counting. A mask longer than LENGTH_MAX fits nothing."""
    if len(mask) > LENGTH_MAX:
        return False
    pieces, wild = ready(mask)
    return _in_order(pieces, text) if wild is None else _follow(wild, text)


def _in_order(pieces: tuple[str, ...], text: str) -> bool:
    """Do the pieces stand in the text one after the other, the first at its start and the last at its end?"""
    if len(pieces) == 1:
        return text == pieces[0]
    first, last = pieces[0], pieces[-1]
    end = len(text) - len(last)
    if len(first) > end or not text.startswith(first) or not text.endswith(last):
        return False
    at = len(first)
    for piece in pieces[1:-1]:
        at = text.find(piece, at, end)
        if at < 0:
            return False
        at += len(piece)
    return True


def _follow(wild: Wild, text: str) -> bool:
    """One step for each character of the text, whatever the mask."""
    signs, anything, stars, end = wild
    places = 1  # where in the mask the text so far can be
    for char in text:
        places = (places & signs.get(char, anything)) << 1 | places & stars
        if not places:
            return False
    return bool(places & end)
