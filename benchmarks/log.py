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
MESSAGES = 5_000  # different ones
START_MS = 1_700_000_000_000


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


def direct(user: int) -> int:
    """The room of a direct conversation."""
    return -(user << 31 | (user + 1))


def cpu() -> float:
    """Seconds that all threads of this process have used."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def spread(seconds: list[float]) -> str:
    """Median and 99th percentile in milliseconds."""
    seconds.sort()
    return f"p50 {statistics.median(seconds) * 1e3:6.2f} ms   p99 {seconds[int(len(seconds) * 0.99)] * 1e3:6.2f} ms"


async def timed(work: Awaitable[Any], into: list[float]) -> None:
    """Do it, and note how long it took."""
    start = time.perf_counter()
    await work
    into.append(time.perf_counter() - start)


def messages(rooms: int) -> list[Append]:
    """As many messages as are in use at once: direct ones, everybody talks."""
    text, out = words(), []
    for place in range(MESSAGES):
        user = place * 7919 % rooms
        fact = Said(room=direct(user), user=user, by=f"user{user}", text=text(), to="@goose", device="f00dfeedcafe0001",
                    n=place, peer=user + 1)  # fmt: skip
        out.append(Append(fact))
    return out


async def fill(log: SqliteLog, entries: int, group: int, rooms: int) -> None:
    """Append, and print what an entry costs in every tenth: in the last it should cost what it did in the first."""
    pool, waits, step = messages(rooms), list[float](), max(group, entries // 10)
    batches = [pool[start : start + group] for start in range(0, MESSAGES - group + 1, group)]
    for _ in range(10):
        used, began, first = cpu(), time.perf_counter(), log.head
        while log.head < first + step:
            await timed(log.append(batches[log.head // group % len(batches)], START_MS + log.head), waits)
        each, rate = (cpu() - used) / (log.head - first), (log.head - first) / (time.perf_counter() - began)
        print(f"{log.head:>10} entries   {each * 1e6:6.2f} us CPU each   {rate:8.0f}/s", flush=True)
    print(f"append of {group}: {spread(waits)}")


async def questions(log: SqliteLog, rooms: int) -> None:
    """How long readers wait."""
    dice, text = random.Random(2), words(3)
    every = tuple(direct(user) for user in range(rooms))
    some = every[:200]

    def room() -> int:
        return dice.choice(every)

    asks: dict[str, Callable[[], Query]] = {
        "newest page": lambda: Query(kind="page", rooms=(room(),)),
        "page in the middle": lambda: Query(kind="page", rooms=(room(),), before=dice.randrange(1, log.head)),
        "feed of 1 room": lambda: Query(kind="feed", rooms=(room(),), after=dice.randrange(log.head)),
        "feed of 200 rooms": lambda: Query(kind="feed", rooms=some, after=dice.randrange(log.head)),
        "counts of 200 rooms": lambda: Query(kind="count", rooms=some, after=dice.randrange(log.head)),
        "search 1 room, 1 word": lambda: Query(kind="search", rooms=(room(),), words=text().split()[0]),
        "search 20 rooms, 1 word": lambda: Query(kind="search", rooms=every[:20], words=text().split()[0]),
        "search all, 1 word": lambda: Query(kind="search", rooms=every, words=text().split()[0]),
        "search all, 2 words": lambda: Query(kind="search", rooms=every, words=" ".join(text().split()[:2])),
    }
    for name, query in asks.items():
        waits: list[float] = []
        for _ in range(200):
            await timed(log.ask(query()), waits)
        print(f"{name:24} {spread(waits)}")


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
        writing.FAR = writing.SOON = 1 << 40
        writing.IDLE = 1e9
    with tempfile.TemporaryDirectory() as folder:
        log = SqliteLog(args.data or Path(folder))
        began = time.perf_counter()
        await log.open()
        print(f"open: {(time.perf_counter() - began) * 1e3:.1f} ms, {log.head} entries")
        await fill(log, args.entries, args.group, args.rooms)
        if not args.bare:
            used = cpu()
            await log.settle()
            print(f"until the indexes are done: {(cpu() - used) * 1e3:.0f} ms of CPU")
            await questions(log, args.rooms)
            print(f"{os.stat(log.path).st_size / max(1, log.head):.0f} bytes of disk an entry")
        await log.close()


if __name__ == "__main__":
    asyncio.run(main())
