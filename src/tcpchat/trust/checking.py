"""Checking and making credentials beside the chat's loop: a password costs what it costs, but never the loop.

Passwords (argon2, tens of milliseconds) have a process of their own (passwords.py) and a queue with an end; signatures
(a tenth of a millisecond) have a thread, so that nobody with a key waits behind passwords that are being guessed.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from tcpchat.core.model import Check
from tcpchat.trust import keys, passwords

WAITING_MAX = 128  # passwords in all; the last of them waits a few seconds
SHARE_MAX = 64  # of them from one address, so that there is always room for others


class Queue:
    """Passwords that wait, and whose turn it is: one of each address after the other, so that nobody waits behind all
    that one address has asked for."""

    def __init__(self) -> None:
        self._waiting: dict[str, deque[asyncio.Event]] = {}  # by address, the one whose turn is next first
        self._here: dict[str, int] = {}  # those who wait or have their turn, by address
        self._busy = False

    def enter(self, address: str) -> bool:
        """Is there room for one more of this address? Then call ``leave`` when it is through."""
        here = self._here.get(address, 0)
        if here >= SHARE_MAX or sum(self._here.values()) >= WAITING_MAX:
            return False
        self._here[address] = here + 1
        return True

    def leave(self, address: str) -> None:
        """One of this address less."""
        if (here := self._here.pop(address) - 1) > 0:
            self._here[address] = here

    async def turn(self, address: str) -> None:
        """Wait until it is this one's turn; call ``done`` behind it."""
        if not self._busy:
            self._busy = True
            return
        event = asyncio.Event()
        self._waiting.setdefault(address, deque()).append(event)
        try:
            await event.wait()
        except asyncio.CancelledError:
            if event.is_set():
                self.done()
            elif event in (own := self._waiting.get(address, deque())):
                own.remove(event)
                if not own:
                    del self._waiting[address]
            raise

    def done(self) -> None:
        """The next one."""
        if not self._waiting:
            self._busy = False
            return
        address, own = next(iter(self._waiting.items()))
        del self._waiting[address]
        own.popleft().set()
        if own:
            self._waiting[address] = own  # behind all others


class Checker:
    """The helpers of one server."""

    def __init__(self) -> None:
        self._passwords: ThreadPoolExecutor | None = None  # one thread: it asks the process and waits
        self._worker = passwords.Worker()
        self._keys: ThreadPoolExecutor | None = None
        self._queue = Queue()

    async def check(self, check: Check) -> str | None:
        """What was found: "ok" or "" for a credential, a new hash; None = too many wait, nothing is known."""
        if check.what == "key":
            self._keys = self._keys or ThreadPoolExecutor(1, "tcpchat-keys")
            return await _run(self._keys, signature, check)
        address = check.session.address
        if not self._queue.enter(address):
            return None
        self._passwords = self._passwords or ThreadPoolExecutor(1, "tcpchat-passwords")
        try:
            await self._queue.turn(address)
            try:
                return await _run(self._passwords, self._password, check)
            finally:
                self._queue.done()
        finally:
            self._queue.leave(address)

    def _password(self, check: Check) -> str:
        return self._worker.ask(check.what, check.secret, check.against)

    def close(self) -> None:
        """End the helpers; what waits is not checked any more."""
        self._worker.close()
        if self._passwords is not None:
            self._passwords.shutdown(wait=True, cancel_futures=True)
        self._worker.join()
        if self._keys is not None:
            self._keys.shutdown(wait=False, cancel_futures=True)


async def _run(pool: ThreadPoolExecutor, work: Callable[[Check], str], check: Check) -> str:
    return await asyncio.get_running_loop().run_in_executor(pool, work, check)


def signature(check: Check) -> str:
    """Does the signature fit the key?"""
    return "ok" if keys.verify(check.against, check.text, check.secret) else ""
