"""The page for eyes and hands that need it otherwise: small windows, high zoom, forced colours, no motion, no mouse."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

import tcpchat
from support.scene import busy
from support.webpage import Page

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]

# 400 % zoom of a window of 1280 by 1024 leaves 320 by 256 CSS pixels (WCAG 2.2, 1.4.10 Reflow).
SMALL = {"320 pixels": (320, 640), "400 % zoom": (320, 256), "a phone on its side": (640, 320)}
INSIDE = """const box = arguments[0].getBoundingClientRect();
  return box.width > 0 && box.top >= 0 && box.left >= 0
    && box.bottom <= innerHeight + 1 && box.right <= innerWidth + 1"""


def window(driver: Any, width: int, height: int) -> None:
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def media(driver: Any, **features: str) -> None:
    listed = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": listed})


@pytest.fixture
def page(chat: tcpchat.Server, first: Any) -> Iterator[Page]:
    with busy(chat.port, first) as shown:
        yield shown
    first.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    media(first)


@pytest.mark.parametrize("size", list(SMALL))
def test_small_windows_lose_nothing(page: Page, size: str) -> None:
    window(page.driver, *SMALL[size])
    page.until(lambda: page.js("return innerWidth") == SMALL[size][0], "resized")
    assert page.js("return document.documentElement.scrollWidth <= innerWidth"), "sideways scrolling"
    for css in ("#composer", "#composer-form .primary", "#menu", "#open-search"):
        if css != "#menu" or SMALL[size][0] < 768:
            page.until(lambda css=css: page.js(INSIDE, page.find(css)), f"{css} is in sight")  # type: ignore[misc]
    page.type(f"from {size}")
    page.sees(f"from {size}")
    last = "return [...document.querySelectorAll('#list article')].at(-1).querySelector('.text')"
    page.until(lambda: page.js(INSIDE, page.js(last)), "the own message is in sight")
    page.find("#menu").click()
    page.until(lambda: page.js(INSIDE, page.find("#rooms a")), "the rooms are in the drawer")
    page.find("#rooms a").click()
    page.until(lambda: page.text("#room-name").endswith("all"), "the other room")
    assert page.js("return document.documentElement.scrollWidth <= innerWidth"), "sideways scrolling"


def test_forced_colours_keep_what_colours_told(page: Page) -> None:
    media(page.driver, forced_colors="active")
    page.until(lambda: page.js("return matchMedia('(forced-colors: active)').matches"), "forced colours")
    style = "const s = getComputedStyle(document.querySelector(arguments[0])); return s.outlineStyle + s.outlineWidth"
    for css in ("#rooms [aria-current]", "#list .mention"):
        assert page.js(style, css) == "solid2px", css
    tick = "return getComputedStyle(document.querySelector('i.delivered'), '::before').borderRightWidth"
    assert page.js(f"return parseFloat((() => {{ {tick} }})())") > 0


def test_nothing_moves_for_whom_motion_is_too_much(page: Page) -> None:
    media(page.driver, prefers_reduced_motion="reduce")
    moving = """return [...document.querySelectorAll('*')].filter((e) => ['', '::before', '::after'].some((part) => {
      const s = getComputedStyle(e, part || undefined);
      return parseFloat(s.transitionDuration) || s.animationName !== 'none' || s.scrollBehavior === 'smooth';
    })).map((e) => e.outerHTML.slice(0, 80))"""
    assert page.js(moving) == []


def test_without_a_mouse(page: Page) -> None:
    """Tab reaches everything, and a dialog gives the focus back."""
    keys = ActionChains(page.driver)
    page.find("#composer").click()
    seen: list[str] = []
    focus = "const e = document.activeElement; return e === document.body ? '' : e.id || e.tagName + '.' + e.className"
    for _ in range(40):  # Tab goes round the whole page: everything that can be clicked is reached
        keys.send_keys(Keys.TAB).perform()
        seen.append(page.js(focus))
    assert {"goto", "open-search", "open-settings", "composer"} <= set(seen), seen
    assert all(one or other for one, other in pairwise(seen)), seen  # once a round it is at the end of the page
    page.js("document.getElementById('composer').focus()")
    keys.key_down(Keys.CONTROL).send_keys("k").key_up(Keys.CONTROL).perform()
    page.until(lambda: page.js("return document.getElementById('dialog').open"), "the switcher")
    keys.send_keys("all", Keys.ENTER).perform()
    page.until(lambda: page.text("#room-name").endswith("all"), "the other room")
    page.until(lambda: page.js(focus) == "composer", "the input has the focus again")
