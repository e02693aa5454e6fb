"""The short form of benchmarks/fuzz.py: what the long form has found, and a second of damaged bytes at every door."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
CORPUS = ROOT / "tests" / "attacks" / "corpus"
_spec = importlib.util.spec_from_file_location("fuzz_bench", ROOT / "benchmarks" / "fuzz.py")
assert _spec is not None
assert _spec.loader is not None
fuzz = sys.modules["fuzz_bench"] = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(fuzz)


@pytest.mark.parametrize("door", sorted(fuzz.DOORS))
def test_damaged_bytes_do_no_harm(door: str) -> None:
    assert fuzz.by_mutation(door, 1.0, seed=7) > 20


@pytest.mark.parametrize("door", sorted(fuzz.DOORS))
def test_what_was_found_does_no_harm(door: str) -> None:
    assert fuzz.replay(door, CORPUS) > 5


def test_the_corpus_is_small() -> None:
    files = [path for path in CORPUS.rglob("*") if path.is_file()]
    assert len(files) < 300
    assert sum(path.stat().st_size for path in files) < 300_000


def test_paths_that_were_a_fault_once(tmp_path: Path) -> None:
    bench = fuzz.Bench(tmp_path)
    for path in (b"M", b"*", b"M/x", b"//", b"/%00", b"http://a/b"):
        bench.throw([b"POST " + path + b" HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"])
    bench.close()
