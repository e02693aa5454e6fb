"""Devices and their numbering: what makes a repeat safe, and for how long.

A device numbers its messages 1, 2, 3, ...; the chat remembers each one's last number, and the places of the last few.
It does so by time, for a client may come back and repeat after days, and forgets in log order, so that every restart
forgets the same. Who forgets says so: ``State.forgot`` is the last place of a message whose number may be unknown, and
a client that has something in doubt from before it knows that it cannot know.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from typing import TYPE_CHECKING

from tcpchat.core.rules import WINDOW, Limits

if TYPE_CHECKING:
    from tcpchat.core.sessions import Session

SILENT = 200  # devices of one login that said nothing numbered and are remembered all the same, for their cursors
GUEST_DEVICES = 200  # devices of one guest that number; a guest is one browser, or one program
DEPARTED = 10_000  # devices of guests that are gone whose numbering is remembered, about 5 MB
LOOK = 64  # one in so many new numberings looks for those that are too old: looking goes through all of them

Record = tuple[str, int, tuple[int, ...], int]  # a device in a snapshot: name, last number, places, when it spoke last


class Device:
    """One device's numbering: the last number, and the places of the last 64."""

    __slots__ = ("at", "cursor", "last", "only", "proposed", "ring", "session")

    def __init__(self, last: int = 0) -> None:
        self.last = self.proposed = last
        self.cursor = 0  # what this device has confirmed
        self.at = 0  # ms, when it said something numbered last
        self.only = 0  # the place of its only number: most devices of `tcpchat send --id` have one, and no ring
        self.ring: array[int] | None = None
        self.session: Session | None = None

    @property
    def unanswered(self) -> bool:
        """Is a number on its way to the log?"""
        return self.proposed > self.last

    def note(self, n: int, seq: int, at: int = 0) -> None:
        """Number ``n`` is in the log, at this place since this moment."""
        ring, self.at = self.ring, at
        if ring is None:
            if not self.last:
                self.only = seq
                self.last = n
                self.proposed = max(self.proposed, n)
                return
            ring = self.ring = array("Q", bytes(8 * WINDOW))
            ring[self.last % WINDOW] = self.only
        ring[n % WINDOW] = seq
        self.last = n  # numbers come one by one: what a failed batch left behind is never appended
        if self.proposed < n:
            self.proposed = n

    def place(self, n: int) -> int:
        """The seq that number ``n`` got; 0 when it is older than what is remembered."""
        if self.ring is None:
            return self.only if n == self.last else 0
        return self.ring[n % WINDOW] if self.last - WINDOW < n <= self.last else 0

    def recent(self) -> tuple[int, ...]:
        """The places of the last numbers."""
        return tuple(self.place(n) for n in range(max(1, self.last - WINDOW + 1), self.last + 1))

    def record(self, name: str) -> Record:
        """As a snapshot holds it."""
        return name, self.last, self.recent(), self.at

    @classmethod
    def of(cls, record: Record) -> Device:
        """From a snapshot."""
        _, last, places, at = record
        device = cls()
        for n, seq in enumerate(places, last - len(places) + 1):
            device.note(n, seq, at)
        device.last = device.proposed = last
        return device


def family(device: str) -> str:
    """Devices of one browser share what is before the first dot: two windows of one guest are one guest."""
    return device.partition(".")[0]


class Departed:
    """Numberings of guests that are gone: whoever comes back as the same guest on the same device goes on with them."""

    def __init__(self) -> None:
        self.guests: dict[str, dict[str, Device]] = {}  # folded login -> its devices, those who went first in front
        self.count = 0

    def add(self, fold: str, devices: dict[str, Device]) -> None:
        """A guest is gone, with these devices."""
        numbered = {name: device for name, device in devices.items() if device.last}
        if not numbered:
            return
        for device in numbered.values():
            device.cursor, device.session = 0, None  # whoever comes back is somebody new, and only goes on counting
        known = self.guests.pop(fold, {})
        self.guests[fold] = {**known, **numbered}
        self.count += len(self.guests[fold]) - len(known)

    def back(self, fold: str, device: str) -> dict[str, Device]:
        """A guest of this name comes on this device: the numberings of its family of devices."""
        known = self.guests.get(fold)
        if known is None:
            return {}
        found = {name: one for name, one in known.items() if family(name) == family(device)}
        for name in found:
            del known[name]
        if not known:
            del self.guests[fold]
        self.count -= len(found)
        return found

    def forget(self, before: int, most: int) -> int:
        """Forget who spoke last before that moment, and the first ones when there are too many; the last place of a
        message whose number is forgotten with them."""
        forgot = 0
        for fold, devices in list(self.guests.items()):
            if self.count <= most and max(device.at for device in devices.values()) >= before:
                break
            forgot = max(forgot, last_place(devices.values()))
            self.count -= len(devices)
            del self.guests[fold]
        return forgot

    def records(self) -> list[tuple[str, list[Record]]]:
        """As a snapshot holds them, in their order."""
        return [(fold, [one.record(name) for name, one in devices.items()]) for fold, devices in self.guests.items()]

    def load(self, records: Iterable[tuple[str, list[Record]]]) -> None:
        """From a snapshot."""
        for fold, devices in records:
            self.guests[fold] = {record[0]: Device.of(record) for record in devices}
            self.count += len(devices)


def numberings(claimed: bool, limits: Limits) -> int:
    """How many devices of one login may number their messages; more are refused until one is old enough."""
    return limits.numbered_devices if claimed else GUEST_DEVICES


def numbers_ms(limits: Limits) -> int:
    """For how long a device's numbers are remembered behind its last message."""
    return int(limits.numbers_days * 86_400_000)


def too_many(devices: dict[str, Device], numbered: int, claimed: bool, at: int, limits: Limits) -> bool:
    """May no further device of this login begin to number? The oldest makes room once it is old enough."""
    if numbered < numberings(claimed, limits):
        return False
    return min(one.at for one in devices.values() if one.last) >= at - numbers_ms(limits)


def last_place(devices: Iterable[Device]) -> int:
    """The place of the last message of any of them."""
    return max((device.place(device.last) for device in devices), default=0)
