"""The ordered log: what happened, in order, durable."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from tcpchat.core.model import Append, Entry, Keep, Query, Result


class LogError(Exception):
    """The log cannot be used; the text says why and what to do."""


class LogUnavailable(LogError):
    """A write failed (disk full, I/O error). Nothing of the batch is in the log; writing may work again later."""


class LogLost(LogError):
    """The log must not be used any more by this process: somebody else writes to the file, the file is gone, or the
    disk does not say what of the last batch it holds. Nobody may be told what became of that batch: the next start
    reads it from the disk, and the senders' numbers tell them."""


class Lineage(NamedTuple):
    """A name for what a log holds. Two logs that have a lineage in common agree in all entries of it that both have."""

    id: str  # 128 random bits as 32 hexadecimal digits
    since: int  # entries with a greater seq belong to it; those up to here are shared with the lineage before it


class Log(Protocol):
    """The chat's memory. Single writer; all methods are called on the event loop's thread."""

    head: int  # last seq that is durable
    on_lost: Callable[[LogError], None] | None  # called once when the log finds between two appends that it is lost

    async def open(self) -> tuple[int, bytes | None, list[tuple[int, str, int, int]]]:
        """Open or make the log. Returns (seq, state) of the last snapshot (0, None without one) and the cursors kept
        as (user, place, seq, at). Raises LogError."""
        ...

    def lineages(self) -> tuple[Lineage, ...]:
        """Whose entries these are, oldest first; the last one is what is appended to. Known once the log is open.

        A new log has one, with a random id. A copy that is written to, and a log that went back in time, has one more:
        a cursor behind its ``since`` that was given out under an older id means other entries than those here."""
        ...

    async def new_lineage(self, since: int | None = None) -> Lineage:
        """Begin a new lineage behind ``since`` (the head, without one): somebody proved that this log once had entries
        that it has no longer. Durable when it returns. Raises LogUnavailable."""
        ...

    async def replay(self, after: int, take: Callable[[list[Entry]], None]) -> None:
        """Hand all entries behind ``after`` to ``take``, in order, in pages."""
        ...

    async def append(self, batch: Sequence[Append], at: int) -> list[Entry]:
        """Give each fact the next seq and make them durable together. One call at a time (the driver gathers what
        comes meanwhile). Raises LogUnavailable: then none of the batch is there, nor will it be after a restart.
        Raises LogLost: then it may or may not be there.

        The log may keep what it returns; the driver takes the ``origin`` off once an entry is applied."""
        ...

    def keep(self, cursors: Sequence[Keep]) -> None:
        """Remember cursors (merged by max; one whose seq is FORGOTTEN goes); they become durable soon, those with a
        ``session`` with the next append."""
        ...

    async def sync(self) -> None:
        """Make the cursors durable that were to be remembered. Raises LogUnavailable: some may not be."""
        ...

    async def ask(self, query: Query) -> Result:
        """Answer a question, also about the newest entries."""
        ...

    async def snapshot(self, seq: int, state: bytes) -> None:
        """Keep the chat's state as of ``seq``, so that a start need not replay from 1."""
        ...

    async def close(self) -> None:
        """Write what is left and close. Idempotent."""
        ...
