"""Sent: the handle of one message, from the outbox to read."""

from __future__ import annotations

import asyncio

from tcpchat.client.errors import ChatError, ConnectionFailed, TimedOut, Unknown
from tcpchat.client.record import Item

ORDER = {"pending": 0, "accepted": 1, "delivered": 2, "read": 3}


class Sent(Item):
    """A message on its way. ``state`` is pending, accepted, delivered, read, failed, or unknown; ``seq`` its place once
    accepted. Unknown: it left, and the server has forgotten this device's numbers, so that nobody can tell whether it
    was accepted; it is not sent again by itself (see Client.resend).

    In a room, delivered means that every other member has it (``have`` of ``of`` meanwhile). A message that the server
    could not take yet stays pending, ``reason`` says why.
    """

    def __init__(
        self, to: str, text: str, re: int = 0, kind: str = "text", tags: dict[str, str] | None = None, at: int = 0
    ) -> None:
        super().__init__(to, text, re, kind, tags, at)
        self.state = "pending"
        self.reason = ""  # why it waits or has failed
        self.error: ChatError | None = None
        self.have = self.of = 0
        self._over = False  # the client has ended; nothing more will be heard of it
        self._waiting: dict[asyncio.Future[None], int] = {}

    def __repr__(self) -> str:
        return f"<Sent {self.to} {self.state} seq={self.seq}>"

    def delayed(self, why: str) -> None:
        """It could not be taken yet."""
        self.reason = why

    async def accepted(self, timeout: float | None = None) -> Sent:
        """Wait until the message is durable on the server, at most ``timeout`` seconds (None: for ever).

        Raises:
            Refused: the server will not take it; ``code`` says why.
            Unknown: the time or the client ended before it was known.
            Lost: it was accepted, and the server was set back to before it.
        """
        return await self.reached("accepted", timeout)

    async def delivered(self, timeout: float | None = None) -> Sent:
        """Wait until the recipient's client (every other member's, in a room) has it, at most ``timeout`` seconds.

        Raises:
            TimedOut: it is accepted, and not delivered in time; it stays on the server and will be.
            ConnectionFailed: the client was closed meanwhile.
            Refused, Unknown, Lost: as ``accepted``.
        """
        return await self.reached("delivered", timeout)

    async def read(self, timeout: float | None = None) -> Sent:
        """Wait until it was read (by every other member, in a room), at most ``timeout`` seconds.

        Raises: as ``delivered``.
        """
        return await self.reached("read", timeout)

    async def reached(self, state: str, timeout: float | None = None) -> Sent:
        """Wait for a state by name ("accepted", "delivered", "read"), at most ``timeout`` seconds.

        Raises: as ``delivered``; KeyError for another name.
        """
        goal = ORDER[state]
        if self.error is not None:
            raise self.error
        if ORDER.get(self.state, 0) >= goal:
            return self
        if self._over:
            raise self._ended()
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[future] = goal
        try:
            async with asyncio.timeout(timeout):
                await future
        except TimeoutError:
            if self.state == "pending":
                why = f" ({self.reason})" if self.reason else ""
                text = f"The message to {self.to} is not known to be accepted after {timeout:g} s{why}."
                raise Unknown(text, self.n) from None
            raise TimedOut(f"The message to {self.to} is {self.state}, not {state}, after {timeout:g} s.") from None
        finally:
            self._waiting.pop(future, None)
        return self

    def advance(self, state: str) -> bool:
        """The message has got further (never back); wakes who waits. Returns whether that was news."""
        if ORDER.get(state, 0) <= ORDER.get(self.state, 0) or self.error is not None:
            return False
        self.state, self.reason = state, ""
        for future, goal in self._waiting.items():
            if goal <= ORDER[state] and not future.done():
                future.set_result(None)
        return True

    def fail(self, error: ChatError) -> None:
        """The message will not get further."""
        self.state, self.error, self.reason = "failed", error, str(error)
        self._wake(error)

    def doubt(self) -> None:
        """It will never be known whether it was accepted."""
        text = "It is not known whether the message was accepted: the server has forgotten this device's numbers."
        self.left, self.error, self.reason = True, Unknown(text, max(self.n, 0)), text
        self.state = "unknown"
        self._wake(self.error)

    def abandon(self) -> None:
        """The client has ended. The state stays what was last known."""
        self._over = True
        if self.state == "pending":
            self.error = Unknown("The client was closed before the message was known to be accepted.", self.n)
        if ORDER.get(self.state, 3) < ORDER["read"]:
            self._wake(self._ended())

    def _ended(self) -> ChatError:
        return self.error or ConnectionFailed(f"The client was closed when the message was {self.state}.")

    def _wake(self, error: ChatError) -> None:
        for future in self._waiting:
            if not future.done():
                future.set_exception(error)
