"""Servers in this process, and what the walks over their commands are made from."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # benchmarks, from wherever this is run
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "server"))  # and rawpeer

from rawpeer import Start

from tcpchat.server import Server


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    """Start servers with settings; all are stopped at the end."""
    servers: list[Server] = []

    async def begin(**settings: Any) -> Server:
        server = Server(**{"port": 0, "data": tmp_path / "data", "syslog": "off", **settings})
        await server.start()
        servers.append(server)
        return server

    yield begin
    for server in servers:
        await server.stop()
