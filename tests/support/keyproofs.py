"""What each key of the table must do, seen from outside: a proof for every id, run with every key of it.

A proof begins in #all with an empty input and nothing open, and leaves it so. Rooms: #all, #aa, #ops, #r4 to #s10.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from .hands import Hands, do
from .realworld import World


class Stage(NamedTuple):
    """Where a proof is acted: a terminal, the server, a file with what a browser was started with."""

    hands: Hands
    world: World
    browser: Path


Proof = Callable[[Stage, str], None]
PROOFS: dict[str, Proof] = {}
ROOMS = ("#all", "#aa", "#ops", "#r4", "#r5", "#r6", "#r7", "#r8", "#r9", "#s10")
# Ways to the same thing that are no keys of the table: commands, and keys of the input or of the switcher.
TWINS = {
    "room.3": ("/3", "/win 3", "ctrl+k 3 enter"),
    "room.next_unread": ("ctrl+k enter",),
    "read_all": ("/read all",),
    "bottom": ("end",),
    "unread": ("/unread",),
    "mention.prev": ("/mentions",),
    "mouse": ("/mouse off",),
    "help": ("/help",),
    "quit": ("/quit",),
}


def proof(*ids: str) -> Callable[[Proof], Proof]:
    """Register the proof of these ids."""

    def register(act: Proof) -> Proof:
        PROOFS.update(dict.fromkeys(ids, act))
        return act

    return register


def without(wanted: str) -> Callable[[str], bool]:
    """Is it gone from the screen?"""
    return lambda text: wanted not in text


def matches(pattern: str) -> Callable[[str], bool]:
    """Does the screen match?"""
    return lambda text: re.search(pattern, text) is not None


def room_is(stage: Stage, room: str) -> None:
    """Wait until this room is open."""
    stage.hands.until(matches(rf"(?m)^ {re.escape(room)}>"))


def home(stage: Stage) -> None:
    """Back to #all."""
    stage.hands.press("alt+1")
    room_is(stage, "#all")


def clear(stage: Stage) -> None:
    """Empty the input."""
    stage.hands.press("ctrl+c")
    stage.hands.until(matches(r"(?m)^ [#\w]+> *(Tab next)?$"))


def close(stage: Stage, shown: str) -> None:
    """Esc, and what was open goes."""
    stage.hands.press("escape")
    stage.hands.until(without(shown))


def say(stage: Stage, *messages: tuple[str, str]) -> None:
    """Others say something."""
    stage.world.say(*messages)


def seen(stage: Stage) -> None:
    """Read what is unread elsewhere, so that the next proof begins with nothing.

    Who leaves a room before the screen has stood still leaves its messages unread.
    """
    stage.hands.press("alt+h")
    stage.hands.until(without("unread:"))


# -- rooms -------------------------------------------------------------------------------------------------------------


@proof("room.next_unread")
def _(stage: Stage, key: str) -> None:
    say(stage, ("#aa", "plain"), ("#ops", "@me look"))
    stage.hands.until("unread: 2:#aa 1, 3:#ops 1(1@)")
    do(stage.hands, key)
    room_is(stage, "#ops")
    stage.hands.until(without("3:#ops"))  # what was on the screen is read; who goes on before that leaves it unread
    do(stage.hands, key)
    room_is(stage, "#aa")
    stage.hands.until(without("unread:"))
    home(stage)


@proof("room.next", "room.prev")
def _(stage: Stage, key: str) -> None:
    forward = key in ("alt+down", "ctrl+n")
    order = (*ROOMS, "duck")
    do(stage.hands, key)
    room_is(stage, order[1] if forward else order[-1])
    do(stage.hands, key)
    room_is(stage, order[2] if forward else order[-2])
    home(stage)


@proof(*(f"room.{number}" for number in range(1, 11)))
def _(stage: Stage, key: str) -> None:
    number = int(re.findall(r"\d+", key)[0]) or 10
    if number == 1:
        stage.hands.press("alt+2")
        room_is(stage, "#aa")
    do(stage.hands, key)
    room_is(stage, ROOMS[number - 1])
    home(stage)


@proof("goto")
def _(stage: Stage, key: str) -> None:
    stage.hands.press(key)
    stage.hands.until("Go to")
    stage.hands.type("duc")
    stage.hands.press("enter")
    room_is(stage, "duck")
    home(stage)


@proof("read_all")
def _(stage: Stage, key: str) -> None:
    say(stage, ("#aa", "one"), ("#ops", "two"))
    stage.hands.until("unread: 2:#aa 1, 3:#ops 1")
    do(stage.hands, key)
    stage.hands.until(without("unread:"))


# -- messages ----------------------------------------------------------------------------------------------------------


