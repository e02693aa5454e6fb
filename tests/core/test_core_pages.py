"""How much one answer may hold: pages and feeds are cut by bytes, and whoever asks on gets the rest."""

from __future__ import annotations

import pytest

from tcpchat.core import feed, history
from tcpchat.core import model as m
from tcpchat.core.facts import Row

TEXT = "x" * 8_000


def _rows(count: int) -> tuple[m.Message, ...]:
    return tuple(m.Message(seq, 0, "duck", "#all", TEXT) for seq in range(1, count + 1))


@pytest.mark.parametrize(
    ("query", "first", "last"),
    [
        (m.Query(kind="page"), None, 500),  # the newest, and on by ``before``
        (m.Query(kind="page", before=501), None, 500),
        (m.Query(kind="page", after=0, at=1), 1, None),
        (m.Query(kind="page", until=9), 1, None),
        (m.Query(kind="search"), 1, None),
    ],
)
def test_a_page_is_cut_where_it_is_asked_on(query: m.Query, first: int | None, last: int | None) -> None:
    kept, cut = history._fitting(_rows(500), query)
    assert cut
    assert 0 < sum(map(feed.weight, kept)) <= history.PAGE_BYTES
    assert first is None or kept[0].seq == first
    assert last is None or kept[-1].seq == last
    assert [one.seq for one in kept] == list(range(kept[0].seq, kept[-1].seq + 1))


def test_a_page_around_keeps_what_is_near() -> None:
    kept, cut = history._fitting(_rows(500), m.Query(kind="page", around=250))
    assert cut
    assert abs((kept[0].seq + kept[-1].seq) // 2 - 250) <= 1


def test_a_small_page_is_whole_and_one_huge_row_is_a_page() -> None:
    rows = _rows(10)
    assert history._fitting(rows, m.Query(kind="page")) == (rows, False)
    huge = (m.Message(1, 0, "duck", "#all", "x" * 3_000_000),) * 2
    assert len(history._fitting(huge, m.Query(kind="page"))[0]) == 1


def test_a_row_is_as_heavy_as_its_bytes() -> None:
    row = Row(1, 0, m.Said(room=1, user=1, by="duck", text="\N{GRINNING FACE}" * 10, to="#all"))
    event = m.Message(1, 0, "duck", "#all", row.fact.text, tags={"+a": "bc"})
    assert feed.weight(event) == 200 + 40 + 4
