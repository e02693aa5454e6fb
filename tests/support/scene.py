"""A chat as people would have it, for pictures of the page and for looking at it with axe.

``python -m tests.support.scene`` makes the pictures of docs/pictures.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import tcpchat

from .webpage import Page, chromium

SIZES = {"desktop": (1200, 720), "phone": (360, 720)}
THEMES = ("light", "dark")
PICTURES = Path(__file__).resolve().parents[2] / "docs" / "pictures"
TALK = (
    ("Big Brother", "I'm watching you ..."),
    ("carol", "Good morning! The new release is at https://example.org/notes, please read it before noon."),
    ("carol", "It is not long."),
    ("duck", "*quack*\nand a second line"),
    ("alice", "Reading it now."),
    ("Big Brother", "Привет, @alice: is the printer on the third floor well?"),
)


def look(driver: Any, size: str, theme: str, language: str = "") -> None:
    """Make the window such a device, with such a theme."""
    width, height = SIZES[size]
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    feature = {"name": "prefers-color-scheme", "value": theme}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})


@contextmanager
def busy(port: int, driver: Any, reply: str = "Reply") -> Iterator[Page]:
    """Four people, three rooms, a conversation, a reply, unread messages, somebody who types."""
    with ExitStack() as stack:
        chats = {
            login: stack.enter_context(tcpchat.sync.connect(f"127.0.0.1:{port}", login, outbox=None))
            for login in ("Big Brother", "carol", "duck")
        }
        page = Page(driver, port).enter("alice")
        for one in chats.values():
            one.join("#ops")
        chats["Big Brother"].topic("#ops", "no lost message")
        page.type("/join #ops")
        page.until(lambda: page.text("#room-topic") == "no lost message", "joined")
        for login, text in TALK:
            if login in chats:
                sent = chats[login].send("#ops", text).accepted(10)
            else:
                page.type(text)
            page.sees(text)
        page.act("*quack*", reply)
        page.type("quack indeed")
        page.sees("quack indeed")
        for name in chats:
            chats[name].confirm(sent.seq + 2)
        page.reaches("Reading it now.", "delivered")
        chats["duck"].send("#all", "the disk is full, alice").accepted(10)
        chats["duck"].send("#all", "again").accepted(10)
        chats["carol"].send("@alice", "lunch?").accepted(10)
        page.until(lambda: page.text("#direct .count") == "1" and page.text("#rooms .count") == "@1 2", "unread")
        page.js("document.activeElement.blur()")
        yield page


def take(page: Page, name: str) -> None:
    page.js("document.querySelectorAll('.icon').forEach((e) => e.blur())")
    page.driver.save_screenshot(str(PICTURES / f"web-{name}.png"))


def pictures() -> None:
    """All pictures: each state of the page on each device."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as data, chromium() as driver:
        with tcpchat.Server.in_thread(port=0, data=data) as server:
            page = Page(driver, server.port)
            look(driver, "desktop", "light")
            page.until(lambda: page.find("#login-name").is_displayed())
            take(page, "login-desktop-light")
            page.enter("alice")
            take(page, "empty-desktop-light")
            look(driver, "phone", "dark")
            take(page, "empty-phone-dark")
            look(driver, "desktop", "light")
            with busy(server.port, driver) as page:
                for size in SIZES:
                    for theme in THEMES:
                        look(driver, size, theme)
                        page.js("const l = document.getElementById('list'); l.scrollTop = l.scrollHeight")
                        take(page, f"busy-{size}-{theme}")
                page.find("#menu").click()
                take(page, "drawer-phone-dark")
                page.find("#side-close").click()
                look(driver, "desktop", "light")
                page.act("quack indeed", "Who has it")
                page.until(lambda: page.all("#dialog tr"))
                take(page, "receipts-desktop-light")
                page.find("#dialog button").click()
                page.find("#open-help").click()
                take(page, "help-desktop-light")
                page.find("#dialog button").click()
                page.find("#open-settings").click()
                take(page, "settings-desktop-light")
                page.find("#dialog button").click()
                page.js("document.activeElement.blur()")
        offline(page)
    russian()


def offline(page: Page) -> None:
    """The server is gone; what is typed waits."""
    page.type("(on the train)")
    page.sees("(on the train)")
    page.until(lambda: page.find("#banner").is_displayed())
    for size, theme in (("desktop", "light"), ("phone", "dark")):
        look(page.driver, size, theme)
        take(page, f"offline-{size}-{theme}")


def russian() -> None:
    with (
        tempfile.TemporaryDirectory() as data,
        chromium(1200, 720, "--lang=ru", "--accept-lang=ru") as driver,
        tcpchat.Server.in_thread(port=0, data=data) as server,
        busy(server.port, driver, "Ответить") as page,
    ):
        look(driver, "desktop", "light")
        take(page, "russian-desktop-light")


if __name__ == "__main__":
    pictures()
