"""What others write never reaches the terminal as anything but text: escapes, C1, bidi, markup, in every place."""

from __future__ import annotations

import pytest
from textual import events

from support.fake_client import FakeClient
from support.tuiworld import Run, chat, screen_text, settle
from tcpchat.client import Refused
from tcpchat.core import model as m
from tcpchat.tui import notify

EVIL = "\x1b]2;pwned\x1b\\\x1b[31m\x9b31m\x9d2;x\x9c\x07\u202ertl\u2066\x00\r\u200b[@click=app.quit]c[/] [/b] ["
BAD = [chr(code) for code in (*range(0x20), 0x7F, *range(0x80, 0xA0))] + ["\u202e", "\u2066", "\u200b", "\u2028"]


def assert_clean(text: str) -> None:
    for char in BAD:
        if char != "\n":
            assert char not in text, repr(char)


@pytest.mark.parametrize("theme", ["dark", "auto"])
async def test_nothing_evil_is_on_the_screen(run: Run, client: FakeClient, theme: str) -> None:
    from tcpchat.tui.settings import Settings

    client.room("#" + EVIL, topic=EVIL, members=2)
    client.room("@" + EVIL, members=2)
    client.person("evil" + EVIL, account="x", away=EVIL)
    client.say("#" + EVIL, "evil" + EVIL, EVIL)
    client.happen("#" + EVIL, "joined", EVIL)
    client.happen("#" + EVIL, "topic", EVIL, text=EVIL)
    seq = client.say("#" + EVIL, "you", EVIL, kind="action").seq
    client.receipt_lists[seq] = m.ReceiptList(
        seq, "accepted", (m.Delivery(EVIL, "read", 5), m.Delivery(EVIL, "accepted"))
    )
    async with run((118, 40), settings=Settings(theme=theme, notify="all", how="osc777"), room="#" + EVIL) as pilot:
        client.say("#" + EVIL, "evil" + EVIL, "[b]" + EVIL, live=True)
        client.put(m.TypingNotice("evil" + EVIL, "#" + EVIL))
        client.say("@" + EVIL, EVIL, EVIL, live=True)
        client.put(m.RoomEvent(99, 1, "invited", "#x" + EVIL, by=EVIL, login="you"))
        await settle(pilot)
        assert_clean("\n".join(screen_text(pilot)))
        assert any("pwned" in line for line in screen_text(pilot))
        assert any("[@click=app.quit]c[/] [/b] [" in line for line in screen_text(pilot))
        chat(pilot).composer.insert("e")
        await settle(pilot)
        assert_clean("\n".join(screen_text(pilot)))
        chat(pilot).composer.put("")
        for keys in (["ctrl+k"], ["ctrl+f", "c"], ["f1"], ["ctrl+up", "i"], ["ctrl+up", "r"]):
            for key in keys:
                await pilot.press(key)
            await pilot.pause(0.15 if "ctrl+f" in keys else None)
            await settle(pilot)
            assert_clean("\n".join(screen_text(pilot)))
            await pilot.press("escape")
            await settle(pilot)
        for command in ("/who", "/rooms", "/whois evil", "/topic", "/nonsense" + EVIL):
            chat(pilot).composer.put(command)
            await pilot.press("enter")
            await settle(pilot)
            assert_clean("\n".join(screen_text(pilot)))
            await pilot.press("escape")
            await settle(pilot)
        assert pilot.app.is_running
        assert all(char not in pilot.app.export_screenshot() for char in BAD if char not in "\n\t\r")
        for text in pilot.app.written:  # type: ignore[attr-defined]
            inner = text.removeprefix("\x1b]777;notify;").removeprefix("\x1b]2;").removesuffix("\x1b\\")
            if text not in ("\x1b[22;2t", "\x1b[23;2t"):
                assert_clean(inner)


async def test_errors_of_a_server_are_clean_too(run: Run, client: FakeClient) -> None:
    async with run() as pilot:
        client.go_offline(EVIL, 3.0)
        await settle(pilot)
        assert_clean("\n".join(screen_text(pilot)))
        client.end(Refused("claimed", EVIL))
        await settle(pilot)
        assert_clean("\n".join(screen_text(pilot)))


async def test_a_clipboard_is_cleaned(run: Run) -> None:
    async with run() as pilot:
        for key in ("", "ctrl+k", "ctrl+f"):
            if key:
                await pilot.press(key)
                await settle(pilot)
            assert pilot.app.focused is not None
            pilot.app.focused.post_message(events.Paste(EVIL))
            await settle(pilot)
            assert_clean("\n".join(screen_text(pilot)))
            assert "pwned" in "\n".join(screen_text(pilot)[8:])
            await pilot.press("escape")
            await settle(pilot)


