"""The client against the real server: over restarts, over a cable that breaks at random bytes, and all it can ask."""

from __future__ import annotations

import asyncio
import random
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tcpchat import Server
from tcpchat.client import Client, Refused, Sent, connect
from tcpchat.core import model as m
from tcpchat.trust.keys import Key

RATES = {"messages_per_second": 0, "bytes_per_second": 0}


class BadCable:
    """Passes bytes on to the server, and breaks each connection after a random number of them."""

    def __init__(self, port: int, seed: int) -> None:
        self.target = port
        self.random = random.Random(seed)
        self.breaks = 30  # then it holds
        self.port = 0
        self._tasks: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def __call__(self) -> AsyncIterator[BadCable]:
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        yield self
        server.close()
        await asyncio.gather(*self._tasks)
        await server.wait_closed()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.close()
            return
        limit = 1 << 60
        if self.breaks:
            self.breaks -= 1
            limit = self.random.randrange(100, 6000)
        left = [limit]
        await asyncio.gather(
            self._pass(reader, up_writer, writer, left), self._pass(up_reader, writer, up_writer, left)
        )

    async def _pass(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, other: asyncio.StreamWriter, left: list[int]
    ) -> None:
        try:
            while data := await source.read(4096):
                sink.write(data[: left[0]])
                left[0] -= len(data)
                if left[0] <= 0:
                    break
        except OSError:
            pass
        sink.close()
        other.close()


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    async with Server(port=0, data=tmp_path / "data", **RATES) as server:
        yield server


def at(server: Server | BadCable) -> str:
    return f"127.0.0.1:{server.port}"


async def hear(client: Client, count: int) -> list[str]:
    """The texts of so many messages."""
    texts: list[str] = []
    messages = client.messages()
    while len(texts) < count:
        message = await messages.next(20)
        assert message is not None
        texts.append(message.text)
    return texts


@pytest.mark.parametrize("seed", range(3))
async def test_a_cable_that_breaks_at_random(server: Server, seed: int) -> None:
    async with (
        BadCable(server.port, seed)() as cable,
        connect(at(cable), "alice") as alice,
        connect(at(cable), "duck") as duck,
    ):
        hearing = asyncio.create_task(hear(alice, 400))
        handles = []
        for i in range(400):
            handles.append(await duck.send("@alice", str(i)))
            if i % 20 == 19:
                await handles[-1].accepted(20)
        assert await hearing == [str(i) for i in range(400)]
        alice.confirm(handles[-1].seq)
        await handles[-1].delivered(20)
        assert [sent.seq for sent in handles] == sorted({sent.seq for sent in handles})
        page = await alice.history("@duck", limit=500)
        assert [one.text for one in page.messages if isinstance(one, m.Message)] == [str(i) for i in range(400)]
        assert cable.breaks < 30


async def test_over_a_restart_of_the_server(tmp_path: Path) -> None:
    async with Server(port=0, data=tmp_path, **RATES) as server:
        port = server.port
        alice = await Client(at(server), "alice", outbox=tmp_path / "a.db").start()
        duck = await Client(at(server), "duck", outbox=tmp_path / "d.db").start()
        early = [await duck.send("@alice", str(i)) for i in range(50)]
        await early[-1].accepted(5)
    late = [await duck.send("@alice", str(i)) for i in range(50, 100)]
    async with Server(port=port, data=tmp_path, **RATES):
        assert await hear(alice, 100) == [str(i) for i in range(100)]
        alice.confirm(late[-1].seq)
        await late[-1].delivered(10)
        assert {sent.state for sent in early + late} == {"delivered"}
        await duck.close()
        await alice.close()


