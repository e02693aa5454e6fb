"""Checking passwords and making their hashes, in a process of its own with the lowest priority.

A hash takes tens of milliseconds on purpose. In a thread it would share the interpreter's lock with the chat: a thread
of low priority that is hardly ever run holds that lock all the time, one of usual priority takes half of a small
machine. ``python -m tcpchat.trust.passwords`` reads a JSON list a line and answers with a string a line; secrets go
through its pipes and never onto a command line.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import subprocess
import sys
from functools import cache
from typing import IO, TYPE_CHECKING

from tcpchat.core import scram

if TYPE_CHECKING:
    import argon2

logger = logging.getLogger("tcpchat.trust")

MAKING = ("hash", "argon", "raise", "lower")
NICE = 19  # the chat goes first
# OWASP's second choice for argon2id: 19 MiB, little even for a small machine.
TIME_COST, MEMORY_KIB, PARALLELISM = 2, 19_456, 1


def work(what: str, secret: str, against: str) -> str:
    """Check a password ("ok" or ""), or make a hash ("" when that fails): see tcpchat.core.effects.Check."""
    try:
        known = against.partition(" ")[0]  # what follows is for SCRAM
        if what in MAKING:
            made = known if what in ("raise", "lower") else hasher().hash(secret)
            return made + (" " + scram.verifier(secret, os.urandom(16)) if what in ("hash", "raise") else "")
        # Nobody shall learn from the time taken whether a login has a password.
        fits = hasher().verify(known or _nobodys(), secret)
        return "ok" if fits and known else ""
    except Exception as error:  # a malformed hash is a wrong one
        logger.debug("! %s check: %s", what, type(error).__name__)
        return ""


@cache
def hasher() -> argon2.PasswordHasher:
    """Argon2id as it is used here."""
    import argon2

    return argon2.PasswordHasher(time_cost=TIME_COST, memory_cost=MEMORY_KIB, parallelism=PARALLELISM)


@cache
def _nobodys() -> str:
    return hasher().hash(os.urandom(16))


class Worker:
    """The process, started when it is needed for the first time. For one thread at a time, but for ``close``."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._closed = False

    def ask(self, what: str, secret: str, against: str) -> str:
        """See ``work``. Blocks. Where no process can be had it is done here."""
        line = json.dumps([what, secret, against]).encode() + b"\n"
        for _ in range(2):  # a process that has died meanwhile gets a successor
            if self._closed:
                return ""
            try:
                answer = self._exchange(line)
            except OSError as error:
                logger.debug("! the process for passwords: %s", error)
                answer = b""
            if answer.endswith(b"\n"):
                return str(json.loads(answer))
            self._end()
        return "" if self._closed else work(what, secret, against)

    def _exchange(self, line: bytes) -> bytes:
        process = self._process = self._process or start()
        stdin, stdout = pipes(process)
        stdin.write(line)
        stdin.flush()
        return stdout.readline()

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            for pipe in pipes(process):
                with contextlib.suppress(OSError):
                    pipe.close()
            process.wait()

    def close(self) -> None:
        """End the process; what is being checked comes out as wrong. From any thread."""
        self._closed = True
        if (process := self._process) is not None:
            process.kill()

    def join(self) -> None:
        """Clear away what ``close`` has ended, in the thread that asks."""
        self._end()


def start() -> subprocess.Popen[bytes]:
    """Start the process. Raises OSError."""
    if not sys.executable:
        raise OSError("no interpreter to start")
    command = [sys.executable, "-P", "-m", "tcpchat.trust.passwords"]  # -P: nothing of the folder it is started in
    flags = getattr(subprocess, "BELOW_NORMAL_PRIORITY_CLASS", 0)  # Windows
    # A session of its own: Ctrl+C in the terminal is for the server, which ends this process when nobody waits for it.
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        creationflags=flags,
        start_new_session=os.name == "posix",
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )


def pipes(process: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes]]:
    """Its standard input and output."""
    assert process.stdin is not None
    assert process.stdout is not None
    return process.stdin, process.stdout


def main() -> None:
    """Answer until the other side has gone."""
    if hasattr(os, "nice"):
        os.nice(NICE)
    for line in sys.stdin.buffer:
        what, secret, against = json.loads(line)
        sys.stdout.buffer.write(json.dumps(work(what, secret, against)).encode() + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
