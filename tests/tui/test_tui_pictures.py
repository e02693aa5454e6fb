"""What the screens look like, kept as text: compared character by character, looked at by people as SVG.

TCPCHAT_PICTURES=1 writes them anew.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from textual.pilot import Pilot

from support.fake_client import FakeClient
from support.tuiworld import Run, chat, screen_text, settle
from tcpchat.core import model as m
from tcpchat.tui.settings import Settings

KEPT = Path(__file__).parent / "screens"
SVG = Path(__file__).resolve().parents[2] / "docs" / "pictures"


def compare(pilot: Pilot[Any], name: str, *, svg: bool = False) -> None:
    """The screen is the one that is kept."""
    lines = screen_text(pilot)
    assert all(cell_len(line) <= pilot.app.size.width for line in lines)
    text = "\n".join(lines) + "\n"
    path = KEPT / f"{name}.txt"
    if os.environ.get("TCPCHAT_PICTURES"):
        KEPT.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        if svg:
            SVG.mkdir(parents=True, exist_ok=True)
            (SVG / f"{name}.svg").write_text(picture(pilot), encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")
    assert not svg or (SVG / f"{name}.svg").exists()


def picture(pilot: Pilot[Any]) -> str:
    """The screen as SVG, the same for the same screen."""
    import re

    return re.sub(r"terminal-\d+", "terminal-1", pilot.app.export_screenshot(title="tcpchat"))


async def lively(pilot: Pilot[Any], client: FakeClient) -> None:
    """Wide characters, a typing notice, a word being completed, a message on its way."""
    client.say(
        "#duck",
        "日本語の人",
        "日本語のテキスト and 🦆 emoji: wide characters keep the columns 日本語のテキスト",
        live=True,
    )
    client.put(m.TypingNotice("duck", "#duck"))
    composer = chat(pilot).composer
    composer.put("(on the train)")
    await pilot.press("enter")
    await settle(pilot)
    composer.insert("hello :du")
    await settle(pilot)


@pytest.mark.parametrize("size", ["140x40", "118x28", "100x30", "60x20", "40x12", "20x5", "19x4"])
async def test_sizes(run: Run, client: FakeClient, size: str) -> None:
    width, height = map(int, size.split("x"))
    async with run((width, height)) as pilot:
        await lively(pilot, client)
        compare(pilot, "wide" if size == "118x28" else size, svg=size in ("118x28", "60x20", "40x12"))


@pytest.mark.parametrize("theme", ["light", "high-contrast", "auto"])
async def test_themes(run: Run, client: FakeClient, theme: str) -> None:
    async with run((118, 28), settings=Settings(theme=theme, how="bell")) as pilot:
        await lively(pilot, client)
        compare(pilot, "wide")
        if os.environ.get("TCPCHAT_PICTURES"):
            (SVG / f"{theme}.svg").write_text(picture(pilot), encoding="utf-8")


async def test_without_colours(run: Run, client: FakeClient) -> None:
    async with run((100, 30), environment={"NO_COLOR": "1"}) as pilot:
        await lively(pilot, client)
        compare(pilot, "mono", svg=True)


async def test_without_utf8(run: Run, client: FakeClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TCPCHAT_ASCII", "1")
    async with run((100, 30)) as pilot:
        compare(pilot, "ascii")
        ours = "\n".join(screen_text(pilot))
        assert ours.isascii()
        for keys in (["f1"], ["ctrl+k"], ["ctrl+f"]):
            await pilot.press(*keys)
            await settle(pilot)
            assert "\n".join(screen_text(pilot)).isascii()
            await pilot.press("escape")
            await settle(pilot)


async def test_in_russian(run: Run, client: FakeClient) -> None:
    try:
        async with run((118, 28), settings=Settings(theme="dark", how="bell", language="ru")) as pilot:
            compare(pilot, "russian", svg=True)
            await pilot.press("f1")
            await settle(pilot)
            compare(pilot, "russian-help")
    finally:
        from tcpchat import i18n

        i18n.use(None)


PANELS: dict[str, Callable[[Pilot[Any]], Awaitable[Any]]] = {
    "help": lambda pilot: pilot.press("f1"),
    "switcher": lambda pilot: pilot.press("ctrl+k", "o", "p"),
    "info": lambda pilot: pilot.press("ctrl+up", "i"),
    "search": lambda pilot: pilot.press("ctrl+f", "q", "u", "a", "c", "k"),
    "plain": lambda pilot: pilot.press("f9"),
    "selected": lambda pilot: pilot.press("ctrl+up", "up"),
}


@pytest.mark.parametrize("name", PANELS)
async def test_panels(run: Run, client: FakeClient, name: str) -> None:
    own = next(row for row in client.log["#duck"] if isinstance(row, m.Message) and "an hour ago" in row.text)
    read = m.Delivery("alice", "read", own.at + 1000)
    waits = m.Delivery("carol", "accepted", 0, False, own.at - 7_200_000)
    client.receipt_lists[own.seq] = m.ReceiptList(own.seq, "accepted", (read, m.Delivery("duck", "delivered"), waits))
    async with run((100, 30)) as pilot:
        await PANELS[name](pilot)
        await pilot.pause(0.2 if name == "search" else None)
        await settle(pilot)
        await settle(pilot)
        compare(pilot, name, svg=name in ("switcher", "info", "search"))


async def test_empty_and_cut_off(run: Run, client: FakeClient) -> None:
    client.persons = client.persons[3:4]
    async with run((80, 16), room="#all") as pilot:
        compare(pilot, "empty")
        client.go_offline()
        await settle(pilot)
        compare(pilot, "offline")
