"""Rows: wrapping, heights, painting; windows of rows: order, folding, rules, trimming."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.style import Style

from tcpchat.tui.paint import Painter
from tcpchat.tui.rows import Layout, Row, body, chop, cuts, measure, wrap
from tcpchat.tui.themes import ASCII, DARK, DARK_NAMES, HIGH_CONTRAST, HIGH_NAMES, LIGHT, LIGHT_NAMES, UNICODE, Palette
from tcpchat.tui.window import Window

PIECES = ["a", "b", "cd", " ", " ", "\n", "日", "🦆", "é", "ё", "e\u0301", "👩\u200d👩\u200d👧", "❤\ufe0f"]
TEXTS = st.lists(st.sampled_from(PIECES), max_size=50).map("".join)


@given(TEXTS, st.integers(4, 30), st.integers(0, 3))
@settings(max_examples=400, deadline=None)
def test_wrapping_keeps_the_text_and_the_width(text: str, width: int, first: int) -> None:
    lines = wrap(text, width, first)
    for number, (start, end) in enumerate(lines):
        assert cell_len(text[start:end]) <= width - (first if number == 0 else 0) or end - start == 1 or first > 0
    rest = text
    for start, end in lines:
        assert text[start:end] in rest
    kept = "".join(text[start:end] for start, end in lines)
    assert kept.replace(" ", "") == text.replace("\n", "").replace(" ", "")
    assert [start for start, _end in lines] == sorted(start for start, _end in lines)


def test_wrapping_breaks_at_spaces_and_hangs_nothing() -> None:
    text = "quack? a longer line that wraps"
    assert [text[a:b] for a, b in wrap(text, 12)] == ["quack? a", "longer line", "that wraps"]
    assert wrap("x" * 10, 4) == [(0, 4), (4, 8), (8, 10)]
    assert wrap("", 5) == [(0, 0)]
    assert wrap("a\n\nb", 5) == [(0, 1), (2, 2), (3, 4)]
    wide = "日本語日本語 x"
    assert [wide[a:b] for a, b in wrap(wide, 5)] == ["日本", "語日", "本語", "x"]


@pytest.mark.parametrize("width", [100, 60, 44, 30, 20, 9])
@pytest.mark.parametrize("plain", [False, True])
def test_a_row_is_painted_as_tall_as_it_measures(width: int, plain: bool) -> None:
    layout = Layout(width, plain)
    kinds = ["text", "action", "notice", "note"]
    chance = random.Random(width)
    painter = Painter(Palette(DARK, Style.null()), UNICODE, layout, day_text=lambda at: "Today")
    for number in range(300):
        text = "".join(
            chance.choice(["word ", "日本", "🦆", "a", "\n", "https://example.org/x "]) for _ in range(number % 40)
        )
        row = Row(
            number + 1, 1_700_000_000_000, "Big Brother" if number % 3 else "日本語の人", text, chance.choice(kinds)
        )
        row.day, row.same, row.unread = chance.random() < 0.3, chance.random() < 0.3, chance.choice([0, 3])
        row.re, row.edited, row.removed = chance.choice([0, 5]), chance.random() < 0.2, chance.random() < 0.1
        row.failed = chance.choice(["", "no such user."])
        if row.kind == "note":
            row.re = 0
        if number % 7 == 0:
            row.event, row.kind, row.re = "topic", "event", 0
        own = chance.random() < 0.5 and row.kind != "note" and not row.event
        painter.state_of = lambda row, own=own: "read" if own else ""  # type: ignore[misc]
        strips = painter.paint(row)
        assert len(strips) == measure(row, layout, own), row
        assert {strip.cell_length for strip in strips} <= {width}


def test_shortening_respects_cells() -> None:
    assert chop("Big Brother", 11) == "Big Brother"
    assert chop("Big Brother!", 11) == "Big Brothe…"
    assert chop("日本語", 5) == "日本…"
    assert chop("日本語", 1) == "…"
    assert chop("abc", 0) == ""


def test_marks_of_a_row() -> None:
    row = Row(1, 0, "duck", "waves", "action")
    assert body(row) == "duck waves"
    row.edited = True
    assert body(row) == "duck waves (edited)"
    row.removed = True
    assert body(row) == "(deleted)"
    assert cuts(row, Layout(80), False) == [(0, 9)]


@pytest.mark.parametrize(
    ("theme", "names"),
    [(DARK, DARK_NAMES), (LIGHT, LIGHT_NAMES), (HIGH_CONTRAST, HIGH_NAMES)],
    ids=lambda x: getattr(x, "name", ""),
)
def test_names_are_readable_on_their_background(theme: object, names: tuple[str, ...]) -> None:
    def light(color: str) -> float:
        parts = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    ground = light(str(theme.background))  # type: ignore[attr-defined]
    assert len(names) == len(set(names)) == 12
    for name in names:
        low, high = sorted((light(name), ground))
        assert (high + 0.05) / (low + 0.05) >= 4.5, name


def test_a_name_has_one_colour_everywhere() -> None:
    palette = Palette(DARK, Style.null())
    assert palette.name("Duck") == palette.name("duck") == Palette(DARK, Style.null()).name("duck")
    mono = Palette(DARK, Style.null(), mono=True)
    assert mono.name("duck").color is None
    assert mono.ticks[3].bold
    assert mono.ticks[3].underline
    assert ASCII.ticks == ("..", "+ ", "++", "R ", "!!")


# -- windows -----------------------------------------------------------------------------------------------------------


def made(seq: int, by: str = "a", text: str = "x", at: int = 0, event: str = "") -> Row:
    row = Row(seq, at or 1_700_000_000_000 + seq * 1000, by, text, "event" if event else "text")
    row.event = event
    return row


def check(window: Window) -> None:
    """What always holds."""
    assert list(window.offsets) == [sum(row.height for row in window.rows[:n]) for n in range(len(window.rows) + 1)]
    assert [row.place for row in window.rows] == sorted(row.place for row in window.rows)
    seqs = [row.seq for row in window.rows if row.seq]
    assert len(seqs) == len(set(seqs))
    for row in window.rows:
        before = row.height
        assert measure(row, window.layout, window.is_own(row)) == before


@given(
    st.lists(
        st.tuples(
            st.sampled_from("extend prepend pending remove move trim layout event edit".split()), st.integers(0, 60)
        ),
        max_size=60,
    )
)
@settings(max_examples=150, deadline=None)
def test_a_window_stays_in_order_whatever_happens(steps: list[tuple[str, int]]) -> None:
    window = Window(lambda row: row.by == "me", limit=20)
    high, low, waiting = 1000, 1000, list[Row]()
    for what, number in steps:
        if what == "extend":
            rows = [made(high + n, "abc"[n % 3], "word " * number) for n in range(number % 7)]
            high += number % 7
            window.extend(rows)
        elif what == "event":
            window.extend([made(high, f"p{number % 3}", "--> p", event=("joined", "left")[number % 2])])
            high += 1
        elif what == "prepend" and low > 100:
            rows = [made(low - 5 + n, "ab"[n % 2], event="joined" if number % 2 else "") for n in range(5)]
            low -= 5
            window.prepend(rows)
        elif what == "pending":
            row = Row(0, 1_700_000_000_000, "me", "mine")
            waiting.append(row)
            window.extend([row])
        elif what == "move" and waiting:
            window.move(waiting.pop(0), high, 0)
            high += 1
        elif what == "remove" and window.rows:
            gone = window.rows[number % len(window.rows)]
            waiting = [row for row in waiting if row is not gone]
            window.remove(gone)
        elif what == "trim":
            window.trim_top()
        elif what == "layout":
            window.relayout(Layout(20 + number))
        elif what == "edit" and window.rows:
            row = window.rows[number % len(window.rows)]
            row.text = "longer text " * number
            window.changed(row)
        check(window)


def test_what_comes_twice_is_there_once() -> None:
    window = Window(lambda row: False)
    window.extend([made(n) for n in (1, 2, 3)])
    window.extend([made(n) for n in (2, 3, 4)])
    window.prepend([made(n) for n in (0, 1)])
    assert [row.seq for row in window.rows][-4:] == [1, 2, 3, 4]


def test_pending_rows_stay_last_and_move_when_they_are_accepted() -> None:
    window = Window(lambda row: False)
    window.extend([made(1)])
    mine = Row(0, 1_700_000_001_000, "me", "mine")
    window.extend([mine])
    window.extend([made(2), made(4)])
    assert [row.seq for row in window.rows] == [1, 2, 4, 0]
    window.move(mine, 3, 0)
    assert [row.seq for row in window.rows] == [1, 2, 3, 4]
    check(window)


def test_a_failed_row_stays_where_it_failed() -> None:
    window = Window(lambda row: False)
    mine = Row(0, 1_700_000_001_000, "me", "mine")
    window.extend([made(1), mine])
    mine.failed = "no such user"
    window.settle(mine)
    window.extend([made(2)])
    assert [row.seq for row in window.rows] == [1, 0, 2]
    check(window)


def test_a_repeated_name_is_hidden_for_five_minutes_and_a_new_day_has_a_rule() -> None:
    start = 1_763_805_600_000
    window = Window(lambda row: False)
    window.extend([made(1, "a", at=start), made(2, "a", at=start + 60_000), made(3, "a", at=start + 500_000)])
    window.extend([made(4, "b", at=start + 500_001), made(5, "b", at=start + 86_400_000)])
    assert [row.same for row in window.rows] == [False, True, False, False, False]
    assert [row.day for row in window.rows] == [True, False, False, False, True]


def test_joins_and_leaves_fold_into_one_line() -> None:
    window = Window(lambda row: False)
    window.extend([made(1)])
    for seq, login, what in [(2, "bob", "joined"), (3, "eve", "joined"), (4, "carol", "left"), (5, "eve", "left")]:
        window.extend([made(seq, login, f"--> {login}", event=what)])
    window.extend([made(6)])
    assert body(window.rows[1]) == "--> bob joined  <-- carol left"
    assert [row.height for row in window.rows][2:5] == [0, 0, 0]
    window.extend([made(7, "bob", "--> bob", event="joined")])
    assert body(window.rows[-1]) == "--> bob"
    check(window)


def test_a_run_of_joins_over_the_edge_of_a_page_folds_too() -> None:
    window = Window(lambda row: False)
    window.extend([made(5, "eve", "--> eve", event="joined"), made(6)])
    window.prepend([made(3), made(4, "bob", "--> bob", event="joined")])
    assert body(window.rows[1]) == "--> bob, eve joined"
    check(window)


def test_a_window_holds_its_limit() -> None:
    window = Window(lambda row: False, limit=1000)
    window.at_head = window.at_tail = True
    for start in range(1, 5001, 100):
        window.extend([made(n) for n in range(start, start + 100)])
        window.trim_top()
        assert len(window) < 1500
    assert not window.at_head
    assert window.at_tail
    assert window.last_seq == 5000
    first = window.first_seq
    window.prepend([made(n) for n in range(first - 900, first)])
    window.trim_bottom()
    assert len(window) <= 1500
    check(window)
