"""Both halves of the native protocol against each other, cut anywhere, and against what no honest peer sends."""

from __future__ import annotations

from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tcpchat.core import model as m
from tcpchat.core.errors import CODES
from tcpchat.doors.native import MAX_FAULTS, MAX_INT, ClientSide, ServerSide, encode

SAY = m.Say(to="@duck", text="quack, кря, 🦆", n=1)


def only_fault(commands: list[m.Command]) -> m.Fault:
    (fault,) = commands
    assert isinstance(fault, m.Fault)
    assert fault.code in CODES
    assert fault.hint
    return fault


def numbers() -> st.SearchStrategy[int]:
    return st.integers(0, MAX_INT)


def of(kind: Any) -> st.SearchStrategy[Any]:
    """Any value of a union of structs, with every field in use."""
    text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)

    def struct(cls: Any) -> st.SearchStrategy[Any]:
        fields = {field.name: value(field.type) for field in msgspec.structs.fields(cls)}
        return st.builds(cls, **fields)

    def value(hint: Any) -> st.SearchStrategy[Any]:
        plain: dict[Any, st.SearchStrategy[Any]] = {
            int: numbers(),
            str: text,
            bool: st.booleans(),
            float: st.floats(0, 1e9),
            type(None): st.none(),
            Any: st.one_of(text, numbers()),
        }
        if hint in plain:
            return plain[hint]
        if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
            return struct(hint)
        args = get_args(hint)
        origin = getattr(hint, "__origin__", None)
        if origin is tuple:
            return st.lists(value(args[0]), max_size=2).map(tuple)
        if origin is dict:
            return st.dictionaries(text, value(args[1]), max_size=2)
        return st.one_of([value(arg) for arg in args])

    return st.one_of([struct(cls) for cls in get_args(kind)])


COMMANDS, EVENTS = of(m.AnyCommand), of(m.AnyEvent)  # made once: it is most of the time of a test


@settings(max_examples=60, deadline=None)
@given(st.lists(COMMANDS, min_size=1, max_size=4), st.data())
def test_commands_arrive_as_they_were_sent(commands: list[Any], data: st.DataObject) -> None:
    client, server = ClientSide(), ServerSide()
    for command in commands:
        client.send(command)
    wire = client.data_to_send()
    cut = data.draw(st.integers(0, len(wire)))
    assert server.receive(wire[:cut] or b"\n") + server.receive(wire[cut:] or b"\n") == commands
    assert client.data_to_send() == b""


@settings(max_examples=60, deadline=None)
@given(st.lists(EVENTS, min_size=1, max_size=4), st.data())
def test_events_arrive_as_they_were_told(events: list[Any], data: st.DataObject) -> None:
    client, server = ClientSide(), ServerSide()
    for event in events:
        server.deliver(event)
        assert server.encode(event) == encode(event)
    wire = server.data_to_send()
    cut = data.draw(st.integers(0, len(wire)))
    assert client.receive(wire[:cut]) + client.receive(wire[cut:]) == events
    assert client.fault == ""
    assert client.skipped == 0


def test_every_cut_and_byte_by_byte() -> None:
    wire = encode(SAY) + b"\r\n" + encode(m.Bye())
    for cut in range(1, len(wire)):
        server = ServerSide()
        assert server.receive(wire[:cut]) + server.receive(wire[cut:]) == [SAY, m.Bye()]
    server = ServerSide()
    assert [c for i in range(len(wire)) for c in server.receive(wire[i : i + 1])] == [SAY, m.Bye()]


BAD = [
    (b"nonsense", "bad_command"),
    (b"{}", "bad_command"),
    (b"[1]", "bad_command"),
    (b'{"t":"nope"}', "bad_command"),
    (b'{"t":"fault","code":"x"}', "bad_command"),
    (b'{"t":"say","to":"@x"}', "bad_command"),
    (b'{"t":"say","to":"@x","text":5}', "bad_command"),
    (b'{"t":"say","to":"@x","text":"\xff"}', "bad_text"),
    (b'{"t":"say","to":"@x","text":"\\ud800"}', "bad_command"),
    (b'{"t":"say","to":"@x","text":"\\udc00\\ud800"}', "bad_command"),
    (b'{"t":"say","to":"@x","text":"a","n":NaN}', "bad_command"),
    (b'{"t":"say","to":"@x","text":"a","n":1e400}', "bad_command"),
    (b'{"t":"say","to":"@x","text":"a","n":-1}', "bad_command"),
    (b'{"t":"say","to":"@x","text":"a","n":' + b"9" * 30 + b"}", "bad_command"),
    (b'{"t":"say","to":"@x","text":"a","n":' + b"9" * 9000 + b"}", "bad_command"),
    (b'{"t":"say","to":"@x","text":"a","ref":' + b"9" * 30 + b"}", "bad_command"),
    (b'{"t":"confirm","seq":9007199254740992}', "bad_command"),
    (b'{"t":"hello","login":"x","after":-2}', "bad_command"),
    (b'{"t":"mode","room":"#a","changes":[{"name":"op","at":' + b"9" * 30 + b"}]}", "bad_command"),
    (b'{"t":"say","to":"@x","text":"a","x":' + b"[" * 20000 + b"]" * 20000 + b"}", "bad_command"),
    (b"[" * 60000, "bad_command"),
    (b'{"t":"ping","token":"' + b"x" * 65536 + b'"}', "too_large"),
]


@pytest.mark.parametrize(("line", "code"), BAD, ids=lambda item: repr(item)[:50])
def test_a_bad_line_is_a_fault_and_the_next_is_good(line: bytes, code: str) -> None:
    server = ServerSide()
    assert only_fault(server.receive(line + b"\n")).code == code
    assert server.receive(encode(SAY)) == [SAY]


