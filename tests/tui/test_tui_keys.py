"""Every row of the key table does what it says, on the whole application with a client without a server."""

from __future__ import annotations

from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from support.fake_client import FakeClient
from support.tuiworld import Run, chat, screen_text, settle
from tcpchat.client import Refused
from tcpchat.core import model as m
from tcpchat.tui import keys
from tcpchat.tui.composer import Composer
from tcpchat.tui.panels import AskPanel, HelpPanel, InfoPanel
from tcpchat.tui.search import SearchPanel
from tcpchat.tui.settings import Settings
from tcpchat.tui.switcher import Switcher


def opened(pilot: Pilot[Any]) -> str:
    one = chat(pilot).session.open
    return str(one.to) if one else ""


async def press(pilot: Pilot[Any], *names: str) -> None:
    for name in names:
        await pilot.press(name)
        await settle(pilot)


async def type_in(pilot: Pilot[Any], text: str) -> None:
    """As if typed; pressing each key takes a test a long time, and one test does it."""
    focused: Any = pilot.app.focused
    if isinstance(focused, Composer):
        focused.insert(text)
    elif isinstance(focused, Input):
        focused.insert_text_at_cursor(text)
    else:
        for char in text:
            await pilot.press(char)
    await settle(pilot)


def text_of(pilot: Pilot[Any]) -> str:
    return str(chat(pilot).composer.text)


async def test_enter_sends_and_the_state_changes_in_place(run: Run, client: FakeClient) -> None:
    async with run() as pilot:
        await type_in(pilot, "hello :duck:")
        await press(pilot, "enter")
        assert ("send", "#duck", "hello 🦆", 0, "text") in client.asked
        assert text_of(pilot) == ""
        assert any("hello 🦆" in line and "…" in line for line in screen_text(pilot))
        sent = client.pending[0]
        client.accept(sent)
        await settle(pilot)
        assert any("hello 🦆" in line and "✓ " in line for line in screen_text(pilot))
        client.put(m.Receipt("#duck", sent.seq, "delivered", have=3, of=3))
        await settle(pilot)
        assert any("hello 🦆" in line and "✓✓" in line for line in screen_text(pilot))
        client.put(m.Receipt("#duck", sent.seq, "read", have=3, of=3))
        await settle(pilot)
        row = chat(pilot).last_own()
        assert chat(pilot).session.state_of(row) == "read"


async def test_what_is_refused_says_why_and_can_be_sent_again(run: Run, client: FakeClient) -> None:
    async with run(room="@carol") as pilot:
        await type_in(pilot, "hi")
        await press(pilot, "enter")
        client.refuse(client.pending[0], Refused("no_such_login", "Nobody here has this login."))
        await settle(pilot)
        shown = "\n".join(screen_text(pilot))
        assert "not sent: Nobody here has this login. R sends again" in shown
        assert "✗" in shown
        await press(pilot, "ctrl+up", "R")
        assert [call for call in client.asked if call[0] == "send"] == [("send", "@carol", "hi", 0, "text")] * 2
        assert "not sent" not in "\n".join(screen_text(pilot))


@pytest.mark.parametrize("key", ["ctrl+j", "shift+enter", "alt+enter"])
async def test_new_lines_and_a_composer_of_six_lines(run: Run, key: str) -> None:
    async with run() as pilot:
        for number in range(8):
            await pilot.press(str(number), key)
        await settle(pilot)
        assert text_of(pilot) == "0\n1\n2\n3\n4\n5\n6\n7\n"
        assert chat(pilot).composer.size.height == 6


@pytest.mark.parametrize("key", ["alt+a", "f2"])
async def test_next_unread_goes_to_mentions_first(run: Run, key: str) -> None:
    async with run() as pilot:
        seen = []
        for _time in range(4):
            await press(pilot, key)
            seen.append(opened(pilot))
        assert seen == ["#ops", "@carol", "#random", "#random"]


