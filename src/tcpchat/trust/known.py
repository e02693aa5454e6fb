"""Known servers: which key each showed first, as ssh keeps known_hosts.

One line per server: ``HOST:PORT SHA256:... DATE``. A line with ``system`` in the place of the fingerprint is a server
whose certificate the operating system trusts: its key may change, but plain connections are refused all the same.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tcpchat.core.text import normal_text
from tcpchat.trust.fingerprint import is_fingerprint

SYSTEM = "system"
HEAD = "# Servers that are trusted (tcpchat trust list|show|add|forget).\n"
LOCK_TRIES, LOCK_SECONDS = 100, 0.02  # an editing process holds the file for a millisecond


class KnownError(Exception):
    """The file of known servers cannot be read or written; the text says why."""


class KnownNotKept(KnownError):
    """It can be read (or is not there), but not written."""


class Server(NamedTuple):
    """One line."""

    address: str
    fingerprint: str  # or "system"
    since: str


def address(host: str, port: int) -> str:
    """A server as the file names it."""
    name = host.rstrip(".").casefold()
    return f"[{name}]:{port}" if ":" in name else f"{name}:{port}"


class Known:
    """The file; every call reads it afresh, since other processes write it too."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def all(self) -> list[Server]:
        """Every known server. Raises KnownError."""
        try:
            self.path.stat()
        except OSError:  # not there, or in another account's home
            return []
        try:
            text = normal_text(self.path.read_bytes().decode())
        except FileNotFoundError:
            return []
        except (OSError, UnicodeDecodeError) as error:
            raise KnownError(f"{self.path} cannot be read: {error}") from None
        found = []
        for number, line in enumerate(text.splitlines(), 1):
            parts = line.split()
            if not parts or parts[0].startswith("#"):
                continue
            if len(parts) < 2 or not (parts[1] == SYSTEM or is_fingerprint(parts[1])):
                # Passing over a damaged line would mean to trust anybody there.
                raise KnownError(f"{self.path}, line {number} is damaged; correct it or delete it.")
            found.append(Server(parts[0], parts[1], parts[2] if len(parts) > 2 else ""))
        return found

    def find(self, host: str, port: int) -> str:
        """The trusted fingerprint, "system", or "" for a server that is not known. Raises KnownError."""
        wanted = address(host, port)
        return next((server.fingerprint for server in self.all() if server.address == wanted), "")

    def add(self, host: str, port: int, fingerprint: str) -> None:
        """Trust this key for this server from now on. Raises KnownError."""
        where = address(host, port)
        line = Server(where, fingerprint, time.strftime("%Y-%m-%d"))
        with self._locked():
            self._write([*(server for server in self.all() if server.address != where), line])

    def forget(self, host: str, port: int = 0) -> list[Server]:
        """Forget a server (without a port: all on this host); what was forgotten. Raises KnownError."""
        where = address(host, port)
        every = where.rpartition(":")[0]

        def meant(server: Server) -> bool:
            return server.address == where if port else server.address.rpartition(":")[0] == every

        with self._locked():
            servers = self.all()
            gone = [server for server in servers if meant(server)]
            if gone:
                self._write([server for server in servers if not meant(server)])
        return gone

    def _write(self, servers: list[Server]) -> None:
        lines = [f"{one.address} {one.fingerprint} {one.since}".rstrip() + "\n" for one in servers]
        try:
            handle, made = tempfile.mkstemp(dir=self.path.parent, prefix=".known-")
            try:
                with os.fdopen(handle, "w", encoding="utf-8") as out:
                    out.write(HEAD + "".join(lines))
                    out.flush()
                    os.fsync(out.fileno())
                os.replace(made, self.path)
            finally:
                Path(made).unlink(missing_ok=True)
        except OSError as error:
            raise KnownNotKept(f"{self.path} cannot be written: {error.strerror}") from None

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Only one process edits at a time; a lock that nobody gives back is broken after two seconds."""
        lock = self.path.with_name(self.path.name + ".lock")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            for _ in range(LOCK_TRIES):
                try:
                    os.close(os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
                    break
                except FileExistsError:
                    time.sleep(LOCK_SECONDS)
        except OSError as error:
            raise KnownNotKept(f"{self.path} cannot be written: {error.strerror}") from None
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)
