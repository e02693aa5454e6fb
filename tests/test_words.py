"""What people read is plain English: these turns of phrase say it in another language's way."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tcpchat.config import SETTINGS
from tcpchat.core.errors import CODES
from tcpchat.core.operators import ACTS
from tcpchat.tui.commands import TABLE

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
INSTEAD = {  # what is written, as a pattern -> what to write
    r"\bby (itself|themselves)\b": "automatically, on its own",
    r"\bas ever\b": "unchanged",
    r"\bof one's own\b": "your own",
    r"\b(holds?|opens?|works?|counts?) no more\b": "no longer ..., stops ...",
    r"\bhung up\b": "disconnected",
    r"\bhangs? (him|her|it|them) up\b": "disconnects",
    r"\bbehind\b(?! (a|the|an|one|it|its|this|that|their)\b)": "after (a place or a time); behind is for proxies",
    r"\bso many (an?|at)\b": "N per ...",
    r"\bself-made\b": "self-signed",
    r"\bvouch(es|ed)? for those of\b": "sign",
}


def faults(text: str) -> list[str]:
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        for pattern, better in INSTEAD.items():
            if match := re.search(pattern, line, re.IGNORECASE):
                found.append(f"line {number}: {match[0]!r}: write {better}")
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_pages_are_plain_english(page: Path) -> None:
    if page.name.endswith(".ru.md"):
        pytest.skip("Russian")
    assert faults(page.read_text(encoding="utf-8")) == []


def test_short_texts_are_plain_english() -> None:
    texts = [code.text for code in CODES.values()]
    texts += [setting.help for setting in SETTINGS.values()]
    texts += [act.about for act in ACTS.values()]
    texts += [command.help for command in TABLE]
    assert faults("\n".join(texts)) == []
