"""The server over real sockets: conversations, receipts, resumption, the end of connections and of the server."""

from __future__ import annotations

import asyncio
import json
import logging
import random
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from support.rawpeer import Peer, Start, eventually
from tcpchat.core.model import Append, Entry
from tcpchat.log import LogUnavailable
from tcpchat.server import Server
from tcpchat.server.admission import household
from tcpchat.server.server import default_log
from tcpchat.server.sockets import PortInUse, listen


async def test_two_guests_talk_with_receipts(server: Server) -> None:
    duck = await Peer.enter(server.port, "duck", device="d1")
    brother = await Peer.enter(server.port, "Big Brother", device="b1")
    accepted = await duck.say("@Big Brother", "quack", 1)
    message = await brother.until("message")
    assert (message["by"], message["text"], message["seq"]) == ("duck", "quack", accepted["seq"])
    brother.send("confirm", seq=message["seq"])
    delivered = await duck.until("receipt", state="delivered")
    assert delivered["seq"] >= message["seq"]
    brother.send("read", to="@duck", seq=message["seq"])
    assert (await duck.until("receipt", state="read"))["by"] == "Big Brother"


async def test_everybody_hears_a_room_and_the_author_its_receipts(server: Server) -> None:
    peers = [await Peer.enter(server.port, f"user{i}", device=f"d{i}") for i in range(5)]
    accepted = await peers[0].say("#all", "hello", 1)
    for peer in peers[1:]:
        assert (await peer.until("message"))["text"] == "hello"
        peer.send("confirm", seq=accepted["seq"])
    receipt = await peers[0].until("receipt", have=4)
    assert (receipt["of"], receipt["seq"]) == (4, accepted["seq"])
    assert not [event for event in await peers[0].sync() if event["t"] == "message"]


async def test_a_burst_arrives_in_order(server: Server) -> None:
    duck = await Peer.enter(server.port, "duck", device="d1")
    brother = await Peer.enter(server.port, "brother", device="b1")
    for n in range(1, 61):
        duck.send("say", to="@brother", text=str(n), n=n)
    texts = [(await brother.until("message"))["text"] for _ in range(60)]
    assert texts == [str(n) for n in range(1, 61)]


async def test_what_was_missed_comes_after_reconnecting(server: Server) -> None:
    duck = await Peer.enter(server.port, "duck", device="d1")
    brother = await Peer.enter(server.port, "brother", device="b1")
    first = await duck.say("@brother", "1", 1)
    await brother.until("message")
    await brother.gone()
    await duck.until("presence", what="offline")
    for n in range(2, 6):
        await duck.say("@brother", str(n), n)
    brother = await Peer.enter(server.port, "brother", device="b1", after=first["seq"])
    assert [(await brother.until("message"))["text"] for _ in range(4)] == ["2", "3", "4", "5"]


async def test_a_new_connection_of_a_device_replaces_the_old(server: Server) -> None:
    old = await Peer.enter(server.port, "duck", device="d1")
    new = await Peer.enter(server.port, "duck", device="d1")
    last = json.loads((await old.rest()).splitlines()[-1])
    assert last.get("code") == "replaced"
    assert await new.sync() is not None
    again = await Peer.enter(server.port, "brother", device="b1")
    assert (await again.say("@duck", "hi", 1))["seq"]
    assert (await new.until("message"))["text"] == "hi"


async def test_messages_survive_a_restart(start: Start) -> None:
    server = await start()
    duck = await Peer.enter(server.port, "duck", device="d1")
    await Peer.enter(server.port, "brother", device="b1")
    accepted = await duck.say("@brother", "before", 1)
    await server.stop()
    assert b'"bye"' in await duck.rest()
    server = await start()
    brother = await Peer.enter(server.port, "brother", device="b1", after=accepted["seq"] - 1)
    assert (await brother.until("message"))["text"] == "before"
    duck = await Peer.enter(server.port, "duck", device="d1")
    assert duck.welcome["last"] == 1
    assert (await duck.say("@brother", "before", 1))["seq"] == accepted["seq"]