async def test_a_click_on_markup_does_nothing(run: Run, client: FakeClient) -> None:
    async with run() as pilot:
        client.say("#duck", "duck", "[@click=app.quit]click me[/]", live=True)
        await settle(pilot)
        y = next(at for at, line in enumerate(screen_text(pilot)) if "click me" in line)
        for x in range(38, 66, 3):
            await pilot.click(offset=(x, y))
        await settle(pilot)
        assert pilot.app.is_running


# -- notifications -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["osc9", "osc777", "osc99", "bell", "none"])
@pytest.mark.parametrize("tmux", [False, True])
def test_a_sequence_holds_nothing_that_could_end_it(way: str, tmux: bool) -> None:
    text = notify.sequence(way, EVIL + ";", EVIL + "x;y" * 200, tmux=tmux, ident=EVIL)
    if way in ("bell", "none"):
        assert text == ("\x07" if way == "bell" else "")
        return
    if tmux:
        assert text.startswith("\x1bPtmux;")
        assert text.endswith("\x1b\\")
        text = text.removeprefix("\x1bPtmux;").removesuffix("\x1b\\").replace("\x1b\x1b", "\x1b")
    assert text.count("\x1b]") == {"osc9": 1, "osc777": 1, "osc99": 2}[way]
    assert text.count("\x1b") == {"osc9": 1, "osc777": 2, "osc99": 4}[way]
    assert "\x9b" not in text
    assert "\u202e" not in text
    assert len(text) < 500


@pytest.mark.parametrize(
    ("environment", "way"),
    [
        ({"TERM": "xterm-kitty"}, "osc99"),
        ({"KITTY_WINDOW_ID": "1"}, "osc99"),
        ({"TERM_PROGRAM": "WezTerm"}, "osc777"),
        ({"TERM": "foot"}, "osc777"),
        ({"TERM_PROGRAM": "iTerm.app"}, "osc9"),
        ({"TERM_PROGRAM": "Apple_Terminal"}, "bell"),
        ({"TERM": "xterm-256color"}, "bell"),
        ({}, "bell"),
    ],
)
def test_the_way_follows_the_terminal(environment: dict[str, str], way: str) -> None:
    assert notify.method("auto", environment) == way
    assert notify.method("osc9", environment) == "osc9"


def test_one_notification_per_room_in_five_seconds() -> None:
    written: list[str] = []
    caller = notify.Caller(written.append, {})
    assert caller.call("#a", "duck", "one", "auto", 100.0)
    assert not caller.call("#a", "duck", "two", "auto", 104.0)
    assert caller.call("#b", "duck", "one", "auto", 104.0)
    assert caller.call("#a", "duck", "three", "auto", 105.1)
    assert written == ["\x07"] * 3
    caller.title("x\x1b\\")
    caller.title("x\x1b\\")
    assert written[3:] == ["\x1b]2;x\ufffd\\\x1b\\"]


async def test_who_is_called_for_what(run: Run, client: FakeClient) -> None:
    async with run() as pilot:
        written = pilot.app.written  # type: ignore[attr-defined]

        async def bells() -> int:
            await settle(pilot)
            pilot.app.caller._last.clear()  # type: ignore[attr-defined]
            number = written.count("\x07")
            written.clear()
            return int(number)

        await bells()
        client.say("#duck", "duck", "@you here", live=True)
        assert await bells() == 0  # the room is open and looked at
        client.say("#random", "duck", "hello", live=True)
        assert await bells() == 0  # no mention
        client.say("#random", "duck", "@you there", live=True)
        assert await bells() == 1
        client.say("@carol", "carol", "psst", live=True)
        assert await bells() == 1
        pilot.app.app_focus = False
        client.say("#duck", "duck", "@you away?", live=True)
        assert await bells() == 1
        pilot.app.settings.notify = "none"  # type: ignore[attr-defined]
        client.say("@carol", "carol", "psst", live=True)
        assert await bells() == 0
        pilot.app.settings.notify = "all"  # type: ignore[attr-defined]
        client.say("#random", "duck", "hello", live=True)
        assert await bells() == 1
        chat(pilot).session.get("#random").muted = True
        client.say("#random", "duck", "hello", live=True)
        assert await bells() == 0