@pytest.mark.parametrize(("after", "before"), [("alt+down", "alt+up"), ("ctrl+n", "ctrl+p")])
async def test_next_and_previous_room(run: Run, after: str, before: str) -> None:
    async with run() as pilot:
        await press(pilot, after)
        assert opened(pilot) == "#ops"
        await press(pilot, before, before)
        assert opened(pilot) == "#all"
        await press(pilot, before)
        assert opened(pilot) == "@duck"


async def test_rooms_by_number(run: Run, client: FakeClient) -> None:
    for number in range(5):
        client.room(f"#z{number}")
    async with run() as pilot:
        order = [one.to for one in chat(pilot).session.ordered()]
        for number in range(1, 11):
            await press(pilot, f"alt+{number % 10}")
            assert opened(pilot) == order[number - 1]
        await type_in(pilot, "/3")
        await press(pilot, "enter")
        assert opened(pilot) == order[2]
        await press(pilot, "ctrl+k", "4", "enter")
        assert opened(pilot) == order[3]


async def test_the_switcher(run: Run, client: FakeClient) -> None:
    async with run() as pilot:
        await press(pilot, "ctrl+k")
        assert isinstance(pilot.app.screen, Switcher)
        await press(pilot, "enter")
        assert opened(pilot) == "#ops"  # empty: what is unread, mentions first
        await press(pilot, "ctrl+k")
        await type_in(pilot, "big b")
        await press(pilot, "enter")
        assert opened(pilot) == "@Big Brother"
        await press(pilot, "ctrl+k")
        await type_in(pilot, "#lobby")
        await press(pilot, "enter")
        assert ("join", "#lobby", "") in client.asked
        await press(pilot, "ctrl+k")
        await type_in(pilot, "/top")
        await press(pilot, "enter")
        assert text_of(pilot) == "/topic "
        await press(pilot, "ctrl+k", "escape")
        assert not isinstance(pilot.app.screen, Switcher)


async def test_keys_typed_before_a_panel_is_there_are_not_lost(run: Run) -> None:
    from textual import events

    async with run() as pilot:
        for key in ("ctrl+k", *"random", "enter", *"hi"):
            pilot.app.post_message(events.Key(key, key if len(key) == 1 else None))
        await settle(pilot)
        await settle(pilot)
        assert opened(pilot) == "#random"
        assert text_of(pilot) == "hi"


async def test_pages_top_bottom_and_end(run: Run, client: FakeClient) -> None:
    for number in range(500):
        client.say("#all", "duck", f"old {number}")
    client.infos["#all"]["read"] = client.seq
    async with run(room="#all") as pilot:
        assert any("old 499" in line for line in screen_text(pilot))
        await press(pilot, "pageup")
        assert not any("old 499" in line for line in screen_text(pilot))
        await press(pilot, "pagedown")
        assert any("old 499" in line for line in screen_text(pilot))
        await press(pilot, "ctrl+home")
        assert any("old 0" in line for line in screen_text(pilot)[:4])
        await press(pilot, "ctrl+end")
        assert any("old 499" in line for line in screen_text(pilot))
        await press(pilot, "pageup", "pageup", "end")
        assert any("old 499" in line for line in screen_text(pilot))
        await press(pilot, "pageup", "escape")
        assert any("old 499" in line for line in screen_text(pilot))


@pytest.mark.parametrize("key", ["alt+u", "shift+pageup"])
async def test_first_unread(run: Run, client: FakeClient, key: str) -> None:
    for number in range(60):
        client.say("#all", "duck", f"old {number}")
    client.infos["#all"]["read"] = client.seq - 40
    async with run(room="#all") as pilot:
        await press(pilot, "ctrl+end", key)
        assert any("40 unread" in line for line in screen_text(pilot)[:4])
        await type_in(pilot, "/unread")
        await press(pilot, "enter")
        assert any("40 unread" in line for line in screen_text(pilot)[:4])


