"""Text as people write it: names compared alike, bytes counted, everything a screen must not see taken out.

What peers send is stored as it came. It is cleaned here, in one place, before a terminal, a page or a log file sees it.
"""

from __future__ import annotations

import re
import unicodedata

REPLACEMENT = "\ufffd"
MARKS_MAX = 8  # combining marks on one character; more is decoration that covers its neighbours

# C0 without newline and tab, DEL, C1; bidi controls; invisible format characters but ZWJ and ZWNJ; lone surrogates.
_BAD = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff"
    "\U000e0000-\U000e007f\u00ad\u180e]"
)
_MAYBE_MARKS = re.compile(
    "[\u0300-\u036f\u0483-\u0489\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0e31-\u0e4e\u1ab0-\u20ff]{9}"
)
_PLAIN = re.compile(r"[\n\t\x20-\x7e]*\Z")
_SPACES = re.compile(r"[\s_]+")

# Letters of other scripts that look like a Latin one (the common part of Unicode's confusables, UTS #39), lower case.
_LOOKALIKES = str.maketrans(
    {
        **dict(zip("абвгдеёзіїјкмнорстухѕһԁԛԝъьҽ", "a6brдeeзiijkmhopctyxshdqwъbe", strict=True)),
        **dict(zip("αβγεικνορτυχηω", "aβyeikvoptuxnw", strict=True)),
        "ı": "i", "ł": "l", "ø": "o", "đ": "d", "ɡ": "g", "ɑ": "a", "ℓ": "l", "0": "o", "1": "l", "|": "l", "ß": "ss",
    }
)  # fmt: skip


def fold(name: str) -> str:
    """The form under which names are compared: compatibility forms, case, spaces and ``_`` are alike."""
    if name.isascii():
        return name.lower().replace("_", " ")
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    return _SPACES.sub(" ", text)


def skeleton(name: str) -> str:
    """The form under which names look alike: ``fold`` with look-alike letters of other scripts made one."""
    text = unicodedata.normalize("NFD", fold(name))
    text = "".join(char for char in text if not unicodedata.combining(char))
    return text.translate(_LOOKALIKES)


def utf8_length(text: str) -> int:
    """Bytes of the text in UTF-8 (a lone surrogate counts as three)."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def clean(text: str) -> str:
    """The text as a screen may show it: no escapes, controls, bidi overrides, invisible characters or mark towers.

    Newlines and tabs stay; each character taken out shows as U+FFFD.
    """
    if _PLAIN.match(text):
        return text
    text = _BAD.sub(REPLACEMENT, text)
    return _fewer_marks(text) if _MAYBE_MARKS.search(text) else text


def clean_line(text: str) -> str:
    """``clean`` for places that have one line: newlines and tabs become spaces."""
    return clean(text.replace("\r\n", " ").replace("\n", " ").replace("\t", " "))


def _fewer_marks(text: str) -> str:
    out: list[str] = []
    run = 0
    for char in text:
        run = run + 1 if unicodedata.category(char) in ("Mn", "Me") else 0
        if run <= MARKS_MAX:
            out.append(char)
    return "".join(out)


def is_clean(text: str) -> bool:
    """True when nothing of the text would have to be taken out for a screen."""
    return clean(text) == text


def mentions(text: str, login: str) -> bool:
    """True when the text names the login as a word of its own, in any case."""
    at, words, name = 0, text.casefold(), login.casefold()
    while name and (at := words.find(name, at)) >= 0:
        before, after = words[at - 1 : at], words[at + len(name) : at + len(name) + 1]
        if not (before.isalnum() or before == "_" or after.isalnum() or after == "_"):
            return True
        at += 1
    return False
