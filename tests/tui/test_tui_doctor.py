"""``tcpchat doctor`` asks the terminal: one that answers, one that says no, one that says nothing, a real tmux."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest

from support.realterm import PtyTerminal, Tmux, need_tmux

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs a pty")
NEW = {
    rb"\x1b\[\?u": "\x1b[?0u", rb"\x1bP\$qm\x1b\\": "\x1bP1$r0;48:2:1:2:3m\x1b\\", rb"\x1b\[\?(\d+)\$p": "\x1b[?{};2$y",
    rb"\x1b\[6n": "\x1b[1;3R", rb"\x1b\[c": "\x1b[?62;22;52c",
}  # fmt: skip
OLD = {rb"\x1b\[\?(\d+)\$p": "\x1b[?{};0$y", rb"\x1b\[6n": "\x1b[1;2R", rb"\x1b\[c": "\x1b[?1;2c"}


class Answering(PtyTerminal):
    """A terminal that answers questions from a table."""

    def __init__(self, table: dict[bytes, str], home: Path, **environment: str) -> None:
        self.table, self.told = table, 0
        super().__init__(["doctor", "-s", "127.0.0.1:1"], home, **environment)

    def read(self, seconds: float = 0.05) -> bool:
        alive = super().read(seconds)
        wanted = re.compile(b"|".join(b"(?:" + one + b")" for one in self.table)) if self.table else None
        while wanted and (found := wanted.search(self.raw, self.told)):
            self.told = found.end()
            answer = next(text for one, text in self.table.items() if re.fullmatch(one, found[0]))
            os.write(self.fd, answer.format(*re.findall(r"\d+", found[0].decode())).encode())
        return alive


def report(table: dict[bytes, str], home: Path, **environment: str) -> str:
    terminal = Answering(table, home, COLORTERM="", **environment)
    try:
        text = terminal.until(lambda text: "127.0.0.1:1: " in text)
        terminal.gone()
        return text
    finally:
        terminal.close()


def test_a_terminal_that_can_everything(tmp_path: Path) -> None:
    text = report(NEW, tmp_path)
    for line in (
        "ok    colours: all", "ok    wide signs: an emoji takes two columns", "ok    keys: kitty protocol",
        "ok    paste: told from typing", "ok    focus: reported", "ok    mouse: reported",
        "ok    clipboard: can be set",
        "ok    UTF-8: utf-8", "ok    language: en (C.UTF-8)",
    ):  # fmt: skip
        assert line in text


def test_a_terminal_that_can_little(tmp_path: Path) -> None:
    text = report(OLD, tmp_path)
    for line in (
        "ok    colours: 256", "note  wide signs: an emoji takes 1 columns", "note  keys: old keys",
        "note  paste: not told", "note  focus: not reported", "note  mouse: not reported",
        "note  clipboard: does not say",
    ):  # fmt: skip
        assert line in text


def test_a_terminal_that_says_nothing(tmp_path: Path) -> None:
    text = report({}, tmp_path)
    assert "note  terminal: it answers no questions" in text
    assert "ok    colours: xterm-256color" in text


def test_in_russian(tmp_path: Path) -> None:
    assert "клавиши: протокол kitty" in report(NEW, tmp_path, LC_ALL="ru_RU.UTF-8", PYTHONUTF8="1")


@pytest.mark.real
def test_in_tmux(tmp_path: Path) -> None:
    need_tmux()
    tmux = Tmux(tmp_path, ["sh"])
    try:
        for said, line in (("off", "note  tmux: notifications do not pass"), ("on", "ok    tmux: notifications pass")):
            tmux.run("set-option", "-g", "allow-passthrough", said)
            program = f"{sys.executable} -m tcpchat.cli doctor -s 127.0.0.1:1"
            command = f"clear; LANG=C.UTF-8 TCPCHAT_HOME={tmp_path} {program}"
            tmux.press(command, "Enter")
            text = tmux.until(line)
            assert "wide signs: an emoji takes two columns" in text
            assert "note  keys: old keys" in text
    finally:
        tmux.close()
