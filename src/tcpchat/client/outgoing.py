"""Own messages and what becomes of them: handles, receipts, what is sent again."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import cast

from tcpchat.client.errors import ChatError, Lost, Refused, Unknown
from tcpchat.client.events import SentChanged
from tcpchat.client.link import Link, now
from tcpchat.client.outcomes import Delayed, Doubted, Rejected, Settled
from tcpchat.client.record import Item
from tcpchat.client.sent import Sent
from tcpchat.client.tracking import Following
from tcpchat.core import model as m


class Outgoing:
    """The messages of one client. ``put`` queues an event for its program."""

    def __init__(self, link: Link, put: Callable[[object], None]) -> None:
        self._link, self._put = link, put
        self._outbox = link.outbox
        self._numbers = link.peer.numbers
        self._following = Following()

    @property
    def pending(self) -> list[Sent]:
        """What is in the outbox: not accepted yet, in order."""
        return cast("list[Sent]", self._numbers.pending)

    async def send(
        self, to: str, text: str, re: int = 0, kind: str = "text", tags: dict[str, str] | None = None, *, n: int = 0
    ) -> Sent:
        """Put a message into the outbox (on disk when this returns, if there is a file) and on its way.

        ``to`` is ``@login`` or ``#room``. Never fails for being offline; the handle says what becomes of it.

        ``n`` is for programs that number by themselves, with a ``device`` of their own: a number that the server has
        already is not sent again, the handle has its first place.

        Raises:
            ConnectionFailed: the client is closed (or what ended it).
            OutboxError: the message cannot be kept; it is not sent.
            ValueError: with ``n``, a number would be left out.
        """
        if self._link.closed:
            raise self._link.over()
        item = Sent(to, text, re, kind, tags, int(time.time() * 1000))
        numbers = self._numbers
        if n and numbers.has(n):
            item.n, place = n, numbers.place(n)
            self._link.peer.cursor.is_own(place)
            self._settle(item, place, 0)
            return item
        if n and (not numbers.open or numbers.queue or n != numbers.last + 1):
            raise ValueError(f"The next number of this device is {numbers.last + 1}, not {n}.")
        self._link.peer.say(item, now())
        self._link.soon()
        return item

    # -- what the server makes of them -------------------------------------------------------------------------------

    def on_settled(self, event: Settled) -> None:
        """The server has a message."""
        self._link.save_soon()
        self._settle(_handle(event.item), event.seq, event.at)

    def _settle(self, item: Sent, seq: int, at: int) -> None:
        item.seq, item.at = seq, at or item.at
        if seq:
            self._following.add(item)
        if item.advance("accepted"):
            self._put(SentChanged(item))

    def on_delayed(self, event: Delayed) -> None:
        """It could not be taken now."""
        self._put(SentChanged(_handle(event.item)))

    def on_rejected(self, event: Rejected) -> None:
        """It is refused for good."""
        self._link.save_soon()
        item, refused = _handle(event.item), event.refused
        item.fail(Refused(refused.code, refused.text, refused.after, refused.about))
        self._put(SentChanged(item))

    def on_doubted(self, event: Doubted) -> None:
        """Nobody can tell any more."""
        self._link.save_soon()
        item = _handle(event.item)
        item.doubt()
        self._put(SentChanged(item))

    # -- receipts ----------------------------------------------------------------------------------------------------

    def on_receipt(self, event: m.Receipt) -> None:
        """Somebody has own messages, or has read them."""
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

    def on_rooms(self, event: m.RoomList) -> None:
        """Behind Welcome: what was delivered and read while the connection was away."""
        for room in event.rooms:
            if room.delivered:
                self._reached(room.to, room.delivered, "delivered")
            if room.seen:
                self._reached(room.to, room.seen, "read")
        self._put(event)

    def renamed(self, old: str, new: str) -> None:
        """Somebody has another login: receipts come under that from now on."""
        self._following.renamed("@" + old, "@" + new)

    def lose(self, seq: int) -> list[Sent]:
        """The log has nothing of what it had from ``seq`` on: own messages there are lost. Returns them."""
        gone = self._following.gone(seq)
        for item in gone:
            item.fail(Lost(f"The server was set back to before this message to {item.to}: it is not there any more."))
        return gone

    # -- the end -----------------------------------------------------------------------------------------------------

    async def resend(self, sent: Sent) -> Sent:
        """Send a message again, as a new one, that has failed, or whose state is unknown (then it may be doubled).
        Returns the new one's handle.

        Raises: as ``send``.
        """
        again = await self.send(sent.to, sent.text, sent.re, sent.kind, sent.tags)
        if sent in self.doubtful:
            self._forget(sent)
        return again

    @property
    def doubtful(self) -> list[Sent]:
        """Messages of which it will never be known whether they were accepted, also of earlier runs with this outbox
        file: ``resend`` or ``cancel`` ends it."""
        return cast("list[Sent]", list(self._outbox.doubtful))

    def cancel(self, sent: Sent) -> bool:
        """Take a message out of the outbox that has not left yet. Returns whether that was possible.

        One that left and was not answered cannot be: the server may have it, and the next would get its number. One
        whose state is unknown is forgotten, whatever became of it.
        """
        if sent in self._outbox.doubtful:
            self._forget(sent)
            return True
        if not self._numbers.take_back(sent):
            return False
        self._link.save_soon()
        sent.fail(Unknown("Taken back before it was sent."))
        return True

    def _forget(self, sent: Sent) -> None:
        self._numbers.forget(sent)
        self._link.save_soon()

    def end(self, error: ChatError | None) -> None:
        """Nothing will leave any more: what never left has failed with ``error``, unless a file keeps it."""
        for item in self.pending:
            if error is not None and not item.n and not self._outbox.durable:
                item.fail(error)
                self._put(SentChanged(item))
            else:
                item.abandon()
        for item in self._following.all():
            item.abandon()


def _handle(item: Item) -> Sent:
    assert isinstance(item, Sent)
    return item
