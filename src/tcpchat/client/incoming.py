"""What comes is kept in order for the program, each thing once, and confirmed when the program has taken it.

All streams of a client look at one queue, each from a place of its own; what every one of them is done with leaves the
queue, and only that is confirmed. A full queue stops the reading from the socket: nothing is dropped, the server waits.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Generic, TypeVar, cast
from weakref import WeakSet

from tcpchat.client.cursor import Cursor
from tcpchat.client.errors import TimedOut
from tcpchat.client.outcomes import Passed
from tcpchat.core import model as m

QUEUE = 10_000  # events a program may leave untaken before reading stops

T = TypeVar("T")
FEED = (m.Message, m.Amended, m.RoomEvent)


class Stream(AsyncIterator[T], Generic[T]):
    """What a program hears, in order. Asking for the next one tells that the last one is done with.

    A stream hears what comes after it was made, the first one also what came before. Breaking out of the loop is fine:
    the next stream goes on where it ended.
    """

    def __init__(self, queue: Incoming, kind: type[T] | None) -> None:
        self._queue, self._kind = queue, kind
        self.at = self.done = 0  # places in the queue: what is looked at next, what is done with

    def __aiter__(self) -> Stream[T]:
        return self

    async def __anext__(self) -> T:
        while True:
            if (event := self._look()) is not None:
                return event
            if self._queue.closed:
                raise StopAsyncIteration
            await self._queue.news()

    async def next(self, timeout: float | None = None) -> T | None:
        """The next one, or None when the client was closed. Raises TimedOut; nothing is lost by that."""
        try:
            async with asyncio.timeout(timeout):
                return await anext(self)
        except StopAsyncIteration:
            return None
        except TimeoutError:
            raise TimedOut(f"Nothing came for {timeout:g} s.") from None

    def _look(self) -> T | None:
        queue = self._queue
        self.done = self.at
        queue.trim()
        events, base = queue.events, queue.base
        while self.at < base + len(events):
            event = events[self.at - base]
            self.at += 1
            queue.given = max(queue.given, self.at)
            if not isinstance(event, Passed) and (self._kind is None or isinstance(event, self._kind)):
                return cast(T, event)
            self.done = self.at
            if self.done - base >= 64:  # now and then: one by one would look at every stream each time
                queue.trim()
                base = queue.base
        queue.trim()
        return None


class Incoming:
    """The queue of what came, for one client's program. ``moved`` is called when the cursor has, ``again`` when the
    feed has to start anew behind it."""

    def __init__(self, cursor: Cursor, moved: Callable[[], None], again: Callable[[], None]) -> None:
        self.cursor = cursor
        self._moved, self._again = moved, again
        self.closed = False
        self.events: deque[object] = deque()
        self.base = self.given = 0  # place of the first event; place behind the last that any stream has given out
        self.room = asyncio.Event()  # set: there may be place again
        self._streams: WeakSet[Stream[object]] = WeakSet()
        self._wake = asyncio.Event()

    # -- for the program ---------------------------------------------------------------------------------------------

    def messages(self) -> Stream[m.Message]:
        """Messages of others (and of your other devices), each once, in order; ``async for`` over it.

        A message is confirmed to the server when the loop asks for the next one. Ends when the client is closed.
        """
        return cast("Stream[m.Message]", self._listen(m.Message))

    def all(self) -> Stream[object]:
        """Everything that happens: the server's events (tcpchat.model) and Online, Offline, SentChanged.

        Messages are among them; they are confirmed as with ``messages``. Ends when the client is closed.
        """
        return self._listen(None)

    def _listen(self, kind: type[m.Message] | None) -> Stream[object]:
        stream: Stream[object] = Stream(self, kind)
        stream.at = stream.done = max(self.base, self.given)
        self._streams.add(stream)
        if self.cursor.deaf:
            self.cursor.deaf = False
            self.cursor.rewind()
            self._again()
        return stream

    def confirm(self, seq: int) -> None:
        """Tell the server that this client has everything up to ``seq`` (streams do it by themselves)."""
        if seq > self.cursor.to_confirm:
            self.cursor.confirm(seq)
            self._moved()

    # -- the queue ---------------------------------------------------------------------------------------------------

    async def news(self) -> None:
        """Wait until something has come, or nothing will any more."""
        self._wake.clear()
        await self._wake.wait()

    def put(self, event: object) -> None:
        """Queue an event for the program."""
        if not self.cursor.deaf:
            self.events.append(event)
            self._wake.set()

    def end(self) -> None:
        """Nothing more will come."""
        self.closed = True
        self._wake.set()

    def trim(self) -> None:
        """What all streams are done with is taken."""
        done = min((stream.done for stream in self._streams), default=self.base)
        seq = 0
        while self.base < done and self.events:
            event = self.events.popleft()
            self.base += 1
            if isinstance(event, (*FEED, Passed)):
                seq = event.seq
        if seq:
            self._take(seq)
        if len(self.events) < QUEUE:
            self.room.set()

    def full(self) -> bool:
        """Must reading stop? A program that does not listen at all keeps nothing instead."""
        if len(self.events) < QUEUE or self.cursor.deaf:
            return False
        if self._streams:
            return True
        self.base += len(self.events)
        self.given = self.base
        self.events.clear()
        self.cursor.deaf = True
        return False

    def _take(self, seq: int) -> None:
        before = self.cursor.to_confirm
        self.cursor.take(seq)
        if self.cursor.to_confirm > before:
            self._moved()

    def pass_by(self, event: Passed) -> None:
        """An own message came by: its place counts as taken when all before it are."""
        if self.cursor.deaf:
            return
        if not self.events:
            self._take(event.seq)
        elif isinstance(last := self.events[-1], Passed) and self.base + len(self.events) > self.given:
            last.seq = event.seq
        else:
            self.put(event)

    def forget_from(self, seq: int) -> None:
        """The log has other entries from ``seq`` on than those that wait here. What waits stays a place in the queue,
        but must not be confirmed, for it would mean another message."""
        for place, event in enumerate(self.events):
            if isinstance(event, (*FEED, Passed)) and event.seq >= seq:
                self.events[place] = Passed(seq - 1)
