"""One IRC line: bytes to its parts and back, with tags, sources, masks and lengths; nothing about meaning.

Sources: https://modern.ircdocs.horse/#message-format and https://ircv3.net/specs/extensions/message-tags
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from tcpchat.core import masks
from tcpchat.core.text import utf8_length

MAX_LINE = 512  # bytes with CR LF, without tags (RFC 1459, 2.3)
MAX_TAGS = 4096  # bytes of client tags, with "@" and the blank behind (message-tags, "Size limit")
MAX_SENT_TAGS = 8191  # bytes of all tags of a line to a client, with "@" and the blank behind (the same section)
MAX_PARAMS = 15  # RFC 1459, 2.3.1

_UNESCAPED = {":": ";", "s": " ", "\\": "\\", "r": "\r", "n": "\n"}
_ESCAPES = str.maketrans({";": "\\:", " ": "\\s", "\\": "\\\\", "\r": "\\r", "\n": "\\n", "\0": ""})
_BREAKS = str.maketrans("\r\n\0", "   ")
_ESCAPED = re.compile(r"\\(.?)", re.DOTALL)
_ASCII_LOWER = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")
_RFC1459_LOWER = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ[]\\~", "abcdefghijklmnopqrstuvwxyz{}|^")
_HOST_PART = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\Z", re.IGNORECASE)


class Line(NamedTuple):
    """A parsed line. ``tags`` is None when there was no tag part; a tag without a value has ""."""

    command: str
    params: list[str]
    tags: dict[str, str] | None = None
    source: str = ""


class Source(NamedTuple):
    """Who a line comes from: nick!user@host, or a server name in ``nick``."""

    nick: str
    user: str = ""
    host: str = ""


def unescape(value: str) -> str:
    """Give the text that an escaped tag value stands for; a lone backslash vanishes."""
    if "\\" not in value:
        return value
    return _ESCAPED.sub(lambda match: _UNESCAPED.get(match[1], match[1]), value)


def escape(value: str) -> str:
    """Write a text so that it can stand as a tag value."""
    return value.translate(_ESCAPES)


def parse_tags(text: str) -> dict[str, str]:
    """Read ``key=value;key`` (without the "@"); the last one of a key counts."""
    tags = {}
    for item in text.split(";"):
        key, _, value = item.partition("=")
        if key:
            tags[key] = unescape(value)
    return tags


def format_tags(tags: Iterable[tuple[str, str]]) -> str:
    """Write tags as ``@a=b;c `` with the blank behind, or "" when there are none."""
    items = [f"{key}={escape(value)}" if value else key for key, value in tags]
    return "@" + ";".join(items) + " " if items else ""


def parse(text: str) -> Line:
    """Take a line (without CR LF) apart. A line without a command gives the command ""."""
    tags: dict[str, str] | None = None
    source = ""
    if text.startswith("@"):
        words, _, text = text[1:].partition(" ")
        tags = parse_tags(words)
        text = text.lstrip(" ")
    head, colon, trailing = text.partition(" :")
    if head.startswith(":"):
        if " " not in head and colon:  # ":src" then " :..." cannot hold a command
            return Line("", [], tags, head[1:])
        source, _, head = head[1:].partition(" ")
    words_ = [word for word in head.split(" ") if word]  # only the blank parts words (RFC 1459, 2.3)
    if not words_:
        return Line("", [], tags, source)
    params = words_[1:]
    if colon:
        params.append(trailing)
    if len(params) > MAX_PARAMS:
        params[MAX_PARAMS - 1 :] = [" ".join(params[MAX_PARAMS - 1 :])]
    return Line(words_[0].upper(), params, tags, source)


def join(command: str, params: Iterable[str] = (), source: str = "", tags: Iterable[tuple[str, str]] = ()) -> str:
    """Write a line, without CR LF. Only the last parameter may be empty, hold blanks or begin with a colon."""
    words = [command, *params]
    last = words[-1]
    if len(words) > 1 and (not last or " " in last or last[0] == ":"):
        words[-1] = ":" + last
    if source:
        words.insert(0, ":" + source)
    return format_tags(tags) + " ".join(words)


def whole(row: str) -> bytes:
    """A line without tags as its bytes, with CR LF; b"" when it is too long, or holds what no line may."""
    if "\n" in row or "\r" in row or "\0" in row:
        return b""
    data = row.encode(errors="replace")
    return data + b"\r\n" if len(data) <= MAX_LINE - 2 else b""


def line(row: str) -> bytes:
    """The bytes of one line, whatever is in it: no peer ever gets any that have not been here.

    CR, LF and NUL (RFC 1459, 2.3.1) become blanks; what is over the limits of a line and its tags is cut off.
    """
    head = b""
    if row[:1] == "@":
        tags, _, row = row.partition(" ")
        head = tag_part(tags)
    return head + (whole(row) or cut(row.translate(_BREAKS), MAX_LINE - 2).encode(errors="replace") + b"\r\n")


def tag_part(tags: str) -> bytes:
    """The tags of a line, ``@a=b;c``, as bytes with the blank behind; those that are too many are left out."""
    if "\n" in tags or "\r" in tags or "\0" in tags or len(tags) * 4 >= MAX_SENT_TAGS:
        kept, size = [], len("@")
        for item in tags[1:].translate(_BREAKS).replace(" ", "").split(";"):
            size += utf8_length(item) + 1
            if size > MAX_SENT_TAGS:
                break
            kept.append(item)
        tags = "@" + ";".join(kept) if kept else ""
    return f"{tags} ".encode(errors="replace") if tags else b""


def parse_source(text: str) -> Source:
    """Take nick!user@host apart; parts that are missing are ""."""
    rest, _, host = text.partition("@")
    nick, _, user = rest.partition("!")
    return Source(nick, user, host)


def lower(text: str, mapping: str = "ascii") -> str:
    """Fold a name for comparing, by the casemapping "ascii" or "rfc1459"."""
    return text.translate(_RFC1459_LOWER if mapping == "rfc1459" else _ASCII_LOWER)


def matches(pattern: str, text: str) -> bool:
    """Tell whether a mask fits a text, whatever the case (ASCII)."""
    return masks.matches(lower(pattern), lower(text))


def full_mask(text: str) -> str:
    """Complete a ban mask as IRC servers do: ``nick`` means nick!*@*, ``user@host`` means *!user@host."""
    if text.startswith("$"):  # an extended ban has a shape of its own
        return text
    if "!" in text:
        nick, _, rest = text.partition("!")
        user, at, host = rest.partition("@")
        return f"{nick or '*'}!{user or '*'}@{(host if at else '') or '*'}"
    if "@" in text:
        user, _, host = text.partition("@")
        return f"*!{user or '*'}@{host or '*'}"
    return f"{text}!*@*"


def valid_host(text: str) -> bool:
    """Tell whether a text can be a host name: labels of letters, digits and inner hyphens, one dot at least."""
    labels = text.split(".")
    return len(labels) > 1 and len(text) <= 253 and all(_HOST_PART.match(label) for label in labels)


def cut(text: str, size: int) -> str:
    """Shorten a text to so many bytes of UTF-8 without cutting a character."""
    data = text.encode(errors="replace")
    return text if len(data) <= size else data[:size].decode(errors="ignore")


def rows(text: str) -> list[str]:
    """Split a text at its line ends, whichever they are."""
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def pieces(text: str, size: int) -> list[str]:
    """Split one line into pieces of at most so many bytes: at blanks, else between characters."""
    out = []
    while len(text) * 4 > size and utf8_length(text) > size:
        head = cut(text[:size], size)
        blank = head.rfind(" ")
        if blank > len(head) // 2:
            head = head[: blank + 1]
        out.append(head)
        text = text[len(head) :]
    return [*out, text]
