"""Copies of the log: whole, private, and never in the place of anything but an earlier copy."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest

from support.loglab import append, facts, said
from tcpchat.log import LogError
from tcpchat.log.sqlite import SqliteLog


def files(folder: Path) -> dict[str, bytes]:
    """All names, and what is in the files that SQLite has not open (who closes one of these takes its locks away)."""
    found = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
    open_ones = [path.resolve() for path in found.values() if path.name.startswith("tcpchat.db")]
    return {
        name: b"" if any(path.samefile(one) for one in open_ones) else path.read_bytes() for name, path in found.items()
    }


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def chat_in(folder: Path, name: str = "tcpchat.db") -> SqliteLog:
    log = SqliteLog(folder / name)
    await log.open()
    await append(log, said(1, 1, "before"))
    return log


def prepare(top: Path) -> None:
    """Files beside a running chat, and names for its file."""
    data = top / "data"
    (data / "irc.db").write_bytes(b"of IRC")
    (top / "link.db").symlink_to(data / "tcpchat.db")
    (top / "hard.db").hardlink_to(data / "tcpchat.db")
    (top / "hard-wal.db").hardlink_to(data / "tcpchat.db-wal")
    (top / "sub").mkdir()
    (top / "letter.txt").write_bytes(b"to my mother")
    with sqlite3.connect(top / "cats.db") as db:
        db.execute("CREATE TABLE cats (name)")
    db.close()


WRONG = {
    "data/tcpchat.db": "belongs to the chat",
    "data/../data/tcpchat.db": "belongs to the chat",
    "sub/../data/./tcpchat.db": "belongs to the chat",
    "link.db": "belongs to the chat",
    "hard.db": "by another name",
    "hard-wal.db": "by another name",
    "data/tcpchat.db-wal": "belongs to the chat",
    "data/tcpchat.db-shm": "belongs to the chat",
    "data/tcpchat.db-head": "belongs to the chat",
    "data/tcpchat.db-journal": "belongs to the chat",
    "data/tcpchat.db.lock": "belongs to the chat",
    "data/irc.db": "belongs to the chat",
    "data/tls-key.pem": "belongs to the chat",
    "data/syslog": "belongs to the chat",
    "other/tcpchat.db": "is the log of a chat",
    "other/tcpchat.db-wal": "belongs to tcpchat.db",
    "letter.txt": "not a copy of a chat",
    "cats.db": "not a copy of a chat",
    "sub": "is a folder",
    "data": "is a folder",
    "missing/folder/chat.db": "There is no folder",
    "letter.txt/chat.db": "There is no folder",
}


@pytest.mark.parametrize("name", WRONG)
async def test_a_copy_never_harms_anything(tmp_path: Path, name: str) -> None:
    log, other = await chat_in(tmp_path / "data"), await chat_in(tmp_path / "other")
    prepare(tmp_path)
    before = files(tmp_path)
    with pytest.raises(LogError, match=WRONG[name]):
        await log.backup(str(tmp_path / name))
    assert files(tmp_path) == before
    await append(log, said(1, 1, "behind it"))
    await log.close()
    await other.close()
    again = SqliteLog(log.path)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        await again.open()
    assert len(await facts(again)) == 2
    await again.close()


async def test_a_copy_takes_the_place_of_an_earlier_one(tmp_path: Path) -> None:
    log = await chat_in(tmp_path / "data")
    copy = tmp_path / "copy.db"
    (tmp_path / "link.db").symlink_to(copy)
    for name in ("copy.db", "copy.db", "link.db"):
        await append(log, said(1, 1, "more"))
        await log.backup(tmp_path / name)
    assert (tmp_path / "link.db").is_symlink()
    await log.close()
    assert names(tmp_path) == ["copy.db", "data", "link.db"]
    assert copy.stat().st_mode & 0o777 == (0o600 if os.name == "posix" else copy.stat().st_mode & 0o777)
    again = SqliteLog(copy)
    await again.open()
    assert len(await facts(again)) == 4
    await again.close()


async def test_nothing_is_left_of_a_copy_that_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = await chat_in(tmp_path / "data")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tcpchat.log.copying.mark_copy", full)
    with pytest.raises(LogError, match="No space left"):
        await log.backup(tmp_path / "copy.db")
    assert names(tmp_path) == ["data"]
    await log.close()
