"""Dates as people type them, for /goto."""

from __future__ import annotations

import re
import time

DAY = 86_400


def parse_date(text: str, now: float) -> int | None:
    """The time in ms that is meant: ``2025-11-22``, ``2025-11-22 10:30``, ``22.11.``, ``22.11.2025``, ``10:30`` (the
    last one), ``today``, ``yesterday``, ``3d`` (ago). None when it is none of these."""
    words = text.strip().lower()
    clock = re.search(r"(?:^|\s)(\d{1,2}):(\d{2})$", words)
    hours, minutes = (int(clock[1]), int(clock[2])) if clock else (0, 0)
    if hours > 23 or minutes > 59:
        return None
    day = words[: clock.start()].strip() if clock else words
    if not day:
        if not clock:
            return None
        found = _at(time.localtime(now), hours, minutes)
        return int((found if found <= now else found - DAY) * 1000)
    start = _day(day, now)
    return None if start is None else int(_at(time.localtime(start), hours, minutes) * 1000)


def _at(day: time.struct_time, hours: int, minutes: int) -> float:
    return time.mktime((*day[:3], hours, minutes, 0, 0, 0, -1))


def _day(text: str, now: float) -> float | None:
    names = {"today": 0, "сегодня": 0, "yesterday": 1, "вчера": 1}
    if text in names:
        return now - names[text] * DAY
    if ago := re.fullmatch(r"(\d{1,5})\s*d", text):
        return now - int(ago[1]) * DAY
    iso = re.fullmatch(r"(\d{4})-(\d{1,2})-(\d{1,2})", text)
    dotted = re.fullmatch(r"(\d{1,2})\.(\d{1,2})\.?(\d{4})?", text)
    try:
        if iso:
            return _noon(int(iso[1]), int(iso[2]), int(iso[3]))
        if dotted:
            year = int(dotted[3]) if dotted[3] else time.localtime(now).tm_year
            found = _noon(year, int(dotted[2]), int(dotted[1]))
            return found if dotted[3] or found <= now + DAY else _noon(year - 1, int(dotted[2]), int(dotted[1]))
    except (ValueError, OverflowError):
        return None
    return None


def _noon(year: int, month: int, day: int) -> float:
    time.strptime(f"{year:04d}-{month:02d}-{day:02d}", "%Y-%m-%d")  # raises for a day that does not exist
    return time.mktime((year, month, day, 12, 0, 0, 0, 0, -1))


def parse_length(text: str) -> int | None:
    """A length of time in seconds: ``30m``, ``2h``, ``7d``; None when it is none."""
    match = re.fullmatch(r"(\d{1,6})([smhd])", text)
    return int(match[1]) * {"s": 1, "m": 60, "h": 3600, "d": DAY}[match[2]] if match else None