async def test_mentions_up_and_down(run: Run) -> None:
    async with run() as pilot:
        await press(pilot, "alt+p")
        assert "did the report" in chat(pilot).list.cursor.text
        await press(pilot, "alt+p")
        assert "quack" in chat(pilot).list.cursor.text
        await press(pilot, "alt+n")
        assert "did the report" in chat(pilot).list.cursor.text
        await press(pilot, "escape")
        await type_in(pilot, "/mentions")
        await press(pilot, "enter")
        assert "did the report" in chat(pilot).list.cursor.text


async def test_escape_and_mark_all_read(run: Run, client: FakeClient) -> None:
    async with run() as pilot:
        await press(pilot, "alt+h")
        session = chat(pilot).session
        assert session.elsewhere() == (0, 0)
        assert {call[1] for call in client.asked if call[0] == "read"} >= {"#duck", "#ops", "#random", "@carol"}
        await type_in(pilot, "/read all")
        await press(pilot, "enter")


async def test_search_here_everywhere_and_back(run: Run, client: FakeClient) -> None:
    client.say("#all", "alice", "quack elsewhere")
    for number in range(500):
        client.say("#duck", "duck", f"newer {number}")
    client.infos["#duck"]["read"] = client.seq
    async with run() as pilot:
        await press(pilot, "ctrl+f")
        assert isinstance(pilot.app.screen, SearchPanel)
        await type_in(pilot, "quack")
        await pilot.pause(0.2)
        await settle(pilot)
        shown = "\n".join(screen_text(pilot))
        assert "you: *quack*" in shown
        assert "elsewhere" not in shown
        await press(pilot, "ctrl+f")
        assert "elsewhere" in "\n".join(screen_text(pilot))
        await press(pilot, "ctrl+f", "enter")
        assert "*quack*" in chat(pilot).list.cursor.text
        assert any("you: *quack*" in line for line in screen_text(pilot))
        await press(pilot, "f3")
        assert "longer line" in chat(pilot).list.cursor.text
        await press(pilot, "shift+f3")
        assert "*quack*" in chat(pilot).list.cursor.text
        await press(pilot, "escape", "escape")
        assert any("newer 499" in line for line in screen_text(pilot))
        assert ("search", "quack", "#duck") in client.asked
        assert ("search", "quack", "") in client.asked


async def test_selecting_a_message(run: Run, client: FakeClient) -> None:
    own = next(row for row in client.log["#duck"] if isinstance(row, m.Message) and "an hour ago" in row.text)
    people = (
        m.Delivery("alice", "read", 1_763_807_700_000),
        m.Delivery("duck", "delivered"),
        m.Delivery("carol", "accepted"),
    )
    client.receipt_lists[own.seq] = m.ReceiptList(own.seq, "accepted", people)
    async with run() as pilot:
        copied: list[str] = []
        pilot.app.copy_to_clipboard = copied.append  # type: ignore[method-assign]
        opened_urls: list[str] = []
        pilot.app.open_url = lambda url, new_tab=True: opened_urls.append(url)  # type: ignore[method-assign]
        client.say("#duck", "alice", "see https://example.org/a.", live=True)
        await settle(pilot)
        await press(pilot, "ctrl+up", "o", "y")
        assert opened_urls == ["https://example.org/a"]
        assert copied == ["see https://example.org/a."]
        await press(pilot, "up", "i")
        assert isinstance(pilot.app.screen, InfoPanel)
        shown = "\n".join(screen_text(pilot))
        assert "delivered" in shown
        assert "2 of 3" in shown
        assert "alice 10:35" in shown
        assert "waiting" in shown
        assert "carol" in shown
        await press(pilot, "escape", "down", "r")
        assert "↳ alice>" in "".join(screen_text(pilot))
        await type_in(pilot, "thanks")
        await press(pilot, "enter")
        assert client.asked[-1] == ("send", "#duck", "thanks", client.seq, "text")
        assert any("↳ alice: see" in line for line in screen_text(pilot))


