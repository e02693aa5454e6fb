"""The rig: real server processes on one core, the compiled generator on another, figures as JSON.

A server here is tcpchat itself or a peer from Debian (InspIRCd, ngIRCd). Peers run in the same session as tcpchat,
in turn, because machines differ and drift: only ratios within one run mean anything.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
LOAD = HERE / "load"
START_SECONDS = 20.0  # a server that does not answer by then has failed


@dataclass(frozen=True)
class Running:
    """A server process and where it listens."""

    name: str
    pid: int
    port: int
    folder: Path


def cores() -> tuple[list[str], list[str]]:
    """Command prefixes that put the server and the generator on different cores, where that can be done."""
    if shutil.which("taskset") and (os.cpu_count() or 1) >= 2:
        return ["taskset", "-c", "0"], ["taskset", "-c", "1"]
    return [], []


def generator() -> Path:
    """The compiled load generator; built on first use with the machine's C compiler."""
    source, target = LOAD / "chatload.c", HERE / "out" / "chatload"
    if not target.exists() or target.stat().st_mtime < source.stat().st_mtime:
        target.parent.mkdir(exist_ok=True)
        subprocess.run(["cc", "-O2", "-o", str(target), str(source)], check=True)
    return target


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    """Return once something listens on the port; raise when the process ends first."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args!r} ended with {process.returncode}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise RuntimeError(f"nothing listens on port {port} after {START_SECONDS:.0f} s")


@contextmanager
def started(name: str, command: Sequence[str], port: int, folder: Path) -> Iterator[Running]:
    """Run a server on core 0 for the duration of the block."""
    with open(folder / f"{name}.out", "wb") as out:
        process = subprocess.Popen([*cores()[0], *command], stdout=out, stderr=out, cwd=folder)
        try:
            wait_for(port, process)
            yield Running(name, process.pid, port, folder)
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


BENCH_SETTINGS = {
    # Limits lifted that would slow a generator down on purpose; everything else as shipped.
    "TCPCHAT_MESSAGES_PER_SECOND": "0",
    "TCPCHAT_MESSAGE_BURST": "10000000",
    "TCPCHAT_BYTES_PER_SECOND": "0",
    "TCPCHAT_CONNECTIONS_PER_ADDRESS": "1000000",
    "TCPCHAT_CONNECTIONS": "1000000",
    "TCPCHAT_SYSLOG": "off",
    "TCPCHAT_IRC_RECEIPTS_AFTER": "0",  # receipts from the first message on, as in a connection that has lasted
}


@contextmanager
def tcpchat(*options: str) -> Iterator[Running]:
    """tcpchat as a user runs it, in a fresh folder, with the rate limits lifted."""
    port = free_port()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        command = [
            "env",
            *(f"{k}={v}" for k, v in BENCH_SETTINGS.items()),
            sys.executable,
            "-m",
            "tcpchat.cli",
            "serve",
        ]
        command += ["--host", "127.0.0.1", "--port", str(port), "--data", str(folder), *options]
        with started("tcpchat", command, port, folder) as running:
            yield running


@contextmanager
def inspircd() -> Iterator[Running]:
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), free_port()
        text = (LOAD / "inspircd.conf").read_text().replace("RUNDIR", name).replace("7002", str(port))
        (folder / "inspircd.conf").write_text(text)
        os.chmod(name, 0o777)
        command = ["inspircd", f"--config={folder}/inspircd.conf", "--nofork", "--runasroot"]
        with started("inspircd", command, port, folder) as running:
            yield running


@contextmanager
def ngircd() -> Iterator[Running]:
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), free_port()
        text = (LOAD / "ngircd.conf").read_text().replace("RUNDIR", name).replace("7001", str(port))
        (folder / "ngircd.conf").write_text(text)
        os.chmod(name, 0o777)
        with started("ngircd", ["ngircd", "-n", "-f", str(folder / "ngircd.conf")], port, folder) as running:
            yield running


SERVERS = {"tcpchat": tcpchat, "inspircd": inspircd, "ngircd": ngircd}


def available(name: str) -> bool:
    """Is this peer installed here?"""
    return name == "tcpchat" or shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin") is not None


def load(server: Running, arguments: Sequence[str], timeout: float = 180) -> dict[str, Any]:
    """Drive a running server with one load; the generator's report as a dict."""
    command = [*cores()[1], str(generator()), *arguments, "-P", str(server.port), "-p", str(server.pid)]
    done = subprocess.run(command, capture_output=True, timeout=timeout, check=False)
    if not done.stdout:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.decode()}")
    report: dict[str, Any] = json.loads(done.stdout)
    report["ok"] = done.returncode == 0
    return report


def median(values: Sequence[float]) -> float:
    return statistics.median(values) if values else float("nan")


def fsync_probe(folder: Path, writes: int = 300) -> dict[str, float]:
    """What one durable 4 KiB write costs on this disk: p50 and p99 in milliseconds (fdatasync)."""
    took = []
    with open(folder / "fsync.probe", "wb", buffering=0) as file:
        for _ in range(writes):
            file.write(b"x" * 4096)
            start = time.perf_counter()
            getattr(os, "fdatasync", os.fsync)(file.fileno())
            took.append((time.perf_counter() - start) * 1e3)
    os.unlink(folder / "fsync.probe")
    took.sort()
    return {"p50_ms": took[len(took) // 2], "p99_ms": took[int(len(took) * 0.99)]}


def machine() -> dict[str, str]:
    """What the figures were taken on, without anything that names a place."""
    model = "unknown"
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    except OSError:
        pass
    version = ".".join(map(str, sys.version_info[:3]))
    return {"cpu": model, "cores": str(os.cpu_count()), "python": version, "date": time.strftime("%Y-%m-%d")}
