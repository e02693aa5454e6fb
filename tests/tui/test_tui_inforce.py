"""What the person has chosen is what is in force, and what is shown: keys typed fast, other keys, words for states."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from textual import events
from textual.pilot import Pilot

from support.fake_client import FakeClient
from support.tuiworld import Run, chat, screen_text, settle
from tcpchat import i18n
from tcpchat.tui import keys
from tcpchat.tui.panels import help_lines, key_rows
from tcpchat.tui.settings import Settings
from tcpchat.tui.themes import UNICODE


@pytest.fixture(autouse=True)
def ours_again() -> Iterator[None]:
    yield
    keys.use({})
    i18n.use(None)


def settings(language: str = "auto", ticks: str = "unicode", **chosen: str) -> Settings:
    wanted = {name.replace("__", "."): value for name, value in chosen.items()}
    return Settings(theme="dark", how="bell", language=language, ticks=ticks, keys=wanted)


async def at_once(pilot: Pilot[Any], *names: str) -> None:
    """All keys in one piece: every one is there before the first has done anything."""
    for name in names:
        pilot.app.post_message(events.Key(name, None))
    await settle(pilot)


async def test_keys_that_come_in_one_piece_act_in_their_order(run: Run) -> None:
    async with run() as pilot:
        copied: list[str] = []
        pilot.app.copy_to_clipboard = copied.append  # type: ignore[method-assign]
        chat(pilot).composer.insert("copy that")
        await at_once(pilot, *["shift+left"] * 4, "ctrl+c")
        assert copied == ["that"]
        assert chat(pilot).composer.text == "copy that"
        await at_once(pilot, "end", "shift+home", "ctrl+c", "right", "ctrl+w", "ctrl+n")
        assert copied == ["that", "copy that"]
        assert chat(pilot).session.get("#duck").draft == "copy "


async def test_a_key_does_not_overtake_the_one_before_on_a_busy_computer(run: Run) -> None:
    async def busy() -> None:
        for _turn in range(50):  # the key before has come back up from the input, and waits behind this
            await asyncio.sleep(0)

    async with run() as pilot:
        copied: list[str] = []
        pilot.app.copy_to_clipboard = copied.append  # type: ignore[method-assign]
        chat(pilot).composer.insert("copy that")
        pilot.app.post_message(events.Key("shift+left", None))
        pilot.app.call_later(busy)
        await at_once(pilot, "ctrl+c")
        assert copied == ["t"]


async def test_hints_and_help_show_the_keys_in_force(run: Run) -> None:
    chosen = settings(
        help="ctrl+t", goto="ctrl+g, f6", search="ctrl+s", room__next_unread="f5", pane__rooms="f4", quit="ctrl+x"
    )
    async with run((160, 40), settings=chosen) as pilot:
        lines = screen_text(pilot)
        hints = next(line for line in lines if "next unread" in line)
        for shown in (
            "Ctrl+T help",
            "F5 next unread",
            "F6 go to",
            "Ctrl+S search",
            "F4 rooms",
            "F8 people",
            "Ctrl+X q",
        ):
            assert shown in hints
        everything = "\n".join(lines)
        assert "+ join (F6)" in everything
        for gone in ("F1", "F2", "Ctrl+K", "Ctrl+F ", "F7", "Ctrl+Q"):
            assert gone not in everything
        await at_once(pilot, "ctrl+c", "ctrl+c")
        assert "Ctrl+X quits." in "\n".join(screen_text(pilot))
        await at_once(pilot, "ctrl+t")
        rows = {text: shown for group in keys.GROUPS for shown, text in key_rows(group)}
        assert rows["this help"] == "Ctrl+T"
        assert rows["go to a room, a person, a command"] == "Ctrl+G, F6"
        assert any("  F5  " in line and "next unread room, mentions first" in line for line in screen_text(pilot))
        await at_once(pilot, "ctrl+t")
        assert "Your messages" not in "\n".join(screen_text(pilot))


async def test_the_strip_of_a_narrow_window_shows_the_key_in_force(run: Run) -> None:
    async with run((60, 24), settings=settings(room__next_unread="f5")) as pilot:
        assert any(line.endswith("F5 next") for line in screen_text(pilot))


async def test_the_search_panel_has_the_same_key(run: Run) -> None:
    async with run(settings=settings(search="ctrl+s")) as pilot:
        await at_once(pilot, "ctrl+s")
        text = "\n".join(screen_text(pilot))
        assert "Search: #duck" in text
        assert "Ctrl+S here/everywhere" in text
        assert "words; Ctrl+S: everywhere" in text
        await at_once(pilot, "ctrl+s")
        assert "Search: everywhere" in "\n".join(screen_text(pilot))


async def test_keys_of_a_selected_message(run: Run, client: FakeClient) -> None:
    async with run((160, 40), settings=settings(msg__reply="a", msg__info="ctrl+о")) as pilot:
        await at_once(pilot, "ctrl+up")
        assert "a reply  Ctrl+J info  y copy  o open link" in "\n".join(screen_text(pilot))
        pilot.app.post_message(events.Key("a", "a"))
        await settle(pilot)
        assert chat(pilot).replying is not None
        assert chat(pilot).composer.text == ""
        await at_once(pilot, "escape", "ctrl+up")
        pilot.app.post_message(events.Key("ф", "ф"))
        await settle(pilot)
        assert chat(pilot).replying is not None


def test_a_key_given_to_something_else_is_not_shown_at_both() -> None:
    keys.use({"help": "f2", "quit": "", "msg.copy": "c,ctrl+l", "nonsense": "f7"})
    assert keys.in_force("help") == "f2"
    assert keys.in_force("room.next_unread") == "alt+a"
    assert keys.brief("room.next_unread") == "Alt+A"
    assert keys.in_force("quit") == "ctrl+q"
    assert keys.in_force("redraw") == "ctrl+l"
    assert keys.brief("pane.rooms") == "F7"
    keys.use({"help": "f7", "search": "tab"})
    assert keys.brief("pane.rooms") == ""
    assert keys.brief("complete") == ""
    assert "room list on and off" not in dict(map(reversed, key_rows("view")))  # type: ignore[call-overload]


def test_rooms_with_keys_of_their_own_have_rows_of_their_own() -> None:
    assert ("Alt+1 ... Alt+0", "room 1 to 10") in key_rows("rooms")
    keys.use({"room.3": "f4"})
    rows = key_rows("rooms")
    assert ("F4", "room 3") in rows
    assert ("Alt+0", "room 10") in rows
    assert all(text != "room 1 to 10" for _shown, text in rows)


def test_help_names_the_key_that_sends_again() -> None:
    keys.use({"msg.resend": "ctrl+r"})
    said = "".join(text for line in help_lines(UNICODE) for text, _style in line.left)
    assert "not sent; Ctrl+R on it sends again" in said


def tick(pilot: Pilot[Any]) -> str:
    """The state of the own message."""
    line = next(line for line in screen_text(pilot) if "hour ago" in line)
    return line.rpartition("│")[0].split()[-1]


async def test_words_for_states_are_in_the_language(run: Run) -> None:
    async with run((118, 28), settings=settings("ru", "words")) as pilot:
        assert tick(pilot) == "ушло"
        await at_once(pilot, "f1")
        text = "\n".join(screen_text(pilot))
        assert "прочли  прочитано: было на экране у всех" in text
        assert "ждёт    ждёт: ещё" in text
        await at_once(pilot, "escape")
        await chat(pilot).doing.do_set("language en")
        await settle(pilot)
        assert tick(pilot) == "sent"
        await chat(pilot).doing.do_set("language ru")
        await settle(pilot)
        assert tick(pilot) == "ушло"
