"""What each door costs: the same loads by IRC, the native protocol and WebSocket, plain and over TLS, in one run.

``python -m benchmarks.doors [--quick] [--seconds N] [--rounds N] [--only room200] [--markdown]``

One generator (this process, see talkers) speaks all six. Where the server's core is not busy the generator was the
limit, and the messages per second are its own; the server's CPU for a message is what to compare.
"""

from __future__ import annotations

import argparse
import json

from benchmarks import rig
from benchmarks.talkers import DIALECTS, LOADS, Incomplete, Load, driven, looped
from benchmarks.trust import pinned

BUSY = 0.9  # of a core


def one(door: str, tls: bool, load: Load, seconds: float) -> dict[str, float]:
    """One load on one door of a fresh server."""
    with rig.tcpchat() as server:
        return looped(driven(DIALECTS[door], load, server, tls, seconds))


# -- showing -----------------------------------------------------------------------------------------------------------

Row = dict[str, float]
Table = dict[str, dict[str, Row]]  # load -> door -> figure -> value
HEAD = ("load", "door", "CPU us/message", "CPU us/delivery", "messages/s", "p50, p99 ms", "cores: server, generator")


def name_of(door: str, tls: bool) -> str:
    return f"{door}, TLS" if tls else door


def cells(load: str, door: str, row: Row) -> tuple[str, ...]:
    limit = "" if row["server_cores"] >= BUSY or row["generator_cores"] < BUSY else " (the limit)"
    return (
        LOADS[load].title,
        door,
        f"{row['cpu_us_per_message']:,.1f}",
        f"{row['cpu_us_per_delivery']:.3g}",
        f"{row['messages_per_s']:,.0f}",
        f"{row['p50_ms']:.3g}, {row['p99_ms']:.3g}",
        f"{row['server_cores']:.2f}, {row['generator_cores']:.2f}{limit}",
    )


def lines(table: Table) -> list[tuple[str, ...]]:
    return [cells(load, door, row) for load, rows in table.items() for door, row in rows.items()]


def markdown(table: Table) -> str:
    """As docs/performance.md shows it; a load is named once."""
    rows, before = [HEAD, ("---",) * len(HEAD)], ""
    for line in lines(table):
        rows.append(("" if line[0] == before else line[0], *line[1:]))
        before = line[0]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def show(line: tuple[str, ...]) -> None:
    print(
        "  ".join(cell.ljust(width) for cell, width in zip(line, (20, 16, 14, 15, 10, 14, 0), strict=True)).rstrip(),
        flush=True,
    )


def measured(only: set[str], rounds: int, seconds: float) -> Table:
    """Medians over the rounds; the doors take turns."""
    table: Table = {}
    show(HEAD)
    for name, load in LOADS.items():
        if only and name not in only:
            continue
        found: dict[str, list[Row]] = {}
        for _ in range(rounds):
            for door in DIALECTS:
                for tls in (False, True):
                    found.setdefault(name_of(door, tls), []).append(one(door, tls, load, seconds))
        table[name] = {
            door: {key: rig.median([row[key] for row in rows]) for key in rows[0]} for door, rows in found.items()
        }
        for door, row in table[name].items():
            show(cells(name, door, row))
    return table


def main() -> int:
    parser = argparse.ArgumentParser(description="The same loads on every door, plain and over TLS.")
    parser.add_argument("--quick", action="store_true", help="one short round: to see that it works")
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help=f"some of {','.join(LOADS)}")
    parser.add_argument("--markdown", action="store_true", help="show what the last run has left; measures nothing")
    args = parser.parse_args()
    out = rig.HERE / "out" / "doors.json"
    if args.markdown:
        print(markdown(json.loads(out.read_text())["table"]))
        return 0
    pinned()
    only = set(filter(None, args.only.split(",")))
    print(" ".join(f"{key}={value}" for key, value in rig.machine().items()))
    try:
        table = measured(only, 1 if args.quick else args.rounds, min(args.seconds, 1.0) if args.quick else args.seconds)
    except Incomplete as error:
        print(f"INCOMPLETE: {error}")
        return 1
    if out.exists() and only:  # a part measured again: the others stay
        table = {**json.loads(out.read_text())["table"], **table}
    out.parent.mkdir(exist_ok=True)
    out.write_text(json.dumps({"machine": rig.machine(), "table": table}, indent=1))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
