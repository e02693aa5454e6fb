"""What the SQLite log costs: CPU of all threads per entry, and how pages, searches and appends grow with the log.

python -m benchmarks.log [--entries 200000] [--group 100] [--rooms 500] [--bare] [--data FOLDER]
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import random
import resource
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from tcpchat.core.model import Append, Query, Said
from tcpchat.log import writing
from tcpchat.log.sqlite import SqliteLog

TEXT = 95  # characters of a message, about


def words(seed: int = 1) -> Callable[[], str]:
    """Messages of made-up words, used as unevenly as real ones are."""
    dice = random.Random(seed)
    letters = "abcdefghijklmnopqrstuvwxyz"
    known = ["".join(dice.choices(letters, k=dice.randint(2, 10))) for _ in range(20_000)]
    weights = list(itertools.accumulate(1 / (place + 1) for place in range(len(known))))

    def text() -> str:
        out = ""
        while len(out) < TEXT - 6:
            out += dice.choices(known, cum_weights=weights)[0] + " "
        return out.rstrip()

    return text


def cpu() -> float:
    """Seconds that all threads of this process have used."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def timed(times: int, ask: Callable[[], Awaitable[Any]]) -> str:
    """Median and 99th percentile in milliseconds."""
    took = []
    for _ in range(times):
        start = time.perf_counter()
        await ask()
        took.append((time.perf_counter() - start) * 1e3)
    took.sort()
    return f"p50 {statistics.median(took):6.2f} ms   p99 {took[int(len(took) * 0.99)]:6.2f} ms"


async def fill(log: SqliteLog, entries: int, group: int, rooms: int) -> None:
    """Append and print what an entry costs, the last tenth apart: it should cost what the first did."""
    text = words()
    texts = [text() for _ in range(5_000)]
    batches = []
    for start in range(0, 50 * group, group):
        batch = []
        for place in range(start, start + group):
            user = place * 7919 % rooms
            room = -(user << 31 | (user + 1))
            batch.append(Append(Said(room=room, user=user, by=f"user{user}", text=texts[place % 5_000], to="@goose",
                                     device="f00dfeedcafe0001", n=place, peer=user + 1)))  # fmt: skip
        batches.append(batch)
    at = 1_700_000_000_000 + log.head
    done, step, waits = 0, max(group, entries // 10), []
    while done < entries:
        used, began, first = cpu(), time.perf_counter(), done
        while done < min(first + step, entries):
            start = time.perf_counter()
            await log.append(batches[done // group % 50], at + done)
            waits.append(time.perf_counter() - start)
            done += group
        wall = time.perf_counter() - began
        print(f"{log.head:>10} entries   {(cpu() - used) / (done - first) * 1e6:6.2f} us CPU each   "
              f"{(done - first) / wall:8.0f}/s", flush=True)  # fmt: skip
    used = cpu()
    if SLOW:
        return
    await log.settle()
    print(f"until the indexes are done: {(cpu() - used) * 1e3:.0f} ms of CPU")
    waits.sort()
    print(f"append of {group}: p50 {waits[len(waits) // 2] * 1e3:.2f} ms  p99 {waits[int(len(waits) * 0.99)] * 1e3:.2f} ms")


async def questions(log: SqliteLog, rooms: int) -> None:
    """How long readers wait."""
    dice, text = random.Random(2), words(3)
    room = lambda: (lambda user: -(user << 31 | (user + 1)))(dice.randrange(rooms))  # noqa: E731
    everywhere = tuple(-(user << 31 | (user + 1)) for user in range(min(rooms, 200)))
    every = tuple(-(user << 31 | (user + 1)) for user in range(rooms))
    asks: dict[str, Callable[[], Query]] = {
        "newest page": lambda: Query(kind="page", rooms=(room(),)),
        "page in the middle": lambda: Query(kind="page", rooms=(room(),), before=dice.randrange(1, log.head)),
        "feed of 1 room": lambda: Query(kind="feed", rooms=(room(),), after=dice.randrange(log.head)),
        "feed of 200 rooms": lambda: Query(kind="feed", rooms=everywhere, after=dice.randrange(log.head)),
        "counts of 200 rooms": lambda: Query(kind="count", rooms=everywhere, after=dice.randrange(log.head)),
        "search 1 room, 1 word": lambda: Query(kind="search", rooms=(room(),), words=text().split()[0]),
        "search all, 1 word": lambda: Query(kind="search", rooms=every, words=text().split()[0]),
        "search all, 2 words": lambda: Query(kind="search", rooms=every, words=" ".join(text().split()[:2])),
    }
    for name, query in asks.items():
        print(f"{name:24} {await timed(200, lambda query=query: log.ask(query()))}")  # type: ignore[misc]


SLOW = False


async def main() -> None:
    """Run the figures asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--entries", type=int, default=200_000)
    parser.add_argument("--group", type=int, default=100)
    parser.add_argument("--rooms", type=int, default=500)
    parser.add_argument("--bare", action="store_true", help="hold the followers back: the hot path alone")
    parser.add_argument("--data", type=Path, help="keep the log in this folder, or go on with the one there")
    args = parser.parse_args()
    if args.bare:
        global SLOW
        SLOW = True
        writing.FAR = writing.SOON = 1 << 40
        writing.IDLE = 1e9
    with tempfile.TemporaryDirectory() as folder:
        log = SqliteLog(args.data or Path(folder))
        began = time.perf_counter()
        await log.open()
        print(f"open: {(time.perf_counter() - began) * 1e3:.1f} ms, {log.head} entries")
        await fill(log, args.entries, args.group, args.rooms)
        if not args.bare:
            await questions(log, args.rooms)
            print(f"{os.stat(log.path).st_size / max(1, log.head):.0f} bytes of disk an entry")
        await log.close()


if __name__ == "__main__":
    asyncio.run(main())
