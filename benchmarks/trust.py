"""What trust costs: TLS per connection and per message; password guesses, and a flood, for everybody else.

``python -m benchmarks.trust [--quick]``. The server runs on one core, this generator on another.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from benchmarks.rig import Running, cores, machine, tcpchat

GUESSES_PER_SECOND = 50
SAYS_PER_SECOND = 100
FLOOD_PER_SECOND = 5_000  # messages of one login, whatever it is told
FLOOD_PIECE = 50  # of them in one write
IDLE = 1_000  # connections that say nothing
CALM_PER_SECOND = 40  # of a pair under the limits as shipped
SHIPPED = ("--messages-per-second", "50", "--message-burst", "500", "--bytes-per-second", "200000")
WINDOW = 32
TICK = os.sysconf("SC_CLK_TCK")


def anyone() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


CONTEXT = anyone()


class Peer:
    """A native peer."""

    def __init__(self, port: int, tls: bool, source: str = "127.0.0.1") -> None:
        self.socket: socket.socket = socket.create_connection(("127.0.0.1", port), 20, (source, 0))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            self.socket = CONTEXT.wrap_socket(self.socket)
        self.file = self.socket.makefile("rb")

    def send(self, kind: str, **fields: Any) -> None:
        self.socket.sendall(json.dumps({"t": kind, **fields}).encode() + b"\n")

    def until(self, *kinds: str) -> dict[str, Any]:
        for line in self.file:
            event: dict[str, Any] = json.loads(line)
            if event["t"] in kinds:
                return event
        raise ConnectionError(f"closed before {kinds}")

    def enter(self, login: str) -> None:
        self.send("hello", login=login)
        self.until("welcome")

    def close(self) -> None:
        self.file.close()
        self.socket.close()


def cpu(pid: int) -> float:
    """Seconds of CPU that a process has used."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def connects(server: Running, tls: bool, count: int) -> tuple[float, float]:
    """Connections a second (each welcomed, by one generator), and ms of the server's CPU for each."""
    before, start = cpu(server.pid), time.perf_counter()
    for number in range(count):
        peer = Peer(server.port, tls)
        peer.enter(f"c{number}{tls}")
        peer.close()
    return count / (time.perf_counter() - start), (cpu(server.pid) - before) / count * 1e3


def messages(server: Running, tls: bool, count: int) -> float:
    """Microseconds of the server's CPU for one message from one to another, receipts and disk included."""
    sender, receiver = Peer(server.port, tls), Peer(server.port, tls)
    sender.enter(f"sender{tls}")
    receiver.enter(f"receiver{tls}")

    def read() -> None:
        for _ in range(count):
            receiver.until("message")

    reading = threading.Thread(target=read)
    before = cpu(server.pid)
    reading.start()
    for number in range(1, count + WINDOW + 1):
        if number <= count:
            sender.send("say", to=f"@receiver{tls}", text="a line of an ordinary length, as people write", n=number)
        if number > WINDOW:  # one thread sends and reads: OpenSSL does not take two at once
            sender.until("accepted")
    reading.join()
    used = cpu(server.pid) - before
    sender.close()
    receiver.close()
    return used / count * 1e6


def latency(server: Running, name: str, seconds: float, rate: float = SAYS_PER_SECOND) -> list[float]:
    """Milliseconds from one person's Enter to the other's screen, sorted."""
    sender, receiver = Peer(server.port, True), Peer(server.port, True)
    sender.enter(f"from {name}")
    receiver.enter(f"to {name}")
    took = []
    due = time.perf_counter()
    for number in range(1, int(seconds * rate) + 1):
        due += 1 / rate
        time.sleep(max(due - time.perf_counter(), 0))
        start = time.perf_counter()
        sender.send("say", to=f"@to {name}", text="quack", n=number)
        receiver.until("message")
        took.append((time.perf_counter() - start) * 1e3)
        sender.until("accepted")
    sender.close()
    receiver.close()
    return sorted(took)


def until_told(ended: threading.Event) -> None:
    """The measuring process closes standard input when it is done."""
    sys.stdin.read()
    ended.set()


def guessing(port: int) -> None:
    """Wrong passwords at a fixed rate until standard input ends, each from another address so that no delay spares
    the server the work. Prints what they were told. In a process of its own: it must not disturb the measuring."""
    counts: dict[str, int] = {}
    ended = threading.Event()
    threading.Thread(target=until_told, args=(ended,), daemon=True).start()
    due, number = time.perf_counter(), 0
    while not ended.is_set():
        due += 1 / GUESSES_PER_SECOND
        time.sleep(max(due - time.perf_counter(), 0))
        number += 1
        source = f"127.{1 + number // 60_000}.{number // 250 % 250}.{1 + number % 250}"
        threading.Thread(target=guess, args=(port, source, counts), daemon=True).start()
    print(json.dumps(counts))


def guess(port: int, source: str, counts: dict[str, int]) -> None:
    try:
        peer = Peer(port, False, source)
        peer.send("hello", login="owner")
        peer.until("challenge")
        peer.send("password", password="wrong")
        code = peer.until("refused")["code"]
        peer.close()
    except OSError as error:
        code = type(error).__name__
    counts[code] = counts.get(code, 0) + 1


