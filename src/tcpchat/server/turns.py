"""Turns: how much of one connection is handled before the others are, and how much of it in a second.

What a peer sends is handled in pieces of a few KiB. One who has said more waits in a line, unread meanwhile, so what
it costs in memory is one read. Only what leaves a trace in the log is counted by the chat (messages, joins, cursors);
all else that a line, frame or request makes the server do is counted here, before the hello too. Who has done much of
that waits in a second line, which gets a small part of the time however many stand in it; who has done too much of it
is not read for a while.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import Protocol

READ_MAX = 65_536  # bytes of one read: all that is kept of what a peer said and has not been handled
LINES_MAX = 128  # lines of one piece, about: the shortest commands cost the most for each byte
TURN_SECONDS = 0.002  # of the loop's time for those who have sent much at once, then the others' sockets are looked at
SLOW_SECONDS = 0.001  # of the loop's time for those who make work that is counted nowhere else ...
SLOW_REST = 4  # ... and so many times as long nothing for them: a fifth of the time, however many they are
FREE = 64  # pieces of work that are done at once: more than a client makes that somebody looks at
BYTES_A_UNIT = 4_096  # bytes without anything that is kept are one more piece of work: so long reading them takes


class Speaker(Protocol):
    """A connection, as far as turns must know it."""

    closed: bool
    closing: bool
    queued: bool  # it stands in a line
    spent: float  # work that it has made and nobody else counts ...
    spent_at: float  # ... by then

    @property
    def waits_for_turn(self) -> bool:
        """Does nothing but its turn keep what waits from being handled?"""
        ...

    def pause(self, why: str) -> None:
        """Read nothing more from it for now."""

    def unpause(self, why: str) -> None:
        """This is no reason any more."""

    def turn(self) -> None:
        """Handle a piece of what waits."""

    def bug(self) -> None:
        """Handle the present exception: a fault of ours."""


class Turns:
    """The lines of those who have said more than could be handled at once.

    ``rate``: pieces of work (a line, a frame; ten for an HTTP request) a second that a connection may make and the
    chat does not count, sustained, 0 = any; ``burst``: those that may come at once.
    """

    def __init__(self, rate: float, burst: int) -> None:
        self.rate, self.burst = rate, burst
        self._loop = asyncio.get_running_loop()
        self._line: deque[Speaker] = deque()
        self._slow: deque[Speaker] = deque()
        self._due = self._slow_due = False
        self._resting: set[Speaker] = set()

    def wait(self, peer: Speaker) -> None:
        """This peer has said more: let others by first."""
        peer.pause("turn")
        self.join(peer)

    def join(self, peer: Speaker) -> None:
        """It has more to say; nothing else holds it back now."""
        if peer.queued or peer.closing or not peer.waits_for_turn:
            return
        peer.queued = True
        if peer.spent > FREE:
            self._slow.append(peer)
            if not self._slow_due:
                self._slow_due = True
                self._loop.call_later(SLOW_SECONDS * SLOW_REST, self._run_slow)
        else:
            self._line.append(peer)
            if not self._due:
                self._due = True
                self._loop.call_soon(self._run)

    def _run(self) -> None:
        self._serve(self._line, TURN_SECONDS)
        self._due = bool(self._line)
        if self._due:
            self._loop.call_soon(self._run)

    def _run_slow(self) -> None:
        took = self._serve(self._slow, SLOW_SECONDS)
        self._slow_due = bool(self._slow)
        if self._slow_due:
            self._loop.call_later(max(took, SLOW_SECONDS) * SLOW_REST, self._run_slow)

    def _serve(self, line: deque[Speaker], seconds: float) -> float:
        """Turns until so much time has passed; how much it was."""
        begun, took = time.perf_counter(), 0.0
        while line and took < seconds:
            peer = line.popleft()
            peer.queued = False
            try:
                peer.turn()
            except Exception:
                peer.bug()
            self.join(peer)
            took = time.perf_counter() - begun
        return took

    # -- what a peer makes the server do -----------------------------------------------------------------------------

    def charge(self, peer: Speaker, units: int, now: float) -> None:
        """Count work; who has made too much of it is not read until it is forgotten. Less than 0: some was counted
        that the chat counts."""
        if not self.rate:
            return
        peer.spent = max(0.0, peer.spent - (now - peer.spent_at) * self.rate) + units
        peer.spent_at = now
        if peer.spent < 0:
            peer.spent = 0.0
        elif peer.spent > self.burst:
            peer.pause("rate")
            self._resting.add(peer)

    def tick(self, now: float) -> None:
        """Ten times a second: read those again whose work is forgotten."""
        for peer in [one for one in self._resting if self._rested(one, now)]:
            self._resting.discard(peer)
            peer.unpause("rate")

    def _rested(self, peer: Speaker, now: float) -> bool:
        if peer.closed:
            return True
        elapsed = now - peer.spent_at
        if elapsed < 0:  # the clock was set back
            peer.spent_at, elapsed = now, 0.0
        return peer.spent - elapsed * self.rate <= self.burst


def cut(data: bytes, most: int) -> int:
    """How many of these bytes make a piece: fewer when they are many short lines."""
    if len(data) <= most and len(data) <= LINES_MAX:
        return len(data)
    lines = data.count(b"\n", 0, most)
    return most if lines <= LINES_MAX else most * LINES_MAX // lines
