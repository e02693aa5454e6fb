"""A disk that lies: what a preloaded server did to its files and told its peers, and the disks that may be left of it.

``load/lyingdisk.c`` records; this module gives it its orders (``Control``), reads its record (``records``), and builds
the folder as a power cut at any moment may leave it (``Disk``). The model of the disk:

- A page of a file (4,096 bytes) is on it as it was after any write since the last sync, or as that sync left it.
- A sync that says 0 puts everything there that was written before it began, and all names of files up to then.
- A sync that fails makes the pages that it was for clean: they may have reached the disk or not, and no later sync puts
  them there. That is what Linux does (https://wiki.postgresql.org/wiki/Fsync_Errors); a page that is written again is
  dirty again, all of it.
- Names come and go in their order, as a journal keeps them: a disk has all up to some moment.
"""

from __future__ import annotations

import mmap
import random
import shutil
import struct
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
PAGE = 4_096
HEAD = struct.Struct("<BBHIqqQ")
FOREVER = -1
TRUNCATE = 0o1000  # O_TRUNC of Linux
UNBELIEVED = "-shm"  # SQLite makes this file anew at a start after a crash


def compiler() -> str | None:
    """The machine's C compiler, if it has one."""
    return shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")


def compiled() -> Path:
    """The shim; built when its source is newer."""
    source, target = HERE / "load" / "lyingdisk.c", HERE / "out" / "lyingdisk.so"
    if not target.exists() or target.stat().st_mtime < source.stat().st_mtime:
        target.parent.mkdir(exist_ok=True)
        part = target.with_suffix(".part")
        command = [compiler() or "cc", "-Wall", "-shared", "-fPIC", "-O2", "-o", str(part), str(source)]
        subprocess.run([*command, "-ldl", "-lpthread"], check=True)
        part.replace(target)
    return target


class Control:
    """Which syncs and writes fail from now on; shared with the server by a mapped file."""

    SYNCS, WRITES = 0, 20  # where the five numbers of each stand

    def __init__(self, path: Path) -> None:
        path.write_bytes(bytes(PAGE))
        with open(path, "r+b") as file:
            self._map = mmap.mmap(file.fileno(), PAGE)

    def fail(self, what: int, times: int, error: int, after: int = 0) -> None:
        """Let so many pass, then fail so many (FOREVER: until ``heal``) with this errno."""
        struct.pack_into("<iii", self._map, what, after, times, error)

    def heal(self) -> None:
        """From now on all goes well."""
        for what in (self.SYNCS, self.WRITES):
            struct.pack_into("<ii", self._map, what, 0, 0)

    def failed(self, what: int) -> int:
        """How many have failed."""
        return int(struct.unpack_from("<i", self._map, what + 16)[0])

    def close(self) -> None:
        self._map.close()


@dataclass(frozen=True, slots=True)
class Record:
    """One thing that happened: see ``note`` in lyingdisk.c."""

    op: str
    pid: int
    number: int
    offset: int
    path: str
    data: bytes


def records(path: Path) -> Iterator[Record]:
    """What the shim has written, oldest first; a record cut short by a kill is none."""
    whole = path.read_bytes()
    at = 0
    while at + HEAD.size <= len(whole):
        op, _, name, pid, number, offset, length = HEAD.unpack_from(whole, at)
        at += HEAD.size
        if at + name + length > len(whole):
            return
        yield Record(
            chr(op), pid, number, offset, whole[at : at + name].decode(), whole[at + name : at + name + length]
        )
        at += name + length


@dataclass(slots=True)
class Change:
    """A page as a write left it, or (page -1) the length that a file was cut to."""

    page: int
    data: bytes
    length: int = 0
    clean: bool = False  # a sync has failed: none will ever put it there


