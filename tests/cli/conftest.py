from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tcpchat import i18n
from tcpchat.cli import main
from tcpchat.server import Server


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A person with a folder of their own, called me."""
    for name in ("NO_COLOR", "FORCE_COLOR", "TCPCHAT_ASCII", "TCPCHAT_TIMEOUT", "TCPCHAT_CONFIG", "TCPCHAT_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TCPCHAT_HOME", str(tmp_path))
    monkeypatch.setenv("TCPCHAT_USER", "me")
    i18n.use("en")
    yield tmp_path
    i18n.use("en")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    with Server.in_thread("127.0.0.1", 0, None) as running:
        monkeypatch.setenv("TCPCHAT_SERVER", f"127.0.0.1:{running.port}")
        yield running


class Run:
    """One command, run in this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys = capsys

    def __call__(self, *argv: str) -> tuple[int, str, str]:
        self.capsys.readouterr()
        try:
            code = main(argv)
        except SystemExit as end:  # argparse
            code = int(end.code or 0)
        out, err = self.capsys.readouterr()
        return code, out, err


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    return Run(capsys)
