"""``tcpchat client``: the numbered menu."""

from __future__ import annotations

import argparse
import os

from tcpchat.cli.common import guarded, password_option


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``client``."""
    parser.add_argument("host", nargs="?", metavar="HOST", help="server (localhost)")
    parser.add_argument("port", nargs="?", type=int, metavar="PORT", help="port (6060)")
    parser.epilog = "One line per event, no cursor movement: works in pipes, with TERM=dumb and with screen readers."


def run(args: argparse.Namespace) -> int:
    """Run the menu; returns the exit code."""
    return guarded(args, lambda: menu(args, args.host, args.port, args.user or os.environ.get("TCPCHAT_USER") or ""))


def menu(args: argparse.Namespace, host: str | None, port: int | None, login: str) -> int:
    """The menu client at an address; what is not given comes from --server, the environment, localhost:6060."""
    from tcpchat.client.identity import parse_address
    from tcpchat.menu import main

    server_host, server_port = parse_address(args.server)
    if host and (host.startswith("[") or (port is None and host.count(":") == 1)):
        host, named = parse_address(host)  # also HOST:PORT in one word, and [ADDRESS]
        port = port or named
    return main(host or server_host, port or server_port, login=login, password=password_option())
