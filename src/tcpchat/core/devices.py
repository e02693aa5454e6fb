"""Devices and their numbering: what makes a repeat safe, and for how long.

A device numbers its messages 1, 2, 3, ...; the chat remembers each one's last number, and the places of the last few.
It does so by time, for a client may come back and repeat after days, and forgets in log order, so that every restart
forgets the same. Who forgets says so: ``State.forgot`` is the last place of a message whose number may be unknown, and
a client that has something in doubt from before it knows that it cannot know.
"""

from __future__ import annotations

from collections.abc import Iterable

from tcpchat.core.rules import Limits
from tcpchat.core.sessions import Device, Record

GUEST_DEVICES = 200  # devices of one guest that number; a guest is one browser, or one program
DEPARTED = 10_000  # devices of guests that are gone whose numbering is remembered, about 5 MB
LOOK = 64  # one in so many new numberings looks for those that are too old: looking goes through all of them


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
