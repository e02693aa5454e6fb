"""Panels over the chat: help, message info, questions. Each is dismissed with what was chosen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Input

from tcpchat.core import model as m
from tcpchat.core.text import clean_line
from tcpchat.i18n import _, plural
from tcpchat.tui import commands, keys
from tcpchat.tui.lines import Field, Line, Lines, Part
from tcpchat.tui.panes import ago
from tcpchat.tui.rows import Row, body, clock, wrap
from tcpchat.tui.themes import STATES, UNICODE, Glyphs, text

BOX_WIDTH = 86  # as in the style of Panel


class Panel(ModalScreen[object]):
    """A box in the middle with a title and lines; Esc closes."""

    DEFAULT_CSS = """
    Panel { align: center middle; background: transparent; }
    Panel > #box { width: 86; max-width: 96%; height: auto; max-height: 92%; padding: 0 1;
                   border: round $primary; background: $surface; }
    Panel Lines { height: auto; max-height: 100%; background: $surface; }
    Panel Input { background: $surface; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", priority=True),
        Binding("up", "move(-1)", priority=True),
        Binding("down", "move(1)", priority=True),
        Binding("pageup", "move(-10)", priority=True),
        Binding("pagedown", "move(10)", priority=True),
    ]

    class Ready(Message):
        """The panel takes keys now; those that came before may follow."""

    ready = False
    title_text = ""
    keys = text("Up/Down scroll   Esc close")
    pick = False

    def compose(self) -> ComposeResult:
        with Vertical(id="box") as box:
            self.frame(box)
            yield from self.above()
            yield Lines(id="lines", pick=self.pick, more=self.drawn.more)

    def on_mount(self) -> None:
        self.ready = True
        self.app.post_message(self.Ready())

    def on_unmount(self) -> None:
        self.app.post_message(self.Ready())

    @property
    def drawn(self) -> Glyphs:
        """What the application draws with."""
        found = getattr(self.app, "glyphs", UNICODE)
        assert isinstance(found, Glyphs)
        return found

    def frame(self, box: Vertical) -> None:
        """The title above, what keys do below; in ASCII where nothing else can be shown."""
        box.border_title = self.heading()
        box.border_subtitle = self.footer()
        if self.drawn.rule == "-":
            box.styles.border = ("ascii", "ansi_default")

    def heading(self) -> str:
        """The title; ours, or cleaned (Textual would take brackets for markup: they are escaped)."""
        return self.title_text.replace("[", "\\[")

    def footer(self) -> str:
        """What keys do here."""
        return _(self.keys)

    def above(self) -> ComposeResult:
        """What stands above the lines."""
        yield from ()

    @property
    def lines(self) -> Lines:
        """The lines."""
        return self.query_one("#lines", Lines)

    def fill(self, lines: Sequence[Line], cursor: int | None = None) -> None:
        """Show lines; the box is as high as they are."""
        self.lines.styles.height = max(len(lines), 1)
        self.lines.set_lines(lines, cursor)

    def action_close(self) -> None:
        self.dismiss(None)

    def action_move(self, step: int) -> None:
        if self.pick:
            for _time in range(abs(step)):
                self.lines.move(1 if step > 0 else -1)
        else:
            self.lines.scroll_relative(y=step, animate=False)

    def on_lines_picked(self, event: Lines.Picked) -> None:
        event.stop()
        self.picked(event.value)

    def picked(self, value: object) -> None:
        """A line was chosen."""
        self.dismiss(value)


