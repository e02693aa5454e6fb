"""Readers that read nothing cost little, whatever waits for them, and get all of it later."""

from __future__ import annotations

import asyncio

from support.rawpeer import Peer, Start, eventually
from tcpchat.core import feed


async def test_a_deaf_reader_holds_one_piece_of_its_feed(start: Start) -> None:
    server = await start(messages_per_second=0, bytes_per_second=0)
    duck = await Peer.enter(server.port, "duck")
    goose = await Peer.enter(server.port, "goose", device="g", after=0)
    await goose.gone()
    text = "x" * 8_000
    for number in range(1, 401):  # 3.2 MB, all of it among the newest entries at hand
        await duck.say("#all", text, number)
    goose = await Peer.connect(server.port, receive_buffer=4_096)
    goose.send("hello", login="goose", device="g", after=0)
    goose.welcome = await goose.until("welcome")
    goose.reader._transport.pause_reading()  # type: ignore[attr-defined]
    connection = next(one for one in server.connections if one.user is not None and one.user.login == "goose")
    await eventually(lambda: connection.full)
    most = server.config.write_buffer + 2 * feed.FEED_BYTES + 20_000
    assert connection.transport.get_write_buffer_size() <= most
    goose.reader._transport.resume_reading()  # type: ignore[attr-defined]
    seqs = [(await goose.until("message"))["seq"] for _ in range(400)]
    assert seqs == sorted(set(seqs))


async def test_pages_of_huge_messages_are_asked_on(start: Start) -> None:
    server = await start(messages_per_second=0, bytes_per_second=0)
    duck = Peer(*await asyncio.open_connection("127.0.0.1", server.port, limit=1 << 25))
    duck.send("hello", login="duck")
    await duck.until("welcome")
    text = '"' * 8_000
    for number in range(1, 301):
        await duck.say("#all", text, number)
    seqs: list[int] = []
    before = 0
    while True:
        duck.send("history", to="#all", before=before, limit=500, ref=before + 1)
        page = await duck.until("page", ref=before + 1)
        found = [message["seq"] for message in page["messages"]]
        seqs = found + seqs
        before = found[0]
        if not page.get("more"):
            break
    assert len(seqs) == len(set(seqs)) == 300
    assert seqs == sorted(seqs)
