"""The page in real browsers, together with a native and an original client."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

import tcpchat
from support.original import OriginalClient
from support.webpage import Page, chromium
from tcpchat.core import model as m
from tcpchat.core.errors import CODES
from tcpchat.trust.fingerprint import words

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]

RULE = "#list .rule.new"


def native(server: Any, login: str) -> Any:
    return tcpchat.sync.connect(f"127.0.0.1:{server.port}", login, outbox=None)


def test_four_kinds_of_clients_in_one_conversation(chat: tcpchat.Server, first: Any, second: Any) -> None:
    alice, duck = Page(first, chat.port).enter("alice"), Page(second, chat.port).enter("duck")
    with native(chat, "carol") as carol, OriginalClient("127.0.0.1", chat.port, "Big Brother") as brother:
        messages = carol.messages(timeout=20)
        alice.until(lambda: alice.text("#people-title") == "Here (4)", "presence")
        alice.type("quack to all")
        assert next(messages).text == "quack to all"
        brother.wait_for("broadcast - alice : quack to all")
        carol.confirm(carol.history("#all").messages[-1].seq)
        duck.sees("quack to all")
        alice.reaches("quack to all", "delivered")
        brother.everyone("I'm watching you ...")
        alice.sees("quack to all", "I'm watching you ...")
        brother.send_to("alice", "psst")
        alice.until(lambda: alice.text("#direct .count") == "1", "unread")
        assert alice.driver.title == "(1) #all"
        alice.goto("#/u/Big%20Brother")
        alice.sees("psst")
        alice.until(lambda: alice.driver.title == "@Big Brother", "read")
        alice.type("I see")
        brother.wait_for("alice  : I see")
        alice.reaches("I see", "delivered")
    alice.until(lambda: alice.text("#people-title") == "Here (2)", "they went")
    assert alice.complaints() == duck.complaints() == []


def test_ticks_come_to_read_and_it_says_who(chat: tcpchat.Server, first: Any, second: Any) -> None:
    alice, duck = Page(first, chat.port).enter("alice"), Page(second, chat.port).enter("duck")
    duck.type("/msg alice hello there")
    duck.sees("hello there")
    alice.until(lambda: alice.text("#direct .count") == "1", "unread")
    duck.reaches("hello there", "delivered")
    alice.goto("#/u/duck")
    alice.sees("hello there")
    duck.reaches("hello there", "read")
    duck.act("hello there", "Who has it")
    duck.until(lambda: duck.text("#dialog tr").startswith("aliceread"), "who has it")
    duck.find("#dialog button").click()


def test_no_unread_rule_in_front_of_ones_eyes(chat: tcpchat.Server, first: Any, second: Any) -> None:
    alice, duck = Page(first, chat.port).enter("alice"), Page(second, chat.port).enter("duck")
    duck.type("one")
    alice.sees("one")
    assert alice.all(RULE) == []
    alice.goto("#/u/duck")
    alice.until(lambda: alice.text("#room-name") == "@duck", "another conversation")
    duck.type("two @alice")
    alice.until(lambda: alice.text("#rooms .count") == "@1 1", "a mention")
    assert alice.driver.title == "(1) @duck"
    alice.goto("#/r/all")
    alice.sees("one", "two @alice")
    alice.until(lambda: alice.text(RULE) == "1 unread", "the rule")
    assert alice.all("article.mention")


def test_typing_is_seen(chat: tcpchat.Server, first: Any, second: Any) -> None:
    alice, duck = Page(first, chat.port).enter("alice"), Page(second, chat.port).enter("duck")
    duck.type("hm", enter=False)
    alice.until(lambda: alice.text("#typing") == "duck is typing …", "typing")
    duck.type(" well")
    alice.sees("hm well")
    alice.until(lambda: alice.text("#typing") == "", "no longer")


def test_edit_delete_and_reply(chat: tcpchat.Server, first: Any, second: Any) -> None:
    alice, duck = Page(first, chat.port).enter("alice"), Page(second, chat.port).enter("duck")
    alice.type("a typo hree")
    alice.type("a slip")
    duck.sees("a typo hree", "a slip")
    alice.reaches("a slip", "read")
    alice.act("a typo", "Edit")
    alice.until(lambda: alice.find("#composer").get_attribute("value") == "a typo hree", "the old text")
    alice.find("#composer").clear()
    alice.type("no typo here")
    duck.sees("no typo here (edited)", "a slip")
    alice.sees("no typo here (edited)", "a slip")
    alice.act("a slip", "Delete")
    alice.driver.switch_to.alert.accept()
    duck.sees("no typo here (edited)", "message deleted")
    duck.act("no typo", "Reply")
    duck.until(lambda: duck.text("#context-text").startswith("Replying to alice"), "context")
    duck.type("indeed")
    alice.sees("message deleted", "indeed")
    alice.until(lambda: alice.text("article .re") == "alice: no typo here", "what it answers")
    alice.find("#composer").send_keys(Keys.ARROW_UP)
    alice.until(lambda: alice.find("#composer").get_attribute("value") == "no typo here", "the last own one")
    alice.find("#composer").send_keys(Keys.ESCAPE)
    alice.until(lambda: alice.find("#composer").get_attribute("value") == "", "given up")


STORED_SLOWLY = """const put = IDBObjectStore.prototype.put;
    IDBObjectStore.prototype.put = function (value) {
      const wait = () => { if (!window.stored) this.get(["", 0]).onsuccess = wait; };
      wait();
      return put.call(this, value);
    };"""


def test_a_message_that_is_being_stored_while_the_list_is_drawn_is_shown_once(chat: tcpchat.Server, first: Any) -> None:
    with native(chat, "teller") as teller:
        alice = Page(first, chat.port).enter("alice")
        alice.js(STORED_SLOWLY)
        alice.type("mine")
        teller.send("#all", "of another").accepted(10)
        alice.until(lambda: "of another" in alice.texts(), "drawn")
        alice.js("window.stored = true")
        alice.reaches("mine", "accepted")
        alice.until(lambda: sorted(alice.texts()) == ["mine", "of another"], "each once")


def test_history_search_and_deep_links(chat: tcpchat.Server, first: Any) -> None:
    with native(chat, "teller") as teller:
        teller.join("#tales")
        sent = [teller.send("#tales", f"tale {n}") for n in range(1, 161)]
        seqs = [one.accepted(20).seq for one in sent]
        alice = Page(first, chat.port).enter("alice")
        alice.type("/join #tales")
        alice.until(lambda: alice.texts()[-1:] == ["tale 160"], "the newest page")
        assert "tale 1" not in alice.texts()

        def at_the_beginning() -> bool:
            alice.js("document.getElementById('list').scrollTop = 0")
            return alice.texts()[:1] == ["tale 1"]

        alice.until(at_the_beginning, "older pages")
        assert alice.texts() == [f"tale {n}" for n in range(1, 161)]
        assert "beginning of #tales" in alice.text("#list")
        alice.js("document.activeElement.blur(); document.body.focus()")
        alice.driver.switch_to.active_element.send_keys("/")
        alice.find("#search-words").send_keys('"tale 77"')
        alice.until(lambda: alice.texts() == ["tale 77"], "search")
        assert alice.text("#list mark")
        alice.find("#list article button").click()
        alice.until(lambda: alice.text("article:focus .text") == "tale 77", "the hit in its place")
        again = Page(first, chat.port, f"/#/m/{seqs[20]}").ready()  # a new navigation: the session goes on
        again.until(lambda: again.text("article:focus .text") == "tale 21", "the message of the link")
        assert again.text("#room-name") == "#tales"
        again.until(lambda: again.find("#newer").is_displayed(), "the way to the end")
        again.find("#newer").click()
        again.until(lambda: again.texts()[-1:] == ["tale 160"], "the end")


def test_switcher_and_keys(chat: tcpchat.Server, first: Any) -> None:
    alice = Page(first, chat.port).enter("alice")
    alice.type("/join #ops")
    alice.until(lambda: alice.text("#room-name") == "#ops", "joined")
    alice.type(Keys.CONTROL + "k" + Keys.NULL, enter=False)
    alice.until(lambda: alice.all("#dialog input"), "the switcher")
    alice.find("#dialog input").send_keys("al" + Keys.ENTER)
    alice.until(lambda: alice.text("#room-name") == "#all", "gone to")
    alice.type(Keys.ALT + Keys.ARROW_DOWN + Keys.NULL, enter=False)
    alice.until(lambda: alice.text("#room-name") == "#ops", "the next one")
    alice.type("/jion x")
    alice.until(lambda: alice.text("#alert") == "No command /jion. //jion sends it as text.", "a hint")
    assert alice.find("#composer").get_attribute("value") == "/jion x"


def test_reload_keeps_the_session(chat: tcpchat.Server, first: Any) -> None:
    alice = Page(first, chat.port).enter("alice")
    alice.type("before")
    alice.reaches("before", "accepted")
    alice.driver.refresh()
    alice.ready().sees("before")
    alice.type("after")
    alice.sees("before", "after")
    alice.until(lambda: alice.text("#people-title") == "Here (1)", "one person")


def test_two_windows_of_one_guest(chat: tcpchat.Server, first: Any, second: Any) -> None:
    alice = Page(first, chat.port).enter("alice")
    driver, one = alice.driver, alice.driver.current_window_handle
    driver.switch_to.new_window("tab")
    two = driver.current_window_handle
    try:
        other = Page(driver, chat.port).enter("alice")
        other.type("from the second")
        other.reaches("from the second", "accepted")
        driver.switch_to.window(one)
        alice.sees("from the second")
        alice.type("from the first")
        driver.switch_to.window(two)
        other.sees("from the second", "from the first")
        other.until(lambda: other.text("#people-title") == "Here (1)", "one person")
    finally:
        driver.switch_to.window(two)
        driver.close()
        driver.switch_to.window(one)


EVIL = "<img src=x onerror=alert(1)><script>alert(2)</script>"


def test_what_others_write_is_text(chat: tcpchat.Server, first: Any) -> None:
    alice = Page(first, chat.port).enter("alice")
    with native(chat, "x&amp;b") as evil:
        evil.join("#<i>room")
        evil.topic("#<i>room", EVIL)
        evil.send("#all", EVIL).accepted(10)
        evil.send("#all", "a\x1b[31mb\u202ec &amp; [click](javascript:alert(3))").accepted(10)
        alice.sees(EVIL, "a[31mb\ufffdc &amp; [click](javascript:alert(3))")
        alice.goto("#/r/" + "%3Ci%3Eroom")
        alice.until(lambda: alice.text("#room-topic") == EVIL, "the topic")
        alice.until(lambda: "x&amp;b" in alice.text("#here"), "the login")
        assert alice.js("return document.querySelectorAll('img, i:not([class]), #here b').length") == 0
        links = alice.js("return [...document.querySelectorAll('#list a')].map((a) => a.href)")
        assert links == []


def test_a_claimed_login_asks_for_its_password(chat: tcpchat.Server, first: Any) -> None:
    with native(chat, "owner") as owner:
        owner.command(m.Password("", new="correct horse"))
    page = Page(first, chat.port)
    page.until(lambda: page.find("#login-name").is_displayed(), "the form")
    page.find("#login-name").send_keys("owner" + Keys.ENTER)
    page.until(lambda: page.find("#login-password").is_displayed(), "the question")
    page.find("#login-password").send_keys("wrong" + Keys.ENTER)
    page.until(lambda: page.text("#login-error") not in ("", "This login has an owner: enter its password, or choose"
                                                         " another."), "the refusal")  # fmt: skip
    page.find("#login-password").clear()
    page.find("#login-password").send_keys("correct horse" + Keys.ENTER)
    page.ready()


def test_the_password_is_asked_once_for_a_browser(chat: tcpchat.Server, first: Any) -> None:
    with native(chat, "keeper") as owner:
        owner.command(m.Password("", new="correct horse"))
        page = Page(first, chat.port)
        page.until(lambda: page.find("#login-name").is_displayed(), "the form")
        page.find("#login-name").send_keys("keeper" + Keys.ENTER)
        page.until(lambda: page.find("#login-password").is_displayed(), "the question")
        page.find("#login-password").send_keys("correct horse" + Keys.ENTER)
        page.ready()
        keys: dict[str, str] = {}

        def kept() -> dict[str, str]:
            done = owner.command(m.Key("list"))
            assert isinstance(done, m.Done)
            keys.update(done.data["keys"])
            return keys

        page.until(kept, "the key of this browser")
        assert list(keys.values()) == ["web"]
        page.driver.refresh()
        page.ready()
        assert page.js("return login.hidden")
        owner.command(m.Key("revoke", next(iter(keys))))  # that browser was lost: what it has opens nothing any more
        page.until(lambda: page.find("#login-name").is_displayed(), "the form")
        assert page.text("#login-error") == CODES["revoked"].text
        page.find("#login-name").clear()
        page.find("#login-name").send_keys("keeper" + Keys.ENTER)
        page.until(lambda: page.find("#login-password").is_displayed(), "the question again")


def test_the_form_says_what_the_key_of_the_server_is_called(chat: tcpchat.Server) -> None:
    with chromium(800, 600, "--ignore-certificate-errors") as driver:
        page = Page(driver, chat.port)
        driver.get(f"https://127.0.0.1:{chat.port}/")
        page.until(lambda: page.text("#login-words"), "the words")
        assert page.text("#login-words") == words(chat.fingerprint)


def test_leaving_forgets_the_key(chat: tcpchat.Server, first: Any) -> None:
    with native(chat, "leaver") as owner:
        owner.command(m.Password("", new="correct horse"))
        page = Page(first, chat.port)
        page.until(lambda: page.find("#login-name").is_displayed(), "the form")
        page.find("#login-name").send_keys("leaver" + Keys.ENTER)
        page.until(lambda: page.find("#login-password").is_displayed(), "the question")
        page.find("#login-password").send_keys("correct horse" + Keys.ENTER)
        page.ready()
        page.until(lambda: owner.command(m.Key("list")).data["keys"], "the key of this browser")
        page.find("#open-settings").click()
        page.until(lambda: page.all("#dialog button")[-1].is_displayed(), "the settings")
        page.all("#dialog button")[-1].click()
        page.until(lambda: page.find("#login-name").is_displayed(), "the form")
        page.find("#login-name").clear()
        page.find("#login-name").send_keys("leaver" + Keys.ENTER)
        page.until(lambda: page.find("#login-password").is_displayed(), "the question again")


@contextmanager
def process(data: Path, port: int) -> Iterator[subprocess.Popen[str]]:
    """A server as its own process, listening."""
    command = [sys.executable, "-m", "tcpchat.cli.serve", "--port", str(port), "--data", str(data)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"})
    assert server.stdout is not None
    try:
        for line in server.stdout:
            if "Listening" in line:
                break
        yield server
    finally:
        if server.poll() is None:
            server.terminate()
        server.wait(20)
        server.stdout.close()


def test_a_killed_server_is_a_non_event(tmp_path: Path, first: Any, second: Any, free_port: int) -> None:
    kept = [f"typed without a server {n}" for n in range(3)]
    with process(tmp_path, free_port) as server:
        alice, duck = Page(first, free_port).enter("alice"), Page(second, free_port).enter("duck")
        alice.type("before")
        duck.sees("before")
        server.send_signal(signal.SIGKILL)
        server.wait(10)
    for text in kept:
        alice.type(text)
    alice.sees("before", *kept)
    alice.until(lambda: "Messages waiting to be sent: 3." in alice.text("#banner"), "the banner")
    assert {alice.state(text) for text in kept} == {"pending"}
    with process(tmp_path, free_port):
        alice.until(lambda: not alice.find("#banner").is_displayed(), "connected again", 45)
        duck.until(lambda: len(duck.texts()) >= 4, "they came", 45)
        duck.sees("before", *kept)
        alice.sees("before", *kept)
        alice.reaches(kept[-1], "read")
        assert len(alice.texts()) == len(duck.texts()) == 4


def test_a_reload_without_a_server_keeps_what_was_typed(tmp_path: Path, first: Any, free_port: int) -> None:
    with process(tmp_path, free_port) as server:
        alice = Page(first, free_port).enter("alice")
        server.send_signal(signal.SIGKILL)
        server.wait(10)
    alice.type("kept over the reload")
    alice.sees("kept over the reload")
    with process(tmp_path, free_port):
        again = Page(first, free_port).ready()
        again.sees("kept over the reload")
        again.reaches("kept over the reload", "accepted")


def test_narrow_windows_have_a_drawer(chat: tcpchat.Server, second: Any) -> None:
    duck = Page(second, chat.port).enter("duck")
    assert not duck.find("nav").is_displayed()
    duck.find("#menu").click()
    duck.until(lambda: duck.find("nav").is_displayed(), "the drawer")
    duck.find("#side-close").click()
    duck.until(lambda: not duck.find("nav").is_displayed(), "shut")
    wide = duck.js("return document.documentElement.scrollWidth - innerWidth")
    assert wide <= 0
    assert duck.js("return document.documentElement.scrollHeight - innerHeight") <= 0
    assert duck.driver.find_elements(By.CSS_SELECTOR, "#composer")
