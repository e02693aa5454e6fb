"""The server as a program: what it prints, how it ends, and what survives its death."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 20


class Program:
    """A running `serve`."""

    def __init__(self, process: subprocess.Popen[str], lines: list[str]) -> None:
        self.process, self.lines = process, lines
        found = re.fullmatch(r"server \(HOST,PORT\) set to \((\S+),(\d+)\)", lines[0])
        assert found, lines
        self.port = int(found[2])

    def end(self, number: int) -> tuple[int, str]:
        """Send a signal; the exit code and what was still printed."""
        self.process.send_signal(number)
        assert self.process.stdout is not None
        rest = self.process.stdout.read()
        return self.process.wait(SECONDS), rest


Serve = Callable[..., Program]


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "tcpchat.cli.serve", *arguments]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Start servers as programs; the current folder is a fresh one."""
    running: list[subprocess.Popen[str]] = []

    def begin(*arguments: str) -> Program:
        process = subprocess.Popen(
            command(*arguments), cwd=tmp_path, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env={**os.environ, "TCPCHAT_CONFIG": os.devnull},
        )  # fmt: skip
        running.append(process)
        assert process.stdout is not None
        return Program(process, banner(process.stdout))

    yield begin
    for process in running:
        if process.poll() is None:
            process.kill()
        process.wait(SECONDS)
        assert process.stdout is not None
        process.stdout.close()


def banner(out: IO[str]) -> list[str]:
    lines: list[str] = []
    for line in out:
        lines.append(line.rstrip("\n"))
        if "tcpchat.db" in line:
            return lines
    pytest.fail("\n".join(lines))


class Line:
    """A native peer over a blocking socket."""

    def __init__(self, port: int, login: str, **hello: Any) -> None:
        self.socket = socket.create_connection(("localhost", port), SECONDS)
        self.file = self.socket.makefile("rb")
        self.send("hello", login=login, **hello)
        self.welcome = self.until("welcome")

    def send(self, kind: str, **fields: Any) -> None:
        self.socket.sendall(json.dumps({"t": kind, **fields}).encode() + b"\n")

    def until(self, kind: str) -> dict[str, Any]:
        for line in self.file:
            event: dict[str, Any] = json.loads(line)
            if event["t"] == kind:
                return event
        pytest.fail(f"closed before {kind}")

    def close(self) -> None:
        self.file.close()
        self.socket.close()


def test_what_it_prints(serve: Serve, tmp_path: Path) -> None:
    program = serve("--port", "0")
    port = program.port
    assert port > 0
    assert program.lines == [
        f"server (HOST,PORT) set to (localhost,{port})",
        f"Listening on port {port}, state WAIT4CLIENTS. Join with:",
        f"  tcpchat chat localhost:{port}".ljust(41) + "full screen",
        f"  tcpchat client localhost {port}".ljust(41) + "numbered menu",
        f"  http://localhost:{port}".ljust(41) + "browser",
        f"  irssi -c localhost -p {port}".ljust(41) + "any IRC client",
        program.lines[6],
        "Nobody owns it yet: the first login claimed on this computer does, or name one: tcpchat admin owner LOGIN",
        "Messages in ./tcpchat.db, log in ./syslog.  Only this computer can connect; "
        "`tcpchat serve 0.0.0.0` opens it to others.",
    ]
    assert re.fullmatch(r"Key SHA256:[\w-]{43}  \(\w+( \w+){7}\)", program.lines[6])
    duck = Line(port, "duck")
    duck.close()
    code, rest = program.end(signal.SIGTERM)
    assert code == 0
    assert rest.splitlines()[0] == "duck has joined --- len users 1"
    assert {path.name for path in tmp_path.iterdir()} >= {"tcpchat.db", "syslog"}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_says_bye_in_every_language_and_exits_0(serve: Serve, number: int) -> None:
    program = serve("--port", "0")
    native = Line(program.port, "duck")
    seed = socket.create_connection(("localhost", program.port), SECONDS)
    seed.sendall(b'{"TYPE": "HI", "BODY": "Big Brother"}')
    assert b"STATE" in seed.recv(1024)
    code, _ = program.end(number)
    assert code == 0
    assert native.until("bye")["code"] == "stopping"
    told = b""
    while data := seed.recv(4096):
        told += data
    assert b'"BYE"' in told
    native.close()
    seed.close()


def test_a_port_in_use_names_who_holds_it_and_what_to_type(serve: Serve, tmp_path: Path) -> None:
    first = serve("--port", "0")
    again = subprocess.run(
        command("localhost", str(first.port), "--data", str(tmp_path / "other")),
        capture_output=True, text=True, timeout=SECONDS, check=False,
    )  # fmt: skip
    assert again.returncode == 1
    assert f"Port {first.port} is in use" in again.stderr
    assert "Traceback" not in again.stderr
    if sys.platform == "linux":
        assert f"process {first.process.pid}:" in again.stderr
        assert f"kill {first.process.pid}" in again.stderr
    assert f"tcpchat serve localhost {first.port + 1}" in again.stderr


def test_the_folder_of_another_server_is_refused_clearly(serve: Serve, tmp_path: Path) -> None:
    serve("--port", "0")
    again = subprocess.run(
        command("--port", "0", "--data", str(tmp_path)), capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert again.returncode == 1
    assert again.stderr.strip()
    assert "Traceback" not in again.stderr


def test_wrong_settings_are_a_usage_error(tmp_path: Path) -> None:
    for arguments in (["--port", "none"], ["--dead-after", "soon"], ["localhost", "99999"]):
        done = subprocess.run(command(*arguments), capture_output=True, text=True, timeout=SECONDS, check=False)
        assert done.returncode == 2
        assert "Traceback" not in done.stderr


def test_nothing_confirmed_is_lost_by_kill_9(serve: Serve) -> None:
    program = serve("--port", "0")
    duck, brother = Line(program.port, "duck", device="d1"), Line(program.port, "brother", device="b1")
    duck.send("say", to="@brother", text="before", n=1)
    seq = duck.until("accepted")["seq"]
    program.end(signal.SIGKILL)
    duck.close()
    brother.close()
    program = serve("--port", "0")
    duck = Line(program.port, "duck", device="d1")
    assert (duck.welcome["last"], duck.welcome["recent"]) == (1, [seq])
    duck.send("say", to="@brother", text="before", n=1)  # the repeat of one who did not hear the answer
    assert duck.until("accepted")["seq"] == seq
    brother = Line(program.port, "brother", device="b1")
    message = brother.until("message")
    assert (message["seq"], message["text"]) == (seq, "before")
    brother.send("confirm", seq=seq)
    assert duck.until("receipt")["state"] == "delivered"
    duck.close()
    brother.close()


def test_crashes_under_load_do_no_harm() -> None:
    """The short form of `python -m benchmarks.crash`."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.crash", "--rounds", "3", "--clients", "6", "--seed", "1"],
        cwd=ROOT, capture_output=True, text=True, timeout=55, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
