"""The short form of `python -m benchmarks.powercut`: a real server on a disk that fails and lies."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.skipif(sys.platform != "linux" or shutil.which("cc") is None, reason="needs Linux and a C compiler")
def test_all_that_was_told_is_true_after_power_cuts_and_kills() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.powercut", "--short", "--seed", "1"],
        cwd=ROOT, capture_output=True, text=True, timeout=170, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
