"""A chat that can be told to fail, and clients that come back at once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.fakechat import FakeChat
from tcpchat.client import client, numbering


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(client, "BACK_OFF", (0.001,))
    monkeypatch.setattr(numbering, "HOLD", (0.001,))
    monkeypatch.setattr(numbering, "HOLD_MIN", 0.001)
    monkeypatch.setenv("TCPCHAT_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("TCPCHAT_SERVER", raising=False)


@pytest.fixture
async def chat(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FakeChat]:
    monkeypatch.setenv("TCPCHAT_TLS", "never")  # a fake has no certificate
    fake = FakeChat()
    await fake.start()
    yield fake
    await fake.stop()
