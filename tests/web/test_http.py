"""The web door over real sockets: pages, limits, smuggling forms, posting, streams, WebSocket."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from websockets.sync.client import connect

import tcpchat
from tcpchat.core import model as m
from tcpchat.core.proofs import proof_text
from tcpchat.doors.web import hooks
from tcpchat.doors.web.assets import assets
from tcpchat.doors.web.door import HEAD_SECONDS, MAX_BODY, WebDoor, WebSettings
from tcpchat.trust.keys import Key

TOKEN = "a-token-that-is-long-enough"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tcpchat.Server]:
    with tcpchat.Server.in_thread(port=0, data=tmp_path_factory.mktemp("web")) as running:
        yield running


@pytest.fixture(scope="module")
def room(server: tcpchat.Server) -> Iterator[str]:
    """A room with a token, made by its operator."""
    with tcpchat.sync.connect(f"127.0.0.1:{server.port}", "alice", outbox=None) as chat:
        chat.join("#ops")
        chat.command(m.Password("", new="correct horse"))  # guests make no tokens
        chat.command(m.Admin("token", {"room": "#ops", "name": "monitor", "secret": TOKEN}))
        yield "ops"


def talk(server: tcpchat.Server, data: bytes, *, half_close: bool = False) -> bytes:
    """Send bytes, return everything until the server closes."""
    with closing(socket.create_connection(("127.0.0.1", server.port), 10)) as own:
        own.sendall(data)
        if half_close:
            own.shutdown(socket.SHUT_WR)
        out = b""
        while piece := own.recv(65536):
            out += piece
        return out


def get(
    server: tcpchat.Server, path: str, *headers: str, method: str = "GET", body: bytes = b""
) -> tuple[int, dict[str, str], bytes]:
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", "Connection: close", *headers]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    answer = talk(server, "\r\n".join(lines).encode() + b"\r\n\r\n" + body)
    head, _, rest = answer.partition(b"\r\n\r\n")
    first, *fields = head.decode().split("\r\n")
    found = {name.lower(): value.strip() for name, _, value in (field.partition(":") for field in fields)}
    if found.get("transfer-encoding") == "chunked":
        rest = unchunked(rest)
    return int(first.split()[1]), found, rest


def unchunked(data: bytes) -> bytes:
    out = b""
    while data:
        size, _, data = data.partition(b"\r\n")
        out, data = out + data[: int(size, 16)], data[int(size, 16) + 2 :]
    return out


def test_the_page_with_its_headers(server: tcpchat.Server) -> None:
    status, headers, body = get(server, "/")
    assert status == 200
    assert b"<!doctype html>" in body
    assert "default-src 'self'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    again, headers, body = get(server, "/", f"If-None-Match: {headers['etag']}")
    assert (again, body) == (304, b"")


@pytest.mark.parametrize("name", sorted(name for name in assets() if "/" not in name))
def test_every_file_of_the_page(server: tcpchat.Server, name: str) -> None:
    status, headers, body = get(server, f"/{name}")
    assert (status, body) == (200, assets()[name].body)
    assert headers["content-type"] == assets()[name].type


def test_head_has_no_body(server: tcpchat.Server) -> None:
    status, headers, body = get(server, "/", method="HEAD")
    assert (status, body) == (200, b"")
    assert int(headers["content-length"]) == len(assets()[""].body)


@pytest.mark.parametrize(
    "path",
    ["/../pyproject.toml", "/%2e%2e/server.py", "/page/../web.py", "//etc/passwd", "/.", "/index.html/", "/a/b/c"],
)
def test_no_file_outside_the_page(server: tcpchat.Server, path: str) -> None:
    assert get(server, path)[0] == 404


def test_pipelined_requests_are_answered_in_order(server: tcpchat.Server) -> None:
    one = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    two = b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    answer = talk(server, one + two)
    assert answer.count(b"HTTP/1.1 200") == 2
    assert answer.index(b'"ok":true') < answer.index(b'"openapi"')


def test_http_1_0_ends_with_the_answer(server: tcpchat.Server) -> None:
    assert talk(server, b"GET /healthz HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"POST /ops HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nContent-Length: 5\r\n\r\nabc",
        b"POST /ops HTTP/1.1\r\nHost: localhost\r\nContent-Length: +3\r\n\r\nabc",
        b"POST /ops HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n",
        b"POST /ops HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\n\r\nabc",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        b"GET /\x01 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ],
)
def test_requests_that_two_servers_could_read_two_ways(server: tcpchat.Server, request_bytes: bytes) -> None:
    answer = talk(server, request_bytes, half_close=True)
    assert answer.split(b" ")[1] in (b"400", b"501"), answer[:80]


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("text/plain", b"alpha\r\nomega\r\n"),
        ("text/plain", b"\xef\xbb\xbfalpha\nomega"),
        ("application/json", b'\xef\xbb\xbf{"text":"alpha\\nomega"}'),
        ("application/json; charset=utf-8", b'{"text":"alpha\\r\\nomega"}'),
    ],
)
def test_what_windows_posts_is_the_same_text(server: tcpchat.Server, room: str, kind: str, body: bytes) -> None:
    headers = (f"Authorization: Bearer {TOKEN}", f"Content-Type: {kind}")
    status, _, answer = get(server, f"/{room}", *headers, method="POST", body=body)
    assert status == 200, answer
    _, _, answer = get(server, f"/{room}/messages?limit=1", headers[0])
    assert json.loads(answer)["messages"][-1]["text"] == "alpha\nomega"


def test_heads_and_bodies_have_limits(server: tcpchat.Server) -> None:
    huge = b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 20_000
    assert talk(server, huge, half_close=True).split(b" ")[1] in (b"400", b"431")
    assert get(server, "/ops", "Content-Length: 999999", method="POST")[0] == 413
    chunks = b"%x\r\n%s\r\n" % (MAX_BODY + 1, b"x" * (MAX_BODY + 1))
    head = b"POST /ops HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert b" 413 " in talk(server, head + chunks, half_close=True)


def test_requests_go_on_behind_the_time_for_a_hello(tmp_path: Path) -> None:
    with (
        tcpchat.Server.in_thread(port=0, data=tmp_path, auth_seconds=0.3) as running,
        closing(socket.create_connection(("127.0.0.1", running.port), 10)) as own,
        closing(socket.create_connection(("127.0.0.1", running.port), 10)) as late,
    ):
        answer = own.makefile("rb")
        own.sendall(b"HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        while answer.readline() != b"\r\n":
            pass
        late.sendall(
            b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        while late.recv(65536):
            pass  # a WebSocket that says no hello is closed: then the time has passed for the other one too
        own.sendall(b"GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert answer.readline().startswith(b"HTTP/1.1 404")


def test_a_dripping_request_ends() -> None:
    door = WebDoor(address="127.0.0.1")
    assert door.receive(b"GET / HT", 100.0) == []
    door.tick(100.0 + HEAD_SECONDS - 1)
    assert not door.closing
    door.tick(100.0 + HEAD_SECONDS + 1)
    assert door.closing
    assert b" 408 " in door.data_to_send()


def test_only_named_proxies_are_believed() -> None:
    request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 9.9.9.9, 203.0.113.5\r\n\r\n"
    honest = WebDoor(WebSettings(), address="10.0.0.1")
    honest.receive(request, 1.0)
    assert honest.address == "10.0.0.1"
    behind = WebDoor(WebSettings(proxies=("10.0.0.0/8",)), address="10.0.0.1")
    behind.receive(request, 1.0)
    assert behind.address == "203.0.113.5"


def test_a_page_below_a_path() -> None:
    door = WebDoor(WebSettings(base_path="/chat"), address="10.0.0.1")
    door.receive(b"GET /chat/app.js HTTP/1.1\r\nHost: localhost\r\n\r\n", 1.0)
    assert assets()["app.js"].body in door.data_to_send()


# -- posting -----------------------------------------------------------------------------------------------------------


def test_posting_in_one_line(server: tcpchat.Server, room: str) -> None:
    status, _, body = get(server, f"/{room}?token={TOKEN}", method="POST", body=b"disk full")
    answer = json.loads(body)
    assert (status, answer["state"]) == (200, "accepted")
    status, _, body = get(server, f"/{room}/messages?after={answer['seq'] - 1}", f"Authorization: Bearer {TOKEN}")
    assert [(one["by"], one["text"]) for one in json.loads(body)["messages"]] == [("monitor/ops", "disk full")]


def test_posting_json(server: tcpchat.Server, room: str) -> None:
    kind = "Content-Type: application/json"
    status, _, body = get(server, f"/{room}?token={TOKEN}", kind, method="POST", body=b'{"text": "\xd0\xb4\xd0\xb0"}')
    assert (status, json.loads(body)["state"]) == (200, "accepted")
    assert get(server, f"/{room}?token={TOKEN}", kind, method="POST", body=b'{"txt": 1}')[0] == 400


def test_posting_may_wait_for_delivery(server: tcpchat.Server) -> None:
    with tcpchat.sync.connect(f"127.0.0.1:{server.port}", "bob") as chat:
        chat.join("#wait")
        chat.command(m.Password("", new="correct horse"))  # guests make no tokens
        chat.command(m.Admin("token", {"room": "#wait", "name": "waiter", "secret": TOKEN + "2"}))
        messages = chat.messages(timeout=20)
        path = f"/wait?token={TOKEN}2&wait=delivered&timeout=15"
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\ntext".encode()
        with closing(socket.create_connection(("127.0.0.1", server.port), 20)) as own:
            own.sendall(head)
            message = next(one for one in messages if not one.system)
            assert message.text == "text"
            chat.read("#wait", message.seq)  # what was read has arrived
            chat.status_now()
            answer = b""
            while piece := own.recv(65536):
                answer += piece
        assert json.loads(unchunked(answer.partition(b"\r\n\r\n")[2]))["state"] == "delivered"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/ops", 401),
        ("/ops?token=wrong-wrong-wrong", 403),
        (f"/all?token={TOKEN}", 403),
        (f"/nowhere?token={TOKEN}", 404),
    ],
)
def test_tokens_open_their_room_only(server: tcpchat.Server, room: str, path: str, status: int) -> None:
    assert get(server, path, method="POST", body=b"x")[0] == status


def test_other_methods_are_told_what_goes(server: tcpchat.Server) -> None:
    status, headers, _ = get(server, "/ops", method="DELETE")
    assert (status, headers["allow"]) == (405, "POST")


def test_a_stream_of_events(server: tcpchat.Server, room: str) -> None:
    with closing(socket.create_connection(("127.0.0.1", server.port), 10)) as own:
        own.sendall(f"GET /{room}/stream?token={TOKEN} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        out = b""
        while b": connected" not in out:
            out += own.recv(65536)
        assert b"text/event-stream" in out
        get(server, f"/{room}?token={TOKEN}", method="POST", body=b"streamed")
        # The poster and the reader are one login on two devices: both hear it.
        while b"data: " not in out:
            out += own.recv(65536)
        data = next(line for line in out.decode().splitlines() if line.startswith("data: "))
        assert json.loads(data[6:])["text"] == "streamed"


def _seqs(server: tcpchat.Server, head: str, count: int) -> list[int]:
    """Numbers of the first messages that a reader of a stream hears."""
    with closing(socket.create_connection(("127.0.0.1", server.port), 10)) as own:
        own.sendall((head + "\r\n\r\n").encode())
        out = b""
        while out.count(b"\ndata: ") < count:
            out += own.recv(65536)
        return [int(line[3:]) for line in out.decode().splitlines() if line.startswith("id:")]


def test_a_stream_goes_on_where_its_reader_was(server: tcpchat.Server, room: str) -> None:
    path = f"/{room}?token={TOKEN}"
    seqs = [json.loads(get(server, path, method="POST", body=b"%d" % n)[2])["seq"] for n in range(4)]
    stream = f"GET /{room}/stream?token={TOKEN}"
    host = " HTTP/1.1\r\nHost: localhost"
    assert _seqs(server, f"{stream}{host}\r\nLast-Event-ID: {seqs[0]}", 3) == seqs[1:]
    assert _seqs(server, f"{stream}&after={seqs[1]}{host}", 2) == seqs[2:]
    assert _seqs(server, f"{stream}&after={seqs[0]}{host}\r\nLast-Event-ID: {seqs[2]}", 1) == seqs[3:]


@pytest.mark.parametrize(
    ("path", "header"),
    [
        ("/messages?limit=\N{SUPERSCRIPT TWO}", ""),
        ("/messages?limit=%C2%B2", ""),
        ("/messages?after=" + "9" * 5_000, ""),
        ("/messages?before=-1", ""),
        ("/messages?before=1e3", ""),
        ("/stream?after=x", ""),
        ("/stream?after=" + "9" * 5_000, ""),
        ("/stream", "Last-Event-ID: x"),
        ("/messages?token=admin:%C3%A9", ""),
        ("/messages?token=" + "x" * 5_000, ""),
        ("/messages", "Authorization: Bearer admin:\xe9"),
    ],
)
def test_what_no_number_or_token_can_be_is_a_bad_request(
    server: tcpchat.Server, room: str, path: str, header: str, caplog: pytest.LogCaptureFixture
) -> None:
    if "token" not in path and "Bearer" not in header:
        path += ("&" if "?" in path else "?") + f"token={TOKEN}"
    head = f"GET /{room}{path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{header}\r\n\r\n"
    status = talk(server, head.replace("\r\n\r\n\r\n", "\r\n\r\n").encode("latin-1")).split(b" ")[1]
    assert status == b"400"
    assert "Traceback" not in caplog.text


BODIES = {
    "CRLF": (b"alpha\r\nomega\r\n", "text/plain"),
    "CR": (b"alpha\romega", "text/plain"),
    "mark": (b"\xef\xbb\xbfalpha\nomega", "text/plain"),
    "curl -d": (b"alpha\nomega", "application/x-www-form-urlencoded"),
    "curl --data-binary": (b"\xef\xbb\xbfalpha\r\nomega", "application/octet-stream"),
    "JSON, mark": (b'\xef\xbb\xbf{"text":"alpha\\nomega"}', "application/json"),
    "JSON, CRLF": (b'{"text":"alpha\\r\\nomega"}', "application/json; charset=UTF-8"),
    "JSON, UTF-16": ('\ufeff{"text":"alpha\\nomega"}'.encode("utf-16-le"), "application/json"),
    "problem+json": (b'{"text":"alpha\\nomega"}', "application/problem+json"),
    "UTF-16": ("\ufeffalpha\r\nomega".encode("utf-16-be"), "text/plain; charset=utf-16"),
    "UTF-16 by its mark": ("\ufeffalpha\r\nomega".encode("utf-16-le"), "text/plain"),
    "Latin-1": (b"alpha\nomega", 'text/plain; charset="ISO-8859-1"'),
}


@pytest.mark.parametrize("kind", BODIES)
def test_a_body_of_any_system_is_the_same_text(server: tcpchat.Server, room: str, kind: str) -> None:
    body, media = BODIES[kind]
    path = f"/{room}?token={TOKEN}"
    status, _, answer = get(server, path, f"Content-Type: {media}", method="POST", body=body)
    assert status == 200, answer
    after = json.loads(answer)["seq"] - 1
    page = json.loads(get(server, f"/{room}/messages?token={TOKEN}&after={after}")[2])
    assert page["messages"][0]["text"] == "alpha\nomega"


@pytest.mark.parametrize(
    ("media", "body", "status"),
    [
        ("multipart/form-data; boundary=x", b"--x\r\n\r\n--x--", 415),
        ("application/x-www-form-urlencoded", b"payload=%7B%22text%22%3A%22x%22%7D", 415),
        ("image/png", b"\x89PNG", 415),
        ("application/xml", b"<a/>", 415),
        ("text/plain; charset=utf-7", b"x", 415),
        ("text/plain; charset=zlib", b"x", 415),
        ("text/plain; charset=koi8-r", b"\xc4\xc1", 200),
        ("text/plain", b"\xff", 400),
        ("text/plain; charset=utf-16", b"\x00\xd8", 400),
        ("application/json", b'"text"', 400),
        ("application/json", b"[" * 30_000, 400),
        ("application/json", b"{", 400),
    ],
)
def test_bodies_of_other_kinds_are_told_so(
    server: tcpchat.Server, room: str, media: str, body: bytes, status: int
) -> None:
    got, _, answer = get(server, f"/{room}?token={TOKEN}", f"Content-Type: {media}", method="POST", body=body)
    assert got == status
    assert status == 200 or json.loads(answer)["text"]


def test_strict_transport_is_asked_for_where_plain_is_not_taken() -> None:
    for tls_only, secure, asked in ((True, True, True), (True, False, False), (False, True, False)):
        door = WebDoor(WebSettings(tls_only=tls_only), address="10.0.0.1", secure=secure)
        door.receive(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", 1.0)
        assert (b"Strict-Transport-Security" in door.data_to_send()) == asked


def test_the_interface_describes_all_routes(server: tcpchat.Server) -> None:
    described = json.loads(get(server, "/openapi.json")[2])["paths"]
    assert {(route.path, route.method.lower()) for route in hooks.ROUTES} == {
        (path, method) for path, methods in described.items() for method in methods
    }


# -- WebSocket ---------------------------------------------------------------------------------------------------------


def test_talking_through_a_websocket(server: tcpchat.Server) -> None:
    with connect(f"ws://127.0.0.1:{server.port}/", subprotocols=["tcpchat.v1"]) as ws:  # type: ignore[list-item]
        ws.send(json.dumps({"t": "hello", "login": "surfer", "device": "d1"}))
        assert json.loads(ws.recv(10))["t"] == "welcome"


def test_pages_of_others_are_refused(server: tcpchat.Server) -> None:
    head = (
        "GET / HTTP/1.1\r\nHost: [::1]\r\nOrigin: http://evil.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    assert talk(server, head.encode()).startswith(b"HTTP/1.1 403")


def test_a_bad_upgrade_is_answered(server: tcpchat.Server) -> None:
    head = "GET / HTTP/1.1\r\nHost: [::1]\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    head += "Sec-WebSocket-Version: 8\r\n\r\n"
    assert talk(server, head.encode()).split(b" ")[1] in (b"400", b"426")


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (b"\x81\x02hi", 1002),  # not masked
        (b"\x81\x82\x00\x00\x00\x00\xff\xfe", 1007),  # not UTF-8
        (b"\x81\xff\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00", 1009),  # 4 GiB announced
        (b"\x09\x80\x00\x00\x00\x00", 1002),  # a fragmented ping
        (b"\x83\x80\x00\x00\x00\x00", 1002),  # an opcode that is none
    ],
)
def test_bad_frames_close_with_the_right_code(server: tcpchat.Server, frame: bytes, code: int) -> None:
    head = (
        "GET / HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    answer = talk(server, head.encode() + frame, half_close=True)
    assert answer.startswith(b"HTTP/1.1 101")
    closing_frame = answer[answer.index(b"\x88") :]
    assert int.from_bytes(closing_frame[2:4], "big") == code


def test_fragments_with_a_ping_between_them(server: tcpchat.Server, tmp_path: Path) -> None:
    with connect(f"ws://127.0.0.1:{server.port}/") as ws:
        ws.send(iter(['{"t":"hello",', '"login":"pieces",', '"device":"d2"}']))
        assert json.loads(ws.recv(10))["login"] == "pieces"


def test_a_proof_of_another_page_is_none(server: tcpchat.Server) -> None:
    """A page cannot see the certificate, but its browser says whose page it is."""
    key, host = Key.make(), f"127.0.0.1:{server.port}"
    for at, answer in (("chat.example", "refused"), (host, "welcome")):
        with connect(f"ws://{host}/", origin=f"http://{host}") as ws:  # type: ignore[arg-type]
            ws.send(json.dumps({"t": "hello", "login": "pagesowner", "key": key.public, "claim": True}))
            challenge = json.loads(ws.recv())
            text = proof_text(challenge["nonce"], "pagesowner", challenge["server"], at, "ws", "")
            ws.send(json.dumps({"t": "proof", "signature": key.sign(text), "at": at}))
            assert json.loads(ws.recv())["t"] == answer
