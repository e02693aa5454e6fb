"""What an address may do only so often: guess wrongly, and make new logins.

Wrong guesses of passwords and codes: whoever guesses at a login from an address may make a few, then waits longer and
longer. Counted by address *and* login: nobody can lock a login's owner out from elsewhere, nor a whole class behind one
router by guessing at one of them. An address that guesses at many logins waits too, but not for long.

Not in the log: it is about the present moment, and a restart forgets it.
"""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address
from typing import NamedTuple

from tcpchat.core.rules import OWNER, Bucket, Limits
from tcpchat.core.sessions import Session, User
from tcpchat.core.text import fold

FREE = 5  # wrong guesses at one login before the address has to wait
FIRST_SECONDS, MOST_SECONDS = 1.0, 300.0  # the wait doubles with every guess in between
FREE_IN_ALL = 100  # wrong guesses at any logins before an address has to wait for each: a class mistypes, too,
MOST_IN_ALL = 10.0  # and never so long that one of them could lock the others out
FORGET_SECONDS = 600.0  # after so long without a wrong guess an address starts anew
ADDRESSES = 10_000  # addresses with logins, and as many addresses, remembered at most


class _Past(NamedTuple):
    wrong: int
    until: float
    last: float


class _Table:
    """Wrong guesses by some key, the newest last."""

    def __init__(self, free: int, first: float, most: float) -> None:
        self._free, self._first, self._most = free, first, most
        self._past: dict[str, _Past] = {}

    def wait(self, key: str, now: float) -> float:
        past = self._past.get(key)
        return max(past.until - now, 0.0) if past is not None else 0.0

    def wrong(self, key: str, now: float) -> None:
        past = self._past.pop(key, None)
        count = past.wrong + 1 if past is not None and now - past.last < FORGET_SECONDS else 1
        wait = min(self._first * 2 ** min(count - self._free, 30), self._most) if count >= self._free else 0.0
        self._past[key] = _Past(count, now + wait, now)
        if len(self._past) > ADDRESSES:
            del self._past[next(iter(self._past))]

    def right(self, key: str) -> None:
        """One of them was none after all."""
        past = self._past.pop(key, None)
        if past is not None and past.wrong > 1:
            until = past.until if past.wrong > self._free else 0.0
            self._past[key] = _Past(past.wrong - 1, until, past.last)


class Guesses:
    """What every address has guessed wrongly lately."""

    def __init__(self, first: float = FIRST_SECONDS, most: float = MOST_SECONDS) -> None:
        self._at_one = _Table(FREE, first, most)
        self._in_all = _Table(FREE_IN_ALL, first, min(most, MOST_IN_ALL))
        self._flying: dict[str, int] = {}  # guesses that are being checked

    def wait(self, address: str, now: float, login: str = "") -> float:
        """Seconds until this address may guess (at this login) again; 0 = now."""
        network = _network(address)
        return max(self._at_one.wait(_pair(network, login), now), self._in_all.wait(network, now))

    def wrong(self, address: str, now: float, login: str = "") -> None:
        """It has guessed wrongly."""
        if not address:
            return  # in this process
        network = _network(address)
        self._at_one.wrong(_pair(network, login), now)
        self._in_all.wrong(network, now)

    def right(self, address: str, login: str = "") -> None:
        """Give back what ``begin`` has counted."""
        network = _network(address)
        self._at_one.right(_pair(network, login))
        self._in_all.right(network)

    def wait_of(self, session: Session, login: str, user: User | None, now: float) -> float:
        """``wait`` for this session. The owner of the place, on the server's own machine, is never locked out: there
        one guess at a time goes on."""
        wait = self.wait(session.address, now, login)
        at_home = session.local and user is not None and user.role == OWNER
        return wait if not at_home or self._flying.get(_pair(_network(session.address), login)) else 0.0

    def begin(self, session: Session, login: str, user: User | None, now: float) -> float:
        """Count a guess as wrong when it is asked, so that many at once are no more than many one by one: 0, or the
        seconds until it may be asked."""
        if wait := self.wait_of(session, login, user, now):
            return wait
        session.guess, pair = login, _pair(_network(session.address), login)
        self._flying[pair] = self._flying.get(pair, 0) + 1
        self.wrong(session.address, now, login)
        return 0.0

    def end(self, session: Session, right: bool) -> None:
        """What was begun by this session is known: ``right``, or nothing is known, or it stays counted."""
        login, session.guess = session.guess, None
        if login is None:
            return
        pair = _pair(_network(session.address), login)
        if (left := self._flying.pop(pair, 1) - 1) > 0:
            self._flying[pair] = left
        if right:
            self.right(session.address, login)


def _pair(network: str, login: str) -> str:
    return f"{network} {fold(login)}"


class Newcomers:
    """What every address has made lately: new logins, rooms of guests, and what guests have left in the log."""

    def __init__(self) -> None:
        self._logins: dict[str, Bucket] = {}
        self._rooms: dict[str, Bucket] = {}
        self._stored: dict[str, Bucket] = {}

    def wait(self, session: Session, limits: Limits, now: float) -> float:
        """Let one more in from this session's address: 0, or the seconds until it may come. This machine's own people
        and programs are not counted, nor is who has proved an account."""
        if not limits.logins_per_minute or session.account is not None or not _counts(session):
            return 0.0
        return _bucket(self._logins, session).take(now, limits.logins_per_minute / 60, limits.login_burst)

    def wait_for_room(self, session: Session, limits: Limits, now: float) -> float:
        """The same for one more room, of a guest."""
        user = session.user
        known = session.account is not None or (user is not None and user.claimed)
        if not limits.guest_rooms_per_hour or known or not _counts(session):
            return 0.0
        return _bucket(self._rooms, session).take(now, limits.guest_rooms_per_hour / 3_600, limits.guest_rooms_per_hour)

    def stored(self, session: Session) -> Bucket | None:
        """Of bytes that guests of this address leave in the log; None for this machine's own."""
        return _bucket(self._stored, session) if _counts(session) else None


def _counts(session: Session) -> bool:
    return not (session.local or session.trusted or not session.address)


def _bucket(table: dict[str, Bucket], session: Session) -> Bucket:
    network = _network(session.address)
    bucket = table.pop(network, None) or Bucket()
    table[network] = bucket  # the newest stand last
    if len(table) > ADDRESSES:
        del table[next(iter(table))]
    return bucket


def _network(address: str) -> str:
    """The address, of IPv6 the /64: one customer has as many addresses there as there are."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    return str(IPv6Address(int(found) >> 64 << 64)) if found.version == 6 else address
