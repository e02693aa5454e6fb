from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tcpchat.log.sqlite import SqliteLog


@pytest.fixture
async def log(tmp_path: Path) -> AsyncIterator[SqliteLog]:
    """An open log of its own."""
    log = SqliteLog(tmp_path / "log.db")
    await log.open()
    yield log
    await log.close()
