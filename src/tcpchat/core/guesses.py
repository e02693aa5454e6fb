"""What an address may do only so often: guess wrongly, and make new logins.

Wrong guesses of passwords and codes: an address may make a few, then waits longer and longer.

By address, not by login: whoever guesses at a login must not be able to lock its owner out. Not in the log: it is about
the present moment, and a restart forgets it.
"""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING, NamedTuple

from tcpchat.core.rules import Bucket

if TYPE_CHECKING:
    from tcpchat.core.feed import Session
    from tcpchat.core.rules import Limits

FREE = 5  # wrong guesses before an address has to wait
FIRST_SECONDS, MOST_SECONDS = 1.0, 300.0  # the wait doubles with every guess in between
FORGET_SECONDS = 600.0  # after so long without a wrong guess an address starts anew
ADDRESSES = 10_000  # remembered at most


class _Past(NamedTuple):
    wrong: int
    until: float
    last: float


class Guesses:
    """What every address has guessed wrongly lately."""

    def __init__(self, first: float = FIRST_SECONDS, most: float = MOST_SECONDS) -> None:
        self._first, self._most = first, most
        self._past: dict[str, _Past] = {}

    def wait(self, address: str, now: float) -> float:
        """Seconds until this address may guess again; 0 = now."""
        past = self._past.get(_network(address))
        return max(past.until - now, 0.0) if past is not None else 0.0

    def wrong(self, address: str, now: float) -> None:
        """It has guessed wrongly."""
        if not address:
            return  # in this process
        network = _network(address)
        past = self._past.pop(network, None)  # the newest stand last
        count = past.wrong + 1 if past is not None and now - past.last < FORGET_SECONDS else 1
        wait = min(self._first * 2 ** min(count - FREE, 30), self._most) if count >= FREE else 0.0
        self._past[network] = _Past(count, now + wait, now)
        if len(self._past) > ADDRESSES:
            del self._past[next(iter(self._past))]


class Newcomers:
    """How many new logins every address has made lately."""

    def __init__(self) -> None:
        self._buckets: dict[str, Bucket] = {}

    def wait(self, session: Session, limits: Limits, now: float) -> float:
        """Let one more in from this session's address: 0, or the seconds until it may come. This machine's own people
        and programs are not counted, nor is who has proved an account."""
        known = session.local or session.trusted or session.account is not None or not session.address
        if known or not limits.logins_per_minute:
            return 0.0
        network = _network(session.address)
        bucket = self._buckets.pop(network, None) or Bucket()  # the newest stand last
        self._buckets[network] = bucket
        if len(self._buckets) > ADDRESSES:
            del self._buckets[next(iter(self._buckets))]
        return bucket.take(now, limits.logins_per_minute / 60, limits.login_burst)


def _network(address: str) -> str:
    """The address, of IPv6 the /64: one customer has as many addresses there as there are."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    return str(IPv6Address(int(found) >> 64 << 64)) if found.version == 6 else address
