"""What things look like: glyphs for terminals with and without UTF-8, colours for each theme, colours of names."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, replace

from rich.style import Style
from textual.theme import Theme

from tcpchat.core.text import fold
from tcpchat.i18n import _


def text(words: str) -> str:
    """Marks a text for translation; it is translated where it is shown."""
    return words


@dataclass(frozen=True)
class Glyphs:
    """Every character that the client draws by itself."""

    rule: str = "─"
    bar: str = "│"
    online: str = "●"
    offline: str = "○"
    trying: str = "◌"
    broken: str = "✗"
    more: str = "…"
    dot: str = "·"
    reply: str = "↳"
    down: str = "↓"
    ticks: tuple[str, str, str, str, str] = ("… ", "✓ ", "✓✓", "✓✓", "✗ ")  # pending accepted delivered read failed


UNICODE = Glyphs()
ASCII = Glyphs("-", "|", "*", "o", "~", "x", "~", "-", ">", "v", ("..", "+ ", "++", "R ", "!!"))
STATES = ("pending", "accepted", "delivered", "read", "failed")
WORDS = text("wait sent dlvd read fail")  # of STATES; one text, because elsewhere the same words mean other things


def speaks_utf8() -> bool:
    """Can the terminal show more than ASCII? TCPCHAT_ASCII=1 says no."""
    encoding = (getattr(sys.__stdout__, "encoding", "") or "").lower().replace("-", "")
    return not os.environ.get("TCPCHAT_ASCII") and encoding in ("utf8", "")


def glyphs(ticks: str = "unicode") -> Glyphs:
    """The glyphs for this terminal; ``ticks`` is unicode, ascii or words (in the language of the moment)."""
    chosen = ASCII if ticks == "ascii" or not speaks_utf8() else UNICODE
    if ticks == "words":
        pending, accepted, delivered, read, failed = _(WORDS).split()
        return replace(chosen, ticks=(pending, accepted, delivered, read, failed))
    return chosen


# Twelve hues for names; the test checks their contrast (4.5:1) against the background of their theme.
DARK_NAMES = (
    "#e58fb1", "#f2a17f", "#e3b45c", "#c3c55e", "#93cf77", "#63d1a4",
    "#56cccf", "#67bdf0", "#93a9f5", "#b79cf0", "#d592dc", "#e0857c",
)  # fmt: skip
LIGHT_NAMES = (
    "#9b1c55", "#98380d", "#775000", "#575e00", "#2c6410", "#00644a",
    "#00626a", "#00578f", "#2a44a8", "#5833a0", "#802086", "#8f2a22",
)  # fmt: skip
HIGH_NAMES = (
    "#ff9ec4", "#ffb59a", "#ffd24a", "#e6ea5a", "#a5f57f", "#6cf5be",
    "#66f2f5", "#8ed2ff", "#b3c2ff", "#d2bcff", "#f5b0fb", "#ffa39b",
)  # fmt: skip
ANSI_NAMES = (
    "magenta", "red", "yellow", "green", "cyan", "blue",
    "bright_magenta", "bright_red", "bright_yellow", "bright_green", "bright_cyan", "bright_blue",
)  # fmt: skip

DARK = Theme(
    "dark", primary="#4c9be8", secondary="#2d4a63", accent="#7bd88f", warning="#e3b45c", error="#ff6b6b",
    success="#7bd88f", foreground="#dcdfe4", background="#15181c", surface="#1b1f24", panel="#242a31", dark=True,
    variables={"screen-selection-background": "#2f5d8a", "screen-selection-foreground": "#ffffff"},
)  # fmt: skip
LIGHT = Theme(
    "light", primary="#0b5cad", secondary="#c8d9ea", accent="#1a6b2d", warning="#775000", error="#b3131b",
    success="#1a6b2d", foreground="#1c1f23", background="#fafafa", surface="#f0f1f3", panel="#e4e7eb", dark=False,
    variables={"screen-selection-background": "#a9cdf2", "screen-selection-foreground": "#000000"},
)  # fmt: skip
HIGH_CONTRAST = Theme(
    "high-contrast", primary="#ffff00", secondary="#ffffff", accent="#00ff66", warning="#ffd24a", error="#ff8080",
    success="#00ff66", foreground="#ffffff", background="#000000", surface="#000000", panel="#000000", dark=True,
    variables={"screen-selection-background": "#ffffff", "screen-selection-foreground": "#000000"},
)  # fmt: skip
OWN = (DARK, LIGHT, HIGH_CONTRAST)
AUTO = "ansi-dark"  # the terminal's own sixteen colours, on the terminal's own background


def theme_name(name: str) -> str:
    """The Textual theme for a name of ours ("auto" = the terminal's own colours)."""
    return AUTO if name in ("auto", "ansi", "") else name


@dataclass(frozen=True)
class Look:
    """The plain colours of a theme, from which a palette is made."""

    text: str
    muted: str  # "" = the terminal's own, dimmed
    accent: str
    warning: str
    error: str
    success: str
    primary: str
    names: tuple[str, ...]


def look_of(theme: Theme) -> Look:
    """The colours for a Textual theme."""
    if theme.ansi:
        return Look("default", "", "green", "yellow", "red", "green", "blue", ANSI_NAMES)
    if theme.name == "high-contrast":
        return Look("#ffffff", "#d8d8d8", "#00ff66", "#ffd24a", "#ff8080", "#00ff66", "#ffff00", HIGH_NAMES)
    if theme.dark:
        return Look("#dcdfe4", "#98a1ab", "#7bd88f", "#e3b45c", "#ff8585", "#7bd88f", "#6fb1f2", DARK_NAMES)
    return Look("#1c1f23", "#596069", "#1a6b2d", "#775000", "#b3131b", "#1a6b2d", "#0b5cad", LIGHT_NAMES)


def djb2(text: str) -> int:
    """A small stable hash, the same on every machine and in every run."""
    value = 5381
    for byte in text.encode("utf-8", "replace"):
        value = (value * 33 + byte) & 0xFFFFFFFF
    return value


class Palette:
    """Named styles upon the style of a widget. Under NO_COLOR attributes alone tell things apart."""

    def __init__(self, theme: Theme, base: Style, *, mono: bool = False) -> None:
        self.base, self.mono = base, mono
        self.look = look = look_of(theme)
        self._names: dict[str, Style] = {}

        def made(color: str, bold: bool | None = None, **others: bool | None) -> Style:
            chosen = None if mono or not color else color
            return base + Style(color=chosen, bold=bold, dim=others.get("dim"), underline=others.get("underline"))

        dim = not look.muted or mono or None
        self.text = made(look.text if not theme.ansi else "")
        self.muted = made(look.muted, dim=dim)
        self.event = made(look.muted, dim=dim)
        self.own = made(look.primary, bold=True)
        self.bold = made(look.text if not theme.ansi else "", bold=True)
        self.rule = made(look.muted, dim=dim)
        self.unread = made(look.warning, bold=True)
        self.mention = made(look.warning, bold=True)
        self.link = made(look.primary, underline=True)
        self.hit = base + Style(reverse=True, bold=True)
        self.error = made(look.error, bold=mono)
        self.good = made(look.success)
        self.warning = made(look.warning)
        self.primary = made(look.primary, bold=True)
        self.cursor = base + Style(reverse=True)
        self.key = made(look.primary, bold=True)
        self.ticks = (
            made(look.muted, dim=dim), made(look.muted, dim=dim), made(look.text if not theme.ansi else ""),
            made(look.accent, bold=True, underline=True), made(look.error, bold=True),
        )  # fmt: skip

    def name(self, login: str) -> Style:
        """The style of somebody's name: the same wherever it stands."""
        style = self._names.get(login)
        if style is None:
            names = self.look.names
            color = None if self.mono else names[djb2(fold(login)) % len(names)]
            style = self._names[login] = self.base + Style(color=color, bold=self.mono)
            if len(self._names) > 4_000:
                self._names = {login: style}
        return style
