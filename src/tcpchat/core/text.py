"""Text as people write it: line ends, names compared alike, bytes counted, what a screen must not see taken out.

What peers send is stored as it came, but for its line ends (``normal_text``). It is cleaned here, in one place, before
a terminal, a page or a log file sees it.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from functools import lru_cache

REPLACEMENT = "\ufffd"
BYTE_ORDER_MARK = "\ufeff"
MARKS_MAX = 8  # combining marks on one character; more is decoration that covers its neighbours

# C0 without newline and tab, DEL, C1; bidi controls; format characters (Cf); line separators; lone surrogates.
# The joiners ZWJ and ZWNJ stay where they join something: emoji, and letters of scripts that need them.
_BAD = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b\u200e\u200f"
    "\u2028-\u202e\u2060-\u206f\ufeff\ufff0-\ufffb\ud800-\udfff\U000110bd\U000110cd\U00013430-\U0001343f"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e007f]"
    "|(?<![\u0590-\u1fff\u2190-\U0010ffff])[\u200c\u200d]"
)
_MAYBE_MARKS = re.compile(r"[^\w\s\x00-\u02ff]{9}")
# Letters that show nothing: Hangul fillers, Khmer inherent vowels, the grapheme joiner, the empty Braille cell.
INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
_PLAIN = re.compile(r"[\n\t\x20-\x7e]*\Z")
_SPACES = re.compile(r"[\s_]")
NAME_MAX = 256  # characters: nothing longer is anybody's name, so it is not worked on
FOLD_KEPT = 64  # characters: folded names up to this length are kept at hand
FOLDS_MAX = 4  # a few characters need a second pass to come to rest

# Letters of other scripts that look like a Latin one (the common part of Unicode's confusables, UTS #39), lower case.
LOOKALIKES = str.maketrans(
    {
        **dict(zip("абвгдеёзіїјкмнорстухѕһԁԛԝъьҽ", "a6brдeeзiijkmhopctyxshdqwъbe", strict=True)),
        **dict(zip("αβγεικνορτυχηω", "aβyeikvoptuxnw", strict=True)),
        "ı": "i", "ł": "l", "ø": "o", "đ": "d", "ɡ": "g", "ɑ": "a", "ℓ": "l", "0": "o", "1": "l", "|": "l", "ß": "ss",
    }
)  # fmt: skip


def fold(name: str) -> str:
    """The form under which names are compared: compatibility forms, case, spaces and ``_`` are alike.

    What is longer than NAME_MAX comes back as it is: it is no name, and one character may become eighteen.
    """
    if len(name) <= FOLD_KEPT:
        return _fold_short(name)
    return _fold(name) if len(name) <= NAME_MAX else name


def _fold(name: str) -> str:
    if name.isascii():
        text = name.lower().replace("_", " ")
        return name if text == name else text  # one string for both: there are tens of thousands
    for _ in range(FOLDS_MAX):
        text = unicodedata.normalize("NFKC", _SPACES.sub(" ", unicodedata.normalize("NFKC", name).casefold()))
        if text == name:
            break
        name = text
    return name


_fold_short = lru_cache(maxsize=4_096)(_fold)  # every message folds the names it is from and to


def skeleton(name: str) -> str:
    """The form under which names looked alike in version 0.1.0, whose logs are read with it (now: looks.look)."""
    if len(name) > NAME_MAX:
        return name
    text = fold(name)
    if not text.isascii():
        text = unicodedata.normalize("NFD", text)
        text = "".join(char for char in text if not unicodedata.combining(char))
    look = text.translate(LOOKALIKES)
    return text if look == text else look


def utf8_length(text: str) -> int:
    """Bytes of the text in UTF-8 (a lone surrogate counts as three)."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def normal_text(text: str) -> str:
    """The text with one kind of line end (CRLF and CR become newlines) and without a byte order mark in front."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text.removeprefix(BYTE_ORDER_MARK)


def decoded(data: bytes) -> str:
    """A text file's bytes as normal text: UTF-8, or UTF-16 where its byte order mark says so (Windows' editors and
    PowerShell write one). Raises UnicodeDecodeError."""
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return normal_text(data.decode("utf-16" if wide else "utf-8"))


def clean(text: str) -> str:
    """The text as a screen may show it: no escapes, controls, bidi overrides, invisible characters or mark towers.

    Newlines (in any system's spelling) and tabs stay; each character taken out shows as U+FFFD.
    """
    if _PLAIN.match(text):
        return text
    text = _BAD.sub(REPLACEMENT, normal_text(text))
    return _fewer_marks(text) if _MAYBE_MARKS.search(text) else text


def clean_line(text: str) -> str:
    """``clean`` for places that have one line: newlines and tabs become spaces."""
    return clean(normal_text(text).replace("\n", " ").replace("\t", " "))


def escaped(text: str) -> str:
    """JSON as a screen may show it: what ``clean`` would take out stands there as ``\\uXXXX``, so nothing is lost."""
    return text if _PLAIN.match(text) else _BAD.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    units = match[0].encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))


def _fewer_marks(text: str) -> str:
    out: list[str] = []
    run = 0
    for char in text:
        run = run + 1 if unicodedata.category(char) in ("Mn", "Me") else 0
        if run <= MARKS_MAX:
            out.append(char)
        elif run == MARKS_MAX + 1:
            out.append(REPLACEMENT)
    return "".join(out)


def is_clean(text: str) -> bool:
    """True when nothing of the text would have to be taken out for a screen."""
    return clean(text) == text


def mentions(text: str, login: str) -> bool:
    """True when the text names the login as a word of its own, in any case."""
    name, words = login.casefold(), text.casefold()
    return _named(words, name) or (" " in name and _named(words, name.replace(" ", "_")))


def _named(words: str, name: str) -> bool:
    at = 0
    while name and (at := words.find(name, at)) >= 0:
        before, after = words[at - 1 : at], words[at + len(name) : at + len(name) + 1]
        if not (before.isalnum() or before == "_" or after.isalnum() or after == "_"):
            return True
        at += 1
    return False
