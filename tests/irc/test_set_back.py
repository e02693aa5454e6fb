"""IRC clients at a server that was restored: they have no cursor of their own, so they are told by a NOTICE."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from support.ircpeer import SETTINGS, Client, House
from tcpchat import sync
from tcpchat.doors.irc.events import SET_BACK
from tcpchat.log.copying import copy
from tcpchat.log.sqlite import FILE_NAME
from tcpchat.server import Server


def serve(folder: Path) -> Any:
    return Server.in_thread(host="127.0.0.1", port=0, data=folder, **SETTINGS)  # type: ignore[arg-type]


def told(client: Client) -> int:
    return sum(SET_BACK in str(line) for line in client.seen)


@pytest.mark.parametrize("marked", [True, False], ids=["a backup", "a copy made by hand"])
def test_who_was_there_before_the_restore_is_told_by_a_notice(tmp_path: Path, marked: bool) -> None:
    folder, saved = tmp_path / "data", tmp_path / "saved.db"
    with serve(folder) as server:
        house = House(server.port)
        house.account("alice", "sesame")
        assert not told(house.join("alice", password="sesame"))
        house.close()
    if marked:
        copy(folder / FILE_NAME, saved)
    else:
        shutil.copy(folder / FILE_NAME, saved)
    with serve(folder) as server:
        log = server.chat.log_id
        with sync.connect(f"127.0.0.1:{server.port}", "duck") as duck:
            head = duck.send("#all", "gone").accepted(10).seq
    for path in [*folder.glob(FILE_NAME + "*"), *folder.glob("irc.db*")]:
        path.unlink()
    shutil.copy(saved, folder / FILE_NAME)
    with serve(folder) as server:
        house = House(server.port)
        alice = house.join("alice", password="sesame")
        assert told(alice) == marked, "a backup knows what it is; a bare copy does not, until somebody proves it"
        assert not told(house.join("newcomer")), "who never was there has lost nothing"
        with sync.connect(f"127.0.0.1:{server.port}", "goose", after=head + 50, log=log) as goose:
            assert goose.welcome is not None
            assert goose.welcome.lost
        if not marked:
            assert SET_BACK in str(alice.until("NOTICE")[-1])
        house.close()
