"""Settings of the full-screen client: ``config.toml`` in the configuration folder, read once, changed by /set."""

from __future__ import annotations

import dataclasses
import json
import os
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tcpchat.client.identity import home
from tcpchat.core.text import decoded

CHOICES = {
    "ticks": ("unicode", "ascii", "words"),
    "notify": ("all", "mentions", "none"),
    "how": ("auto", "bell", "osc9", "osc777", "osc99", "none"),
    "language": ("auto", "en", "ru"),
}


@dataclass
class Settings:
    """What can be set. Names in the file: [ui] theme, ticks, time, mouse, window, language; [notify] when, how;
    [read] receipts; [keys] id = "key,key"."""

    theme: str = "auto"
    ticks: str = "unicode"
    time: str = "%H:%M"
    mouse: bool = True
    window: int = 5000
    language: str = "auto"
    notify: str = "mentions"
    how: str = "auto"
    receipts: bool = True
    keys: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)  # what the file says and cannot be used


PLACES = {
    "theme": ("ui", "theme"),
    "ticks": ("ui", "ticks"),
    "time": ("ui", "time"),
    "mouse": ("ui", "mouse"),
    "window": ("ui", "window"),
    "language": ("ui", "language"),
    "notify": ("notify", "when"),
    "how": ("notify", "how"),
    "receipts": ("read", "receipts"),
}


def config_path() -> Path:
    """The settings file: TCPCHAT_CONFIG, else config.toml in the configuration folder."""
    named = os.environ.get("TCPCHAT_CONFIG")
    return Path(named) if named else home("config") / "config.toml"


def load(path: Path | None = None) -> Settings:
    """The settings; what cannot be used is left at its default and told in ``problems``."""
    settings = Settings()
    path = path or config_path()
    try:
        table: dict[str, Any] = tomllib.loads(decoded(path.read_bytes()))
    except FileNotFoundError:
        return settings
    except (OSError, ValueError) as error:
        settings.problems.append(f"{path}: {error}")
        return settings
    for name, (section, key) in PLACES.items():
        part = table.get(section)
        if isinstance(part, dict) and key in part:
            problem = assign(settings, name, part[key])
            if problem:
                settings.problems.append(f"[{section}] {key}: {problem}")
    keys = table.get("keys", {})
    if isinstance(keys, dict):
        settings.keys = {str(name): str(value) for name, value in keys.items()}
    return settings


def assign(settings: Settings, name: str, value: object) -> str:
    """Set one setting from a file's value or a typed text. Returns what is wrong, or ""."""
    old = getattr(settings, name)
    made: object
    if isinstance(old, bool):
        words: dict[object, bool] = {True: True, False: False, "on": True, "off": False, "true": True, "false": False}
        if value not in words:
            return f"{value!r} is neither on nor off"
        made = words[value]
    elif isinstance(old, int):
        try:
            made = int(str(value))
        except ValueError:
            return f"{value!r} is not a number"
        if not 100 <= made <= 100_000:
            return "100 to 100000"
    else:
        made = str(value)
        if name in CHOICES and made not in CHOICES[name]:
            return f"{value!r} is none of {', '.join(CHOICES[name])}"
    setattr(settings, name, made)
    return ""


def names() -> list[str]:
    """What /set knows."""
    return [one.name for one in dataclasses.fields(Settings) if one.name not in ("keys", "problems")]


class Memory:
    """What the client remembers by itself, in tui.json of the state folder: servers, muted rooms, who is ignored."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or home("state") / "tui.json"
        self.servers: list[dict[str, str]] = []  # {"server": "host:port", "login": ...}, last used first
        self.muted: dict[str, list[str]] = {}  # by server
        self.ignored: dict[str, list[str]] = {}
        try:
            found = json.loads(self.path.read_text(encoding="utf-8"))
            self.servers = [
                {"server": str(one["server"]), "login": str(one["login"])} for one in found.get("servers", [])
            ]
            self.muted = {str(key): [str(one) for one in value] for key, value in found.get("muted", {}).items()}
            self.ignored = {str(key): [str(one) for one in value] for key, value in found.get("ignored", {}).items()}
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            pass  # a convenience; a broken file is written anew

    def used(self, server: str, login: str) -> None:
        """This server was entered under this login."""
        one = {"server": server, "login": login}
        self.servers = [one, *(other for other in self.servers if other != one)][:8]
        self.save()

    def save(self) -> None:
        """Write it; a folder that cannot be written loses nothing but convenience."""
        value = {"servers": self.servers, "muted": self.muted, "ignored": self.ignored}
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            draft = self.path.with_suffix(".new")
            draft.touch(mode=0o600)
            draft.write_text(json.dumps(value, ensure_ascii=False, indent=1), encoding="utf-8")
            draft.replace(self.path)
        except OSError:
            pass
