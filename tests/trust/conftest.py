from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from support.tlspeer import Start
from tcpchat.client import first_use
from tcpchat.server import Server


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A person with a folder of their own, called me."""
    for name in ("TCPCHAT_TLS", "TCPCHAT_CONFIG", "TCPCHAT_SERVER", "TCPCHAT_PROFILE", "TCPCHAT_TIMEOUT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TCPCHAT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TCPCHAT_USER", "me")
    monkeypatch.setenv("TCPCHAT_LANGUAGE", "en")
    return tmp_path / "home"


@pytest.fixture
def start() -> Iterator[Start]:
    """Start servers in threads; all are stopped at the end."""
    with ExitStack() as stack:

        def begin(**settings: Any) -> Server:
            return stack.enter_context(Server.in_thread(**{"port": 0, "data": None, **settings}))

        yield begin


@pytest.fixture
def server(start: Start) -> Server:
    return start()


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server counts as another machine, though it is this one."""
    monkeypatch.setattr(first_use, "is_loopback", lambda host: False)
