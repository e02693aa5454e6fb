"""The switcher (Ctrl+K): rooms, people, commands, in one list. Empty, it begins with what is unread."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar, NamedTuple

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Input

from tcpchat.core import model as m
from tcpchat.core.text import clean_line, fold
from tcpchat.i18n import _
from tcpchat.tui import commands
from tcpchat.tui.lines import Field, Line
from tcpchat.tui.panels import Panel, unread_text
from tcpchat.tui.session import Conversation, Session
from tcpchat.tui.themes import text

SHOWN = 12


class Choice(NamedTuple):
    """Something to go to. kind: open (a conversation, ``value`` its name), join, command, action."""

    kind: str
    value: str
    label: str
    about: str = ""
    number: int = 0


def score(word: str, name: str) -> int:
    """How well a text fits what was typed, 0 = not at all: beginnings, then words in it, then scattered letters."""
    name = fold(name).lstrip("#@/")
    word = fold(word).lstrip("#@/")
    if not word:
        return 1
    if name.startswith(word):
        return 400 - len(name)
    if f" {word}" in name.replace("-", " ").replace("_", " "):
        return 300 - len(name)
    if word in name:
        return 200 - len(name)
    rest = iter(name)
    return 100 - len(name) if len(word) > 1 and all(char in rest for char in word) else 0


def choices(session: Session, public: Sequence[m.RoomInfo], operator: bool) -> list[Choice]:
    """Everything there is to go to, in the order of an empty search."""
    order = session.ordered()
    numbers = {id(one): at for at, one in enumerate(order, 1)}

    def unread_first(one: Conversation) -> tuple[bool, bool, int]:
        return not one.mentions, not one.unread or one.muted, numbers[id(one)]

    found = []
    for one in sorted(order, key=unread_first):
        if one is not session.open:
            about = unread_text(one.unread, 0 if one.direct else one.mentions) if one.unread else ""
            found.append(Choice("open", one.to, one.label, about, numbers[id(one)]))
    known = {fold(one.to) for one in order}
    for person in sorted(session.people.values(), key=lambda one: (not one.online, fold(one.login))):
        if "@" + fold(person.login) not in known and not session.is_me(person.login):
            about = _("here") if person.online else _("not here")
            found.append(Choice("open", "@" + person.login, clean_line(person.login), about))
    for info in public:
        if fold(info.to) not in known:
            about = clean_line(info.topic) or _("%d members") % info.members
            found.append(Choice("join", info.to, clean_line(info.to), f"{_('join')}: {about}"))
    found += [
        Choice("command", one.name, f"/{one.name} {one.usage}".strip(), _(one.help))
        for one in commands.TABLE
        if operator or not one.operator
    ]
    return found


def matching(word: str, everything: Iterable[Choice]) -> list[Choice]:
    """The choices that fit, best first; a number is a room's; an unknown #name can be made."""
    word = word.strip()
    if word.isdigit():
        return [one for one in everything if one.number == int(word)]
    if not word:
        return [one for one in everything if one.kind == "open"][:SHOWN]
    kinds = ("command",) if word.startswith("/") else ("open", "join", "command")
    only_rooms, only_people = word.startswith("#"), word.startswith("@")
    ranked = []
    for at, one in enumerate(everything):
        if one.kind not in kinds or (only_rooms and not one.value.startswith("#")):
            continue
        if only_people and not one.value.startswith("@"):
            continue
        points = score(word, one.value if one.kind == "command" else one.label)
        if points:
            ranked.append((-points + (1000 if one.kind == "command" and not word.startswith("/") else 0), at, one))
    best = [one for _points, _at, one in sorted(ranked, key=lambda entry: entry[:2])][:SHOWN]
    name = word if word.startswith("#") else "#" + word
    new = not only_people and not word.startswith("/") and " " not in name
    if new and all(fold(one.value) != fold(name) for one in best):
        best.append(Choice("join", name, clean_line(name), _("make or join this room")))
    return best


class Switcher(Panel):
    """Type, choose, Enter."""

    pick = True
    keys = text("Up/Down choose   Enter go   Tab fill in   Esc close")
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "fill_in", priority=True),
        Binding("ctrl+k", "move(1)", priority=True),
    ]
    DEFAULT_CSS = """
    Switcher > #box { width: 64; height: auto; }
    """

    def __init__(self, session: Session, *, operator: bool = False, word: str = "") -> None:
        super().__init__()
        self.session, self.operator, self.word = session, operator, word
        self.public: Sequence[m.RoomInfo] = ()
        self.title_text = _("Go to")

    def above(self) -> ComposeResult:
        yield Field(self.word, id="word", placeholder=_("room, person or /command"))

    def on_mount(self) -> None:
        self.set_focus(self.query_one(Input))
        self.refill()

    def add_public(self, rooms: Sequence[m.RoomInfo]) -> None:
        """Rooms that one is not in have come from the server."""
        self.public = rooms
        if self.is_attached and self.query(Input):
            self.refill()

    def refill(self) -> None:
        """Show what fits."""
        word = self.query_one(Input).value
        found = matching(word, choices(self.session, self.public, self.operator))
        lines = [
            Line([(f"{one.number or '':>3}  ", "muted"), (f"{one.label:<22} ", "bold"), (one.about, "muted")], [], one)
            for one in found
        ]
        self.fill(lines or [Line([("  " + _("nothing fits"), "muted")])], 0)

    def on_input_changed(self) -> None:
        self.refill()

    def on_input_submitted(self) -> None:
        self.lines.choose()

    def action_fill_in(self) -> None:
        one = self.lines.value
        if isinstance(one, Choice):
            box = self.query_one(Input)
            box.value = f"/{one.value}" if one.kind == "command" else one.label
            box.cursor_position = len(box.value)
