"""Ports for servers that are stopped and started again, each given to one test at a time on this machine."""

from __future__ import annotations

import random
import socket
import tempfile
from pathlib import Path
from typing import IO

try:
    import fcntl
except ImportError:  # Windows: the probe alone
    fcntl = None  # type: ignore[assignment]

FIRST, LAST = 20_000, 32_000  # below those that Linux gives to connections (ip_local_port_range)
_held: list[IO[bytes]] = []  # locks, kept until this process ends


def free_port() -> int:
    """A port that stays free while nobody listens on it: the system gives none of these to connections, and no
    other process that asks here gets it while this one lives."""
    while True:
        port = random.randrange(FIRST, LAST)
        if _locked(port) and _unused(port):
            return port


def _locked(port: int) -> bool:
    if fcntl is None:
        return True
    lock = open(Path(tempfile.gettempdir()) / f"tcpchat-test-port-{port}", "ab")  # noqa: SIM115 # held on purpose
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        return False
    _held.append(lock)
    return True


def _unused(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
