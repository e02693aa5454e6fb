"""Sending exactly once: numbers, the window, refusals that give a number back, receipts that move handles on.

Messages leave in the order of the outbox, numbered 1, 2, 3, ... per device. The server answers a repeat with its first
answer and refuses a gap, so whatever happens to the connection, sending again is safe.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque

from tcpchat.client.errors import ChatError, ConnectionFailed, Refused, Unknown
from tcpchat.client.events import SentChanged
from tcpchat.client.outbox import Outbox
from tcpchat.client.sent import Sent
from tcpchat.core import model as m
from tcpchat.core.text import fold

REMEMBERED = 4_096  # newest own messages whose receipts are still followed
WAIT_CODES = {"too_fast", "unavailable", "too_many_pending"}


class Sending:
    """The part of Client that owns the outbox's way to the server."""

    state: str
    error: ChatError | None
    welcome: m.Welcome | None

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._n = 0
        self._flight: deque[Sent] = deque()
        self._hold: asyncio.TimerHandle | None = None
        self._followed: dict[int, Sent] = {}
        self._own: deque[int] = deque(maxlen=REMEMBERED)

    @property
    def online(self) -> bool:
        """Is the session open right now?"""
        return self.state == "online"

    def _put(self, event: object) -> None:
        raise NotImplementedError

    def _send(self, command: m.Command) -> None:
        raise NotImplementedError

    def _soon(self) -> None:
        raise NotImplementedError

    def _settle(self, event: m.Welcome) -> None:
        """Messages whose numbers the server has are accepted; the others are numbered anew, in order."""
        first = event.last - len(event.recent) + 1
        self._own.extend(event.recent)
        for item in list(self._outbox.items):
            if item.n and item.n <= event.last:
                at = item.n - first
                self._accept(item, event.recent[at] if 0 <= at < len(event.recent) else 0, event.at)
        self._n = event.last
        for item in self._outbox.items:
            item.n = 0

    def _on_accepted(self, event: m.Accepted) -> None:
        item = next((one for one in self._flight if one.n == event.n), None)
        if item is None:
            return
        self._flight.remove(item)
        self._accept(item, event.seq, event.at)
        self._pump()

    def _accept(self, item: Sent, seq: int, at: int) -> None:
        self._outbox.remove(item)
        item.seq, item.at = seq, at or item.at
        if seq:
            self._own.append(seq)
            self._followed[seq] = item
            while len(self._followed) > REMEMBERED:
                del self._followed[next(iter(self._followed))]
        if item.advance("accepted"):
            self._put(SentChanged(item))

    def _refused_message(self, event: m.Refused) -> None:
        """A refused message gives its number back; those sent behind it return as gaps and go out again, in order."""
        item = next((one for one in self._flight if one.n == event.n), None)
        if item is None:
            return
        self._flight.remove(item)
        item.n = 0
        self._n = min(self._n, event.n - 1)
        if event.code in WAIT_CODES:
            item.reason = event.text
            self._hold_back(max(event.after, 0.05))
            self._put(SentChanged(item))
        elif event.code != "gap":
            self._outbox.remove(item)
            item.fail(Refused(event.code, event.text, event.after, event.about))
            self._put(SentChanged(item))
        if not self._flight:
            self._pump()

    def _hold_back(self, seconds: float) -> None:
        if self._hold is None:
            self._hold = asyncio.get_running_loop().call_later(seconds, self._let_go)

    def _let_go(self) -> None:
        self._hold = None
        self._pump()

    def _reached(self, event: m.Receipt) -> None:
        """Cumulative: all own messages of this conversation up to here."""
        conversation = fold(event.to)
        for seq, item in list(self._followed.items()):
            if seq <= event.seq and fold(item.to) == conversation:
                item.have = item.of = event.of
                if item.advance(event.state):
                    self._put(SentChanged(item))
                if event.state == "read":
                    del self._followed[seq]

    async def send(
        self, to: str, text: str, re: int = 0, kind: str = "text", tags: dict[str, str] | None = None
    ) -> Sent:
        """Put a message into the outbox (on disk when this returns, if there is a file) and on its way.

        ``to`` is ``@login`` or ``#room``. Never fails for being offline; the handle says what becomes of it.
        Raises ConnectionFailed when the client is closed.
        """
        if self.state == "closed":
            raise self.error or ConnectionFailed("This client is closed.")
        item = Sent(to, text, re, kind, tags, int(time.time() * 1000))
        self._outbox.add(item)
        self._pump()
        return item

    def _pump(self) -> None:
        """Number and send what waits, in order, as far as the window goes.

        Behind a refusal nothing new leaves until all that was sent behind it has come back.
        """
        if not self.online or self._hold is not None or (self._flight and self._flight[-1].n > self._n):
            return
        window = self.welcome.window if self.welcome else 1
        leaving = []
        for item in self._outbox.items:
            if item.n:
                continue
            if len(self._flight) >= window:
                break
            self._n += 1
            item.n = self._n
            self._flight.append(item)
            leaving.append(item)
        self._outbox.numbered(leaving)
        for item in leaving:
            self._send(m.Say(item.to, item.text, item.n, item.re, item.kind, item.tags))
        if leaving:
            self._soon()

    async def resend(self, sent: Sent) -> Sent:
        """Send a failed message again, as a new one."""
        return await self.send(sent.to, sent.text, sent.re, sent.kind, sent.tags)

    def cancel(self, sent: Sent) -> bool:
        """Take a message out of the outbox that has not left yet. Returns whether that was possible."""
        if sent.n or sent not in self._outbox.items:
            return False
        self._outbox.remove(sent)
        sent.fail(Unknown("Taken back before it was sent."))
        return True
