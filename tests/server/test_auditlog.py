"""The text log: the original's lines, and no way to forge one."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from support.rawpeer import Peer
from tcpchat.core.model import Bye, Confirm, Entry, Refused, Said, Say, Status, Who
from tcpchat.core.rules import dm_room
from tcpchat.core.sessions import Session
from tcpchat.core.state import User
from tcpchat.server import Server
from tcpchat.server.textlog import AuditLog, Blot, Eraser, blot_out


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
    log.audit.login_of = {user.uid: user.login for user in (log.duck, log.brother)}.__getitem__
    session = log.session(log.duck)
    for command in (Confirm(seq=1), Status(), Who(), Who(to="#pond"), Bye(), Say(to="@x", text="y")):
        log.audit.command(session, command)
    log.audit.refused(session, Refused(code="no_such_login", text="", n=1))
    log.audit.command(log.session(None), Status())
    log.audit.confirmed(session)
    assert log.lines[3:] == ["duck leaves server", "duck <sending failure>", "duck : <accepted>"]


@pytest.mark.usefixtures("closed_peers")
async def test_only_what_moves_a_cursor_is_written(tmp_path: Path) -> None:
    async with Server(port=0, data=tmp_path) as server:
        duck = await Peer.enter(server.port, "duck")
        accepted = await duck.say("#all", "x", 1)
        goose = await Peer.enter(server.port, "goose", after=accepted["seq"] - 1)
        await duck.say("#all", "y", 2)
        for _ in range(50):
            goose.send("confirm", seq=accepted["seq"] + 1)
            goose.send("status")
            goose.send("who")
        await goose.sync()
        await duck.gone()
        await goose.gone()
    lines = (tmp_path / "syslog").read_text().splitlines()
    assert sum("goose" in line and "accepted>" in line for line in lines) <= 1
    assert not any("asks" in line for line in lines)


def _logs(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("syslog*"))


@pytest.mark.usefixtures("closed_peers")
async def test_the_file_is_begun_anew_and_old_ones_are_few(tmp_path: Path) -> None:
    async with Server(port=0, data=tmp_path, syslog_bytes=2_000, syslog_files=2, messages_per_second=0) as server:
        duck = await Peer.enter(server.port, "duck")
        for number in range(1, 60):
            await duck.say("#all", f"{number} " + "x" * 500, number)
            server.audit.flush()
        files = _logs(tmp_path)
        assert files == ["syslog", "syslog.1", "syslog.2"]
        assert all((tmp_path / name).stat().st_size < 4_000 for name in files)
        said = "".join((tmp_path / name).read_text() for name in reversed(files))
        numbers = [int(line.split()[2]) for line in said.splitlines() if "<broadcast>" in line]
        assert numbers == list(range(numbers[0], 60))  # the newest, none lost, in order
        duck.send("remove", seq=server.chat.head - 3, ref=1)  # it stands in an old one
        await duck.until("done", ref=1)
        await server.eraser.end()
        said = "".join((tmp_path / name).read_text() for name in files)
        assert said.count("[erased]") == 1
        await duck.gone()


def test_a_line_has_a_bounded_length(log: Fixture) -> None:
    log.audit.write("x" * 100_000)
    log.audit.flush()
    assert len(log.lines[0]) < 11_000


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


LINES = """Accepted new user duck
duck <broadcast> one two three
duck > a < b > c
duck <sending failure>
duck : <accepted>
duck <#pond> x
duckling <broadcast> not mine
goose <broadcast> duck > is quoted
User duck is now drake
drake > later
User drake has left ...
"""


def test_a_login_is_blotted_out_with_the_names_it_had(tmp_path: Path) -> None:
    file = tmp_path / "syslog"
    file.write_bytes(LINES.encode())
    blot_out([file], {Blot(login="drake")})
    assert file.stat().st_size == len(LINES)
    assert [line.rstrip() for line in file.read_text().splitlines()] == [
        "Accepted new user duck",
        "duck <broadcast> [erased]",
        "duck > [erased]",
        "duck <sending failure>",
        "duck : <accepted>",
        "duck <#pond> [",
        "duckling <broadcast> not mine",
        "goose <broadcast> duck > is quoted",
        "User duck is now drake",
        "drake > [eras",
        "User drake has left ...",
    ]


def test_one_line_is_blotted_out_wherever_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tcpchat.server.textlog.CHUNK", 16)
    file = tmp_path / "syslog"
    file.write_bytes(LINES.encode() * 3 + "duck > кря".encode())  # the last line is not ended yet
    blot_out([file], {Blot(line="duck > a < b > c"), Blot(line="duck > кря")})
    text = file.read_text()
    assert "a < b" not in text
    assert text.count("duck > [erased]") == 3
    assert text.endswith("duck > [erase")
    assert text.count("one two three") == 3


def test_which_files_hold_words(tmp_path: Path) -> None:
    for name in ("syslog", "syslog.1", "syslog-20260101", "syslog.2.gz", "syslogger", "tcpchat.db"):
        (tmp_path / name).touch()
    found = Eraser(AuditLog(), tmp_path / "syslog").files()
    assert sorted(path.name for path in found) == ["syslog", "syslog-20260101", "syslog.1"]
    assert Eraser(AuditLog(), None).files() == Eraser(AuditLog(), tmp_path / "no" / "syslog").files() == []


async def test_what_cannot_be_erased_now_is_tried_again(tmp_path: Path) -> None:
    audit = AuditLog()
    eraser = Eraser(audit, tmp_path / "syslog")
    (tmp_path / "syslog").write_text(LINES)
    (tmp_path / "syslog.1").mkdir()
    eraser.files = lambda: [tmp_path / "syslog.1"]  # type: ignore[method-assign]
    audit.blots = {Blot(login="duck")}
    await eraser.end()
    assert audit.blots == {Blot(login="duck")}
    del eraser.files  # type: ignore[method-assign]
    eraser._rested = 0.0
    eraser.tick()
    await eraser.end()
    assert not audit.blots
    assert "one two" not in (tmp_path / "syslog").read_text()