# -- silence -------------------------------------------------------------------------------------------------


async def test_a_silent_peer_is_asked_and_then_hung_up(start: Start) -> None:
    server = await start(dead_after=2.0)
    silent = await Peer.enter(server.port, "duck", device="d1")
    watcher = await Peer.enter(server.port, "brother", device="b1")

    async def answer() -> None:
        while True:
            event = await watcher.read()
            if event["t"] == "ping":
                watcher.send("pong", token=event["token"])
            if event["t"] == "presence" and event["what"] == "offline":
                return

    await asyncio.wait_for(answer(), 10)
    told = (await silent.rest()).decode()
    assert '"t":"ping"' in told
    assert '"code":"timeout"' in told
    assert len(server.connections) == 1


async def test_who_says_nothing_at_first_is_told_so(start: Start) -> None:
    server = await start(first_bytes_seconds=0.5)
    nobody = await Peer.connect(server.port)
    drip = await Peer.connect(server.port)
    drip.raw(b"P")
    assert await nobody.rest() == b"tcpchat: no first bytes in time.\r\n"
    drip.raw(b"I")  # what comes later makes no difference: the first bytes decide or the time is up
    assert b"tcpchat" in await drip.rest()


# -- what nobody should send ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        b"\x00\x01\x02\x03 garbage \xff\xfe\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"x" * 5000,
        b"\x16\x03\x01" + b"\x00" * 200,
        b"{" + b"\x00" * 100 + b"\n",
        b'{"t":"say","to":"@x","text":"before hello"}\n',
        b'{"t":"hello","login":"\\ud800"}\n',
        b'{"TYPE": "NOPE"}',
        b'{"TYPE": "HI", "BODY": {"a": [1, 2, {"b": null}]}}',
        b"\r\n" * 600,
    ],
)
async def test_hostile_bytes_get_a_line_or_a_close_and_the_server_lives(
    server: Server, data: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    peer = await Peer.connect(server.port)
    peer.raw(data)
    peer.writer.write_eof()
    answer = await peer.rest()
    assert b"Traceback" not in answer
    await serves(server)
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_random_input_on_many_connections(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    chance = random.Random(6060)
    seeds = [
        b'{"t":"hello","login":"duck","device":"d"}\n{"t":"say","to":"#all","text":"x","n":1}\n{"t":"who","ref":1}\n',
        b'{"TYPE": "HI", "BODY": "duck"}{"TYPE": "SENDTO", "BODY": ["x", "y"]}{"TYPE": "WHOAVAIL", "BODY": ""}',
        b"NICK duck\r\nUSER d 0 * :d\r\nJOIN #a\r\nPRIVMSG #a :x\r\nCHATHISTORY LATEST #a * 5\r\n",
        b"GET / HTTP/1.1\r\nHost: [::1]\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: a\r\n\r\n",
        bytes(range(256)),
    ]

    async def attack() -> None:
        data = bytearray(chance.choice(seeds) * chance.randint(1, 3))
        for _ in range(chance.randint(0, 6)):
            place = chance.randrange(len(data))
            data[place : place + chance.randint(0, 4)] = chance.randbytes(chance.randint(0, 4))
        peer = await Peer.connect(server.port)
        cut = chance.randrange(len(data))
        for part in (bytes(data[:cut]), bytes(data[cut:])):
            peer.raw(part)
            await asyncio.sleep(0)
        if chance.random() < 0.5:
            peer.writer.write_eof()
            assert b"Traceback" not in await peer.rest()
        else:
            peer.writer.transport.abort()

    for _ in range(40):
        await asyncio.gather(*(attack() for _ in range(5)))
    await serves(server)
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_a_line_that_is_too_long_and_half_a_line(server: Server) -> None:
    peer = await Peer.enter(server.port, "duck", device="d1")
    peer.raw(b'{"t":"say","to":"#all","text":"' + b"x" * 1_000_000 + b'"}\n')
    assert (await peer.until("refused"))["code"] == "too_large"
    peer.raw(b'{"t":"status","re')
    await peer.gone()
    await serves(server)


async def test_one_byte_at_a_time(server: Server) -> None:
    peer = await Peer.connect(server.port)
    for byte in b'{"t":"hello","login":"duck","device":"d1"}\n':
        peer.raw(bytes([byte]))
        await peer.writer.drain()
        await asyncio.sleep(0)
    assert (await peer.until("welcome"))["login"] == "duck"


async def test_hello_and_everything_behind_it_in_one_write(server: Server) -> None:
    await Peer.enter(server.port, "brother", device="b1")
    peer = await Peer.connect(server.port)
    lines = [{"t": "hello", "login": "duck", "device": "d1"}]
    lines += [{"t": "say", "to": "@brother", "text": str(n), "n": n} for n in (1, 2, 3)]
    peer.raw(b"".join(json.dumps(line).encode() + b"\n" for line in lines))
    peer.writer.write_eof()
    answers = [json.loads(line) for line in (await peer.rest()).splitlines()]
    assert [event["n"] for event in answers if event["t"] == "accepted"] == [1, 2, 3]


async def serves(server: Server) -> None:
    """The server still does its work."""
    peer = await Peer.enter(server.port, "witness", device="w1")
    await peer.sync()
    await peer.gone()


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2::1", "2001:db8:1:2::"),
        ("fe80::1%eth0", "fe80::"),
        ("", ""),
        ("no:address", "no:address"),
    ],
)
def test_addresses_of_one_customer_are_one(address: str, place: str) -> None:
    assert household(address) == place