async def test_everything_one_can_ask(server: Server) -> None:
    async with connect(at(server), "alice") as alice, connect(at(server), "duck") as duck:
        await alice.join("#pond")
        await alice.join("#pond")
        await duck.join("#pond")
        await alice.topic("#pond", "water")
        sent = await duck.send("#pond", "quack over the pond")
        await sent.accepted(5)
        (message,) = [one async for one in _first(alice)]
        alice.confirm(message.seq)
        await sent.delivered(5)
        alice.read("#pond", message.seq)
        await sent.read(5)
        assert (await duck.receipts(sent.seq)).state == "read"
        await duck.edit(sent.seq, "quack quack over the pond")
        assert [one.text for one in (await alice.search("quack")).messages if isinstance(one, m.Message)] == [
            "quack quack over the pond"
        ]
        assert {person.login for person in await duck.who("#pond")} == {"alice", "duck"}
        assert {room.to for room in await duck.rooms()} >= {"#all", "#pond"}
        await duck.remove(sent.seq)
        state = await duck.status_now()
        assert (state.online, duck.status) == (2, "READY2SERV")
        assert duck.latency is not None
        await duck.away("at the pond")
        await duck.away()
        await duck.set("name", "Donald")
        await alice.kick("#pond", "duck", "too loud")
        with pytest.raises(Refused) as refused:
            await (await duck.send("#pond", "hey")).accepted(5)
        assert refused.value.code == "not_member"
        await alice.invite("#pond", "duck")
        await duck.join("#pond")
        await duck.leave("#pond")
        await duck.rename("donald")
        assert duck.login == "donald"
        with pytest.raises(Refused) as refused:
            await duck.who("nobody-here")
        assert refused.value.code == "no_such_login"


async def _first(client: Client) -> AsyncIterator[m.Message]:
    async for message in client.messages():
        yield message
        return


async def test_a_login_of_ones_own(server: Server, tmp_path: Path) -> None:
    async with connect(at(server), "duck", key=True, claim=True) as duck:
        assert duck.welcome is not None
        assert (duck.welcome.claimed, duck.welcome.role) == (True, "owner")
    with pytest.raises(Refused) as refused:
        await connect(at(server), "duck").start()
    assert refused.value.code == "claimed"
    with pytest.raises(Refused) as refused:
        await connect(at(server), "duck", key=Key.make()).start()
    assert refused.value.code == "wrong_proof"
    async with connect(at(server), "guest") as guest:
        sent = await guest.send("@duck", "while you were away")
        await sent.accepted(5)
        async with connect(at(server), "Duck", key=True) as duck:
            assert await hear(duck, 1) == ["while you were away"]
            duck.confirm(sent.seq)
            await sent.delivered(5)


async def test_the_same_device_twice(server: Server) -> None:
    async with connect(at(server), "duck", device="one") as first, connect(at(server), "duck", device="one"):
        assert [event async for event in first.events()][-1].retry_in is None  # type: ignore[attr-defined]
        assert isinstance(first.error, Refused)
        assert first.error.code == "replaced"


async def test_a_rate_limit_only_delays(tmp_path: Path) -> None:
    settings = {"messages_per_second": 200.0, "message_burst": 10}
    async with Server(port=0, data=tmp_path, **settings) as server, connect(at(server), "duck") as duck:
        handles: list[Sent] = [await duck.send("#all", str(i)) for i in range(60)]
        for sent in handles:
            await sent.accepted(20)
        page = await duck.history("#all", limit=100)
        assert [one.text for one in page.messages if isinstance(one, m.Message)] == [str(i) for i in range(60)]


async def test_kill_9_under_load(tmp_path: Path) -> None:
    """A real process, killed three times while messages flow both ways."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address, total = f"127.0.0.1:{port}", 600
    process = await serve(tmp_path, port)
    alice = await Client(address, "alice", outbox=tmp_path / "a.db").start()
    duck = await Client(address, "duck", outbox=tmp_path / "d.db").start()
    hearing = asyncio.create_task(hear(alice, total))
    handles = []
    for i in range(total):
        handles.append(await duck.send("@alice", str(i)))
        if i % 150 == 149 and i + 1 < total:
            await handles[i - 75].accepted(20)  # the newest are on their way
            process.kill()
            await process.wait()
            process = await serve(tmp_path, port)
    assert await hearing == [str(i) for i in range(total)]
    alice.confirm(handles[-1].seq)
    await handles[-1].delivered(20)
    page = await duck.history("@alice", limit=500)
    assert [one.text for one in page.messages if isinstance(one, m.Message)] == [str(i) for i in range(100, total)]
    await duck.close()
    await alice.close()
    process.terminate()
    assert await process.wait() == 0


async def serve(folder: Path, port: int) -> asyncio.subprocess.Process:
    code = (
        "import asyncio, signal, sys, tcpchat\n"
        "async def main():\n"
        "    async with tcpchat.Server(port=int(sys.argv[2]), data=sys.argv[1], messages_per_second=0) as server:\n"
        "        done = asyncio.Event()\n"
        "        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, done.set)\n"
        "        print('ready', flush=True)\n"
        "        await done.wait()\n"
        "asyncio.run(main())\n"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, str(folder), str(port), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"ready\n"
    return process
