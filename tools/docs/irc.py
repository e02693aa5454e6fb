"""The tables of docs/irc.md, made from the code: ``python -m tools.docs``."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tcpchat.doors.irc import caps, handlers, services
from tcpchat.doors.irc.commands import COMMANDS
from tcpchat.doors.irc.network import CHANNEL_MODES, EXTBANS, PROPS, USER_MODES, Network

PAGE = Path("docs/irc.md")
__all__ = ["handlers"]  # imported for what it enters into the table of commands


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """A Markdown table."""
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in lines)


def sections() -> dict[str, str]:
    """Marker in the page -> the table that stands there."""
    values = caps.values(Network(), secure=True, certfp="any")
    cap_rows = [
        (f"`{name}`", cap.what, f"`{values[name]}`" if values.get(name) else "") for name, cap in caps.CAPS.items()
    ]
    words = [(one.name, f"`{usage}`") for one in services.SERVICES.values() for usage, _ in one.words.values()]
    return {
        "commands": table(
            ("command", "parameters", "what"),
            [
                (f"`{spec.name}`", f"`{spec.usage}`" if spec.usage else "", spec.help)
                for _, spec in sorted(COMMANDS.items())
            ],
        ),
        "capabilities": table(("capability", "what", "value"), cap_rows),
        "channel-modes": table(
            ("mode", "in the chat", "by name"),
            [(f"`{letter}`", name.replace("_", " "), f"`{PROPS[letter]}`") for letter, name in CHANNEL_MODES.items()],
        ),
        "user-modes": table(("mode", "who wears it"), [(f"`{letter}`", what) for letter, what in USER_MODES.items()]),
        "extbans": table(("ban", "what"), [(f"`{letter}:...`", what) for letter, what in EXTBANS.items()]),
        "isupport": "```\n" + "\n".join(Network().isupport()) + "\n```",
        "services": table(("service", "words"), words),
    }


def rendered(page: str) -> str:
    """The page with the present tables between their markers."""
    for name, text in sections().items():
        begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
        head, _, rest = page.partition(begin)
        _, found, tail = rest.partition(end)
        if found:
            page = f"{head}{begin}\n{text}\n{end}{tail}"
    return page


def write() -> None:
    """Write the tables into the page."""
    PAGE.write_text(rendered(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
