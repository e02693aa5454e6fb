"""The client at a server that was restored, wiped, or has forgotten its numbers: nothing is sent twice, nothing is
missed, and the program is told what became of what it had."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import cast

import pytest

from support.fakechat import FakeChat, cut_before, cut_stored
from tcpchat import Server
from tcpchat.client import Client, Lost, Sent, SetBack, Unknown, connect
from tcpchat.client.errors import TimedOut
from tcpchat.client.incoming import Stream
from tcpchat.core import model as m
from tcpchat.log.sqlite import FILE_NAME, SqliteLog

RATES = {"messages_per_second": 0, "bytes_per_second": 0, "plain_only": True}
RESTORES = ["backup", "by hand", "wiped"]


class Place:
    """A server whose folder is set back while it is down."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.saved = folder / "data", folder / "saved.db"
        self.port = 0

    async def start(self) -> Server:
        self.server = Server(port=self.port, data=self.folder, **RATES)  # type: ignore[arg-type]
        await self.server.start()
        self.port = self.server.port
        return self.server

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def save(self, how: str) -> None:
        """What will be put back: a backup, or a file that somebody has copied while the server was down."""
        if how == "backup":
            assert isinstance(self.server.log, SqliteLog)
            await self.server.log.backup(self.saved)
        elif how == "by hand":
            await self.server.stop()
            shutil.copy(self.folder / FILE_NAME, self.saved)
            await self.start()

    async def set_back(self, how: str) -> None:
        await self.server.stop()
        for path in self.folder.glob(FILE_NAME + "*"):
            path.unlink()
        if how != "wiped":
            shutil.copy(self.saved, self.folder / FILE_NAME)
        await self.start()


async def texts(stream: Stream[m.Message], last: str) -> list[str]:
    """What comes up to this text."""
    found: list[str] = []
    while not found or found[-1] != last:
        message = await stream.next(10)
        assert message is not None
        found.append(message.text)
    return found


async def hears(client: Client, kind: type[object], events: Stream[object] | None = None) -> None:
    """Return when this has happened."""
    events = events or client.events()
    while not isinstance(await events.next(10), kind):
        pass


async def say(client: Client, *words: str) -> list[Sent]:
    sent = [await client.send("#all", one) for one in words]
    for one in sent:
        await one.accepted(10)
    return sent


@pytest.mark.parametrize("how", RESTORES)
@pytest.mark.parametrize("outgrown", [False, True])
async def test_who_was_ahead_gets_all_that_is_new(tmp_path: Path, how: str, outgrown: bool) -> None:
    place = Place(tmp_path)
    await place.start()
    async with (
        connect(place.address, "reader", outbox=tmp_path / "reader.db") as reader,
        connect(place.address, "writer", outbox=tmp_path / "writer.db") as writer,
    ):
        messages = reader.messages()
        await say(writer, "shared 1", "shared 2")
        await texts(messages, "shared 2")
        await place.save(how)
        old = await say(writer, *(f"old {n}" for n in range(20)))
        await texts(messages, "old 19")
        await reader.close()
        await place.set_back(how)
        await hears(writer, SetBack)
        new = await say(writer, *(f"new {n}" for n in range(60 if outgrown else 3)))
        # Of what was accepted and is gone the author hears, and of nothing else that it was delivered.
        assert [(one.state, type(one.error)) for one in old] == [("failed", Lost)] * 20
        assert writer.set_back.lost[-1] is old[-1]
        assert writer.set_back.whole == (how == "wiped")
        assert {one.state for one in new} == {"accepted"}
        async with connect(place.address, "reader", outbox=tmp_path / "reader.db") as back:
            expected = [f"new {n}" for n in range(len(new))]
            if how == "wiped":  # the reader is a newcomer there, who hears from its coming on
                await say(writer, "after it came")
                expected = ["after it came"]
            messages = back.messages()
            assert await texts(messages, expected[-1]) == expected
            with pytest.raises(TimedOut):
                await messages.next(0.01)
            assert isinstance(back.set_back, SetBack)
        async with connect(place.address, "reader", outbox=tmp_path / "reader.db") as once_more:
            assert once_more.set_back is None, "told once"
            with pytest.raises(TimedOut):
                await once_more.messages().next(0.2)
    await place.server.stop()


