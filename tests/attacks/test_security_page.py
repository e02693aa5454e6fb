"""docs/security.md names tests: they exist, and those of the attacks talk to a server over a socket."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent.parent
PAGE = (TESTS.parent / "docs" / "security.md").read_text(encoding="utf-8")
REFERENCE = re.compile(r"`(?P<file>[\w/]+\.py)?(?:::(?P<test>\w+))?`")
SERVERS = {
    "server",
    "start",
    "world",
    "chat",
    "threaded",
    "make_house",
}  # fixtures that are, or start, a server with a port
ATTACKS = (
    "impersonation", "a replayed challenge", "downgrade to plain", "a password over plain",
    "a cross-protocol POST from a web page", "slow hello", "a line of 1 MB", "a flood from one login",
    "a join and part flood", "look-alike names", "escape injection into every face", "log forging",
    "path tricks in room names", "SQL and search tricks", "TLS garbage", "reading rooms and messages one is not in",
    "editing the messages of others", "a revoked key", "guessing link codes", "a banned one by another door",
)  # fmt: skip


def rows() -> list[tuple[str, str]]:
    """First and last cell of every row that stands in a table of threats or attacks."""
    found = []
    for line in PAGE.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| ") and cells[-1] not in ("tests", "test") and ".py" in cells[-1]:
            found.append((cells[0], cells[-1]))
    return found


@cache
def functions(file: str) -> dict[str, set[str]]:
    """The tests of a file, with what each asks of pytest."""
    tree = ast.parse((TESTS / file).read_text(encoding="utf-8"))
    return {
        node.name: {argument.arg for argument in node.args.args}
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    }


def named(cell: str) -> list[tuple[str, str]]:
    """The tests that a cell names: (file, test); ``::test`` belongs to the file named before it."""
    file, found = "", []
    for match in REFERENCE.finditer(cell):
        file = match["file"] or file
        found.append((file, match["test"] or ""))
    return found


def test_there_are_rows() -> None:
    assert len(rows()) >= len(ATTACKS) + 20


@pytest.mark.parametrize(("row", "cell"), rows(), ids=[row for row, _ in rows()])
def test_what_a_row_names_exists(row: str, cell: str) -> None:
    tests = named(cell)
    assert cell == ", ".join(
        f"`{file}::{test}`" if index == 0 or file != tests[index - 1][0] else f"`::{test}`"
        for index, (file, test) in enumerate(tests)
    ), f"{row}: write the file once, then ::test"
    for file, test in tests:
        assert test in functions(file), f"{file}::{test}"
    assert any(functions(file)[test] & SERVERS for file, test in tests), f"{row}: no test over a real socket"


@pytest.mark.parametrize("attack", ATTACKS)
def test_every_attack_has_its_line(attack: str) -> None:
    assert attack in [row for row, _ in rows()]
