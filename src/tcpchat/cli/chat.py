"""``tcpchat chat``: the full-screen client, or the menu where there is no real terminal."""

from __future__ import annotations

import argparse
import os

from tcpchat.cli.common import guarded, real_terminal, tell


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``chat``."""
    parser.add_argument(
        "where", nargs="?", metavar="[LOGIN@]HOST[:PORT]", help="who and where (asked for when missing)"
    )


def run(args: argparse.Namespace) -> int:
    """Run the client; returns the exit code."""
    return guarded(args, lambda: _chat(args))


def _chat(args: argparse.Namespace) -> int:
    login, at, address = (args.where or "").rpartition("@")
    login = login if at else ""
    login = login or args.user or os.environ.get("TCPCHAT_USER") or ""
    address = address or args.server or os.environ.get("TCPCHAT_SERVER") or ""
    if not real_terminal():
        from tcpchat.cli.client import menu
        from tcpchat.client.identity import parse_address

        tell(args, "This is no full-screen terminal; here is the menu client.")
        host, port = parse_address(address or None)
        return menu(args, host, port, login)
    from tcpchat.tui.app import main

    return int(main([*(["--user", login] if login else []), *([address] if address else [])]))
