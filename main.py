"""The original entry point: ``python main.py server|client HOST PORT``."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "src"))  # works from a checkout too

USAGE = "Usage python <server|client> <Host> <Port:int>"
HOST, PORT = "localhost", 6060


def serve(host: str, port: int) -> int:
    """The server, with its text log in the current folder."""
    from tcp.server import MyServerTCPHandler, MyTCPServer

    with open("syslog", "a") as log:
        with MyTCPServer((host, port), MyServerTCPHandler, bind_and_activate=True) as server_socket:
            server_socket.myinit(log)
            server_socket.serve_forever()
    return 0


def join(host: str, port: int) -> int:
    """The menu client."""
    from tcp.client import MyClientTCPHandler, MyTCPClient

    with MyTCPClient((host, port), MyClientTCPHandler, bind_and_activate=True) as client_socket:
        client_socket.serve_forever()
    return client_socket.exit_code


def main(argv: list[str]) -> int:
    """Without arguments: the usage line and a server on localhost:6060, as ever."""
    if len(argv) < 3:
        print(USAGE, flush=True)
    what = argv[0] if argv else "server"
    try:
        host = argv[1] if len(argv) > 1 else HOST
        port = int(argv[2]) if len(argv) > 2 else PORT
        run = {"server": serve, "client": join}[what]
    except (KeyError, ValueError):
        print("Wrong parameters")
        return 1
    if what == "server":
        print(f"server (HOST,PORT) set to ({host},{port})", flush=True)
    try:
        return run(host, port)
    except OSError as error:
        print(f"{host}:{port}: {error.strerror or error}. Another server may be running there.", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
