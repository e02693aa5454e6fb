"""Forms of HTTP and WebSocket that decide how well a server stands: cut bytes, smuggling, keep-alive, closing."""

from __future__ import annotations

import gzip
import json
import re
import socket
from collections.abc import Iterator
from contextlib import closing
from importlib.resources import files
from pathlib import Path

import pytest

import tcpchat
from tcpchat.core import model as m
from tcpchat.doors.web.assets import KEEP, assets
from tcpchat.doors.web.door import IDLE_SECONDS, WebDoor, WebSettings

UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
SECRET = "a-secret-of-enough-letters"
PAGE = Path(str(files("tcpchat.doors.web").joinpath("page")))


def door(**settings: object) -> WebDoor:
    return WebDoor(WebSettings(**settings), address="10.0.0.1")  # type: ignore[arg-type]


def answer(data: bytes, **settings: object) -> tuple[WebDoor, bytes]:
    made = door(**settings)
    made.receive(data, 1.0)
    return made, made.data_to_send()


def masked(payload: bytes, opcode: int = 1, fin: bool = True) -> bytes:
    """A frame as a client sends it, with a mask of zeros."""
    assert len(payload) < 126
    return bytes([opcode | (128 if fin else 0), 128 | len(payload), 0, 0, 0, 0]) + payload


# -- the door alone ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "head",
    [
        b"POST /ops HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST /ops HTTP/1.0\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST /ops HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked, identity\r\n\r\n",
        b"POST /ops HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: xchunked\r\n\r\n",
        b"POST /ops HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3, 4\r\n\r\n",
        b"POST /ops HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0x3\r\n\r\n",
        b"POST /ops HTTP/1.1\r\nHost: localhost\r\nHost: b\r\n\r\n",
        b"POST /ops HTTP/1.1\r\n Host: localhost\r\n\r\n",
        b"POST /ops HTTP/1.1\r\nHost: localhost\r\nX Y: z\r\n\r\n",
        b"POST /ops HTTP/1.1\r\nHost: localhost\r\nX: \x00\r\n\r\n",
        b"POST /ops HTTP/2.0\r\nHost: localhost\r\n\r\n",
    ],
)
def test_two_readings_are_refused_and_end_the_connection(head: bytes) -> None:
    made, out = answer(head + b"0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert out.split(b" ")[1] in (b"400", b"501", b"505"), out[:60]
    assert out.count(b"HTTP/1.1 ") == 1
    assert made.closing


def test_a_folded_header_cannot_hide_one() -> None:
    _, out = answer(b"GET /nothing/here HTTP/1.1\r\nHost: localhost\r\nX: 1\r\n Content-Length: 50\r\n\r\n")
    assert out.split(b" ")[1] in (b"400", b"404")


def test_every_cut_gives_the_same_answers() -> None:
    data = b"GET /app.js HTTP/1.1\r\nHost: [::1]\r\n\r\nHEAD / HTTP/1.1\r\nHost: [::1]\r\nConnection: close\r\n\r\n"
    expected = [line for line in answer(data)[1].split(b"\r\n") if not line.startswith(b"Date")]
    for cut in range(1, len(data)):
        made = door()
        made.receive(data[:cut], 1.0)
        made.receive(data[cut:], 1.0)
        assert [line for line in made.data_to_send().split(b"\r\n") if not line.startswith(b"Date")] == expected
        assert made.closing


def test_a_websocket_cut_anywhere() -> None:
    data = UPGRADE + masked(b'{"t":"ping"}', fin=False) + masked(b"x", 9) + masked(b"", 0)
    for cut in range(1, len(data)):
        made = door()
        commands = made.receive(data[:cut], 1.0) + made.receive(data[cut:], 1.0)
        assert commands == [m.Ping()]
        assert made.data_to_send().endswith(b"\x8a\x01x")


def test_idle_connections_end() -> None:
    made, _ = answer(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    made.tick(1.0 + IDLE_SECONDS - 1)
    assert not made.closing
    made.tick(1.0 + IDLE_SECONDS + 1)
    assert made.closing


def test_continue_is_said_before_a_body_and_not_before_one_too_large() -> None:
    head = b"POST /ops?token=x HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n"
    assert answer(head % 5)[1].startswith(b"HTTP/1.1 100")
    assert answer(head % 500_000)[1].startswith(b"HTTP/1.1 413")


def test_other_upgrades_are_not_taken() -> None:
    head = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    assert answer(head)[1].startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    "change",
    [
        (b"GET", b"POST"),
        (b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", b""),
        (b"Connection: Upgrade\r\n", b""),
        (b"dGhlIHNhbXBsZSBub25jZQ==", b"short"),
        (b"Version: 13", b"Version: 7"),
    ],
)
def test_bad_upgrades_are_answered(change: tuple[bytes, bytes]) -> None:
    made, out = answer(UPGRADE.replace(*change))
    assert out.split(b" ")[1] in (b"400", b"405", b"426")
    assert made.closing


@pytest.mark.parametrize(
    ("origin", "host", "taken"),
    [
        (b"http://here", b"here", True),
        (b"https://here:6060", b"here:6060", True),
        (b"http://here.evil.example", b"here", False),
        (b"null", b"here", False),
        (b"https://intranet.example", b"here", True),
    ],
)
def test_origins(origin: bytes, host: bytes, taken: bool) -> None:
    head = UPGRADE.replace(b"Host: localhost", b"Host: " + host + b"\r\nOrigin: " + origin)
    _, out = answer(head, origins=("https://intranet.example",), names=lambda: ("here",))
    assert out.startswith(b"HTTP/1.1 101" if taken else b"HTTP/1.1 403")


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (masked(b"\x03\xe8", 8), 1000),
        (masked(b"\x03\xed", 8), 1002),  # 1005 may not be sent
        (masked(b"\x03", 8), 1002),  # half a code
        (masked(b"\x03\xe8\xff", 8), 1007),  # a reason that is not UTF-8
        (masked(b"x", 0), 1002),  # goes on with nothing
        (masked(b"x", fin=False) + masked(b"y"), 1002),  # a message inside a message
        (b"\xc1\x80\x00\x00\x00\x00", 1002),  # a reserved bit
        (masked(b"\xce", fin=False) + masked(b"\xba\xff", 0), 1007),  # UTF-8 is judged over all fragments
    ],
)
def test_how_a_websocket_closes(frame: bytes, code: int) -> None:
    made, _ = answer(UPGRADE)
    made.receive(frame, 2.0)
    out = made.data_to_send()
    assert out[0] == 0x88
    assert int.from_bytes(out[2:4], "big") == code


