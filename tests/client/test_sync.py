"""The synchronous face is the asynchronous one: the same methods, the same texts."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Iterator

import pytest

from support.fakechat import FakeChat, cut_stored
from tcpchat.client import Client, Sent, Unknown, sync
from tcpchat.client.sync import SyncClient, SyncSent

LOOP_ONLY = {"begin", "is_me", "reconnect_now"}  # for programs with a loop; what they tell is in events and state
TIMED = {"messages", "events"}  # take a timeout, and tell of it


def public(kind: type) -> set[str]:
    return {name for name, value in vars(kind).items() if not name.startswith("_")}


def test_nothing_is_missing() -> None:
    assert public(Client) - public(SyncClient) - LOOP_ONLY == {"device", "error", "latency"}
    assert {"accepted", "delivered", "read", "reached"} <= public(SyncSent)


@pytest.mark.parametrize(
    ("there", "here", "name"),
    [
        *((Client, SyncClient, name) for name in sorted(public(Client) & public(SyncClient) - TIMED)),
        *((Sent, SyncSent, name) for name in ("accepted", "delivered", "read", "reached")),
    ],
    ids=lambda one: one if isinstance(one, str) else one.__name__,
)
def test_help_tells_the_same(there: type, here: type, name: str) -> None:
    text = inspect.getdoc(getattr(here, name))
    assert text
    assert text == inspect.getdoc(getattr(there, name))
    one, other = getattr(there, name), getattr(here, name)
    if callable(one):
        assert list(inspect.signature(one).parameters) == list(inspect.signature(other).parameters)


@pytest.fixture
def fake() -> Iterator[FakeChat]:
    """A chat that can be told to fail, on a loop of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    chat = FakeChat()
    asyncio.run_coroutine_threadsafe(chat.start(), loop).result()
    yield chat
    asyncio.run_coroutine_threadsafe(chat.stop(), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def test_what_is_doubtful_is_sent_again_or_let_go(fake: FakeChat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TCPCHAT_TLS", "never")
    fake.rules.append(cut_stored)
    fake.on_hello += [lambda link: False, lambda link: bool(fake.devices.clear())]  # type: ignore[func-returns-value]
    fake.forgot = 1
    with sync.connect(fake.address, "duck") as duck:
        sent = duck.send("#all", "once")
        with pytest.raises(Unknown):
            sent.accepted(10)
        (doubtful,) = duck.doubtful
        assert doubtful.state == "unknown"
        again = duck.resend(doubtful).accepted(10)
        assert again.seq == 2
        assert duck.doubtful == duck.pending == []
        assert not duck.cancel(again)
    assert fake.texts == ["once", "once"]
