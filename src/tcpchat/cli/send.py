"""``tcpchat send``: exit 0 only when the asked state was reached."""

from __future__ import annotations

import argparse
import difflib
import sys
import time
from contextlib import ExitStack
from hashlib import sha256
from typing import NamedTuple

from tcpchat.cli.common import (
    FAILED,
    NOT_FOUND,
    UNKNOWN,
    USAGE,
    WAITED,
    Ended,
    ending,
    guarded,
    paint,
    show_json,
    tell,
    ticks,
)
from tcpchat.cli.connection import Session
from tcpchat.cli.output import lost, standard_input
from tcpchat.client.errors import ConnectionFailed, Refused, TimedOut
from tcpchat.core import model as m
from tcpchat.core.text import clean, clean_line, fold

ORDER = {"accepted": 1, "delivered": 2, "read": 3}
PASSING = ("too_fast", "unavailable")  # refusals after which it is tried again
WAIT_SECONDS = 30.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``send``."""
    parser.add_argument("to", nargs="?", metavar="TO", help="login, 'login1,login2', @all, '#room'; or use --room")
    parser.add_argument("text", nargs="*", metavar="TEXT", help="the message; - reads it from standard input")
    parser.add_argument("--room", metavar="NAME", help="send to a room (the shell takes # for a comment)")
    parser.add_argument("--wait", choices=list(ORDER), default="accepted", help="the state to wait for (accepted)")
    parser.add_argument(
        "--id", metavar="KEY", help="a name for this message: repeating the command within 30 days sends it once"
    )
    parser.set_defaults(default_timeout=WAIT_SECONDS)
    parser.epilog = "Exit codes: 0 state reached, 1 failed, 3 no connection, 4 not allowed, 5 no such user or room, "
    parser.epilog += "6 unknown (repeat with the same --id), 124 accepted, but --wait was not reached in --timeout. "
    parser.epilog += "The server knows an --id for 30 days behind its message (numbers_days), and 10,000 of a login."


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
        if not targets:
            raise Ended(USAGE, f"{args.to!r} names nobody. Send to whom? tcpchat send LOGIN TEXT")
    if words == ["-"] or (not words and not sys.stdin.isatty()):
        text = standard_input().rstrip("\n")
    else:
        text = " ".join(words).encode("utf-8", "replace").decode()  # words may hold bytes that are no text
    if not text:
        raise Ended(USAGE, "There is no text to send.")
    return targets, text


def _target(name: str) -> str:
    if name.startswith("#"):
        return name
    return "#all" if name in ("@all", "all") and name.startswith("@") else "@" + name.removeprefix("@")


class Sending(NamedTuple):
    """One recipient's message."""

    to: str
    session: Session
    seq: int
    code: int  # exit code; not 0: it was not accepted


def _send(args: argparse.Namespace) -> int:
    targets, text = _targets(args)
    started = time.monotonic()
    with ExitStack() as stack:
        sessions = _sessions(args, targets, stack)
        timeout = sessions[0].timeout
        deadline = started + timeout
        # All are sent before any is waited for: who is away delays nobody else.
        sent = [_say(args, session, to, text, deadline) for to, session in zip(targets, sessions, strict=True)]
        codes = [one.code or _outcome(args, one, deadline, started) for one in sent]
    return max((code for code in codes if code != WAITED), default=0) or max(codes)


def _sessions(args: argparse.Namespace, targets: list[str], stack: ExitStack) -> list[Session]:
    """A session for each recipient: one for all, or with --id one each.

    The device is made from --id and the recipient, and numbers just this message: whoever repeats it, from whichever
    machine, is answered with the first one's place.
    """
    if not args.id:
        return [stack.enter_context(Session(args))] * len(targets)
    sessions = []
    for to in targets:
        name = sha256(f"{args.id}\0{fold(to)}".encode()).hexdigest()[:24]
        device = f"id-{name}"
        sessions.append(stack.enter_context(Session(args, device=device)))
    return sessions


def _say(args: argparse.Namespace, session: Session, to: str, text: str, deadline: float) -> Sending:
    """Say it to one recipient; what goes wrong is told and is this one's exit code."""
    try:
        accepted = _accepted(session, m.Say(to, text, 1 if args.id else 0, ref=f"to {to}"), deadline)
        return Sending(to, session, accepted.seq, 0)
    except Refused as error:
        end = ending(error)
        if error.code == "no_such_login":
            end = Ended(NOT_FOUND, _unknown_login(session, to))
    except (ConnectionFailed, TimedOut) as error:
        hint = f"Repeat it with --id {args.id}: it cannot be doubled." if args.id else "With --id KEY a repeat is safe."
        end = Ended(UNKNOWN, f"{error} It is not known whether the message was taken. {hint}")
    if args.json:
        show_json({"to": to, "state": "failed" if end.code != UNKNOWN else "unknown", "exit": end.code})
    print(clean(end.text), file=sys.stderr, flush=True)
    return Sending(to, session, 0, end.code)


def _accepted(session: Session, say: m.Say, deadline: float) -> m.Accepted:
    """Say it until it is taken: a rate limit is waited out."""
    while True:
        session.send(say)
        try:
            left = max(0.05, deadline - time.monotonic())
            event = session.wait(lambda one: isinstance(one, m.Accepted) and one.ref == say.ref, left)
        except Refused as error:
            if error.code not in PASSING or time.monotonic() + error.after >= deadline:
                raise
            time.sleep(max(error.after, 0.05))
            continue
        assert isinstance(event, m.Accepted)
        return event


def _outcome(args: argparse.Namespace, sent: Sending, deadline: float, started: float) -> int:
    """Wait for the state that was asked for, and report."""
    try:
        state = _wait(sent.session, sent.to, sent.seq, args.wait, deadline)
    except (ConnectionFailed, TimedOut):
        state = "accepted"  # that much is certain
    try:
        _report(args, sent, state, time.monotonic() - started)
    except OSError as error:  # what became of the message is the exit code, whoever reads the words
        lost(error)
    if state == "failed":
        return FAILED
    return 0 if ORDER[state] >= ORDER[args.wait] else WAITED


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


def _report(args: argparse.Namespace, sent: Sending, state: str, took: float) -> None:
    whom, seq = clean_line(sent.to.removeprefix("@")), sent.seq
    reached = state != "failed" and ORDER[state] >= ORDER[args.wait]
    later = f"It stays on the server and will be delivered. See: tcpchat receipts {seq}"
    if args.json:
        show_json({"to": sent.to, "state": state, "seq": seq, "ms": round(took * 1000), "reached": reached})
    elif args.quiet:
        return
    elif not sys.stdout.isatty():
        print(f"{state} {seq}", flush=True)
        if not reached and state != "failed":
            tell(args, f"Not yet {args.wait} after {sent.session.timeout:g} s. {later}")
    elif state == "failed":
        print(f"{paint(ticks()[state], '31', args)} {whom} left without the message", flush=True)
    elif reached:
        print(f"{paint(ticks()[state], '32', args)} {state} to {whom} in {round(took * 1000)} ms · {seq}", flush=True)
    else:
        print(f"{ticks()[state]} {state}, not yet {args.wait} after {sent.session.timeout:g} s. {later}", flush=True)


__all__ = ["add_arguments", "run"]
