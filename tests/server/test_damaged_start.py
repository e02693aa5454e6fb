"""A chat starts and serves whatever single entry of its log is damaged."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest

from support.rawpeer import Peer, Start
from tcpchat.server import Server


async def history(start: Start) -> int:
    """A log with all sorts of entries; returns its head."""
    server = await start()
    duck, goose = await Peer.enter(server.port, "duck", device="d"), await Peer.enter(server.port, "goose", device="g")
    for peer in (duck, goose):
        peer.send("join", room="#ops", ref=1)
        await peer.until("done", ref=1)
    duck.send("topic", room="#ops", text="ducks", ref=2)
    await duck.until("done", ref=2)
    seqs = [(await duck.say(to, f"to {to}", n))["seq"] for n, to in enumerate(("#all", "#ops", "@goose"), 1)]
    duck.send("edit", seq=seqs[0], text="edited", ref=3)
    await duck.until("done", ref=3)
    duck.send("remove", seq=seqs[1], ref=4)
    await duck.until("done", ref=4)
    goose.send("leave", room="#ops", ref=5)
    await goose.until("done", ref=5)
    await goose.say("@duck", "quack", 1)
    assert server.log is not None
    head = server.log.head
    for peer in (duck, goose):
        await peer.gone()
    await server.stop()
    return head


async def damaged(folder: Path, seq: int) -> Server:
    with sqlite3.connect(folder / "tcpchat.db") as db:
        db.execute("DELETE FROM snapshots")
        db.execute("UPDATE entries SET body = substr(body, 1, length(body) - 2) || x'00' || '}' WHERE seq = ?", (seq,))
        db.execute("UPDATE entries SET body = CAST(body AS BLOB) WHERE seq = ?", (seq,))
    db.close()
    server = Server(port=0, data=folder)
    await server.start()
    return server


async def test_any_entry_may_be_damaged(start: Start, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    head = await history(start)
    assert head > 8
    for seq in range(1, head + 1):
        folder = tmp_path.with_name(f"{tmp_path.name}-{seq}")
        shutil.copytree(tmp_path / "data", folder)
        caplog.clear()
        server = await damaged(folder, seq)
        try:
            swan = await Peer.enter(server.port, "swan", after=0)
            assert (await swan.say("#all", "still here", 1))["seq"] > head
            swan.send("history", to="#all", limit=50, ref=9)
            await swan.until("page", ref=9)
            await swan.gone()
        finally:
            await server.stop()
        assert f"entry {seq} is damaged" in caplog.text
        assert "Traceback" not in caplog.text
