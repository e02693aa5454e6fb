"""Sending exactly once: numbers, the window, refusals that give a number back.

Messages leave in the order of the outbox, numbered 1, 2, 3, ... per device. The server answers a repeat with its first
answer and refuses a gap, so whatever happens to the connection, sending again is safe.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque

from tcpchat.client.errors import ChatError, ConnectionFailed, Lost, OutboxError, Refused, Unknown
from tcpchat.client.events import SentChanged
from tcpchat.client.outbox import Outbox
from tcpchat.client.part import Part
from tcpchat.client.sent import Sent
from tcpchat.client.tracking import Following
from tcpchat.core import model as m

WAIT_CODES = {"too_fast", "unavailable", "too_many_pending"}  # there is hope: the message stays pending
HOLD = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0)  # seconds until the next try when the server does not say
HOLD_MIN = 0.05  # seconds; a server that says "at once" and refuses again must not become a busy loop


class Sending(Part):
    """The part of Client that owns the outbox's way to the server."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._n = 0  # last number given out that was not given back
        self._flight: deque[Sent] = deque()  # unanswered, by number
        self._queue: deque[Sent] = deque(outbox.found)  # to leave, in order
        self._hold: asyncio.TimerHandle | None = None
        self._holds = 0  # in a row
        self._following = Following()

    @property
    def device(self) -> str:
        """The id under which this client's messages are numbered."""
        return self._outbox.device

    @property
    def pending(self) -> list[Sent]:
        """What is in the outbox: not accepted yet, in order."""
        return sorted((*self._flight, *self._queue), key=_number)

    # -- leaving -----------------------------------------------------------------------------------------------------

    async def send(
        self, to: str, text: str, re: int = 0, kind: str = "text", tags: dict[str, str] | None = None, *, n: int = 0
    ) -> Sent:
        """Put a message into the outbox (on disk when this returns, if there is a file) and on its way.

        ``to`` is ``@login`` or ``#room``. Never fails for being offline; the handle says what becomes of it.
        Raises ConnectionFailed (or what ended it) when the client is closed, OutboxError when it cannot be kept.

        ``n`` is for programs that number by themselves, with a ``device`` of their own: a number that the server has
        already is not sent again, the handle has its first place. Raises ValueError when a number would be left out.
        """
        if self.state == "closed":
            raise self.error or ConnectionFailed("This client is closed.")
        item = Sent(to, text, re, kind, tags, int(time.time() * 1000))
        if n and self._has(n):
            item.n = n
            self._settled(item, self._place(n), 0)
            return item
        if n and (not self.online or self._queue or n != self._n + 1):
            raise ValueError(f"The next number of this device is {self._n + 1}, not {n}.")
        now = not self._queue and self._may_leave()
        item.n = self._n + 1 if now else 0
        self._outbox.add(item)
        if now:
            self._leave([item])
        else:
            self._queue.append(item)
        return item

    def _has(self, n: int) -> bool:
        return self.welcome is not None and n <= self.welcome.last

    def _place(self, n: int) -> int:
        """The seq of a number that the server had when it welcomed us; 0 = older than it remembers."""
        assert self.welcome is not None
        at = n - (self.welcome.last - len(self.welcome.recent) + 1)
        return self.welcome.recent[at] if 0 <= at < len(self.welcome.recent) else 0

    def _may_leave(self) -> bool:
        """Behind a refusal nothing new leaves until all that was sent behind it has come back."""
        if not self.online or self._hold is not None or (self._flight and self._flight[-1].n > self._n):
            return False
        window = self.welcome.window if self.welcome and not self._holds else 1  # after trouble: one, to see
        return len(self._flight) < window

    def _pump(self) -> None:
        """Number and send what waits, in order, as far as the window goes."""
        leaving: list[Sent] = []
        while self._queue and self._may_leave() and len(self._flight) + len(leaving) < self._window():
            item = self._queue.popleft()
            item.n = self._n + 1 + len(leaving)
            leaving.append(item)
        try:
            self._outbox.numbered(leaving)
        except OutboxError as error:
            for item in reversed(leaving):
                item.n, item.reason = 0, str(error)
                self._queue.appendleft(item)
            self._hold_back(0.0)
        else:
            self._leave(leaving)

    def _window(self) -> int:
        return self.welcome.window if self.welcome and not self._holds else 1

    def _leave(self, items: list[Sent]) -> None:
        for item in items:
            self._n = item.n
            item.left = True
            self._flight.append(item)
            self._send(m.Say(item.to, item.text, item.n, item.re, item.kind, item.tags))
        if items:
            self._soon()

    # -- answers -----------------------------------------------------------------------------------------------------

    def _settle(self, event: m.Welcome, asked_log: str) -> None:
        """A new connection: what the server has under its number is accepted, the rest is numbered anew, in order.

        Only of what left and was not answered may the server not know any more: see ``_forgotten``.
        """
        items, forgotten = self.pending, self._forgotten(event, asked_log)
        self._flight.clear()
        self._queue.clear()
        for seq in event.recent:
            self._is_own(seq)
        for item in items:
            if 0 < item.n <= event.last:
                self._accept(item, self._place(item.n), 0)
            elif item.left and item.n and forgotten:
                self._doubt(item)
            else:
                item.n, item.left = 0, False
                self._queue.append(item)
        self._n = self._outbox.accepted = event.last
        self._outbox.log, self._outbox.head = event.log, event.head

    def _forgotten(self, event: m.Welcome, asked_log: str) -> bool:
        """May the server have had a message of this device and have forgotten its number?

        On the log that the message was sent to it has when it knows fewer numbers than it has accepted, or none, and
        forgets messages as new as this one. A log that parted from that one has only what came before.
        """
        kept = self._outbox
        none_known = event.last == 0 and event.forgot > kept.head
        if not kept.log or not event.log or kept.log == event.log:
            return event.last < kept.accepted or none_known
        return none_known and (kept.log != asked_log or kept.head + 1 < event.lost)

    def _doubt(self, item: Sent) -> None:
        item.doubt()
        try:
            self._outbox.doubted(item)
        except OutboxError:
            pass  # in the file it stays as it was, and the next welcome finds the same
        self._save_soon()
        self._put(SentChanged(item))

    def _in_flight(self, n: int) -> Sent | None:
        return next((item for item in self._flight if item.n == n), None)

    def _on_accepted(self, event: m.Accepted) -> None:
        item = self._in_flight(event.n)
        if item is not None:
            self._flight.remove(item)
            self._holds = 0
            self._accept(item, event.seq, event.at)
            self._pump()

    def _accept(self, item: Sent, seq: int, at: int) -> None:
        item.seq = seq
        self._outbox.accepted = max(self._outbox.accepted, item.n)
        self._forget(item)
        self._settled(item, seq, at)

    def _settled(self, item: Sent, seq: int, at: int) -> None:
        item.seq, item.at = seq, at or item.at
        if seq:
            self._is_own(seq)
            self._following.add(item)
        if item.advance("accepted"):
            self._put(SentChanged(item))

    def _forget(self, item: Sent) -> None:
        try:
            self._outbox.remove(item)
        except OutboxError:
            pass  # it stays in the file and is settled by the next Welcome
        self._save_soon()

    def _refused_message(self, event: m.Refused) -> None:
        """A refused message gives its number back; those sent behind it return as gaps and go out again, in order."""
        item = self._in_flight(event.n)
        if item is None:
            return
        self._flight.remove(item)
        item.n, item.left = 0, False
        self._n = min(self._n, event.n - 1)
        if event.code == "gap":
            self._put_back(item)
            if not self._flight and event.expected:
                self._n = event.expected - 1
        elif event.code in WAIT_CODES:
            item.reason = event.text
            self._put_back(item)
            self._hold_back(event.after)
            self._put(SentChanged(item))
        else:
            self._forget(item)
            item.fail(Refused(event.code, event.text, event.after, event.about))
            self._put(SentChanged(item))
        self._pump()

    def _put_back(self, item: Sent) -> None:
        place = next((at for at, other in enumerate(self._queue) if other.number > item.number), len(self._queue))
        self._queue.insert(place, item)

    def _hold_back(self, seconds: float) -> None:
        """Nothing leaves for a while."""
        if self._hold is None:
            seconds = max(seconds or HOLD[min(self._holds, len(HOLD) - 1)], HOLD_MIN)
            self._holds += 1
            self._hold = asyncio.get_running_loop().call_later(seconds, self._let_go)

    def _let_go(self) -> None:
        self._hold = None
        self._pump()

    # -- receipts ----------------------------------------------------------------------------------------------------

    def _on_receipt(self, event: m.Receipt) -> None:
        if event.state == "failed":
            for item in self._following.lost(event.to, event.seq):
                item.fail(Refused("no_such_login", f"{event.to.removeprefix('@')} left without the message."))
                self._put(SentChanged(item))
        elif event.of and event.have < event.of:
            some = self._following.some(event.to, event.seq, event.have, event.of)
            if some is not None:
                self._put(SentChanged(some))
        else:
            self._reached(event.to, event.seq, event.state, event.of)
        self._put(event)

    def _reached(self, to: str, seq: int, state: str, of: int = 0) -> None:
        for item in self._following.reached(to, seq, state, of):
            self._put(SentChanged(item))

    def _on_rooms(self, event: m.RoomList) -> None:
        """Behind Welcome: what was delivered and read while the connection was away."""
        for room in event.rooms:
            if room.delivered:
                self._reached(room.to, room.delivered, "delivered")
            if room.seen:
                self._reached(room.to, room.seen, "read")
        self._put(event)

    def _lose(self, seq: int) -> list[Sent]:
        """The log has nothing of what it had from ``seq`` on: own messages there are lost."""
        gone = self._following.gone(seq)
        for item in gone:
            item.fail(Lost(f"The server was set back to before this message to {item.to}: it is not there any more."))
        try:
            self._outbox.forget_own(seq)
        except OutboxError:
            pass  # their places are behind the new cursor, or are told again by the next accepted ones
        return gone

    # -- the end -----------------------------------------------------------------------------------------------------

    async def resend(self, sent: Sent) -> Sent:
        """Send a message again, as a new one, that has failed, or whose state is unknown (then it may be doubled)."""
        again = await self.send(sent.to, sent.text, sent.re, sent.kind, sent.tags)
        if sent in self.doubtful:
            self._forget(sent)
        return again

    @property
    def doubtful(self) -> list[Sent]:
        """Messages of which it will never be known whether they were accepted, also of earlier runs with this outbox
        file: ``resend`` or ``cancel`` ends it."""
        return list(self._outbox.doubtful)

    def cancel(self, sent: Sent) -> bool:
        """Take a message out of the outbox that has not left yet. Returns whether that was possible.

        One that left and was not answered cannot be: the server may have it, and the next would get its number. One
        whose state is unknown is forgotten, whatever became of it.
        """
        if sent in self._outbox.doubtful:
            self._forget(sent)
            return True
        if sent.left or sent not in self._queue:
            return False
        self._queue.remove(sent)
        self._forget(sent)
        sent.fail(Unknown("Taken back before it was sent."))
        return True

    def _end_sending(self, error: ChatError | None) -> None:
        """Nothing will leave any more: what never left has failed with ``error``, unless a file keeps it."""
        if self._hold is not None:
            self._hold.cancel()
            self._hold = None
        for item in self.pending:
            if error is not None and not item.n and not self._outbox.durable:
                item.fail(error)
                self._put(SentChanged(item))
            else:
                item.abandon()
        for item in self._following.all():
            item.abandon()


def _number(item: Sent) -> int:
    return item.number