@proof("page.up", "page.down")
def _(stage: Stage, key: str) -> None:
    stage.hands.until("number 119")
    stage.hands.press("pageup")
    stage.hands.until(without("number 119"))
    if key == "pageup":
        stage.hands.press("pageup")
        stage.hands.until("number 55")  # on the second page and not on the first
        stage.hands.press("ctrl+end")
    else:
        stage.hands.press(key)
    stage.hands.until("number 119")


@proof("top", "bottom")
def _(stage: Stage, key: str) -> None:
    stage.hands.press("ctrl+home")
    stage.hands.until(matches(r"number 0\b"))
    do(stage.hands, "ctrl+end" if key == "ctrl+home" else key)
    stage.hands.until("number 119")


@proof("unread")
def _(stage: Stage, key: str) -> None:
    say(stage, *(("#aa", f"line {number}") for number in range(60)))
    stage.hands.until("2:#aa 60")
    stage.hands.press("alt+2")
    stage.hands.until("60 unread")
    stage.hands.press("ctrl+end")
    stage.hands.until("line 59")
    stage.hands.until(without("60 unread"))
    do(stage.hands, key)
    stage.hands.until("60 unread")
    stage.hands.press("ctrl+end")
    stage.hands.until("line 59")
    home(stage)
    seen(stage)


@proof("mention.prev", "mention.next")
def _(stage: Stage, key: str) -> None:
    say(stage, ("#ops", "@me first call"), ("#ops", "nothing"), ("#ops", "@me second call"))
    stage.hands.until("3:#ops 3(2@)")  # all has come: what comes later would be below what is selected
    stage.hands.press("alt+3")
    room_is(stage, "#ops")
    stage.hands.until("second call")
    ways = {"alt+p": ("alt+p", "alt+p"), "alt+n": ("alt+p", "alt+p", "alt+n"), "/mentions": ("/mentions",)}
    for way in ways[key]:
        do(stage.hands, way)
    stage.hands.until("r reply  i info")
    stage.hands.press("i")
    stage.hands.until("duck: @me first call" if key == "alt+p" else "duck: @me second call")
    close(stage, "duck: @me")
    stage.hands.press("escape", "alt+1")
    room_is(stage, "#all")
    seen(stage)


@proof("back")
def _(stage: Stage, key: str) -> None:
    stage.hands.press("f1")
    stage.hands.until("Your messages")
    stage.hands.press(key)
    stage.hands.until(without("Your messages"))
    stage.hands.press("pageup")
    stage.hands.until(without("number 119"))
    say(stage, ("#all", "psst"))
    stage.hands.until("1 newer")
    stage.hands.press(key)
    stage.hands.until(lambda text: "psst" in text and "newer" not in text)
    stage.world.say(*(("#all", f"number {number}") for number in range(60, 120)))
    stage.hands.until("number 119")


@proof("search", "search.next", "search.prev")
def _(stage: Stage, key: str) -> None:
    say(stage, ("#ops", "a needle here"), ("#ops", "another needle there"))
    seen(stage)
    stage.hands.press("ctrl+f")
    stage.hands.until("Search: #all")
    stage.hands.press("ctrl+f")
    stage.hands.until("Search: everywhere")
    stage.hands.type("needle")
    stage.hands.until("another needle there")
    stage.hands.press("enter")
    stage.hands.until(matches("hit 1 of"))
    room_is(stage, "#ops")
    stage.hands.press("f3")
    stage.hands.until("hit 2 of")
    if key not in ("ctrl+f", "f3"):
        stage.hands.press(key)
        stage.hands.until("hit 1 of")
    stage.hands.press("escape", "escape")
    home(stage)


@proof("select")
def _(stage: Stage, key: str) -> None:
    stage.hands.press(key)
    stage.hands.until("r reply  i info")
    stage.hands.press("i")
    stage.hands.until("duck: number 119")
    close(stage, "duck: number 119")
    stage.hands.press("escape")


# -- view --------------------------------------------------------------------------------------------------------------


@proof("pane.rooms", "pane.people")
def _(stage: Stage, key: str) -> None:
    title = "ROOMS" if key == "f7" else "HERE"
    stage.hands.until(title)
    stage.hands.press(key)
    stage.hands.until(without(title))
    stage.hands.press(key)
    stage.hands.until(title)


@proof("bare")
def _(stage: Stage, key: str) -> None:
    stage.hands.press(key)
    stage.hands.until(lambda text: "ROOMS" not in text and "│" not in text and "duck: number 119" in text)
    stage.hands.press(key)
    stage.hands.until("ROOMS")


@proof("mouse")
def _(stage: Stage, key: str) -> None:
    assert stage.hands.mouse()
    do(stage.hands, key)
    stage.hands.until(lambda _text: not stage.hands.mouse())
    do(stage.hands, "/mouse on" if key.startswith("/") else key)
    stage.hands.until(lambda _text: stage.hands.mouse())


@proof("redraw")
def _(stage: Stage, key: str) -> None:
    stage.hands.scribble("RUBBISH")
    stage.hands.until("RUBBISH")
    stage.hands.press(key)
    stage.hands.until(without("RUBBISH"))
    stage.hands.until("number 119")