@pytest.mark.parametrize("ref", [7, "a"])
def test_a_fault_says_whose_answer_it_is(ref: int | str) -> None:
    line = msgspec.json.encode({"t": "say", "to": 5, "ref": ref})
    assert only_fault(ServerSide().receive(line + b"\n")).ref == ref


def test_a_line_without_end_keeps_no_memory() -> None:
    server = ServerSide(max_line=1000)
    commands = [c for _ in range(200) for c in server.receive(b"x" * 100)]
    assert only_fault(commands).code == "too_large"
    assert server.receive(b"still the same line\n" + encode(SAY)) == [SAY]
    assert server.receive(b"y" * 600) == []
    assert only_fault(server.receive(b"y" * 600 + b"\n")).code == "too_large"
    assert server.receive(encode(SAY)) == [SAY]


def test_a_hello_may_ask_for_nothing_old() -> None:
    assert ServerSide().receive(b'{"t":"hello","login":"x","after":-1}\n') == [m.Hello(login="x", after=-1)]


def test_exactly_the_longest_line_is_taken() -> None:
    line = encode(SAY)
    assert ServerSide(max_line=len(line) - 1).receive(line) == [SAY]
    assert only_fault(ServerSide(max_line=len(line) - 2).receive(line)).code == "too_large"


def test_many_faults_in_a_row_end_it() -> None:
    server = ServerSide()
    for _ in range(3):  # a good line in between forgives
        commands = server.receive(b"x\n" * (MAX_FAULTS - 1) + encode(SAY))
        assert not any(isinstance(c, m.Fault) and c.fatal for c in commands)
    commands = server.receive(b"x\n" * 100)
    assert len(commands) == MAX_FAULTS
    assert isinstance(commands[-1], m.Fault)
    assert commands[-1].fatal
    assert server.receive(encode(SAY)) == []


def test_the_end_of_the_stream() -> None:
    server = ServerSide()
    server.receive(encode(SAY)[:-1])
    assert server.receive(b"") == [SAY]  # `printf '{...}' | nc` sends no newline
    server.receive(encode(SAY)[:-5])
    assert server.receive(b"") == []  # cut off: nothing was said
    assert server.receive(b"") == []
    server.receive(b'{"t":"confirm","seq":-1}')
    assert server.receive(b"") == []


def test_door_odds_and_ends() -> None:
    server = ServerSide(address="10.0.0.1", secure=True, local=True)
    assert (server.name, server.dialect, server.ready, server.mark(9), server.tick(0.0)) == (
        "native", "native", True, b"", []
    )  # fmt: skip
    server.deliver(m.Refused(code="in_use", text=""))
    assert not server.closing
    server.deliver(m.Refused(code="banned", text="", fatal=True))
    assert server.closing
    server = ServerSide()
    server.deliver(m.Goodbye())
    assert server.closing


def test_half_characters_do_no_harm() -> None:
    client, server = ClientSide(), ServerSide()
    client.send(m.Say(to="#all", text="a\udcffb", tags={"\ud800": "x"}))
    (say,) = server.receive(client.data_to_send())
    assert isinstance(say, m.Say)
    assert say.text == "a\ufffdb"
    server.deliver(m.Done(ref=1, data={"list": ["\udcff", {"a": 1}]}))
    (done,) = client.receive(server.data_to_send())
    assert isinstance(done, m.Done)
    assert done.data == {"list": ["\ufffd", {"a": 1}]}


def test_newer_peers_are_understood() -> None:
    client = ClientSide()
    events = client.receive(b'{"t":"fireworks","x":[1]}\n\r\n{"t":"ping","token":"a","colour":"red"}\n')
    assert events == [m.Pinged(token="a")]
    assert (client.skipped, client.fault) == (1, "")
    assert ServerSide().receive(b'{"t":"ping","token":"a","colour":{"red":1}}\n') == [m.Ping(token="a")]


@pytest.mark.parametrize(
    ("line", "word"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n", "HTTP/1.1"),
        (b'{"t":"message","seq":"one"}\n', "bad message"),
        (b"[]\n", "not a tcpchat server"),
        (b"x" * 5000, "more than"),
        (b'{"t":"page","to":"' + b"[" * 10 + b"\xff", ""),
        (b'{"t":"done","ref":1,"data":{"a":' + b"[" * 2000 + b"]" * 2000 + b"}}\n", ""),
    ],
)
def test_a_client_says_what_is_wrong_with_the_server(line: bytes, word: str) -> None:
    client = ClientSide(max_line=4100)
    assert client.receive(line) == []
    assert word in client.fault
    if client.fault:
        assert client.receive(encode(m.Pinged())) == []


@settings(max_examples=200, deadline=None)
@given(st.lists(st.binary(max_size=60), max_size=10))
def test_random_bytes_raise_nothing(chunks: list[bytes]) -> None:
    server, client = ServerSide(max_line=100), ClientSide(max_line=100)
    for chunk in chunks:
        for command in server.receive(chunk):
            assert isinstance(command, m.Command)
        client.receive(chunk)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_damaged_lines_raise_nothing(data: st.DataObject) -> None:
    line = bytearray(encode(data.draw(COMMANDS)))
    for _ in range(data.draw(st.integers(1, 4))):
        line[data.draw(st.integers(0, len(line) - 1))] = data.draw(st.integers(0, 255))
    for command in ServerSide().receive(bytes(line)):
        assert isinstance(command, m.Command)
        encode(command)
