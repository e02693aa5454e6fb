"""``tcpchat tail``: the last messages of a conversation (or of all), and what comes."""

from __future__ import annotations

import argparse
import os
import subprocess
import time

from tcpchat.cli.asking import show_message
from tcpchat.cli.common import guarded, seconds, tell
from tcpchat.cli.oneshot import Session
from tcpchat.client.errors import ConnectionFailed
from tcpchat.core import model as m
from tcpchat.core.text import fold

ALIVE = 10.0  # seconds of silence until the server is asked for a sign of life
DEAD = 30.0
PAGE = 500


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``tail``."""
    parser.add_argument("to", nargs="?", metavar="TO", help="a login, or '#room'; nothing: all conversations")
    parser.add_argument("--room", metavar="NAME", help="a room")
    parser.add_argument("-n", type=int, default=20, metavar="N", help="how many (20)")
    parser.add_argument("-f", "--follow", action="store_true", help="go on with what comes")
    parser.add_argument("--since", type=seconds, metavar="TIME", help="only newer than: 1h, 3d")
    parser.add_argument("--unread", action="store_true", help="only what is not read")
    parser.add_argument(
        "--mark", choices=["read", "delivered", "none"], help="what printing means (with -f delivered, else none)"
    )
    parser.add_argument("--exec", dest="command", metavar="CMD", help="run for each message, with TCPCHAT_FROM, "
                        "TCPCHAT_TO, TCPCHAT_TEXT, TCPCHAT_SEQ and TCPCHAT_AT in its environment")  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Print; returns the exit code."""
    args.mark = args.mark or ("delivered" if args.follow else "none")
    return guarded(args, lambda: _tail(args))


def _tail(args: argparse.Namespace) -> int:
    to = "#" + args.room.lstrip("#") if args.room else args.to or ""
    if to and to[0] not in "#@":
        to = "@" + to
    with Session(args, after=-1 if args.follow else None, label="tail") as session:
        shown = 0
        for message in _past(args, session, to):
            shown = max(shown, message.seq)
            _show(args, session, message)
        if args.follow:
            _follow(args, session, to, shown)
    return 0


def _past(args: argparse.Namespace, session: Session, to: str) -> list[m.Message]:
    """What was said before, oldest first."""
    rooms = session.ask(m.Rooms(), m.RoomList).rooms
    infos = [room for room in rooms if not to or fold(room.to) == fold(to)]
    targets = [room.to for room in infos] or [to]
    since = (time.time() - args.since) * 1000 if args.since else 0.0
    read = {room.to: room.read for room in infos}
    found: list[m.Message] = []
    for target in targets:
        page = session.ask(m.History(target, limit=min(args.n, PAGE)), m.Page)
        found += [one for one in page.messages if isinstance(one, m.Message) and one.at >= since
                  and not (args.unread and one.seq <= read.get(target, 0))]  # fmt: skip
    found.sort(key=lambda message: message.seq)
    return found[-args.n :] if args.n else []


def _follow(args: argparse.Namespace, session: Session, to: str, shown: int) -> None:
    heard = time.monotonic()
    while True:
        for event in session.events(ALIVE):
            heard = time.monotonic()
            if isinstance(event, m.Goodbye):
                raise ConnectionFailed(event.why or "The server said goodbye.")
            if isinstance(event, m.Message) and event.seq > shown and _wanted(session, event, to):
                _show(args, session, event)
        if time.monotonic() - heard > DEAD:
            raise ConnectionFailed("The server gives no sign of life.")
        session.send(m.Ping("tail"))


def _conversation(session: Session, message: m.Message) -> str:
    direct = message.to.startswith("@") and fold(message.by) != fold(session.login)
    return "@" + message.by if direct else message.to


def _wanted(session: Session, message: m.Message, to: str) -> bool:
    return not to or fold(_conversation(session, message)) == fold(to)


def _show(args: argparse.Namespace, session: Session, message: m.Message) -> None:
    """Print, hand to the command, and only then confirm."""
    if message.kind == "tag":
        return
    show_message(args, message)
    if args.command:
        values = {
            "FROM": message.by,
            "TO": message.to,
            "TEXT": message.text,
            "SEQ": str(message.seq),
            "AT": str(message.at),
        }
        # Values travel in the environment and are never part of the command: no text can become code.
        environment = {**os.environ, **{f"TCPCHAT_{name}": value.replace("\0", "") for name, value in values.items()}}
        code = subprocess.run(args.command, shell=True, env=environment, check=False).returncode
        if code:
            tell(args, f"the command ended with {code}")
    if args.mark != "none":
        session.send(m.Confirm(message.seq))
    if args.mark == "read":
        session.send(m.Read(_conversation(session, message), message.seq))
