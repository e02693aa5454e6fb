"""The original clients' objects as bytes: cutting a stream into them, making them, fitting texts into them."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator
from typing import Any

from tcpchat.core.text import clean, clean_line

BLOCK = 1024  # what those clients read at once; every object they get has exactly this length
OBJECT_MAX = 16_384  # they send 1,024 at most; programs written after them may send a long text
STEP_BACK = 8  # characters; a cut moves in front of a letter with this many marks at most
AUTHOR_MAX = 64  # characters of a name: leaves most of the block to the text

_SIGNS = re.compile(rb'[{}\[\]"\\]')


class Objects:
    """Cuts a stream of bytes into JSON objects, wherever the reads end; of one that is too large it keeps nothing.

    Looks at every byte once: ``raw_decode`` on what is there so far would begin anew with every read.
    """

    __slots__ = ("_depth", "_escaped", "_part", "_quoted", "_skipped", "_skipping")

    def __init__(self) -> None:
        self._part = bytearray()
        self._depth = 0
        self._quoted = self._escaped = False
        self._skipping = False
        self._skipped = 0

    def feed(self, data: bytes) -> Iterator[bytes | None]:
        """The objects that these bytes complete; None for what is none (once per 16 KiB of it)."""
        begin = end = 0
        skip = 0 if self._escaped else -1  # an escaped byte means nothing
        self._escaped = False
        for match in _SIGNS.finditer(data):
            place, sign = match.start(), match[0]
            if place == skip:
                continue
            if self._quoted:
                if sign == b"\\":
                    skip = place + 1
                elif sign == b'"':
                    self._quoted = False
            elif self._depth == 0:
                if sign == b"{":
                    if data[end:place].strip():
                        yield None
                    begin, self._depth = place, 1
            elif sign == b'"':
                self._quoted = True
            elif sign in b"{[":
                self._depth += 1
            elif sign in b"}]":
                self._depth -= 1
                if self._depth == 0:
                    end = place + 1
                    yield from self._complete(data[begin:end])
        self._escaped = self._quoted and skip == len(data)
        if self._depth:
            yield from self._keep(data[begin:])
        elif data[end:].strip():
            yield None

    def _complete(self, rest: bytes) -> Iterator[bytes | None]:
        whole = bytes(self._part) + rest
        skipping, self._skipping, self._part = self._skipping, False, bytearray()
        if not skipping:
            yield whole if len(whole) <= OBJECT_MAX else None

    def _keep(self, rest: bytes) -> Iterator[None]:
        if self._skipping:
            self._skipped += len(rest)
        else:
            self._part += rest
        if self._skipped > OBJECT_MAX or len(self._part) > OBJECT_MAX:
            self._part = bytearray()
            self._skipping, self._skipped = True, 0
            yield None


def pack(kind: str, body: Any) -> bytes:
    """One object, padded with spaces: their read of 1,024 bytes then ends where it ends. No peer of this door gets
    anything else: what those clients would print as it is cannot move their cursor, and no object is longer.

    Letters as they are: escaped, a Cyrillic one would take 6 bytes instead of 2.
    """
    body = shown(body)
    data = _dumped(kind, body)
    if len(data) > BLOCK and (texts := body if isinstance(body, list) else [body]) and isinstance(texts[-1], str):
        rest = [*texts[:-1], ""]
        room = max(BLOCK - len(_dumped(kind, rest if isinstance(body, list) else "")), 1)
        rest[-1] = cut(texts[-1], room)[0]
        data = _dumped(kind, rest if isinstance(body, list) else rest[-1])
    return data.ljust(BLOCK)


def _dumped(kind: str, body: Any) -> bytes:
    text = json.dumps({"TYPE": kind, "BODY": body}, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "replace")


def shown(body: Any) -> Any:
    """What is said as a screen may show it: these clients print what they get. Names are one line each."""
    if isinstance(body, str):
        return clean(body)
    if isinstance(body, list):
        return [clean_line(part[:AUTHOR_MAX]) for part in body[:-1]] + [clean(part) for part in body[-1:]]
    return body


def parts(kind: str, author: str, text: str) -> list[bytes]:
    """A message as objects that fit, cut between words where possible."""
    author, text = shown([author, text])
    if len(_dumped(kind, [author, text])) <= BLOCK:
        return [pack(kind, [author, text])]
    room = BLOCK - len(_dumped(kind, [author, ""]))
    return [pack(kind, [author, part]) for part in cut(text, room)]


def cut(text: str, room: int) -> list[str]:
    """The text in pieces of at most ``room`` bytes of JSON each; joined they are the text again."""
    pieces: list[str] = []
    start = size = 0
    border = 0  # where a piece may end between words
    for place, char in enumerate(text):
        cost = cost_of(char)
        while size + cost > room and start < place:
            end = border if border > start else _before_marks(text, start, place)
            pieces.append(text[start:end])
            start, size = end, sum(map(cost_of, text[end:place]))
        size += cost
        if char in " \n\t":
            border = place + 1
    pieces.append(text[start:])
    return pieces


def _before_marks(text: str, start: int, place: int) -> int:
    """A place near this one that does not part a letter from its marks."""
    for end in range(place, max(start, place - STEP_BACK), -1):
        if not unicodedata.combining(text[end]) and text[end] not in "\u200d\ufe0f" and text[end - 1] != "\u200d":
            return end
    return place


def cost_of(char: str) -> int:
    """Bytes that a character takes inside a JSON string."""
    code = ord(char)
    if code < 0x80:
        if char in '"\\\n\r\t\b\f':
            return 2
        return 6 if code < 0x20 else 1
    return 2 if code < 0x800 else 3 if code < 0x10000 else 4


def roll(logins: list[str]) -> list[str]:
    """As many of the logins as fit one object, and how many more there are."""
    room = BLOCK - 64  # the frame, and "(+ 12345)"
    for count, login in enumerate(logins):
        room -= sum(map(cost_of, login)) + 3
        if room < 0:
            return [*logins[:count], f"(+{len(logins) - count})"]
    return logins
