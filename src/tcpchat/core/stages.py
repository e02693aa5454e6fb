"""The stages of a login, as one table: which step leads from where to where. Nothing else sets ``session.stage``.

NEW -> (hello) CHALLENGED -> (proof) CHECKING -> ARRIVING, while the log makes the login -> ENTERING, while its unread
messages are counted -> OPEN -> CLOSED. Before OPEN only the commands in BEFORE are taken; others wait for it, or are
refused while it is NEW.
"""

from __future__ import annotations

from collections.abc import Set
from typing import Literal

from tcpchat.core import model as m
from tcpchat.core.meant import Meant
from tcpchat.core.sessions import (
    ARRIVING,
    CHALLENGED,
    CHECKING,
    CLOSED,
    ENTERING,
    NEW,
    OPEN,
    Session,
    Stage,
)

ANY: Set[Stage] = frozenset(Stage)

# Commands that may come in every stage; of these the words of a login decide by the stage what they do.
BEFORE = {m.Hello, m.Proof, m.Guess, m.Password, m.Scram, m.External, m.Ping, m.Pong, m.Bye, m.Fault, m.Status}

Step = Literal[
    "challenged",
    "shown",
    "wrong",
    "vouched",
    "proposed",
    "refused",
    "overtaken",
    "failed",
    "known",
    "counted",
    "operator",
    "again",
    "over",
]

# step -> in which stages it counts, and what comes then; in all other stages it changes nothing
STEPS: dict[Step, tuple[Set[Stage], Stage]] = {
    "challenged": ({NEW, CHALLENGED}, CHALLENGED),  # the login has to be proved
    "shown": ({CHALLENGED}, CHECKING),  # a proof or a password was shown, and is looked at
    "wrong": ({CHECKING}, CHALLENGED),  # it was none, or nothing is known about it: another one may be shown
    "vouched": ({NEW, CHALLENGED, CHECKING}, NEW),  # an account is proved; the hello for which it stands is to come
    "proposed": ({NEW, CHALLENGED, CHECKING}, ARRIVING),  # what makes the login is on its way to the log
    "refused": ({NEW, CHALLENGED, CHECKING, ARRIVING}, NEW),  # not this one: another hello may be said
    "overtaken": ({ARRIVING}, NEW),  # another entry came before what makes it
    "failed": (ANY - {OPEN, CLOSED}, NEW),  # the log did not take what makes it
    "known": (ANY - {OPEN, CLOSED}, ENTERING),  # it is who it says: its counts are on their way from the log
    "counted": ({ENTERING}, OPEN),
    "operator": (ANY - {CLOSED}, OPEN),  # the command line on the server's own machine
    "again": ({OPEN}, NEW),  # a guest says hello as the account that vouches for it
    "over": (ANY, CLOSED),
}


def step(session: Session, name: Step) -> None:
    """Take a session one step on."""
    stages, then = STEPS[name]
    if session.stage in stages:
        session.stage = then


def challenge(session: Session, meant: Meant) -> None:
    """It has to prove the login that is meant."""
    session.meant = meant
    step(session, "challenged")
