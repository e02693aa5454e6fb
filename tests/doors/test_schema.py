"""The page about the native protocol says all there is, and nothing that was true once."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from tcpchat.core.errors import CODES
from tcpchat.core.model import AnyCommand, AnyEvent
from tools.docs import protocol

RENEW = "run: make docs"


def test_everything_on_the_wire_is_described() -> None:
    assert protocol.undocumented() == []


def test_the_page_is_fresh() -> None:
    page = (protocol.DOCS / "protocol.md").read_text(encoding="utf-8")
    assert protocol.fill(page) == page, RENEW
    assert all(f"| `{code}` |" in page for code in CODES)


def test_the_schema_is_fresh_and_names_every_message() -> None:
    text = (protocol.DOCS / "protocol.schema.json").read_text(encoding="utf-8")
    assert protocol.schema() == text, RENEW
    named = json.loads(text)["$defs"]
    for kind in (*protocol.kinds(AnyCommand), *protocol.kinds(AnyEvent)):
        assert kind.__name__ in named


def test_examples_say_nothing_that_is_left_out() -> None:
    """Every example is as the server or the library itself would write it: no unknown fields, no defaults."""
    for side, _, line in protocol.examples():
        item = msgspec.json.decode(line, type=AnyCommand if side == ">" else AnyEvent)
        assert msgspec.json.decode(msgspec.json.encode(item)) == json.loads(line)


def test_a_new_field_without_a_word_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(protocol.FIELDS, "Rename.to")
    monkeypatch.delitem(protocol.FIELDS, "to")
    assert "Rename.to" in protocol.undocumented()


def test_writes_both_files(tmp_path: Path) -> None:
    for name in ("protocol.md", "protocol.schema.json"):
        (tmp_path / name).write_text((protocol.DOCS / name).read_text(encoding="utf-8"), encoding="utf-8")
    protocol.write(tmp_path)
    for name in ("protocol.md", "protocol.schema.json"):
        assert (tmp_path / name).read_bytes() == (protocol.DOCS / name).read_bytes()


def test_a_page_without_its_places_is_refused() -> None:
    with pytest.raises(ValueError, match="no place for limits"):
        protocol.fill("# nothing")