@proof("help")
def _(stage: Stage, key: str) -> None:
    do(stage.hands, key)
    stage.hands.until("Your messages")
    close(stage, "Your messages")


@proof("copy")
def _(stage: Stage, key: str) -> None:
    stage.hands.type("copy that")
    stage.hands.until("copy that")
    stage.hands.press(*["shift+left"] * 4, key)
    stage.hands.copied("that")
    stage.hands.press("right", key)
    stage.hands.until(without("copy that"))
    stage.hands.press(key)
    stage.hands.until("Ctrl+Q quits.")


@proof("quit")
def _(stage: Stage, key: str) -> None:
    do(stage.hands, key)
    stage.hands.until(lambda _text: stage.hands.ended())


# -- on a selected message ---------------------------------------------------------------------------------------------


def pick(stage: Stage, text: str) -> None:
    """Send a message and select it."""
    stage.hands.type(text)
    stage.hands.press("enter")
    stage.hands.until(matches(rf"{re.escape(text)}.*✓"))
    stage.hands.press("ctrl+up")
    stage.hands.until("r reply  i info")


def chosen(stage: Stage, text: str) -> None:
    """Is this the message that is selected? Then let go of it."""
    stage.hands.press("i")
    stage.hands.until(text)
    stage.hands.until("on the server's disk")
    close(stage, "on the server's disk")
    stage.hands.press("escape")


@proof("msg.up", "msg.down")
def _(stage: Stage, key: str) -> None:
    say(stage, ("#aa", "upper"), ("#aa", "middle"), ("#aa", "lower"))
    stage.hands.press("alt+2")
    stage.hands.until("lower")
    stage.hands.press("ctrl+up")
    stage.hands.until("r reply  i info")
    if key in ("up", "k", "ctrl+up"):
        stage.hands.press(key)
    else:
        stage.hands.press("up", "up", key)
    chosen(stage, "duck: middle")
    home(stage)
    seen(stage)


@proof("msg.reply")
def _(stage: Stage, key: str) -> None:
    stage.hands.press("ctrl+up", key)
    stage.hands.until("#all ↳ duck>")
    stage.hands.type("an answer")
    stage.hands.press("enter")
    stage.hands.until(matches(r"↳ duck: number 119[\s\S]*an answer"))
    stage.world.say(*(("#all", f"number {number}") for number in range(60, 120)))
    stage.hands.until(without("an answer"))


@proof("msg.info")
def _(stage: Stage, key: str) -> None:
    pick(stage, f"who has this by {key}")
    stage.hands.press(key)
    stage.hands.until("on the server's disk, number")
    stage.hands.until(matches("waiting|delivered"))
    close(stage, "on the server's disk")
    again(stage)


def again(stage: Stage) -> None:
    """Let go of the message, and have the old last line again."""
    stage.hands.press("escape", "escape")
    stage.world.say(("#all", "number 119"))
    stage.hands.until(matches("number 119[^│]*│[^│]*│?$|number 119"))


@proof("msg.copy")
def _(stage: Stage, key: str) -> None:
    pick(stage, f"copy me by {key}")
    stage.hands.press(key)
    stage.hands.copied(f"copy me by {key}")
    again(stage)


@proof("msg.open")
def _(stage: Stage, key: str) -> None:
    pick(stage, f"https://example.org/{stage.hands.name}")
    stage.hands.press(key)
    wanted = f"https://example.org/{stage.hands.name}"
    stage.hands.until(lambda _text: stage.browser.exists() and wanted in stage.browser.read_text())
    again(stage)


@proof("msg.edit")
def _(stage: Stage, key: str) -> None:
    pick(stage, "a tpyo")
    stage.hands.press(key)
    stage.hands.until("edit> a tpyo")
    stage.hands.press("ctrl+u")
    stage.hands.type("a typo")
    stage.hands.until("edit> a typo")
    stage.hands.press("enter")
    stage.hands.until(lambda text: "a typo" in text and "a tpyo" not in text and "edit>" not in text)
    again(stage)


@proof("msg.delete")
def _(stage: Stage, key: str) -> None:
    pick(stage, "gone soon")
    stage.hands.press(key)
    stage.hands.until("Delete this message for everybody?")
    stage.hands.press("down", "enter")
    stage.hands.until(without("gone soon"))
    again(stage)


@proof("msg.resend")
def _(stage: Stage, key: str) -> None:
    do(stage.hands, "/msg ghost are you there")
    room_is(stage, "ghost")
    stage.hands.until(matches("are you there +✗"))
    stage.world.say(("#all", "number 119"), by="ghost")
    stage.hands.press("ctrl+up", key)
    stage.hands.until(matches("are you there +✓"))
    do(stage.hands, "/leave")
    room_is(stage, "#all")
