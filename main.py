"""The original entry point: ``python main.py server|client HOST PORT``."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "src"))  # works from a checkout too

from tcpchat.log import LogError

USAGE = "Usage python <server|client> <Host> <Port:int>"
HOST, PORT = "localhost", 6060


def serve(host: str, port: int) -> int:
    """The server, with its text log in the current folder."""
    from tcp.server import MyServerTCPHandler, MyTCPServer

    with (
        open("syslog", "a") as log,
        MyTCPServer((host, port), MyServerTCPHandler, bind_and_activate=True) as server_socket,
    ):
        server_socket.myinit(log)
        server_socket.serve_forever()
    return 0


def join(host: str, port: int) -> int:
    """The menu client."""
    from tcp.client import MyClientTCPHandler, MyTCPClient

    with MyTCPClient((host, port), MyClientTCPHandler, bind_and_activate=True) as client_socket:
        client_socket.serve_forever()
    return client_socket.exit_code


def wanted(argv: list[str]) -> tuple[str, str, int]:
    """What to be, and where: nothing, one word, or all three. Raises ValueError."""
    if len(argv) not in (0, 1, 3):
        raise ValueError
    what, host, port = [*(argv or ["server"]), HOST, str(PORT)][:3]
    if what not in ("server", "client"):
        raise ValueError
    return what, host, int(port)


def main(argv: list[str]) -> int:
    """Without arguments: the usage line and a server on localhost:6060, as ever."""
    if not argv:
        print(USAGE, flush=True)
    try:
        what, host, port = wanted(argv)
    except ValueError:
        print("Wrong parameters")
        return 1
    if what == "client":
        return join(host, port)
    print(f"server (HOST,PORT) set to ({host},{port})", flush=True)
    try:
        code = serve(host, port)
    except (OSError, LogError) as error:
        print(f"{host}:{port}: {getattr(error, 'strerror', None) or error}", file=sys.stderr)
        return 1
    print("Shutdown ... ")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
