"""Answers: what one command of the client is answered with, and how it is labelled.

Source: https://ircv3.net/specs/extensions/labeled-response
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tcpchat.doors.irc.door import IrcDoor

Tags = Sequence[tuple[str, str]]


class Answer:
    """The lines that answer one labelled command, kept until it is done."""

    __slots__ = ("label", "lines", "waits")

    def __init__(self, label: str) -> None:
        self.label = label
        self.lines: list[tuple[str, list[tuple[str, str]], int]] = []
        self.waits = 0  # messages of this command that are not answered yet

    def flush(self, door: IrcDoor) -> None:
        """Write the lines: none is an ACK, one bears the label, several become a batch."""
        label = ("label", self.label)
        lines = self.lines
        server = door.network.server
        if not lines:
            door.write(f":{server} ACK", [label])
        elif len(lines) == 1 or whole_batch(lines):
            text, tags, at = lines[0]
            door.write(text, [label, *tags], at)
            for text, tags, at in lines[1:]:
                door.write(text, tags, at)
        else:
            door.batches += 1
            reference = f"b{door.batches}"
            door.write(f":{server} BATCH +{reference} labeled-response", [label])
            inside = False
            for text, tags, at in lines:
                # a line of an inner batch names that one; the inner batch itself names the outer
                nested = any(key == "batch" for key, _ in tags)
                ends = " BATCH -" in text[: len(server) + 10]
                door.write(text, tags if nested or (inside and ends) else [("batch", reference), *tags], at)
                inside = (inside or " BATCH +" in text[: len(server) + 10]) and not ends
            door.write(f":{server} BATCH -{reference}")


def whole_batch(lines: list[tuple[str, list[tuple[str, str]], int]]) -> bool:
    """True when the lines are one batch from its start to its end: then that batch bears the label."""
    words = lines[0][0].split(" ", 3)
    if len(words) < 3 or words[1] != "BATCH" or not words[2].startswith("+"):
        return False
    return lines[-1][0].split(" ")[1:3] == ["BATCH", "-" + words[2][1:]]
