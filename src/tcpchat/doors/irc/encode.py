"""Messages as IRC lines. The hot path: one event becomes bytes once per dialect, whatever the number of receivers."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from tcpchat.core.model import Message, TypingNotice
from tcpchat.doors.irc import wire
from tcpchat.doors.irc.network import nick_of

if TYPE_CHECKING:
    from tcpchat.doors.irc.network import Network

SLACK = 3  # bytes that a line may be over 512, so that its last character is whole
TEXT_MAX = 400
VERBS = {"text": "PRIVMSG", "action": "PRIVMSG", "notice": "NOTICE", "tag": "TAGMSG"}
RANK_MARKS = {"op": "@", "voice": "+"}  # of messages to those of a rank only (STATUSMSG)
CONCAT = ("draft/multiline-concat", "")
_second: tuple[int, str] = (0, "")


def stamp(at: int) -> str:
    """Milliseconds since the epoch as a server-time value."""
    global _second
    second, ms = divmod(at, 1000)
    if second != _second[0]:
        _second = (second, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second)))
    return f"{_second[1]}.{ms:03d}Z"


def moment(text: str) -> int:
    """Milliseconds of a server-time value; 0 when it is none."""
    from datetime import datetime

    try:
        if not text.endswith("Z"):
            return 0
        return round(datetime.fromisoformat(text).timestamp() * 1000)
    except (ValueError, OverflowError, OSError):
        return 0


def msgid(seq: int) -> str:
    """The msgid of an entry."""
    return f"tc{seq}"


def seq_of(word: str) -> int:
    """The entry that a msgid names; 0 when it is none of ours."""
    digits = word[2:]
    return int(digits) if word.startswith("tc") and digits.isascii() and digits.isdigit() and len(digits) < 19 else 0


def target(event: Message | TypingNotice) -> str:
    """How the conversation is written on IRC, as the author addressed it."""
    to = event.to
    return to if to.startswith("#") else nick_of(to[1:] if to.startswith("@") else to)


def message(network: Network, event: Message, dialect: frozenset[str]) -> bytes:
    """A message as one line, or as many as it needs."""
    text, kind = event.text, event.kind
    if dialect.isdisjoint(TAGGED) and kind == "text" and len(text) <= 120 and "\n" not in text and bare(event):
        return f":{network.mask(event.by)} PRIVMSG {target(event)} :{text}\r\n".encode(errors="replace")
    if kind == "text" and len(text) <= 120 and "\n" not in text and not event.re and bare(event):
        face = network.people.get(network.fold(event.by))
        if not event.removed and (face is None or "B" not in face.modes):
            return plain(network, event, dialect)
    return "".join(line + "\r\n" for line in lines(network, event, dialect)).encode(errors="replace")


def bare(event: Message) -> bool:
    """Is there nothing but the text?"""
    return event.tags is None and not event.rank and not event.cuts


def plain(network: Network, event: Message, dialect: frozenset[str]) -> bytes:
    """What ``lines`` gives for a short message without tags of its own, the usual case."""
    words = []
    if "server-time" in dialect:
        words.append("time=" + stamp(event.at))
    if "account-tag" in dialect and event.account:
        words.append("account=" + wire.escape(nick_of(event.account)))
    if "message-tags" in dialect:
        words.append(f"msgid=tc{event.seq}")
    head = f"@{';'.join(words)} " if words else ""
    return f"{head}:{network.mask(event.by)} PRIVMSG {target(event)} :{event.text}\r\n".encode(errors="replace")


TAGGED = frozenset({"server-time", "message-tags", "account-tag"})


def head_tags(network: Network, event: Message, dialect: frozenset[str]) -> list[tuple[str, str]]:
    """The tags of a message for a dialect."""
    out: list[tuple[str, str]] = []
    if "server-time" in dialect:
        out.append(("time", stamp(event.at)))
    if "account-tag" in dialect and event.account:
        out.append(("account", nick_of(event.account)))
    if "message-tags" in dialect:
        out.append(("msgid", msgid(event.seq)))
        out += client_tags(network, event)
    return out


def client_tags(network: Network, event: Message) -> list[tuple[str, str]]:
    """What the author's client attached, and what the chat knows that has a tag on IRC."""
    tags = event.tags or {}
    out = [("+" + key, value) for key, value in tags.items()]
    if event.re and "draft/reply" not in tags:
        out.append(("+draft/reply", msgid(event.re)))
    if "B" in network.face(event.by).modes:
        out += [("bot", ""), ("draft/bot", "")]
    return out


