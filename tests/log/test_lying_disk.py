"""A disk whose syncs fail, and what a power cut leaves of it: the model, on hand-made records."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from benchmarks import lyingdisk as lying

PAGE = lying.PAGE


def record(op: str, number: int = 1, offset: int = 0, path: str = "", data: bytes = b"") -> Any:
    return lying.Record(op, 1, number, offset, path, data)


def write(page: int, letter: bytes, number: int = 1) -> Any:
    return record("w", number, page * PAGE, data=letter * PAGE)


def sync(error: int = 0, number: int = 1) -> list[Any]:
    return [record("s", number), record("S", number, error)]


def left(*records: Any) -> set[str]:
    """The first letter of each page of the file "a" on many disks; "-" without the file, "." for a hole."""
    disk = lying.Disk(Path("/d"))
    for one in (record("o", path="/d/a"), *records):
        disk.take(one)
    found = set()
    for seed in range(300):
        files = disk.left(random.Random(seed))
        found.add(files[Path("a")][::PAGE].replace(b"\0", b".").decode() if Path("a") in files else "-")
    return found


def test_what_is_not_synced_may_be_there_in_any_part() -> None:
    assert left(write(0, b"a"), write(1, b"b")) == {"-", "", "a", ".b", "ab"}


def test_what_is_synced_is_there() -> None:
    assert left(write(0, b"a"), *sync(), write(0, b"b")) == {"a", "b"}


def test_a_sync_is_for_what_was_written_before_it_began() -> None:
    assert left(*sync(), record("s"), write(0, b"a"), record("S")) == {"", "a"}


def test_after_a_failed_sync_no_later_one_brings_the_page() -> None:
    assert left(*sync(), write(0, b"a"), *sync(error=5), *sync()) == {"", "a"}


def test_a_page_that_is_written_again_is_dirty_again() -> None:
    assert left(write(0, b"a"), *sync(error=5), write(0, b"b"), *sync()) == {"b"}


def test_a_synced_cut_takes_the_pages_behind_it() -> None:
    assert left(write(0, b"a"), write(1, b"b"), *sync(error=5), record("f"), *sync()) == {""}


def test_names_come_in_their_order() -> None:
    move = record("r", path="/d/a\n/d/b")
    assert left(write(0, b"a"), *sync(), move, record("o", 2, path="/d/a")) == {"a", "-", ""}


def test_the_number_of_a_file_that_is_gone_is_another_file() -> None:
    gone = record("u", path="/d/a")
    assert left(write(0, b"a"), *sync(), gone, record("o", path="/d/c"), *sync()) == {"-"}
    again = (gone, record("o", path="/d/a"), *sync())
    assert left(write(0, b"a"), *sync(), *again) == {""}