async def test_connections_are_counted(start: Start) -> None:
    server = await start(connections_per_address=2)
    held = [await Peer.enter(server.port, f"user{i}", device=f"d{i}") for i in range(2)]
    third = await Peer.connect(server.port)
    assert b"too many connections" in await third.rest()
    await held[0].gone()
    await eventually(lambda: len(server.connections) == 1)
    await Peer.enter(server.port, "user9", device="d9")


# -- a log that fails ----------------------------------------------------------------------------------------


class FailingLog:
    """The real log, but for what the test takes away."""

    def __init__(self, data: Path) -> None:
        self.real = default_log(data)
        self.broken = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    async def append(self, batch: Sequence[Append], at: int) -> list[Entry]:
        if self.broken:
            raise LogUnavailable("no space left on device")
        return await self.real.append(batch, at)


async def test_a_full_disk_refuses_and_goes_on_when_there_is_space(start: Start, tmp_path: Path) -> None:
    log = FailingLog(tmp_path)
    server = await start(log=log)
    duck = await Peer.enter(server.port, "duck", device="d1")
    brother = await Peer.enter(server.port, "brother", device="b1")
    log.broken = True
    says = [{"t": "say", "to": "@brother", "text": str(n), "n": n} for n in (1, 2, 3)]
    duck.raw(b"".join(json.dumps(say).encode() + b"\n" for say in says))
    for n in (1, 2, 3):
        refused = await duck.until("refused")
        assert (refused["code"], refused["n"]) == ("unavailable", n)
    assert not [event for event in await brother.sync() if event["t"] == "message"]
    log.broken = False
    for n in (1, 2, 3):
        await duck.say("@brother", str(n), n)
    assert [(await brother.until("message"))["text"] for _ in range(3)] == ["1", "2", "3"]


# -- a reader that stops -------------------------------------------------------------------------------------


