"""A real server on a free port, with its messages in a folder that goes away."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support.ircpeer import SETTINGS, House
from tcpchat.server import Server


@pytest.fixture
def make_house(tmp_path: Path) -> Iterator[Callable[..., House]]:
    """Start servers with settings of the test's own."""
    opened: list[Any] = []
    houses: list[House] = []

    def make(**settings: Any) -> House:
        folder = tmp_path / str(len(opened))
        folder.mkdir()
        context = Server.in_thread(host="127.0.0.1", port=0, data=folder, **{**SETTINGS, **settings})
        server = context.__enter__()
        opened.append(context)
        house = House(server.port)
        houses.append(house)
        return house

    yield make
    for house in houses:
        house.close()
    for context in opened:
        context.__exit__(None, None, None)


@pytest.fixture
def house(make_house: Callable[..., House]) -> House:
    """A server with the settings of most tests."""
    return make_house()
