"""Slash commands: the table, what each does, what is never sent; completion, dates, the switcher's order."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from textual.pilot import Pilot

from support.fake_client import NOON, FakeClient
from support.tuiworld import Run, chat, screen_text, settle
from tcpchat.client import Refused, Sent
from tcpchat.core import model as m
from tcpchat.tui import commands
from tcpchat.tui.completion import World, complete
from tcpchat.tui.dates import parse_date, parse_length
from tcpchat.tui.emoji import EMOJI, replace_names
from tcpchat.tui.panels import HelpPanel, PeoplePanel
from tcpchat.tui.screen import parts
from tcpchat.tui.slash_commands import Doing


async def do(pilot: Pilot[Any], line: str) -> str:
    """Type a command, Enter; what is on the screen then."""
    chat(pilot).composer.put(line)
    await pilot.press("enter")
    await settle(pilot)
    return "\n".join(screen_text(pilot))


def test_the_table_and_the_methods_are_the_same() -> None:
    methods = {name[3:] for name, _ in inspect.getmembers(Doing, inspect.isfunction) if name.startswith("do_")}
    assert methods == {one.name for one in commands.TABLE}
    names = [name for one in commands.TABLE for name in (one.name, *one.aliases)]
    assert len(names) == len(set(names))
    assert {one.group for one in commands.TABLE} == set(commands.GROUPS)


@pytest.mark.parametrize(
    ("line", "command", "rest"),
    [
        ("/JOIN #x", "join", "#x"), ("/part", "leave", ""), ("/3", "win", "3"),
        ("/me waves\nboth", "me", "waves\nboth"),
        ("hello", None, "hello"), ("//shrug", None, "/shrug"), ("/ slash", None, "/ slash"), ("/", None, "/"),
    ],
)  # fmt: skip
def test_reading_a_line(line: str, command: str | None, rest: str) -> None:
    parsed = commands.parse(line)
    assert (parsed.command.name if parsed.command else None, parsed.rest, parsed.unknown) == (command, rest, "")


def test_unknown_commands_are_never_text() -> None:
    parsed = commands.parse("/jion #x")
    assert (parsed.command, parsed.unknown, parsed.near) == (None, "jion", "join")
    assert commands.parse("/usr/bin/env").unknown == "usr/bin/env"


async def test_an_unknown_command_is_not_sent(run: Run, client: FakeClient) -> None:
    async with run() as pilot:
        shown = await do(pilot, "/jion #x")
        assert "No command /jion. Did you mean /join? (Type //jion to send it as text.)" in shown
        assert chat(pilot).composer.text == "/jion #x"
        await do(pilot, "//jion it is")
        assert [call for call in client.asked if call[0] == "send"] == [("send", "#duck", "/jion it is", 0, "text")]


async def test_talking(run: Run, client: FakeClient) -> None:
    async with run() as pilot:
        await do(pilot, "/msg big brother are you watching?")
        assert client.asked[-1] == ("send", "@Big Brother", "are you watching?", 0, "text")
        await do(pilot, "/all dinner")
        assert client.asked[-1] == ("send", "#all", "dinner", 0, "text")
        await do(pilot, "/query carol")
        assert chat(pilot).session.open.to == "@carol"
        await do(pilot, "/2")
        await do(pilot, "/me waves")
        assert client.asked[-1] == ("send", "#duck", "waves", 0, "action")
        assert any("* you waves" in line for line in screen_text(pilot))
        await do(pilot, "/reply yes")
        assert client.asked[-1][0:3] == ("send", "#duck", "yes")
        assert client.asked[-1][3] == 11
        await do(pilot, "/shrug fine")
        assert client.asked[-1][2] == "fine ¯\\_(ツ)_/¯"
        await do(pilot, "/edit better")
        assert ("edit", 13, "better") not in client.asked  # the newest own message has no place yet
        await do(pilot, "/cancel")
        assert [one.to for one in client.pending] == ["@Big Brother", "#all"]
        await do(pilot, "/edit better")
        assert ("edit", 13, "better") in client.asked
        await do(pilot, "/delete")
        await pilot.press("down", "enter")
        await settle(pilot)
        assert ("remove", 13) in client.asked


async def test_failed_messages_are_sent_again(run: Run, client: FakeClient) -> None:
    async with run() as pilot:
        await do(pilot, "one")
        client.refuse(client.pending[0], Refused("muted", "You are muted here."))
        await settle(pilot)
        await do(pilot, "/resend")
        assert len([call for call in client.asked if call[0] == "send"]) == 2
        assert "Nothing has failed here." in await do(pilot, "/resend")


async def test_rooms(run: Run, client: FakeClient) -> None:
    async with run() as pilot:
        await do(pilot, "/join new secret")
        assert ("join", "#new", "secret") in client.asked
        assert chat(pilot).session.open.to == "#new"
        await do(pilot, "/topic what is new")
        assert ("topic", "#new", "what is new") in client.asked
        await do(pilot, "/leave")
        assert ("leave", "#new") in client.asked
        assert chat(pilot).session.find("#new") is None
        await do(pilot, "/2")
        assert "Topic: no lost message" in await do(pilot, "/topic")
        await do(pilot, "/invite carol")
        assert ("invite", "#duck", "carol") in client.asked
        await do(pilot, "/mute random")
        assert chat(pilot).session.get("#random").muted
        assert "#random" in pilot.app.memory.muted["localhost:6060"]  # type: ignore[attr-defined]
        await do(pilot, "/unmute #random")
        assert not chat(pilot).session.get("#random").muted
        assert "Everybody is in #all." in await do(pilot, "/leave all")
        await do(pilot, "/rooms")
        assert isinstance(pilot.app.screen, PeoplePanel)
        await pilot.press("down", "down", "down", "down", "enter")
        await settle(pilot)
        assert ("join", "#lobby", "") in client.asked


async def test_people(run: Run, client: FakeClient) -> None:
    async with run() as pilot:
        shown = await do(pilot, "/who")
        assert "○ carol" in shown
        await pilot.press("escape")
        assert "carol: account carol; last seen 2 h ago" in await do(pilot, "/whois carol")
        await do(pilot, "/away lunch")
        await do(pilot, "/back")
        assert ("away", "lunch") in client.asked
        assert ("away", "") in client.asked
        await do(pilot, "/nick me")
        assert ("rename", "me") in client.asked
        await do(pilot, "/ignore duck")
        client.say("#duck", "duck", "unseen", live=True)
        await settle(pilot)
        assert "unseen" not in "\n".join(screen_text(pilot))
        assert "Ignored: duck" in await do(pilot, "/ignore")
        await do(pilot, "/unignore duck")
        assert chat(pilot).session.ignored == set()


async def test_this_client(run: Run, client: FakeClient) -> None:
    async with run() as pilot:
        await do(pilot, "/help topic")
        assert isinstance(pilot.app.screen, HelpPanel)
        assert "/topic [TEXT]" in "\n".join(screen_text(pilot))
        await pilot.press("escape")
        await settle(pilot)
        assert "READY2SERV, 5 online" in await do(pilot, "/status")
        await do(pilot, "/set ticks words")
        assert any("sent" in line and "hour ago" in line for line in screen_text(pilot))
        assert "ticks: 'x' is none of" in await do(pilot, "/set ticks x")
        assert "notify = mentions" in await do(pilot, "/set")
        await do(pilot, "/theme light")
        assert pilot.app.theme == "light"
        assert "high-contrast" in await do(pilot, "/theme")
        await do(pilot, "/notify all")
        assert pilot.app.settings.notify == "all"  # type: ignore[attr-defined]
        await do(pilot, "/set receipts off")
        assert ("set", "receipts", "off") in client.asked
        assert "Jetzt" not in await do(pilot, "/set language ru")
        assert any("ЛЮДИ" in line for line in screen_text(pilot))
        await do(pilot, "/set language en")
        await do(pilot, "/clear")
        assert "READY2SERV" not in "\n".join(screen_text(pilot)[:20])
        assert "LOGIN TEXT" in await do(pilot, "/msg")
        assert "There is no room 99." in await do(pilot, "/99")


async def test_identity(run: Run, client: FakeClient) -> None:
    async with run() as pilot:
        client.answers[m.Key] = m.Done(1, data={"keys": {"ed25519:abc": "laptop"}})
        assert "ed25519:abc laptop" in await do(pilot, "/keys")
        assert "not encrypted" in await do(pilot, "/trust")
        client.fingerprint = "SHA256:xyz"
        assert "SHA256:xyz" in await do(pilot, "/trust")
        await do(pilot, "/passwd")
        await pilot.press(*"secret", "enter")
        await settle(pilot)
        assert ("command", m.Password("", new="secret")) in client.asked
        assert "secret" not in "\n".join(screen_text(pilot))


async def test_operators(run: Run, client: FakeClient) -> None:
    async with run() as pilot:
        await do(pilot, "/kick carol too loud")
        assert ("kick", "#duck", "carol", "too loud") in client.asked
        await do(pilot, "/ban carol 2h too loud")
        assert ("command", m.Admin("ban", {"login": "carol", "seconds": "7200", "why": "too loud"})) in client.asked
        await do(pilot, "/unban carol")
        await do(pilot, "/op alice")
        assert ("command", m.Mode("#duck", (m.Change("op", True, "alice"),))) in client.asked
        await do(pilot, "/announce maintenance")
        assert ("command", m.Admin("announce", {"text": "maintenance"})) in client.asked
        client.answers[m.Admin] = Refused("not_allowed", "You may not do this.")
        assert "You may not do this." in await do(pilot, "/unban carol")


async def test_going_to_a_day_and_back(run: Run, client: FakeClient) -> None:
    for number in range(900):
        client.say("#all", "duck", f"old {number}", at=NOON - 30 * 86_400_000 + number * 3_600_000)
    client.infos["#all"]["read"] = client.seq
    async with run(room="#all") as pilot:
        shown = await do(pilot, "/goto 2025-11-01")
        assert "Sat 1 Nov" in shown.split("\n")[1]
        await pilot.press("escape")
        await settle(pilot)
        assert "old 899" in "\n".join(screen_text(pilot))
        assert "LOGIN" not in await do(pilot, "/goto never")


async def test_connections(run: Run, client: FakeClient) -> None:
    async with run() as pilot:
        shown = await do(pilot, "/disconnect")
        assert "disconnected" in shown
        await do(pilot, "/reconnect")
        assert len([call for call in client.asked if call[0] == "connect"]) == 2
        await do(pilot, "/connect other:7000")
        assert client.asked[-1] == ("connect", "other:7000", "you")


# -- pure parts --------------------------------------------------------------------------------------------------------

WORLD = World(["duck", "Dumbo", "Big Brother"], ["#all", "#ops"], ["dark", "light"], ["ticks"], True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("d", ["duck: ", "Dumbo: "]), ("hi d", ["duck ", "Dumbo "]), ("hi @b", ["@Big Brother "]),
        ("#", ["#all ", "#ops "]),
        (":duc", ["🦆 "]), ("/theme d", ["dark "]), ("/msg big", ["Big Brother "]),
        ("/join o", ["#ops "]), ("/kic", ["/kick "]),
        ("x\nd", ["duck: ", "Dumbo: "]), ("", None), ("hi ", None), ("/theme x", None), ("zzz", None),
        ("/set t", ["ticks "]),
    ],
)  # fmt: skip
def test_completion(text: str, expected: list[str] | None) -> None:
    found = complete(text, len(text), WORLD)
    assert (found.candidates if found else None) == expected


def test_operators_commands_are_offered_to_operators() -> None:
    assert complete("/kic", 4, World()) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2025-11-01", "2025-11-01 00:00"), ("2025-11-01 10:30", "2025-11-01 10:30"), ("1.11.", "2025-11-01 00:00"),
        ("24.12.", "2024-12-24 00:00"), ("24.12.2023", "2023-12-24 00:00"), ("today", "2025-11-22 00:00"),
        ("yesterday 9:15", "2025-11-21 09:15"), ("3d", "2025-11-19 00:00"), ("09:00", "2025-11-22 09:00"),
        ("23:00", "2025-11-21 23:00"), ("31.2.2025", None), ("25:00", None), ("never", None), ("", None),
    ],
)  # fmt: skip
def test_dates(text: str, expected: str | None) -> None:
    import time

    found = parse_date(text, NOON / 1000)
    assert (time.strftime("%Y-%m-%d %H:%M", time.localtime(found / 1000)) if found is not None else None) == expected


def test_lengths_of_time() -> None:
    assert [parse_length(text) for text in ("90s", "2h", "7d", "2", "x")] == [90, 7200, 604_800, None, None]


def test_long_texts_are_cut_where_they_can_be() -> None:
    text = "слово " * 3000
    pieces = parts(text, 8000)
    assert all(len(piece.encode()) <= 8000 for piece in pieces)
    assert " ".join(piece.strip() for piece in pieces) == text.strip()
    assert "".join(parts("я" * 9000, 8000)) == "я" * 9000
    assert parts("short", 8000) == ["short"]


def test_emoji() -> None:
    assert replace_names(":duck: and:duck: http://x:80/:duck: :none:") == "🦆 and:duck: http://x:80/:duck: :none:"
    assert len(EMOJI) > 150


def test_handles_of_the_fake_are_those_of_the_library() -> None:
    assert Sent("@a", "x").state == "pending"
