"""Texts: every one has its Russian, with the same places for names and numbers; the documentation is not stale."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import tcpchat.tui
from tcpchat import i18n
from tcpchat.tui.panes import HINTS
from tcpchat.tui.ru import PLURALS, TEXTS
from tcpchat.tui.themes import STATES
from tools.docs import terminal

TUI = Path(tcpchat.tui.__file__).parent
PAGE = TUI.parents[2] / "docs" / "terminal.md"


def used() -> tuple[set[str], set[str]]:
    texts, plurals = {text for _key, text in HINTS} | set(STATES), set()
    for path in TUI.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in ("_", "plural", "text")
            ):
                arg = node.args[node.func.id == "plural"]
                if isinstance(arg, ast.Constant):
                    (plurals if node.func.id == "plural" else texts).add(str(arg.value))
    return texts, plurals


def test_every_text_has_its_russian() -> None:
    texts, plurals = used()
    assert texts - set(TEXTS) == set()
    assert set(TEXTS) - texts == set()
    assert plurals == set(PLURALS)


@pytest.mark.parametrize("text", sorted(TEXTS))
def test_places_for_names_and_numbers_are_the_same(text: str) -> None:
    assert re.findall(r"%[sd]", text) == re.findall(r"%[sd]", TEXTS[text])
    assert i18n.language() in i18n.LANGUAGES


def test_the_page_on_the_terminal_client_is_not_stale() -> None:
    assert PAGE.read_text(encoding="utf-8") == terminal.updated(PAGE.read_text(encoding="utf-8")), "make docs"
