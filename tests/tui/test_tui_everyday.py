"""What people do every day, in the client on a pty with a real server: what the tables of keys do not say."""

from __future__ import annotations

import asyncio
import re
import sys

import pytest

import tcpchat
from support.realterm import PtyTerminal
from support.realworld import World
from tcpchat.core import model as m

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs a pty")


def test_every_room_has_its_draft(terminal: PtyTerminal) -> None:
    terminal.press("/join ops\r")
    terminal.until("#ops>")
    terminal.press("half a th")
    terminal.until("#ops> half a th")
    terminal.press("\x1b1")
    terminal.until(re.compile(r"(?m)^ #all> *$").search)
    terminal.press("other")
    terminal.until("#all> other")
    terminal.press("\x1b2")
    terminal.until("#ops> half a th")
    terminal.press("ought\r")
    terminal.until(re.compile("half a thought +✓").search)
    terminal.press("\x1b1")
    terminal.until("#all> other")


def test_ignored_people_and_muted_rooms(world: World, terminal: PtyTerminal) -> None:
    terminal.press("/join ops\r")
    terminal.until("#ops>")
    terminal.press("/mute\r/1\r/ignore troll\r")
    terminal.until("troll is not shown from now on.")
    world.say(("#all", "you all are silly"), by="troll")
    world.say(("#ops", "quiet here"), ("#all", "hello"), by="duck")
    text = terminal.until("hello")
    assert "silly" not in text
    assert "unread:" not in text
    terminal.press("/unignore troll\r/unmute ops\r")
    terminal.until("troll is shown again.")
    world.say(("#all", "sorry"), by="troll")
    terminal.until("sorry")
    world.say(("#ops", "again"), by="duck")
    terminal.until("2:#ops")


def test_who_types_and_who_has_it(world: World, terminal: PtyTerminal) -> None:
    async def company() -> None:
        address = f"127.0.0.1:{world.port}"
        async with (
            tcpchat.connect(address, "duck", device="d") as duck,
            tcpchat.connect(address, "swan", device="s") as swan,
        ):
            for one in (duck, swan):
                await one.join("#ops")
            terminal.press("/join ops\r")
            await asyncio.to_thread(terminal.until, "me joined")  # who is not inside yet is told of no typing
            duck.typing("#ops", True)
            await asyncio.to_thread(terminal.until, "duck is typing")
            terminal.press("who has it\r")
            await asyncio.to_thread(terminal.until, re.compile("who has it +✓").search)
            async for message in duck.messages():
                await duck.command(m.Read(message.to, message.seq))  # what is asked below holds it
                break
            await asyncio.to_thread(terminal.press, "\x1b[1;5Ai")
            await asyncio.to_thread(terminal.until, re.compile("read +.*duck").search)

    asyncio.run(company())


def test_to_a_day_and_back(world: World, terminal: PtyTerminal) -> None:
    world.say(*(("#all", f"number {number}") for number in range(300)))
    terminal.until("number 299")
    terminal.press("/goto today\r")
    terminal.until(lambda text: re.search(r"number 0\b", text) and "number 299" not in text)
    terminal.press("\x1b")
    terminal.until("number 299")


def test_the_mouse_opens_a_room_and_copies(world: World, terminal: PtyTerminal) -> None:
    terminal.press("/join ops\r")
    terminal.until("#ops>")
    terminal.press("\x1b[<0;6;2M\x1b[<0;6;2m")
    terminal.until("#all>")
    world.say(("#all", "drag me"))
    text = terminal.until("drag me").split("\n")
    row = next(at for at, line in enumerate(text, 1) if "drag me" in line)
    column = text[row - 1].index("drag") + 1
    terminal.press(f"\x1b[<0;{column};{row}M\x1b[<32;{column + 3};{row}M\x1b[<32;{column + 4};{row}M")
    terminal.press(f"\x1b[<0;{column + 4};{row}m")
    terminal.press("\x03")
    terminal.until("Copied.")
    assert b"\x1b]52;c;ZHJhZ" in terminal.raw


def test_a_settings_file_changes_keys_ticks_and_language(world: World) -> None:
    settings = world.folder / "config.toml"
    settings.write_text(
        '[ui]\nlanguage = "ru"\nticks = "words"\n[keys]\n"help" = "f5"\n"goto" = "ctrl+g"\n"nope" = "f6"\n'
    )
    terminal = PtyTerminal(["chat", world.where], world.home, TCPCHAT_CONFIG=str(settings))
    try:
        terminal.until("#all>")
        terminal.until("КОМНАТЫ")
        terminal.press("привет\r")
        terminal.until(re.compile("привет +ушло").search)
        terminal.press("\x1b[15~")
        terminal.until("Справка")
        terminal.press("\x1b")
        terminal.until(lambda text: "Справка" not in text)
        terminal.press("\x07")
        terminal.until("Перейти")
    finally:
        terminal.close()
