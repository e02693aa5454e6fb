"""What one device has to remember for its messages to arrive once: held in memory here, on disk too by Outbox."""

from __future__ import annotations

from typing import Any

from tcpchat.core.text import fold


class Item:
    """One message on its way out."""

    def __init__(
        self, to: str, text: str, re: int = 0, kind: str = "text", tags: dict[str, str] | None = None, at: int = 0
    ) -> None:
        self.to, self.text, self.re, self.kind, self.tags, self.at = to, text, re, kind, tags, at
        self.conversation = fold(to)
        self.number = 0  # its place in the outbox
        self.n = 0  # the number it was sent under; 0 = not sent
        self.left = False  # it went out under a number and was not refused: the server may have it
        self.seq = 0  # its place in the log; 0 = not accepted

    def delayed(self, why: str) -> None:
        """It could not be taken yet."""

    def message(self) -> dict[str, Any]:
        """What an outbox keeps of it."""
        return {"to": self.to, "text": self.text, "re": self.re, "kind": self.kind, "tags": self.tags, "at": self.at}


class Record:
    """The unanswered messages of one device and the numbers they left under, and up to where its feed was taken."""

    def __init__(self, device: str = "") -> None:
        self.device = device
        self.cursor: int | None = None  # everything up to here was taken
        self.own: list[int] = []  # own messages behind the cursor, as they were found at the start
        self.found: list[Item] = []  # pending messages that were found at the start, in order
        self.doubtful: list[Item] = []  # those of which nobody will know whether they were accepted
        self.log = ""  # id of the log that the cursor and the numbers are of
        self.accepted = 0  # last number known to be accepted
        self.head = 0  # the log's head when what is numbered and unanswered left, or before
        self._last = 0

    def add(self, item: Item) -> None:
        """Keep a message. Raises OutboxError: it is not kept."""
        self._last += 1
        item.number = self._last

    def numbered(self, items: list[Item]) -> None:
        """Remember under which numbers these messages leave, before they do. Raises OutboxError: they must not."""

    def doubted(self, item: Item) -> None:
        """Keep it as one of which nobody knows whether it was taken. Raises OutboxError."""
        self.doubtful.append(item)

    def remove(self, item: Item) -> None:
        """The message is settled: accepted in its ``seq``, or refused. Raises OutboxError."""
        if item in self.doubtful:
            self.doubtful.remove(item)

    def keep_cursor(self, seq: int) -> None:
        """Remember up to where everything was taken."""
        self.cursor = max(seq, self.cursor or 0)

    def forget_own(self, seq: int) -> None:
        """The log has nothing from ``seq`` on: own messages there will not come back with the feed. Raises
        OutboxError."""
