"""Every key of the table does what it says: in tmux with the keys of old, and under the kitty protocol.

One session per terminal serves all proofs; one that fails gets the next a new one.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

from support import inputproofs
from support.hands import Hands, KittyHands, TmuxHands
from support.keyproofs import PROOFS, ROOMS, TWINS, Stage, clear, room_is
from support.realterm import need_tmux
from support.realworld import World
from tcpchat.tui import keys

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs a pty")
TERMINALS: dict[str, type[Hands]] = {"tmux": TmuxHands, "kitty": KittyHands}
ONLY_KITTY = {"shift+enter"}  # in other terminals it is the byte of Enter


class Case(NamedTuple):
    """One key of one action on one terminal."""

    terminal: str
    id: str
    key: str


def cases() -> list[Case]:
    """All keys of all actions, those that end the session last."""
    ways = [(key.id, way) for key in keys.ALL for way in (*key.keys.split(","), *TWINS.get(key.id, ()))]
    ways.sort(key=lambda way: way[0] == "quit")
    return [
        Case(terminal, *way)
        for terminal in TERMINALS
        for way in ways
        if terminal == "kitty" or way[1] not in ONLY_KITTY
    ]


def test_every_key_of_the_table_has_a_proof() -> None:
    assert set(PROOFS) == {key.id for key in keys.ALL}
    assert set(TWINS) <= set(PROOFS)
    assert inputproofs.__doc__


class Theatre:
    """Keeps one session of each terminal open from proof to proof."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.stages: dict[str, Stage] = {}
        self.everything = ExitStack()

    def stage(self, terminal: str) -> Stage:
        """The session in this terminal, in #all, with its rooms and messages."""
        if terminal not in self.stages:
            self.stages[terminal] = self._made(terminal)
        return self.stages[terminal]

    def strike(self, terminal: str) -> None:
        """This session is not to be used again."""
        stage = self.stages.pop(terminal, None)
        if stage is not None:
            stage.hands.close()
            stage.world.kill()

    def _made(self, terminal: str) -> Stage:
        folder = self.folder / f"{terminal}{len(list(self.folder.iterdir()))}"
        folder.mkdir()
        world = World(folder)
        browser = folder / "opened"
        script = folder / "browser"
        script.write_text(f'#!/bin/sh\necho "$1" >> {browser}\n')
        script.chmod(0o755)
        world.say(*(("#all", f"number {number}") for number in range(120)))
        hands = TERMINALS[terminal](["chat", world.where], world.home, (118, 30), BROWSER=f"{script} %s")  # type: ignore[call-arg]
        stage = Stage(hands, world, browser)
        self.stages[terminal] = stage
        room_is(stage, "#all")
        hands.until("number 119")
        for room in ROOMS[1:]:
            hands.type(f"/join {room}")
            hands.press("enter")
            room_is(stage, room)
        world.say(("@me", "hello"))
        hands.until("11:duck 1")
        hands.press("f2")
        room_is(stage, "duck")
        hands.press("alt+1")
        room_is(stage, "#all")
        hands.until("number 119")
        return stage


@pytest.fixture(scope="module")
def theatre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Theatre]:
    made = Theatre(tmp_path_factory.mktemp("theatre"))
    yield made
    for terminal in TERMINALS:
        made.strike(terminal)


@pytest.mark.parametrize(
    "case",
    [pytest.param(case, marks=[pytest.mark.real] * (case.terminal == "tmux")) for case in cases()],
    ids=lambda case: "-".join(case).replace("/", "_"),
)
def test_a_key_does_what_the_table_says(theatre: Theatre, case: Case) -> None:
    if case.terminal == "tmux":
        need_tmux()
    stage = theatre.stage(case.terminal)
    try:
        PROOFS[case.id](stage, case.key)
        if case.id != "quit":
            room_is(stage, "#all")
    except BaseException:
        theatre.strike(case.terminal)
        raise
    if case.id == "quit":
        theatre.strike(case.terminal)


def test_kitty_gives_every_key_as_a_sequence(theatre: Theatre) -> None:
    stage = theatre.stage("kitty")
    stage.hands.type("Ж Щ")
    stage.hands.until("#all> Ж Щ")
    clear(stage)
