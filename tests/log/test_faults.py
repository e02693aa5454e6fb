"""Disks that are full, files that are not logs, processes that are killed: a clear word, nothing half done."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.loglab import append, facts, said, texts
from tcpchat.core.model import Keep, Query
from tcpchat.log import LogError, LogLost, LogUnavailable, schema
from tcpchat.log.sqlite import SqliteLog

posix = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX")
HEAD = """
import asyncio, os, resource, sys
from pathlib import Path
from support.loglab import append, facts, said
from tcpchat.log import LogError, LogUnavailable
from tcpchat.log.sqlite import SqliteLog
path = Path(sys.argv[1])
"""


def child(script: str, path: Path) -> subprocess.Popen[str]:
    """A process of its own with the helpers at hand."""
    command = [sys.executable, "-c", HEAD + textwrap.dedent(script), str(path)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parent.parent)}
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


def damage(path: Path, pages: range) -> None:
    """Write noise over pages of a file."""
    with open(path, "r+b") as file:
        for page in pages:
            file.seek(page * 4096)
            file.write(os.urandom(4096))


async def refusal(path: Path) -> str:
    with pytest.raises(LogError) as caught:
        await SqliteLog(path).open()
    return str(caught.value)


# -- files that cannot be used -----------------------------------------------------------------------------------------


async def test_a_file_of_a_newer_program(log: SqliteLog) -> None:
    await log.close()
    with sqlite3.connect(log.path) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    assert "newer tcpchat" in (text := await refusal(log.path))
    assert "99" in text
    assert "Update" in text


async def test_a_database_of_another_program(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "other.db") as db:
        db.execute("CREATE TABLE cats (name)")
    db.close()
    before = (tmp_path / "other.db").read_bytes()
    assert "another program" in await refusal(tmp_path / "other.db")
    assert (tmp_path / "other.db").read_bytes() == before


@pytest.mark.parametrize("content", [b"this is not a database " * 100, os.urandom(5_000), b"x"])
async def test_a_file_that_is_no_database(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "log.db"
    path.write_bytes(content)
    assert "not a tcpchat log. Move it away" in await refusal(path)
    assert path.read_bytes() == content


async def test_an_empty_file_becomes_a_log(tmp_path: Path) -> None:
    (tmp_path / "log.db").touch()
    log = SqliteLog(tmp_path / "log.db")
    await log.open()
    await append(log, said(1, 1, "a"))
    await log.close()


async def test_a_damaged_file_says_so(log: SqliteLog) -> None:
    await append(log, *(said(1, 1, "text " * 50) for _ in range(500)))
    await log.settle()
    await log.close()
    size = log.path.stat().st_size
    damage(log.path, range(1, size // 4096))
    assert "damaged" in (text := await refusal(log.path))
    assert "backup" in text


async def test_damage_found_later_says_so(log: SqliteLog) -> None:
    await append(log, *(said(1, 1, "text " * 50) for _ in range(3_000)))
    await log.settle()
    await log.close()
    damage(log.path, range(40, 60))
    log = SqliteLog(log.path)
    await log.open()
    with pytest.raises(LogError, match="damaged"):
        await facts(log)
    await log.close()


@posix
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs to become somebody else")
@pytest.mark.parametrize("rights", ["file", "folder"])
async def test_what_may_not_be_written(tmp_path: Path, log: SqliteLog, rights: str) -> None:
    await log.close()
    folder = Path("/tmp") / f"tcpchat-test-{os.getpid()}-{rights}"
    shutil.copytree(tmp_path, folder)
    try:
        for path in folder.iterdir():
            path.chmod(0o644 if rights == "file" and path.suffix == ".db" else 0o666)
        folder.chmod(0o777 if rights == "file" else 0o755)
        if rights == "folder":
            (folder / "log.db.lock").unlink()
        process = child(
            """
            os.setuid(65534)
            async def main():
                try:
                    await SqliteLog(path).open()
                except LogError as error:
                    print(error)
            asyncio.run(main())
            """,
            folder / "log.db",
        )
        answer, _ = process.communicate(timeout=30)
    finally:
        shutil.rmtree(folder)
    assert "cannot be written" in answer
    assert "--data" in answer


async def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "cannot be made" in await refusal(tmp_path / "file" / "log.db")


# -- one process at a time ---------------------------------------------------------------------------------------------

HOLD = """
async def main():
    log = SqliteLog(path)
    await log.open()
    print("open", flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""


async def test_another_process_has_it(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    process = child(HOLD, path)
    assert process.stdout is not None
    assert await asyncio.to_thread(process.stdout.readline) == "open\n"
    text = await refusal(path)
    assert str(process.pid) in text
    assert "in use" in text
    process.kill()
    process.communicate()
    log = SqliteLog(path)  # the lock went with it
    await log.open()
    await log.close()


async def test_this_process_has_it(log: SqliteLog) -> None:
    assert str(os.getpid()) in await refusal(log.path)
    await append(log, said(1, 1, "the one who has it goes on"))


async def test_a_failed_open_lets_go(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    path.write_bytes(b"no database at all" * 100)
    await refusal(path)
    path.unlink()
    log = SqliteLog(path)
    await log.open()
    await log.close()


# -- no space, no disk -------------------------------------------------------------------------------------------------


async def fill(log: SqliteLog) -> int:
    """Append until there is no space; returns how many entries were accepted."""

    async def say() -> None:
        while True:
            await append(log, *(said(1, 1, "text " * 30) for _ in range(20)))

    with pytest.raises(LogUnavailable, match=r"full|disk") as caught:
        await say()
    assert "writing goes on by itself" in str(caught.value)
    return log.head


async def check_after(log: SqliteLog, accepted: int) -> None:
    """Everything accepted is there, nothing else, and what is said next comes behind it."""
    assert log.head == accepted
    (entry,) = await append(log, said(1, 1, "space again"))
    assert entry.seq == accepted + 1
    await log.settle()
    assert texts(await log.ask(Query(kind="page", rooms=(1,), limit=1))) == ["space again"]
    await log.close()
    again = SqliteLog(log.path)
    await again.open()
    assert len(await facts(again)) == accepted + 1
    await again.close()


async def test_a_file_that_may_not_grow(log: SqliteLog) -> None:
    pages = log._store.db.execute("PRAGMA page_count").fetchone()[0]
    log._store.db.execute(f"PRAGMA max_page_count = {pages + 50}")
    accepted = await fill(log)
    with pytest.raises(LogUnavailable):  # and again
        await append(log, *(said(1, 1, "text " * 3_000) for _ in range(200)))
    with pytest.raises(LogUnavailable):
        await log.snapshot(log.head, b"state" * 1_000_000)
    log.keep([Keep(1, "d", 1)])
    assert texts(await log.ask(Query(kind="page", rooms=(1,), limit=1))) == ["text " * 30]
    log._store.db.execute("PRAGMA max_page_count = 1000000")
    await check_after(log, accepted)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of one megabyte."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if (
        shutil.which("mount") is None
        or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(disk)], capture_output=True).returncode
    ):
        pytest.skip("may not mount a disk here")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


