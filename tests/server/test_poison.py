"""A fault of ours in one event or entry stays alone: real sockets, and a door or a chat that fails on one text."""

from __future__ import annotations

from typing import Any

import pytest

from support.rawpeer import Peer, Start
from tcpchat.core import chat as core_chat
from tcpchat.core import feed
from tcpchat.core.model import Message, Said
from tcpchat.doors import native

POISON = "poison"


@pytest.fixture
def sour(monkeypatch: pytest.MonkeyPatch) -> None:
    """The native door cannot encode a message with this text."""
    well = native.encode

    def encode(item: Any) -> bytes:
        if type(item) is Message and item.text == POISON:
            raise ValueError("poison")
        return well(item)

    monkeypatch.setattr(native, "encode", encode)


async def _texts(peer: Peer) -> list[str]:
    return [event["text"] for event in await peer.sync() if event["t"] == "message"]


def _say_five(peer: Peer) -> None:
    """In one piece, so that all are one batch of the log."""
    texts = ("one", "two", POISON, "four", "five")
    peer.raw(
        b"".join(b'{"t":"say","to":"#all","text":"%s","n":%d}\n' % (t.encode(), n) for n, t in enumerate(texts, 1))
    )


@pytest.mark.usefixtures("sour")
async def test_the_rest_of_a_batch_is_told_and_all_of_it_answered(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    server = await start()
    duck, goose = await Peer.enter(server.port, "duck"), await Peer.enter(server.port, "goose")
    _say_five(duck)
    accepted = [(await duck.until("accepted", n=n))["seq"] for n in range(1, 6)]
    assert await _texts(goose) == ["one", "two", "four", "five"]
    assert f"entry {accepted[2]} could not be told" in caplog.text
    await duck.say("#all", "six", 6)
    assert await _texts(goose) == ["six"]  # live again


@pytest.mark.usefixtures("sour")
async def test_who_comes_back_and_missed_it_steps_over_it(start: Start) -> None:
    server = await start()
    goose = await Peer.enter(server.port, "goose", device="g", after=0)
    await goose.gone()
    duck = await Peer.enter(server.port, "duck")
    _say_five(duck)
    await duck.until("accepted", n=5)
    goose = await Peer.enter(server.port, "goose", device="g", after=0)
    assert await _texts(goose) == ["one", "two", "four", "five"]


async def test_an_entry_that_cannot_be_applied_is_answered_and_read_from_the_log(
    start: Start, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    well = core_chat.APPLY[Said]

    def said(chat: Any, entry: Any, fact: Said, out: Any) -> None:
        if fact.text == POISON:
            raise ValueError("poison")
        well(chat, entry, fact, out)

    monkeypatch.setitem(core_chat.APPLY, Said, said)
    server = await start()
    duck, goose = await Peer.enter(server.port, "duck"), await Peer.enter(server.port, "goose")
    _say_five(duck)
    for n in range(1, 4):
        await duck.until("accepted", n=n)
    assert "could not be applied" in caplog.text
    assert (await _texts(goose))[:3] == ["one", "two", POISON]


async def test_an_entry_that_cannot_be_shown_does_not_hide_those_behind_it(
    start: Start, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    well = feed.shown

    def shown(chat: Any, row: Any) -> Any:
        if getattr(row.fact, "text", "") == POISON:
            raise ValueError("poison")
        return well(chat, row)

    server = await start()
    goose = await Peer.enter(server.port, "goose", device="g", after=0)
    await goose.gone()
    duck = await Peer.enter(server.port, "duck")
    _say_five(duck)
    await duck.until("accepted", n=5)
    monkeypatch.setattr(feed, "shown", shown)
    goose = await Peer.enter(server.port, "goose", device="g", after=0)
    assert await _texts(goose) == ["one", "two", "four", "five"]
    assert "could not be shown" in caplog.text
    goose.send("history", to="#all", ref=7)
    page = await goose.until("page", ref=7)
    assert [message["text"] for message in page["messages"]] == ["one", "two", "four", "five"]
