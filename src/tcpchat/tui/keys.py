"""Keys: one table for bindings, help and the documentation; and the repair of what terminals do to Alt."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from textual.binding import Binding


class Key(NamedTuple):
    """One action: its id for ``[keys]`` in the settings, its keys, what it does."""

    id: str
    action: str
    keys: str
    help: str
    group: str = "rooms"


def _(text: str) -> str:
    """Marks a text for translation; it is translated where it is shown."""
    return text


CHAT: tuple[Key, ...] = (
    Key("room.next_unread", "next_unread", "alt+a,f2", _("next unread room, mentions first")),
    Key("room.next", "next_room(1)", "alt+down,ctrl+n", _("next room")),
    Key("room.prev", "next_room(-1)", "alt+up,ctrl+p", _("previous room")),
    *(Key(f"room.{n}", f"room({n})", f"alt+{n % 10}", _("room %d") % n) for n in range(1, 11)),
    Key("goto", "goto", "ctrl+k", _("go to a room, a person, a command")),
    Key("read_all", "read_all", "alt+h", _("mark all rooms read")),
    Key("page.up", "page(-1)", "pageup", _("a page up"), "messages"),
    Key("page.down", "page(1)", "pagedown", _("a page down"), "messages"),
    Key("top", "top", "ctrl+home", _("to the beginning of the room"), "messages"),
    Key("bottom", "bottom", "ctrl+end", _("to the newest message (also End in an empty input)"), "messages"),
    Key("unread", "first_unread", "alt+u,shift+pageup", _("to the first unread message"), "messages"),
    Key("mention.prev", "mention(-1)", "alt+p", _("previous mention"), "messages"),
    Key("mention.next", "mention(1)", "alt+n", _("next mention"), "messages"),
    Key("back", "back", "escape", _("close what is open; else to the bottom, and mark the room read"), "messages"),
    Key("search", "search", "ctrl+f", _("search here; twice: everywhere"), "messages"),
    Key("search.next", "search_next(1)", "f3", _("next hit (older)"), "messages"),
    Key("search.prev", "search_next(-1)", "shift+f3", _("previous hit (newer)"), "messages"),
    Key("select", "select(-1)", "ctrl+up", _("select a message (see below)"), "messages"),
    Key("pane.rooms", "pane('rooms')", "f7", _("room list on and off"), "view"),
    Key("pane.people", "pane('people')", "f8", _("people on and off"), "view"),
    Key("bare", "bare", "alt+l,f9", _("plain view, for copying and screen readers"), "view"),
    Key("mouse", "mouse", "f12", _("give the mouse back to the terminal, or take it"), "view"),
    Key("redraw", "redraw", "ctrl+l", _("draw the screen anew"), "view"),
    Key("help", "help", "f1", _("this help"), "view"),
    Key("copy", "copy", "ctrl+c", _("copy what is selected; else clear the input"), "view"),
    Key("quit", "quit", "ctrl+q", _("quit"), "view"),
)
# Keys of the input line are handled by the composer itself; they are listed here for help and documentation.
INPUT: tuple[Key, ...] = (
    Key("send", "", "enter", _("send"), "input"),
    Key("newline", "", "ctrl+j,alt+enter,shift+enter", _("new line"), "input"),
    Key("complete", "", "tab", _("complete a login, #room, /command or :emoji:"), "input"),
    Key("complete.back", "", "shift+tab", _("the completion before"), "input"),
    Key("history", "", "up,down", _("what was sent before (in the first and last line)"), "input"),
    Key("undo", "", "ctrl+z", _("undo"), "input"),
    Key(
        "line",
        "",
        "ctrl+a,ctrl+e,ctrl+u,ctrl+w",
        _("line start, end; delete to start, a word"),
        "input",
    ),
)
SELECTED: tuple[Key, ...] = (
    Key("msg.up", "step(-1)", "up,k,ctrl+up", _("the message above"), "selected"),
    Key("msg.down", "step(1)", "down,j,ctrl+down", _("the message below"), "selected"),
    Key("msg.reply", "act('reply')", "r", _("reply"), "selected"),
    Key("msg.info", "act('info')", "i,enter", _("who has it, who has read it"), "selected"),
    Key("msg.copy", "act('copy')", "y,c", _("copy"), "selected"),
    Key("msg.open", "act('open')", "o", _("open the link in it"), "selected"),
    Key("msg.edit", "act('edit')", "e", _("edit (own messages)"), "selected"),
    Key("msg.delete", "act('delete')", "d,delete", _("delete (own messages)"), "selected"),
    Key("msg.resend", "act('resend')", "R", _("retry messages that were not sent"), "selected"),
)
GROUPS = {
    "rooms": _("Rooms"),
    "messages": _("Messages"),
    "selected": _("On a selected message"),
    "input": _("Input"),
    "view": _("View"),
}
ALL = (*CHAT, *SELECTED, *INPUT)


def bindings(keys: Iterable[Key], *, priority: bool = True) -> list[Binding | tuple[str, str] | tuple[str, str, str]]:
    """The table as Textual's bindings."""
    return [
        Binding(both_layouts(key.keys), key.action, key.help, id=key.id, priority=priority, show=False) for key in keys
    ]