class HelpPanel(Panel):
    """Keys of the moment, commands, and what the ticks mean."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f1", "close", id="help"),
        ("q", "close", ""),
        ("enter", "close", ""),
    ]

    def __init__(self, glyphs: Glyphs, *, operator: bool, selecting: bool, word: str = "") -> None:
        super().__init__()
        self.glyphs, self.operator, self.selecting, self.word = glyphs, operator, selecting, word
        self.title_text = _("Help")

    def on_mount(self) -> None:
        one = commands.BY_NAME.get(self.word.lower().lstrip("/"))
        self.fill(command_help(one) if one else help_lines(self.glyphs, self.operator, self.selecting))


def command_help(one: commands.Command) -> list[Line]:
    """What /help COMMAND says."""
    lines = [Line([(f"/{one.name} {one.usage}", "bold")]), Line([(_(one.help), "text")])]
    if one.aliases:
        lines.append(Line([(_("also: ") + ", ".join("/" + name for name in one.aliases), "muted")]))
    return lines


def help_lines(glyphs: Glyphs, operator: bool = False, selecting: bool = False) -> list[Line]:
    """The whole help."""
    lines: list[Line] = [Line([(_("Your messages"), "primary")])]
    words = (
        _("pending: waits in this computer"),
        _("accepted: safe on the server"),
        _("delivered: everybody's client has it"),
        _("read: it was on everybody's screen"),
        _("failed: not sent; %s on it sends again") % keys.brief("msg.resend"),
    )
    for at, word in enumerate(words):
        glyph = glyphs.ticks[at].rstrip()
        lines.append(
            Line([("  ", ""), (glyph, STATES[at]), (f"{'':{_column(glyphs) + 1 - len(glyph)}}{word}", "text")])
        )
    order = sorted(keys.GROUPS, key=lambda group: group != "selected") if selecting else keys.GROUPS
    for group in order:
        lines += [Line(), Line([(_(keys.GROUPS[group]), "primary")])]
        for key in key_rows(group):
            lines.append(Line([(f"  {key[0]:<27} ", "key"), (key[1], "text")]))
    for group, name in commands.GROUPS.items():
        if group == "operator" and not operator:
            continue
        lines += [Line(), Line([(_(name), "primary")])]
        for one in commands.TABLE:
            if one.group == group:
                lines.append(Line([(f"  {'/' + one.name + ' ' + one.usage:<27} ", "key"), (_(one.help), "text")]))
    return lines


def key_rows(group: str, keys_of: Callable[[str], str] = keys.in_force) -> list[tuple[str, str]]:
    """Keys and what they do; the ten room keys in one row, unless the person has others."""
    rows = []
    ours = all(keys_of(key.id) == key.keys for key in keys.ALL if _number(key))
    for key in keys.ALL:
        number = _number(key)
        if key.group != group or (ours and number > 1):
            continue
        if ours and number:
            rows.append(("Alt+1 ... Alt+0", _("room 1 to 10")))
        elif shown := keys.spoken(keys_of(key.id)):
            rows.append((shown, _("room %d") % number if number else _(key.help)))
    return rows


def _number(key: keys.Key) -> int:
    """Which room a key goes to; 0: it is no key of a room."""
    number = key.id.removeprefix("room.")
    return int(number) if number.isdigit() else 0


class InfoPanel(Panel):
    """Who has a message, who has read it, who waits since when."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("r", "answer('reply')", ""),
        ("y", "answer('copy')", ""),
        ("R", "answer('resend')", ""),
        ("i", "close", ""),
        ("q", "close", ""),
    ]

    def __init__(self, row: Row, state: str, receipts: m.ReceiptList | None, glyphs: Glyphs, now: float) -> None:
        super().__init__()
        self.row, self.state, self.receipts, self.glyphs, self.now = row, state, receipts, glyphs, now
        self.title_text = _("Message %s") % clock(row.at)

    def on_mount(self) -> None:
        self.fill(info_lines(self.row, self.state, self.receipts, self.glyphs, self.now))

    def action_answer(self, what: str) -> None:
        self.dismiss(what)


def info_lines(row: Row, state: str, receipts: m.ReceiptList | None, glyphs: Glyphs, now: float) -> list[Line]:
    """The lines of the message's info."""
    lines = [Line([(f"{row.by}: ", "bold"), (body(row).replace("\n", " "), "text")]), Line()]
    lines.append(_fact(glyphs, "accepted" if row.seq else state or "pending", _when(row)))
    if row.failed:
        lines.append(_fact(glyphs, "failed", row.failed))
    if receipts is not None:
        lines += _receipt_lines(receipts, glyphs, now)
    lines += [Line(), Line([(_("r reply  y copy  R resend  Esc close"), "muted")])]
    return lines


def _column(glyphs: Glyphs) -> int:
    """How wide states stand in a list: words may be longer in other languages."""
    return max(5, *(len(glyph) + 1 for glyph in glyphs.ticks))


def _when(row: Row) -> str:
    exact = f"{clock(row.at, '%Y-%m-%d %H:%M:%S')}.{row.at % 1000:03d}"
    return f"{exact}  " + _("on the server's disk, number %d") % row.seq if row.seq else exact


