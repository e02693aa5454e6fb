"""Requests whose body or answer is too long to be held in memory."""

from __future__ import annotations

from collections.abc import Callable

from tcpchat.doors import nothing


class Exchange:
    """One request of HTTP and its answer, piece by piece: the whole body comes first, then the answer is asked for.

    ``status`` and ``headers`` may be set until ``end``. An answer without Content-Length is sent in chunks.
    """

    status: int = 200
    headers: tuple[tuple[str, str], ...] = (("Content-Type", "application/octet-stream"),)
    busy: bool = False  # cannot take more of the body just now; call ``wake`` when it can
    wake: Callable[[], None] = staticmethod(nothing)  # of the door: ``busy`` is over, or ``produce`` has something

    def body(self, data: bytes) -> None:
        """The next piece of the body, at most 64 KiB."""

    def end(self) -> None:
        """The body is whole."""

    def produce(self) -> bytes | None:
        """The next piece of the answer, some ten KiB; b"" = none just now (``wake``), None = the answer is whole."""
        return None

    def closed(self) -> None:
        """The peer has gone before the answer was whole."""
