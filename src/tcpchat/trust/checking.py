"""Checking and making credentials beside the chat's loop: a password costs what it costs, but never the loop.

Passwords (argon2, tens of milliseconds) have a process of their own (passwords.py) and a queue with an end; signatures
(a tenth of a millisecond) have a thread, so that nobody with a key waits behind passwords that are being guessed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from tcpchat.core.model import Check
from tcpchat.trust import keys, passwords

WAITING_MAX = 128  # passwords in all; the last of them waits a few seconds


class Checker:
    """The helpers of one server."""

    def __init__(self) -> None:
        self._passwords: ThreadPoolExecutor | None = None  # one thread: it asks the process and waits
        self._worker = passwords.Worker()
        self._keys: ThreadPoolExecutor | None = None
        self._waiting = 0

    async def check(self, check: Check) -> str | None:
        """What was found: "ok" or "" for a credential, a new hash; None = too many wait, nothing is known."""
        if check.what == "key":
            self._keys = self._keys or ThreadPoolExecutor(1, "tcpchat-keys")
            return await _run(self._keys, signature, check)
        if self._waiting >= WAITING_MAX:
            return None
        self._passwords = self._passwords or ThreadPoolExecutor(1, "tcpchat-passwords")
        self._waiting += 1
        try:
            return await _run(self._passwords, self._password, check)
        finally:
            self._waiting -= 1

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
