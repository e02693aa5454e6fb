"""Names that look alike: one form for all of them (UTS #39, section 4), and names of one script (section 5.2).

The table is Unicode's (confusables.py), with what a reader of a terminal takes for the same beside it: I, l and 1; O
and 0; rn and m; vv and w; a name with a dot behind it; a space more or less.
"""

from __future__ import annotations

import unicodedata
from bisect import bisect_right
from collections.abc import Callable
from functools import lru_cache

from tcpchat.core.confusables import LOOKS, SCRIPTS
from tcpchat.core.text import LOOKALIKES, NAME_MAX, fold

_TABLE = str.maketrans({char: look for look, chars in LOOKS.items() for char in chars})
_TABLE.update(LOOKALIKES)
_LAST = str.maketrans({"i": "l", "1": "l", "|": "l", "0": "o", "m": "rn", "w": "vv"})
_PASSES = 4  # what a letter looks like may look like something else

# Scripts that are written together; "" = what belongs to all of them.
TOGETHER = (
    frozenset({"Latin", "Han", "Hiragana", "Katakana"}),
    frozenset({"Latin", "Han", "Bopomofo"}),
    frozenset({"Latin", "Han", "Hangul"}),
)


def look(name: str) -> str:
    """The form under which names look alike, as they are shown: a capital I is an l, and Cyrillic letters are Latin."""
    return _look(name) if len(name) <= NAME_MAX else name


@lru_cache(maxsize=4_096)
def _look(name: str) -> str:
    text = unicodedata.normalize("NFKC", name)
    if not text.isascii():
        text = _bare(text)
        for _ in range(_PASSES):
            text, before = _bare(unicodedata.normalize("NFKC", text.translate(_TABLE))), text
            if text == before:
                break
    text = fold(text)
    if not text.isascii():
        text = fold(_bare(text).translate(_TABLE))
    text = _trimmed(text.translate(_LAST))
    return text if text != name else name


def _bare(text: str) -> str:
    """Without accents."""
    return "".join(char for char in unicodedata.normalize("NFD", text) if not unicodedata.combining(char))


def _trimmed(text: str) -> str:
    """Without punctuation at its ends, and without spaces, but for those that keep numbers apart, and those at its end:
    IRC clients put a ``_`` behind a name that is in use."""
    inner = text.rstrip(" ")
    end = " " * (len(text) - len(inner))
    first, last = 0, len(inner)
    while first < last and unicodedata.category(inner[first])[0] in "PZ":
        first += 1
    while last > first and unicodedata.category(inner[last - 1])[0] in "PZ":
        last -= 1
    if first == last:
        return text
    kept = inner[first:last]
    if " " in kept:
        kept = "".join(
            char
            for place, char in enumerate(kept)
            if char != " " or (kept[place - 1].isdigit() and kept[place + 1].isdigit())
        )
    return kept + end


# -- scripts ---------------------------------------------------------------------------------------------------------

_RUNS = sorted(
    (ord(runs[at]), ord(runs[at + 1]), name) for name, runs in SCRIPTS.items() for at in range(0, len(runs), 2)
)
_STARTS = [first for first, _, _ in _RUNS]


def script(char: str) -> str:
    """The script of a character; "" for what belongs to all."""
    place = bisect_right(_STARTS, ord(char)) - 1
    if place < 0:
        return ""
    first, last, name = _RUNS[place]
    return name if first <= ord(char) <= last else ""


def one_script(name: str) -> bool:
    """Is a name written in one script, or in those that are written together in East Asia?"""
    if name.isascii():
        return True
    scripts = {script(char) for char in unicodedata.normalize("NFKC", name)} - {""}
    return len(scripts) <= 1 or any(scripts <= together for together in TOGETHER)


class Names:
    """Who has which look: one number for most looks, several where an older version let them be."""

    __slots__ = ("_found", "_look")

    def __init__(self, looks_like: Callable[[str], str] = look) -> None:
        self._look = looks_like
        self._found: dict[str, int | tuple[int, ...]] = {}

    def add(self, name: str, number: int) -> None:
        """From now on this number has this name."""
        key = self._look(name)
        rest = tuple(one for one in self.find(name) if one != number)
        self._found[key] = number if not rest else tuple(sorted((*rest, number)))

    def remove(self, name: str, number: int) -> None:
        """It has it no more."""
        key = self._look(name)
        rest = tuple(one for one in self.find(name) if one != number)
        if not rest:
            self._found.pop(key, None)
        else:
            self._found[key] = rest[0] if len(rest) == 1 else rest

    def find(self, name: str) -> tuple[int, ...]:
        """The numbers whose names look like this one, lowest first."""
        found = self._found.get(self._look(name), ())
        return (found,) if isinstance(found, int) else found
