"""Coming, staying, coming back, and being turned away."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from support.fakechat import FakeChat, Link
from tcpchat.client import ChatError, Client, ConnectionFailed, Offline, Online, Refused, TimedOut, connect, peer
from tcpchat.client import client as module
from tcpchat.core import model as m
from tcpchat.core.rules import challenge_text
from tcpchat.trust.keys import Key, verify


def no(code: str, fatal: bool = True):
    def answer(link: Link) -> bool:
        link.tell(m.Refused(code, f"No: {code}.", fatal=fatal))
        return True

    return answer


@pytest.mark.parametrize("code", ["claimed", "banned", "wrong_password", "tls_required", "in_use", "bad_name"])
async def test_a_refused_hello_is_final(chat: FakeChat, code: str) -> None:
    chat.on_hello.append(no(code, fatal=False))
    client = Client(chat.address, "duck")
    with pytest.raises(Refused) as refused:
        await client.start()
    assert refused.value.code == code
    assert client.state == "closed"
    assert client.error is refused.value
    events = [event async for event in client.events()]
    assert events == [Offline(f"No: {code}.", None)]
    with pytest.raises(Refused):
        await client.send("#all", "x")
    with pytest.raises(Refused):
        await client.who()
    await client.close()


async def test_a_busy_server_is_tried_again(chat: FakeChat) -> None:
    chat.on_hello += [no("unavailable"), no("too_many"), lambda link: link.cut() or True]
    async with connect(chat.address, "duck") as client:
        assert client.online
    assert len(chat.came(m.Hello)) == 4


async def test_turned_away_when_coming_back(chat: FakeChat) -> None:
    async with connect(chat.address, "duck") as client:
        events = client.events()
        assert isinstance(await events.next(5), Online)
        chat.on_hello.append(no("banned"))
        (link,) = chat.links
        link.cut()
        seen = [event async for event in events]
        assert [event.retry_in is None for event in seen if isinstance(event, Offline)] == [False, True]
        assert client.state == "closed"


@pytest.mark.parametrize(("code", "final"), [("replaced", True), ("banned", True), ("stopping", False)])
async def test_goodbyes(chat: FakeChat, code: str, final: bool) -> None:
    async with connect(chat.address, "duck") as client:
        events = client.events()
        await events.next(5)
        (link,) = chat.links
        link.tell(m.Goodbye("So long.", code))
        event = await events.next(5)
        assert isinstance(event, Offline)
        assert (event.why, event.retry_in is None) == ("So long.", final)
        if not final:
            assert isinstance(await events.next(5), Online)


async def test_state_changes_are_events(chat: FakeChat) -> None:
    async with connect(chat.address, "duck") as client:
        events = client.events()
        assert isinstance(await events.next(5), Online)
        await chat.stop()
        offline = await events.next(5)
        assert isinstance(offline, Offline)
        assert client.state in ("waiting", "connecting")
        assert not client.online
        with pytest.raises(ConnectionFailed):
            await client.who()
        await chat.start()
        while not isinstance(await events.next(5), Online):
            pass
        assert client.online


async def test_back_off_grows_and_can_be_cut_short(chat: FakeChat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BACK_OFF", (0.001, 0.002, 1000.0))
    await chat.stop()
    client = Client(chat.address, "duck").begin()
    events = client.events()
    delays = [event.retry_in for event in [await events.next(5) for _ in range(3)] if isinstance(event, Offline)]
    assert 0.0005 <= delays[0] <= 0.001 <= delays[1] <= 0.002 < 500 <= delays[2]
    await chat.start()
    client.reconnect_now()
    assert isinstance(await events.next(5), Online)
    await client.close()


async def test_a_half_open_cable(chat: FakeChat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peer, "PING_AFTER", 0.01)
    monkeypatch.setattr(peer, "DEAD_AFTER", 0.03)
    async with connect(chat.address, "duck") as client:
        events = client.events()
        await events.next(5)
        await chat.until(lambda: chat.came(m.Ping))  # answered: all is well
        chat.mute = True
        event = await events.next(5)
        assert isinstance(event, Offline)
        assert event.why == "The server gives no sign of life."
        chat.mute = False
        assert isinstance(await events.next(5), Online)
        assert client.latency is not None


async def test_a_stalled_program_shows_that_it_lives(chat: FakeChat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peer, "PING_AFTER", 0.01)
    monkeypatch.setattr("tcpchat.client.incoming.QUEUE", 5)
    async with connect(chat.address, "duck") as client:
        messages = client.messages()
        for i in range(20):
            chat.put("x", str(i))
        await chat.until(lambda: len(chat.came(m.Pong)) >= 3)
        assert len(chat.links) == 1
        assert (await messages.next(5)) is not None


async def test_the_servers_ping_is_answered(chat: FakeChat) -> None:
    async with connect(chat.address, "duck"):
        (link,) = chat.links
        link.tell(m.Pinged("42"))
        await chat.until(lambda: m.Pong("42") in chat.commands)


async def test_no_reconnect(chat: FakeChat) -> None:
    async with connect(chat.address, "duck", reconnect=False) as client:
        asking = asyncio.create_task(client.who())
        await chat.until(lambda: chat.came(m.Who))
        (link,) = chat.links
        link.cut()
        with pytest.raises(ConnectionFailed):
            await asking
        assert [event async for event in client.events()][-1].retry_in is None
    await chat.stop()
    with pytest.raises(ConnectionFailed, match="tcpchat serve"):
        await connect(chat.address, "duck", reconnect=False).start()
    await chat.start()


async def test_something_else_listens_there() -> None:
    async def http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(http, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(ConnectionFailed, match="not a tcpchat server"):
            await connect(f"127.0.0.1:{port}", "duck").start()


async def test_giving_up_the_wait_leaves_nothing_behind(chat: FakeChat) -> None:
    await chat.stop()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.02), connect(chat.address, "duck"):
            pass
    assert [task for task in asyncio.all_tasks() if task.get_name() == "tcpchat client"] == []
    await chat.start()


async def test_no_answer_in_time(chat: FakeChat) -> None:
    async with connect(chat.address, "duck") as client:
        with pytest.raises(TimedOut):
            await client.command(m.Who(), timeout=0.01)


async def test_proving_a_login_with_a_key(chat: FakeChat, tmp_path: Path) -> None:
    def challenge(link: Link) -> bool:
        link.tell(m.Challenge("n0nce", ("key", "password"), "Duck"))
        return True

    path = tmp_path / "keys" / "duck.key"
    chat.on_hello.append(challenge)
    client = Client(chat.address, "duck", key=path, claim=True).begin()
    await chat.until(lambda: chat.came(m.Proof))
    (hello,), (proof,) = chat.came(m.Hello), chat.came(m.Proof)
    assert isinstance(hello, m.Hello)
    assert isinstance(proof, m.Proof)
    assert (hello.key, hello.claim) == (Key.load(path).public, True)
    assert verify(hello.key, challenge_text("n0nce", "duck", ""), proof.signature)
    await client.close()


async def test_proving_a_login_with_a_password(chat: FakeChat) -> None:
    def challenge(link: Link) -> bool:
        link.tell(m.Challenge("n0nce", ("password",), "duck"))
        return True

    chat.on_hello += [challenge, challenge]
    client = Client(chat.address, "duck", password="secret").begin()
    await chat.until(lambda: m.Password("secret") in chat.commands)
    await client.close()
    with pytest.raises(Refused) as refused:
        await Client(chat.address, "duck").start()
    assert (refused.value.code, refused.value.about) == ("claimed", ("password",))


async def test_a_key_file_that_cannot_be_used(chat: FakeChat, tmp_path: Path) -> None:
    path = tmp_path / "bad.key"
    path.write_text("nonsense")
    with pytest.raises(ChatError, match="not a key"):
        await Client(chat.address, "duck", key=path).start()


async def test_tls_is_never_left_out_in_silence(chat: FakeChat) -> None:
    with pytest.raises(ConnectionFailed, match="TLS"):
        await Client(chat.address, "duck", tls="always", reconnect=False).start()


async def test_renamed(chat: FakeChat) -> None:
    async with connect(chat.address, "duck") as client:
        (link,) = chat.links
        link.tell(m.Presence("duck", "renamed", text="Donald"))
        await client.status_now()
        assert client.login == "Donald"
        assert client.is_me("donald")
        link.cut()
        await chat.until(lambda: len(chat.came(m.Hello)) == 2)
        hello = chat.came(m.Hello)[-1]
        assert isinstance(hello, m.Hello)
        assert hello.login == "Donald"
