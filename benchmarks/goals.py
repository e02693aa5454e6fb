"""The goals in one table: what was asked, what the last runs measured, and whether it is enough.

``python -m benchmarks.goals`` reads what ``benchmarks.against`` and ``benchmarks.growth`` have left in benchmarks/out;
it measures nothing itself.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks import rig

Tables = Mapping[str, Any]  # "against" -> its JSON, "growth" -> its JSON
Value = float | None  # None: not measured yet


@dataclass(frozen=True)
class Goal:
    """One line of the table. ``limit`` is the most that is allowed, or the least if ``least``."""

    load: str
    what: str
    limit: float | Callable[[Tables], Value]
    value: Callable[[Tables], Value]
    least: bool = False

    def line(self, tables: Tables) -> tuple[str, str, str, str, str]:
        """(load, what, goal, measured, verdict)"""
        limit = self.limit(tables) if callable(self.limit) else self.limit
        value = self.value(tables)
        sign = ">=" if self.least else "<="
        goal = f"{sign} {shown(limit)}" if limit is not None else "not known"
        if value is None or limit is None:
            return self.load, self.what, goal, "not measured", ""
        good = value >= limit if self.least else value <= limit
        return self.load, self.what, goal, shown(value), "met" if good else "missed"


def shown(value: float) -> str:
    """Three digits that count."""
    return f"{value:,.0f}" if value >= 1_000 else f"{value:.3g}"


def ours(load: str, key: str, server: str = "tcpchat") -> Callable[[Tables], Value]:
    """A figure of one load."""

    def read(tables: Tables) -> Value:
        row = tables.get("against", {}).get("table", {}).get(load, {}).get(server, {})
        return row.get(key)  # type: ignore[no-any-return]

    return read


def ratio(load: str, key: str) -> Callable[[Tables], Value]:
    """Ours over InspIRCd's, in one run."""

    def read(tables: Tables) -> Value:
        mine, theirs = ours(load, key)(tables), ours(load, key, "inspircd")(tables)
        return mine / theirs if mine is not None and theirs else None

    return read


def growth(key: str, entries: float, part: str = "log", by: str = "entries") -> Callable[[Tables], Value]:
    """A figure of the growth run at one size."""

    def read(tables: Tables) -> Value:
        rows = tables.get("growth", {}).get(part, [])
        return next((row[key] for row in rows if row[by] == entries and key in row), None)

    return read


def grown(key: str, large: float, small: float = 1e4) -> Callable[[Tables], Value]:
    """How many times what it was in a small log."""

    def read(tables: Tables) -> Value:
        after, before = growth(key, large)(tables), growth(key, small)(tables)
        return after / before if after is not None and before else None

    return read


def accepted_limit(tables: Tables) -> Value:
    """Three times the disk's fdatasync and half a millisecond."""
    disk = tables.get("against", {}).get("fdatasync", {}).get("p50_ms")
    return 3 * disk + 0.5 if disk is not None else None


CPU, RATE = "server_cpu_us_per_delivery", "deliveries_per_s"
GOALS = [
    Goal("IRC, room of 200, saturated", "CPU per delivery / InspIRCd's", 0.85, ratio("fan200", CPU)),
    Goal("IRC, room of 1,000, saturated", "CPU per delivery / InspIRCd's", 0.85, ratio("fan1000", CPU)),
    Goal("", "deliveries/s / InspIRCd's", 1.3, ratio("fan1000", RATE), least=True),
    Goal("IRC, 10 rooms of 20, all talk", "messages/s / InspIRCd's", 1.5, ratio("rooms", "sent_per_s"), least=True),
    Goal("", "CPU per delivery / InspIRCd's", 1.8, ratio("rooms", CPU)),
    Goal("", "p50, ms", 25, ours("rooms", "p50_ms")),
    Goal("IRC, pairs, saturated", "CPU per message, us", 15, ours("dm", CPU)),
    Goal("", "the same / InspIRCd's", 3.6, ratio("dm", CPU)),
    Goal("native, pairs, saturated", "durable messages/s", 40_000, ours("native_dm", "sent_per_s"), least=True),
    Goal("", "CPU per message, us", 20, ours("native_dm", CPU)),
    Goal("native, room of 200, saturated", "CPU per delivery, us", 0.45, ours("native_fan200", CPU)),
    Goal("IRC, 20,000 deliveries/s to 200", "CPU per delivery / InspIRCd's", 1.3, ratio("paced_fan", CPU)),
    Goal("", "p99 / InspIRCd's", 0.6, ratio("paced_fan", "p99_ms")),
    Goal("native, pairs, 2,000/s", "accepted p50, ms", accepted_limit, ours("native_paced_dm", "ack_p50_ms")),
    Goal("", "accepted p99, ms", 12, ours("native_paced_dm", "ack_p99_ms")),
    Goal("IRC, 2,000 connections", "CPU per connection, us", 200, ours("connect", "server_cpu_us_per_connection")),
    Goal("", "connections/s", 4_000, ours("connect", "connections_per_s"), least=True),
    Goal("", "KiB per idle connection", 4, ours("connect", "rss_kib_per_connection")),
    Goal(
        "native, 2,000 connections",
        "CPU per connection, us",
        200,
        ours("native_connect", "server_cpu_us_per_connection"),
    ),
    Goal("", "connections/s", 4_000, ours("native_connect", "connections_per_s"), least=True),
    Goal("", "KiB per idle connection", 4, ours("native_connect", "rss_kib_per_connection")),
    Goal("10^7 messages in the log", "page / at 10^4", 1.2, grown("page_p50_ms", 1e7)),
    Goal("", "one message durable / at 10^4", 1.2, grown("send_p50_ms", 1e7)),
    Goal("", "start-up, ms", 2_000, growth("start_ms", 1e7)),
    Goal("10^6 messages in the log", "search p50, ms", 50, growth("search_p50_ms", 1e6)),
]


def rows(tables: Tables) -> Iterator[tuple[str, str, str, str, str]]:
    """The lines of the table, its head first."""
    yield "load", "figure", "goal", "measured", ""
    for goal in GOALS:
        yield goal.line(tables)


def read() -> dict[str, Any]:
    """What the last runs have left."""
    paths = {name: rig.HERE / "out" / f"{name}.json" for name in ("against", "growth")}
    return {name: json.loads(path.read_text()) for name, path in paths.items() if path.exists()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--markdown", action="store_true", help="as docs/performance.md shows it")
    table = list(rows(read()))
    if parser.parse_args().markdown:
        table.insert(1, ("---",) * 5)
        print("\n".join(f"| {' | '.join(row)} |" for row in table))
        return
    widths = [max(len(row[column]) for row in table) for column in range(5)]
    for row in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


if __name__ == "__main__":
    main()
