"""Messages as IRC lines. The hot path: one event becomes bytes once per dialect, whatever the number of receivers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING

from tcpchat.core.model import Message, TypingNotice
from tcpchat.core.tags import good
from tcpchat.core.text import utf8_length
from tcpchat.doors.irc import wire
from tcpchat.doors.irc.network import nick_of

if TYPE_CHECKING:
    from tcpchat.doors.irc.network import Network

ROWS_MAX = 50  # lines of one message: what is sent as 8,000 line ends must not come out forty times as long
SPACE_LEAST = 40  # bytes for text that are left behind the longest names of author and target
SHORT = 120  # characters that nearly always fit a line; whether they do is looked at
VERBS = {"text": "PRIVMSG", "action": "PRIVMSG", "notice": "NOTICE", "tag": "TAGMSG"}
RANK_MARKS = {"op": "@", "voice": "+"}  # of messages to those of a rank only (STATUSMSG)
CONCAT = ("draft/multiline-concat", "")
_second: tuple[int, str] = (0, "")


def day_and_time(at: float, form: str = "%a, %d %b %Y %H:%M:%S UTC") -> str:
    """Seconds since the epoch as people read them."""
    return datetime.fromtimestamp(at, UTC).strftime(form)


def stamp(at: int) -> str:
    """Milliseconds since the epoch as a server-time value."""
    global _second
    second, ms = divmod(at, 1000)
    if second != _second[0]:
        _second = (second, day_and_time(second, "%Y-%m-%dT%H:%M:%S"))
    return f"{_second[1]}.{ms:03d}Z"


def moment(text: str) -> int:
    """Milliseconds of a server-time value; 0 when it is none."""
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
    special = event.tags is not None or event.rank or event.cuts or event.removed
    if kind == "text" and len(text) <= SHORT and not special:
        data = b""
        if dialect.isdisjoint(TAGGED):
            data = wire.whole(f":{network.mask(event.by)} PRIVMSG {target(event)} :{text}")
        elif not event.re:
            face = network.people.get(network.fold(event.by))
            data = plain(network, event, dialect) if face is None or "B" not in face.modes else b""
        if data:
            return data
    return b"".join([wire.line(row) for row in lines(network, event, dialect)])


def plain(network: Network, event: Message, dialect: frozenset[str]) -> bytes:
    """What ``lines`` gives for a short message without tags of its own, the usual case; b"" if it needs more."""
    words = []
    if "server-time" in dialect:
        words.append("time=" + stamp(event.at))
    if "account-tag" in dialect and event.account:
        words.append("account=" + wire.escape(nick_of(event.account)))
    if "message-tags" in dialect:
        words.append(f"msgid=tc{event.seq}")
    row = wire.whole(f":{network.mask(event.by)} PRIVMSG {target(event)} :{event.text}")
    return wire.tag_part("@" + ";".join(words)) + row if words and row else row


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
    given = event.tags or {}
    out = [("+" + key, value) for key, value in given.items() if good(key, value)]
    if event.re and "draft/reply" not in given:
        out.append(("+draft/reply", msgid(event.re)))
    if event.bot or "B" in network.face(event.by).modes:
        out += [("bot", ""), ("draft/bot", "")]
    return out


def space(start: str) -> int:
    """Bytes of text that fit a line with this beginning."""
    return max(SPACE_LEAST, wire.MAX_LINE - 2 - utf8_length(start) - 2)


def fits(network: Network, login: str, verb: str, shown: str, text: str) -> bool:
    """Can this text be relayed in one line? (modern, "ERR_INPUTTOOLONG")"""
    return len(text.encode()) <= space(f":{network.mask(login)} {verb} {shown}")


def split(text: str, size: int, cuts: tuple[int, ...] = (), blanks: bool = False) -> list[tuple[str, bool]]:
    """A text in pieces of so many bytes that fit a line each; True = goes on where the piece before it ended.

    ``cuts`` are places where a line ends besides its line ends; ``blanks``: lines without text are kept. Of more than
    ROWS_MAX lines the last says how many there were.
    """
    rows: list[tuple[str, bool]] = []
    for start, end in pairwise((0, *cuts, len(text))):
        some = wire.rows(text[start:end])
        rows += [(row, number == 0 and start > 0) for number, row in enumerate(some) if row or blanks]
    if len(rows) > ROWS_MAX:
        rows[ROWS_MAX - 1 :] = [(f"... {len(rows) - ROWS_MAX + 1} more lines", False)]
    return [(piece, going or place > 0) for row, going in rows for place, piece in enumerate(wire.pieces(row, size))]


ACTION = "\x01ACTION {}\x01"


def bodies(event: Message, size: int, prefix: str, blanks: bool) -> list[tuple[str, bool]]:
    """What stands behind the colon of each line of a message."""
    action = event.kind == "action"
    parts = split(event.text, size - len(prefix) - action * (len(ACTION) - 2), event.cuts, blanks)
    if action:
        return [(ACTION.format(prefix + piece), False) for piece, _ in parts]
    return [(prefix + piece, going) for piece, going in parts] if prefix else parts


def lines(
    network: Network,
    event: Message,
    dialect: frozenset[str],
    extra: Sequence[tuple[str, str]] = (),
    prefix: str = "",
) -> list[str]:
    """A message as lines with their tags, without CR LF, each of 512 bytes at most. ``extra`` tags go to the first (the
    label, or a batch); ``prefix`` is put before the text of each line."""
    verb = VERBS.get(event.kind, "PRIVMSG")
    tags = [*extra, *head_tags(network, event, dialect)]
    mark = RANK_MARKS.get(event.rank, "")
    start = f":{network.mask(event.by)} {verb} {mark}{target(event)}"
    if verb == "TAGMSG":
        return [wire.format_tags(tags) + start] if "message-tags" in dialect else []
    if event.removed:
        return []
    batched = "draft/multiline" in dialect and event.kind != "action"
    parts = bodies(event, space(start), prefix, batched)
    if len(parts) == 1:
        return [f"{wire.format_tags(tags)}{start} :{parts[0][0]}"]
    return multiline(network, event, start, tags, parts) if batched else fallback(start, tags, parts)


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


def fallback(start: str, tags: list[tuple[str, str]], parts: list[tuple[str, bool]]) -> list[str]:
    """Several lines for those without multiline, the msgid only on the first."""
    rest = wire.format_tags((key, value) for key, value in tags if key not in ("msgid", "label"))
    return [f"{rest if place else wire.format_tags(tags)}{start} :{text}" for place, (text, _) in enumerate(parts)]


def typing(network: Network, event: TypingNotice, dialect: frozenset[str]) -> bytes:
    """A typing notice, for those with message-tags."""
    if "message-tags" not in dialect:
        return b""
    state = "active" if event.on else "done"
    tags = [("+typing", state)]
    if "account-tag" in dialect and event.account:
        tags.append(("account", nick_of(event.account)))
    return wire.line(f"{wire.format_tags(tags)}:{network.mask(event.by)} TAGMSG {target(event)}")
