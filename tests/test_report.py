"""The user's report, to the letter: every code block and every transcript of it runs as printed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.ports import free_port

MAIN = Path(__file__).resolve().parent.parent / "main.py"

WHOLE = """\
from tcp.client import MyTCPClient, MyClientTCPHandler
from tcp.server import MyTCPServer, MyServerTCPHandler

flag = "server"

if flag == "server":
    with open("syslog", "a") as log:
        with MyTCPServer((HOST, PORT), MyServerTCPHandler, bind_and_activate=True) as server_socket:
            server_socket.myinit(log)
            server_socket.serve_forever()
else:
    with MyTCPClient((HOST, PORT), MyClientTCPHandler, bind_and_activate=True) as client_socket:
        client_socket.serve_forever()
"""
WHOLE_CLIENT = WHOLE.replace('flag = "server"', 'flag = "client"')
CLIENT = """\
from tcp.client import MyTCPClient, MyClientTCPHandler
with MyTCPClient((HOST, PORT), MyClientTCPHandler, bind_and_activate=True) as client_socket:
    client_socket.serve_forever()
"""
SERVER = """\
from tcp.server import MyTCPServer, MyServerTCPHandler
with open("syslog", "a") as log:
    with MyTCPServer((HOST, PORT), MyServerTCPHandler, bind_and_activate=True) as server_socket:
        server_socket.myinit(log)
        server_socket.serve_forever()
