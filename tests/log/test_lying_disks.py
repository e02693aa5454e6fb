"""Disks whose fsync fails: what was refused stays away, what was accepted is there, what is unknown is not told."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from support.loglab import facts
from tcpchat.log.sqlite import SqliteLog

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("gcc") is None, reason="needs Linux and a C compiler"
)
HEAD = """
import asyncio, os, sys
from pathlib import Path
from support.loglab import append, facts, said
from tcpchat.core.model import Deleted, Keep, Removed
from tcpchat.log import LogError, LogLost, LogUnavailable, writing
from tcpchat.log.sqlite import SqliteLog
folder = Path(os.environ["FAULTY"])
log = SqliteLog(folder / "log.db")
def fail(how):
    (folder / "fail").write_text(how)
def seen():
    text = (folder / "seen").read_text()
    (folder / "seen").write_text("")
    return text
"""


@pytest.fixture(scope="session")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library that is preloaded."""
    library = tmp_path_factory.mktemp("shim") / "faulty.so"
    source = Path(__file__).with_name("faulty.c")
    subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-o", str(library), str(source), "-ldl"], check=True)
    return library


class Disk:
    """A folder on a disk that can be made to fail, and processes that use it."""

    def __init__(self, folder: Path, shim: Path) -> None:
        self.folder = folder
        tests = str(Path(__file__).resolve().parent.parent)
        self.environment = {**os.environ, "FAULTY": str(folder), "LD_PRELOAD": str(shim), "PYTHONPATH": tests}

    def run(self, script: str) -> str:
        """What a process with an open log prints."""
        body = textwrap.indent(textwrap.dedent(script), "    ")
        text = HEAD + f"async def main():\n    await log.open()\n{body}\n"
        command = [sys.executable, "-c", text + "asyncio.run(main())"]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=60)
        assert "Traceback" not in done.stderr, done.stderr
        return done.stdout

    async def texts(self) -> list[str]:
        """What the next start reads."""
        log = SqliteLog(self.folder / "log.db")
        await log.open()
        try:
            return [getattr(fact, "text", "") for fact in await facts(log)]
        finally:
            await log.close()


@pytest.fixture
def disk(tmp_path: Path, shim: Path) -> Disk:
    return Disk(tmp_path, shim)


@pytest.mark.parametrize("failures", ["x", "xxx"])
async def test_what_was_refused_does_not_come_back_after_a_kill(disk: Disk, failures: str) -> None:
    printed = disk.run(f"""
        await append(log, said(1, 1, "accepted"))
        fail({failures!r})
        try:
            await append(log, said(1, 1, "refused"))
        except LogUnavailable as error:
            print("refused", "the disk gives errors" in str(error), flush=True)
        os.kill(os.getpid(), 9)
    """)
    assert printed == "refused True\n"
    assert await disk.texts() == ["accepted"]


async def test_its_number_goes_to_another_one(disk: Disk) -> None:
    printed = disk.run("""
        fail("x")
        try:
            await append(log, said(1, 1, "refused"))
        except LogUnavailable:
            (entry,) = await append(log, said(1, 1, "another"))
            print(entry.seq, flush=True)
        os.kill(os.getpid(), 9)
    """)
    assert printed == "1\n"
    assert await disk.texts() == ["another"]


async def test_a_batch_of_which_nothing_is_known_is_neither_accepted_nor_refused(disk: Disk) -> None:
    printed = disk.run("""
        writing.DOUBT_SECONDS = 0.5
        await append(log, said(1, 1, "accepted"))
        fail("*")
        for text in ("unknown", "behind it"):
            try:
                await append(log, said(1, 1, text))
            except LogLost as error:
                print("lost", "may or may not" in str(error))
        fail("")
        try:
            await append(log, said(1, 1, "the disk works again, but what is on it?"))
        except LogLost:
            print("lost")
        for write in (lambda: log.snapshot(1, b"state"), lambda: log.new_lineage()):
            try:
                await write()
            except LogLost:
                print("nothing more")
        await log.close()
    """)
    assert printed == "lost True\nlost True\nlost\nnothing more\nnothing more\n"
    assert await disk.texts() in (["accepted"], ["accepted", "unknown"])


async def test_nothing_stands_unsynced_in_front_of_what_is_accepted(disk: Disk) -> None:
    """After a failed fsync the system takes for written what is not: then a hole in front of it would lose it."""
    printed = disk.run("""
        log.keep([Keep(1, "d", 1)])
        await append(log, *(said(1, 1, f"text {n}") for n in range(300)))
        work = {
            "append": lambda: append(log, said(1, 1, "more")),
            "follow": lambda: log._job(log._store.catch_up),
            "remove": lambda: append(log, Removed(room=1, user=1, seq=5), Deleted(user=1, by=2, erase=True)),
            "settle": log.settle,
            "snapshot": lambda: log.snapshot(200, b"state"),
            "forget": lambda: log.forget(1 << 50),
            "lineage": log.new_lineage,
        }
        for name, job in work.items():
            seen()
            await job()
            print(name, seen()[-1:], flush=True)
        os._exit(0)
    """)
    steps = dict(line.split(" ") for line in printed.splitlines())
    assert len(steps) == 7
    assert "w" not in steps.values(), printed


async def test_cursors_wait_for_the_disk(disk: Disk) -> None:
    printed = disk.run("""
        await append(log, said(1, 1, "a"))
        fail("x")
        log.keep([Keep(1, "d", 1)])
        await log.settle()
        await log._write_cursors()
        await log.close()
        print("closed")
    """)
    assert printed == "closed\n"
    log = SqliteLog(disk.folder / "log.db")
    _, _, cursors = await log.open()
    await log.close()
    assert cursors == [(1, "d", 1, 0)]