def spoken(keys: str) -> str:
    """Keys as people write them: ``Ctrl+K``, ``Alt+Down``."""
    return ", ".join(key if len(key) == 1 else "+".join(map(_spoken, key.split("+"))) for key in keys.split(","))


def _spoken(part: str) -> str:
    names = {"pageup": "PgUp", "pagedown": "PgDn", "escape": "Esc", "delete": "Del"}
    if part in names:
        return names[part]
    return part.capitalize()


def keymap(wanted: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """The user's ``[keys]`` as a keymap for Textual, and the ids that mean nothing."""
    known = {key.id for key in (*CHAT, *SELECTED)}
    good = {name: both_layouts(",".join(_split(keys))) for name, keys in wanted.items() if name in known}
    return {name: keys for name, keys in good.items() if keys}, [name for name in wanted if name not in known]


def _split(keys: str) -> list[str]:
    return [latin(key.strip()) for key in keys.split(",") if key.strip()]


_in_force: dict[str, list[str]] = {}


def use(wanted: Mapping[str, str]) -> None:
    """From now on these ``[keys]`` of the user's are the ones that are shown."""
    known = {key.id for key in (*CHAT, *SELECTED)}
    chosen = {name: _split(keys) for name, keys in wanted.items() if name in known and _split(keys)}
    _in_force.clear()
    for key in ALL:
        taken = set().union(*(keys for name, keys in chosen.items() if name != key.id and _above(name, key.id)))
        _in_force[key.id] = chosen.get(key.id) or [one for one in key.keys.split(",") if one not in taken]


def _above(one: str, other: str) -> bool:
    """Does a key given to ``one`` take it from ``other``? Keys of a selected message are asked for last."""
    selected = {key.id for key in SELECTED}
    return one not in selected or other in selected


def in_force(name: str) -> str:
    """The keys of an action: the user's, or ours so far as they are not used for something else."""
    return ",".join(_in_force[name])


def brief(name: str) -> str:
    """The shortest key of an action as people write it; "" when it has none."""
    return min((spoken(key) for key in _in_force[name]), key=len, default="")


class _Named(NamedTuple):
    """A key for Textual's table, which holds members of an enum."""

    value: str


def repair() -> bool:
    """Make Alt+digits, Alt+letters, Alt+Enter and Shift+F3 arrive in terminals without the kitty protocol.

    Textual's table of sequences takes ESC 1 for what a Mac's Option key types, and ESC CR for Enter, which would send
    instead of starting a line. ESC and a letter it knows only by a pause after them: with another key close behind, as
    on a slow line, they were lost or typed. Shift+F3 it takes for a report of the cursor's place, which nobody asks
    for here. All this is private to it; when it is not there any more, the twins without Alt remain.
    """
    try:
        from textual import _ansi_sequences, _xterm_parser

        table: Any = _ansi_sequences.ANSI_SEQUENCES_KEYS
        for sign in "0123456789acdeghijklmnopqrstuvwxyz":  # b and f are in the table: a word back, forward
            table["\x1b" + sign] = (_Named(f"alt+{sign}"),)
        for sign in CYRILLIC:
            table["\x1b" + sign] = (_Named(f"alt+{sign}"),)
        table["\x1b\r"] = (_Named("ctrl+j"),)
        parser: Any = _xterm_parser
        if hasattr(parser, "_re_cursor_position"):
            parser._re_cursor_position = re.compile(r"(?!)")
    except (ImportError, AttributeError, TypeError):
        return False
    return True


# The same keys of a keyboard in Russian and in Latin letters. Terminals with the kitty protocol report Ctrl and Alt
# with the letter of the layout that is on: Ctrl+л is Ctrl+K.
CYRILLIC = dict(zip("йцукенгшщзфывапролдячсмить", "qwertyuiopasdfghjklzxcvbnm", strict=True))
_SIDED = ("shift", "control", "alt", "super", "hyper", "meta")
MODIFIERS = frozenset(
    [f"{side}_{name}" for side in ("left", "right") for name in _SIDED]
    + ["iso_level3_shift", "iso_level5_shift", "caps_lock", "num_lock", "scroll_lock"]
)  # keys that do nothing alone; with the kitty protocol they are reported


def latin(key: str) -> str:
    """A key with Ctrl or Alt by the Latin letter on it, whatever layout is on."""
    held, plus, letter = key.rpartition("+")
    return held + plus + CYRILLIC.get(letter, letter) if held else key


def both_layouts(keys: str) -> str:
    """Keys that are letters, with the Russian letters on the same keys: ``r`` becomes ``r,к``."""
    back = {other: one for one, other in CYRILLIC.items()}
    out = []
    for key in keys.split(","):
        twin = back.get(key.lower(), "") if len(key) == 1 else ""
        out += [key, twin.upper() if key.isupper() else twin] if twin else [key]
    return ",".join(out)


def letters() -> frozenset[str]:
    """Letters that do something with a selected message, and are not typed."""
    return frozenset(one for key in SELECTED for one in both_layouts(in_force(key.id)).split(",") if len(one) == 1)


use({})