async def test_editing_and_deleting(run: Run, client: FakeClient) -> None:
    async with run() as pilot:
        await press(pilot, "ctrl+up", "e")
        assert text_of(pilot) == "sent an hour ago, see #ops"
        await type_in(pilot, "!")
        await press(pilot, "enter")
        seq = chat(pilot).last_own().seq
        assert ("edit", seq, "sent an hour ago, see #ops!") in client.asked
        client.put(m.Amended(99, 1, "you", "#duck", seq, "sent an hour ago, see #ops!"))
        await settle(pilot)
        assert any("see #ops! (edited)" in line for line in screen_text(pilot))
        await press(pilot, "ctrl+up", "d")
        assert isinstance(pilot.app.screen, AskPanel)
        await press(pilot, "enter")
        assert not any(call[0] == "remove" for call in client.asked)  # the default keeps it
        await press(pilot, "d", "down", "enter")
        assert ("remove", seq) in client.asked
        client.put(m.Amended(100, 1, "you", "#duck", seq, "", removed=True))
        await settle(pilot)
        assert any("(deleted)" in line for line in screen_text(pilot))
        await press(pilot, "escape", "ctrl+up", "up", "up", "e")
        assert chat(pilot).editing is None  # not one's own


async def test_completion_there_and_back(run: Run) -> None:
    async with run() as pilot:
        await type_in(pilot, "du")
        await press(pilot, "tab")
        assert text_of(pilot) == "duck: "
        await press(pilot, "escape", "ctrl+c")
        await type_in(pilot, "hello @b")
        await press(pilot, "tab")
        assert text_of(pilot) == "hello @Big Brother "
        await press(pilot, "ctrl+c")
        await type_in(pilot, "see #o")
        await press(pilot, "tab")
        assert text_of(pilot) == "see #ops "
        await press(pilot, "ctrl+c")
        await type_in(pilot, ":du")
        await press(pilot, "tab", "tab", "shift+tab")
        assert text_of(pilot) == "🦆 "
        await press(pilot, "ctrl+c")
        await type_in(pilot, "/to")
        await press(pilot, "tab")
        assert text_of(pilot) == "/topic "


async def test_input_history_and_drafts(run: Run) -> None:
    async with run() as pilot:
        for text in ("one", "two"):
            await type_in(pilot, text)
            await press(pilot, "enter")
        await type_in(pilot, "draft")
        await press(pilot, "up")
        assert text_of(pilot) == "two"
        await press(pilot, "up")
        assert text_of(pilot) == "one"
        await press(pilot, "down", "down")
        assert text_of(pilot) == "draft"
        await press(pilot, "ctrl+n")
        assert text_of(pilot) == ""
        await type_in(pilot, "other")
        await press(pilot, "ctrl+p")
        assert text_of(pilot) == "draft"


async def test_panes_bare_view_help_and_redraw(run: Run) -> None:
    async with run() as pilot:
        screen = chat(pilot)
        await press(pilot, "f7", "f8")
        assert not screen.query_one("#rooms").display
        assert not screen.query_one("#people").display
        await press(pilot, "f7", "f8")
        assert screen.query_one("#rooms").display
        assert screen.query_one("#people").display
        for key in ("alt+l", "f9"):
            await press(pilot, key)
            assert (screen_text(pilot)[0][:2] == "--") is (key == "alt+l")
        await press(pilot, "f1")
        assert isinstance(pilot.app.screen, HelpPanel)
        assert "safe on the server" in "\n".join(screen_text(pilot))
        await press(pilot, "escape", "ctrl+l")
        assert screen_text(pilot)[2].startswith(">2 #duck")


async def test_the_mouse_can_be_given_back(run: Run) -> None:
    async with run() as pilot:
        await press(pilot, "f12")
        assert not pilot.app.mouse  # type: ignore[attr-defined]
        await type_in(pilot, "/mouse on")
        await press(pilot, "enter")
        assert pilot.app.mouse  # type: ignore[attr-defined]


