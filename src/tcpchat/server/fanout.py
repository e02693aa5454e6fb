"""Fan-out: what one audience gets of a batch, encoded once per dialect and joined once.

An event that cannot be encoded is a fault of ours, and it stays alone: it is left out, loudly, and those who should
have had it are told what stands behind it from the log (see ``Parcel.stop``).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING

from tcpchat.core.model import AnyEvent, Entry, FanOut, Said

if TYPE_CHECKING:
    from tcpchat.core.sessions import Session

logger = logging.getLogger("tcpchat.server")

Encode = Callable[[AnyEvent], bytes | None]
EVERYTHING = 1 << 62  # a place behind all events of a batch


class Parcel:
    """What one audience gets of a batch in one dialect: encoded once, joined once."""

    __slots__ = ("ends", "joined", "last", "own", "pieces", "places", "stop")

    def __init__(self, members: list[tuple[int, FanOut]], encode: Encode) -> None:
        self.places = members
        self.stop = EVERYTHING  # the place of the first kept event that could not be encoded
        try:
            self.pieces = pieces = [encode(fan.event) for _, fan in members]
        except Exception:
            self.pieces = pieces = self._one_by_one(encode)
        self.own: dict[Session | None, list[int]] = {}  # whose pieces these are: they are not told them
        own, last = self.own, 0
        for index, (_, fan) in enumerate(members):
            skip, seq = fan.skip, getattr(fan.event, "seq", 0)
            if skip in own:
                own[skip].append(index)
            else:
                own[skip] = [index]
            if seq > last:
                last = seq
        self.last = last
        self.joined = None if None in pieces else b"".join(pieces)  # type: ignore[arg-type]
        self.ends: list[int] = []  # where the pieces end in ``joined``, once somebody needs it

    def _one_by_one(self, encode: Encode) -> list[bytes | None]:
        """Some of these cannot be encoded: leave those out, and note where the first of them stands."""
        pieces: list[bytes | None] = []
        for place, fan in self.places:
            try:
                pieces.append(encode(fan.event))
            except Exception:
                faulty(fan.event)
                pieces.append(b"")
                if getattr(fan.event, "seq", 0):
                    self.stop = min(self.stop, place)
        return pieces

    def without(self, session: Session) -> list[memoryview]:
        """What is joined, but for a session's own pieces: in parts, nothing is copied for one receiver."""
        assert self.joined is not None
        if not self.ends:
            self.ends = list(accumulate(map(len, self.pieces)))  # type: ignore[arg-type]
        whole, start = memoryview(self.joined), 0
        rest: list[memoryview] = []
        for index in self.own[session]:
            end = self._before(self._late() if self.places[index][1].late else index)
            if end > start:
                rest.append(whole[start:end])
            start = self.ends[index]
        if start < len(whole):
            rest.append(whole[start:])
        return rest

    def _late(self) -> int:
        """Where those begin that have waited to be told together."""
        return next(index for index, (_, fan) in enumerate(self.places) if fan.late)

    def _before(self, index: int) -> int:
        return self.ends[index - 1] if index else 0


def faulty(event: object) -> None:
    """Say which event could not be told, with the exception that is being handled."""
    seq = getattr(event, "seq", 0)
    logger.exception("! a fault of this server: %s of entry %d could not be told", type(event).__name__, seq)


def runs(entries: list[Entry]) -> Iterator[tuple[list[Entry], bool]]:
    """Split a batch into runs of messages and single other facts.

    Facts other than messages may change who hears what; applying them one by one keeps an audience as it was at
    the entry: who leaves behind a message still gets it, who joins behind it does not.
    """
    start = 0
    for place, entry in enumerate(entries):
        if type(entry.fact) is not Said:
            if start < place:
                yield entries[start:place], True
            yield [entry], False
            start = place + 1
    if start < len(entries):
        yield (entries[start:] if start else entries), True


def take(session: Session, parcels: Sequence[Parcel], stop: int = EVERYTHING) -> None:
    """Give one session its own selection: several audiences in the order of the log, without what it said itself, up
    to the place ``stop``; of what stands behind that only what is kept nowhere."""
    if len(parcels) == 1 and parcels[0].joined is not None and stop == EVERYTHING:
        only = parcels[0]  # the usual case: somebody of one busy room, without the own words
        for others in only.without(session):
            session.carrier.share(others, only.last)
        return
    own: list[tuple[int, bytes | None, FanOut]] = []
    mine = (one.places[index] for one in parcels for index in one.own.get(session, ()))
    came = max((place for place, fan in mine if fan.late), default=-1)
    for parcel in parcels:
        own += [
            (place, piece, fan)
            for (place, fan), piece in zip(parcel.places, parcel.pieces, strict=True)
            if fan.skip is not session
            and (place > came or not fan.late)
            and (place < stop or not getattr(fan.event, "seq", 0))
        ]
    if len(parcels) > 1:
        own.sort(key=lambda item: item[0])
    carrier = session.carrier
    for _, piece, fan in own:
        if piece is None:
            carrier.tell(fan.event)
        else:
            carrier.share(piece, getattr(fan.event, "seq", 0))
