"""The page under load, in Chromium: time to the first message, long tasks, and whether the view stays where it is.

``python -m benchmarks.web [--quick]`` (selenium, chromium and chromedriver are needed).
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from typing import Any

import tcpchat
from tests.support.webpage import Page, chromium

HISTORY = 10_000  # messages in the room before the page opens
RATE = 500  # messages a second
STEP = 0.02  # seconds between two handfuls

WATCH = """
window.longTasks = [];
new PerformanceObserver((list) => longTasks.push(...list.getEntries().map((e) => Math.round(e.duration))))
  .observe({ type: "longtask", buffered: true });
new MutationObserver((_, self) => {
  if (!document.querySelector("#list article .text")) return;
  requestAnimationFrame(() => { window.firstMessage = performance.now(); });
  self.disconnect();
}).observe(document, { childList: true, subtree: true });
"""
TOP = """const list = document.getElementById("list"), top = list.getBoundingClientRect().top;
const row = [...list.querySelectorAll("article")].find((e) => e.getBoundingClientRect().bottom > top);
return row.querySelector(".text").textContent + " at " + Math.round(row.getBoundingClientRect().top - top);"""


def serve(data: str, port: int = 0) -> tuple[subprocess.Popen[str], int]:
    """A server process on a free port."""
    options = ["--port", str(port), "--data", data, "--messages-per-second", "0", "--bytes-per-second", "0"]
    command = [sys.executable, "-m", "tcpchat.cli.serve", *options]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"})
    assert server.stdout is not None
    for line in server.stdout:
        if "Listening on port" in line:
            return server, int(line.split("port ")[1].split(",")[0])
    raise SystemExit("the server did not start")


async def fill(chat: tcpchat.Client, count: int) -> None:
    sent = [await chat.send("#all", f"old message {n} of the history") for n in range(count)]
    await sent[-1].accepted(timeout=120)


async def flood(chat: tcpchat.Client, seconds: float) -> int:
    """RATE messages a second; how many it were."""
    loop, count = asyncio.get_running_loop(), 0
    begin = loop.time()
    while (now := loop.time() - begin) < seconds:
        while count < now * RATE:
            last = await chat.send("#all", f"message {count}: the quick brown fox jumps over the lazy dog")
            count += 1
        await asyncio.sleep(STEP)
    await last.accepted(timeout=60)
    return count


def open_again(driver: Any, port: int) -> tuple[Page, list[float]]:
    """Navigate to the page as somebody who is logged in, a few times."""
    times = []
    for _ in range(5):
        page = Page(driver, port)
        page.until(lambda page=page: page.js("return window.firstMessage"))  # type: ignore[misc]
        times.append(float(page.js("return window.firstMessage")))
    return page, times


async def measure(driver: Any, port: int, seconds: float) -> None:
    async with tcpchat.connect(f"127.0.0.1:{port}", "flooder", outbox=None) as chat:
        await fill(chat, HISTORY)
        driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": WATCH})
        await asyncio.to_thread(lambda: Page(driver, port).enter("alice"))
        page, times = await asyncio.to_thread(open_again, driver, port)
        shown = ", ".join(f"{one:.0f}" for one in times)
        print(f"first message visible with {HISTORY:,} in the room: {shown} ms after navigation (limit 1,000)")
        for where in ("at the end", "scrolled up"):
            page.js("longTasks.length = 0")
            if where == "scrolled up":
                page.js("document.getElementById('list').scrollTop -= 3000")
                await asyncio.to_thread(page.until, lambda: page.find("#newer").is_displayed())
            before = page.js(TOP)
            count = await flood(chat, seconds)
            if where == "at the end":
                await asyncio.to_thread(page.until, lambda: page.texts()[-1].startswith(f"message {count - 1}:"))  # noqa: B023
            tasks, after = page.js("return longTasks"), page.js(TOP)
            rows = page.js("return document.querySelectorAll('article').length")
            print(f"{where}: {count:,} messages in {seconds:.0f} s, {len(tasks)} long tasks, "
                  f"longest {max(tasks, default=0)} ms (limit 200), {rows} rows in the page")  # fmt: skip
            if where == "scrolled up":
                print(f"the row at the top of the view: {before!r} before, {after!r} after")


def offline(driver: Any, data: str, server: subprocess.Popen[str], port: int, seconds: float) -> subprocess.Popen[str]:
    """Kill the server, type three messages, start it again after a while: how soon are they there?"""
    page = Page(driver, port).ready()
    server.kill()
    server.wait(20)
    texts = [f"typed without a server {n}" for n in range(3)]
    for text in texts:
        page.type(text)
    page.sees(*texts)
    time.sleep(seconds)
    server, port = serve(data, port)
    begin = time.monotonic()
    page.until(lambda: page.state(texts[-1]) in ("accepted", "delivered", "read"), "accepted", 40)
    took = time.monotonic() - begin
    page.sees(*texts)
    print(f"offline {seconds:.0f} s: three messages accepted {took:.1f} s after the server was back, once, in order")
    return server


def main() -> None:
    seconds = 5.0 if "--quick" in sys.argv else 30.0
    with tempfile.TemporaryDirectory() as data, chromium() as driver:
        server, port = serve(data)
        try:
            asyncio.run(measure(driver, port, seconds))
            server = offline(driver, data, server, port, seconds * 2)
        finally:
            server.terminate()
            server.wait(20)


if __name__ == "__main__":
    main()
