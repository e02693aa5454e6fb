"""The words of the faces in the language of the person: ``_("Close")``, ``plural(n, "one", "many")``.

English is the text in the source. Other languages are ``locale/<language>.po`` beside this file, in gettext's own
format, read when the first text is asked for and only when that language is wanted: importing this costs nothing.
The lines of the original menu are not translated; people's scripts and habits know them.
"""

from __future__ import annotations

import os
from functools import cache

LANGUAGES = ("en", "ru")
LOCALE = os.path.join(os.path.dirname(__file__), "locale")
_chosen: str | None = None

Catalogue = dict[str, tuple[str, ...]]  # text -> its forms: one, or as many as the language has plurals


def language() -> str:
    """The language in use: what ``use`` was told, else TCPCHAT_LANGUAGE, LC_ALL, LC_MESSAGES, LANG."""
    global _chosen
    if _chosen is None:
        _chosen = from_environment(os.environ)
    return _chosen


def from_environment(environment: os._Environ[str] | dict[str, str]) -> str:
    """The first language named by the environment, English when this program has no words in it."""
    for name in ("TCPCHAT_LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        value = environment.get(name, "")
        if value and value != "auto":
            short = value[:2].lower()
            return short if short in LANGUAGES else "en"
    return "en"


def use(name: str | None) -> None:
    """Speak this language from now on; None or "auto" asks the environment again."""
    global _chosen
    _chosen = None if name in (None, "auto") else (name if name in LANGUAGES else "en")


def _(text: str) -> str:
    """The text in the language in use; the text itself where the catalogue has none."""
    here = language()
    if here == "en":
        return text
    forms = catalogue(here).get(text)
    return forms[0] if forms else text


def plural(n: int, one: str, many: str) -> str:
    """The form of a text that fits the number: ``plural(3, "%d message", "%d messages") % 3``."""
    here = language()
    forms = catalogue(here).get(one) if here != "en" else None
    if forms is None:
        return one if n == 1 else many
    return forms[min(slavic(n), len(forms) - 1)]


def slavic(n: int) -> int:
    """Which of three forms Russian takes for this number: 1, 21, 31 ... / 2-4, 22-24 ... / the rest."""
    if n % 10 == 1 and n % 100 != 11:
        return 0
    return 1 if 2 <= n % 10 <= 4 and not 12 <= n % 100 <= 14 else 2


@cache
def catalogue(name: str) -> Catalogue:
    """The texts of one language."""
    try:
        with open(os.path.join(LOCALE, f"{name}.po"), encoding="utf-8") as file:
            return parse(file.read())
    except OSError:
        return {}


def parse(text: str) -> Catalogue:
    """Read the part of the .po format that is in use: comments, msgid, msgid_plural, msgstr, msgstr[n]."""
    import ast  # strings of gettext are written like those of Python

    found: Catalogue = {}
    fields: dict[str, str] = {}
    key = ""
    for line in [*text.splitlines(), 'msgid ""']:
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        if not line.startswith('"'):
            key, _, line = line.partition(" ")
            if key == "msgid":
                _add(found, fields)
                fields = {}
        fields[key] = fields.get(key, "") + ast.literal_eval(line)
    return found


def _add(found: Catalogue, fields: dict[str, str]) -> None:
    forms = tuple(value for key, value in fields.items() if key.startswith("msgstr") and value)
    if fields.get("msgid") and forms:
        found[fields["msgid"]] = forms
