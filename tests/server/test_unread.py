"""The numbers of unread messages and mentions: what was taken back and what one wrote oneself is left out."""

from __future__ import annotations

from typing import Any

import pytest

from support.rawpeer import Peer, Start


async def counts(peer: Peer, to: str) -> tuple[int, int]:
    peer.send("rooms", ref=77)
    rows: list[dict[str, Any]] = (await peer.until("roomlist", ref=77))["rooms"]
    row = next(row for row in rows if row["to"] == to)
    return row.get("unread", 0), row.get("mentions", 0)


async def remove(peer: Peer, seq: int) -> None:
    peer.send("remove", seq=seq, ref=seq)
    await peer.until("done", ref=seq)


@pytest.mark.parametrize("settled", [True, False])
async def test_what_was_taken_back_and_own_words_are_not_unread(start: Start, settled: bool) -> None:
    server = await start()
    duck, goose = await Peer.enter(server.port, "duck", device="fam.1"), await Peer.enter(server.port, "goose")
    for peer in (duck, goose):
        peer.send("join", room="#ops", ref=1)
        await peer.until("done", ref=1)
    seqs = [(await goose.say("#ops", f"@duck number {n}", n))["seq"] for n in range(1, 5)]
    direct = [(await goose.say("@duck", f"direct {n}", n))["seq"] for n in range(5, 7)]
    assert (await counts(duck, "#ops"), await counts(duck, "@goose")) == ((4, 4), (2, 2))
    for seq in (*seqs[:2], direct[0]):
        await remove(goose, seq)
    again = await Peer.enter(server.port, "duck", device="fam.2")
    await again.say("#ops", "from the other device", 1)
    if settled:
        await server.log.settle()  # type: ignore[union-attr]
    assert (await counts(duck, "#ops"), await counts(duck, "@goose")) == ((2, 2), (1, 1))
