"""Before the chat: where to go and as whom; whether a server's key is trusted; passwords."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import Screen
from textual.widgets import Input

from tcpchat.core.text import clean_line
from tcpchat.i18n import _
from tcpchat.tui.lines import Bar, Field, Line, Lines
from tcpchat.tui.panels import AskPanel
from tcpchat.tui.themes import Glyphs

LOCAL = "localhost:6060"


class Where(NamedTuple):
    """What the start screen is left with: a server, a login; ``serve`` = start one here first."""

    server: str
    login: str
    serve: bool = False


class StartScreen(Screen[Where]):
    """Start a chat here, join the one on this machine, or one of the last servers."""

    CSS = """
    StartScreen { align: center middle; }
    StartScreen > #box { width: 66; max-width: 98%; height: auto; max-height: 100%; padding: 0 2;
                         border: round $primary; }
    StartScreen Lines { height: auto; }
    StartScreen Input { background: $surface; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        # With priority they act before the next key, however fast that comes.
        Binding("down", "move(1)", priority=True),
        Binding("up", "move(-1)", priority=True),
        Binding("tab,shift+tab", "other_field", priority=True),
        Binding("escape", "app.quit", priority=True),
    ]

    def __init__(self, login: str, servers: Sequence[dict[str, str]], glyphs: Glyphs, why: str = "") -> None:
        super().__init__()
        self.login, self.servers, self.glyphs, self.why = login, servers, glyphs, why

    def compose(self) -> ComposeResult:
        with Vertical(id="box") as box:
            box.border_title = "tcpchat"
            yield Bar(id="ask-login")
            yield Field(self.login, id="login", placeholder=_("your name here"))
            yield Bar(id="ask-server")
            yield Field("", id="server", placeholder="HOST[:PORT]")
            yield Bar(id="ask-choice")
            yield Lines(id="choices", pick=True)
            yield Bar(id="why")
            yield Bar(id="keys")

    def on_mount(self) -> None:
        bars = {"ask-login": _("Login"), "ask-server": _("Another server"), "ask-choice": _("Where to?")}
        for name, text in bars.items():
            self.query_one("#" + name, Bar).show(Line([(text, "muted")]))
        self.query_one("#why", Bar).show(Line([(self.why, "error")]))
        self.query_one("#keys", Bar).show(Line([(_("Up/Down choose   Tab field   Enter go   Ctrl+Q quit"), "muted")]))
        self._fill()
        self.set_focus(self.query_one("#login", Input))

    def _fill(self) -> None:
        lines = [
            Line(
                [(_("Join the chat on this computer"), "bold"), (f"  {LOCAL}", "muted")],
                [],
                (LOCAL, ""),
            ),
            Line([(_("Start a chat here"), "bold"), (_("  for as long as this window is open"), "muted")], [], "serve"),
        ]
        for one in self.servers:
            name, login = clean_line(one["server"]), clean_line(one["login"])
            if name != LOCAL or login != self.login:
                lines.append(Line([(name, "bold"), (f"  {login}", "muted")], [], (one["server"], one["login"])))
        lines = lines[:8]
        chooser = self.query_one("#choices", Lines)
        chooser.styles.height = len(lines)
        chooser.set_lines(lines, 0)

    def action_move(self, step: int) -> None:
        self.query_one("#choices", Lines).move(step)

    def action_other_field(self) -> None:
        fields = [self.query_one("#login", Input), self.query_one("#server", Input)]
        self.set_focus(fields[1] if fields[0].has_focus else fields[0])

    def on_input_submitted(self) -> None:
        server = self.query_one("#server", Input).value.strip()
        self._go((server, "") if server else self.query_one("#choices", Lines).value)

    def on_lines_picked(self, event: Lines.Picked) -> None:
        self._go(event.value)

    def _go(self, value: object) -> None:
        login = self.query_one("#login", Input).value.strip()
        if value == "serve":
            where = Where(LOCAL, login, True)
        elif isinstance(value, tuple):
            where = Where(value[0], login or value[1])
        else:
            return
        if not where.login:
            self.query_one("#why", Bar).show(Line([(_("Type a login first: the name others see."), "error")]))
            self.set_focus(self.query_one("#login", Input))
            return
        self.dismiss(where)


def own_name() -> str:
    """The name on this machine, as a first suggestion."""
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return ""


def trust_question(server: str, fingerprint: str, words: str) -> AskPanel:
    """The first time at a server: is this its key? Dismissed with True or False."""
    text = [
        _("First time at %s.") % clean_line(server),
        _("The server's key is"),
        f"  {clean_line(fingerprint)}",
        f"  {clean_line(words)}",
        _("Compare it with what the server printed when it started."),
    ]
    answers = [(_("Yes, remember it"), True), (_("No"), False)]
    return AskPanel(_("Trust this server?"), text, answers)


def changed_key(error: str) -> AskPanel:
    """The server shows another key than the one that is trusted: stop. There is nothing to choose but going back."""
    text = [clean_line(line) for line in error.replace("  (", "\n          (").split("\n")]
    return AskPanel(_("Not connected"), text, [(_("Go back"), False)], danger=True)
