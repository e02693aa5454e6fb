"""The commands that ask one question: who, status, receipts, search, whoami."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from tcpchat.cli.common import guarded, local_time, paint, show_json, ticks
from tcpchat.cli.connection import Session
from tcpchat.core import model as m
from tcpchat.core.text import clean, clean_line


def asked(args: argparse.Namespace, ask: Callable[[Session], int | None], *, token: str = "") -> int:
    """Open a session (with an invite or link code), ask, and turn errors into an exit code."""

    def work() -> int:
        with Session(args, token=token) as session:
            return ask(session) or 0

    return guarded(args, work)


def show_message(args: argparse.Namespace, message: m.Message) -> None:
    """One message as a line (its further lines indented)."""
    if args.json:
        show_json(message)
        return
    text = clean(message.text).replace("\n", "\n      ")
    if message.removed:
        text = "(deleted)"
    snippet = message.snippet
    if snippet:
        parts = [clean_line(part) for part in snippet.replace("\x03", "\x02").split("\x02")]
        text = "".join(paint(part, "1", args) if at % 2 else part for at, part in enumerate(parts))
    where = f" {clean_line(message.to)}" if message.to.startswith("#") else ""
    who = paint(clean_line(message.by), "36", args)
    print(f"{local_time(message.at)} {message.seq}{where} {who}: {text}", flush=True)


def who(args: argparse.Namespace, session: Session) -> None:
    """Print who is here."""
    to = "#" + args.room.lstrip("#") if args.room else (args.login or "")
    people = session.ask(m.Who(to, args.all), m.People).people
    if args.json:
        for person in people:
            show_json(person)
        return
    for person in people:
        mark = "●" if person.online else "○"
        more = [", ".join(person.doors), "guest" if not person.account else person.role, person.away]
        note = "  ".join(clean_line(part) for part in more if part and part != "member")
        if not person.online and person.seen:
            note = f"{note}  last seen {local_time(person.seen, '%Y-%m-%d %H:%M')}"
        mark = mark if ticks()["accepted"] == "✓" else "+-"[not person.online]
        print(f"{mark} {clean_line(person.login):20} {note}".rstrip())


def status(args: argparse.Namespace, session: Session) -> None:
    """Print the server's state."""
    state = session.ask(m.Status(), m.State)
    if args.json:
        show_json(state)
    else:
        secure = "TLS" if state.secure else "not encrypted"
        print(f"{state.state}  {state.online} online  {state.head} entries  up {state.uptime} s  {secure}")


def receipts(args: argparse.Namespace, session: Session) -> None:
    """Print who has a message."""
    found = session.ask(m.Receipts(args.seq), m.ReceiptList)
    if args.json:
        show_json(found)
        return
    print(f"{ticks()[found.state]} {found.state}")
    for person in found.people:
        word = "waiting" if person.state == "accepted" else person.state
        at = local_time(person.at, "%Y-%m-%d %H:%M:%S") if person.at else ""
        print(f"  {clean_line(person.login):20} {word:10} {at}".rstrip())


def search(args: argparse.Namespace, session: Session) -> int:
    """Print messages that hold the words, newest last."""
    import time

    to = "#" + args.room.lstrip("#") if args.room else "@" + args.login if args.login else ""
    since = int((time.time() - args.since) * 1000) if args.since else 0
    page = session.ask(m.Search(" ".join(args.words), to, args.author or "", since, 0, 0, args.n), m.Page)
    for message in reversed(page.messages):
        if isinstance(message, m.Message):
            show_message(args, message)
    return 0 if page.messages else 1


def whoami(args: argparse.Namespace, session: Session) -> None:
    """Print who one is here."""
    from tcpchat.client.identity import key_path

    welcome = session.welcome
    assert welcome is not None
    if args.json:
        show_json(
            {
                "login": welcome.login,
                "role": welcome.role,
                "claimed": welcome.claimed,
                "key": str(key_path(session.login)),
            }
        )
        return
    print(f"{clean_line(welcome.login)} ({welcome.role or 'guest'}) at {session.host}:{session.port}")
    print(f"key: {key_path(session.login)}")