"""
FIRST = """\
client (HOST,PORT) set to (localhost,{port})
Enter login: Big Brother
< Server is WAIT4CLIENTS >
< Hi! I'm a menu. Enter a command >
1. Is server available?
2. Who available?
3. Send to available client
4. Send message to all
5. Close connection
"""
MENU = FIRST[FIRST.index("< Hi!") :]
WAITING = """\
< Waiting for messages ... >
< press <enter> to see menu: >
"""
WHO = f"""\
{MENU}2
{WAITING}Users:
duck; Big Brother
"""
SEND = f"""\
{MENU}3
Enter login: duck
Enter message: *quack*
{WAITING}< Message have been delivered! >  =)
"""


class Program:
    """A process whose output is gathered in a file, typed into through a pipe."""

    def __init__(self, command: list[str], folder: Path, name: str) -> None:
        self.out = folder / f"{name}.out"
        environment = {**os.environ, "TCPCHAT_HOME": str(folder / f"home-{name}"), "LC_ALL": "C.UTF-8"}
        with self.out.open("wb") as out:
            self.process = subprocess.Popen(
                command, cwd=folder, env=environment, stdin=subprocess.PIPE, stdout=out, stderr=subprocess.STDOUT
            )

    def type(self, *lines: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("".join(line + "\n" for line in lines).encode())
        self.process.stdin.flush()

    @property
    def text(self) -> str:
        return self.out.read_text(encoding="utf-8")

    def until(self, text: str, times: int = 1) -> str:
        """Wait until the output holds the text (so many times)."""
        end = time.monotonic() + 20
        while self.text.count(text) < times:
            assert time.monotonic() < end, f"no {text!r} in:\n{self.text}"
            assert self.process.poll() is None or self.text.count(text) >= times, self.text
            time.sleep(0.01)
        return self.text

    def end(self, number: int = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(15)


Start = Callable[..., Program]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    programs: list[Program] = []

    def begin(*command: str, name: str = "server") -> Program:
        program = Program([sys.executable, *command], tmp_path, name)
        programs.append(program)
        return program

    yield begin
    for program in programs:
        if program.process.poll() is None:
            program.process.kill()
            program.process.wait()
        assert program.process.stdin is not None
        program.process.stdin.close()


def accepting(port: int) -> None:
    end = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("localhost", port), 1).close()
            return
        except OSError:
            assert time.monotonic() < end
            time.sleep(0.02)


def with_address(code: str, port: int) -> str:
    return f'HOST, PORT = "localhost", {port}\n{code}'


@pytest.mark.parametrize("server", [WHOLE, SERVER], ids=["whole", "server"])
@pytest.mark.parametrize("client", [WHOLE_CLIENT, CLIENT], ids=["whole", "client"])
def test_the_code_blocks_run_unchanged(start: Start, tmp_path: Path, server: str, client: str) -> None:
    port = free_port()
    serving = start("-c", with_address(server, port))
    accepting(port)
    joined = start("-c", with_address(client, port), name="client")
    joined.type("Big Brother")
    joined.until("5. Close connection")
    joined.type("5")
    assert joined.process.wait(15) == 0
    assert joined.text == FIRST.format(port=port) + "5\n< Bye! >\n"
    assert serving.end() == 0
    assert "Accepted new user Big Brother\n" in (tmp_path / "syslog").read_text()


def test_the_conversation_of_the_report(start: Start, tmp_path: Path) -> None:
    port = free_port()
    server = start(str(MAIN), "server", "localhost", str(port))
    server.until(f"server (HOST,PORT) set to (localhost,{port})\n")
    accepting(port)

    # The first one is alone: WAIT4CLIENTS, and a menu.
    big_brother = start(str(MAIN), "client", "localhost", str(port), name="big-brother")
    big_brother.type("Big Brother")
    big_brother.until(FIRST.format(port=port))

    duck = start(str(MAIN), "client", "localhost", str(port), name="duck")
    duck.type("duck")
    duck.until("< Server is READY2SERV >")
    duck.until(MENU)
    duck.type("")  # Enter closes the menu
    duck.until(WAITING)

    big_brother.type("")
    big_brother.until(WAITING + "< Server is READY2SERV >\n")
    big_brother.type("", "3", "duck", "I'm watching you ...")
    duck.until(WAITING + "Big Brother  : I'm watching you ...\n")

    big_brother.until("< Message have been delivered! >  =)\n")
    big_brother.type("", "2")
    big_brother.until("Users:\n")
    assert set(big_brother.text.rpartition("Users:\n")[2].splitlines()[0].split("; ")) == {"duck", "Big Brother"}
    who = WHO.replace("duck; Big Brother\n", "")
    assert who in big_brother.text
    big_brother.type("", "3", "duck", "*quack*")
    big_brother.until("< Message have been delivered! >  =)\n", 2)
    assert SEND in big_brother.text
    big_brother.type("", "3", "nobody", "hello?")
    big_brother.until("< Message sending failure >       =(\n")

    # Big Brother leaves; the state is pushed to who stays.
    big_brother.type("", "5")
    assert big_brother.process.wait(15) == 0
    duck.until("< Server is WAIT4CLIENTS >")

    assert server.end() == 0
    assert duck.process.wait(15) == 0
    assert duck.text.endswith("< Server Dead. =( >\nShutdown ... \n")
    assert server.text.endswith("Shutdown ... \n")
    console = server.text.splitlines()
    for line in ("Big Brother has joined --- len users 1", "duck has joined --- len users 2"):
        assert line in console
    assert "Big Brother has left ... len users 1" in console
    log = (tmp_path / "syslog").read_text().splitlines()
    for line in (
        "Accepted new user duck", "Accepted new user Big Brother", "server at READY2SERV state",
        "Big Brother > *quack*", "duck : <accepted>", "Big Brother <sending failure>", "Big Brother leaves server",
        "User Big Brother has left ...", "server at WAIT4CLIENTS state",
    ):  # fmt: skip
        assert line in log, line
    assert not [line for line in log if "asks server" in line]  # questions move no cursor


def test_the_bare_entry_point(start: Start) -> None:
    """``python main.py``: the usage line, and a server at localhost:6060 (unless something is there already)."""
    server = start(str(MAIN))
    server.until("server (HOST,PORT) set to (localhost,6060)\n")
    assert server.text.startswith("Usage python <server|client> <Host> <Port:int>\nserver (HOST,PORT)")


@pytest.mark.parametrize(
    "arguments",
    [["neither"], ["server", "localhost"], ["server", "localhost", "port"], ["client", "localhost", "1", "more"]],
    ids=" ".join,
)
def test_wrong_parameters(start: Start, arguments: list[str]) -> None:
    program = start(str(MAIN), *arguments)
    assert program.process.wait(15) == 1
    assert program.text == "Wrong parameters\n"


def test_a_client_without_a_server_says_so(start: Start) -> None:
    program = start(str(MAIN), "client", "localhost", str(free_port()), name="client")
    program.type("duck")
    assert program.process.wait(15) == 3
    assert "Is `tcpchat serve` running there?" in program.text
