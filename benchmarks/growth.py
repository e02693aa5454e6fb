"""What growth costs: figures over the length of the log, the size of rooms and the number of logins.

python -m benchmarks.growth [--quick | --full] [--keep FOLDER] [--only log,logins,rooms,irc,held,manyrooms] [--markdown]
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
from benchmarks.manyrooms import many_rooms_figures, markdown
from tcpchat.core.chat import Chat
from tcpchat.core.model import Arrived, Entry, Query
from tcpchat.log.sqlite import SqliteLog
from tcpchat.server.thread import collecting_nothing

PICTURES = rig.HERE.parent / "docs" / "pictures"
ROOMS = 100  # conversations of the log: the smallest log has more than a page of each in its newer half
GROUP = 1_000  # messages made durable together while the log is filled
BURST = 2_000  # messages at once, after which it is looked how soon the indexes have them
ASKED = 200  # questions of each kind
IRC_MEMBERS = 3_000  # of a room on IRC: everybody is told of everybody who enters, so filling one takes n times n
Row = dict[str, float]

PLOTS = (
    ("log", "log", "entries", ["page_p50_ms", "search_p50_ms", "send_p50_ms", "start_ms", "disk_bytes_per_message"]),
    ("logins", "logins", "logins", ["snapshot_ms", "restore_ms"]),
    ("rooms", "rooms", "members", ["cpu_us_per_delivery", "cpu_us_per_message"]),
    ("irc", "irc", "members", ["cpu_us_per_delivery", "cpu_us_per_message"]),
    ("held", "held", "held", ["cpu_us_per_connection", "connections_per_s", "rss_kib_per_connection"]),
    ("manyrooms", "manyrooms", "rooms", ["welcome_cpu_ms", "welcome_ms", "message_cpu_us", "bytes_per_membership"]),
)


async def filled(path: Path, entries: int) -> float:
    """Fill a log; returns CPU microseconds per entry, 0 when it was full already."""
    log = SqliteLog(path)
    await log.open()
    pool, used, before = messages(ROOMS), cpu(), log.head
    while log.head < entries:
        first = log.head % len(pool)
        await log.append(pool[first : first + GROUP], START_MS + log.head)
    await log.settle()
    each = (cpu() - used) / max(1, log.head - before) * 1e6
    await log.snapshot(log.head, Chat().snapshot()[1])
    await log.close()
    return each if log.head > before else 0.0


async def log_figures(entries: int, kept: Path | None) -> Row:
    """Fill a log (or take the one that an earlier run has kept), open it, ask it."""
    with tempfile.TemporaryDirectory() as name:
        path = (kept or Path(name)) / f"growth-{entries}.db"
        row = {"entries": float(entries), "fill_cpu_us": await filled(path, entries)}
        log, start = SqliteLog(path), time.perf_counter()
        await log.open()
        row["start_ms"] = (time.perf_counter() - start) * 1e3
        row["send_p50_ms"] = await median_ms(log, 1, messages(ROOMS))
        row |= await ask_figures(log)
        row["words_lag_ms"] = await lag_ms(log)
        row["disk_bytes_per_message"] = os.stat(log.path).st_size / log.head
        await log.close()
        return row


async def median_ms(log: SqliteLog, size: int, pool: Sequence[object]) -> float:
    """How long one message alone takes until it is durable."""
    waits: list[float] = []
    for place in range(ASKED):
        await timed(log.append(pool[place : place + size], START_MS + log.head), waits)  # type: ignore[arg-type]
    return rig.median(waits) * 1e3


async def lag_ms(log: SqliteLog) -> float:
    """How long after a burst of messages is durable the rooms' lists and the full text have all of them."""
    pool = messages(ROOMS)[:BURST]
    await log.settle()
    await log.append(pool, START_MS + log.head)
    start = time.perf_counter()
    await log.settle()
    return (time.perf_counter() - start) * 1e3


