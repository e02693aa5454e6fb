"""Receipts: PONG is "delivered". One PING at a time, its token stands for the last entry that was sent before it.

Clients answer a PING by themselves once they have read the lines before it (soju does the same per message). The
first one is sent a few seconds after the welcome: a client that never answers pings gets no more of them.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from tcpchat.core.model import Confirm, Receipt
from tcpchat.doors.irc import encode, wire
from tcpchat.doors.irc.network import nick_of

if TYPE_CHECKING:
    from tcpchat.doors.irc.door import IrcDoor

SENT_MAX = 512  # own messages whose fate /RECEIPTS and "/msg Receipts last" can tell


class Receipts:
    """What this client has been told, has been asked about, and has confirmed."""

    __slots__ = ("answers", "asked", "begun", "confirmed", "door", "order", "sent", "told", "waiting", "whole")

    def __init__(self, door: IrcDoor) -> None:
        self.door = door
        self.told = 0  # last entry sent
        self.asked = 0  # entry of the last token sent
        self.confirmed = 0
        self.waiting = False  # a token is out
        self.answers = False  # this client has answered one
        self.begun = 0.0  # when the welcome was
        # Conversation -> places of own messages that wait for receipts; kept for those who can be sent TAGMSG.
        self.sent: dict[str, deque[int]] = {}
        self.whole: dict[
            tuple[str, str], int
        ] = {}  # conversation and state -> up to where all have it, and it was told
        self.order: deque[tuple[int, str]] | None = None  # own messages, once there are some

    # -- as a receiver ---------------------------------------------------------------------------------------

    def tell(self, seq: int) -> None:
        """An entry was sent to this client."""
        if seq > self.told:
            self.told = seq

    def mark(self, seq: int) -> bytes:
        """A PING for everything sent, or b"" when one is out or it is too early."""
        self.tell(seq)
        if self.waiting or self.told <= self.asked or not self.door.registered or not self.answers:
            return b""
        return self._ask() if self.door.network.may_ask(self.door) else b""

    def _ask(self) -> bytes:
        self.asked, self.waiting = self.told, True
        return wire.line(f"PING :tc-{self.told:x}")

    def tick(self, now: float) -> None:
        """Once a second: the first question, when the client has settled."""
        settled = self.door.registered and now - self.begun >= self.door.network.receipts_after
        if settled and not self.answers and not self.waiting and self.told > self.asked:
            self.door.out.append(self._ask())

    def answered(self, raw: bytes) -> bool:
        """Take a PONG line that answers our own PING, at once: nothing is said to it, so it waits for no line before
        it. False: it is another."""
        token = raw.rpartition(b" ")[2].removeprefix(b":")
        if not (token.startswith(b"tc-") and self.waiting and token.isascii()):
            return False
        self.pong(token.decode())
        return True

    def pong(self, token: str) -> None:
        """The client has read everything up to the token."""
        kind, _, digits = token.partition("-")
        if kind != "tc":
            return
        try:
            seq = int(digits, 16)
        except ValueError:
            return
        if seq > self.asked or seq <= self.confirmed:
            return
        self.confirmed = seq
        self.answers = True
        if seq == self.asked:
            self.waiting = False
        self.door.tell(Confirm(seq=seq))

    # -- as an author ----------------------------------------------------------------------------------------

    def said(self, to: str, seq: int) -> None:
        """An own message was accepted."""
        if self.order is None:
            self.order = deque(maxlen=SENT_MAX)
        self.order.append((seq, to))
        if "message-tags" in self.door.caps:
            key = self.door.network.fold(to.lstrip("@"))
            waiting = self.sent.get(key)
            if waiting is None:
                waiting = self.sent[key] = deque(maxlen=SENT_MAX)
            waiting.append(seq)

    def receipt(self, event: Receipt) -> None:
        """Somebody has it: a TAGMSG for every own message that this covers, for those with message-tags."""
        door = self.door
        if event.state != "failed" and "message-tags" not in door.caps:
            return  # nothing that this client could be shown
        place = event.to if event.to.startswith("#") else event.to.lstrip("@")
        if door.is_me(place):
            return
        if "message-tags" not in door.caps:
            door.notice(f"{nick_of(place)} left without your message.", "Receipts")
            return
        waiting = self.sent.get(door.network.fold(place), deque())
        whole = not event.to.startswith("#") or event.have >= event.of
        key = (door.network.fold(place), event.state)
        done = self.whole.get(key, 0)
        covered = [seq for seq in waiting if (done < seq <= event.seq if whole else seq == event.seq)]
        for seq in covered or ([event.seq] if event.to.startswith("#") and event.seq > done else []):
            tags = [(f"+draft/{event.state}", encode.msgid(seq))]
            if event.of:
                tags.append(("+draft/receipts", f"{event.have}/{event.of}"))
            by = event.by or (place if not place.startswith("#") else "")
            source = door.network.mask(by) if by else door.network.server
            door.put(wire.join("TAGMSG", [nick_of(place)], source), tags, event.at)
        if whole and waiting:
            self.whole[key] = max(done, event.seq)
        while event.state in ("read", "failed") and whole and waiting and waiting[0] <= event.seq:
            waiting.popleft()
