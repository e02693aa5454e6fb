"""What a restart of the server must not take from IRC: METADATA, WHOWAS, modes of people, read marks, cloaks, ranks."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.ircpeer import SETTINGS, Client, House, commands, only
from tcpchat.server import Server

Start = Callable[..., House]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


@pytest.fixture
def start(data: Path) -> Iterator[Start]:
    """Start a server over the same folder, again and again."""
    opened: list[object] = []
    houses: list[House] = []

    def stop() -> None:
        while houses:
            houses.pop().close()
        while opened:
            opened.pop().__exit__(None, None, None)  # type: ignore[attr-defined]

    def begin(**settings: object) -> House:
        stop()
        context = Server.in_thread(host="127.0.0.1", port=0, data=data, **{**SETTINGS, **settings})
        server = context.__enter__()
        opened.append(context)
        houses.append(House(server.port))
        return houses[-1]

    yield begin
    stop()


def owner(house: House, name: str, *caps: str, user: str = "user") -> Client:
    return house.join(name, *caps, user=user, password="sesame")


def facts(lines: list[object]) -> dict[str, str]:
    """Keys and values of the numerics 761 among these lines."""
    return {line.params[2]: line.params[-1] for line in lines if line.command == "761"}  # type: ignore[attr-defined]


META = ("draft/metadata-3", "batch")


def test_metadata(start: Start) -> None:
    house = start()
    house.account("duck", "sesame")
    duck = owner(house, "duck", *META)
    duck.ask("JOIN #pond")
    for line in ("* SET avatar :https://example.com/duck.png", "* SET color :#ff0", "#pond SET pronouns :wet"):
        assert "761" in commands(duck.ask(f"METADATA {line}"))
    duck.ask("METADATA * SET color")
    house = start()
    duck = owner(house, "duck", *META)
    assert facts(duck.seen) == {"avatar": "https://example.com/duck.png"}  # shown at the welcome
    goose = house.join("goose", *META)
    assert facts(goose.ask("METADATA duck LIST")) == {"avatar": "https://example.com/duck.png"}
    assert facts(duck.ask("METADATA #pond LIST")) == {"pronouns": "wet"}
    assert "761" not in commands(duck.ask("METADATA * CLEAR"))[:1]
    house = start()
    assert facts(owner(house, "duck", *META).ask("METADATA * LIST")) == {}


def test_metadata_goes_with_a_renamed_login(start: Start) -> None:
    house = start()
    house.account("duck", "sesame")
    duck = owner(house, "duck", *META)
    duck.ask("METADATA * SET color :yellow")
    duck.ask("PRIVMSG NickServ :RENAME drake")
    assert facts(duck.ask("METADATA drake GET color")) == {"color": "yellow"}
    drake = owner(start(), "drake", *META)
    assert facts(drake.ask("METADATA * LIST")) == {"color": "yellow"}


def test_metadata_goes_with_a_renamed_room(start: Start) -> None:
    house = start()
    house.account("duck", "sesame")
    duck = owner(house, "duck", *META)
    duck.ask("JOIN #pond")
    duck.ask("METADATA #pond SET color :green")
    duck.ask("RENAME #pond #lake")
    assert facts(duck.ask("METADATA #lake LIST")) == {"color": "green"}
    assert "FAIL" in commands(duck.ask("METADATA #pond LIST"))


def test_nobody_inherits_what_a_deleted_login_showed(start: Start) -> None:
    house = start()
    for name in ("boss", "duck"):
        house.account(name, "sesame")
    owner(house, "duck", *META).ask("METADATA * SET color :yellow", "MODE duck +B")
    with socket.create_connection(("127.0.0.1", house.port), 10) as boss:
        lines = boss.makefile("rb")
        send(boss, t="hello", login="boss")
        until(lines, "challenge")
        send(boss, t="password", password="sesame")
        until(lines, "welcome")
        send(boss, t="admin", do="delete", args={"login": "duck"}, ref=1)
        assert until(lines, "done", "refused")["t"] == "done"
        lines.close()
    another = house.join("duck", *META)
    assert facts(another.ask("METADATA * LIST")) == {}
    assert only(another.ask("MODE duck"), "221").params[1] == "+"


def test_metadata_of_a_guest_goes_with_it(start: Start) -> None:
    house = start()
    goose = house.join("goose", *META)
    assert facts(goose.ask("METADATA * SET color :grey")) == {"color": "grey"}
    house = start()
    assert facts(house.join("goose", *META).ask("METADATA * LIST")) == {}


def test_an_operator_sets_it_for_others(start: Start) -> None:
    house = start()
    house.account("duck", "sesame")
    owner(house, "duck")
    goose = house.join("goose", *META)
    fail = only(goose.ask("METADATA duck SET badge :gold"), "FAIL")
    assert fail.params[1] == "KEY_NO_PERMISSION"
    goose.ask("OPER boss secret")
    assert facts(goose.ask("METADATA duck SET badge :gold")) == {"badge": "gold"}
    house = start()
    assert facts(owner(house, "duck", *META).seen) == {"badge": "gold"}


def test_what_an_operator_may_set_for_others_is_only_that(start: Start, data: Path) -> None:
    """The native command behind it takes no other preference of somebody else."""
    house = start()
    house.account("duck", "sesame")
    assert _native(house.port, "boss", login="duck", key="irc/badge") == "not_allowed"  # first claims own the place
    with socket.create_connection(("127.0.0.1", house.port), 10) as peer:
        lines = peer.makefile("rb")
        send(peer, t="hello", login="duck")
        until(lines, "challenge")
        send(peer, t="password", password="sesame")
        until(lines, "welcome")
        send(peer, t="set", key="receipts", value="off", login="duck", ref=1)
        assert until(lines, "refused", "done")["code"] == "not_allowed"
        send(peer, t="set", key="irc/badge", value="tin", login="nobody", ref=2)
        assert until(lines, "refused", "done")["code"] == "no_such_login"
        lines.close()


def _native(port: int, name: str, **command: object) -> str:
    """A guest tries to set something; returns the code of the refusal."""
    with socket.create_connection(("127.0.0.1", port), 10) as peer:
        lines = peer.makefile("rb")
        send(peer, t="hello", login=name)
        until(lines, "welcome")
        send(peer, t="set", value="x", ref=1, **command)
        code = str(until(lines, "refused", "done").get("code", ""))
        lines.close()
        return code


def send(peer: socket.socket, **fields: object) -> None:
    peer.sendall(json.dumps(fields).encode() + b"\n")


def until(lines: object, *kinds: str) -> dict[str, object]:
    for line in lines:  # type: ignore[attr-defined]
        event: dict[str, object] = json.loads(line)
        if event["t"] in kinds:
            return event
    raise AssertionError(f"closed before {kinds}")


def test_whowas(start: Start) -> None:
    house = start()
    goose = house.join("goose", user="gg")
    goose.send("QUIT :off")
    goose.closed()
    swan = house.join("swan")
    before = only(swan.ask("WHOWAS goose"), "314").params[1:]
    swan.send("QUIT")
    swan.closed()
    house = start()
    asker = house.join("asker")
    assert only(asker.ask("WHOWAS goose"), "314").params[1:] == before
    assert before[:2] == ["goose", "~gg"]
    assert only(asker.ask("WHOWAS swan"), "314").params[1] == "swan"


def test_whowas_is_bounded(data: Path) -> None:
    from tcpchat.doors import Table
    from tcpchat.server.realmstore import open_file, store

    marks = Table("marks", ("login", "target", "at"), keys=2)
    tables = (marks, Table("whowas", ("login", "user", "host", "real", "at"), most=10))
    db = open_file(data / "irc.db", tables)
    rows: list[tuple[object, ...]] = [(f"duck{number}", "u", "h", "r", float(number)) for number in range(25)]
    store(db, tables, {"whowas": rows[:20]})
    store(db, tables, {"whowas": rows[20:]})
    assert [row[0] for row in db.execute("SELECT login FROM whowas ORDER BY id")] == [f"duck{n}" for n in range(15, 25)]
    store(db, tables, {"marks": [("duck", "#pond", 5), ("duck", "#lake", 6)]})
    store(db, tables, {"marks": [("duck", "#pond")]})
    assert list(db.execute("SELECT * FROM marks")) == [("duck", "#lake", 6)]
    db.close()


def test_modes_of_people(start: Start) -> None:
    house = start()
    house.account("duck", "sesame")
    duck = owner(house, "duck")
    duck.ask("MODE duck +BRTiw")
    duck.ask("MODE duck -T")
    house = start()
    duck = owner(house, "duck")
    shown = [line.params[1] for line in duck.seen if line.command == "MODE"]
    assert shown == ["+BRr"]
    assert only(duck.ask("MODE duck"), "221").params[1] == "+BRr"
    goose = house.join("goose")
    assert "335" in commands(goose.ask("WHOIS duck"))  # is a bot
    duck.ask("MODE duck -BR")
    assert only(owner(start(), "duck").ask("MODE duck"), "221").params[1] == "+r"


def test_read_marks(start: Start) -> None:
    house = start()
    house.account("duck", "sesame")
    duck = owner(house, "duck", "draft/read-marker")
    duck.ask("JOIN #pond")
    stamp = "timestamp=2026-01-02T03:04:05.678Z"
    assert only(duck.ask(f"MARKREAD #pond {stamp}"), "MARKREAD").params[1] == stamp
    duck = owner(start(), "duck", "draft/read-marker")
    assert only(duck.ask("MARKREAD #pond"), "MARKREAD").params[1] == stamp
    assert only(duck.ask("MARKREAD #pond timestamp=2020-01-01T00:00:00.000Z"), "MARKREAD").params[1] == stamp


def host_of(client: Client, nick: str) -> str:
    return str(only(client.ask(f"WHOIS {nick}"), "311").params[3])


def test_cloaks_and_bans_by_host(start: Start, data: Path) -> None:
    house = start()
    house.account("duck", "sesame")
    duck, goose = owner(house, "duck"), house.join("goose")
    duck.ask("JOIN #pond")
    host = host_of(duck, "goose")
    assert "MODE" in commands(duck.ask(f"MODE #pond +b *!*@{host}"))
    assert "474" in commands(goose.ask("JOIN #pond"))
    assert oct((data / "cloak.key").stat().st_mode & 0o777) == oct((data / "irc.db").stat().st_mode & 0o777) == "0o600"
    house = start()
    swan = house.join("swan")
    assert host_of(swan, "swan") == host
    assert "474" in commands(swan.ask("JOIN #pond"))


def test_without_a_folder_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with Server.in_thread(host="127.0.0.1", port=0, data=None, **SETTINGS) as server:
        house = House(server.port)
        goose = house.join("goose")
        goose.send("QUIT")
        goose.closed()
        assert only(house.join("duck").ask("WHOWAS goose"), "314").params[1] == "goose"
        house.close()
    assert list(tmp_path.iterdir()) == []


def test_a_spoiled_file_does_not_stop_the_start(start: Start, data: Path, caplog: pytest.LogCaptureFixture) -> None:
    (data / "irc.db").write_bytes(b"no database at all, but long enough to be looked at" * 100)
    (data / "cloak.key").write_bytes(b"short")
    house = start()
    goose = house.join("goose")
    goose.send("QUIT")
    goose.closed()
    assert only(house.join("duck").ask("WHOWAS goose"), "314").params[1] == "goose"
    assert "irc.db" in caplog.text
    assert len((data / "cloak.key").read_bytes()) == 16


def test_a_killed_server_has_kept_it(data: Path) -> None:
    """Written behind about once a second, not at the end alone."""
    command = [sys.executable, "-m", "tcpchat", "serve", "--port", "0", "--data", str(data), "--lobby", ""]
    environment = {**os.environ, "TCPCHAT_HOME": str(data / "home"), "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment)
    try:
        port = _port(data)
        house = House(port)
        goose = house.join("goose")
        goose.send("QUIT")
        goose.closed()
        _wait_for_row(data / "irc.db")
        house.close()
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    with Server.in_thread(host="127.0.0.1", port=0, data=data, **SETTINGS) as server:
        house = House(server.port)
        assert only(house.join("duck").ask("WHOWAS goose"), "314").params[1] == "goose"
        house.close()


def _port(data: Path) -> int:
    end = time.monotonic() + 30
    while not (data / "admin.secret").exists():
        assert time.monotonic() < end
        time.sleep(0.05)
    return int((data / "admin.secret").read_text().split()[1])


def _wait_for_row(path: Path) -> None:
    end = time.monotonic() + 30
    while True:
        db = sqlite3.connect(path)
        try:
            if db.execute("SELECT count(*) FROM whowas WHERE login = 'goose'").fetchone()[0]:
                return
        finally:
            db.close()
        assert time.monotonic() < end
        time.sleep(0.05)


# -- who comes back --------------------------------------------------------------------------------------------------


def test_an_operator_who_comes_back_shows_it_at_once(start: Start) -> None:
    house = start()
    house.account("duck", "sesame")
    duck = owner(house, "duck")
    duck.ask("JOIN #pond")
    house = start()
    goose = house.join("goose", rooms=("#pond",))
    duck = owner(house, "duck", "multi-prefix")
    names = next(line for line in duck.seen if line.command == "353" and line.params[2] == "#pond")
    assert "@duck" in names.params[-1].split()
    heard = [(line.command, *line.params) for line in goose.sync() if line.command in ("JOIN", "MODE")]
    assert heard == [("JOIN", "#pond"), ("MODE", "#pond", "+o", "duck")]
    assert "@duck" in only(goose.ask("NAMES #pond"), "353").params[-1].split()
    assert "TOPIC" in commands(duck.ask("MODE #pond +t", "TOPIC #pond :mine"))


def test_ranks_in_secret_rooms_stay_secret(start: Start) -> None:
    house = start()
    house.account("duck", "sesame")
    owner(house, "duck").ask("JOIN #den", "MODE #den +s")
    house = start()
    outside = socket.create_connection(("127.0.0.1", house.port), 10)
    lines = outside.makefile("rb")
    send(outside, t="hello", login="spy")
    until(lines, "welcome")
    owner(house, "duck")
    news = until(lines, "presence")
    assert news["login"] == "duck"
    assert "#den" not in json.dumps(news)
    lines.close()
    outside.close()


def test_a_host_that_changes_is_told(start: Start) -> None:
    """Somebody on another door comes by IRC too: the mask that others see is another one."""
    house = start()
    house.account("duck", "sesame")
    goose = house.join("goose", "chghost", rooms=("#pond",))
    plain = house.join("plain", rooms=("#pond",))
    with socket.create_connection(("127.0.0.1", house.port), 10) as native:
        lines = native.makefile("rb")
        send(native, t="hello", login="duck")
        until(lines, "challenge")
        send(native, t="password", password="sesame")
        until(lines, "welcome")
        send(native, t="join", room="#pond", ref=1)
        until(lines, "done")
        before = only(goose.ask("WHOIS duck"), "311").params
        duck = owner(house, "duck", user="quack")
        after = only(duck.ask("WHOIS duck"), "311").params
        told = only(goose.sync(), "CHGHOST")
        assert told.source == f"duck!{before[2]}@{before[3]}"
        assert told.params == after[2:4] == ["~quack", host_of(goose, "goose")]
        assert "CHGHOST" not in commands(plain.sync())
        second = owner(house, "duck", user="other")
        assert "CHGHOST" not in commands(goose.sync())
        assert host_of(second, "duck") == after[3]
        lines.close()
