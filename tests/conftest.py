"""What tests of several rooms begin with: servers in this process, on free ports, with folders that go away."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from support.rawpeer import Peer, Start
from tcpchat.server import Server


@pytest.fixture
async def closed_peers() -> AsyncIterator[None]:
    """Close every peer that the test makes."""
    yield
    while Peer.made:
        await Peer.made.pop().gone()


@pytest.fixture
async def start(tmp_path: Path, closed_peers: None) -> AsyncIterator[Start]:
    """Start servers with settings; all are stopped at the end."""
    servers: list[Server] = []

    async def begin(**settings: Any) -> Server:
        server = Server(**{"port": 0, "data": tmp_path / "data", **settings})
        await server.start()
        servers.append(server)
        return server

    yield begin
    for server in servers:
        await server.stop()


@pytest.fixture
async def server(start: Start) -> Server:
    return await start()
