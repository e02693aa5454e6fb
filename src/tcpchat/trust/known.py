"""Known servers: which key each showed first, as ssh keeps known_hosts.

One line per server: ``HOST:PORT SHA256:... DATE``. A line with ``system`` in the place of the fingerprint is a server
whose certificate the operating system trusts: its key may change, but plain connections are refused all the same.

A line ``#id HOST:PORT ID DATE KEY...`` says which id a server had when logins were proved there, and by which keys
(``fingerprint.of_key`` of each): without TLS, and on this machine, that is all there is to know a server by. To older
programs it is a comment.
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
ID, NAMELESS = "#id", "-"
KEYS_MAX = 64  # kept of one server: a person has a few logins
LOCK_TRIES, LOCK_SECONDS = 100, 0.02  # an editing process holds the file for a millisecond


class KnownError(Exception):
    """The file of known servers cannot be read or written; the text says why."""


class KnownNotKept(KnownError):
    """It can be read (or is not there), but not written."""


class Met(NamedTuple):
    """One server where a key was used."""

    address: str
    id: str  # NAMELESS for one that names none
    since: str
    keys: tuple[str, ...]


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
        found = []
        for number, line in enumerate(self._lines(), 1):
            parts = line.split()
            if not parts or parts[0].startswith("#"):
                continue
            if len(parts) < 2 or not (parts[1] == SYSTEM or is_fingerprint(parts[1])):
                # Passing over a damaged line would mean to trust anybody there.
                raise KnownError(f"{self.path}, line {number} is damaged; correct it or delete it.")
            found.append(Server(parts[0], parts[1], parts[2] if len(parts) > 2 else ""))
        return found

    def met(self) -> list[Met]:
        """Every server where a key was used. Raises KnownError."""
        lines = [parts for line in self._lines() if (parts := line.split())[:1] == [ID] and len(parts) >= 4]
        return [Met(where, name, since, tuple(keys)) for _, where, name, since, *keys in lines]

    def meet(self, where: str, name: str, key: str) -> None:
        """This key is used at the server at this address, which calls itself so. Raises KnownError."""
        before = next((one for one in self.met() if one.address == where), None)
        if before is not None and before.id == name and key in before.keys:
            return
        with self._locked():
            met = {one.address: one for one in self.met()}
            old = met.pop(where, Met(where, name, "", ()))
            keys = (*(one for one in old.keys if one != key), key)[-KEYS_MAX:]
            since = old.since if old.since and old.id == name else time.strftime("%Y-%m-%d")
            self._write(self.all(), [*met.values(), Met(where, name, since, keys)])

    def _lines(self) -> list[str]:
        try:
            self.path.stat()
        except OSError:  # not there, or in another account's home
            return []
        try:
            return normal_text(self.path.read_bytes().decode()).splitlines()
        except FileNotFoundError:
            return []
        except (OSError, UnicodeDecodeError) as error:
            raise KnownError(f"{self.path} cannot be read: {error}") from None

    def find(self, host: str, port: int) -> str:
        """The trusted fingerprint, "system", or "" for a server that is not known. Raises KnownError."""
        wanted = address(host, port)
        return next((server.fingerprint for server in self.all() if server.address == wanted), "")

    def add(self, host: str, port: int, fingerprint: str) -> None:
        """Trust this key for this server from now on. Raises KnownError."""
        where = address(host, port)
        line = Server(where, fingerprint, time.strftime("%Y-%m-%d"))
        with self._locked():
            self._write([*(server for server in self.all() if server.address != where), line], self.met())

    def forget(self, host: str, port: int = 0) -> list[Server]:
        """Forget a server (without a port: all on this host); what was forgotten. Raises KnownError."""
        where = address(host, port)
        every = where.rpartition(":")[0]

        def meant(server: Server | Met) -> bool:
            return server.address == where if port else server.address.rpartition(":")[0] == every

        with self._locked():
            servers = self.all()
            met = self.met()
            gone = [server for server in servers if meant(server)]
            nameless = [Server(one.address, one.id, one.since) for one in met if meant(one)]
            if gone or nameless:
                rest = [server for server in servers if not meant(server)]
                self._write(rest, [one for one in met if not meant(one)])
        return gone or nameless

    def _write(self, servers: list[Server], met: list[Met]) -> None:
        lines = [f"{one.address} {one.fingerprint} {one.since}".rstrip() + "\n" for one in servers]
        lines += [" ".join((ID, one.address, one.id, one.since, *one.keys)) + "\n" for one in met]
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