async def test_a_stopped_reader_costs_one_integer_and_gets_all(start: Start) -> None:
    server = await start(write_buffer=32_768, messages_per_second=0)
    slow = await Peer.enter(server.port, "slow", device="s1", receive_buffer=4096)
    duck = await Peer.enter(server.port, "duck", device="d1")
    other = await Peer.enter(server.port, "other", device="o1")
    stuck = next(c for c in server.connections if c.user is not None and c.user.login == "slow")
    count, text = 3000, "x" * 300
    most = 0

    async def others_hear() -> None:
        for n in range(1, count + 1):
            assert (await other.until("message"))["text"].endswith(f" {n}")

    hearing = asyncio.create_task(others_hear())
    for n in range(1, count + 1):
        duck.send("say", to="#all", text=f"{text} {n}", n=n)
        if n % 50 == 0:
            await duck.until("accepted", n=n)
            most = max(most, stuck.transport.get_write_buffer_size())
    await hearing
    assert stuck.full
    assert stuck.session is not None
    assert not stuck.session.live
    assert most < 32_768 + 200_000  # the mark and the one batch that crossed it
    texts = [(await slow.until("message"))["text"] for _ in range(count)]
    assert [int(text.rsplit(" ", 1)[1]) for text in texts] == list(range(1, count + 1))
    slow.send("confirm", seq=duck.welcome["head"] + count)
    assert (await duck.say("@slow", "live again", count + 1))["seq"]
    assert (await slow.until("message"))["text"] == "live again"


async def test_a_reader_that_is_stopped_but_alive_is_not_taken_for_dead(start: Start) -> None:
    server = await start(dead_after=2.0, write_buffer=32_768, messages_per_second=0)
    slow = await Peer.enter(server.port, "slow", device="s1", receive_buffer=4096)
    duck = await Peer.enter(server.port, "duck", device="d1")
    stuck = next(c for c in server.connections if c.user is not None and c.user.login == "slow")
    n = 0
    while not stuck.full:
        n += 1
        await duck.say("#all", "x" * 8000, n)
    until = server.ticks + 40  # twice as long as the silence that ends others
    while server.ticks < until:
        duck.send("ping", token=str(server.ticks))
        await duck.until("pong")
        await asyncio.sleep(0.3)
    assert not stuck.closing
    for _ in range(n):
        await slow.until("message")
    duck.send("bye")


# -- life of the server --------------------------------------------------------------------------------------


async def test_port_0_takes_a_free_port_on_every_address_of_the_host(start: Start) -> None:
    server = await start(host="localhost")
    assert server.port > 0
    with socket.create_connection(("127.0.0.1", server.port), 5):
        pass


async def test_a_port_in_use_is_an_error_of_its_own(server: Server) -> None:
    with pytest.raises(PortInUse, match=str(server.port)):
        await Server(port=server.port, data=None).start()
    with pytest.raises(OSError, match=r"not an address|assign"):
        listen("192.0.2.1", 0)  # an address that is not ours (TEST-NET-1)


async def test_stopping_says_goodbye_and_can_be_repeated(start: Start) -> None:
    server = await start()
    peer = await Peer.enter(server.port, "duck", device="d1")
    forever = asyncio.create_task(server.serve_forever())
    await asyncio.gather(server.stop(), server.stop())
    await forever
    last = json.loads((await peer.rest()).splitlines()[-1])
    assert (last["t"], last["code"]) == ("bye", "stopping")


