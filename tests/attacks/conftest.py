"""A person's own folder."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TCPCHAT_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("TCPCHAT_CONFIG", raising=False)
    return tmp_path / "home"