def space(start: str) -> int:
    """Bytes of text that fit a line with this beginning."""
    return max(200, wire.MAX_LINE - 2 - len(start.encode()) - 2)


def fits(network: Network, login: str, verb: str, shown: str, text: str) -> bool:
    """Can this text be relayed in one line? (modern, "ERR_INPUTTOOLONG")"""
    return len(text.encode()) <= space(f":{network.mask(login)} {verb} {shown}") + SLACK


def bodies(event: Message, size: int) -> list[tuple[str, bool]]:
    """The text in pieces that fit a line each; True = goes on where the piece before it ended."""
    out: list[tuple[str, bool]] = []
    for start, end in pairwise((0, *event.cuts, len(event.text))):
        for number, row in enumerate(wire.rows(event.text[start:end])):
            going = number == 0 and start > 0
            out += [(piece, going or place > 0) for place, piece in enumerate(wire.pieces(row, size))]
    if event.kind == "action":
        return [(f"\x01ACTION {piece}\x01", False) for piece, _ in out]
    return out


def lines(
    network: Network, event: Message, dialect: frozenset[str], extra: Sequence[tuple[str, str]] = ()
) -> list[str]:
    """A message as lines with their tags, without CR LF. ``extra`` tags go to the first (the label, or a batch)."""
    verb = VERBS.get(event.kind, "PRIVMSG")
    tags = [*extra, *head_tags(network, event, dialect)]
    mark = RANK_MARKS.get(event.rank, "")
    start = f":{network.mask(event.by)} {verb} {mark}{target(event)}"
    if verb == "TAGMSG":
        return [wire.format_tags(tags) + start] if "message-tags" in dialect else []
    if event.removed:
        return []
    text = event.text
    if event.kind != "action" and len(text) <= 120 and "\n" not in text and not event.cuts:
        return [f"{wire.format_tags(tags)}{start} :{text}"]
    parts = bodies(event, space(start) + SLACK)
    if len(parts) == 1:
        return [f"{wire.format_tags(tags)}{start} :{parts[0][0]}"]
    if "draft/multiline" in dialect and event.kind != "action":
        return multiline(network, event, start, tags, parts)
    return fallback(start, tags, parts, [key for key, _ in extra if key != "label"])


def multiline(
    network: Network, event: Message, start: str, tags: list[tuple[str, str]], parts: list[tuple[str, bool]]
) -> list[str]:
    """The lines of a draft/multiline batch."""
    reference = f"m{event.seq}"
    source = start.split(" ", 1)[0]
    inner = wire.format_tags([("batch", reference)])
    going = wire.format_tags([("batch", reference), CONCAT])
    out = [f"{wire.format_tags(tags)}{source} BATCH +{reference} draft/multiline {start.split(' ', 2)[2]}"]
    out += [f"{going if goes_on else inner}{start} :{text}" for text, goes_on in parts]
    out.append(f":{network.server} BATCH -{reference}")
    return out


def fallback(start: str, tags: list[tuple[str, str]], parts: list[tuple[str, bool]], kept: list[str]) -> list[str]:
    """Several lines for those without multiline: blank ones left out, the msgid only on the first."""
    rest = [(key, value) for key, value in tags if key not in ("msgid", "label")]
    out: list[str] = []
    for text, _ in parts:
        if text:
            out.append(f"{wire.format_tags(rest if out else tags)}{start} :{text}")
    return out


def typing(network: Network, event: TypingNotice, dialect: frozenset[str]) -> bytes:
    """A typing notice, for those with message-tags."""
    if "message-tags" not in dialect:
        return b""
    state = "active" if event.on else "done"
    tags = [("+typing", state)]
    if "account-tag" in dialect and event.account:
        tags.append(("account", nick_of(event.account)))
    return f"{wire.format_tags(tags)}:{network.mask(event.by)} TAGMSG {target(event)}\r\n".encode()