@posix
async def test_a_full_disk(small_disk: Path) -> None:
    (small_disk / "ballast").write_bytes(b"x" * 300_000)
    log = SqliteLog(small_disk / "log.db")
    await log.open()
    accepted = await fill(log)
    assert accepted > 0
    for _ in range(3):
        with pytest.raises(LogUnavailable):
            await append(log, *(said(1, 1, "text " * 300) for _ in range(200)))
    (small_disk / "ballast").unlink()
    await check_after(log, accepted)


@posix
async def test_a_limit_on_the_size_of_files(tmp_path: Path) -> None:
    process = child(
        """
        async def main():
            log = SqliteLog(path)
            await log.open()
            resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, resource.RLIM_INFINITY))
            try:
                while True:
                    await append(log, *(said(1, 1, "text " * 30) for _ in range(20)))
            except LogUnavailable as error:
                assert "writing goes on by itself" in str(error), error
            accepted = log.head
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            (entry,) = await append(log, said(1, 1, "again"))
            assert entry.seq == accepted + 1
            await log.close()
            log = SqliteLog(path)
            await log.open()
            assert len(await facts(log)) == accepted + 1
            await log.close()
            print("good", accepted)
        asyncio.run(main())
        """,
        tmp_path / "log.db",
    )
    answer, _ = await asyncio.to_thread(process.communicate)
    assert answer.startswith("good")


async def test_another_program_that_locks_the_file(log: SqliteLog, monkeypatch: pytest.MonkeyPatch) -> None:
    log._store.db.execute("PRAGMA busy_timeout = 0")
    other = schema.connect(log.path)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(LogUnavailable, match="another program"):
        await append(log, said(1, 1, "a"))
    other.execute("ROLLBACK")
    other.close()
    await check_after(log, 0)


