"""The table of settings in docs/operations.md, made from the settings themselves."""

from __future__ import annotations

from pathlib import Path

from tcpchat.config import SETTINGS

PAGE = Path("docs/operations.md")
BEGIN, END = "<!-- settings: begin -->", "<!-- settings: end -->"


def documentation() -> str:
    """The table as Markdown."""
    lines = ["| setting | flag | environment | default | what |", "| --- | --- | --- | --- | --- |"]
    for setting in SETTINGS.values():
        if setting.later:
            continue
        flag = "(file or environment only)" if setting.secret else f"`{setting.flag}`"
        default = f"`{setting.shown}`" if setting.default != "" else ""

        lines.append(f"| `{setting.name}` | {flag} | `{setting.environment}` | {default} | {setting.help} |")
    return "\n".join(lines)


def rendered(page: str) -> str:
    """The page with the present table between its markers."""
    head, _, rest = page.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}\n{documentation()}\n{END}{tail}"


def write() -> None:
    """Write the table into the page."""
    PAGE.write_text(rendered(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
