"""Messages of several lines, gathered from a batch of the client. Source: https://ircv3.net/specs/extensions/multiline"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tcpchat.doors.irc.commands import command

if TYPE_CHECKING:
    from tcpchat.doors.irc.door import IrcDoor
    from tcpchat.doors.irc.labels import Answer
    from tcpchat.doors.irc.wire import Line

CONCAT = "draft/multiline-concat"


class Gathering:
    """A batch that the client has opened and not yet closed."""

    __slots__ = ("answer", "faulty", "parts", "reference", "size", "tags", "target", "verb")

    def __init__(self, reference: str, target: str, tags: dict[str, str] | None, answer: Answer | None) -> None:
        self.reference, self.target, self.tags, self.answer = reference, target, tags, answer
        self.parts: list[tuple[str, bool]] = []
        self.size = 0
        self.verb = ""
        self.faulty = False


def give_up(door: IrcDoor, code: str, *context: str, text: str) -> None:
    """The batch cannot become a message: say so, and swallow what still comes of it."""
    gathering = door.gathering
    kept = door.answer
    if gathering is not None:
        gathering.faulty = True
        door.answer, gathering.answer = gathering.answer, None
    door.fail("BATCH", code, *context, text=text)
    if door.answer is not None and door.answer is not kept:
        door.answer.flush(door)
    door.answer = kept


@command("BATCH", "+reference draft/multiline target | -reference", "Send a message of several lines.", least=1)
def batch(door: IrcDoor, line: Line) -> None:
    word = line.params[0]
    if word.startswith("+"):
        open_batch(door, line, word[1:])
    elif door.gathering is None or word != "-" + door.gathering.reference:
        door.fail("BATCH", "UNKNOWN_REFERENCE", word.lstrip("-")[:64] or "*", text="There is no such batch")
    else:
        close_batch(door)


def open_batch(door: IrcDoor, line: Line, reference: str) -> None:
    from tcpchat.doors.irc.messages import client_tags

    kind = line.params[1] if len(line.params) > 1 else "*"
    if "draft/multiline" not in door.caps or len(line.params) < 3 or kind != "draft/multiline":
        door.fail("BATCH", "UNKNOWN_TYPE", kind, text="Unknown kind of batch")
    elif door.gathering is not None and not door.gathering.faulty:
        give_up(door, "MULTILINE_INVALID", text="A batch is open already")
    else:
        answer, door.answer = door.answer, None  # the label is answered when the batch is closed
        door.gathering = Gathering(reference, line.params[2], client_tags(line), answer)


def takes(door: IrcDoor, line: Line) -> bool:
    """Add a line to the open batch; False when it is a message of its own."""
    gathering = door.gathering
    assert gathering is not None
    reference = (line.tags or {}).get("batch")
    if reference is None and line.command == "TAGMSG":
        return False
    if not gathering.faulty:
        add(door, gathering, line, reference)
    return True


def add(door: IrcDoor, gathering: Gathering, line: Line, reference: str | None) -> None:
    limits = door.network
    text = line.params[1] if len(line.params) > 1 else ""
    concat = CONCAT in (line.tags or {})
    size = gathering.size + len(text.encode()) + (not concat)
    gathering.verb = gathering.verb or line.command
    if reference != gathering.reference or gathering.verb != line.command or line.command == "TAGMSG":
        give_up(door, "MULTILINE_INVALID", text="This line does not belong to the open batch")
    elif not line.params or limits.fold(line.params[0]) != limits.fold(gathering.target):
        context = (gathering.target, line.params[0] if line.params else "*")
        give_up(door, "MULTILINE_INVALID_TARGET", *context, text="The lines of a batch have one target")
    elif concat and not text:
        give_up(door, "MULTILINE_INVALID", text="A blank line cannot continue another")
    elif size > limits.max_bytes:
        give_up(door, "MULTILINE_MAX_BYTES", str(limits.max_bytes), text="This message is too long")
    elif len(gathering.parts) >= limits.max_lines:
        give_up(door, "MULTILINE_MAX_LINES", str(limits.max_lines), text="This message has too many lines")
    else:
        gathering.parts.append((text, concat and bool(gathering.parts)))
        gathering.size = size


def close_batch(door: IrcDoor) -> None:
    """All lines are there: say them as one message."""
    from tcpchat.doors.irc.messages import say_one

    gathering, door.gathering = door.gathering, None
    assert gathering is not None
    if gathering.faulty:
        return
    door.answer = gathering.answer or door.answer
    if not any(text for text, _ in gathering.parts):
        door.fail("BATCH", "MULTILINE_INVALID", text="There is no text")
        return
    text, cuts = "", []
    for place, (part, concat) in enumerate(gathering.parts):
        if concat and text:
            cuts.append(len(text))
        text += ("" if concat or not place else "\n") + part
    say_one(door, gathering.verb, gathering.target, text, gathering.tags, tuple(cuts), len(gathering.parts))
