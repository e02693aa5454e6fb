"""axe-core finds nothing serious on the page: desktop and phone, light and dark, in every state that matters.

axe-core is fetched by npm when the tests run and lives in a folder that goes away.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import tcpchat
from support.scene import SIZES, THEMES, busy, look
from support.webpage import Page, need

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]

RUN = """
const [source, done] = arguments;
if (!window.axe) (0, eval)(source);
axe.run(document, { resultTypes: ["violations"] }).then((found) => done(found.violations
  .filter((one) => ["serious", "critical"].includes(one.impact))
  .map((one) => `${one.id}: ${one.nodes.map((node) => node.html.slice(0, 160)).join(" | ")}`)));
"""


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The source of axe-core."""
    npm = shutil.which("npm")
    need("npm", npm)
    folder = tmp_path_factory.mktemp("axe")
    fetch = subprocess.run([npm or "", "pack", "axe-core@4", "--silent"], cwd=folder, capture_output=True, timeout=60)
    packed = next(iter(folder.glob("axe-core-*.tgz")), None)
    if fetch.returncode or packed is None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("axe-core cannot be fetched")
    with tarfile.open(packed) as archive:
        file = archive.extractfile("package/axe.min.js")
        assert file is not None
        return file.read().decode()


@pytest.fixture
def judge(first: Any, axe: str) -> Callable[[str], None]:
    first.execute_cdp_cmd("Page.setBypassCSP", {"enabled": True})  # the page itself would not let axe in

    def run(what: str) -> None:
        for size in SIZES:
            for theme in THEMES:
                look(first, size, theme)
                assert first.execute_async_script(RUN, axe) == [], f"{what}, {size}, {theme}"

    return run


def test_the_login(chat: tcpchat.Server, first: Any, judge: Callable[[str], None]) -> None:
    page = Page(first, chat.port)
    page.until(lambda: page.find("#login-name").is_displayed())
    judge("login")


def test_an_empty_and_a_busy_room(chat: tcpchat.Server, first: Any, judge: Callable[[str], None]) -> None:
    look(first, "desktop", "light")
    Page(first, chat.port).enter("alice")
    judge("empty")
    look(first, "desktop", "light")
    with busy(chat.port, first) as page:
        judge("busy")
        look(first, "desktop", "light")
        page.act("Reading it now.", "Who has it")
        page.until(lambda: page.all("#dialog tr"))
        judge("who has it")
        page.find("#dialog button").click()
        look(first, "desktop", "light")
        page.find("#open-settings").click()
        judge("settings")
        page.find("#dialog button").click()
        look(first, "desktop", "light")
        page.find("#goto").click()
        judge("the switcher")


def test_without_a_server(tmp_path: Path, first: Any, judge: Callable[[str], None]) -> None:
    with tcpchat.Server.in_thread(port=0, data=tmp_path) as server:
        look(first, "desktop", "light")
        page = Page(first, server.port).enter("alice")
    page.type("kept")
    page.until(lambda: page.find("#banner").is_displayed())
    judge("offline")
