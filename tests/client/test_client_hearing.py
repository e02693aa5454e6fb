"""Hearing: everything once, in order, confirmed when taken; slow programs stop the wire, silent ones cost nothing."""

from __future__ import annotations

import asyncio

import pytest

from support.fakechat import FakeChat, Link
from tcpchat.client import Online, TimedOut, connect, incoming
from tcpchat.core import model as m


async def test_confirmed_when_the_next_is_asked_for(chat: FakeChat) -> None:
    async with connect(chat.address, "duck") as client:
        messages = client.messages()
        chat.put("x", "1")
        chat.put("x", "2")
        first = await messages.next(5)
        assert first is not None
        await client.status_now()
        assert (first.text, chat.confirmed) == ("1", 0)
        await messages.next(5)
        await client.status_now()
        assert chat.confirmed == 1
        with pytest.raises(TimedOut):
            await messages.next(0.01)
        await client.status_now()
        assert chat.confirmed == 2


async def test_many_are_confirmed_at_once(chat: FakeChat) -> None:
    for i in range(500):
        chat.put("x", str(i))
    async with connect(chat.address, "duck", after=0) as client:
        texts = []
        async for message in client.messages():
            texts.append(message.text)
            if message.seq == 500:
                break
        assert texts == [str(i) for i in range(500)]
        client.confirm(500)
        await chat.until(lambda: chat.confirmed == 500)
        assert len(chat.came(m.Confirm)) < 50


async def test_a_cut_loses_and_doubles_nothing(chat: FakeChat) -> None:
    async with connect(chat.address, "duck", after=0) as client:
        texts, stream = [], client.messages()
        for i in range(60):
            chat.put("x", str(i))
            if i % 3 == 2:
                message = await stream.next(5)
                assert message is not None
                texts.append(message.text)
            if i % 7 == 6:
                for link in list(chat.links):
                    link.cut()
        while len(texts) < 60 and (message := await stream.next(5)):
            texts.append(message.text)
        assert texts == [str(i) for i in range(60)]
        with pytest.raises(TimedOut):
            await stream.next(0.02)


async def test_a_line_cut_in_the_middle(chat: FakeChat) -> None:
    async with connect(chat.address, "duck") as client:
        (link,) = chat.links
        link.open = False
        chat.put("x", "whole")
        link.writer.write(b'{"t":"message","seq":1,"at":1,"by":"x","to":"#all","te')
        link.cut()
        message = await client.messages().next(5)
        assert message is not None
        assert message.text == "whole"
        assert client.welcome is not None
        assert chat.came(m.Hello)[-1] == m.Hello("duck", client.device, "script", 0)


async def test_own_messages_are_not_heard_again(chat: FakeChat) -> None:
    async with connect(chat.address, "duck") as client:
        for i in range(100):
            await (await client.send("#all", str(i))).accepted(5)
        for link in list(chat.links):
            link.cut()  # the feed will begin behind what was heard, and that is nothing
        chat.put("duck", "from my other device")
        chat.put("x", "hello")
        messages = client.messages()
        texts = [one.text for one in [await messages.next(5), await messages.next(5)] if one]
        assert texts == ["from my other device", "hello"]
        with pytest.raises(TimedOut):
            await messages.next(0.02)
        await chat.until(lambda: chat.confirmed == 102)


async def test_own_messages_of_the_last_run(chat: FakeChat) -> None:
    """Without a file, Welcome.recent tells which of the replayed messages are this device's."""
    async with connect(chat.address, "duck", device="one") as client:
        for i in range(3):
            await client.send("#all", str(i))
    chat.put("x", "hello")
    async with connect(chat.address, "duck", device="one", after=0) as client:
        message = await client.messages().next(5)
        assert message is not None
        assert message.text == "hello"


async def test_a_server_without_a_memory_and_one_with_another(chat: FakeChat) -> None:
    """A seq of ours that is somebody else's now must not be taken for our own."""
    async with connect(chat.address, "duck") as client:
        await (await client.send("#all", "mine")).accepted(5)
        for link in list(chat.links):
            link.cut()
        chat.log[0] = m.Message(1, 1, "x", "#all", "theirs")
        message = await client.messages().next(5)
        assert message is not None
        assert message.text == "theirs"


