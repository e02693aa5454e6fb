"""Checking and making credentials, in threads: a password costs what it costs, but never the chat's loop.

Passwords (argon2, tens of milliseconds) have two threads of low priority and a queue with an end; signatures (a tenth
of a millisecond) have a thread of their own, so that nobody with a key waits behind passwords that are being guessed.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TYPE_CHECKING

from tcpchat.core import scram
from tcpchat.core.model import Check
from tcpchat.trust import keys

if TYPE_CHECKING:
    import argon2

logger = logging.getLogger("tcpchat.trust")

THREADS = 2
WAITING_MAX = 128  # passwords in all; the last of them waits about two seconds
NICE = 19  # the chat's loop goes first
# OWASP's second choice for argon2id: 19 MiB, so that two at once cost no small machine its memory.
TIME_COST, MEMORY_KIB, PARALLELISM = 2, 19_456, 1


class Checker:
    """The threads of one server."""

    def __init__(self) -> None:
        self._passwords: ThreadPoolExecutor | None = None
        self._keys: ThreadPoolExecutor | None = None
        self._waiting = 0

    async def check(self, check: Check) -> str | None:
        """What was found: "ok" or "" for a credential, a new hash; None = too many wait, nothing is known."""
        if check.what == "key":
            self._keys = self._keys or ThreadPoolExecutor(1, "tcpchat-keys")
            return await _run(self._keys, signature, check)
        if self._waiting >= WAITING_MAX:
            return None
        self._passwords = self._passwords or ThreadPoolExecutor(THREADS, "tcpchat-passwords", _go_last)
        self._waiting += 1
        try:
            return await _run(self._passwords, password, check)
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """End the threads; what waits is not checked any more."""
        for pool in (self._passwords, self._keys):
            if pool is not None:
                pool.shutdown(wait=False, cancel_futures=True)


async def _run(pool: ThreadPoolExecutor, work: Callable[[Check], str], check: Check) -> str:
    return await asyncio.get_running_loop().run_in_executor(pool, work, check)


def _go_last() -> None:
    """On Linux a thread has a priority of its own; elsewhere this one has that of all."""
    if hasattr(os, "setpriority") and hasattr(threading, "get_native_id") and os.uname().sysname == "Linux":
        try:
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
        except OSError:
            pass  # a comfort, not a need


def signature(check: Check) -> str:
    """Does the signature fit the key?"""
    return "ok" if keys.verify(check.against, check.text, check.secret) else ""


def password(check: Check) -> str:
    """Check a password, or make the hash of a new one. "" means that it does not fit."""
    try:
        if check.what == "hash":
            return hasher().hash(check.secret) + " " + scram.verifier(check.secret, os.urandom(16))
        against = check.against.partition(" ")[0]  # what follows is for SCRAM
        # Nobody shall learn from the time taken whether a login has a password.
        fits = hasher().verify(against or _nobodys(), check.secret)
        return "ok" if fits and against else ""
    except Exception as error:  # a malformed hash is a wrong one
        logger.debug("! %s check: %s", check.what, type(error).__name__)
        return ""


@cache
def hasher() -> argon2.PasswordHasher:
    """Argon2id as it is used here."""
    import argon2

    return argon2.PasswordHasher(time_cost=TIME_COST, memory_cost=MEMORY_KIB, parallelism=PARALLELISM)


@cache
def _nobodys() -> str:
    return hasher().hash(os.urandom(16))
