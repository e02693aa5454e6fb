"""While it is not known what the log holds, nobody is told anything about it: real sockets, and a log that waits."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from support.rawpeer import Peer, Start, eventually
from tcpchat.core.model import Append, Entry
from tcpchat.log import LogLost, LogUnavailable
from tcpchat.server import Server


class Doubt:
    """Holds the appends of a server until the test says how they end."""

    def __init__(self, server: Server) -> None:
        assert server.log is not None
        self.well, self.outcome = server.log.append, asyncio.get_running_loop().create_future()
        server.log.append = self.append  # type: ignore[method-assign]

    async def append(self, batch: Sequence[Append], at: int) -> list[Entry]:
        await self.outcome
        return await self.well(batch, at)


@pytest.mark.parametrize("outcome", [None, LogUnavailable("the disk is full")])
async def test_a_welcome_waits_for_the_numbers_that_are_on_their_way(start: Start, outcome: Any) -> None:
    """Who is told that a number is free may give it to another message, which then is taken for said already."""
    server = await start()
    duck = await Peer.enter(server.port, "duck", device="d")
    doubt = Doubt(server)
    duck.send("say", to="#all", text="first", n=1)
    await eventually(lambda: server.pipe.in_flight)
    again = await Peer.connect(server.port)
    again.send("hello", login="duck", device="d")
    await eventually(lambda: bool(server.pipe._barriers))
    if outcome is None:
        doubt.outcome.set_result(None)
    else:
        doubt.outcome.set_exception(outcome)
    welcome = await again.until("welcome")
    assert welcome.get("last", 0) == (0 if outcome else 1)


async def test_a_lost_log_ends_the_server_without_a_word_to_the_sender(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    server = await start()
    duck = await Peer.enter(server.port, "duck", device="d")
    doubt = Doubt(server)
    duck.send("say", to="#all", text="first", n=1)
    await eventually(lambda: server.pipe.in_flight)
    again = await Peer.connect(server.port)
    again.send("hello", login="duck", device="d")
    await eventually(lambda: bool(server.pipe._barriers))
    doubt.outcome.set_exception(LogLost("the disk lies"))
    with pytest.raises(LogLost):
        await server.serve_forever()
    assert "stopping: the disk lies" in caplog.text
    for peer in (duck, again):
        told = await peer.rest()
        assert b"refused" not in told
        assert b"welcome" not in told


async def test_a_log_that_is_lost_while_nothing_is_said_ends_the_server(start: Start) -> None:
    server = await start()
    assert server.log is not None
    assert server.log.on_lost is not None
    server.log.on_lost(LogLost("its file is gone"))
    with pytest.raises(LogLost, match="gone"):
        await server.serve_forever()
