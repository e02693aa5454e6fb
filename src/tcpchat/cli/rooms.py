"""``tcpchat rooms``: list, join, leave."""

from __future__ import annotations

import argparse

from tcpchat.cli import printing
from tcpchat.cli.common import paint, show_json, tell
from tcpchat.cli.connection import Session
from tcpchat.client.errors import Refused
from tcpchat.core import model as m
from tcpchat.core.text import clean_line


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``rooms``."""
    parser.add_argument("do", nargs="?", choices=["list", "join", "leave"], default="list", help="what to do (list)")
    parser.add_argument("room", nargs="?", help="the room, with or without #")
    parser.add_argument("-a", "--all", action="store_true", help="also public rooms that one is not in")


def run(args: argparse.Namespace) -> int:
    """Carry it out; returns the exit code."""
    return printing.asked(args, lambda session: _rooms(args, session))


def _rooms(args: argparse.Namespace, session: Session) -> None:
    if args.do == "list":
        _list(args, session)
        return
    if not args.room:
        raise ValueError(f"Which room? tcpchat rooms {args.do} NAME")
    room = "#" + args.room.lstrip("#")
    command = m.Join(room) if args.do == "join" else m.Leave(room)
    try:
        session.ask(command, m.Done)
    except Refused as error:
        if error.code != "already_member":
            raise
    tell(args, f"{'in' if args.do == 'join' else 'left'} {clean_line(room)}")


def _list(args: argparse.Namespace, session: Session) -> None:
    for room in session.ask(m.Rooms(args.all), m.RoomList).rooms:
        if args.json:
            show_json(room)
            continue
        unread = f"{room.unread} unread" if room.unread else ""
        name = paint(clean_line(room.to), "1" if room.unread else "0", args)
        here = f"{room.online} of {room.members} here" if room.to.startswith("#") else ("here" if room.online else "")
        inside = "" if room.member else "not in it"
        parts = [part for part in (here, unread, inside, clean_line(room.topic)) if part]
        print(f"{name}  {'  '.join(parts)}".rstrip())
