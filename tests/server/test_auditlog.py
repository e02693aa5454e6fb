"""The text log: the original's lines, and no way to forge one."""

from __future__ import annotations

import io

import pytest

from tcpchat.auditlog import AuditLog
from tcpchat.core.feed import Session
from tcpchat.core.model import Bye, Confirm, Entry, Refused, Said, Say, Status, Who
from tcpchat.core.rules import dm_room
from tcpchat.core.state import User


class Fixture:
    """A log into memory, with two users."""

    def __init__(self) -> None:
        self.file, self.console = io.StringIO(), list[str]()
        self.audit = AuditLog(self.file, self.console.append)
        self.duck, self.brother = User(1, "duck", 0), User(2, "Big Brother", 0)

    def session(self, user: User | None) -> Session:
        session = Session(1, 0.0)
        session.user = user
        return session

    @property
    def lines(self) -> list[str]:
        self.audit.flush()
        return self.file.getvalue().splitlines()


@pytest.fixture
def log() -> Fixture:
    return Fixture()


def test_coming_and_going(log: Fixture) -> None:
    log.audit.came(log.duck)
    log.audit.came(log.brother)
    log.audit.came(log.brother)  # a second device
    log.audit.left(log.brother)
    log.audit.left(log.brother)
    assert log.lines == [
        "Accepted new user duck",
        "Accepted new user Big Brother",
        "server at READY2SERV state",
        "User Big Brother has left ...",
        "server at WAIT4CLIENTS state",
    ]
    assert log.console == [
        "duck has joined --- len users 1",
        "Big Brother has joined --- len users 2",
        "Big Brother has left ... len users 1",
    ]


def test_what_is_said(log: Fixture) -> None:
    facts = [
        Said(room=dm_room(1, 2), user=2, by="Big Brother", text="*quack*", to="@duck", peer=1),
        Said(room=1, user=1, by="duck", text="hi all", to="#all"),
        Said(room=2, user=1, by="duck", text="hi", to="#pond"),
    ]
    log.audit.entries([Entry(seq, 0, fact) for seq, fact in enumerate(facts, 1)])
    assert log.lines == ["Big Brother > *quack*", "duck <broadcast> hi all", "duck <#pond> hi"]


def test_what_is_asked(log: Fixture) -> None:
    log.audit.came(log.duck)
    log.audit.came(log.brother)
    session = log.session(log.duck)
    for command in (Confirm(seq=1), Status(), Who(), Who(to="#pond"), Bye(), Say(to="@x", text="y")):
        log.audit.command(session, command)
    log.audit.refused(session, Refused(code="no_such_login", text="", n=1))
    log.audit.command(log.session(None), Status())
    assert log.lines[3:] == [
        "duck : <accepted>",
        "duck asks server status - READY2SERV",
        "duck asks server about active connections - ['duck', 'Big Brother']",
        "duck leaves server",
        "duck <sending failure>",
    ]


def test_a_text_makes_one_line_and_moves_no_cursor(log: Fixture) -> None:
    text = "x\nduck leaves server\r\n\x1b[2J\u2028\x85y"
    log.audit.entries([Entry(1, 0, Said(room=1, user=1, by="duck", text=text, to="#all"))])
    assert len(log.lines) == 1
    assert log.lines[0].isprintable()
    assert log.lines[0].startswith("duck <broadcast> x duck leaves server ")


def test_without_a_file_it_only_counts() -> None:
    audit = AuditLog()
    audit.came(User(1, "duck", 0))
    audit.flush()
    assert not audit.writing
    assert len(audit.online) == 1


def test_a_full_disk_costs_lines_and_nothing_else(log: Fixture) -> None:
    log.file.close()
    log.audit.write("lost for now")
    log.audit.flush()
    log.file = log.audit.sink = io.StringIO()
    assert log.lines == ["lost for now"]
