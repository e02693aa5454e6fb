"""Two people and a server, from nothing: ``make demo`` prints what they see and how long it took.

A fresh folder, real processes: the server, one person with the numbered menu, one message from the shell.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TCPCHAT = [sys.executable, "-m", "tcpchat"]


def show(speaker: str, text: str) -> None:
    for line in text.splitlines():
        print(f"{speaker:8}| {line}")


def until(stream: subprocess.Popen[str], wanted: str, speaker: str) -> None:
    """Echo lines until one holds the wanted text."""
    assert stream.stdout is not None
    for line in stream.stdout:
        show(speaker, line.rstrip())
        if wanted in line:
            return
    raise SystemExit(f"{speaker} ended before {wanted!r}")


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        environment = {**os.environ, "TCPCHAT_HOME": str(folder / "home"), "PYTHONUNBUFFERED": "1"}
        started = time.monotonic()
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "env": environment}
        server = subprocess.Popen([*TCPCHAT, "serve", "localhost", "0", "--data", name], **pipes)  # type: ignore[call-overload]
        try:
            assert server.stdout is not None
            first = server.stdout.readline()
            show("server", first.rstrip())
            port = first.rstrip(")\n").rpartition(",")[2]
            until(server, "Messages in", "server")
            duck = subprocess.Popen([*TCPCHAT, "client", "localhost", port], **pipes)  # type: ignore[call-overload]
            assert duck.stdin is not None
            duck.stdin.write("duck\n\n")
            duck.stdin.flush()
            until(duck, "press <enter>", "duck")
            command = ["send", "duck", "quack", "--wait", "delivered", "-s", f"localhost:{port}", "-u", "alice"]
            show("alice", "$ tcpchat " + " ".join(command[:5]))
            sent = subprocess.run([*TCPCHAT, *command], capture_output=True, text=True, env=environment, check=False)
            took = time.monotonic() - started
            show("alice", (sent.stdout + sent.stderr).rstrip() + f"   (exit {sent.returncode})")
            until(duck, "quack", "duck")
            duck.stdin.write("\n5\n")
            duck.stdin.close()
            duck.wait(10)
            print(f"\n{took:.2f} s from the first command to the first delivered message")
            if sent.returncode:
                raise SystemExit(sent.returncode)
        finally:
            server.terminate()
            server.wait(10)


if __name__ == "__main__":
    main()