# -- killed ------------------------------------------------------------------------------------------------------------


@posix
@pytest.mark.parametrize("after", [3, 40, 150])
async def test_what_was_accepted_survives_kill_9(tmp_path: Path, after: int) -> None:
    path = tmp_path / "log.db"
    process = child(
        """
        async def main():
            log = SqliteLog(path)
            await log.open()
            while True:
                entries = await append(log, *(said(1, 1, f"text {log.head + n}") for n in range(1, 8)))
                print(entries[-1].seq, flush=True)
        asyncio.run(main())
        """,
        path,
    )
    assert process.stdout is not None
    told = [await asyncio.to_thread(process.stdout.readline) for _ in range(after)]
    os.kill(process.pid, signal.SIGKILL)
    rest, _ = process.communicate()
    accepted = int((told + rest.splitlines())[-1])
    log = SqliteLog(path)
    await log.open()
    assert accepted <= log.head <= accepted + 7
    assert log.head % 7 == 0  # whole batches
    assert [fact.text for fact in await facts(log)] == [f"text {n}" for n in range(1, log.head + 1)]  # type: ignore[union-attr]
    assert len((await log.ask(Query(kind="search", rooms=(1,), words="text", limit=1_000))).rows) == min(
        log.head, 1_000
    )
    await log.close()


# -- one file, several names -------------------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform != "linux", reason="the file itself is locked on Linux")
@pytest.mark.parametrize("way", ["lock file deleted", "hard link", "symbolic link"])
async def test_a_second_one_does_not_start_on_the_same_file(tmp_path: Path, log: SqliteLog, way: str) -> None:
    (tmp_path / "other").mkdir()
    path = tmp_path / "other" / "log.db"
    match way:
        case "lock file deleted":
            path = log.path
            path.with_name("log.db.lock").unlink()
        case "hard link":
            path.hardlink_to(log.path)
        case _:
            path.symlink_to(log.path)
    assert "in use by another tcpchat" in await refusal(path)
    await append(log, said(1, 1, "the one who has it goes on"))


async def test_a_second_writer_is_noticed_and_loses_nothing(log: SqliteLog) -> None:
    await append(log, said(1, 1, "mine"))
    other = schema.connect(log.path)
    other.execute("INSERT INTO entries SELECT 2, at, room, body, NULL FROM entries WHERE seq = 1")
    for _ in range(2):
        with pytest.raises(LogLost, match="another program writes to it"):
            await append(log, said(1, 1, "mine too"))
    assert other.execute("SELECT count(*) FROM entries").fetchone() == (2,)
    other.close()


async def test_a_folder_in_the_place_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "tcpchat.db").mkdir()
    assert "is a folder" in await refusal(tmp_path)
    assert "is a folder" in await refusal(tmp_path / "tcpchat.db")
    assert list((tmp_path / "tcpchat.db").iterdir()) == []


def modes_of(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}


@posix
async def test_nobody_else_can_read_the_files(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        log = SqliteLog(tmp_path / "log.db")
        await log.open()
        await append(log, said(1, 1, "a"))
        await log.backup(tmp_path / "copy.db")
        modes = modes_of(tmp_path)
        assert set(modes.values()) == {0o600}, modes
        assert {"log.db", "log.db-wal", "log.db-shm", "log.db-head", "copy.db"} <= set(modes)
        await log.close()
        for given, expected in ((0o644, 0o600), (0o660, 0o660)):
            log.path.chmod(given)
            await log.open()
            assert log.path.stat().st_mode & 0o777 == expected
            await log.close()
    finally:
        os.umask(old)


async def test_the_disk_comes_back_behind_a_burst(log: SqliteLog, monkeypatch: pytest.MonkeyPatch) -> None:
    wal = log.path.with_name("log.db-wal")
    log._store.db.execute("PRAGMA wal_autocheckpoint = 0")
    monkeypatch.setattr("tcpchat.log.writing.CHECKPOINT", 1 << 40)
    for _ in range(30):
        await append(log, *(said(1, 1, "text " * 200) for _ in range(500)))
    assert wal.stat().st_size > 2 * schema.WAL_KEPT
    monkeypatch.setattr("tcpchat.log.writing.CHECKPOINT", 1)
    await append(log, said(1, 1, "a"))
    await log.settle()
    log._store._pages = 1
    await log._job(log._store.catch_up)
    await append(log, said(1, 1, "b"))
    assert wal.stat().st_size <= schema.WAL_KEPT
