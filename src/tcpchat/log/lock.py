"""One process per data folder: locks that the system drops with the process, kill -9 included.

The lock on the file beside the log names its holder; it can be deleted, and it says nothing of other names of the log.
On Linux the log's file itself is locked too, which both survive: flock there has nothing to do with the record locks
that SQLite takes. (Elsewhere it may be one kind of lock, and SQLite would wait for it.)
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tcpchat.log import LogError


class FolderLock:
    """An exclusive lock on a file beside the log, with the holder's process id inside."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: int | None = None
        self._log: int | None = None

    def take(self) -> None:
        """Raises LogError when another process has it (named by its id where it can be read)."""
        try:
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise LogError(
                f"{self.path} cannot be written ({error.strerror}). Move it away, or choose another folder with --data."
            ) from None
        try:
            _lock(self._file)
        except OSError:
            holder = os.read(self._file, 32).decode("ascii", "replace").strip() or "unknown"
            os.close(self._file)
            self._file = None
            raise LogError(self._in_use(f"process {holder}")) from None
        os.ftruncate(self._file, 0)
        os.write(self._file, f"{os.getpid()}\n".encode())

    def take_log(self, path: Path) -> bool:
        """Lock the log's file too, under whatever name. To be kept until nothing of it is open any more.

        False where that cannot be done. Raises LogError, OSError."""
        if sys.platform != "linux":
            return False
        self._log = os.open(path, os.O_RDONLY)
        try:
            _lock(self._log)
        except BlockingIOError:
            raise LogError(self._in_use("it has the file open, perhaps by another name")) from None
        except OSError:
            return False  # a file system without locks: a place that is taken shows the other one, see Store.append
        return True

    def _in_use(self, by: str) -> str:
        return f"{self.path.parent} is in use by another tcpchat ({by}). Stop it, or choose another --data."

    def release(self) -> None:
        """Idempotent."""
        for file in (self._log, self._file):
            if file is not None:
                os.close(file)
        self._log = self._file = None


if sys.platform == "win32":
    import msvcrt

    def _lock(file: int) -> None:
        os.lseek(file, 1024, os.SEEK_SET)  # behind the text, which stays readable
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        os.lseek(file, 0, os.SEEK_SET)

else:
    import fcntl

    def _lock(file: int) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
