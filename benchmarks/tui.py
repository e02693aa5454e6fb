"""The full-screen client on a pty against a real server: first paint, keys under load, memory, a room of a million.

python -m benchmarks.tui [--quick] [--only paint|load|million]
"""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import os
import pty
import re
import select
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.rig import Running, tcpchat
from tcpchat.client import connect
from tcpchat.core.model import Append, Claimed, Said

COLUMNS, LINES = 120, 40
KEYS = [chr(code) for code in range(0x2460, 0x24FF)]  # signs that no message holds: the echo of a key is seen at once
TEXT = "number %d: a message as people write them"


class Terminal:
    """The client under a pty, and what it wrote."""

    def __init__(self, port: int, home: Path, login: str = "me") -> None:
        self.started = time.perf_counter()
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            environment = {**os.environ, "TERM": "xterm-256color", "TCPCHAT_HOME": str(home), "LANG": "C.UTF-8"}
            where = f"{login}@127.0.0.1:{port}"
            os.execve(sys.executable, [sys.executable, "-m", "tcpchat.cli", "chat", where], environment)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
        os.kill(self.pid, signal.SIGWINCH)
        self.tail = ""

    def read(self, seconds: float) -> str:
        """What is written within this time, at the latest after the first bytes."""
        ready, _, _ = select.select([self.fd], [], [], seconds)
        if not ready:
            return ""
        try:
            text = os.read(self.fd, 1 << 16).decode("utf-8", "ignore")
        except OSError:  # the other side has gone
            return ""
        self.tail = (self.tail + text)[-200_000:]
        return text

    def settle(self, seconds: float = 0.2) -> None:
        """Return once nothing has been written for this time: what was done before is over."""
        while self.read(seconds):
            pass

    def wait_for(self, pattern: str, seconds: float = 30.0) -> float:
        """The seconds until this is on the screen."""
        start, compiled = time.perf_counter(), re.compile(pattern)
        while time.perf_counter() - start < seconds:
            self.read(0.05)
            if compiled.search(plain(self.tail)):
                return time.perf_counter() - start
        raise RuntimeError(f"{pattern!r} did not come; the end was {plain(self.tail)[-800:]!r}")

    def press(self, keys: str) -> None:
        """Press keys; what was before is forgotten."""
        self.tail = ""
        os.write(self.fd, keys.encode())

    def memory(self, which: str = "VmRSS") -> float:
        """MiB of this process."""
        text = Path(f"/proc/{self.pid}/status").read_text()
        match = re.search(rf"{which}:\s+(\d+)", text)
        return int(match[1]) / 1024 if match else 0.0

    def cpu(self) -> float:
        """Seconds used."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(") ", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def close(self) -> None:
        os.kill(self.pid, signal.SIGTERM)
        end = time.monotonic() + 5
        while time.monotonic() < end and os.waitpid(self.pid, os.WNOHANG)[0] == 0:
            self.read(0.05)
        os.close(self.fd)


def plain(text: str) -> str:
    """What was written, without the sequences."""
    return re.sub(r"\x1b(?:\[[0-9;?<>=]*[a-zA-Z]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[PX^_].*?\x1b\\|.)", "", text)


@contextmanager
def terminal(server: Running, home: Path, login: str = "me") -> Iterator[Terminal]:
    made = Terminal(server.port, home, login)
    try:
        yield made
    finally:
        made.close()


async def say(port: int, count: int, *, after: float = 0.0, rate: float = 0.0, to: str = "#all") -> None:
    """Messages of one login, as fast as they go or so many a second."""
    async with connect(f"127.0.0.1:{port}", "duck") as chat:
        await asyncio.sleep(after)
        start = time.monotonic()
        last = None
        for number in range(count):
            last = await chat.send(to, TEXT % number)
            if rate and number % 20 == 19:
                await asyncio.sleep(max(start + number / rate - time.monotonic(), 0))
            elif not rate and number % 60 == 59:
                await last.accepted(30)
        if last is not None:
            await last.accepted(30)


def paint(runs: int) -> bool:
    """From the shell to the newest message on the screen, with 5,000 waiting."""
    times, memory = [], []
    for _ in range(runs):
        with tcpchat() as server, tempfile.TemporaryDirectory() as home:
            with terminal(server, Path(home)) as first:  # so that the login is known and its messages wait
                first.wait_for("#all>")
                first.wait_for("WAIT4CLIENTS")
            asyncio.run(say(server.port, 5_000))
            with terminal(server, Path(home)) as second:
                second.wait_for("unread")
                second.wait_for(r"number \d")
                times.append(time.perf_counter() - second.started)
                second.read(1.0)
                memory.append(second.memory("VmHWM"))
    seconds, mib = statistics.median(times), max(memory)
    print(f"first paint with 5,000 messages waiting: {seconds:.2f} s (aim 0.8), peak {mib:.0f} MiB RSS (aim 60)")
    return seconds <= 0.8 and mib <= 60


def load(seconds: int) -> bool:
    """1,000 messages a second into the open room while somebody types."""
    with tcpchat() as server, tempfile.TemporaryDirectory() as home, terminal(server, Path(home)) as screen:
        screen.wait_for("#all>")
        screen.wait_for("WAIT4CLIENTS")
        count = seconds * 1000
        code = f"import asyncio; from benchmarks.tui import say; asyncio.run(say({server.port}, {count}, rate=1000))"
        sender = subprocess.Popen([sys.executable, "-c", code])
        screen.wait_for(r"number \d")
        answers, memory, cpu, start = [], [], screen.cpu(), time.perf_counter()
        while sender.poll() is None:
            for key in KEYS[:20]:
                screen.press(key)
                begun = time.perf_counter()
                while key not in screen.tail and time.perf_counter() - begun < 5:
                    screen.read(0.5)
                answers.append(time.perf_counter() - begun)
                pause = time.perf_counter() + 0.08
                while time.perf_counter() < pause:
                    screen.read(pause - time.perf_counter())
            screen.press("\x03")
            memory.append(screen.memory())
        used = (screen.cpu() - cpu) / (time.perf_counter() - start)
        screen.read(1.0)
        screen.press("\x0c")  # draw all of it again
        screen.wait_for(f"number {count - 1}", 60)
        answers.sort()
        p50, p99 = (answers[int(len(answers) * part)] * 1e3 for part in (0.5, 0.99))
        early, late = memory[min(len(memory) // 4, 5)], memory[-1]
        print(
            f"1,000 messages/s for {seconds} s: {len(answers)} keys answered p50 {p50:.0f} ms, p99 {p99:.0f} ms, "
            f"all rows there, {early:.0f} then {late:.0f} MiB, {used:.0%} of a core"
        )
        return p99 <= 50 and late - early < 12


def million(count: int) -> bool:
    """Opening a room, a search, a jump and the way back, in a room of a million messages and in an empty one."""
    newest = f"number {count - 1}:"
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as home:
        asyncio.run(filled(Path(folder), count))
        with tcpchat("--data", folder) as server:
            with terminal(server, Path(home)) as screen:
                screen.wait_for(newest, 120)
            start_full = started(server, newest)
            with tcpchat() as other:
                start_empty = started(other, "said anything")
            with terminal(server, Path(home)) as screen:
                full, empty, search, jump, back = visited(screen, count, newest)
    print(
        f"a room of {count:,}: from the shell in {start_full:.2f} s, an empty one in {start_empty:.2f} s; opens in "
        f"{full * 1e3:.0f} ms, an empty one in {empty * 1e3:.0f} ms: {full / empty:.2f} times (aim 1.2); "
        f"search {search:.2f} s, jump {jump:.2f} s, back {back:.2f} s (aim 0.5)"
    )
    return search + jump + back <= 0.5 and full <= 1.2 * empty and start_full <= 1.2 * start_empty


def started(server: Running, pattern: str, runs: int = 5) -> float:
    """Seconds from the shell until the room is on the screen of somebody new."""
    times = []
    for number in range(runs):
        with tempfile.TemporaryDirectory() as home, terminal(server, Path(home), f"new{number}") as screen:
            screen.wait_for(pattern)
            times.append(time.perf_counter() - screen.started)
    return statistics.median(times)


def visited(screen: Terminal, count: int, newest: str) -> tuple[float, float, float, float, float]:
    """Seconds to the full room, the empty one, a search in the full one, its hit, and back to the end."""
    screen.wait_for("#all>")
    screen.wait_for(newest)
    screen.press("/join empty\r")
    screen.wait_for("#empty>")
    screen.settle()
    times: dict[str, list[float]] = {"empty": [], "full": []}
    for _ in range(15):
        for name, key, pattern in (("full", "\x1b1", newest), ("empty", "\x1b2", "said anything")):
            screen.press(key)
            times[name].append(screen.wait_for(pattern))
            screen.settle()
    screen.press("\x1b1\x06")
    screen.settle()
    screen.press(f"{count // 3}")
    found = screen.wait_for(f"number {count // 3}:")
    screen.press("\r")
    jumped = screen.wait_for(f"number {count // 3 + 3}:")
    screen.settle()
    screen.press("\x1b[1;5F")  # Ctrl+End
    back = screen.wait_for(newest)
    return statistics.median(times["full"]), statistics.median(times["empty"]), found, jumped, back


async def filled(folder: Path, count: int) -> None:
    """A log with many messages of one login in #all, written past the server."""
    from tcpchat.server.server import default_log

    log = default_log(folder)
    now = int(time.time() * 1000)
    await log.open()
    await log.append([Append(Claimed("duck", key="ed25519:AAAA"))], now)
    for start in range(0, count, 2_000):
        batch = [
            Append(Said(1, 1, "duck", TEXT % number, "#all", "d", number + 1))
            for number in range(start, min(start + 2_000, count))
        ]
        await log.append(batch, now)
    await log.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", choices=["paint", "load", "million"])
    parser.add_argument("--seconds", type=int, default=0, help="of load")
    args = parser.parse_args()
    good = True
    if args.only in (None, "paint"):
        good &= paint(1 if args.quick else 5)
    if args.only in (None, "load"):
        good &= load(args.seconds or (5 if args.quick else 60))
    if args.only in (None, "million"):
        good &= million(20_000 if args.quick else 1_000_000)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