def _fact(glyphs: Glyphs, state: str, text: str) -> Line:
    at = STATES.index(state)
    glyph = glyphs.ticks[at].rstrip()
    return Line([(glyph, state), (f"{'':{_column(glyphs) - len(glyph)}}{_(state):<11}", "bold"), (text, "text")])


def _receipt_lines(receipts: m.ReceiptList, glyphs: Glyphs, now: float) -> list[Line]:
    everybody = receipts.people
    lines = []
    for state, ranks in (("delivered", ("delivered", "read")), ("read", ("read",))):
        some = [one for one in everybody if one.state in ranks]
        number = _("%d of %d") % (len(some), len(everybody)) if len(everybody) > 1 else ""
        names = ", ".join(_name(one, state) for one in some)
        if some:
            lines.append(_fact(glyphs, state, f"{number:<9} {names}" if number else names))
    for one in everybody:
        if one.state == "accepted":
            since = f"  {_('offline for %s') % ago(now - one.seen / 1000)}" if one.seen and not one.online else ""
            parts: list[Part] = [(f"{glyphs.ticks[0]:<{_column(glyphs)}}", "muted"), (f"{_('waiting'):<11}", "bold")]
            lines.append(Line([*parts, (clean_line(one.login) + since, "text")]))
    return lines


def _name(one: m.Delivery, state: str) -> str:
    return clean_line(one.login) + (f" {clock(one.at)}" if one.at and one.state == state else "")


class AskPanel(Panel):
    """A question with answers; the first is the default. Dismissed with the answer's value."""

    pick = True
    keys = text("Up/Down choose   Enter   Esc")
    BINDINGS: ClassVar[list[BindingType]] = [("enter", "choose", "")]
    DEFAULT_CSS = """
    AskPanel.danger > #box { border: thick $error; }
    """

    def __init__(self, title: str, text: Sequence[str], answers: Sequence[tuple[str, object]], *, danger: bool = False):
        super().__init__(classes="danger" if danger else None)
        self.title_text, self.words, self.answers = clean_line(title), text, answers

    def on_mount(self) -> None:
        width = max(min(BOX_WIDTH, self.app.size.width * 96 // 100) - 4, 8)
        lines = [Line([(line[start:end], "text")]) for line in self.words for start, end in wrap(line, width)]
        lines += [Line(), *(Line([(f"  {label}", "bold")], [], (value,)) for label, value in self.answers)]
        self.fill(lines, len(lines) - len(self.answers))

    def action_choose(self) -> None:
        self.lines.choose()

    def picked(self, value: object) -> None:
        assert isinstance(value, tuple)
        self.dismiss(value[0])


class InputPanel(Panel):
    """A question answered in words; ``secret`` is not shown. Dismissed with the text, or None."""

    keys = text("Enter: go on   Esc: back")

    def __init__(self, title: str, text: Sequence[str], *, value: str = "", secret: bool = False) -> None:
        super().__init__()
        self.title_text, self.words, self.value, self.secret = clean_line(title), text, value, secret

    def compose(self) -> ComposeResult:
        with Vertical(id="box") as box:
            self.frame(box)
            yield Lines(id="lines", more=self.drawn.more)
            yield Field(self.value, password=self.secret, id="answer")

    def on_mount(self) -> None:
        self.fill([Line([(line, "text")]) for line in self.words])
        self.set_focus(self.query_one(Input))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        self.dismiss(event.value)


class PeoplePanel(Panel):
    """A list of lines to look at, or to choose from."""

    BINDINGS: ClassVar[list[BindingType]] = [("enter", "choose", ""), ("q", "close", "")]

    def __init__(self, title: str, found: Sequence[Line], *, pick: bool = False) -> None:
        super().__init__()
        self.title_text, self.found, self.pick = clean_line(title), found, pick

    def on_mount(self) -> None:
        self.fill(self.found, 0)

    def action_choose(self) -> None:
        self.lines.choose() if self.pick else self.dismiss(None)


def unread_text(unread: int, mentions: int) -> str:
    """``2 unread, 1 mention``."""
    text = plural(unread, "%d unread", "%d unread") % unread
    return f"{text}, {plural(mentions, '%d mention', '%d mentions') % mentions}" if mentions else text