async def test_ctrl_c_copies_clears_hints(run: Run) -> None:
    async with run() as pilot:
        copied: list[str] = []
        pilot.app.copy_to_clipboard = copied.append  # type: ignore[method-assign]
        await pilot.mouse_down("#list", offset=(18, 1))
        await pilot.hover("#list", offset=(27, 1))
        await pilot.mouse_up("#list", offset=(27, 1))
        await press(pilot, "ctrl+c")
        assert copied == ["the log sa"]
        await type_in(pilot, "abc")
        await press(pilot, "ctrl+c")
        assert text_of(pilot) == ""
        await press(pilot, "ctrl+c")
        assert "Ctrl+Q quits" in "".join(screen_text(pilot))


@pytest.mark.parametrize("way", ["ctrl+q", "/quit"])
async def test_quitting_says_goodbye(run: Run, client: FakeClient, way: str) -> None:
    async with run() as pilot:
        if way.startswith("/"):
            await type_in(pilot, way + " bye")
            await pilot.press("enter")
        else:
            await pilot.press(way)
        await pilot.pause()
        await pilot.pause()
        assert ("close", "bye" if way.startswith("/") else "") in client.asked


async def test_keys_can_be_changed(run: Run) -> None:
    wanted = {"room.next_unread": "ctrl+g,f6", "nonsense": "x"}
    async with run(settings=Settings(theme="dark", how="bell", keys=wanted)) as pilot:
        assert "nonsense" in "".join(screen_text(pilot))
        await press(pilot, "f6")
        assert opened(pilot) == "#ops"
        await press(pilot, "ctrl+g")
        assert opened(pilot) == "@carol"
        await press(pilot, "f2")
        assert opened(pilot) == "@carol"


async def test_a_long_paste_is_asked_about(run: Run) -> None:
    from textual import events

    async with run() as pilot:
        composer = chat(pilot).composer
        composer.post_message(events.Paste("a\rb"))
        await settle(pilot)
        assert text_of(pilot) == "a\nb"
        await press(pilot, "ctrl+c")
        composer.post_message(events.Paste("line\r\n" * 12))
        await settle(pilot)
        assert "Paste 13 lines?" in "".join(screen_text(pilot))
        await press(pilot, "escape")
        assert text_of(pilot) == ""
        composer.post_message(events.Paste("line\r\n" * 12))
        await settle(pilot)
        await press(pilot, "enter")
        assert text_of(pilot) == "line\n" * 12


async def test_clicks_open_rooms_people_and_messages(run: Run) -> None:
    async with run() as pilot:
        await pilot.click("#rooms", offset=(6, 3))
        await settle(pilot)
        assert opened(pilot) == "#ops"
        await pilot.click("#people", offset=(4, 2))
        await settle(pilot)
        assert opened(pilot) == "@Big Brother"
        await pilot.click("#rooms", offset=(6, 2))
        await settle(pilot)
        await pilot.click("#list", offset=(20, 1), times=2)
        await settle(pilot)
        assert chat(pilot).list.cursor.text == "the log says READY2SERV"


def test_every_key_has_an_id_and_no_key_has_two_actions() -> None:
    ids = [key.id for key in keys.ALL]
    assert len(ids) == len(set(ids))
    taken = [one for key in keys.CHAT for one in key.keys.split(",")]
    assert len(taken) == len(set(taken))
    assert keys.repair()
    from textual._xterm_parser import XTermParser

    parser = XTermParser()
    for sequence, key in [("\x1b1", "alt+1"), ("\x1b0", "alt+0"), ("\x1b\r", "ctrl+j"), ("\x1b[49;3u", "alt+1")]:
        assert [event.key for event in parser.feed(sequence)] == [key]  # type: ignore[attr-defined]
