"""Hearing: what comes is kept in order for the program, each thing once, and confirmed when the program has taken it.

All streams of a client look at one queue, each from a place of its own; what every one of them is done with leaves the
queue, and only that is confirmed. A full queue stops the reading from the socket: nothing is dropped, the server waits.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import Generic, TypeVar, cast
from weakref import WeakSet

from tcpchat.client.errors import TimedOut
from tcpchat.client.events import SentChanged, SetBack
from tcpchat.client.part import Part
from tcpchat.core import model as m
from tcpchat.core.text import fold

QUEUE = 10_000  # events a program may leave untaken before reading stops
OWN = 100_000  # own messages that are recognized when they come back with the feed

T = TypeVar("T")
FEED = (m.Message, m.Amended, m.RoomEvent)


class Passed:
    """An own message came by: its place in the feed, nothing for the program."""

    __slots__ = ("seq",)

    def __init__(self, seq: int) -> None:
        self.seq = seq


class Stream(AsyncIterator[T], Generic[T]):
    """What a program hears, in order. Asking for the next one tells that the last one is done with.

    A stream hears what comes after it was made, the first one also what came before. Breaking out of the loop is fine:
    the next stream goes on where it ended.
    """

    def __init__(self, hearing: Hearing, kind: type[T] | None) -> None:
        self._hearing, self._kind = hearing, kind
        self.at = self.done = 0  # places in the queue: what is looked at next, what is done with

    def __aiter__(self) -> Stream[T]:
        return self

    async def __anext__(self) -> T:
        while True:
            if (event := self._look()) is not None:
                return event
            if self._hearing.state == "closed":
                raise StopAsyncIteration
            await self._hearing._news()

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
        hearing = self._hearing
        self.done = self.at
        hearing._trim()
        events, base = hearing._events, hearing._base
        while self.at < base + len(events):
            event = events[self.at - base]
            self.at += 1
            hearing._given = max(hearing._given, self.at)
            if not isinstance(event, Passed) and (self._kind is None or isinstance(event, self._kind)):
                return cast(T, event)
            self.done = self.at
            if self.done - base >= 64:  # now and then: one by one would look at every stream each time
                hearing._trim()
                base = hearing._base
        hearing._trim()
        return None


class Hearing(Part):
    """The part of Client that owns the queue of what came, and the cursor."""

    def __init__(self, after: int | None) -> None:
        self._after = after  # what the program asked for
        self._started = False
        self._taken = self._seen = 0  # last seq of the feed that the program is done with; that is queued
        self._to_confirm = self._confirmed = 0
        self._events: deque[object] = deque()
        self._base = self._given = 0  # place of the first event; place behind the last that any stream has given out
        self._streams: WeakSet[Stream[object]] = WeakSet()
        self._wake = asyncio.Event()
        self._room = asyncio.Event()
        self._overrun = False  # nobody listens and the queue is full: nothing is kept
        self._own: dict[int, None] = dict.fromkeys(self._outbox.own)
        self._names: set[str] = set()
        self.set_back: SetBack | None = None  # the last time that the server's log was found to be another one

    def is_me(self, login: str) -> bool:
        """Is this the own login (or one that this client has had)?"""
        return fold(login) == fold(self.login) or fold(login) in self._names

    # -- for the program ---------------------------------------------------------------------------------------------

    def messages(self) -> Stream[m.Message]:
        """Messages of others (and of your other devices), each once, in order; ``async for`` over it.

        A message is confirmed to the server when the loop asks for the next one. Ends when the client is closed.
        """
        return cast("Stream[m.Message]", self._listen(m.Message))

    def events(self) -> Stream[object]:
        """Everything that happens: the server's events (tcpchat.model) and Online, Offline, SentChanged.

        Messages are among them; they are confirmed as with ``messages``. Ends when the client is closed.
        """
        return self._listen(None)

    def _listen(self, kind: type[m.Message] | None) -> Stream[object]:
        stream: Stream[object] = Stream(self, kind)
        stream.at = stream.done = max(self._base, self._given)
        self._streams.add(stream)
        if self._overrun:
            self._overrun = False
            self._seen = self._taken
            self._hang_up()  # the feed starts again behind what was taken
        return stream

    def confirm(self, seq: int) -> None:
        """Tell the server that this client has everything up to ``seq`` (streams do it by themselves)."""
        if seq > self._to_confirm:
            self._to_confirm = seq
            self._outbox.keep_cursor(seq)
            self._save_soon()
            if self.online:
                self._soon()

    # -- the queue ---------------------------------------------------------------------------------------------------

    async def _news(self) -> None:
        self._wake.clear()
        await self._wake.wait()

    def _put(self, event: object) -> None:
        if not self._overrun:
            self._events.append(event)
            self._wake.set()

    def _trim(self) -> None:
        """What all streams are done with is taken."""
        done = min((stream.done for stream in self._streams), default=self._base)
        seq = 0
        while self._base < done and self._events:
            event = self._events.popleft()
            self._base += 1
            if isinstance(event, (*FEED, Passed)):
                seq = event.seq
        if seq:
            self._take_up_to(seq)
        if len(self._events) < QUEUE:
            self._room.set()

    def _full(self) -> bool:
        """Must reading stop? A program that does not listen at all keeps nothing instead."""
        if len(self._events) < QUEUE or self._overrun:
            return False
        if self._streams:
            return True
        self._base += len(self._events)
        self._given = self._base
        self._events.clear()
        self._overrun = True
        return False

    def _take_up_to(self, seq: int) -> None:
        if seq > self._taken:
            self._taken = seq
            while self._own and (first := next(iter(self._own))) <= seq:
                del self._own[first]
            self.confirm(seq)

    # -- the feed ----------------------------------------------------------------------------------------------------

    def _behind(self) -> int | None:
        """Where the feed is to start, for Hello."""
        return self._taken if self._started else self._after

    def _known(self) -> int:
        """The highest seq of its log that this client has ever been told of."""
        return max(self._taken, self._seen, self._outbox.cursor or 0, self._outbox.head, *self._own)

    def _begin_feed(self, event: m.Welcome, asked: int | None) -> None:
        self._names.add(fold(event.login))
        self._confirmed = asked or 0
        # Its log is shorter than what we asked for: restored, or made anew. Not compared with what is taken, because
        # the program may have taken more since the question left.
        set_back = asked is not None and event.after < asked
        lost = event.lost or (event.after + 1 if set_back and not event.log else 0)
        if lost and self._known() >= lost:
            self._set_back(lost)
        if lost == 1 and asked is not None and asked >= 0:
            set_back = True  # another log altogether: where its feed starts has nothing to do with what was asked
        if not self._started or set_back:
            if self._started:
                self._own.clear()
            self._taken = self._seen = event.after
            self._to_confirm = self._confirmed = event.after
            if set_back or (self._outbox.cursor is not None and self._outbox.cursor > event.head):
                self._outbox.cursor = None
            self._outbox.keep_cursor(event.after)
            self._save_soon()
        self._started = True

    def _set_back(self, lost: int) -> None:
        """The log has other entries from ``lost`` on than those that were heard: forget those, and tell the program.

        What waits in the queue stays a place in it, but must not be confirmed, for it would mean another message."""
        last = lost - 1
        for place, event in enumerate(self._events):
            if isinstance(event, (*FEED, Passed)) and event.seq > last:
                self._events[place] = Passed(last)
        self._taken, self._seen = min(self._taken, last), min(self._seen, last)
        self._to_confirm = min(self._to_confirm, last)
        if self._outbox.cursor is not None:
            self._outbox.cursor = min(self._outbox.cursor, last)
        self._own = {seq: None for seq in self._own if seq <= last}
        gone = self._lose(lost)
        self.set_back = SetBack(lost, last == 0, tuple(gone))
        self._put(self.set_back)
        for sent in gone:
            self._put(SentChanged(sent))

    def _on_feed(self, event: m.Message | m.Amended | m.RoomEvent) -> None:
        if event.seq <= self._seen:
            return
        if not self._overrun:
            self._seen = event.seq
        if isinstance(event, m.Message) and event.seq in self._own and self.is_me(event.by):
            self._pass_by(event.seq)
        else:
            self._put(event)

    def _pass_by(self, seq: int) -> None:
        if self._overrun:
            return
        if not self._events:
            self._take_up_to(seq)
        elif isinstance(last := self._events[-1], Passed) and self._base + len(self._events) > self._given:
            last.seq = seq
        else:
            self._put(Passed(seq))

    def _is_own(self, seq: int) -> None:
        """This message went out from here: it is not shown when the feed brings it back."""
        if seq > self._taken:
            self._own[seq] = None
            if len(self._own) > OWN:
                del self._own[next(iter(self._own))]
