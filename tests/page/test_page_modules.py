"""The page's modules without a browser, under node: the tests themselves are the files *.test.mjs beside this one."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
NODE = shutil.which("node")


@pytest.mark.real
@pytest.mark.parametrize("file", sorted(path.name for path in HERE.glob("*.test.mjs")))
def test_modules_of_the_page(file: str) -> None:
    if NODE is None and not os.environ.get("CI"):
        pytest.skip("node is not installed")
    assert NODE is not None, "node is missing"
    ran = subprocess.run([NODE, "--test", str(HERE / file)], capture_output=True, text=True, timeout=50, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
