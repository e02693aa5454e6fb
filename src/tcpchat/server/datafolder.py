"""The data folder: private from the start, and the name of every file in it that cannot be used."""

from __future__ import annotations

import contextlib
import errno
import os
import shlex
import stat
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

PRIVATE_UMASK = 0o077  # what is said here is for those who are in the chat, not for all accounts of the machine
OTHERS_READ, OTHERS_WRITE, OTHERS_ENTER = stat.S_IROTH, stat.S_IWOTH, stat.S_IXOTH
PUBLIC = frozenset({"tls-cert.pem"})  # every client is shown it

WHY = {
    errno.EISDIR: "is a folder, where a file belongs",
    errno.ENOTDIR: "is in something that is no folder",
    errno.EEXIST: "is a file, where a folder belongs",
    errno.EACCES: "may not be used by this account (check who owns it and its rights)",
    errno.EPERM: "may not be used by this account (check who owns it and its rights)",
    errno.ENOENT: "is in a folder that does not exist",
    errno.EROFS: "is on a disk that cannot be written (mounted read-only)",
    errno.ENOSPC: "does not fit: the disk is full",
    errno.ENAMETOOLONG: "has a name that is too long",
    errno.ELOOP: "is a link that leads nowhere but to itself",
}


class StartError(OSError):
    """The server cannot start because of a file; the text names it, says why, and what to do."""

    def __str__(self) -> str:
        return str(self.strerror)


def explained(path: Path, error: Exception, remedy: str) -> str:
    """Which file, what is wrong with it, and what to do."""
    number = getattr(error, "errno", None) or 0
    why = WHY.get(number) or f"cannot be used: {getattr(error, 'strerror', None) or error}"
    return f"{path} {why}. {remedy}"


@contextlib.contextmanager
def blaming(path: Path, remedy: str) -> Iterator[None]:
    """Errors of the system come out as StartError with the name of this file."""
    try:
        yield
    except StartError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a name with a NUL in it
        raise StartError(getattr(error, "errno", 0), explained(path, error, remedy)) from None


def make_folder(folder: Path) -> None:
    """Make it, if it is not there, for its owner only; see that files can be made in it. Raises StartError."""
    with blaming(folder, "Make it one that this account can write, or choose another with --data."):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()


def private_file(path: str, flags: int) -> int:
    """An opener for open(): a new file is for its owner only."""
    return os.open(path, flags, 0o600)


@contextlib.contextmanager
def keeping_private(folder: Path | None, names: Iterable[str]) -> Iterator[None]:
    """Of these files, those that are made meanwhile (by a library that asks the umask) are for their owner only."""
    missing = [path for name in names if not (path := folder / name).exists()] if folder is not None else []
    yield
    for path in missing:
        with contextlib.suppress(OSError):  # gone again
            path.chmod(0o600)


@contextlib.contextmanager
def private_umask() -> Iterator[None]:
    """What this process makes meanwhile is for its owner only (it is one setting for all threads)."""
    before = os.umask(PRIVATE_UMASK)
    try:
        yield
    finally:
        os.umask(before)


def exposed(folder: Path, names: Iterable[str]) -> list[str]:
    """What other accounts of this machine can do with the folder or these files in it, and what ends it."""
    if os.name != "posix":
        return []
    rights = folder.stat().st_mode
    found = []
    if rights & OTHERS_WRITE:
        found.append(
            f"All accounts of this machine can put files into {folder}, and with that into the chat."
            f" End it with: chmod o-w {shlex.quote(str(folder))}"
        )
    open_ = (
        [path for name in names if (path := folder / name) and _read_by_others(path)] if rights & OTHERS_ENTER else []
    )
    if open_:
        paths = " ".join(shlex.quote(str(path)) for path in open_)
        found.append(f"All accounts of this machine can read what is said here. End it with: chmod o-rwx {paths}")
    return found


def _read_by_others(path: Path) -> bool:
    try:
        return path.is_file() and bool(path.stat().st_mode & OTHERS_READ)
    except OSError:
        return False
