"""A second machine: a network namespace of its own, with nothing but a cable to the server."""

from __future__ import annotations

import json
import os
import pty
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.tlspeer import Start
from tcpchat.trust import certificates

SECONDS = 20
HERE, THERE = "10.213.77.1", "10.213.77.2"

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(sys.platform != "linux" or shutil.which("ip") is None, reason="needs ip netns of Linux"),
    pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() != 0, reason="needs root to make a network namespace"),
]


def ip(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["ip", *words], capture_output=True, text=True, check=False)


class Machine:
    """Programs that run on the other machine, with a home of its own."""

    def __init__(self, name: str, home: Path) -> None:
        self.name = name
        self.environment = {**os.environ, "TCPCHAT_HOME": str(home), "TCPCHAT_LANGUAGE": "en", "TERM": "dumb"}

    def command(self, *words: str) -> list[str]:
        return ["ip", "netns", "exec", self.name, *words]

    def tcpchat(self, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(sys.executable, "-m", "tcpchat", *words), input=stdin, capture_output=True, text=True,
            env=self.environment, timeout=SECONDS, check=False,
        )  # fmt: skip

    def python(self, code: str) -> str:
        done = subprocess.run(
            self.command(sys.executable, "-c", code), capture_output=True, text=True, timeout=SECONDS, check=True
        )
        return done.stdout


@pytest.fixture
def machine(home: Path) -> Iterator[Machine]:
    name = f"tcpchat{os.getpid()}"
    cable = f"tc{os.getpid()}"
    if (made := ip("netns", "add", name)).returncode:
        pytest.skip(f"no network namespace can be made: {made.stderr.strip()}")
    try:
        made = ip("link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", name)
        if made.returncode:
            pytest.skip(f"no cable can be made: {made.stderr.strip()}")
        for words in (
            ["addr", "add", f"{HERE}/30", "dev", cable],
            ["link", "set", cable, "up"],
            ["-n", name, "addr", "add", f"{THERE}/30", "dev", "eth0"],
            ["-n", name, "link", "set", "eth0", "up"],
            ["-n", name, "link", "set", "lo", "up"],
        ):
            assert not ip(*words).returncode, words
        yield Machine(name, home)
    finally:
        ip("link", "del", cable)
        ip("netns", "del", name)


class Terminal:
    """A program on a terminal of its own."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        self.end, other = pty.openpty()
        self.process = subprocess.Popen(command, stdin=other, stdout=other, stderr=other, env=environment)
        os.close(other)
        self.seen = ""

    def until(self, wanted: str) -> str:
        """What is shown up to and with these words."""
        deadline = time.monotonic() + SECONDS
        while wanted not in self.seen:
            ready, _, _ = select.select([self.end], [], [], max(deadline - time.monotonic(), 0))
            data = b""
            if ready:
                try:
                    data = os.read(self.end, 65536)
                except OSError:  # the program has ended
                    pass
            assert data, f"{wanted!r} did not come:\n{self.seen}"
            self.seen += data.decode()
        before, _, self.seen = self.seen.partition(wanted)
        return before + wanted

    def type(self, line: str) -> None:
        os.write(self.end, line.encode() + b"\n")

    def ended(self) -> int:
        """Wait for its exit code."""
        return self.process.wait(SECONDS)

    def close(self) -> None:
        self.process.kill()
        self.process.wait(SECONDS)
        os.close(self.end)


def test_one_question_then_a_conversation(start: Start, machine: Machine, tmp_path: Path) -> None:
    server = start(host=HERE, data=tmp_path / "data")
    where = f"{HERE}:{server.port}"
    command = machine.command(sys.executable, "-m", "tcpchat", "client", HERE, str(server.port), "-u", "duck")
    duck = Terminal(command, machine.environment)
    try:
        asked = duck.until("Trust it? [y/N] >")
        assert f"First time here: server key {server.fingerprint}" in asked.replace("\r\n", "")
        duck.type("y")
        duck.until("5. Close connection")
        duck.type("")
        duck.until("< Waiting for messages ... >")
        sent = machine.tcpchat("send", "duck", "quack", "--wait", "delivered", "-s", where, "-u", "goose")
        assert sent.returncode == 0, sent.stderr
        assert "First time" not in sent.stderr  # the key is known on this machine
        duck.until("quack")
        duck.type("")
        duck.until("5. Close connection")
        duck.type("5")
        duck.until("Bye!")
        assert duck.ended() == 0
    finally:
        duck.close()
    server_key = machine.tcpchat("trust", "list", "--json")
    assert json.loads(server_key.stdout)[0]["fingerprint"] == server.fingerprint


def test_no_is_no(start: Start, machine: Machine) -> None:
    server = start(host=HERE)
    command = machine.command(sys.executable, "-m", "tcpchat", "client", HERE, str(server.port), "-u", "duck")
    duck = Terminal(command, machine.environment)
    try:
        duck.until("Trust it? [y/N] >")
        duck.type("")
        duck.until("was not trusted")
        assert duck.ended() == 4
    finally:
        duck.close()
    assert machine.tcpchat("trust", "list").stdout == ""


def test_a_swapped_certificate_is_refused(start: Start, machine: Machine, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    server = start(host=HERE, data=folder)
    where, before = f"{HERE}:{server.port}", server.fingerprint
    first = machine.tcpchat("status", "-s", where, "-u", "duck")
    assert (first.returncode, before in first.stderr) == (0, True)
    for file in (certificates.KEY_FILE, certificates.CERT_FILE):
        (folder / file).unlink()
    server.reload()
    for words in (("client", HERE, str(server.port)), ("send", "all", "hi", "-s", where), ("status", "-s", where)):
        refused = machine.tcpchat(*words, "-u", "duck")
        assert refused.returncode == 4, refused
        assert before in refused.stderr + refused.stdout
        assert server.fingerprint in refused.stderr + refused.stdout
    assert machine.tcpchat("trust", "forget", HERE).returncode == 0
    assert machine.tcpchat("status", "-s", where, "-u", "duck").returncode == 0


ASK = """
import json, socket
peer = socket.create_connection(("{host}", {port}), 10)
peer.sendall({say!r})
out = b""
while {wanted!r} not in out:
    data = peer.recv(65536)
    assert data, out
    out += data
print(out.decode())
"""


def test_a_password_never_goes_over_plain(start: Start, machine: Machine) -> None:
    """From another machine, whichever door; a guest may come in."""
    server = start(host=HERE)
    native = b'{"t":"hello","login":"goose"}\n'
    machine.python(ASK.format(host=HERE, port=server.port, say=native, wanted=b'"t":"welcome"'))
    native += b'{"t":"password","password":"","new":"secret secret","ref":5}\n'
    out = machine.python(ASK.format(host=HERE, port=server.port, say=native, wanted=b"insecure"))
    assert "TLS" in out
    sasl = (
        b"CAP REQ sasl\r\nNICK swan\r\nUSER s 0 * :S\r\nAUTHENTICATE PLAIN\r\nAUTHENTICATE c3dhbgBzd2FuAHNlY3JldA==\r\n"
    )
    out = machine.python(ASK.format(host=HERE, port=server.port, say=sasl, wanted=b" 904 "))
    assert "TLS" in out
    assert not any(user.password for user in server.chat.state.users.values())