def flooding(port: int) -> None:
    """Idle connections, and messages of one login at a fixed rate until standard input ends. Prints what it is told."""
    ended, told = threading.Event(), {"accepted": 0, "refused": 0}
    threading.Thread(target=until_told, args=(ended,), daemon=True).start()
    idle = [socket.create_connection(("127.0.0.1", port), 20, ("127.0.0.5", 0)) for _ in range(IDLE)]
    peer = Peer(port, False)
    peer.enter("flooder")

    def read() -> None:
        while data := peer.socket.recv(65_536):
            told["accepted"] += data.count(b'"t":"accepted"')
            told["refused"] += data.count(b'"code":"too_fast"')

    threading.Thread(target=read, daemon=True).start()
    piece = b'{"t":"say","to":"#all","text":"flood"}\n' * FLOOD_PIECE
    due, sent = time.perf_counter(), 0
    while not ended.is_set():
        due += FLOOD_PIECE / FLOOD_PER_SECOND
        time.sleep(max(due - time.perf_counter(), 0))
        peer.socket.sendall(piece)
        sent += FLOOD_PIECE
    print(json.dumps({"idle": len(idle), "sent": sent, **told}))


def with_flood(server: Running, seconds: float) -> tuple[list[float], str]:
    command = [sys.executable, "-m", "benchmarks.trust", "--flood", str(server.port)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as attack:
        time.sleep(1.0)  # until it is in
        took = latency(server, "flooded", seconds, CALM_PER_SECOND)
        return took, attack.communicate()[0].strip()


def with_guesses(server: Running, seconds: float) -> tuple[list[float], str]:
    owner = Peer(server.port, True)
    owner.enter("owner")
    owner.send("password", password="", new="a good password", ref=1)
    owner.until("done")
    owner.close()
    command = [sys.executable, "-m", "benchmarks.trust", "--guess", str(server.port)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as attack:
        took = latency(server, "loaded", seconds)
        return took, attack.communicate()[0].strip()


def at(values: list[float], share: float) -> float:
    return values[min(int(len(values) * share), len(values) - 1)]


def pinned() -> None:
    """This process to its own core."""
    prefix = cores()[1]
    if prefix:
        os.sched_setaffinity(0, {int(prefix[-1])})


def show(name: str, values: dict[bool, float], form: str) -> None:
    print(f"  {name:34} {form % values[False]:>10} {form % values[True]:>10}   x{values[True] / values[False]:.2f}")


def both(measure: Callable[[bool], Any]) -> dict[bool, Any]:
    return {tls: measure(tls) for tls in (False, True)}


def main() -> None:
    parser = argparse.ArgumentParser(description="What TLS and password guesses cost.")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--guess", type=int, metavar="PORT", help="guess passwords there until standard input ends")
    parser.add_argument("--flood", type=int, metavar="PORT", help="flood there until standard input ends")
    parser.add_argument("--only", choices=["cost", "guesses", "flood"], help="one of the three measurements")
    args = parser.parse_args()
    if args.guess or args.flood:
        (guessing if args.guess else flooding)(args.guess or args.flood)
        return
    count, many, seconds = (100, 2_000, 4.0) if args.quick else (1_000, 20_000, 20.0)
    pinned()
    print(" ".join(f"{key}={value}" for key, value in machine().items()))
    for name, measure in (("cost", cost), ("guesses", guesses), ("flood", flood)):
        if args.only in (None, name):
            measure(count, many, seconds)


def cost(count: int, many: int, seconds: float) -> None:
    """TLS, per connection and per message."""
    with tcpchat() as server:
        connects(server, True, 20)
        found = both(lambda tls: connects(server, tls, count))
        print(f"  {'':34} {'plain':>10} {'TLS':>10}")
        show("connects and welcomes a second", {tls: one[0] for tls, one in found.items()}, "%.0f")
        show("ms of CPU for each", {tls: one[1] for tls, one in found.items()}, "%.2f")
        show("us of CPU for a message", both(lambda tls: messages(server, tls, many)), "%.0f")


def guesses(count: int, many: int, seconds: float) -> None:
    """What others notice of passwords that are guessed."""
    with tcpchat() as server:
        quiet = latency(server, "quiet", seconds)
        loaded, counts = with_guesses(server, seconds)
    compare(quiet, f"{GUESSES_PER_SECOND} wrong passwords/s", loaded, counts)


def flood(count: int, many: int, seconds: float) -> None:
    """What a pair notices of idle connections and of one login that floods, under the limits as shipped."""
    with tcpchat(*SHIPPED) as server:
        quiet = latency(server, "quiet", seconds, CALM_PER_SECOND)
        loaded, counts = with_flood(server, seconds)
    compare(quiet, f"{IDLE} idle sockets, {FLOOD_PER_SECOND} messages/s from one login", loaded, counts)


def compare(quiet: list[float], name: str, loaded: list[float], counts: str) -> None:
    print(f"  one message, quiet: p50 {at(quiet, 0.5):.2f} ms, p99 {at(quiet, 0.99):.2f} ms")
    print(f"  {name}: p50 {at(loaded, 0.5):.2f} ms, p99 {at(loaded, 0.99):.2f} ms")
    print(f"  p99 x{at(loaded, 0.99) / at(quiet, 0.99):.2f}; the attack: {counts}")


if __name__ == "__main__":
    main()
