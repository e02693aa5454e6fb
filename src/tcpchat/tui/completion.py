"""Completion: what Tab offers for the word at the cursor. Recent speakers come first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tcpchat.core.text import fold
from tcpchat.tui.commands import BY_NAME, TABLE
from tcpchat.tui.emoji import EMOJI


@dataclass
class World:
    """What there is to complete from."""

    logins: Sequence[str] = ()  # recent speakers first
    rooms: Sequence[str] = ()
    themes: Sequence[str] = ()
    settings: Sequence[str] = ()
    operator: bool = False


@dataclass
class Completion:
    """Candidates for one word: ``start`` is where it begins in the text."""

    start: int
    end: int
    candidates: list[str] = field(default_factory=list)  # texts that replace the word, with what follows
    labels: list[str] = field(default_factory=list)
    index: int = -1

    def step(self, direction: int) -> str:
        """The next candidate (or the one before)."""
        if self.index < 0 and direction < 0:
            self.index = 0
        self.index = (self.index + direction) % len(self.candidates)
        return self.candidates[self.index]


def complete(text: str, cursor: int, world: World) -> Completion | None:
    """What the word before the cursor can become, or None."""
    line_start = text.rfind("\n", 0, cursor) + 1
    before = text[line_start:cursor]
    if before.startswith("/") and not before.startswith("//"):
        found = _command(before, line_start, cursor, world)
        if found is not None:
            return found
    start = _word_start(before)
    word = before[start:]
    start += line_start
    if not word:
        return None
    if word.startswith(":") and len(word) > 1:
        return _made(start, cursor, [(f":{name}:", f"{sign} ") for name, sign in _begins(word[1:], EMOJI.items())])
    if word.startswith("#"):
        return _made(start, cursor, [(room, room + " ") for room in world.rooms if fold(room).startswith(fold(word))])
    return _login(start, cursor, word, world, line_start == start)


def _login(start: int, cursor: int, word: str, world: World, first: bool) -> Completion | None:
    """A login: at the start of a line it is an address, ``duck: ``."""
    at = word.startswith("@")
    bare = word.removeprefix("@")
    if not bare and not at:
        return None
    found = [login for login in world.logins if fold(login).startswith(fold(bare))]
    end = ": " if first and not at else " "
    return _made(start, cursor, [(login, ("@" if at else "") + login + end) for login in found])


def _command(before: str, line_start: int, cursor: int, world: World) -> Completion | None:
    word, space, rest = before[1:].partition(" ")
    if not space:
        names = [one.name for one in TABLE if world.operator or not one.operator]
        names += [name for name in BY_NAME if name not in names and not BY_NAME[name].operator]
        found = [name for name in names if name.startswith(word.lower())]
        return _made(line_start, cursor, [("/" + name, f"/{name} ") for name in found])
    command = BY_NAME.get(word.lower())
    choices = _arguments(command.arg if command else "", world)
    if not choices:
        return None
    bare = rest.lstrip("#@") if command and command.arg in ("room", "login") else rest
    pairs = [(one, one + " ") for one in choices if fold(one.lstrip("#")).startswith(fold(bare))]
    return _made(cursor - len(rest), cursor, pairs)


def _arguments(kind: str, world: World) -> Sequence[str]:
    return {
        "login": world.logins,
        "room": world.rooms,
        "theme": world.themes,
        "setting": world.settings,
        "command": [one.name for one in TABLE],
    }.get(kind, ())


def _begins(word: str, items: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(name, sign) for name, sign in items if name.startswith(word.lower())]


def _word_start(text: str) -> int:
    return max(text.rfind(" "), text.rfind("\t")) + 1


def _made(start: int, end: int, found: list[tuple[str, str]]) -> Completion | None:
    if not found:
        return None
    return Completion(start, end, [text for _, text in found], [label for label, _ in found])