def test_fragments_of_many_frames_have_one_limit() -> None:
    made, _ = answer(UPGRADE)
    made.receive(masked(b"x" * 100, fin=False), 2.0)
    for _ in range(700):
        made.receive(masked(b"x" * 100, 0, fin=False), 2.0)
    assert int.from_bytes(made.data_to_send()[2:4], "big") == 1009


def test_a_base_path_is_taken_off_and_its_bare_form_sent_on() -> None:
    made, out = answer(b"GET /chat HTTP/1.1\r\nHost: localhost\r\n\r\n", base_path="/chat")
    assert out.startswith(b"HTTP/1.1 308")
    assert b"Location: /chat/\r\n" in out
    assert not made.closing
    _, out = answer(b"GET /chat/page.css HTTP/1.1\r\nHost: localhost\r\n\r\n", base_path="/chat")
    assert assets()["page.css"].body in out
    assert answer(UPGRADE.replace(b"GET / ", b"GET /chat/ "), base_path="/chat")[1].startswith(b"HTTP/1.1 101")


def test_nobody_may_pose_as_a_proxy() -> None:
    head = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Proto: https\r\n\r\n"
    made, _ = answer(head)
    assert (made.address, made.secure, made.local) == ("10.0.0.1", False, False)
    made, _ = answer(head.replace(b"127.0.0.1", b"192.0.2.7, 10.0.0.2"), proxies=("10.0.0.0/8",))
    assert (made.address, made.secure) == ("192.0.2.7", True)
    made, _ = answer(head.replace(b"127.0.0.1", b"not an address"), proxies=("10.0.0.0/8",))
    assert not made.local


def test_weight_of_the_page() -> None:
    """As a browser gets it, which takes gzip: the page and all files of its version."""
    sent = {name: len(asset.gzipped) for name, asset in assets().items() if not name or asset.cache == KEEP}
    assert len(sent) == len(list(PAGE.iterdir()))
    assert 20_000 < sum(sent.values()) <= 60_000


def test_files_are_sent_as_they_are() -> None:
    for source in PAGE.iterdir():
        if source.name != "index.html":
            assert assets()[source.name].body == source.read_bytes()


