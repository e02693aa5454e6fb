"""Kill the server with SIGKILL at random moments under load, again and again, and look for harm.

    python -m benchmarks.crash [--rounds 50] [--clients 20] [--seed N]

Clients speak the native protocol over plain sockets with nothing of the client library between, so what is judged is
the server: each keeps its own outbox and cursor in memory, comes back after every crash, repeats what was not answered
and says how far it got. At the end every message that was ever accepted must have reached every one of its
receivers, once, and in its sender's order. Exit code 0 when all of that holds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import random
import signal
import socket
import sys
import tempfile
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

WINDOW = 32  # messages a client leaves unanswered at once
PAUSE = 0.004  # mean seconds between two messages of a client
BROADCASTS = 0.1  # share of messages to #all
SETTLE_SECONDS = 60.0  # after the last round, for everything to arrive
LINE_MAX = 1 << 20


@dataclass
class Report:
    """What a run found."""

    rounds: int = 0
    accepted: int = 0
    deliveries: int = 0
    lost: int = 0
    doubled: int = 0
    disordered: int = 0
    back_ms: list[float] = field(default_factory=list)  # from the restart to the first accepted message

    @property
    def clean(self) -> bool:
        return not (self.lost or self.doubled or self.disordered) and self.accepted > 0

    def text(self) -> str:
        back = sorted(self.back_ms)
        median = f"{back[len(back) // 2]:.0f} ms" if back else "-"
        rows = (
            ("crashes (kill -9)", self.rounds),
            ("messages accepted", self.accepted),
            ("deliveries checked", self.deliveries),
            ("lost", self.lost),
            ("doubled", self.doubled),
            ("out of order per sender", self.disordered),
            ("restart to first accepted, median", median),
        )
        return "\n".join(f"{name:<36}{value:>12}" for name, value in rows)


class Client:
    """One chatty guest that survives crashes of the server."""

    def __init__(self, login: str, port: int, chance: random.Random) -> None:
        self.login, self.port, self.chance = login, port, chance
        self.device = f"crash-{login}-{chance.getrandbits(64):x}"
        self.outbox: deque[tuple[int, str, str]] = deque()  # said, not answered: (n, to, text)
        self.sent_up_to = 0  # highest n written to the present connection
        self.number = 0
        self.after: int | None = None
        self.accepted: dict[int, tuple[str, str]] = {}  # n -> (to, text)
        self.heard: list[tuple[int, str, str]] = []  # (seq, by, text), in the order of arrival
        self.doubled = self.crossed = 0
        self.online = asyncio.Event()
        self.first_accepted = asyncio.Event()
        self._writer: asyncio.StreamWriter | None = None

    # -- talking ---------------------------------------------------------------------------------------------

    async def talk(self, others: list[str], stop: asyncio.Event) -> None:
        """Say things at random until told to stop."""
        while not stop.is_set():
            await asyncio.sleep(self.chance.expovariate(1 / PAUSE))
            if len(self.outbox) < WINDOW:
                self.number += 1
                everybody = self.chance.random() < BROADCASTS
                to = "#all" if everybody else "@" + self.chance.choice(others)
                self.outbox.append((self.number, to, f"{self.login} {self.number}"))
                self._push()

    def _push(self) -> None:
        if self._writer is None or not self.online.is_set():
            return
        for n, to, text in self.outbox:
            if n > self.sent_up_to:
                self._send({"t": "say", "to": to, "text": text, "n": n})
                self.sent_up_to = n

    def _send(self, message: dict[str, Any]) -> None:
        if self._writer is not None:
            self._writer.write(json.dumps(message).encode() + b"\n")

    # -- living ----------------------------------------------------------------------------------------------

    async def live(self) -> None:
        """Connect, and connect again, until cancelled."""
        while True:
            try:
                reader, self._writer = await asyncio.open_connection("127.0.0.1", self.port, limit=LINE_MAX)
                hello: dict[str, Any] = {"t": "hello", "login": self.login, "device": self.device}
                if self.after is not None:
                    hello["after"] = self.after
                self._send(hello)
                while line := await reader.readline():
                    self._heard(json.loads(line))
            except (OSError, ValueError):  # gone, or cut in the middle of a line
                pass
            finally:
                self.online.clear()
                if self._writer is not None:
                    self._writer.close()
                    self._writer = None
            await asyncio.sleep(0.01 + self.chance.random() * 0.03)

    def _heard(self, event: dict[str, Any]) -> None:
        handler = getattr(self, "_on_" + event["t"], None)
        if handler is not None:
            handler(event)

    def _on_welcome(self, event: dict[str, Any]) -> None:
        if self.after is None:
            self.after = event["after"]
        last = event.get("last", 0)
        self._answered(last)
        self.sent_up_to = last
        self.online.set()
        self._push()

    def _on_accepted(self, event: dict[str, Any]) -> None:
        self._answered(event["n"])
        self.first_accepted.set()

    def _answered(self, n: int) -> None:
        while self.outbox and self.outbox[0][0] <= n:
            number, to, text = self.outbox.popleft()
            self.accepted[number] = (to, text)

    def _on_refused(self, event: dict[str, Any]) -> None:
        if event["code"] in ("gap", "too_many_pending", "unavailable", "too_fast"):
            first = self.outbox[0][0] if self.outbox else self.number + 1
            self.sent_up_to = min(self.sent_up_to, event.get("expected", first) - 1)
            asyncio.get_running_loop().call_later(event.get("after", 0.0) + 0.01, self._push)
        else:
            raise RuntimeError(f"{self.login}: {event}")

    def _on_message(self, event: dict[str, Any]) -> None:
        seq = event["seq"]
        if self.after is not None and seq <= self.after:
            self.doubled += 1
            return
        self.after = seq
        if event["by"] != self.login:
            self.heard.append((seq, event["by"], event["text"]))
        self._send({"t": "confirm", "seq": seq})

    def _on_ping(self, event: dict[str, Any]) -> None:
        self._send({"t": "pong", "token": event.get("token", "")})


# -- the judge -----------------------------------------------------------------------------------------------


def missing(clients: list[Client]) -> int:
    """Deliveries that are still to come, and messages that are still unanswered."""
    heard = {client.login: {text for _, _, text in client.heard} for client in clients}
    open_ones = sum(len(client.outbox) for client in clients)
    for client in clients:
        for to, text in client.accepted.values():
            open_ones += sum(text not in heard[login] for login in receivers(client, to, clients))
    return open_ones


def receivers(author: Client, to: str, clients: list[Client]) -> list[str]:
    if to == "#all":
        return [client.login for client in clients if client is not author]
    return [to[1:]]


def judge(clients: list[Client], report: Report) -> Report:
    """Count what was lost, doubled or out of order."""
    report.accepted = sum(len(client.accepted) for client in clients)
    report.lost = missing(clients)
    for client in clients:
        report.deliveries += len(client.heard)
        texts = [text for _, _, text in client.heard]
        report.doubled += client.doubled + len(texts) - len(set(texts))
        last: dict[str, int] = {}
        for _, by, text in client.heard:
            number = int(text.rsplit(" ", 1)[1])
            report.disordered += number <= last.get(by, 0)
            last[by] = number
    return report


# -- the rounds ----------------------------------------------------------------------------------------------


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def start(port: int, data: Path) -> asyncio.subprocess.Process:
    """A server process that listens."""
    command = [sys.executable, "-m", "tcpchat.cli.serve", "127.0.0.1", str(port), "--data", str(data)]
    environment = {**os.environ, "TCPCHAT_CONFIG": os.devnull}
    out = await asyncio.to_thread(open, data / "server.out", "ab")
    try:
        process = await asyncio.create_subprocess_exec(*command, stdout=out, stderr=out, env=environment)
    finally:
        out.close()
    while process.returncode is None:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.01)
        else:
            writer.close()
            return process
    raise RuntimeError((data / "server.out").read_text())


async def one_round(clients: list[Client], port: int, data: Path, chance: random.Random, report: Report) -> None:
    """Start, wait until the load runs, kill at a random moment."""
    for client in clients:
        client.first_accepted.clear()
    process = await start(port, data)
    began = time.monotonic()
    try:
        await asyncio.wait(
            [asyncio.ensure_future(client.first_accepted.wait()) for client in clients],
            return_when=asyncio.FIRST_COMPLETED,
            timeout=SETTLE_SECONDS,
        )
        report.back_ms.append((time.monotonic() - began) * 1e3)
        await asyncio.sleep(chance.uniform(0.0, 0.6))
    finally:
        process.send_signal(signal.SIGKILL)
        await process.wait()
    report.rounds += 1


async def settle(clients: list[Client]) -> None:
    for _ in range(int(SETTLE_SECONDS * 10)):
        if not missing(clients):
            return
        await asyncio.sleep(0.1)


async def crash(rounds: int, count: int, seed: int, say: Any = print) -> Report:
    """Run it all; the report."""
    chance, report, port = random.Random(seed), Report(), free_port()
    clients = [Client(f"user{i}", port, random.Random(seed * 1000 + i)) for i in range(count)]
    logins = [client.login for client in clients]
    stop = asyncio.Event()
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        process = await start(port, data)
        living = [asyncio.ensure_future(client.live()) for client in clients]
        await asyncio.gather(*(client.online.wait() for client in clients))  # everybody has arrived
        process.kill()
        await process.wait()
        talking = [
            asyncio.ensure_future(client.talk([x for x in logins if x != client.login], stop)) for client in clients
        ]
        for number in range(rounds):
            await one_round(clients, port, data, chance, report)
            if (number + 1) % 10 == 0:
                accepted = sum(len(client.accepted) for client in clients)
                say(f"{number + 1} crashes, {accepted} messages accepted", flush=True)
        stop.set()
        await asyncio.gather(*talking)
        process = await start(port, data)
        await settle(clients)
        await close(process, living)
    return judge(clients, report)


async def close(process: asyncio.subprocess.Process, living: list[asyncio.Future[None]]) -> None:
    for task in living:
        task.cancel()
    for result in await asyncio.gather(*living, return_exceptions=True):
        if isinstance(result, Exception):
            raise result
    process.terminate()
    await process.wait()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.crash", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rounds", type=int, default=50, help="how often the server is killed [50]")
    parser.add_argument("--clients", type=int, default=20, help="how many clients talk [20]")
    parser.add_argument("--seed", type=int, default=None, help="repeat the moments of an earlier run")
    args = parser.parse_args()
    # asyncio warns of every write to a connection that has just been killed: that is what this program does.
    logging.getLogger("asyncio").setLevel(logging.ERROR)
    seed = args.seed if args.seed is not None else random.randrange(1_000_000)
    print(f"seed {seed}, {args.clients} clients", flush=True)
    report = asyncio.run(crash(args.rounds, args.clients, seed))
    print(report.text())
    return 0 if report.clean else 1


if __name__ == "__main__":
    sys.exit(main())
