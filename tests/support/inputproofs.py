"""Proofs for the keys of the input line."""

from __future__ import annotations

import re

from .keyproofs import Stage, again, clear, matches, proof, without


@proof("send")
def _(stage: Stage, key: str) -> None:
    stage.hands.type("sent")
    stage.hands.press(key)
    stage.hands.until(matches("sent +✓"))
    again(stage)


@proof("newline")
def _(stage: Stage, key: str) -> None:
    stage.hands.type("one")
    stage.hands.press(key)
    stage.hands.type("two")
    stage.hands.until(matches(r"#all> one.*\n +two"))
    clear(stage)


@proof("complete", "complete.back")
def _(stage: Stage, key: str) -> None:
    for typed, whole in (("du", "duck: "), ("see #op", "see #ops"), ("/top", "/topic"), (":duc", "🦆")):
        stage.hands.type(typed)
        stage.hands.press("tab")
        if key == "shift+tab":
            stage.hands.press("tab", "shift+tab")
        stage.hands.until(matches(rf"(?m)^ #all> {re.escape(whole.strip())}"))
        clear(stage)
    if key == "shift+tab":
        stage.hands.type("#")
        stage.hands.press("tab", "tab", "tab", "shift+tab")
        stage.hands.until("#all> #aa")
        clear(stage)


@proof("history")
def _(stage: Stage, key: str) -> None:
    for text in ("older line", "newer line"):
        stage.hands.type(text)
        stage.hands.press("enter")
        stage.hands.until(matches(f"{text} +✓"))
    stage.hands.type("unsent")
    stage.hands.press("up", "up")
    stage.hands.until("#all> older line")
    if key == "down":
        stage.hands.press("down")
        stage.hands.until("#all> newer line")
        stage.hands.press("down")
        stage.hands.until("#all> unsent")
    clear(stage)
    again(stage)


@proof("undo")
def _(stage: Stage, key: str) -> None:
    stage.hands.type("keep this")
    stage.hands.until("#all> keep this")
    stage.hands.press("ctrl+w")
    stage.hands.until(without("#all> keep this"))
    stage.hands.press(key)
    stage.hands.until("#all> keep this")
    clear(stage)


@proof("line")
def _(stage: Stage, key: str) -> None:
    stage.hands.type("two words")
    stage.hands.until("#all> two words")
    if key == "ctrl+a":
        stage.hands.press(key)
        stage.hands.type("X")
        stage.hands.until("#all> Xtwo words")
    elif key == "ctrl+e":
        stage.hands.press("ctrl+a", key)
        stage.hands.type("X")
        stage.hands.until("#all> two wordsX")
    elif key == "ctrl+u":
        stage.hands.press("left", key)
        stage.hands.until(matches(r"(?m)^ #all> s *$"))
    else:
        stage.hands.press(key)
        stage.hands.until(matches(r"(?m)^ #all> two *$"))
    clear(stage)