def test_what_the_page_names_may_be_kept() -> None:
    """Each link of the page leads to a file of this version; every module is asked for before it is imported."""
    page = assets()[""].body.decode()
    links = re.findall(r'(?:href|src)="([^"]+)"', page)
    assert {assets()[link].cache for link in links} == {KEEP}
    version = links[0].partition("/")[0]
    assert set(links) == {f"{version}/{source.name}" for source in PAGE.iterdir() if source.name != "index.html"}
    preloaded = re.findall(r'rel="modulepreload" href="[^"/]+/([^"]+)"', page)
    assert sorted([*preloaded, "app.js"]) == sorted(s.name for s in PAGE.iterdir() if s.name.endswith(".js"))
    _, head = answer(f"GET /{version}/app.js HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    assert b"Cache-Control: public, max-age=31536000, immutable\r\n" in head
    _, head = answer(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert b"Cache-Control: no-cache\r\n" in head


def test_a_file_of_another_version_is_not_there() -> None:
    _, out = answer(b"GET /0123456789abcdef/app.js HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert out.startswith(b"HTTP/1.1 404")


@pytest.mark.parametrize(
    ("accepted", "encoded"),
    [
        ("", False),
        ("gzip, deflate, br", True),
        ("br;q=1, GZIP;q=0.5", True),
        ("gzip;q=0, br", False),
        ("x-gzip", False),
    ],
)
def test_who_takes_gzip_gets_it(accepted: str, encoded: bool) -> None:
    head = b"GET /app.js HTTP/1.1\r\nHost: localhost\r\n"
    _, said = answer(head + (f"Accept-Encoding: {accepted}\r\n".encode() if accepted else b"") + b"\r\n")
    headers, _, body = said.partition(b"\r\n\r\n")
    assert (b"content-encoding: gzip" in headers.lower()) == encoded
    assert b"vary: accept-encoding" in headers.lower()
    assert (gzip.decompress(body) if encoded else body) == assets()["app.js"].body


# -- over sockets ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tcpchat.Server]:
    with tcpchat.Server.in_thread(port=0, data=tmp_path_factory.mktemp("forms")) as running:
        yield running


def request(peer: socket.socket, head: str, body: bytes = b"") -> tuple[int, bytes]:
    """One request and its answer on a connection that stays open."""
    peer.sendall(head.encode() + b"\r\n\r\n" + body)
    reader = peer.makefile("rb")
    status = int(reader.readline().split()[1])
    length = 0
    while (line := reader.readline()) != b"\r\n":
        name, _, value = line.partition(b":")
        length = int(value) if name.lower() == b"content-length" else length
    return status, b"" if head.startswith("HEAD") else reader.read(length)


def test_one_connection_many_requests(server: tcpchat.Server) -> None:
    with closing(socket.create_connection(("127.0.0.1", server.port), 10)) as peer:
        assert request(peer, "GET /page.css HTTP/1.1\r\nHost: localhost") == (200, assets()["page.css"].body)
        assert request(peer, "HEAD /healthz HTTP/1.1\r\nHost: localhost")[0] == 200
        assert request(peer, "GET /no/such HTTP/1.1\r\nHost: localhost")[0] == 404
        assert json.loads(request(peer, "GET /healthz HTTP/1.1\r\nHost: localhost")[1])["ok"]


def test_who_has_said_all_still_gets_the_answer(server: tcpchat.Server) -> None:
    for path in ("/", "/healthz", "/nothing/here"):
        with closing(socket.create_connection(("127.0.0.1", server.port), 10)) as peer:
            peer.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            peer.shutdown(socket.SHUT_WR)
            assert peer.recv(12).startswith(b"HTTP/1.1 ")
            while peer.recv(65536):
                pass


def post(
    server: tcpchat.Server, query: str, *headers: str, body: bytes = b"disk full"
) -> tuple[int, dict[str, object]]:
    with closing(socket.create_connection(("127.0.0.1", server.port), 20)) as peer:
        lines = [f"POST /ops{query} HTTP/1.0", "Host: a", f"Content-Length: {len(body)}", *headers]
        peer.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        out = b""
        while piece := peer.recv(65536):
            out += piece
        return int(out.split(b" ")[1]), json.loads(out.partition(b"\r\n\r\n")[2])


def test_a_token_lives_until_it_is_revoked(server: tcpchat.Server) -> None:
    with tcpchat.sync.connect(f"127.0.0.1:{server.port}", "alice", outbox=None) as chat:
        chat.join("#ops")
        chat.command(m.Password("", new="correct horse"))  # guests make no tokens
        chat.command(m.Admin("token", {"room": "#ops", "name": "monitor", "secret": SECRET}))
        listed = chat.command(m.Admin("tokens", {"room": "#ops"}))
        assert SECRET not in repr(listed)
        status, said = post(server, "", f"Authorization: Bearer {SECRET}")
        assert (status, said["state"]) == (200, "accepted")
        assert isinstance(said["seq"], int)
        status, said = post(server, "?wait=delivered&timeout=0", f"Authorization: Bearer {SECRET}")
        assert (status, said["state"]) == (202, "accepted")
        assert post(server, "?wait=never", f"Authorization: Bearer {SECRET}")[0] == 400
        assert post(server, "", "Authorization: Bearer " + SECRET[:-1])[0] == 403
        assert post(server, f"?token={SECRET}", body=b"\xff")[0] == 400
        assert isinstance(listed, m.Done)
        (start,) = next(iter(listed.data.values()))
        chat.command(m.Admin("token_revoke", {"room": "#ops", "token": start}))
        assert post(server, "", f"Authorization: Bearer {SECRET}")[0] == 403


# -- by what name, and by whom -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:6060", 200),
        ("LOCALHOST.", 200),
        ("page.localhost", 200),
        ("127.0.0.1:6060", 200),
        ("192.0.2.7", 200),
        ("[::1]:6060", 200),
        ("[fe80::1%25eth0]", 200),
        ("Chat.Example.org", 200),
        ("a.rooms.example.org", 200),
        ("", 200),
        ("evil.example:6060", 421),
        ("chat.example.org.evil.example", 421),
        ("rooms.example.org", 421),
        ("127.0.0.1.evil.example", 421),
        ("localhost.evil.example", 421),
        ("127.1evil", 421),
    ],
)
def test_a_page_is_served_by_own_names_only(host: str, status: int) -> None:
    told: list[str] = []
    names = lambda: ("chat.example.org", "*.rooms.example.org")  # noqa: E731
    request = b"GET /app.js HTTP/1.1\r\nHost: " + host.encode() + b"\r\n\r\n"
    _, out = answer(request, names=names, warn=told.append)
    assert int(out.split(b" ")[1]) == status
    assert [text for text in told if "--names" in text] == told
    assert bool(told) == (status == 421)
    _, shaken = answer(UPGRADE.replace(b"localhost", host.encode()), names=names)
    assert int(shaken.split(b" ")[1]) == (101 if status == 200 else 421)


@pytest.mark.parametrize(
    "header",
    [b"X-Forwarded-For: 203.0.113.5", b"X-Forwarded-Proto: https", b"Forwarded: for=203.0.113.5", b"Via: 1.1 nginx",
     b"X-Real-IP: 203.0.113.5", b"CF-Connecting-IP: 203.0.113.5"],
)  # fmt: skip
def test_who_comes_by_an_unnamed_proxy_is_not_at_this_machine(header: bytes) -> None:
    told: list[str] = []
    made = WebDoor(WebSettings(warn=told.append), address="127.0.0.1", local=True)
    made.receive(UPGRADE.replace(b"\r\n\r\n", b"\r\n" + header + b"\r\n\r\n"), 1.0)
    assert (made.address, made.local, made.secure) == ("127.0.0.1", False, False)
    assert "--proxies" in told[0]


@pytest.mark.parametrize("header", [b"", b"X-Forwarded-For: unknown\r\n", b"X-Forwarded-For: \r\n"])
def test_a_named_proxy_that_says_for_nobody_asks_for_nobody_here(header: bytes) -> None:
    made = WebDoor(WebSettings(proxies=("127.0.0.1",)), address="127.0.0.1", local=True)
    made.receive(b"GET /healthz HTTP/1.1\r\nHost: evil.example\r\n" + header + b"\r\n", 1.0)
    assert (made.address, made.local) == ("127.0.0.1", False)


def test_a_warning_is_given_once(tmp_path_factory: pytest.TempPathFactory, caplog: pytest.LogCaptureFixture) -> None:
    with tcpchat.Server.in_thread(port=0, data=tmp_path_factory.mktemp("names"), names="chat.example.org") as running:
        for host, status in (("evil.example", 421), ("evil.example", 421), ("chat.example.org", 200)):
            with closing(socket.create_connection(("127.0.0.1", running.port), 10)) as peer:
                assert request(peer, f"GET /healthz HTTP/1.1\r\nHost: {host}")[0] == status
    assert caplog.text.count("evil.example") == 1
