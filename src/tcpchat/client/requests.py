"""Questions and requests: one command, one answer."""

from __future__ import annotations

import asyncio
import time
from typing import Any, cast

import msgspec

from tcpchat.client.errors import ConnectionFailed, Refused, TimedOut
from tcpchat.client.link import Link
from tcpchat.core import model as m

ANSWER_SECONDS = 30.0


class Requests:
    """What a client has asked, and whose answers are to come."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._answers: dict[int, asyncio.Future[m.AnyEvent]] = {}
        self._ref = 0

    async def command(self, command: m.Command, timeout: float = ANSWER_SECONDS) -> m.AnyEvent:
        """Send a command that has a ref, wait at most ``timeout`` seconds, and return its answer.

        Raises:
            Refused: the server did not do it; ``code`` says why.
            TimedOut: there was no answer in time.
            ConnectionFailed: there is no connection now, or it was lost before the answer came (then the command may
                have been carried out or not).
        """
        link = self._link
        if not link.peer.online:
            raise link.error or ConnectionFailed("There is no connection to the server now.")
        self._ref += 1
        ref = self._ref
        future: asyncio.Future[m.AnyEvent] = asyncio.get_running_loop().create_future()
        self._answers[ref] = future
        link.send(msgspec.structs.replace(command, ref=ref))
        try:
            async with asyncio.timeout(timeout):
                event = await future
        except TimeoutError:
            raise TimedOut(f"No answer after {timeout:g} s.") from None
        finally:
            self._answers.pop(ref, None)
        if isinstance(event, m.Refused):
            raise Refused(event.code, event.text, event.after, event.about)
        return event

    def answered(self, event: Any) -> bool:
        """Give an answer to who waits for it. Returns whether anybody did."""
        ref = getattr(event, "ref", 0)
        waiting = self._answers.pop(ref, None) if ref and isinstance(ref, int) else None
        if waiting is not None and not waiting.done():
            waiting.set_result(event)
        return waiting is not None

    def lost(self, why: str) -> None:
        """The connection is gone, and with it the answers that were to come."""
        for waiting in self._answers.values():
            if not waiting.done():
                waiting.set_exception(ConnectionFailed(why))
        self._answers.clear()

    async def history(
        self, to: str, before: int = 0, after: int = 0, around: int = 0, at: int = 0, limit: int = 50,
        events: bool = False,
    ) -> m.Page:  # fmt: skip
        """A page of one conversation, oldest first: the newest ``limit`` messages, or those before or after a seq, or
        around a seq or a time (``at``, ms since the epoch); with ``events`` also joins, topics and the like.

        Raises: as ``command``; Refused "not_member", "no_such_room" or "no_such_login" for what cannot be read.
        """
        asked = m.History(to, before, after, around, at, 0, limit, events)
        return cast(m.Page, await self.command(asked))

    async def search(
        self, words: str, to: str = "", by: str = "", since: int = 0, before: int = 0, limit: int = 20
    ) -> m.Page:
        """Messages that hold the words, newest first: in one conversation, of one author, not older than ``since`` (ms
        since the epoch), before the seq ``before``; at most ``limit``.

        Raises: as ``command``.
        """
        return cast(m.Page, await self.command(m.Search(words, to, by, since, 0, before, limit)))

    async def who(self, to: str = "", all: bool = False) -> tuple[m.Person, ...]:
        """Who is online; with ``to`` the members of a room, or one login; ``all`` adds those who are not online.

        Raises: as ``command``.
        """
        return cast(m.People, await self.command(m.Who(to, all))).people

    async def rooms(self, all: bool = False) -> tuple[m.RoomInfo, ...]:
        """Own conversations with unread counts; ``all`` adds public rooms.

        Raises: as ``command``.
        """
        return cast(m.RoomList, await self.command(m.Rooms(all))).rooms

    async def receipts(self, seq: int) -> m.ReceiptList:
        """Who has the message with this seq, who has read it, whom it waits for.

        Raises: as ``command``; Refused for a message of somebody else.
        """
        return cast(m.ReceiptList, await self.command(m.Receipts(seq)))

    async def status_now(self) -> m.State:
        """The server's state, asked for now; the seconds that it took are ``latency`` from then on.

        Raises: as ``command``.
        """
        start = time.monotonic()
        state = cast(m.State, await self.command(m.Status()))
        self._link.peer.latency = time.monotonic() - start
        return state

    async def join(self, room: str, key: str = "", invite_only: bool = False) -> None:
        """Enter a room, or make it (then ``key`` is asked of those who come, and ``invite_only`` keeps others out);
        being in it already is no error.

        Raises: as ``command``; Refused "wrong_key", "invite_only", "banned", ... for a room that one may not enter.
        """
        try:
            await self.command(m.Join(room, key, invite_only))
        except Refused as error:
            if error.code != "already_member":
                raise

    async def leave(self, room: str, why: str = "") -> None:
        """Leave a room.

        Raises: as ``command``.
        """
        await self.command(m.Leave(room, why))

    async def topic(self, room: str, text: str) -> None:
        """Set a room's topic.

        Raises: as ``command``.
        """
        await self.command(m.Topic(room, text))

    async def invite(self, room: str, login: str) -> None:
        """Invite a login into a room.

        Raises: as ``command``.
        """
        await self.command(m.Invite(room, login))

    async def kick(self, room: str, login: str, why: str = "") -> None:
        """Remove a login from a room one operates.

        Raises: as ``command``.
        """
        await self.command(m.Kick(room, login, why))

    async def edit(self, seq: int, text: str) -> None:
        """Give an own message another text.

        Raises: as ``command``.
        """
        await self.command(m.Edit(seq, text))

    async def remove(self, seq: int, why: str = "") -> None:
        """Take an own message back.

        Raises: as ``command``.
        """
        await self.command(m.Remove(seq, why))

    async def rename(self, login: str) -> None:
        """Take another login; history stays.

        Raises: as ``command``.
        """
        await self.command(m.Rename(login))

    async def set(self, key: str, value: str) -> None:
        """Set a lasting preference: "receipts" = "off", "name", ...

        Raises: as ``command``.
        """
        await self.command(m.Set(key, value))

    async def away(self, why: str = "") -> None:
        """Say that one is away; without a reason: back.

        Raises: as ``command``.
        """
        await self.command(m.Away(why))
