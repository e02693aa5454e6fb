"""A Peer and its connection under asyncio: bytes leave at the end of a turn, timers fire, the outbox is saved late."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tcpchat.client.errors import ChatError, ConnectionFailed, OutboxError
from tcpchat.client.outbox import Outbox
from tcpchat.client.peer import Peer
from tcpchat.core import model as m

logger = logging.getLogger("tcpchat.client")

SAVE_SECONDS = 0.5  # the cursor and what is settled go into the outbox file this late; the server knows both


class Link:
    """Drives one peer. ``take`` is given what the peer tells when time has passed, and may raise ChatError."""

    def __init__(self, peer: Peer, outbox: Outbox, take: Callable[[list[Any]], None]) -> None:
        self.peer, self.outbox, self._take = peer, outbox, take
        self.closed = False
        self.error: ChatError | None = None  # what ended it
        self.failure: ChatError | None = None  # why this connection was cut from here
        self._writer: asyncio.StreamWriter | None = None
        self._flush_due = False
        self._timer: asyncio.TimerHandle | None = None
        self._saving: asyncio.TimerHandle | None = None

    @property
    def connected(self) -> bool:
        """Is there a connection?"""
        return self._writer is not None

    def begin(self, writer: asyncio.StreamWriter, fingerprint: str, private: bool) -> None:
        """A connection is open: say hello on it; see Peer.connected."""
        self._writer, self.failure = writer, None
        self.peer.connected(now(), fingerprint=fingerprint, private=private)
        self.flush()

    def lost(self) -> None:
        """The connection is gone."""
        self._writer = None
        self.peer.lost()

    def receive(self, data: bytes) -> None:
        """Bytes have come. Raises what ends the connection."""
        self._take(self.peer.receive(data, now()))
        self.flush()

    def send(self, command: m.Command) -> None:
        """Send a command with the next bytes."""
        self.peer.send(command)
        self.soon()

    def soon(self) -> None:
        """Write what waits at the end of this turn of the loop."""
        if not self._flush_due:
            self._flush_due = True
            asyncio.get_running_loop().call_soon(self.flush)

    def flush(self) -> None:
        """Write what waits."""
        self._flush_due = False
        if self._writer is not None and (data := self.peer.data_to_send()):
            self._writer.write(data)
        self._arm()

    def _arm(self) -> None:
        """Wake up for the peer in time; too early does no harm, so that a timer is seldom moved."""
        when = self.peer.next_timer
        if when is None or self.closed or (self._timer is not None and self._timer.when() <= when):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_at(when, self._tick)

    def _tick(self) -> None:
        self._timer = None
        try:
            self._take(self.peer.tick(now()))
        except ChatError as error:
            self.failure = error
            if self._writer is not None:
                self._writer.transport.abort()
        self.flush()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Nothing is read meanwhile; see Peer.pause."""
        self.peer.pause(now())
        try:
            yield
        finally:
            self.peer.resume(now())

    def hang_up(self) -> bool:
        """Close the connection, so that a new one is begun. Returns whether there was one."""
        if self._writer is None:
            return False
        self._writer.close()
        return True

    def save_soon(self) -> None:
        """Commit the outbox before long."""
        if self._saving is None and self.outbox.durable:
            self._saving = asyncio.get_running_loop().call_later(SAVE_SECONDS, self._save)

    def _save(self) -> None:
        self._saving = None
        try:
            self.outbox.save()
        except OutboxError as error:
            logger.warning("! %s", error)

    def end(self, error: ChatError | None) -> None:
        """Nothing more will be sent or heard."""
        self.closed, self.error = True, self.error or error
        for timer in (self._timer, self._saving):
            if timer is not None:
                timer.cancel()
        self._timer = self._saving = None

    def over(self) -> ChatError:
        """The error for whoever wants something of a client that is closed."""
        return self.error or ConnectionFailed("This client is closed.")


def now() -> float:
    """The loop's clock, seconds."""
    return asyncio.get_running_loop().time()
