"""The page at a server that was restored, or that has forgotten its numbers, in a real browser."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

import tcpchat
from support.webpage import Page
from tcpchat import sync
from tcpchat.log.sqlite import FILE_NAME


def restore(folder: Path, saved: Path) -> None:
    for path in folder.glob(FILE_NAME + "*"):
        path.unlink()
    if saved.exists():
        shutil.copy(saved, folder / FILE_NAME)


@pytest.mark.parametrize("how", ["by hand", "wiped"])
def test_a_page_that_was_ahead_shows_what_is_there_now(tmp_path: Path, first: Any, free_port: int, how: str) -> None:
    folder, saved = tmp_path / "data", tmp_path / "saved.db"

    def serve() -> Any:
        return tcpchat.Server.in_thread(port=free_port, data=folder, messages_per_second=0, plain_only=True)

    with serve(), sync.connect(f"127.0.0.1:{free_port}", "duck") as duck:
        duck.send("#all", "shared").accepted(10)
    if how == "by hand":
        shutil.copy(folder / FILE_NAME, saved)
    with serve():
        page = Page(first, free_port).enter("alice")
        with sync.connect(f"127.0.0.1:{free_port}", "duck") as duck:
            for n in range(5):
                duck.send("#all", f"old {n}").accepted(10)
        page.sees("old 4")
    page.type("typed without a server")
    restore(folder, saved)
    with serve():
        page.until(lambda: "restored from a backup" in page.text("#alert"), "a word about it", 45)
        page.until(lambda: "old 4" not in page.texts() and "old 0" not in page.texts(), "what is gone goes")
        with sync.connect(f"127.0.0.1:{free_port}", "duck") as duck:
            for n in range(12):
                duck.send("#all", f"new {n}").accepted(10)
            page.sees("typed without a server", *(f"new {n}" for n in range(12)))
            said = [one.text for one in duck.history("#all").messages if hasattr(one, "text")]
            assert said.count("typed without a server") == 1


def test_what_nobody_knows_to_be_sent_waits_for_a_person(chat: tcpchat.Server, first: Any) -> None:
    """A message left, its answer did not come, and the server has forgotten the numbers of this device."""
    page = Page(first, chat.port).enter("alice")
    page.type("before")
    page.reaches("before", "accepted")
    first.execute_async_script(
        """
        const done = arguments[arguments.length - 1];
        const ask = indexedDB.open("tcpchat", 1);
        ask.onsuccess = () => {
            const work = ask.result.transaction("outbox", "readwrite"), store = work.objectStore("outbox");
            const key = `alice|${sessionStorage.getItem("tcpchat.device") || ""}`;
            store.put({key, id: 1, at: Date.now(), n: 7, to: "#all", text: "in doubt", had: 6, base: 3, log: ""});
            work.oncomplete = () => done(key);
        };
        """
    )
    again = Page(first, chat.port).ready()
    again.sees("in doubt")
    assert again.state("in doubt") == "failed"
    again.until(lambda: "not known whether it was sent" in again.text("#list"), "it says so")
    with sync.connect(f"127.0.0.1:{chat.port}", "duck") as duck:
        said = [one.text for one in duck.history("#all").messages if hasattr(one, "text")]
    assert "in doubt" not in said, "it was sent silently"
    once_more = Page(first, chat.port).ready()
    once_more.until(lambda: "not known whether it was sent" in once_more.text("#list"), "also after another reload")
