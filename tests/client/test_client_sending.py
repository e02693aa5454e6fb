"""Sending: each message once, in order, whatever happens to the connection and whatever the server says."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from support.fakechat import FakeChat, accept, cut_answered, cut_at, cut_before, cut_stored, refuse, silent
from tcpchat.client import Client, ConnectionFailed, OutboxError, Refused, SentChanged, TimedOut, Unknown, connect
from tcpchat.client.outbox import Outbox
from tcpchat.client.sent import Sent
from tcpchat.core import model as m

LINE = len(b'{"t":"accepted","n":1,"seq":1}\n')


async def test_a_message_is_accepted_delivered_and_read(chat: FakeChat) -> None:
    async with connect(chat.address, "duck") as client:
        sent = await client.send("@alice", "quack")
        assert (sent.state, sent.seq) == ("pending", 0)
        await sent.accepted(5)
        assert (sent.state, sent.n, sent.seq) == ("accepted", 1, 1)
        (link,) = chat.links
        link.tell(m.Receipt("@alice", 1, "delivered", "alice"))
        await sent.delivered(5)
        link.tell(m.Receipt("@alice", 1, "read", "alice"))
        assert await sent.read(5) is sent
        assert await sent.accepted() is sent


@pytest.mark.parametrize("byte", range(LINE + 1))
async def test_cut_inside_the_answer(chat: FakeChat, byte: int) -> None:
    chat.rules += [cut_at(byte)]
    async with connect(chat.address, "duck") as client:
        handles = [await client.send("#all", text) for text in "abc"]
        for sent in handles:
            await sent.accepted(5)
        assert chat.texts == ["a", "b", "c"]
        assert [sent.seq for sent in handles] == [1, 2, 3]


@pytest.mark.parametrize("rule", [cut_before, cut_stored, cut_answered])
async def test_cut_around_every_message(chat: FakeChat, rule) -> None:
    chat.rules += [rule] * 5
    async with connect(chat.address, "duck") as client:
        handles = [await client.send("#all", str(i)) for i in range(200)]
        await asyncio.gather(*(sent.accepted(10) for sent in handles))
        assert chat.texts == [str(i) for i in range(200)]
        assert [sent.seq for sent in handles] == list(range(1, 201))
        assert client.pending == []


async def test_the_window_holds(chat: FakeChat) -> None:
    chat.rules += [silent] * 64
    async with connect(chat.address, "duck") as client:
        for i in range(100):
            await client.send("#all", str(i))
        await client.status_now()
        assert len(chat.came(m.Say)) == 64
        (link,) = chat.links
        link.cut()
        await client.pending[-1].accepted(5)
        assert chat.texts == [str(i) for i in range(100)]


async def test_a_refused_message_gives_its_number_back(chat: FakeChat) -> None:
    chat.rules += [accept, refuse("no_such_login")]
    async with connect(chat.address, "duck") as client:
        one, two, three, four = [await client.send("@x", text) for text in ("1", "2", "3", "4")]
        await four.accepted(5)
        assert chat.texts == ["1", "3", "4"]
        assert (one.n, three.n, four.n) == (1, 2, 3)
        with pytest.raises(Refused) as refused:
            await two.accepted()
        assert refused.value.code == "no_such_login"
        assert (two.state, two.reason) == ("failed", "No: no_such_login.")
        again = await client.resend(two)
        await again.accepted(5)
        assert chat.texts[-1] == "2"


@pytest.mark.parametrize("code", ["too_fast", "unavailable", "too_many_pending"])
async def test_waiting_out_a_refusal_keeps_the_order(chat: FakeChat, code: str) -> None:
    chat.rules += [accept, refuse(code, 0.002), *[accept] * 8, refuse(code), refuse(code)]
    async with connect(chat.address, "duck") as client:
        events = client.events()
        handles = [await client.send("#all", str(i)) for i in range(10)]
        await handles[-1].accepted(5)
        assert chat.texts == [str(i) for i in range(10)]
        reasons = set()
        while chat.texts and (event := await events.next(5)):
            if isinstance(event, SentChanged) and event.sent is handles[-1]:
                break
            if isinstance(event, SentChanged):
                reasons.add(event.sent.state)
        assert "accepted" in reasons


async def test_a_waiting_message_says_why(chat: FakeChat) -> None:
    chat.rules += [refuse("unavailable", 30)]
    async with connect(chat.address, "duck") as client:
        sent = await client.send("#all", "hi")
        with pytest.raises(Unknown, match="unavailable"):
            await sent.accepted(0.05)
        assert (sent.state, sent.reason) == ("pending", "No: unavailable.")
        assert client.cancel(sent)
        assert not client.cancel(sent)


async def test_a_gap_out_of_the_blue_is_healed(chat: FakeChat) -> None:
    async with connect(chat.address, "duck") as client:
        await (await client.send("#all", "1")).accepted(5)
        chat.devices[client.device].clear()  # a server that was set back while it ran
        await (await client.send("#all", "2")).accepted(5)
        assert chat.texts == ["1", "2"]


async def test_offline_messages_go_out_in_order(chat: FakeChat) -> None:
    async with connect(chat.address, "duck") as client:
        await chat.stop()
        handles = [await client.send("#all", str(i)) for i in range(100)]
        with pytest.raises(Unknown):
            await handles[0].accepted(0.01)
        await chat.start()
        await handles[-1].accepted(10)
        assert chat.texts == [str(i) for i in range(100)]


async def test_sending_before_the_first_connection(chat: FakeChat) -> None:
    client = Client(chat.address, "duck").begin()
    sent = await client.send("#all", "early")
    await sent.accepted(5)
    await client.close()
    assert chat.texts == ["early"]


async def test_leaving_at_once_waits_for_the_answer(chat: FakeChat) -> None:
    chat.rules += [refuse("too_fast", 0.05)]
    async with connect(chat.address, "duck") as client:
        sent = await client.send("#all", "bye")
    assert sent.state == "accepted"
    assert chat.texts == ["bye"]


async def test_closing_tells_who_waits(chat: FakeChat) -> None:
    chat.rules += [accept, silent]
    client = await Client(chat.address, "duck").start()
    one, two = await client.send("@x", "1"), await client.send("@x", "2")
    await one.accepted(5)
    delivered, accepted = (asyncio.create_task(wait) for wait in (one.delivered(), two.accepted()))
    await client.status_now()
    await client.close(wait=0)
    with pytest.raises(ConnectionFailed):
        await delivered
    with pytest.raises(Unknown) as unknown:
        await accepted
    assert unknown.value.n == 2
    assert (one.state, two.state) == ("accepted", "pending")
    with pytest.raises(ConnectionFailed):
        await one.read()
    with pytest.raises(ConnectionFailed):
        await client.send("@x", "3")
    await client.close()


async def test_accepted_but_not_delivered_in_time(chat: FakeChat) -> None:
    async with connect(chat.address, "duck") as client:
        sent = await client.send("@x", "1")
        await sent.accepted(5)
        with pytest.raises(TimedOut):
            await sent.delivered(0.01)


async def test_receipts_are_cumulative_and_survive_a_cut(chat: FakeChat) -> None:
    async with connect(chat.address, "duck") as client:
        handles = [await client.send("@Alice", str(i)) for i in range(4)]
        other = await client.send("#room", "x")
        await other.accepted(5)
        (link,) = chat.links
        link.tell(m.Receipt("@alice", 2, "delivered", "alice"))
        await handles[1].delivered(5)
        assert [sent.state for sent in handles] == ["delivered", "delivered", "accepted", "accepted"]
        link.tell(m.Presence("alice", "renamed", text="bob"))
        link.tell(m.RoomList((m.RoomInfo("@bob", delivered=4, seen=3),)))  # as behind Welcome
        await handles[3].delivered(5)
        assert [sent.state for sent in handles] == ["read", "read", "read", "delivered"]
        link.tell(m.Receipt("#room", 5, "delivered", have=1, of=2))
        await client.status_now()
        assert (other.state, other.have, other.of) == ("accepted", 1, 2)
        link.tell(m.Receipt("#room", 5, "delivered", have=2, of=2))
        await other.delivered(5)
        assert (other.have, other.of) == (2, 2)


async def test_a_guest_that_left_without_it(chat: FakeChat) -> None:
    async with connect(chat.address, "duck") as client:
        sent = await client.send("@x", "1")
        await sent.accepted(5)
        (link,) = chat.links
        link.tell(m.Receipt("@x", 1, "failed", "x"))
        with pytest.raises(Refused):
            await sent.delivered(5)
        assert sent.state == "failed"


# -- the outbox file -------------------------------------------------------------------------------------------------


async def test_the_file_outlives_the_process(chat: FakeChat, tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    chat.rules += [accept, silent, silent]
    client = await Client(chat.address, "duck", outbox=path).start()
    first = await client.send("#all", "1")
    await first.accepted(5)
    for text in "23":
        await client.send("#all", text)
    await client.status_now()  # the server has seen them; it never answers
    await client.close(wait=0)
    async with connect(chat.address, "duck", outbox=path) as again:
        assert again.device == client.device
        sent = await again.send("#all", "4")
        await sent.accepted(5)
    assert chat.texts == ["1", "2", "3", "4"]
    async with connect(chat.address, "duck", outbox=path) as third:
        assert third.pending == []


@pytest.mark.parametrize("rule", [silent, cut_stored, cut_before])
async def test_killed_with_messages_on_the_way(chat: FakeChat, tmp_path: Path, rule) -> None:
    path, copy = tmp_path / "outbox.db", tmp_path / "copy.db"
    chat.rules += [rule] * 3
    client = await Client(chat.address, "duck", outbox=path).start()
    for i in range(10):
        await client.send("#all", str(i))
    await chat.until(lambda: chat.came(m.Say))
    for name in ("", "-wal"):  # what a killed process leaves on disk
        shutil.copy(f"{path}{name}", f"{copy}{name}")
    await client.close(wait=0)
    async with connect(chat.address, "duck", outbox=copy) as again:
        for sent in again.pending:
            await sent.accepted(5)
        assert sorted(chat.texts) == sorted(set(chat.texts))
        assert chat.texts == [str(i) for i in range(10)]


async def test_own_messages_are_not_shown_after_a_restart(chat: FakeChat, tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    chat.put("x", "before")
    async with connect(chat.address, "duck", outbox=path, after=0) as client:
        messages = client.messages()
        assert (await messages.next(5)) is not None
        for i in range(100):  # more than Welcome.recent holds
            await client.send("#all", str(i))
    chat.put("x", "behind")
    async with connect(chat.address, "duck", outbox=path) as again:
        heard = [await again.messages().next(5)]
        assert [one.text for one in heard if one] == ["before"]
        stream = again.messages()
        assert (await stream.next(5)).text == "behind"  # type: ignore[union-attr]
        assert await _nothing(stream)


async def _nothing(stream) -> bool:
    try:
        await stream.next(0.01)
    except TimedOut:
        return True
    return False


async def test_bytes_of_a_command_line_that_are_no_text(chat: FakeChat, tmp_path: Path) -> None:
    async with connect(chat.address, "duck", outbox=tmp_path / "o.db") as client:
        await (await client.send("#all", "caf\udce9")).accepted(5)
    assert chat.texts == ["caf\ufffd"]


async def test_a_file_that_another_client_has(chat: FakeChat, tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    async with connect(chat.address, "duck", outbox=path):
        with pytest.raises(OutboxError, match="another program uses it"):
            connect(chat.address, "duck", outbox=path)
    with pytest.raises(OutboxError, match="another device"):
        connect(chat.address, "duck", outbox=path, device="other")
    path.write_bytes(b"this is no database" * 100)
    with pytest.raises(OutboxError, match="not a database"):
        connect(chat.address, "duck", outbox=path)


async def test_a_full_disk_refuses_the_send_and_goes_on_later(chat: FakeChat, tmp_path: Path) -> None:
    async with connect(chat.address, "duck", outbox=tmp_path / "o.db") as client:
        database = client.link.outbox._db
        assert database is not None
        pages = database.execute("PRAGMA page_count").fetchone()[0]
        database.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(OutboxError, match="full"):
            await client.send("#all", "x" * 100_000)
        assert client.pending == []
        database.execute("PRAGMA max_page_count = 100000")
        await (await client.send("#all", "y")).accepted(5)
        assert chat.texts == ["y"]


def test_the_file_keeps_numbers_and_order(tmp_path: Path) -> None:
    path = tmp_path / "o.db"
    outbox = Outbox(path)
    items = [Sent("#a", str(i), tags={"x": "1"}) for i in range(3)]
    for item in items:
        outbox.add(item)
    items[0].n = 7
    outbox.numbered(items[:1])
    outbox.remove(items[1])
    outbox.keep_cursor(5)
    outbox.close()
    outbox.close()
    again = Outbox(path)
    assert [(one.text, one.n, one.left, one.tags) for one in again.found] == [
        ("0", 7, True, {"x": "1"}),
        ("2", 0, False, {"x": "1"}),
    ]
    assert (again.device, again.cursor) == (outbox.device, 5)
    again.close()
    assert path.stat().st_mode & 0o077 == 0


async def test_numbering_by_oneself(chat: FakeChat) -> None:
    """`--id`: the same words again, from another process, are the same message."""
    for _ in range(2):
        async with connect(chat.address, "duck", device="duck.my-id") as client:
            sent = await client.send("#all", "once", n=1)
            await sent.accepted(5)
            assert sent.seq == 1
            with pytest.raises(ValueError, match="next number of this device is 2"):
                await client.send("#all", "?", n=9)
    assert chat.texts == ["once"]
