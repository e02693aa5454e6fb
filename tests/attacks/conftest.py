"""A server in this process, on a free port, with its messages in a folder that goes away; and a person's own folder."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "server"))  # rawpeer, from wherever this is run

from rawpeer import Peer, Start

from tcpchat.server import Server


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TCPCHAT_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("TCPCHAT_CONFIG", raising=False)
    return tmp_path / "home"


@pytest.fixture(autouse=True)
async def _close_peers() -> AsyncIterator[None]:
    yield
    while Peer.made:
        await Peer.made.pop().gone()


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
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
