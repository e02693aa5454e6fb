"""``tcpchat status``: is the server available?"""

from __future__ import annotations

import argparse

from tcpchat.cli import asking


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``status``."""
    parser.set_defaults()


def run(args: argparse.Namespace) -> int:
    """Ask and print; returns the exit code."""
    return asking.asked(args, lambda session: asking.status(args, session))