async def test_breaking_out_and_going_on(chat: FakeChat) -> None:
    async with connect(chat.address, "duck", after=0) as client:
        for i in range(5):
            chat.put("x", str(i))
        texts = []
        for _ in range(5):
            async for message in client.messages():
                texts.append(message.text)
                break
        assert texts == list("01234")


async def test_two_listeners_hear_everything(chat: FakeChat) -> None:
    async with connect(chat.address, "duck") as client:
        messages, events = client.messages(), client.events()
        chat.put("x", "1")
        chat.put("x", "2")
        assert [(await messages.next(5)).text for _ in range(2)] == ["1", "2"]  # type: ignore[union-attr]
        await client.status_now()
        assert chat.confirmed == 0  # one listener has not taken it
        heard = [await events.next(5) for _ in range(3)]
        assert isinstance(heard[0], Online)
        assert [one.text for one in heard if isinstance(one, m.Message)] == ["1", "2"]
        await client.status_now()
        assert chat.confirmed == 1


async def test_a_slow_program_stops_the_wire(chat: FakeChat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(incoming, "QUEUE", 100)
    async with connect(chat.address, "duck", after=0) as client:
        messages = client.messages()
        total = 20_000
        for i in range(total):
            chat.put("x", str(i) + "x" * 200)
        (link,) = chat.links
        for _ in range(20):
            await asyncio.sleep(0)  # the client reads what it wants to read
        assert len(client.incoming.events) < 2_000  # what one read brings, not all
        for i in range(total):
            message = await messages.next(5)
            assert message is not None
            assert message.seq == i + 1
        assert link in chat.links  # the same connection all along


async def test_a_program_that_does_not_listen(chat: FakeChat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(incoming, "QUEUE", 50)
    async with connect(chat.address, "duck", after=0) as client:
        for i in range(500):
            chat.put("x", str(i))
        for i in range(10):
            await (await client.send("#all", f"own {i}")).accepted(5)
        assert len(client.incoming.events) <= 50
        texts = []
        async for message in client.messages():  # and now it does: nothing is lost
            texts.append(message.text)
            if message.seq == 500:
                break
        assert texts == [str(i) for i in range(500)]


async def test_a_quiet_client_gets_no_feed_by_reconnecting(chat: FakeChat) -> None:
    chat.put("x", "old")
    async with connect(chat.address, "duck", quiet=True) as client:
        for link in list(chat.links):
            link.cut()
        await chat.until(lambda: len(chat.came(m.Hello)) == 2)
        assert [hello.after for hello in chat.came(m.Hello) if isinstance(hello, m.Hello)] == [None, None]
        assert client.login == "duck"


async def test_taking_while_the_welcome_is_on_its_way(chat: FakeChat) -> None:
    async with connect(chat.address, "duck", after=0) as client:
        for i in range(5):
            chat.put("x", str(i))
        await client.status_now()
        waiting: list[Link] = []
        chat.on_hello.append(lambda link: not waiting.append(link))
        for link in list(chat.links):
            link.cut()
        await chat.until(lambda: waiting)
        messages = client.messages()
        texts = [(await messages.next(5)).text for _ in range(5)]  # type: ignore[union-attr]
        with pytest.raises(TimedOut):
            await messages.next(0.01)
        chat.welcome(waiting[0])  # from behind 0, as it was asked
        chat.put("x", "5")
        texts.append((await messages.next(5)).text)  # type: ignore[union-attr]
        assert texts == list("012345")


async def test_a_server_set_back(chat: FakeChat) -> None:
    """Its log is shorter than what this client has: a backup was restored. The feed starts at its head."""
    async with connect(chat.address, "duck", after=0) as client:
        for i in range(5):
            chat.put("x", str(i))
        messages = client.messages()
        for _ in range(5):
            await messages.next(5)
        with pytest.raises(TimedOut):
            await messages.next(0.01)
        del chat.log[2:]
        for link in list(chat.links):
            link.cut()
        await chat.until(lambda: len(chat.came(m.Hello)) == 2)
        chat.put("x", "new")
        message = await messages.next(5)
        assert message is not None
        assert (message.seq, message.text) == (3, "new")


async def test_the_streams_end_with_the_client(chat: FakeChat) -> None:
    client = await connect(chat.address, "duck").start()

    async def listen() -> list[object]:
        return [event async for event in client.events()]

    listening = asyncio.create_task(listen())
    await client.status_now()
    await client.close()
    assert isinstance((await listening)[0], Online)
    assert await client.messages().next() is None
