"""What it costs to be in many rooms: a part of ``benchmarks.growth``.

Every room has the same number of members, all of them away but for those that measure: a group of logins shares its
rooms, and there are as many groups as memory can be told from noise with. The native protocol, plain.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks import rig
from benchmarks.trust import Peer, cpu, pinned

UNLIMITED = (
    "--rooms-per-login",
    "100000",
    "--rooms",
    "100000",
    "--commands-per-second",
    "0",
    "--logins-per-minute",
    "0",
)
JOINS = 64  # that a login asks for at once: the answers to all fit into what the system buffers
WINDOW = 32  # messages without an answer
CALM_SECONDS = 1.5  # the indexes have followed, and nobody who left is still told of


def rss(pid: int) -> int:
    """Bytes of memory that a process has."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"no VmRSS of {pid}")


def entered(server: rig.Running, login: str) -> Peer:
    """A login that comes back on its device, and is done with all that it is told at first."""
    peer = Peer(server.port, False)
    peer.send("hello", login=login, device=f"device of {login}", after=-1)
    peer.until("state")
    return peer


def joined(peer: Peer, first: int, last: int) -> None:
    """Be in these rooms, too."""
    for start in range(first, last, JOINS):
        asked = range(start, min(start + JOINS, last))
        for room in asked:
            peer.send("join", room=f"#room{room}", ref=room + 1)
        for _ in asked:
            peer.until("done")


@contextmanager
def on_a_core() -> Iterator[None]:
    """This process beside the server's core, and afterwards where it was."""
    if not rig.cores()[1]:
        yield
        return
    before = os.sched_getaffinity(0)
    pinned()
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def gone(peer: Peer) -> None:
    """Say goodbye; the server closes behind the last word."""
    peer.send("bye")
    for _ in peer.file:
        pass
    peer.close()


def came_and_went(server: rig.Running, logins: Sequence[str], rooms: int, members: int) -> None:
    """Each login alone: nobody hears of its joins. So many in a row share their rooms."""
    for place, login in enumerate(logins):
        peer, first = entered(server, login), place // members * rooms
        joined(peer, first, first + rooms)
        gone(peer)


def welcomes(server: rig.Running, login: str, seconds: float) -> tuple[float, float]:
    """Milliseconds of the server's CPU, and of time, from a login's first word to the state of its last room."""
    took: list[float] = []
    before, end = cpu(server.pid), time.perf_counter() + seconds
    while (start := time.perf_counter()) < end:
        peer = entered(server, login)
        took.append((time.perf_counter() - start) * 1e3)
        gone(peer)
    return (cpu(server.pid) - before) / len(took) * 1e3, rig.median(took)


def talk(server: rig.Running, names: Sequence[str], rooms: int, count: int) -> float:
    """Microseconds of the server's CPU for a message from one member to another, to each of the rooms in turn."""
    sender, receiver = (entered(server, name) for name in names)
    before = cpu(server.pid)
    for start in range(0, count, WINDOW):
        for number in range(start, start + WINDOW):
            room = f"#room{number % rooms}"
            sender.send("say", to=room, text="a line of an ordinary length, as people write", n=number + 1)
        for _ in range(WINDOW):
            sender.until("accepted")
        for _ in range(WINDOW):
            last = receiver.until("message")["seq"]
        receiver.send("confirm", seq=last)
    used = cpu(server.pid) - before
    sender.close()
    receiver.close()
    return used / count * 1e6


def many_rooms_figures(rooms: int, quick: bool = False) -> dict[str, float]:
    """Logins in the same rooms: memory of each membership, a welcome, a message."""
    members, memberships = (20, 400) if quick else (200, 4_000)
    seconds, count = (0.5, 3_200) if quick else (2.0, 16_000)
    names = [f"member{number}" for number in range(max(members, memberships // rooms))]
    with on_a_core(), rig.tcpchat(*UNLIMITED) as server:
        came_and_went(server, ["maker"], rooms, members)  # what the first join makes the server load is not theirs
        for _ in range(2):  # what the coming and going leaves behind at first
            came_and_went(server, names, 0, members)
        time.sleep(CALM_SECONDS)
        before = rss(server.pid)
        came_and_went(server, names, rooms, members)
        time.sleep(CALM_SECONDS)
        more = rss(server.pid) - before
        cpu_ms, wall_ms = welcomes(server, names[0], seconds)
        message = talk(server, names[:2], rooms, count)
    return {
        "rooms": float(rooms),
        "members": float(members),
        "welcome_cpu_ms": cpu_ms,
        "welcome_ms": wall_ms,
        "message_cpu_us": message,
        "bytes_per_membership": more / rooms / len(names),
    }


def markdown(rows: Sequence[Mapping[str, float]]) -> str:
    """As docs/performance.md shows it."""
    head = (
        "rooms of a login",
        "its welcome, CPU",
        "its welcome, time",
        "a message in one of them, CPU",
        "memory of a membership",
        "members of each",
    )
    out = [head, ("---",) * len(head)]
    for row in rows:
        out.append(
            (
                f"{row['rooms']:,.0f}",
                f"{row['welcome_cpu_ms']:.3g} ms",
                f"{row['welcome_ms']:.3g} ms",
                f"{row['message_cpu_us']:,.0f} us",
                f"{row['bytes_per_membership']:,.0f} bytes",
                f"{row['members']:,.0f}",
            )
        )
    return "\n".join(f"| {' | '.join(line)} |" for line in out)
