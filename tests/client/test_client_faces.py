"""The synchronous face, bots, and the examples that people copy."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import tcpchat
from support.fakechat import FakeChat
from tcpchat import Bot, Server, connect, sync
from tcpchat.client.bot import ANSWERS_MAX, ANSWERS_SECONDS, PLACES_MAX, Brake, Heard
from tcpchat.core import model as m

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"


def test_the_synchronous_face(tmp_path: Path) -> None:
    with Server.in_thread(port=0, data=tmp_path) as server:
        address = f"127.0.0.1:{server.port}"
        with sync.connect(address, "alice") as alice, sync.connect(address, "duck") as duck:
            assert (duck.login, duck.online, duck.state) == ("duck", True, "online")
            assert duck.welcome is not None
            sent = duck.send("@alice", "quack")
            assert sent.accepted(5).seq > 0
            assert "accepted" in repr(sent)
            with pytest.raises(tcpchat.TimedOut):
                sent.delivered(0.01)
            for message in alice.messages(timeout=5):
                assert message.text == "quack"
                break
            duck.send("@alice", "again")
            assert [one.text for one in alice.messages(timeout=0.2)] == ["again"]
            assert sent.delivered(5).state == "delivered"
            alice.read("@duck", sent.seq)
            sent.read(5)
            assert (sent.n, sent.reason, sent.error) == (1, "", None)
            duck.join("#pond")
            duck.topic("#pond", "water")
            duck.invite("#pond", "alice")
            assert {room.to for room in duck.rooms()} >= {"#pond"}
            duck.leave("#pond")
            assert len(duck.history("@alice").messages) == len(duck.search("quack").messages) + 1
            assert {person.login for person in duck.who()} == {"alice", "duck"}
            assert duck.receipts(sent.seq).state == "read"
            assert duck.status_now().state == duck.status == "READY2SERV"
            duck.edit(sent.seq, "QUACK")
            duck.remove(sent.seq)
            duck.away("gone")
            duck.set("name", "Donald")
            duck.rename("donald")
            assert isinstance(duck.command(m.Who()), m.People)
            assert any(isinstance(event, tcpchat.Online) for event in alice.events(timeout=0.1)) is False
            alice.confirm(sent.seq)
            with pytest.raises(tcpchat.Refused):
                duck.kick("#nowhere", "x")
        with pytest.raises(tcpchat.ConnectionFailed):
            duck.send("@alice", "closed")
        duck.close()


def test_the_synchronous_face_without_a_server() -> None:
    with pytest.raises(tcpchat.ConnectionFailed), sync.connect("127.0.0.1:1", "duck", reconnect=False):
        pass
    client = sync.connect("127.0.0.1:1", "duck")
    with pytest.raises(tcpchat.ConnectionFailed):
        client.send("@x", "y")
    client.close()


@contextlib.asynccontextmanager
async def served(bot: Bot) -> AsyncIterator[None]:
    task = asyncio.create_task(bot.serve())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_a_bot(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with Server(port=0, data=tmp_path) as server:
        address = f"127.0.0.1:{server.port}"
        bot = Bot(address, "bot").join("#pond", "bad,name")
        heard: list[str] = []

        @bot.on_message
        def every(message: Heard) -> None:
            heard.append(f"{message.by} {message.to} {message.text}")

        @bot.command("!add")
        async def add(message: Heard, rest: str) -> str:
            return str(sum(map(int, rest.split())))

        @bot.command("!reply")
        async def reply(message: Heard, rest: str) -> None:
            await message.reply(f"{message.direct}")

        async with connect(address, "duck") as duck, served(bot):
            await duck.join("#pond")
            messages, events = duck.messages(), duck.events()
            while not (isinstance(event := await events.next(5), m.RoomEvent) and event.login == "bot"):
                pass
            with caplog.at_level(logging.CRITICAL, "tcpchat.bot"):
                await duck.send("@bot", "!add no numbers")
            sent = await duck.send("@bot", "!add 40 2")
            answer = await messages.next(5)
            assert answer is not None
            assert (answer.by, answer.to, answer.text, answer.re) == ("bot", "@duck", "42", sent.seq)
            await duck.send("#pond", "!reply")
            answer = await messages.next(5)
            assert answer is not None
            assert (answer.to, answer.text) == ("#pond", "False")
            assert heard == ["duck @bot !add no numbers", "duck @bot !add 40 2", "duck #pond !reply"]


async def test_a_bot_that_is_turned_away(chat: FakeChat) -> None:
    async with connect(chat.address, "bot"):
        chat.on_hello.append(lambda link: link.tell(m.Refused("banned", "No bots.")) or True)
        with pytest.raises(tcpchat.Refused, match="No bots"):
            await Bot(chat.address).serve()


# -- what people copy ------------------------------------------------------------------------------------------------


def program(*words: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-u", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )


def end(running: subprocess.Popen[str]) -> tuple[str, str]:
    running.terminate()
    return running.communicate(timeout=20)


def test_example_bot(tmp_path: Path) -> None:
    with Server.in_thread(port=0, data=tmp_path) as server:
        address = f"127.0.0.1:{server.port}"
        bot = program(str(EXAMPLES / "bot.py"), address)
        try:
            with sync.connect(address, "duck") as duck:
                for event in duck.events(timeout=20):
                    if isinstance(event, m.Presence) and (event.login, event.what) == ("dice", "online"):
                        break
                duck.send("@dice", "!roll 2d6")
                (answer,) = [next(duck.messages(timeout=20))]
                assert re.fullmatch(r"\d+ \(\d, \d\)", answer.text)
        finally:
            _, errors = end(bot)
        assert errors == ""


def test_example_script(tmp_path: Path) -> None:
    with Server.in_thread(port=0, data=tmp_path) as server:
        address = f"127.0.0.1:{server.port}"
        with sync.connect(address, "ops") as ops:
            script = program(str(EXAMPLES / "script.py"), "@ops", "backup done", TCPCHAT_SERVER=address)
            message = next(ops.messages(timeout=20))
            assert (message.by, message.text) == ("backup", "backup done")
            ops.confirm(message.seq)
            output, errors = script.communicate(timeout=20)
        assert (output, errors, script.returncode) == (f"delivered {message.seq}\n", "", 0)


def test_example_embedded_server(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / "embedded_server.py")], cwd=tmp_path, capture_output=True, text=True, timeout=30
    )
    assert (done.stdout, done.stderr) == ("duck: quack\ndelivered to program\n", "")
    assert list(tmp_path.iterdir()) == []


def blocks(path: Path) -> list[str]:
    return re.findall(r"```python\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("number", range(len(blocks(ROOT / "docs" / "embedding.md"))))
def test_the_page_about_embedding(tmp_path: Path, number: int) -> None:
    """Every block of the page runs as it is printed, against a server on its usual place."""
    block = blocks(ROOT / "docs" / "embedding.md")[number]
    script = tmp_path / "block.py"
    with Server.in_thread(port=0, data=tmp_path / "data") as server:
        address = f"127.0.0.1:{server.port}"
        script.write_text(block.replace("localhost:6060", address), encoding="utf-8")
        with sync.connect(address, "alice") as alice:
            running = program(str(script), TCPCHAT_SERVER=address, TCPCHAT_HOME=str(tmp_path / "home"))
            if "messages()" in block or "Bot(" in block:  # it listens: talk to it
                for event in alice.events(timeout=20):
                    if isinstance(event, m.Presence) and event.what == "online":
                        alice.send(f"@{event.login}", "!ping")
                        alice.send(f"@{event.login}", "bye")
                        break
            for _ in alice.messages(timeout=0.5):
                pass
            try:
                output, errors = running.communicate(timeout=3 if "Bot(" not in block else 1)
            except subprocess.TimeoutExpired:
                output, errors = end(running)
        assert errors == "", errors
        assert "Traceback" not in output


async def test_bots_do_not_answer_bots() -> None:
    async with Server(port=0, data=None) as server:
        address = f"localhost:{server.port}"
        heard: list[str] = []

        def made(login: str, answer_bots: bool) -> Bot:
            bot = Bot(address, login, answer_bots=answer_bots).join("#bots")

            @bot.on_message
            def every(message: Heard) -> str:
                heard.append(message.by)
                return "heard: " + message.text[:20]

            return bot

        async with connect(address, "duck") as duck:
            await duck.join("#bots")
            messages, events = duck.messages(), duck.events()
            async with served(made("robo", False)), served(made("echo", False)):
                here = {"robo", "echo"}
                while here:
                    if isinstance(event := await events.next(5), m.RoomEvent):
                        here.discard(event.login)
                for text in ("hello", "bye"):  # what the bots made of the first answers is known with the second ones
                    await duck.send("#bots", text)
                    answers = [await messages.next(5) for _ in range(2)]
                    assert sorted((one.by, one.bot) for one in answers if one) == [("echo", True), ("robo", True)]
                    assert {one.text for one in answers if one} == {"heard: " + text}
        assert heard == ["duck"] * 4


def test_the_brake_of_a_bot() -> None:
    brake = Brake()
    assert [brake.lets("#a", 1.0) for _ in range(ANSWERS_MAX + 2)] == [True] * ANSWERS_MAX + [False, False]
    assert brake.lets("#b", 1.0)
    assert not brake.lets("#a", 1.0 + ANSWERS_SECONDS - 0.1)
    assert brake.lets("#a", 1.0 + ANSWERS_SECONDS)
    for number in range(PLACES_MAX + 5):
        brake.lets(f"#{number}", 2.0)
    assert len(brake._times) == PLACES_MAX


async def test_a_plain_handler_may_take_its_time() -> None:
    """The bot answers the server meanwhile, so it is not taken for dead."""
    begun, go_on = threading.Event(), threading.Event()
    bot = Bot(login="slow", outbox=None).join("#pond")

    @bot.on_message
    def think(message: Heard) -> str:
        begun.set()
        assert go_on.wait(20)
        return "done"

    async with tcpchat.Server(port=0, data=None) as server:
        bot.server = f"127.0.0.1:{server.port}"
        async with connect(bot.server, "duck", outbox=None) as duck:
            await duck.join("#pond")
            messages, events = duck.messages(), duck.events()
            async with served(bot):
                while not (isinstance(event := await events.next(20), m.RoomEvent) and event.login == "slow"):
                    pass
                await duck.send("#pond", "think")
                await asyncio.to_thread(begun.wait, 20)
                assert bot.client is not None
                assert (await bot.client.status_now()).online == 2
                go_on.set()
                answer = await messages.next(20)
                assert answer is not None
                assert (answer.by, answer.text) == ("slow", "done")