class File:
    """What a process sees of a file, what surely is on the disk, and what may be."""

    def __init__(self) -> None:
        self.seen, self.kept = bytearray(), bytearray()
        self.maybe: list[Change] = []
        self.syncing = 0  # how many of ``maybe`` were there when the sync began that is going on
        self.named = 0  # and up to which change of names

    def write(self, offset: int, data: bytes) -> None:
        end = offset + len(data)
        if end > len(self.seen):
            self.seen.extend(bytes(end - len(self.seen)))
        self.seen[offset:end] = data
        for page in range(offset // PAGE, (end + PAGE - 1) // PAGE):
            self.maybe.append(Change(page, bytes(self.seen[page * PAGE : (page + 1) * PAGE])))

    def cut(self, length: int) -> None:
        self.seen[:] = self.seen[:length].ljust(length, b"\0")
        self.maybe.append(Change(-1, b"", length))

    def synced(self, failed: bool) -> None:
        """The sync that began at ``syncing`` has ended."""
        asked, later = self.maybe[: self.syncing], self.maybe[self.syncing :]
        self.syncing = 0
        if failed:
            for change in asked:
                change.clean = change.page >= 0
            return
        clean: list[Change] = []
        for change in asked:
            if change.clean:
                clean.append(change)
                continue
            apply(self.kept, change)
            clean = [one for one in clean if not replaces(change, one)]
        self.maybe = clean + later

    def left(self, chance: random.Random, luck: float) -> bytes:
        """The file on one disk: each change that may be there is, with this probability."""
        disk = bytearray(self.kept)
        for change in self.maybe:
            if chance.random() < luck:
                apply(disk, change)
        return bytes(disk)


def apply(disk: bytearray, change: Change) -> None:
    """Let a change reach the disk."""
    if change.page < 0:
        disk[:] = disk[: change.length].ljust(change.length, b"\0")
        return
    start = change.page * PAGE
    if len(disk) < start:
        disk.extend(bytes(start - len(disk)))
    disk[start : start + len(change.data)] = change.data


def replaces(new: Change, old: Change) -> bool:
    """Is nothing left of the old one under the new one?"""
    return old.page == new.page if new.page >= 0 else old.page * PAGE >= new.length


class Disk:
    """The data folder while a record is gone through."""

    def __init__(self, root: Path) -> None:
        self.root = str(root)
        self._inodes: dict[int, File] = {}
        self._names: list[tuple[int, dict[str, File]]] = [(0, {})]  # what is surely there, then each change after it
        self._moves = 0

    def take(self, record: Record) -> None:
        """One record further."""
        file = self._inodes.setdefault(record.number, File()) if record.op in "wfsS" else None
        if record.op == "o":
            self._opened(record)
        elif record.op in "ru":
            self._renamed(*record.path.partition("\n")[::2])
        elif file is not None:
            self._changed(file, record)

    def _changed(self, file: File, record: Record) -> None:
        match record.op:
            case "w":
                file.write(record.offset, record.data)
            case "f":
                file.cut(record.offset)
            case "s":
                file.syncing, file.named = len(file.maybe), self._moves
            case "S":
                file.synced(failed=record.offset != 0)
                if not record.offset:
                    sure = max(move for move, _ in self._names if move <= file.named or move == self._names[0][0])
                    self._names = [(move, names) for move, names in self._names if move >= sure]

    def _renamed(self, before: str, after: str) -> None:
        """A name is another now, or ("") gone."""
        names = dict(self._names[-1][1])
        file = names.pop(before, None)
        if after and file is not None:
            names[after] = file
        self._move(names)

    def _move(self, names: dict[str, File]) -> None:
        self._moves += 1
        self._names.append((self._moves, names))

    def _opened(self, record: Record) -> None:
        if record.path.endswith(UNBELIEVED):
            return
        names = self._names[-1][1]
        file = self._inodes.get(record.number)
        if file is None or names.get(record.path) is not file:
            file = self._inodes[record.number] = File()  # a number that was used before is another file now
            self._move({**names, record.path: file})
        elif record.offset & TRUNCATE:
            file.cut(0)

    def left(self, chance: random.Random) -> dict[Path, bytes]:
        """The files, by path below the folder, as one power cut at this moment may leave them."""
        luck = chance.choice((0.0, 0.05, 0.5, 0.5, 0.8, 1.0))
        names = chance.choice(self._names)[1]
        return {Path(name).relative_to(self.root): file.left(chance, luck) for name, file in names.items()}

    def rebuild(self, folder: Path, chance: random.Random) -> None:
        """Write such files into a folder."""
        for name, data in self.left(chance).items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            path.chmod(0o600)
