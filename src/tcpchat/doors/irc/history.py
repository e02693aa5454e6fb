"""History: what was missed, CHATHISTORY, SEARCH and MARKREAD.

Sources: https://ircv3.net/specs/extensions/chathistory, read-marker, and soju's search.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple, cast

from msgspec.structs import replace

from tcpchat.core.model import (
    Amended,
    AnyEvent,
    Done,
    History,
    Message,
    Page,
    Read,
    Refused,
    RoomEvent,
    RoomList,
    Rooms,
    Search,
)
from tcpchat.doors.irc import encode, events, wire
from tcpchat.doors.irc.commands import Asks, Steps, command
from tcpchat.doors.irc.network import nick_of

if TYPE_CHECKING:
    from tcpchat.doors.irc.door import IrcDoor
    from tcpchat.doors.irc.wire import Line


class Place(NamedTuple):
    """What a reference means in the log: the first entry at it, and the first one behind it."""

    at: int
    behind: int
    moment: bool = False  # it is a time: what is of one millisecond must not be parted


END = 1 << 62  # a place behind every entry
TARGETS_MAX = 200  # conversations that are looked at for TARGETS, those with the latest words: each is a question
MOMENT_MAX = 500  # rows of one millisecond that are shown at once, more than were asked for: the next page by time
# begins behind that millisecond


# -- what was missed -----------------------------------------------------------------------------------------


def show_missed(door: IrcDoor, missed: Sequence[AnyEvent]) -> None:
    """Messages that came while this client was away, conversation by conversation."""
    groups: dict[str, list[Message]] = {}
    for event in missed:
        if isinstance(event, Message):
            groups.setdefault(place(door, event), []).append(event)
    left = {}
    for target, messages in groups.items():
        room = max(0, door.network.replay_max - door.replayed)
        if len(messages) > room:
            left[target] = len(messages) - room
            messages = messages[-room:] if room else []
        door.replayed += len(messages)
        if messages:
            show_group(door, target, messages)
    for target, number in left.items():
        door.notice(f"{number} more in {target}: /msg HistServ {target}", "HistServ")
    for event in missed:
        door.receipts.tell(getattr(event, "seq", 0))


def place(door: IrcDoor, event: Message) -> str:
    """The name of the window in which a message belongs."""
    if event.to.startswith("#"):
        return event.to
    return nick_of(event.to[1:] if door.is_me(event.by) else event.by)


def show_group(door: IrcDoor, target: str, messages: Sequence[Message | Amended | RoomEvent]) -> None:
    if "batch" in door.caps:
        reference = door.batch("chathistory", target)
        for event in messages:
            show_past(door, event, (("batch", reference),))
        door.end_batch(reference)
    else:
        for event in messages:
            show_plain(door, event)


def show_past(door: IrcDoor, event: Message | Amended | RoomEvent, extra: tuple[tuple[str, str], ...]) -> None:
    """One past event inside a batch."""
    if isinstance(event, Message):
        if event.kind == "tag" and "draft/event-playback" not in door.caps:
            return
        for row in encode.lines(door.network, event, door.dialect, extra):
            door.answer_line(row)
    elif "draft/event-playback" in door.caps:
        for row in event_lines(door, event, extra):
            door.answer_line(row)


def show_plain(door: IrcDoor, event: Message | Amended | RoomEvent) -> None:
    """For clients without batch: the time in the line, unless they have it in a tag."""
    if not isinstance(event, Message) or event.kind == "tag":
        return
    timed = "server-time" in door.dialect
    stamp = "" if timed else encode.day_and_time(event.at / 1000, "[%m-%d %H:%M] ")
    for row in encode.lines(door.network, event, door.dialect, prefix=stamp):
        door.answer_line(row)


def event_lines(door: IrcDoor, event: Amended | RoomEvent, extra: tuple[tuple[str, str], ...]) -> list[str]:
    """Joins, topics and the like as lines of the past (https://ircv3.net/specs/extensions/chathistory#draftevent-playback)."""
    body = event_body(door, event)
    if not body:
        return []
    tags = [*extra]
    if "server-time" in door.caps:
        tags.append(("time", encode.stamp(event.at)))
    if "message-tags" in door.caps:
        tags.append(("msgid", encode.msgid(event.seq)))
    return [wire.format_tags(tags) + body]


def event_body(door: IrcDoor, event: Amended | RoomEvent) -> str:
    network = door.network
    if isinstance(event, Amended):
        if not event.removed or "draft/message-redaction" not in door.caps:
            return ""
        target = events.place_of(door, event.to, event.by)
        return wire.join("REDACT", [target, encode.msgid(event.target)], network.mask(event.by))
    who, by = network.mask(event.login or event.by), network.mask(event.by or event.login)
    match event.what:
        case "joined":
            if "extended-join" in door.caps:
                return f":{who} JOIN {event.room} {nick_of(event.account) or '*'} :{event.name}"
            return f":{who} JOIN {event.room}"
        case "left":
            return wire.join("PART", [event.room, *([event.text] if event.text else [])], who)
        case "kicked":
            return f":{by} KICK {event.room} {nick_of(event.login)} :{event.text}"
        case "topic":
            return f":{by} TOPIC {event.room} :{event.text}"
        case "mode":
            words = events.mode_words(event.changes)
            return wire.join("MODE", [event.room, *words], by) if words else ""
    return ""


# -- CHATHISTORY ---------------------------------------------------------------------------------------------


@command(
    "CHATHISTORY", "LATEST|BEFORE|AFTER|BETWEEN|AROUND target reference [reference] limit | TARGETS from to limit",
    "Ask for the history of a conversation.",
)  # fmt: skip
def chathistory(door: IrcDoor, line: Line) -> Steps | None:
    word = line.params[0].upper() if line.params else ""
    needed = {"LATEST": 4, "BEFORE": 4, "AFTER": 4, "AROUND": 4, "BETWEEN": 5, "TARGETS": 4}.get(word)
    if needed is None:
        door.fail("CHATHISTORY", "INVALID_PARAMS", word or "*", text="Unknown subcommand")
        return None
    if len(line.params) < needed:
        door.fail("CHATHISTORY", "INVALID_PARAMS", word, text="Missing parameters")
        return None
    digits = line.params[needed - 1]
    if not digits.isascii() or not digits.isdigit() or int(digits) < 1:
        door.fail(
            "CHATHISTORY",
            "INVALID_PARAMS",
            word,
            digits.split(" ")[0] or "*",
            text="The limit is not a number",
        )
        return None
    limit = min(int(digits), door.network.history_max)
    if word == "TARGETS":
        return targets(door, line.params[1:3], limit)
    return conversation(door, word, line.params[1], line.params[2 : needed - 1], limit)


def to_of(target: str) -> str:
    return target if target.startswith("#") else "@" + target


def reference(word: str) -> tuple[str, int]:
    """("seq", n), ("at", ms), ("any", 0) for ``*``, ("", 0) when it is none."""
    kind, _, value = word.partition("=")
    if word == "*":
        return "any", 0
    if kind == "msgid" and encode.seq_of(value):
        return "seq", encode.seq_of(value)
    if kind == "timestamp" and encode.moment(value):
        return "at", encode.moment(value)
    return "", 0


def unusable(word: str, references: list[str]) -> tuple[str, str] | None:
    """The first reference that this subcommand cannot take: (code, reference)."""
    for one in references:
        kind, _ = reference(one)
        if not kind or (kind == "any" and word != "LATEST"):
            known = one.partition("=")[0] in ("msgid", "timestamp")
            return "INVALID_PARAMS" if known else "INVALID_MSGREFTYPE", one.split(" ")[0] or "*"
    return None


def conversation(door: IrcDoor, word: str, target: str, references: list[str], limit: int) -> Steps:
    wrong = unusable(word, references)
    if wrong is not None:
        door.fail("CHATHISTORY", wrong[0], word, wrong[1], text="Unknown reference")
        return
    marks = [reference(one) for one in references]
    if target.startswith("#") and (events.hidden(door, target) or door.network.fold(target) not in door.rooms):
        door.fail("CHATHISTORY", "INVALID_TARGET", word, target, text="You are not in this room")
        return
    places: list[Place] = []
    for kind, value in marks:
        place_ = yield from seq_at(door, target, kind, value)
        if isinstance(place_, Refused):
            if target.startswith("#"):
                door.fail("CHATHISTORY", "INVALID_TARGET", word, target, text=place_.text)
            else:
                show_group(door, target, ())
            return
        places.append(place_)
    answer = yield from page(door, word, target, places, limit)
    if isinstance(answer, Page):
        shown = [event for event in answer.messages if not (isinstance(event, Message) and event.removed)]
        show_group(door, target, shown)
    elif target.startswith("#"):
        door.fail("CHATHISTORY", "INVALID_TARGET", word, target, text=answer.text)
    else:
        show_group(door, target, ())  # nobody of this name: nothing was said


def seq_at(door: IrcDoor, target: str, kind: str, value: int) -> Asks[Place | Refused]:
    """The place that a reference names."""
    if kind == "seq":
        return Place(value, value + 1)
    if kind == "any":
        return Place(0, 1)
    found = []
    for moment in (value, value + 1):  # however many there are of one millisecond
        answer = yield History(to=to_of(target), at=moment, limit=1, events=True)
        if not isinstance(answer, Page):
            return cast("Refused", answer)
        found.append(answer.messages[0].seq if answer.messages else END)
    first, behind = found
    return Place(first, behind, True)


def answer_events(answer: object) -> Iterable[Message | Amended | RoomEvent]:
    return answer.messages if isinstance(answer, Page) else ()


def page(door: IrcDoor, word: str, target: str, places: list[Place], limit: int) -> Asks[Page | Refused]:
    """The page that a subcommand asks for."""
    to, playback = to_of(target), "draft/event-playback" in door.caps
    at, behind, moment = places[0]
    if word == "BEFORE":
        return (yield from whole_moments(History(to=to, before=at, events=playback), limit, moment))
    if word == "AFTER":
        return (yield from whole_moments(History(to=to, after=behind - 1, events=playback), limit, moment))
    if word == "AROUND":
        return cast("Page | Refused", (yield History(to=to, around=at, limit=limit, events=playback)))
    if word == "LATEST":
        answer = yield History(to=to, limit=limit, events=playback)
        if isinstance(answer, Page) and at:
            return Page(answer.to, tuple(event for event in answer.messages if event.seq >= behind))
        return cast("Page | Refused", answer)
    other, behind_other, _ = places[1]
    if at <= other:
        between = History(to=to, after=behind - 1, until=other, events=playback)
        return (yield from whole_moments(between, limit, moment))
    answer = yield from whole_moments(History(to=to, before=at, events=playback), limit, moment)
    if isinstance(answer, Page):
        return Page(answer.to, tuple(event for event in answer.messages if event.seq >= behind_other))
    return cast("Page | Refused", answer)


def whole_moments(asked: History, limit: int, moment: bool) -> Asks[Page | Refused]:
    """A page of so many rows. One by time ends between two milliseconds, so that who goes on from the time of its last
    row misses nothing: with fewer rows, or, where one millisecond has more than fit, with all of it."""
    answer = yield replace(asked, limit=limit + moment)
    if not isinstance(answer, Page):
        return cast("Refused", answer)
    rows = answer.messages
    if not moment or len(rows) <= limit:
        return answer
    kept, left_out = (rows[1:], rows[0]) if asked.before else (rows[:-1], rows[-1])
    kept = tuple(row for row in kept if row.at != left_out.at)
    if not kept:
        more = yield replace(asked, limit=MOMENT_MAX)
        kept = tuple(row for row in answer_events(more) if row.at == left_out.at)
    return Page(answer.to, kept, True)


def targets(door: IrcDoor, words: list[str], limit: int) -> Steps:
    """Conversations with something said between two moments."""
    bounds = [reference(word) for word in words]
    if any(kind != "at" for kind, _ in bounds):
        door.fail("CHATHISTORY", "INVALID_PARAMS", "TARGETS", words[0].split(" ")[0], text="Timestamps required")
        return
    low, high = sorted(value for _, value in bounds)
    answer = yield Rooms()
    found: list[tuple[int, str]] = []
    rows = [row for row in answer.rooms if not events.hidden(door, row.to)] if isinstance(answer, RoomList) else []
    for row in sorted(rows, key=lambda row: row.head, reverse=True)[:TARGETS_MAX]:
        latest = yield History(to=row.to, limit=1)
        if isinstance(latest, Page) and latest.messages and low < latest.messages[-1].at < high:
            found.append((latest.messages[-1].at, nick_of(row.to.removeprefix("@"))))
    batch = door.batch("draft/chathistory-targets")
    for at, name in sorted(found)[:limit]:
        tags = [("batch", batch)] if batch else []
        door.put(f":{door.network.server} CHATHISTORY TARGETS {name} {encode.stamp(at)}", tags)
    door.end_batch(batch)


# -- SEARCH --------------------------------------------------------------------------------------------------


@command("SEARCH", "text=words;in=target;from=nick;after=time;before=time;limit=n", "Search the history.", least=1)
def search(door: IrcDoor, line: Line) -> Steps:
    """https://soju.im/extensions/search"""
    wanted = wire.parse_tags(line.params[0])
    target = wanted.get("in", "")
    digits = wanted.get("limit", "50")
    limit = min(int(digits) if digits.isascii() and digits.isdigit() else 50, door.network.history_max)
    answer = yield Search(
        words=wanted.get("text", ""), to=to_of(target) if target else "", by=wanted.get("from", ""),
        since=encode.moment(wanted.get("after", "")), until=encode.moment(wanted.get("before", "")), limit=limit,
    )  # fmt: skip
    if isinstance(answer, Refused):
        code = "INVALID_TARGET" if answer.code in ("not_member", "no_such_login", "no_such_room") else "INVALID_PARAMS"
        door.fail("SEARCH", code, *([target] if target else []), text=answer.text)
        return
    batch = door.batch("soju.im/search")
    for event in reversed(answer.messages):
        if not events.hidden(door, getattr(event, "to", "")):
            show_past(door, event, (("batch", batch),) if batch else ())
    door.end_batch(batch)
    if not batch and not answer.messages:
        door.notice("Nothing has been found", "HistServ")


# -- MARKREAD ------------------------------------------------------------------------------------------------


@command("MARKREAD", "target [timestamp=time]", "How far you have read.", least=1, missing="FAIL")
def markread(door: IrcDoor, line: Line) -> Steps | None:
    """https://ircv3.net/specs/extensions/read-marker"""
    target = line.params[0]
    if len(line.params) < 2:
        return tell_mark(door, target)
    word = line.params[1]
    at = encode.moment(word.removeprefix("timestamp=")) if word.startswith("timestamp=") else 0
    if not at:
        door.fail("MARKREAD", "INVALID_PARAMS", target, word.split(" ")[0] or "*", text="Invalid timestamp")
        return None
    return set_mark(door, target, at)


def show_mark(door: IrcDoor, target: str, at: int) -> None:
    door.put(f":{door.network.server} MARKREAD {target} {events.mark_word(at)}")


def tell_mark(door: IrcDoor, target: str) -> Steps:
    """Where the reader is: a Read that reads nothing asks."""
    answer = yield Read(to=to_of(target), seq=0)
    show_mark(door, target, mark_in(door, target, answer))


def mark_in(door: IrcDoor, target: str, answer: object) -> int:
    """The moment (ms) that counts, by the chat's answer, or the one noted here for what the chat does not know."""
    kept = int(answer.data.get("at", 0)) if isinstance(answer, Done) else 0
    return max(kept, door.network.mark_of(door.login, target))


def set_mark(door: IrcDoor, target: str, at: int) -> Steps:
    """Move the cursor that all clients of an account share; the chat tells the others, of every kind."""
    place_ = yield from seq_at(door, target, "at", at)
    seq = 0
    if isinstance(place_, Place):
        answer = yield History(to=to_of(target), before=place_.behind, limit=1, events=True)
        seq = max([event.seq for event in answer_events(answer)], default=0)
    answer = yield Read(to=to_of(target), seq=seq, at=at)
    unknown = isinstance(answer, Refused) and answer.code in ("no_such_room", "no_such_login")
    now = at if unknown else mark_in(door, target, answer)  # a room that ends and is made again is another one
    show_mark(door, target, door.network.mark(door.login, target, now))