async def test_stopping_under_load_gives_everybody_the_last_words(start: Start) -> None:
    """What lies unread when a socket is closed would reset it, and the last answers and the goodbye would be lost."""
    server = await start(messages_per_second=0, bytes_per_second=0)
    says = b"".join(b'{"t":"say","n":%d,"to":"#all","text":"%s"}\n' % (n, b"x" * 200) for n in range(1, 60))
    natives = [await Peer.enter(server.port, f"n{number}", receive_buffer=4_096) for number in range(20)]
    ircs = []
    for number in range(10):
        irc = await Peer.connect(server.port, receive_buffer=4_096)
        irc.raw(b"NICK i%d\r\nUSER i 0 * :i\r\n" % number)
        await asyncio.wait_for(irc.reader.readuntil(b" 001 "), 20)
        ircs.append(irc)
    for peer in natives:
        peer.raw(says)
    for irc in ircs:
        irc.raw(b"PRIVMSG #all :hello\r\n" * 3_000)
    await natives[0].until("accepted", n=1)
    for peer in (*natives, *ircs):
        peer.reader._transport.pause_reading()  # type: ignore[attr-defined]
    await eventually(lambda: server.chat.head > 20 * 59)
    stopping = asyncio.ensure_future(server.stop())
    for peer in natives:
        peer.raw(b'{"t":"status"}\n' * 5_000)  # they go on talking
    await eventually(lambda: all(connection.closing for connection in server.connections))
    for peer in (*natives, *ircs):
        peer.reader._transport.resume_reading()  # type: ignore[attr-defined]
    heard = await asyncio.gather(*(peer.rest() for peer in natives))
    told = await asyncio.gather(*(irc.rest() for irc in ircs))
    await stopping
    assert all(b'"t":"bye"' in out.splitlines()[-1] for out in heard)
    assert all(b"ERROR :" in out.splitlines()[-1] for out in told)


async def test_stopping_makes_durable_what_came(start: Start) -> None:
    server = await start()
    duck = await Peer.enter(server.port, "duck", device="d1")
    for n in range(1, 33):
        duck.send("say", to="#all", text=str(n), n=n)
    await duck.until("accepted", n=1)
    await server.stop()
    said = 1 + sum(json.loads(line)["t"] == "accepted" for line in (await duck.rest()).splitlines())
    server = await start()
    assert (await Peer.enter(server.port, "duck", device="d1")).welcome["last"] == said


async def test_the_console_and_the_text_log(start: Start, tmp_path: Path) -> None:
    lines: list[str] = []
    server = await start(console=lines.append)
    await Peer.enter(server.port, "duck", device="d1")
    brother = await Peer.enter(server.port, "Big Brother", device="b1")
    await brother.say("@duck", "*quack*", 1)
    brother.send("status", ref=1)
    await brother.until("state", ref=1)
    brother.send("bye")
    await brother.rest()
    await server.stop()
    assert lines == [
        "duck has joined --- len users 1",
        "Big Brother has joined --- len users 2",
        "Big Brother has left ... len users 1",
        "duck has left ... len users 0",
    ]
    text = (tmp_path / "data" / "syslog").read_text().splitlines()
    assert text[:5] == [
        "Accepted new user duck",
        "Accepted new user Big Brother",
        "server at READY2SERV state",
        "Big Brother > *quack*",
        "Big Brother leaves server",
    ]


async def test_a_snapshot_is_taken_at_the_end_and_every_so_many_entries(start: Start) -> None:
    server = await start(snapshot_entries=10)
    duck = await Peer.enter(server.port, "duck", device="d1")
    for n in range(1, 30):
        await duck.say("#all", str(n), n)
    await eventually(lambda: server.snapshots.seq > 0)
    await duck.say("#all", "30", 30)
    await server.stop()
    assert server.log is not None
    assert server.snapshots.seq == server.log.head


def test_in_a_thread() -> None:
    with Server.in_thread(port=0, data=None) as server, socket.create_connection(("127.0.0.1", server.port), 5) as s:
        s.sendall(b'{"t":"hello","login":"duck"}\n')
        assert b'"welcome"' in s.recv(65536)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port), 5)


def test_what_goes_wrong_at_the_start_of_a_thread_is_raised() -> None:
    with (
        Server.in_thread(port=0, data=None) as server,
        pytest.raises(PortInUse),
        Server.in_thread(port=server.port, data=None),
    ):
        pass


def test_unknown_settings_are_refused() -> None:
    with pytest.raises(TypeError, match="dead_afetr"):
        Server(dead_afetr=1)
