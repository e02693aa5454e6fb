"""What growth costs: figures over the length of the log, the size of rooms and the number of logins.

python -m benchmarks.growth [--quick | --full]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks import rig
from benchmarks.log import START_MS, cpu, direct, messages, timed, words
from tcpchat.core.chat import Chat
from tcpchat.core.model import Arrived, Entry, Query
from tcpchat.log.sqlite import SqliteLog

PICTURES = rig.HERE.parent / "docs" / "pictures"
ROOMS = 500  # conversations of the log
GROUP = 1_000  # messages made durable together while the log is filled
ASKED = 200  # questions of each kind
Row = dict[str, float]


async def log_figures(entries: int) -> Row:
    """Fill a log, ask it, close it, open it again."""
    with tempfile.TemporaryDirectory() as name:
        log = SqliteLog(Path(name))
        await log.open()
        pool, used = messages(ROOMS), cpu()
        while log.head < entries:
            first = log.head % len(pool)
            await log.append(pool[first : first + GROUP], START_MS + log.head)
        await log.settle()
        row = {"entries": float(entries), "fill_cpu_us": (cpu() - used) / entries * 1e6}
        row["send_p50_ms"] = await median_ms(log, 1, pool)
        row |= await ask_figures(log)
        row["disk_bytes_per_message"] = os.stat(log.path).st_size / log.head
        await log.snapshot(log.head, Chat().snapshot()[1])
        await log.close()
        again, start = SqliteLog(Path(name)), time.perf_counter()
        await again.open()
        row["start_ms"] = (time.perf_counter() - start) * 1e3
        await again.close()
        return row


async def median_ms(log: SqliteLog, size: int, pool: Sequence[object]) -> float:
    """How long one message alone takes until it is durable."""
    waits: list[float] = []
    for place in range(ASKED):
        await timed(log.append(pool[place : place + size], START_MS + log.head), waits)  # type: ignore[arg-type]
    return rig.median(waits) * 1e3


async def ask_figures(log: SqliteLog) -> Row:
    dice, text = random.Random(2), words(3)
    every = tuple(direct(user) for user in range(ROOMS))

    def page() -> Query:
        return Query(kind="page", rooms=(dice.choice(every),), before=dice.randrange(1, log.head))

    def search() -> Query:
        return Query(kind="search", rooms=every, words=" ".join(text().split()[:2]))

    kinds: dict[str, Callable[[], Query]] = {"page_p50_ms": page, "search_p50_ms": search}
    row: Row = {}
    for name, query in kinds.items():
        waits: list[float] = []
        for _ in range(ASKED):
            await timed(log.ask(query()), waits)
        row[name] = rig.median(waits) * 1e3
    return row


def login_figures(logins: int) -> Row:
    """A chat that so many logins have visited: its snapshot, and a start from it."""
    chat = Chat()
    chat.replay([Entry(seq, START_MS, Arrived(f"user{seq}", f"device{seq}")) for seq in range(1, logins + 1)])
    start = time.perf_counter()
    seq, state = chat.snapshot()
    dumped = time.perf_counter()
    Chat().restore(seq, state, [])
    loaded = time.perf_counter()
    return {
        "logins": float(logins),
        "snapshot_ms": (dumped - start) * 1e3,
        "restore_ms": (loaded - dumped) * 1e3,
        "snapshot_bytes_per_login": len(state) / logins,
    }


def room_figures(members: int, seconds: float) -> Row:
    """Native clients in one room, four of them talk, saturated."""
    with rig.tcpchat() as running:
        arguments = f"fanout -N -n {members + 1} -s 4 -w 16 -t {seconds}".split()
        report = rig.load(running, arguments)
    return {
        "members": float(members),
        "cpu_us_per_delivery": float(report["server_cpu_us_per_delivery"]),
        "deliveries_per_s": float(report["deliveries_per_s"]),
        "cpu_us_per_message": float(report["server_cpu_us_per_delivery"]) * members,
    }


# -- showing ---------------------------------------------------------------------------------------------------------


def table(title: str, rows: list[Row]) -> None:
    print(f"\n{title}")
    names = list(rows[0])
    print("  ".join(f"{name:>14}" for name in names))
    for row in rows:
        print("  ".join(f"{row[name]:>{max(14, len(name))}.4g}" for name in names), flush=True)


def plot(path: Path, rows: list[Row], across: str, up: list[str]) -> None:
    """A small SVG: powers of ten to the right, a line for each figure, upward in parts of its own greatest value."""
    from math import log10

    wide, high, edge = 560, 280, 46
    low, top = log10(rows[0][across]), log10(rows[-1][across])
    colours = ("#1769aa", "#b3421b", "#2e7d32", "#6a3fa0", "#8a6d00")
    box = f'viewBox="0 0 {wide} {high}" font-family="sans-serif" font-size="12"'
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" {box}>']
    out.append(f'<rect width="{wide}" height="{high}" fill="#fff"/>')
    out.append(f'<path d="M{edge} 20V{high - edge}H{wide - 20}" stroke="#555" fill="none"/>')

    def right(value: float) -> float:
        return edge + (log10(value) - low) / max(1e-9, top - low) * (wide - edge - 190)

    for row in rows:
        out.append(f'<text x="{right(row[across]):.0f}" y="{high - 26}" text-anchor="middle">{row[across]:g}</text>')
    out.append(f'<text x="{edge}" y="{high - 8}">{across}</text>')
    for place, name in enumerate(up):
        most = max(row[name] for row in rows) or 1.0
        points = [(right(row[across]), high - edge - row[name] / most * (high - edge - 30)) for row in rows]
        colour = colours[place % len(colours)]
        line = " ".join(f"{x:.0f},{y:.0f}" for x, y in points)
        out.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        text = f"{name} (top {most:.3g})"
        out.append(f'<text x="{wide - 185}" y="{30 + 18 * place}" fill="{colour}">{text}</text>')
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([*out, "</svg>"]) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes only: to see that it works")
    parser.add_argument("--full", action="store_true", help="10^7 messages too: a quarter of an hour, 4 GB of disk")
    args = parser.parse_args()
    lengths = [10_000, 100_000] if args.quick else [10_000, 100_000, 1_000_000] + [10_000_000] * args.full
    rooms = [10, 100] if args.quick else [10, 30, 100, 300, 1_000]
    logins = [10, 100, 1_000, 10_000]
    found = {
        "log": [asyncio.run(log_figures(entries)) for entries in lengths],
        "logins": [login_figures(count) for count in logins],
        "rooms": [room_figures(members, 1.5 if args.quick else 3.0) for members in rooms],
    }
    for title, rows in found.items():
        table(title, rows)
    out = rig.HERE / "out" / "growth.json"
    out.parent.mkdir(exist_ok=True)
    out.write_text(json.dumps({"machine": rig.machine(), **found}, indent=1))
    log_lines = ["page_p50_ms", "search_p50_ms", "send_p50_ms", "start_ms", "disk_bytes_per_message"]
    plot(PICTURES / "growth-log.svg", found["log"], "entries", log_lines)
    plot(PICTURES / "growth-logins.svg", found["logins"], "logins", ["snapshot_ms", "restore_ms"])
    plot(PICTURES / "growth-rooms.svg", found["rooms"], "members", ["cpu_us_per_delivery", "cpu_us_per_message"])


if __name__ == "__main__":
    main()
