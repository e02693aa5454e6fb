"""The message list on a screen: following, holding its place, resizing, a hundred thousand rows, the mouse."""

from __future__ import annotations

import time
from typing import Any

from textual.app import App, ComposeResult
from textual.pilot import Pilot

from tcpchat.tui.messages import MessageList
from tcpchat.tui.rows import Row
from tcpchat.tui.themes import OWN, UNICODE
from tcpchat.tui.window import Window

START = 1_763_805_600_000


class Only(App[None]):
    """A list and nothing else."""

    CSS = "MessageList { scrollbar-size-vertical: 0; scrollbar-gutter: auto; }"

    def __init__(self) -> None:
        super().__init__()
        for theme in OWN:
            self.register_theme(theme)
        self.theme = "dark"
        self.near: list[bool] = []

    def compose(self) -> ComposeResult:
        yield MessageList(UNICODE)

    @property
    def list(self) -> MessageList:
        return self.query_one(MessageList)

    def on_message_list_near(self, event: MessageList.Near) -> None:
        self.near.append(event.older)


def row(seq: int, text: str = "", by: str = "") -> Row:
    return Row(seq, START + seq * 1000, by or f"user{seq % 5}", text or f"message {seq} " + "word " * (seq % 23))


def window(count: int, limit: int = 5_000, start: int = 1) -> Window:
    made = Window(lambda row: row.by == "me", limit)
    made.at_head = made.at_tail = True
    made.extend([row(n) for n in range(start, start + count)])
    return made


def top(app: Only) -> tuple[Row, int]:
    index, line = app.list.window.row_at(app.list.scroll_offset.y)
    return app.list.window.rows[index], line


def lines(pilot: Pilot[Any]) -> list[str]:
    strips = pilot.app.screen._compositor.render_strips()
    return ["".join(segment.text for segment in strip).rstrip() for strip in strips]


async def test_it_follows_at_the_bottom_and_holds_its_place_above() -> None:
    app = Only()
    async with app.run_test(size=(80, 20)) as pilot:
        app.list.show(window(100))
        await pilot.pause()
        assert "message 100" in lines(pilot)[-1] or "message 100" in "".join(lines(pilot)[-3:])
        app.list.extend([row(101, "the newest")])
        await pilot.pause()
        assert "the newest" in lines(pilot)[-1]
        app.list.page(-1)
        await pilot.pause()
        assert not app.list.following
        before = lines(pilot)
        app.list.extend([row(n) for n in range(102, 140)])
        await pilot.pause()
        assert lines(pilot) == before
        app.list.go_end()
        await pilot.pause()
        assert app.list.following
        assert "message 139" in "".join(lines(pilot)[-3:])


async def test_older_rows_above_do_not_move_the_view() -> None:
    app = Only()
    async with app.run_test(size=(80, 20)) as pilot:
        shown = window(60, start=500)
        shown.at_head = False
        app.list.show(shown, shown.rows[10])
        await pilot.pause()
        assert True in app.near
        before, held = lines(pilot)[2:], top(app)[0]
        app.list.change(lambda: shown.prepend([row(n) for n in range(300, 500)]))
        await pilot.pause()
        assert top(app)[0] is held
        assert lines(pilot)[2:] == before


async def test_the_top_row_stays_over_a_resize() -> None:
    app = Only()
    async with app.run_test(size=(100, 30)) as pilot:
        shown = window(400)
        app.list.show(shown, shown.rows[200])
        await pilot.pause()
        held = top(app)[0]
        for size in [(60, 20), (40, 12), (120, 30)]:
            await pilot.resize_terminal(*size)
            await pilot.pause()
            assert top(app)[0] is held, size
        app.list.go_end()
        await pilot.resize_terminal(50, 12)
        await pilot.pause()
        assert app.list.at_end
        assert "message 400" in "".join(lines(pilot)[-8:])


async def test_a_mark_changes_in_place() -> None:
    app = Only()
    async with app.run_test(size=(80, 12)) as pilot:
        states = {"me": "accepted"}
        shown = window(5)
        mine = row(6, "mine", "me")
        shown.extend([mine])
        app.list.configure(lambda painter: setattr(painter, "state_of", lambda row: states.get(row.by, "")))
        app.list.show(shown)
        await pilot.pause()
        line = lines(pilot)[app.list.window.offsets[5] - app.list.scroll_offset.y]
        assert line.index("✓") == 78
        states["me"] = "read"
        painted = dict(app.list._strips)
        app.list.redraw_own()
        await pilot.pause()
        assert any(line.endswith("✓✓") for line in lines(pilot))
        assert sum(app.list._strips[one] is not painted[one] for one in painted) == 1  # nothing else was painted


