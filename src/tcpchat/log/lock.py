"""One process per data folder: a lock that the system drops with the process, kill -9 included."""

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

    def take(self) -> None:
        """Raises LogError when another process has it (named by its id where it can be read)."""
        try:
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise LogError(
                f"{self.path.parent} cannot be written ({error.strerror}). Choose another with --data."
            ) from None
        try:
            _lock(self._file)
        except OSError:
            holder = os.read(self._file, 32).decode("ascii", "replace").strip() or "unknown"
            os.close(self._file)
            self._file = None
            raise LogError(
                f"{self.path.parent} is in use by another tcpchat (process {holder})."
                " Stop it, or choose another --data."
            ) from None
        os.ftruncate(self._file, 0)
        os.write(self._file, f"{os.getpid()}\n".encode())

    def release(self) -> None:
        """Idempotent."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


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
