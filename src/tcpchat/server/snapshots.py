"""Snapshots: when the state of the chat is saved, so that a start need not read the whole log."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from tcpchat.server.clock import TICKS_PER_SECOND

if TYPE_CHECKING:
    from tcpchat.config import Config
    from tcpchat.core.chat import Chat
    from tcpchat.log import Log

logger = logging.getLogger("tcpchat.server")


class Snapshots:
    """The snapshots of one chat in its log. ``seq``: the entry that the newest one holds."""

    def __init__(self, chat: Chat, log: Log, seq: int) -> None:
        self.seq = seq
        self._chat, self._log = chat, log
        self._tick = self._last_tick = 0
        self._task: asyncio.Task[None] | None = None

    def consider(self, ticks: int, config: Config, idle: bool) -> None:
        """Take one if there is enough new for it, or if something is and the server has nothing else to do."""
        self._tick = ticks
        new = self._log.head - self.seq
        waited = (ticks - self._last_tick) / TICKS_PER_SECOND >= config.snapshot_seconds
        if self._task is None and (new >= config.snapshot_entries or (new > 0 and waited and idle)):
            self._task = asyncio.get_running_loop().create_task(self._take(), name="snapshot")
            self._task.add_done_callback(self._done)

    async def _take(self) -> None:
        seq, state = self._chat.snapshot()
        await self._log.snapshot(seq, state)
        self.seq = seq

    def _done(self, task: asyncio.Task[None]) -> None:
        self._task = None
        self._last_tick = self._tick
        if not task.cancelled() and task.exception() is not None:
            logger.error("! no snapshot: %s", task.exception())

    async def finish(self) -> None:
        """Wait for the one that is being taken."""
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)

    async def last(self) -> None:
        """The server stops: save what is new."""
        if self._log.head > self.seq:
            try:
                await self._take()
            except Exception:  # the next start replays the entries instead
                logger.exception("! no snapshot")
