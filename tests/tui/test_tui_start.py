"""Before the chat and around it: start screen, logins, trust, being cut off, coming back; settings and memory."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from support.fake_client import NOON, FakeClient
from support.tuiworld import Run, chat, screen_text, settle
from tcpchat.client import KeyChanged, OutboxError, Refused
from tcpchat.core import model as m
from tcpchat.tui.app import ChatApp
from tcpchat.tui.panels import AskPanel, InputPanel
from tcpchat.tui.settings import Memory, Settings, assign, load
from tcpchat.tui.start import StartScreen


def app_for(client: FakeClient, path: Path, server: str = "", login: str = "") -> ChatApp:
    return ChatApp(
        server, login, settings=Settings(theme="dark"), memory=Memory(path / "m.json"), connect=client.factory,
        environment={},
    )  # fmt: skip


async def test_the_start_screen_goes_to_a_server(client: FakeClient, tmp_path: Path) -> None:
    memory = Memory(tmp_path / "m.json")
    memory.used("work:7000", "me@work")
    app = app_for(client, tmp_path)
    async with app.run_test(size=(80, 20)) as pilot:
        await pilot.pause()
        assert isinstance(app.screen, StartScreen)
        text = "\n".join(screen_text(pilot))
        assert "Join the chat on this computer" in text
        assert "Start a chat here" in text
        assert "work:7000" in text
        login: Any = app.screen.query_one("#login")
        login.value = ""
        await pilot.press("enter")
        assert "Type a login first" in "\n".join(screen_text(pilot))
        await pilot.press(*"duck", "down", "down", "enter")
        await pilot.pause()
        assert client.asked == [("connect", "work:7000", "duck")]
        client.login = "duck"
        client.go_online()
        await settle(pilot)
        assert chat(pilot).session.open.to == "#all"
        assert Memory(tmp_path / "m.json").servers[0] == {"server": "work:7000", "login": "duck"}


async def test_another_server_can_be_typed(client: FakeClient, tmp_path: Path) -> None:
    app = app_for(client, tmp_path)
    async with app.run_test(size=(80, 20)) as pilot:
        await pilot.pause()
        await pilot.press("tab", *"[::1", "enter")
        await pilot.pause()
        assert "is not a server's address" in "\n".join(screen_text(pilot))
        await pilot.press("tab", *"[::1]:7000", "enter")
        await pilot.pause()
        assert client.asked[0][1] == "[::1]:7000" or client.asked[0][1] == "::1:7000"


async def test_a_claimed_login_asks_for_its_password(client: FakeClient, tmp_path: Path) -> None:
    app = app_for(client, tmp_path, "localhost", "you")
    async with app.run_test(size=(80, 20)) as pilot:
        await pilot.pause()
        assert client.options["claim"] is True
        client.end(Refused("claimed", "This login belongs to somebody.", about=("password",)))
        await settle(pilot)
        assert isinstance(app.screen, AskPanel)
        client.error = None
        await pilot.press("enter")
        await settle(pilot)
        assert isinstance(app.screen, InputPanel)
        await pilot.press(*"hunter2")
        await settle(pilot)
        assert "hunter2" not in "\n".join(screen_text(pilot))
        await pilot.press("enter")
        await settle(pilot)
        assert client.options["password"] == "hunter2"
        client.go_online()
        await settle(pilot)
        assert chat(pilot).session.connected


async def test_a_login_in_use_leads_back(client: FakeClient, tmp_path: Path) -> None:
    app = app_for(client, tmp_path, "localhost", "you")
    async with app.run_test(size=(80, 20)) as pilot:
        await pilot.pause()
        client.end(Refused("in_use", "Somebody with this name is here now."))
        await settle(pilot)
        assert "Type its password" not in "\n".join(screen_text(pilot))
        await pilot.press("enter")
        await settle(pilot)
        assert isinstance(app.screen, StartScreen)


@pytest.mark.parametrize("yes", [True, False])
async def test_a_new_server_s_key_is_asked_about(client: FakeClient, tmp_path: Path, yes: bool) -> None:
    from tcpchat.client.first_use import NewServer

    app = app_for(client, tmp_path, "far:6060", "you")
    async with app.run_test(size=(80, 20)) as pilot:
        await pilot.pause()
        question = asyncio.ensure_future(client.options["trust"](NewServer("far:6060", "SHA256:ab12", "acid acorn")))
        await settle(pilot)
        text = "\n".join(screen_text(pilot))
        assert "First time at far:6060" in text
        assert "SHA256:ab12" in text
        assert "acid acorn" in text
        await pilot.press(*([] if yes else ["down"]), "enter")
        await settle(pilot)
        assert await question is yes


async def test_a_changed_key_stops(client: FakeClient, tmp_path: Path) -> None:
    app = app_for(client, tmp_path, "far:6060", "you")
    async with app.run_test(size=(100, 20)) as pilot:
        await pilot.pause()
        client.end(KeyChanged("THE KEY OF far:6060 HAS CHANGED.\n  trusted SHA256:a\n  now     SHA256:b"))
        await settle(pilot)
        text = "\n".join(screen_text(pilot))
        assert "HAS CHANGED" in text
        assert "SHA256:b" in text
        assert "Yes" not in text
        await pilot.press("enter")
        await settle(pilot)
        assert isinstance(app.screen, StartScreen)


async def test_an_outbox_that_is_taken_is_told(client: FakeClient, tmp_path: Path) -> None:
    def connect(server: str, login: str, **options: Any) -> Any:
        if options.get("outbox"):
            raise OutboxError("outbox.db: another program uses it")
        return client.factory(server, login, **options)

    app = app_for(client, tmp_path, "localhost", "you")
    app.connect = connect
    async with app.run_test(size=(100, 20)) as pilot:
        await settle(pilot)
        assert "not kept after quitting" in "\n".join(screen_text(pilot))


async def test_being_cut_off_is_seen_and_nothing_is_lost_or_doubled(run: Run, client: FakeClient) -> None:
    async with run() as pilot:
        client.go_offline(retry=4.0)
        chat(pilot).composer.put("on the train")
        await pilot.press("enter")
        await settle(pilot)
        text = "\n".join(screen_text(pilot))
        assert "no connection, next try in 4 s · 1 message waits here (Enter: now)" in text
        assert any("on the train" in line and "…" in line for line in screen_text(pilot))
        await pilot.press("enter")
        assert ("reconnect_now",) in client.asked
        missed = [client.say("#duck", "duck", f"missed {number}") for number in range(3)]
        client.go_online()
        for message in missed:
            client.put(message)
        await settle(pilot)
        client.accept(client.pending[0])
        await settle(pilot)
        texts = [row.text for row in chat(pilot).list.window.rows]
        assert texts[-4:] == ["missed 0", "missed 1", "missed 2", "on the train"]
        assert len(texts) == len(set(texts))
        assert "READY2SERV" in screen_text(pilot)[-3]
        for message in missed:
            client.put(message)
        await settle(pilot)
        assert len(chat(pilot).list.window.rows) == len(texts)


async def test_a_room_opened_without_a_connection_is_filled_later(run: Run, client: FakeClient) -> None:
    async with run() as pilot:
        client.go_offline()
        await settle(pilot)
        chat(pilot).open_name("#ops")
        await settle(pilot)
        assert len(chat(pilot).list.window) == 0
        client.go_online()
        await settle(pilot)
        assert [row.text for row in chat(pilot).list.window.rows] == ["deploy at noon", "@you can you look?"]


async def test_a_server_made_anew_shows_nothing_old(run: Run, client: FakeClient) -> None:
    async with run() as pilot:
        for room in client.log.values():
            room.clear()
        client.seq = 0
        client.say("#duck", "alice", "a new beginning")
        client.go_online()
        await settle(pilot)
        assert [row.text for row in chat(pilot).list.window.rows] == ["a new beginning"]


async def test_reading_needs_eyes(run: Run, client: FakeClient) -> None:
    async with run() as pilot:
        pilot.app.app_focus = False
        client.asked.clear()
        client.say("#duck", "duck", "are you there?", live=True)
        await settle(pilot)
        assert not [call for call in client.asked if call[0] == "read"]
        assert any("1 unread" in line for line in screen_text(pilot))
        client.say("#duck", "duck", "hello?", live=True)
        await settle(pilot)
        assert any("2 unread" in line for line in screen_text(pilot))
        pilot.app.app_focus = True
        chat(pilot).tick()
        assert ("read", "#duck", client.seq) in client.asked


async def test_a_view_that_is_scrolled_up_says_how_many_came(run: Run, client: FakeClient) -> None:
    for number in range(100):
        client.say("#all", "duck", f"old {number}")
    client.infos["#all"]["read"] = client.seq
    async with run(room="#all") as pilot:
        await pilot.press("pageup")
        await settle(pilot)
        before = [line[:90] for line in screen_text(pilot)[:20]]
        for number in range(4):
            client.say("#all", "duck", f"new {number}", live=True)
        await settle(pilot)
        assert [line[:90] for line in screen_text(pilot)[:20]] == before
        assert "↓ 4 newer" in screen_text(pilot)[-3]
        await pilot.press("ctrl+end")
        await settle(pilot)
        assert "newer" not in screen_text(pilot)[-3]
        assert chat(pilot).session.open.unread == 0


async def test_a_room_far_behind_opens_at_the_first_unread(run: Run, client: FakeClient) -> None:
    for number in range(3000):
        client.say("#all", "duck", f"old {number}")
    client.infos["#all"]["read"] = client.seq - 2000
    async with run(room="#all") as pilot:
        text = "\n".join(screen_text(pilot)[:6])
        assert "99+ unread" in text or "100 unread" in text
        assert "old 1000" in text
        assert len(chat(pilot).list.window) <= 600
        await pilot.press("ctrl+end")
        await settle(pilot)
        assert "old 2999" in "\n".join(screen_text(pilot))


async def test_history_pages_in_without_moving_the_view(run: Run, client: FakeClient) -> None:
    for number in range(1000):
        client.say("#all", "duck", f"old {number}")
    client.infos["#all"]["read"] = client.seq
    async with run(room="#all") as pilot:
        seen: list[str] = []
        for _time in range(80):
            await pilot.press("pageup")
            await settle(pilot)
            seen = [line for line in screen_text(pilot) if "old " in line]
            if any(line[37:].split(" │")[0].strip()[-5:] == "old 0" for line in seen):
                break
        numbers = [row.text for row in chat(pilot).list.window.rows if row.text.startswith("old")]
        assert numbers == [f"old {number}" for number in range(1000)]
        assert chat(pilot).list.window.at_head


async def test_typing_is_told_and_shown(run: Run, client: FakeClient) -> None:
    async with run() as pilot:
        await pilot.press("h", "i")
        await settle(pilot)
        assert [call for call in client.asked if call[0] == "typing"] == [("typing", "#duck", True)]
        await pilot.press("ctrl+c")
        await settle(pilot)
        assert client.asked[-1] == ("typing", "#duck", False)
        client.put(m.TypingNotice("duck", "#duck"))
        await settle(pilot)
        assert "duck is typing" in screen_text(pilot)[-3]


async def test_no_color_means_none(client: FakeClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = ChatApp(
        "localhost", "you", settings=Settings(theme="dark"), memory=Memory(tmp_path / "m.json"), connect=client.factory,
        environment={"NO_COLOR": "1"}, now=lambda: NOON / 1000,
    )  # fmt: skip
    async with app.run_test(size=(118, 28)) as pilot:
        client.go_online()
        await settle(pilot)
        chat(pilot).open_name("#duck")
        await settle(pilot)
        strips = app.screen._compositor.render_strips()
        colours = {segment.style.color for strip in strips for segment in strip if segment.style}
        assert {colour for colour in colours if colour is not None and not colour.is_default} == set()


# -- settings ----------------------------------------------------------------------------------------------------------


def test_settings_come_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(
        '[default]\nserver = "x"\n[ui]\ntheme = "light"\nticks = "words"\nmouse = false\nwindow = 1000\n'
        '[notify]\nwhen = "all"\nhow = "osc9"\n[read]\nreceipts = false\n[keys]\n"goto" = "ctrl+g"\n'
    )
    settings = load(path)
    assert (settings.theme, settings.ticks, settings.mouse, settings.window) == ("light", "words", False, 1000)
    assert (settings.notify, settings.how, settings.receipts, settings.keys) == (
        "all",
        "osc9",
        False,
        {"goto": "ctrl+g"},
    )
    assert settings.problems == []


def test_what_cannot_be_used_is_told_and_left(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text('[ui]\nticks = "runes"\nwindow = 3\nmouse = "perhaps"\n')
    settings = load(path)
    assert len(settings.problems) == 3
    assert settings.ticks == "unicode"
    path.write_text("not toml")
    assert len(load(path).problems) == 1
    assert load(tmp_path / "none.toml") == Settings()
    assert assign(settings, "window", "many") == "'many' is not a number"


def test_memory_survives_a_broken_file(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "m.json"
    Memory(path).used("a:1", "me")
    assert Memory(path).servers == [{"server": "a:1", "login": "me"}]
    path.write_text("{")
    memory = Memory(path)
    assert memory.servers == []
    for number in range(12):
        memory.used(f"s:{number}", "me")
    assert [one["server"] for one in Memory(path).servers] == [f"s:{number}" for number in range(11, 3, -1)]
