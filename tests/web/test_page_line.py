"""The page on a line that goes dead without a word: it notices by itself, and is back when the line is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import tcpchat
from support.swallower import Swallower
from support.webpage import Page

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]

ONLINE = "return document.getElementById('link').textContent.startsWith('\u25cf') && banner.hidden"
WAKES = {
    "online": "dispatchEvent(new Event('online'))",
    "focus": "dispatchEvent(new Event('focus'))",
    "pageshow": "dispatchEvent(new PageTransitionEvent('pageshow', {persisted: true}))",
    "visible": "document.dispatchEvent(new Event('visibilitychange'))",
    "resume": "document.dispatchEvent(new Event('resume'))",
}


@pytest.fixture
def line(chat: tcpchat.Server) -> Iterator[Swallower]:
    made = Swallower(chat.port)
    yield made
    made.close()


def back(page: Page, line: Swallower, seconds: float, wake: str = "") -> None:
    """Wait until it is on line over a new connection (well below the two minutes that a browser may take)."""
    page.until(lambda: (page.js(wake) if wake else None, line.accepted)[1], "no new connection", seconds)
    page.until(lambda: page.js(ONLINE), "not on line", seconds)


def test_a_dead_line_is_noticed_without_an_event(chat: tcpchat.Server, line: Swallower, first: Any) -> None:
    page = Page(first, line.port).enter("alice")
    line.freeze()
    back(page, line, 30)
    page.type("here again")
    page.reaches("here again", "accepted")


@pytest.mark.parametrize("event", WAKES)
def test_waking_up_makes_it_look(chat: tcpchat.Server, line: Swallower, first: Any, event: str) -> None:
    page = Page(first, line.port).enter("alice")
    page.until(lambda: page.text("#link").endswith("ms"), "no answer to the first ping")
    # Only the event counts here: the page's own clock never says that it is time to ask.
    page.js("const now = performance.now(); performance.now = () => now + (window.ahead || 0)")
    line.freeze()
    page.js("window.ahead = 2000")
    page.js(WAKES[event])
    page.js("window.ahead = 42000")
    back(page, line, 30)


def test_it_is_back_when_the_line_is(chat: tcpchat.Server, line: Swallower, first: Any) -> None:
    page = Page(first, line.port).enter("alice")
    line.freeze(newer=True)
    page.until(lambda: line.accepted >= 3, "tries", 60)
    page.type("typed meanwhile")
    line.thaw()
    back(page, line, 20)
    page.reaches("typed meanwhile", "accepted")
    page.sees("typed meanwhile")