async def ask_figures(log: SqliteLog) -> Row:
    dice, text = random.Random(2), words(3)
    every = tuple(direct(user) for user in range(ROOMS))

    def newest() -> Query:
        return Query(kind="page", rooms=(dice.choice(every),))

    def page() -> Query:
        return Query(kind="page", rooms=(dice.choice(every),), before=dice.randrange(log.head // 2, log.head))

    def search() -> Query:
        return Query(kind="search", rooms=every, words=" ".join(text().split()[:2]))

    kinds: dict[str, Callable[[], Query]] = {"newest_p50_ms": newest, "page_p50_ms": page, "search_p50_ms": search}
    row: Row = {}
    for name, query in kinds.items():
        asked = [query() for _ in range(ASKED)]
        for round_ in ("first_", ""):  # what a figure has from this disk, and then from the system's memory
            waits: list[float] = []
            for one in asked:
                await timed(log.ask(one), waits)
            row[round_ + name] = rig.median(waits) * 1e3
    return row


def login_figures(logins: int) -> Row:
    """A chat that so many logins have visited: its snapshot, and a start from it."""
    chat = Chat()
    chat.replay([Entry(seq, START_MS, Arrived(f"user{seq}", f"device{seq}")) for seq in range(1, logins + 1)])
    start = time.perf_counter()
    seq, state = chat.snapshot()
    dumped = time.perf_counter()
    with collecting_nothing():
        Chat().restore(seq, state, [])
    loaded = time.perf_counter()
    return {
        "logins": float(logins),
        "snapshot_ms": (dumped - start) * 1e3,
        "restore_ms": (loaded - dumped) * 1e3,
        "snapshot_bytes_per_login": len(state) / logins,
    }


def room_figures(members: int, seconds: float, dialect: str = "-N") -> Row:
    """Clients of one dialect in one room, four of them talk, saturated."""
    with rig.tcpchat() as running:
        arguments = f"fanout {dialect} -n {members + 1} -s 4 -w 16 -t {seconds}".split()
        report = rig.load(running, arguments, timeout=600)
    return {
        "members": float(members),
        "cpu_us_per_delivery": float(report["server_cpu_us_per_delivery"]),
        "deliveries_per_s": float(report["deliveries_per_s"]),
        "cpu_us_per_message": float(report["server_cpu_us_per_delivery"]) * members,
    }


def held_figures(connections: int) -> Row:
    """Native connections that come, all of them online at once, and stay: what each costs to let in and to hold."""
    with rig.tcpchat() as running:
        rig.load(running, "connect -N -n 200 -g 64".split())  # what the first ones make it load is not theirs
        report = rig.load(running, f"connect -N -n {connections} -g 64".split(), timeout=600)
    return {
        "held": float(connections),
        "cpu_us_per_connection": float(report["server_cpu_us_per_connection"]),
        "connections_per_s": float(report["connections_per_s"]),
        "rss_kib_per_connection": float(report["rss_kib_per_connection"]),
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
    parser.add_argument("--keep", type=Path, help="keep the logs in this folder, and use those that are there")
    every = "log,logins,rooms,irc,held,manyrooms"
    parser.add_argument("--only", default=every, help="some of the parts; the others stay")
    parser.add_argument("--markdown", action="store_true", help="show manyrooms as last measured; measures nothing")
    args = parser.parse_args()
    out = rig.HERE / "out" / "growth.json"
    if args.markdown:
        print(markdown(json.loads(out.read_text())["manyrooms"]))
        return
    if args.keep is not None:
        args.keep.mkdir(parents=True, exist_ok=True)
    lengths = [10_000, 100_000] if args.quick else [10_000, 100_000, 1_000_000] + [10_000_000] * args.full
    rooms = [10, 100] if args.quick else [10, 30, 100, 300, 1_000, 3_000] + [10_000] * args.full
    logins = [10, 100, 1_000, 10_000] + [50_000] * (not args.quick)
    held = [200, 500] if args.quick else [1_000, 2_000, 4_000] + [19_900] * args.full
    many = [1, 10, 100] if args.quick else [1, 10, 100, 1_000]
    seconds = 1.5 if args.quick else 3.0
    parts: dict[str, Callable[[], list[Row]]] = {
        "log": lambda: [asyncio.run(log_figures(entries, args.keep)) for entries in lengths],
        "logins": lambda: [login_figures(count) for count in logins],
        "rooms": lambda: [room_figures(members, seconds) for members in rooms],
        "irc": lambda: [room_figures(members, seconds, "") for members in rooms if members <= IRC_MEMBERS],
        "held": lambda: [held_figures(connections) for connections in held],
        "manyrooms": lambda: [many_rooms_figures(count, args.quick) for count in many],
    }
    out.parent.mkdir(exist_ok=True)
    found = json.loads(out.read_text()) if out.exists() else {}
    found["machine"] = rig.machine()
    for title in args.only.split(","):
        found[title] = parts[title]()
        table(title, found[title])
        out.write_text(json.dumps(found, indent=1))
        for name, part, across, up in PLOTS:
            if part == title:
                plot(PICTURES / f"growth-{name}.svg", found[part], across, up)


if __name__ == "__main__":
    main()
