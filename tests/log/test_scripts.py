"""Search in languages that are written without spaces, and Russian with and without dots; also in what older programs
indexed."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.loglab import append, said, seqs
from tcpchat.core.model import Edited, Query, Removed
from tcpchat.log import follow, fulltext, schema, writing
from tcpchat.log.sqlite import SqliteLog

TEXTS = {
    1: "会议改到周三下午",  # the meeting is moved to Wednesday afternoon
    2: "サーバーが落ちました",  # the server is down
    3: "ประชุมพรุ่งนี้บ่าย",  # meeting tomorrow afternoon
    4: "отчёт готов",
    5: "все елки зелёные",
    6: "周末 Python会议 at 3",
    7: "naïve café",
    8: "ビルド失敗😀又失敗",
    9: "ຂໍ້ຄວາມ မြန်မာ ភាសាខ្មែរ",
    10: "三周",
}
ASKED = {
    "周三": [1],
    "三周": [10],
    "会议": [6, 1],
    "周": [10, 6, 1],
    "三": [10, 1],
    "周 会": [6, 1],
    "改到周三下": [1],
    "改到三": [],
    "落ち": [2],
    "サーバー": [2],
    "พรุ่งนี้": [3],
    "ชุมพรุ่ง": [3],
    "отчет": [4],
    "отчёт": [4],
    "ОТЧЁТ гот": [4],
    "ёлки": [5],
    "зеленые": [5],
    "python会议": [6],
    "会议 python": [6],
    "cafe": [7],
    "失敗": [8],
    "又失敗": [8],
    "ຄວາມ": [9],
    "မြန်": [9],
    "ភាសា": [9],
    '"会议 at"': [6],
    "ー": [2],
}


async def found(log: SqliteLog, asked: str) -> list[int]:
    return seqs(await log.ask(Query(kind="search", rooms=(1,), words=asked)))


@pytest.mark.parametrize("settled", [True, False])
async def test_words_are_found_in_every_script(log: SqliteLog, settled: bool) -> None:
    await append(log, *(said(1, 1, text) for text in TEXTS.values()))
    if settled:
        await log.settle()
        log._tail.forget(1 << 50)
    assert {asked: await found(log, asked) for asked in ASKED} == ASKED


@pytest.mark.parametrize(
    ("text", "asked", "snippet"),
    [
        (TEXTS[1], "周三", "会议改到\x02周三\x03下午"),
        (TEXTS[4], "отчет", "\x02отчёт\x03 готов"),
        ("ё" * 3 + " … отчёт … " + "ё", "отчет", "ёёё … \x02отчёт\x03 … ё"),
        ("лёд " * 40 + "отчёт " + "мёд " * 40, "отчет", None),
    ],
)
async def test_a_snippet_is_in_the_letters_of_the_text(
    log: SqliteLog, text: str, asked: str, snippet: str | None
) -> None:
    await append(log, said(1, 1, text))
    (row,) = (await log.ask(Query(kind="search", rooms=(1,), words=asked))).rows
    if snippet is not None:
        assert row.snippet == snippet
    assert row.snippet.replace("\x02", "").replace("\x03", "").strip("…") in text
    assert "\x02" in row.snippet


async def first_format(path: Path, monkeypatch: pytest.MonkeyPatch) -> SqliteLog:
    """A log whose messages were indexed by the first format."""
    with monkeypatch.context() as old:
        for module in (fulltext, follow):
            old.setattr(module, "document", fulltext.first_document)
        log = SqliteLog(path)
        await log.open()
        await append(log, *(said(1, 1, text) for text in TEXTS.values()))
        await append(log, Edited(room=1, user=1, seq=10, text="周三好"), Removed(room=1, user=1, seq=2))
        await log.settle()
        log._store.db.execute("UPDATE marks SET value = 12 WHERE name = 'redo to'")
        await log.close()
    monkeypatch.setattr(writing, "REDO", 3)
    return SqliteLog(path)


@pytest.mark.parametrize("steps", [0, 1, 2, 3, 9])
async def test_what_an_older_program_indexed_is_indexed_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    log = await first_format(tmp_path / "log.db", monkeypatch)
    monkeypatch.setattr(writing.Store, "wait", lambda self: None)  # only when told
    await log.open()
    for _ in range(steps):
        await log._job(log._store.catch_up)
    await append(log, Edited(room=1, user=1, seq=5, text="会议 снег"), Removed(room=1, user=1, seq=6))
    await log.settle()
    log._tail.forget(1 << 50)
    expected = {"会议": [5, 1], "周三": [10, 1], "елки": [], "отчет": [4], "снег": [5], "落ち": [], "三周": []}
    assert {asked: await found(log, asked) for asked in expected} == expected
    for part in log._store.index.parts:
        table = schema.words_table(part)
        log._store.db.execute(f"INSERT INTO {table} ({table}) VALUES ('integrity-check')")
    await log.close()
