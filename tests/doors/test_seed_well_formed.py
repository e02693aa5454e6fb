"""An original client gets objects of 1,024 bytes that a screen may show, whatever a field of an event holds."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from support.hostile import EVENTS
from tcpchat.core.model import Welcome
from tcpchat.core.text import is_clean
from tcpchat.doors.original.door import SeedDoor
from tcpchat.doors.original.wire import BLOCK


def well_formed(data: bytes) -> None:
    assert len(data) % BLOCK == 0
    for start in range(0, len(data), BLOCK):
        item = json.loads(data[start : start + BLOCK])
        body = item["BODY"]
        for text in body if isinstance(body, list) else [body]:
            assert not isinstance(text, str) or is_clean(text), item


@settings(max_examples=300, deadline=None)
@given(st.lists(EVENTS, max_size=6), st.booleans())
def test_whatever_is_told_the_objects_are_objects(told: list[Any], local: bool) -> None:
    door = SeedDoor(local=local)
    door.receive(b'{"TYPE":"HI","BODY":"foo"}')
    door.deliver(Welcome("foo", 0, 0, state="READY2SERV"))
    for event in told:
        door.deliver(event)
        for _ in range(5):
            well_formed(door.data_to_send())
            door.receive(b'{"TYPE":"MESSACC","BODY":"x"}')
            door.tick()