@pytest.mark.parametrize("how", RESTORES)
async def test_what_waits_in_the_outbox_is_sent_once(tmp_path: Path, how: str) -> None:
    """Written while the server was down, and never on the log that was lost."""
    place = Place(tmp_path)
    await place.start()
    writer = await connect(place.address, "writer", outbox=tmp_path / "writer.db").start()
    await say(writer, "shared")
    await place.save(how)
    await say(writer, "old 1", "old 2")
    await place.server.stop()
    waiting = [await writer.send("#all", f"waiting {n}") for n in range(5)]
    await writer.close(wait=0)
    await place.set_back(how)
    async with connect(place.address, "writer", outbox=tmp_path / "writer.db") as writer:
        assert writer.doubtful == []
        for one in writer.pending:
            await one.accepted(10)
        said = [one.text for one in (await writer.history("#all")).messages]
    assert said == (["shared"] if how != "wiped" else []) + [one.text for one in waiting]
    await place.server.stop()


@pytest.mark.parametrize("how", RESTORES)
async def test_events_of_the_old_log_that_wait_in_the_queue_confirm_nothing(tmp_path: Path, how: str) -> None:
    """A program that is slow: it has heard of them after the server was set back, and others are there by then."""
    place = Place(tmp_path)
    await place.start()
    async with connect(place.address, "reader") as reader, connect(place.address, "writer") as writer:
        messages = reader.messages()
        await say(writer, "shared")
        await texts(messages, "shared")
        await place.save(how)
        await say(writer, *(f"old {n}" for n in range(10)))
        events = reader.events()
        await texts(messages, "old 2")
        await texts(cast("Stream[m.Message]", reader.messages()), "old 9")  # they have come; the first stream is slow
        await place.set_back(how)
        await hears(reader, SetBack, events)
        del events  # a stream that nobody takes from holds up what is confirmed
        new = await say(writer, *(f"new {n}" for n in range(20)))
        heard = await texts(messages, "new 19")
        assert [text for text in heard if text.startswith("new")] == [f"new {n}" for n in range(20)]
        with pytest.raises(TimedOut):
            await messages.next(0.01)
        await new[-1].delivered(10)
    await place.server.stop()


# -- numbers that the server has forgotten ---------------------------------------------------------------------------


@pytest.mark.parametrize("before", [0, 3], ids=["the first message", "a later one"])
@pytest.mark.parametrize("kept", [False, True], ids=["memory", "file"])
async def test_what_the_server_may_have_forgotten_is_not_sent_again(
    chat: FakeChat, tmp_path: Path, before: int, kept: bool
) -> None:
    outbox = tmp_path / "outbox.db" if kept else None
    client = await connect(chat.address, "duck", outbox=outbox).start()
    await say(client, *(f"{n}" for n in range(before)))
    waiting: list[object] = []
    chat.on_hello.append(lambda link: not waiting.append(link))
    chat.rules.append(cut_stored)
    doubted = await client.send("#all", "once")
    await chat.until(lambda: waiting)
    after = await client.send("#all", "behind it")
    chat.devices.clear()
    chat.forgot = len(chat.log)
    for link in list(chat.links):
        link.cut()
    await after.accepted(10)
    assert chat.texts.count("once") == 1
    assert (doubted.state, type(doubted.error)) == ("unknown", Unknown)
    with pytest.raises(Unknown, match="forgotten"):
        await doubted.accepted()
    assert client.doubtful == [doubted]
    assert not [one for one in client.pending if one is doubted]
    if kept:  # a program that ends before a person has decided
        await client.close()
        client = await connect(chat.address, "duck", outbox=outbox).start()
        (doubted,) = client.doubtful
        assert (doubted.text, doubted.state) == ("once", "unknown")
    again = await client.resend(doubted)
    await again.accepted(10)
    assert chat.texts.count("once") == 2
    assert client.doubtful == []
    await client.close()


async def test_a_doubtful_message_can_be_let_go(chat: FakeChat, tmp_path: Path) -> None:
    chat.rules.append(cut_stored)
    chat.on_hello.append(lambda link: False)
    chat.on_hello.append(lambda link: bool(chat.devices.clear()))  # type: ignore[func-returns-value]
    chat.forgot = 1
    async with connect(chat.address, "duck", outbox=tmp_path / "outbox.db") as client:
        doubted = await client.send("#all", "once")
        with pytest.raises(Unknown):
            await doubted.accepted(10)
        assert client.cancel(doubted)
        assert not client.cancel(doubted)
    async with connect(chat.address, "duck", outbox=tmp_path / "outbox.db") as client:
        assert client.doubtful == client.pending == []
    assert chat.texts == ["once"]


async def test_a_device_that_is_new_to_the_server_only_repeats_what_never_arrived(chat: FakeChat) -> None:
    """Numbers of older messages are forgotten: that says nothing of one that has just left."""
    for n in range(5):
        chat.put("alice", f"{n}")
    chat.forgot = 5
    chat.rules.append(cut_before)
    async with connect(chat.address, "duck") as client:
        sent = await client.send("#all", "once")
        await sent.accepted(10)
    assert chat.texts[5:] == ["once"]
