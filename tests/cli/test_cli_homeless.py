"""A person without a folder that can be written: a guest can do without key, settings and known servers."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tcpchat.client.first_use import Trusting
from tcpchat.server import Server

SECONDS = 30


@pytest.fixture(params=["read-only", "another account's", "no folder"])
def nowhere(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A home that cannot be written."""
    if request.param == "no folder":
        yield Path(os.devnull) / "home"
        return
    if os.geteuid() == 0 and not shutil.which("setpriv"):
        pytest.skip("root, and no setpriv")
    folder = tmp_path / "nowhere"
    folder.mkdir(mode=0o555 if request.param == "read-only" else 0o000)
    yield folder
    folder.chmod(0o700)


def run(home: Path, *words: str, data: str = "") -> subprocess.CompletedProcess[str]:
    prefix = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--"] if os.geteuid() == 0 else []
    call = [*prefix, sys.executable, "-m", "tcpchat", *words]
    env = {**os.environ, "TCPCHAT_HOME": str(home), "TCPCHAT_USER": "wanderer"}
    return subprocess.run(call, env=env, input=data, capture_output=True, text=True, timeout=SECONDS, check=False)


def test_a_guest_sends_reads_and_looks_around(server: Server, nowhere: Path) -> None:
    for words in (["send", "@all", "from nowhere"], ["tail", "@all"], ["who", "--all"], ["rooms"]):
        done = run(nowhere, *words)
        assert done.returncode == 0, done.stderr
        assert done.stderr.count("\n") == 1
        assert "as a guest, without a key" in done.stderr
    assert "from nowhere" in run(nowhere, "tail", "@all").stdout
    assert run(nowhere, "tail", "@all", "-q").stderr == ""


def test_the_menu_too(server: Server, nowhere: Path) -> None:
    done = run(nowhere, "client", "127.0.0.1", str(server.port), data="5\n")
    assert done.returncode == 0
    assert "Traceback" not in done.stderr + done.stdout


def test_a_server_is_trusted_this_once_where_it_cannot_be_remembered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TCPCHAT_HOME", os.devnull + "/home")
    assert "cannot be written" in Trusting("192.0.2.1", 6060).remember("SHA256:" + "x" * 43)