async def test_a_hundred_thousand_rows() -> None:
    app = Only()
    async with app.run_test(size=(120, 40)) as pilot:
        app.list.show(window(0, limit=100_000))
        rows = [row(n) for n in range(1, 100_001)]
        started = time.process_time()
        for at in range(0, 100_000, 500):
            app.list.extend(rows[at : at + 500])
        await pilot.pause()
        assert len(app.list.window) == 100_000
        assert time.process_time() - started < 20
        assert "message 100000" in "".join(lines(pilot)[-3:])
        started = time.process_time()
        for number in range(20):
            app.list.extend([row(100_001 + number)])
            await pilot.pause()
        assert (time.process_time() - started) / 20 < 0.15
        app.list.go_row(rows[50_000])
        await pilot.pause()
        assert any("message 50001" in line for line in lines(pilot)[:2])


async def test_the_window_keeps_its_size_while_following_and_grows_while_reading() -> None:
    app = Only()
    async with app.run_test(size=(80, 20)) as pilot:
        app.list.show(window(900, limit=1000))
        for start in range(1000, 4000, 50):
            app.list.extend([row(n) for n in range(start, start + 50)])
        await pilot.pause()
        assert len(app.list.window) < 1600
        app.list.page(-1)
        held = lines(pilot)
        for start in range(4000, 7000, 50):
            app.list.extend([row(n) for n in range(start, start + 50)])
        await pilot.pause()
        assert lines(pilot) == held


async def test_dragging_selects_text() -> None:
    app = Only()
    async with app.run_test(size=(80, 12)) as pilot:
        shown = window(0)
        shown.extend([row(1, "first line"), row(2, "second 日本 line")])
        app.list.show(shown)
        await pilot.pause()
        await pilot.mouse_down(MessageList, offset=(18, 1))
        await pilot.hover(MessageList, offset=(34, 2))
        await pilot.mouse_up(MessageList, offset=(34, 2))
        await pilot.pause()
        text = app.screen.get_selected_text()
        assert text is not None
        assert text.startswith("first line\n")
        assert "second 日本" in text


async def test_wide_characters_keep_the_columns() -> None:
    app = Only()
    async with app.run_test(size=(60, 12)) as pilot:
        shown = window(0)
        shown.extend(
            [
                row(1, "日本語" * 20, "日本語の名前です"),
                row(2, "🦆" * 40),
                row(3, "👩\u200d👩\u200d👧 family ❤\ufe0f" * 4),
            ]
        )
        app.list.show(shown)
        await pilot.pause()
        from rich.cells import cell_len

        strips = app.screen._compositor.render_strips()
        assert {sum(cell_len(segment.text) for segment in strip) for strip in strips} == {60}


async def test_selecting_rows_skips_events() -> None:
    app = Only()
    async with app.run_test(size=(60, 12)) as pilot:
        shown = window(0)
        event = row(2, "--> bob joined", "bob")
        event.event, event.kind = "joined", "event"
        shown.extend([row(1, "one"), event, row(3, "three")])
        app.list.show(shown)
        await pilot.pause()
        app.list.step(-1)
        assert app.list.cursor is shown.rows[2]
        app.list.step(-1)
        assert app.list.cursor is shown.rows[0]
        app.list.step(-1)
        assert app.list.cursor is shown.rows[0]
        app.list.step(1)
        assert app.list.cursor is shown.rows[2]
        await pilot.pause()
        assert any(
            "reverse" in str(segment.style) for strip in app.screen._compositor.render_strips() for segment in strip
        )


async def test_the_plain_view_has_nothing_but_text() -> None:
    app = Only()
    async with app.run_test(size=(40, 12)) as pilot:
        shown = window(0)
        shown.extend([row(1, "a text that is longer than one line of forty"), row(2, "mine", "me")])
        app.list.configure(lambda painter: setattr(painter, "state_of", lambda row: "read" if row.by == "me" else ""))
        app.list.show(shown)
        app.list.set_plain(True)
        await pilot.pause()
        assert lines(pilot)[1].startswith("10:00 user1: a text that is longer than")
        assert lines(pilot)[2] == "one line of forty"
        assert lines(pilot)[3] == "10:00 me: mine [read]"
