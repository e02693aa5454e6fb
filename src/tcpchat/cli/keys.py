"""``tcpchat keys``: the keys of a login."""

from __future__ import annotations

import argparse

from tcpchat.cli import printing
from tcpchat.cli.common import show_json, tell
from tcpchat.cli.connection import Session
from tcpchat.core import model as m
from tcpchat.core.text import clean_line


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``keys``."""
    parser.add_argument("do", nargs="?", choices=["list", "revoke"], default="list", help="what to do (list)")
    parser.add_argument("key", nargs="?", help="the public key, or its beginning")


def run(args: argparse.Namespace) -> int:
    """Carry it out; returns the exit code."""
    return printing.asked(args, lambda session: _keys(args, session))


def _keys(args: argparse.Namespace, session: Session) -> None:
    keys: dict[str, str] = session.ask(m.Key("list"), m.Done).data.get("keys", {})
    if args.do == "list":
        if args.json:
            show_json(keys)
        else:
            for key, label in keys.items():
                print(f"{key}  {clean_line(label)}".rstrip())
        return
    found = [
        key for key in keys if args.key and key.removeprefix("ed25519:").startswith(args.key.removeprefix("ed25519:"))
    ]
    if len(found) != 1:
        raise ValueError("Which key? Give the beginning of exactly one (tcpchat keys lists them).")
    session.ask(m.Key("revoke", found[0]), m.Done)
    tell(args, f"{found[0]} opens nothing any more.")
