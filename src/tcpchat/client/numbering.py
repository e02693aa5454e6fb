"""Sending exactly once: numbers, the window, refusals that give a number back. No I/O, no clock.

Messages leave in the order in which they were given, numbered 1, 2, 3, ... per device. The server answers a repeat with
its first answer and refuses a gap, so whatever happens to the connection, sending again is safe.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

from tcpchat.client.errors import OutboxError
from tcpchat.client.outcomes import Delayed, Doubted, Rejected, Settled
from tcpchat.client.record import Item, Record
from tcpchat.core import model as m

WAIT_CODES = {"too_fast", "unavailable", "too_many_pending"}  # there is hope: the message stays pending
HOLD = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0)  # seconds until the next try when the server does not say
HOLD_MIN = 0.05  # seconds; a server that says "at once" and refuses again must not become a busy loop


class Numbering:
    """One device's messages on their way to the server. ``send`` puts a command on the wire."""

    def __init__(self, record: Record, send: Callable[[m.Say], None]) -> None:
        self.record, self._send = record, send
        self.welcome: m.Welcome | None = None  # the last one
        self.open = False  # is there a session right now?
        self.last = 0  # last number given out that was not given back
        self.held_until: float | None = None  # nothing leaves before this moment
        self._flight: deque[Item] = deque()  # unanswered, by number
        self.queue: deque[Item] = deque(record.found)  # to leave, in order
        self._holds = 0  # in a row

    @property
    def pending(self) -> list[Item]:
        """What is not accepted yet, in order."""
        return sorted((*self._flight, *self.queue), key=_number)

    # -- leaving -----------------------------------------------------------------------------------------------------

    def say(self, item: Item) -> None:
        """Keep a message and send it as soon as its turn comes. Raises OutboxError: it is not kept."""
        now = not self.queue and self._may_leave()
        item.n = self.last + 1 if now else 0
        self.record.add(item)
        if now:
            self._leave([item])
        else:
            self.queue.append(item)

    def has(self, n: int) -> bool:
        """Had the server this number already when it welcomed us?"""
        return self.welcome is not None and n <= self.welcome.last

    def place(self, n: int) -> int:
        """The seq of such a number; 0 = older than the server remembers."""
        assert self.welcome is not None
        at = n - (self.welcome.last - len(self.welcome.recent) + 1)
        return self.welcome.recent[at] if 0 <= at < len(self.welcome.recent) else 0

    def _window(self) -> int:
        return self.welcome.window if self.welcome and not self._holds else 1  # after trouble: one, to see

    def _may_leave(self) -> bool:
        """Behind a refusal nothing new leaves until all that was sent behind it has come back."""
        if not self.open or self.held_until is not None or (self._flight and self._flight[-1].n > self.last):
            return False
        return len(self._flight) < self._window()

    def pump(self, now: float) -> None:
        """Number and send what waits, in order, as far as the window goes. ``now``: seconds, of any steady clock."""
        leaving: list[Item] = []
        while self.queue and self._may_leave() and len(self._flight) + len(leaving) < self._window():
            item = self.queue.popleft()
            item.n = self.last + 1 + len(leaving)
            leaving.append(item)
        try:
            self.record.numbered(leaving)
        except OutboxError as error:
            for item in reversed(leaving):
                item.n = 0
                item.delayed(str(error))
                self.queue.appendleft(item)
            self._hold_back(0.0, now)
        else:
            self._leave(leaving)

    def _leave(self, items: list[Item]) -> None:
        for item in items:
            self.last = item.n
            item.left = True
            self._flight.append(item)
            self._send(m.Say(item.to, item.text, item.n, item.re, item.kind, item.tags))

    def tick(self, now: float) -> None:
        """The waiting behind a refusal may be over."""
        if self.held_until is not None and now >= self.held_until:
            self.held_until = None
            self.pump(now)

    # -- answers -----------------------------------------------------------------------------------------------------

    def welcomed(self, event: m.Welcome, asked_log: str) -> Iterator[Settled | Doubted]:
        """A new session: what the server has under its number is accepted, the rest is numbered anew, in order.

        Only of what left and was not answered may the server not know any more: see ``_forgotten``.
        """
        self.welcome, self.open = event, True
        items, forgotten = self.pending, self._forgotten(event, asked_log)
        self._flight.clear()
        self.queue.clear()
        for item in items:
            if 0 < item.n <= event.last:
                yield self._settle(item, self.place(item.n), 0)
            elif item.left and item.n and forgotten:
                yield self._doubt(item)
            else:
                item.n, item.left = 0, False
                self.queue.append(item)
        self.last = self.record.accepted = event.last
        self.record.log, self.record.head = event.log, event.head

    def _forgotten(self, event: m.Welcome, asked_log: str) -> bool:
        """May the server have had a message of this device and have forgotten its number?

        On the log that the message was sent to it has when it knows fewer numbers than it has accepted, or none, and
        forgets messages as new as this one. A log that parted from that one has only what came before.
        """
        kept = self.record
        none_known = event.last == 0 and event.forgot > kept.head
        if not kept.log or not event.log or kept.log == event.log:
            return event.last < kept.accepted or none_known
        return none_known and (kept.log != asked_log or kept.head + 1 < event.lost)

    def _doubt(self, item: Item) -> Doubted:
        try:
            self.record.doubted(item)
        except OutboxError:
            pass  # in the file it stays as it was, and the next welcome finds the same
        return Doubted(item)

    def accepted(self, event: m.Accepted, now: float) -> Settled | None:
        """The server has a message; the next may leave."""
        item = self._in_flight(event.n)
        if item is None:
            return None
        self._flight.remove(item)
        self._holds = 0
        settled = self._settle(item, event.seq, event.at)
        self.pump(now)
        return settled

    def _in_flight(self, n: int) -> Item | None:
        return next((item for item in self._flight if item.n == n), None)

    def _settle(self, item: Item, seq: int, at: int) -> Settled:
        item.seq = seq
        self.record.accepted = max(self.record.accepted, item.n)
        self.forget(item)
        return Settled(item, seq, at)

    def forget(self, item: Item) -> None:
        """Nothing more has to be remembered of it."""
        try:
            self.record.remove(item)
        except OutboxError:
            pass  # it stays in the file and is settled by the next Welcome

    def take_back(self, item: Item) -> bool:
        """Do not send it after all. False: it has left, and the server may have it."""
        if item.left or item not in self.queue:
            return False
        self.queue.remove(item)
        self.forget(item)
        return True

    def refused(self, event: m.Refused, now: float) -> Delayed | Rejected | None:
        """A refused message gives its number back; those sent behind it return as gaps and go out again, in order."""
        item = self._in_flight(event.n)
        if item is None:
            return None
        self._flight.remove(item)
        item.n, item.left = 0, False
        self.last = min(self.last, event.n - 1)
        outcome: Delayed | Rejected | None = None
        if event.code == "gap":
            self._put_back(item)
            if not self._flight and event.expected:
                self.last = event.expected - 1
        elif event.code in WAIT_CODES:
            self._put_back(item)
            self._hold_back(event.after, now)
            item.delayed(event.text)
            outcome = Delayed(item, event, (self.held_until or now) - now)
        else:
            self.forget(item)
            outcome = Rejected(item, event)
        self.pump(now)
        return outcome

    def _put_back(self, item: Item) -> None:
        place = next((at for at, other in enumerate(self.queue) if other.number > item.number), len(self.queue))
        self.queue.insert(place, item)

    def _hold_back(self, seconds: float, now: float) -> None:
        """Nothing leaves for a while."""
        if self.held_until is None:
            self.held_until = now + max(seconds or HOLD[min(self._holds, len(HOLD) - 1)], HOLD_MIN)
            self._holds += 1


def _number(item: Item) -> int:
    return item.number
