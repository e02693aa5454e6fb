"""Masks fit what they should, and no mask can take long."""

from __future__ import annotations

import itertools
import re
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tcpchat.core import masks
from tcpchat.core.masks import LENGTH_MAX, matches

SIGNS = ("a", "b", "*", "?", "\\")


def as_regex(mask: str) -> str:
    """The same mask, the slow way."""
    out = re.sub(r"\\[*?]|[*?]|.", _piece, mask, flags=re.DOTALL)
    return out + r"\Z"


def _piece(match: re.Match[str]) -> str:
    word = match[0]
    if len(word) == 2:
        return re.escape(word[1])
    return {"*": "[\\s\\S]*", "?": "[\\s\\S]"}.get(word) or re.escape(word)


def test_short_masks_are_what_they_mean() -> None:
    texts = ["".join(one) for size in range(4) for one in itertools.product("ab*\\", repeat=size)]
    for size in range(5):
        for mask in map("".join, itertools.product(SIGNS, repeat=size)):
            fits = re.compile(as_regex(mask))
            for text in texts:
                assert matches(mask, text) == bool(fits.match(text)), (mask, text)


@given(st.text("ab*?", max_size=12), st.text("ab", max_size=20))
def test_masks_are_what_they_mean(mask: str, text: str) -> None:
    assert matches(mask, text) == bool(re.match(as_regex(mask), text))


def test_the_case_counts_and_line_ends_are_characters() -> None:
    assert not matches("A", "a")
    assert matches("a?b*", "a\nb\n")
    assert matches("?" * 3, "äöü")


class Counted(str):
    """A text that counts the characters taken from it."""

    steps = 0

    def __iter__(self):  # type: ignore[no-untyped-def]
        for char in super().__iter__():
            Counted.steps += 1
            yield char


@pytest.mark.parametrize("mask", ["*?a" * 200 + "b", "?*" * 300 + "b", "*a?" * 200 + "b", "a?" * 350])
def test_a_text_is_walked_once(mask: str) -> None:
    Counted.steps = 0
    assert not matches(mask, Counted("a" * 10_000))
    assert Counted.steps <= 10_000


def test_a_mask_that_is_too_long_fits_nothing() -> None:
    assert matches("*" * LENGTH_MAX, "a")
    assert not matches("*" * (LENGTH_MAX + 1), "a")


def test_masks_kept_ready_have_an_end() -> None:
    for number in range(2 * masks.KEPT):
        matches(f"{number}?", "a")
    assert masks.ready.cache_info().currsize <= masks.KEPT


SLOW = """
from tcpchat.core.rules import mask_matches
from tcpchat.doors.irc import wire
for mask in ("*a" * 12 + "*b", "*a?" * 60 + "b", "a*" * 100 + "b", "*?" * 90 + "b", "*" * 150 + "b"):
    for text in ("a" * 100, "ab" * 100, "a" * 5000):
        wire.matches(mask, text)
        mask_matches(mask, text, text, text)
        mask_matches("a:" + mask, text, text, text)
        mask_matches(mask + "!" + mask + "@" + mask, text, text, text)
"""


def test_no_mask_takes_long() -> None:
    """The old way would need longer than there is time; the process is ended if it does."""
    done = subprocess.run([sys.executable, "-c", SLOW], timeout=60, check=False)
    assert done.returncode == 0
