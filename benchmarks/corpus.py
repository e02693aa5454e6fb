"""Keep few of what the fuzzer found: ``python -m benchmarks.corpus FOUND [DOOR ...]``, with FOUND its --corpus.

An input is kept when it takes the server from one line to another that no kept one does; the richest first. What is
kept goes to tests/attacks/corpus and is thrown by the tests and by ``python -m benchmarks.fuzz --replay``.
"""

from __future__ import annotations

import argparse
import hashlib
import logging
import sys
import tempfile
from pathlib import Path

from benchmarks.fuzz import DOORS, Bench, throw
from benchmarks.steps import Step, Steps

KEPT = Path(__file__).resolve().parent.parent / "tests" / "attacks" / "corpus"
FILES, BYTES = 48, 48_000  # of one door


def steps_of(bench: Bench, door: str, data: bytes) -> set[Step]:
    """The steps that the server takes for an input, from a fresh start."""
    bench.renew()
    with Steps() as steps:
        throw(bench, door, data)
    return steps.taken


def chosen(found: dict[bytes, set[Step]]) -> list[bytes]:
    """A few inputs that together take nearly all steps."""
    kept: list[bytes] = []
    seen: set[Step] = set()
    left = dict(found)
    while left and len(kept) < FILES:
        best = max(left, key=lambda data: (len(left[data] - seen), -len(data)))
        if not left[best] - seen:
            break
        if sum(map(len, kept)) + len(best) <= BYTES:
            kept.append(best)
            seen |= left[best]
        del left[best]
    return kept


def keep(door: str, found: Path) -> tuple[int, int]:
    """Choose among what was found and kept for a door; how many there were, and are."""
    place = KEPT / door
    place.mkdir(parents=True, exist_ok=True)
    inputs = {path.read_bytes() for folder in (found / door, place) if folder.is_dir() for path in folder.iterdir()}
    with tempfile.TemporaryDirectory(prefix="tcpchat-fuzz-") as folder:
        bench = Bench(Path(folder))
        steps = {data: steps_of(bench, door, data) for data in sorted(inputs)}
        bench.close()
    kept = chosen(steps)
    for path in place.iterdir():
        path.unlink()
    for data in kept:
        (place / hashlib.sha256(data).hexdigest()[:12]).write_bytes(data)
    return len(inputs), len(kept)


def main() -> int:
    parser = argparse.ArgumentParser(description="Keep few of what the fuzzer found.")
    parser.add_argument("found", type=Path)
    parser.add_argument("doors", nargs="*", metavar="DOOR", help=", ".join(DOORS))
    args = parser.parse_args()
    logging.disable(logging.WARNING)
    for door in args.doors or DOORS:
        before, after = keep(door, args.found)
        print(f"{door}: {after} of {before}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
