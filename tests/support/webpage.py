"""Chromium for tests: start it, and read and drive the page as a person would."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

webdriver = pytest.importorskip("selenium.webdriver")
from selenium.common.exceptions import StaleElementReferenceException  # noqa: E402
from selenium.webdriver.chrome.service import Service  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.support.ui import WebDriverWait  # noqa: E402

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
)  # fmt: skip


def need(what: str, found: object) -> None:
    """Skip with the reason when a tool is missing; in CI it may not be missing."""
    if not found:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(f"{what} is not installed")


@contextmanager
def chromium(width: int = 1280, height: int = 800, *flags: str) -> Iterator[Any]:
    """A browser with a profile of its own."""
    need("chromium", CHROMIUM)
    need("chromedriver", DRIVER)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        options = webdriver.ChromeOptions()
        options.binary_location = CHROMIUM
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        for flag in (*FLAGS, f"--window-size={width},{height}", f"--user-data-dir={profile}", *flags):
            options.add_argument(flag)
        driver = webdriver.Chrome(options=options, service=Service(DRIVER))
        try:
            yield driver
        finally:
            driver.quit()


class Page:
    """The chat page in one browser window."""

    def __init__(self, driver: Any, port: int, path: str = "/") -> None:
        self.driver, self.url = driver, f"http://127.0.0.1:{port}{path}"
        driver.get("about:blank")  # a page of the same address would only change its hash
        driver.get(self.url)

    def until(self, condition: Callable[[], Any], what: str = "", seconds: float = 15) -> Any:
        """Wait for something to be true on the page; what it is."""

        def look(_: Any) -> Any:
            try:
                return condition()
            except StaleElementReferenceException:
                return False

        wait = WebDriverWait(self.driver, seconds, 0.05, ignored_exceptions=(IndexError,))
        try:
            return wait.until(look)
        except Exception as error:
            raise AssertionError(f"{what or 'not so in time'}; the page has {self.texts()!r}") from error

    def js(self, script: str, *args: object) -> Any:
        return self.driver.execute_script(script, *args)

    def find(self, css: str) -> Any:
        return self.driver.find_element(By.CSS_SELECTOR, css)

    def all(self, css: str) -> list[Any]:
        return self.driver.find_elements(By.CSS_SELECTOR, css)

    def text(self, css: str) -> str:
        return str(self.js("return document.querySelector(arguments[0])?.textContent || ''", css))

    def enter(self, login: str) -> Page:
        """Log in through the form (or go on, when this window is in) and wait until the room is there."""
        self.until(lambda: self.js("return login.hidden !== chat.hidden"), "neither form nor chat")
        if self.js("return login.hidden"):
            return self.ready()
        self.find("#login-name").clear()
        self.find("#login-name").send_keys(login + Keys.ENTER)
        return self.ready()

    def ready(self) -> Page:
        script = "return !document.getElementById('chat').hidden && !!document.querySelector('#list > *')"
        self.until(lambda: self.js(script), "no chat")
        return self

    def type(self, text: str, enter: bool = True) -> None:
        self.find("#composer").send_keys(text + (Keys.ENTER if enter else ""))

    def texts(self) -> list[str]:
        """The messages on the page, in order."""
        return list(self.js("return [...document.querySelectorAll('#list .text')].map((e) => e.textContent)"))

    def sees(self, *texts: str) -> None:
        """Wait until these texts are on the page, in this order, each once."""
        mine = set(texts)
        self.until(lambda: [one for one in self.texts() if one in mine] == list(texts), f"waits for {texts}")

    def state(self, text: str) -> str:
        """The state of an own message: pending, accepted, delivered, read, failed."""
        script = """const row = [...document.querySelectorAll('#list article')]
          .find((e) => e.querySelector('.text').textContent === arguments[0]);
          return row?.querySelector('.state')?.className.split(' ').pop() || ''"""
        return str(self.js(script, text))

    def reaches(self, text: str, state: str) -> None:
        """Wait until an own message is in this state, or in a better one."""
        order = ("accepted", "delivered", "read")
        good = order[order.index(state) :]
        self.until(lambda: self.state(text) in good, f"{text!r} is not {state}")

    def act(self, text: str, word: str) -> None:
        """Press a button of a message: Reply, Edit, Delete, Who has it."""
        row = f"//article[p[@class='text' and starts-with(normalize-space(.), '{text}')]]"
        self.driver.find_element(By.XPATH, row + "/p[@class='text']").click()
        button = f"{row}//div[@class='tools']/button[text()='{word}']"
        self.until(lambda: self.driver.find_elements(By.XPATH, button), "no such button")[0].click()

    def goto(self, link: str) -> None:
        """Follow a deep link in the open page."""
        self.js("location.hash = arguments[0]", link)

    def complaints(self) -> list[str]:
        """What the browser's console holds that is worse than news."""
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"]
