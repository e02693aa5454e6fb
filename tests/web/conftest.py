"""Servers in this process, and browsers that the tests of a module share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import tcpchat
from support import ports


@pytest.fixture
def chat(tmp_path: Path) -> Iterator[tcpchat.Server]:
    """A server of its own for one test: another port is another origin, so the browser has forgotten everything."""
    with tcpchat.Server.in_thread(port=0, data=tmp_path, messages_per_second=0) as running:
        yield running


@pytest.fixture(scope="module")
def first() -> Iterator[Any]:
    from support.webpage import chromium

    with chromium() as driver:
        yield driver


@pytest.fixture(scope="module")
def second() -> Iterator[Any]:
    from support.webpage import chromium

    with chromium(400, 800) as driver:
        yield driver


@pytest.fixture
def free_port() -> int:
    """A port nobody listens on."""
    return ports.free_port()
