"""``tcpchat send``: exit 0 only when the asked state was reached."""

from __future__ import annotations

import argparse
import difflib
import sys
import time
from hashlib import sha256

from tcpchat.cli.common import (
    FAILED,
    UNKNOWN,
    USAGE,
    WAITED,
    Ended,
    guarded,
    paint,
    seconds,
    show_json,
    tell,
    ticks,
)
from tcpchat.cli.oneshot import Session
from tcpchat.client.errors import ConnectionFailed, Refused
from tcpchat.core import model as m
from tcpchat.core.text import clean_line, fold

ORDER = {"accepted": 1, "delivered": 2, "read": 3}
TOO_FAST_MAX = 60.0  # seconds that a rate limit is waited out by itself


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``send``."""
    parser.add_argument("to", nargs="?", metavar="TO", help="login, 'login1,login2', @all, '#room'; or use --room")
    parser.add_argument("text", nargs="*", metavar="TEXT", help="the message; - reads it from standard input")
    parser.add_argument("--room", metavar="NAME", help="send to a room (the shell takes # for a comment)")
    parser.add_argument("--wait", choices=list(ORDER), default="accepted", help="the state to wait for (accepted)")
    parser.add_argument("--id", metavar="KEY", help="a name for this message: repeating the command sends it once")
    parser.epilog = "Exit codes: 0 state reached, 1 failed, 3 no connection, 4 not allowed, 5 no such user or room, "
    parser.epilog += "6 unknown (repeat with the same --id), 124 accepted, but --wait was not reached in --timeout."


def run(args: argparse.Namespace) -> int:
    """Send; returns the exit code."""
    return guarded(args, lambda: _send(args))


def _targets(args: argparse.Namespace) -> tuple[list[str], str]:
    """Where to, and the text."""
    words = list(args.text)
    if args.room:
        words = [args.to, *words] if args.to is not None else words
        targets = ["#" + args.room.lstrip("#")]
    elif args.to is None:
        raise Ended(USAGE, "Send to whom? tcpchat send LOGIN TEXT, or tcpchat send --room NAME TEXT")
    else:
        targets = [_target(one.strip()) for one in args.to.split(",") if one.strip()]
    if words == ["-"] or (not words and not sys.stdin.isatty()):
        text = sys.stdin.buffer.read().decode("utf-8", "replace").rstrip("\r\n")
    else:
        text = " ".join(words)
    if not text:
        raise Ended(USAGE, "There is no text to send.")
    return targets, text


def _target(name: str) -> str:
    if name.startswith("#"):
        return name
    return "#all" if name in ("@all", "all") and name.startswith("@") else "@" + name.removeprefix("@")


def _send(args: argparse.Namespace) -> int:
    targets, text = _targets(args)
    device = f"id.{sha256(args.id.encode()).hexdigest()[:24]}" if args.id else ""
    timeout = args.timeout if args.timeout is not None else None
    started = time.monotonic()
    with Session(args, device=device) as session:
        if timeout is None:
            timeout = 30.0 if args.wait != "accepted" else session.timeout
        deadline = started + timeout
        worst = 0
        for number, to in enumerate(targets, 1):
            worst = max(worst, _one(args, session, to, text, number if args.id else 0, deadline, started))
        return worst


def _one(
    args: argparse.Namespace, session: Session, to: str, text: str, n: int, deadline: float, started: float
) -> int:
    try:
        accepted = _accepted(session, m.Say(to, text, n, ref="send"), deadline)
    except Refused as error:
        if error.code == "no_such_login":
            raise Ended(5, _unknown_login(session, to)) from None
        raise
    except ConnectionFailed:
        hint = f"Repeat with --id {args.id}." if args.id else "With --id KEY a repeat is safe."
        raise Ended(
            UNKNOWN, f"The connection was lost before it was known whether the message was taken. {hint}"
        ) from None
    state = _wait(session, to, accepted.seq, args.wait, deadline)
    took = time.monotonic() - started
    _report(args, session, to, state, accepted.seq, took)
    if state == "failed":
        return FAILED
    return 0 if ORDER[state] >= ORDER[args.wait] else WAITED


def _accepted(session: Session, say: m.Say, deadline: float) -> m.Accepted:
    """Say it until it is taken: a rate limit is waited out."""
    while True:
        session.send(say)
        try:
            left = max(0.05, deadline - time.monotonic())
            event = session.wait(lambda one: isinstance(one, m.Accepted), left)
        except Refused as error:
            if error.code in ("too_fast", "unavailable") and time.monotonic() + error.after < min(
                deadline, time.monotonic() + TOO_FAST_MAX
            ):
                time.sleep(max(error.after, 0.05))
                continue
            raise
        assert isinstance(event, m.Accepted)
        return event


def _wait(session: Session, to: str, seq: int, goal: str, deadline: float) -> str:
    """The furthest state reached by the deadline."""
    state = "accepted"
    if goal == "accepted" or not seq:
        return state
    # A repeat may have been delivered long ago: ask once.
    state = session.ask(m.Receipts(seq), m.ReceiptList).state
    if ORDER[state] >= ORDER[goal]:
        return state
    for event in session.events(max(0.0, deadline - time.monotonic())):
        if not isinstance(event, m.Receipt) or event.seq < seq or fold(event.to) != fold(to):
            continue
        if event.state == "failed":
            return "failed"
        if event.have >= event.of and ORDER[event.state] > ORDER[state]:
            state = event.state
            if ORDER[state] >= ORDER[goal]:
                return state
    return state


def _unknown_login(session: Session, to: str) -> str:
    name = to.removeprefix("@")
    people = session.ask(m.Who("", True), m.People).people
    near = difflib.get_close_matches(fold(name), [fold(person.login) for person in people], 1)
    meant = next((person.login for person in people if near and fold(person.login) == near[0]), "")
    hint = f" Did you mean {clean_line(meant)}?" if meant else ""
    return f'No user "{clean_line(name)}" here.{hint} (tcpchat who --all lists everyone)'


def _report(args: argparse.Namespace, session: Session, to: str, state: str, seq: int, took: float) -> None:
    whom = clean_line(to.removeprefix("@"))
    reached = state != "failed" and ORDER[state] >= ORDER[args.wait]
    if args.json:
        show_json({"to": to, "state": state, "seq": seq, "ms": round(took * 1000), "reached": reached})
    elif sys.stdout.isatty():
        if args.quiet:
            return
        mark = ticks()[state]
        if state == "failed":
            print(paint(f"{mark} {whom} left without the message", "31", args))
        elif reached:
            print(f"{paint(mark, '32', args)} {state} to {whom} in {round(took * 1000)} ms · {seq}", flush=True)
        else:
            print(f"{mark} {state}, not yet {args.wait}. It stays on the server and will be delivered. "
                  f"See: tcpchat receipts {seq}")  # fmt: skip
    elif not args.quiet:
        print(f"{state} {seq}", flush=True)
        if not reached:
            tell(args, f"not {args.wait} in time; see: tcpchat receipts {seq}")


__all__ = ["add_arguments", "run", "seconds"]
