"""Russian for the full-screen client."""

from __future__ import annotations

TEXTS: dict[str, str] = {}
PLURALS: dict[str, tuple[str, str, str]] = {}
CATALOGUE: dict[str, tuple[str, ...]] = {**{text: (words,) for text, words in TEXTS.items()}, **PLURALS}
