"""The web door: HTTP/1.1 (h11 parses) for the page and for posting, WebSocket for talking.

A connection is one of three things: requests answered from memory, a request of the posting interface (hooks.py) which
becomes one chat session and ends with the answer, or a WebSocket with a native or an IRC door inside.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from email.utils import formatdate
from http import HTTPStatus
from typing import Any

import h11
from msgspec import Struct
from msgspec.structs import replace

from tcpchat.core.model import AnyEvent, Bye, Command, Goodbye, Proof, Status
from tcpchat.core.sessions import Traits
from tcpchat.doors import Door, Peer, nothing
from tcpchat.doors.native import ServerSide
from tcpchat.doors.web import hooks
from tcpchat.doors.web.assets import SECURITY_HEADERS, TLS_ONLY, assets
from tcpchat.doors.web.exchange import Exchange
from tcpchat.doors.web.visitors import hop, host_of, inside, is_forwarded, loopback, serves
from tcpchat.doors.web.websocket import INNER, WebSocket, frame

MAX_HEAD = 16_384  # bytes of request line and headers: what Apache and nginx allow by default, rounded up
MAX_BODY = 65_536  # bytes; a posted message is far smaller
HEAD_SECONDS = 10.0  # for a whole request head or body, so that dripping bytes holds nothing
IDLE_SECONDS = 60.0  # between two requests of one connection
REQUEST_UNITS = 10  # pieces of work that a request is counted as: it costs as much as so many lines
REQUESTS_A_TURN = 4  # answered before others have their turn
ANSWERS_MAX = 32_768  # bytes of answers that wait here; the next request is looked at when they have been written

Headers = list[tuple[str, str]]


FORWARDED_UNASKED = (
    "a proxy on this machine passes requests on, and is not named in --proxies: its visitors are not told apart"
)
NOT_SERVED = "This is not a name of this server. Its operator can add it: tcpchat serve --names NAME.\n"


def nobody(text: str) -> None:
    """Where nobody wants to be told."""


def native_only(kind: str, peer: Peer) -> Door:
    """What is spoken inside a WebSocket where there is no server."""
    return ServerSide(address=peer.address, secure=peer.secure, local=peer.local)


class WebSettings(Struct, frozen=True, kw_only=True):
    """What an operator may set about the web door."""

    base_path: str = ""  # "/chat" when a reverse proxy serves the chat below that path
    proxies: tuple[str, ...] = ()  # networks whose X-Forwarded-For and X-Forwarded-Proto are believed
    origins: tuple[str, ...] = ()  # more origins whose pages may open a WebSocket
    key: Callable[[], Mapping[str, str]] = dict  # the server's TLS key as people compare it: fingerprint, words
    inner: Callable[[str, Peer], Door] = native_only  # makes the door inside a WebSocket: protocol, visitor
    tls_only: bool = False  # plain is not taken, and the certificate is not self-made
    names: Callable[[], Sequence[str]] = tuple  # by which browsers may ask for this server
    warn: Callable[[str], None] = nobody  # is told what the operator should know, again and again
    exchanges: dict[tuple[str, str], Callable[[h11.Request], Exchange]] = {}  # by method and path: long requests

    @classmethod
    def of(cls, config: Any) -> WebSettings:
        """The web door's part of the server's settings."""
        if config is None or isinstance(config, WebSettings):
            return config or cls()
        proxies, origins = (
            tuple(getattr(config, name, "").replace(",", " ").split()) for name in ("proxies", "origins")
        )
        tls_only = bool(getattr(config, "require_tls", False) and getattr(config, "tls_cert", ""))
        base = getattr(config, "base_path", "")
        return cls(base_path=base, proxies=proxies, origins=origins, tls_only=tls_only)


REQUESTS = Traits(hello_may_wait=True, proof_is_unbound=True)
PAGE = Traits(proof_is_unbound=True)


class WebDoor(Door):
    """One HTTP connection."""

    name = "web"
    piece = 2048

    def __init__(
        self, settings: Any = None, *, address: str = "", secure: bool = False, local: bool = False, certfp: str = ""
    ) -> None:
        self.settings = WebSettings.of(settings)
        self.address, self.secure, self.local = address, secure, local  # of the visitor
        self._peer = Peer(address, secure, local, certfp)  # who connected: a proxy brings many visitors
        self.visitor: Peer = self._peer
        self._wake: Callable[[], None] = nothing
        self.closing = False
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD)
        self._more = False  # there may be another request behind the one that was answered
        self._out: list[bytes] = []
        self._answered = 0  # requests
        self._request: h11.Request | None = None
        self._body = bytearray()
        self._too_large = False
        self._since: float | None = None  # when the present request began
        self._idle_since = 0.0
        self._socket: WebSocket | None = None
        self._inner: Door | None = None
        self._page = ""  # host of the page that opened the WebSocket, as its browser says
        self._call: hooks.Call | None = None
        self._health = False
        self._exchange: Exchange | None = None
        self._answering = False  # the body of the exchange is whole

    # -- in --------------------------------------------------------------------------------------------------

    def receive(self, data: bytes, now: float) -> list[Command]:
        """Take bytes; see Door.receive."""
        if self.closing:
            return []
        if self._socket is not None:
            return self._from_socket(data, now)
        if self._call is not None:
            # The answer is on its way and the connection ends with it: what comes now is not read,
            # but the peer's leaving ends the session.
            return [] if data else [Bye("closed")]
        if not self._http.trailing_data[0]:
            self._idle_since = now  # more bytes of a head that has begun do not give it more time
        try:
            self._http.receive_data(data)
        except h11.RemoteProtocolError as error:
            self._bad_request(error)
            return []
        return self.more(now)

    def more(self, now: float) -> list[Command]:
        """Answer a few requests (pipelined ones too, in order), as long as their answers find room."""
        if self._inner is not None:
            return self._inner.more(now)
        self._more = False
        try:
            return self._requests(now)
        except h11.RemoteProtocolError as error:
            self._bad_request(error)
            return []

    @property
    def traits(self) -> Traits:
        """Requests end by time-outs of this door; in a WebSocket it is what is spoken there, soon. A page cannot see
        its server's certificate: what it signs is bound to the nonce alone."""
        if self._inner is None:
            return REQUESTS
        return self._inner.traits if self._inner.sequential else PAGE

    @property
    def unread(self) -> bool:
        """See Door.unread."""
        return self._inner.unread if self._inner is not None else self._more

    # What holds for the protocol inside a WebSocket holds for the connection.

    @property
    def sequential(self) -> bool:
        return self._inner is not None and self._inner.sequential

    @property
    def may_proceed(self) -> bool:
        return self._inner is None or self._inner.may_proceed

    @property
    def patience(self) -> float | None:
        return self._inner.patience if self._inner is not None else None

    @property
    def busy(self) -> bool:
        """Nothing is read while a long answer is on its way: what came after it would have to be kept."""
        if self._exchange is not None:
            return self._answering or self._exchange.busy
        return self._inner is not None and self._inner.busy

    @property
    def streaming(self) -> bool:
        """See Door.streaming."""
        return self._exchange is not None

    @property
    def producing(self) -> bool:
        """See Door.producing."""
        return self._answering

    @property
    def entering(self) -> bool:
        return self._inner is not None and self._inner.entering

    @property
    def lingers(self) -> bool:
        return self._inner is not None and self._inner.lingers

    @property
    def wake(self) -> Callable[[], None]:
        return self._wake

    @wake.setter
    def wake(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        if self._inner is not None:
            self._inner.wake = wake

    def closed(self, here: bool) -> None:
        """See Door.closed."""
        if self._exchange is not None:
            self._exchange.closed()
        if self._inner is not None:
            self._inner.closed(here)

    @property
    def units(self) -> int:
        """See Door.units."""
        frames = self._socket.frames if self._socket is not None else 0
        return self._answered * REQUEST_UNITS + frames + (self._inner.units if self._inner is not None else 0)

    def _requests(self, now: float) -> list[Command]:
        for _ in range(REQUESTS_A_TURN):
            commands = self._one(now)
            if commands is not None:
                return commands
            if sum(map(len, self._out)) > ANSWERS_MAX:
                break
        self._more = not self.closing
        return []

    def _one(self, now: float) -> list[Command] | None:
        """Take what h11 has, up to the end of a request; None when that was answered."""
        while not self.closing:
            event = self._http.next_event()
            if event is h11.NEED_DATA:
                if self._http.they_are_waiting_for_100_continue and not self._too_large:
                    self._send(h11.InformationalResponse(status_code=100, headers=[]))
                return []
            if event is h11.PAUSED or isinstance(event, h11.ConnectionClosed):
                self.closing = True
            elif isinstance(event, h11.Request):
                self._begin(event, now)
                if self._wants_socket(event):
                    return self._upgrade(event, now)
            elif isinstance(event, h11.Data):
                self._collect(event.data)
            elif isinstance(event, h11.EndOfMessage):
                commands = self._finish(now)
                if commands or self._call is not None or self._answering:
                    return commands
                return None
        return []

    def _begin(self, request: h11.Request, now: float) -> None:
        self._request, self._since = request, now
        self._answered += 1
        self._body.clear()
        self._too_large = False
        length, coding = _header(request, b"content-length"), _header(request, b"transfer-encoding")
        if request.http_version not in (b"1.0", b"1.1"):
            self._answer(505, "Only HTTP 1.0 and 1.1 are supported.\n", close=True)
        elif coding and (length or request.http_version < b"1.1"):
            # Two lengths: a proxy in front may have believed the other one (RFC 9112 section 6.1).
            self._answer(400, "A length and Transfer-Encoding do not go together.\n", close=True)
        elif self._begins_exchange(request):
            self._since = None
        elif length.isdigit() and int(length) > MAX_BODY:
            self._too_large = True
            self._answer(413, f"A body may have {MAX_BODY} bytes.\n", close=True)

    def _begins_exchange(self, request: h11.Request) -> bool:
        """Is this one that is handled piece by piece?"""
        path = request.target.decode("ascii", "replace").partition("?")[0]
        path = path.removeprefix(self.settings.base_path.rstrip("/"))
        make = self.settings.exchanges.get((request.method.decode("ascii"), path))
        if make is None or self._elsewhere(request):
            return False
        self._exchange, self._answering = make(request), False
        self._exchange.wake = self._wake
        return True

    def _elsewhere(self, request: h11.Request) -> bool:
        """Does a page of somebody else ask? Learn on the way who it is that asks."""
        self._believe_proxy(request)
        misdirected = self._misdirected(request)
        if (self.address, self.secure, self.local) != self.visitor[:3]:
            self._meet()
        # no page of others has a token
        return misdirected and b"token=" not in request.target and not _header(request, b"authorization")

    def _collect(self, data: bytes) -> None:
        if self._exchange is not None:
            self._exchange.body(bytes(data))
            return
        self._body += data
        if len(self._body) > MAX_BODY:
            self._answer(413, f"A body may have {MAX_BODY} bytes.\n", close=True)

    def _finish(self, now: float) -> list[Command]:
        """A request is whole: answer it, or turn it into a session of the chat."""
        request, self._since = self._request, None
        assert request is not None
        if self._exchange is not None:
            self._answering = True
            self._exchange.end()
            return []
        commands = self._route(request)
        if self._call is None and not self._health:
            self._next_request()
        self._idle_since = now
        return commands

    def _next_request(self) -> None:
        """Make ready for another request on this connection, or end it (RFC 9112 section 9.3)."""
        if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._http.start_next_cycle()
        elif self._http.our_state is not h11.IDLE:
            self.closing = True

    # -- routes ----------------------------------------------------------------------------------------------

    def _route(self, request: h11.Request) -> list[Command]:
        target = request.target.decode("ascii", "replace")
        path, _, query = target.partition("?")
        if path.startswith(("http://", "https://")):  # absolute form, RFC 9112 section 3.2.2
            path = "/" + path.split("://", 1)[1].partition("/")[2]
        method = request.method.decode("ascii")
        if self._elsewhere(request):
            self._answer(421, NOT_SERVED)
            return []
        base = self.settings.base_path.rstrip("/")
        if base and (path == base or path.startswith(base + "/")):
            if path == base:
                self._answer(308, "The chat is below here.\n", [("Location", base + "/")])
                return []
            path = path[len(base) :]
        if path == "/healthz" and method in ("GET", "HEAD"):
            self._health = True
            return [Status(ref="health")]
        if path == "/openapi.json" and method in ("GET", "HEAD"):
            self._answer(200, hooks.openapi(base), [("Content-Type", "application/json")])
            return []
        if path[:1] == "/" and path[1:] in assets():
            self._asset(path[1:], request, method)
            return []
        return self._hook(method, path, query, request)

    def _asset(self, name: str, request: h11.Request, method: str) -> None:
        if method not in ("GET", "HEAD"):
            self._answer(405, "Only GET.\n", [("Allow", "GET, HEAD")])
            return
        asset = assets()[name]
        body, etag = asset.body, asset.etag
        headers = [("Content-Type", asset.type), ("Cache-Control", asset.cache), ("Vary", "Accept-Encoding")]
        if takes_gzip(_header(request, b"accept-encoding")):
            body, etag = asset.gzipped, f"W/{etag}"  # other bytes of the same content (RFC 9110, 8.8.3)
            headers.append(("Content-Encoding", "gzip"))
        headers.append(("ETag", etag))
        tags = [tag.strip().removeprefix("W/") for tag in _header(request, b"if-none-match").split(",")]
        if asset.etag in tags or tags == ["*"]:
            self._answer(304, b"", headers)
        else:
            self._answer(200, body, headers)

    def _hook(self, method: str, path: str, query: str, request: h11.Request) -> list[Command]:
        """The posting interface: from here on this connection is one session, and its answer ends it."""
        if _header(request, b"content-encoding") not in ("", "identity"):
            self._answer(415, "Bodies are taken as they are, without Content-Encoding.\n")
            return []
        call = hooks.parse(method, path, query, _header(request, b"authorization"), _header(request, b"content-type"),
                           bytes(self._body), _header(request, b"last-event-id"))  # fmt: skip
        if isinstance(call, hooks.Problem):
            extra = [("Content-Type", "application/json")] if call.json else []
            if call.status == 401:
                extra.append(("WWW-Authenticate", "Bearer"))
            if call.allow:
                extra.append(("Allow", call.allow))
            self._answer(call.status, call.body, extra)
            return []
        self._call = call
        return call.start()

    def _believe_proxy(self, request: h11.Request) -> None:
        """Take the client's address from a proxy that the operator named, and from nobody else. Who came by a proxy
        is not at this machine, unless one that was named says so."""
        self.address, self.secure, self.local = self._peer[:3]
        if not inside(self.address, self.settings.proxies):
            if self.local and is_forwarded(request.headers):
                self.local = False
                self.settings.warn(FORWARDED_UNASKED)
            return
        self.local = False
        hops = [hop(one) for one in _header(request, b"x-forwarded-for").split(",")]
        while hops and (address := hops.pop()):  # what stands before a word that is no address is hearsay
            self.address, self.local = address, loopback(address)
            if not inside(address, self.settings.proxies):
                break
        self.secure = _header(request, b"x-forwarded-proto").lower() == "https"

    def _misdirected(self, request: h11.Request) -> bool:
        """Was this server asked for by a name that is not its own? Then whoever asks is a page of somebody else."""
        host = _header(request, b"host")
        if serves(host, self.settings.names()) or inside(self._peer[0], self.settings.proxies):
            return False
        self.local = False
        name = host_of(host)[:253]
        self.settings.warn(
            f"a request for {name!r} was turned away: if that is a name of this server, --names takes it"
        )
        return True

    # -- WebSocket -------------------------------------------------------------------------------------------

    @staticmethod
    def _wants_socket(request: h11.Request) -> bool:
        return "websocket" in _header(request, b"upgrade").lower()

    def _upgrade(self, request: h11.Request, now: float) -> list[Command]:
        self._believe_proxy(request)
        if self._misdirected(request):
            self._answer(421, NOT_SERVED, close=True)
            return []
        # A page of another site must not talk with the visitor's rights: Origin has to be this very host.
        host = _header(request, b"host")
        allowed: list[str | None] = [None, f"http://{host}", f"https://{host}", *self.settings.origins]
        socket = WebSocket(allowed)
        # The request first and alone: frames sent along with it may only be read once it has been accepted.
        messages = socket.receive(_head(request))
        if socket.open and (rest := self._http.trailing_data[0]):
            messages += socket.receive(rest)
        self._out.append(socket.data_to_send())
        if not socket.open:
            self.closing = True
            return []
        self._socket, self._since = socket, None
        self._page = _header(request, b"origin").rpartition("/")[2]
        kind = INNER.get(socket.subprotocol, INNER[""])
        self._meet()
        self._inner = self.settings.inner(kind, self.visitor)
        self._inner.wake = self._wake
        if self._inner.sequential:
            self.name = self._inner.name
        return self._messages(messages, now)

    def _meet(self) -> None:
        """Tell the driver who is here, as far as is known now."""
        self.visitor = Peer(self.address, self.secure, self.local, self._peer.certfp)

    def _from_socket(self, data: bytes, now: float) -> list[Command]:
        assert self._socket is not None
        messages = self._socket.receive(data)
        commands = self._messages(messages, now)
        self._out.append(self._socket.data_to_send())
        if self._socket.finished or not data:
            self.closing = True
            commands.append(Bye("closed"))
        return commands

    def _messages(self, messages: list[bytes], now: float) -> list[Command]:
        """Each message is one line of the door inside (or several, for native clients that batch)."""
        inner = self._inner
        assert inner is not None
        commands: list[Command] = []
        for message in messages:
            commands += inner.receive(message.rstrip(b"\r\n") + b"\r\n", now)
        return [self._of_this_page(one) for one in commands] if self._page else commands

    def _of_this_page(self, command: Command) -> Command:
        """A browser says truly which page speaks: what was signed for another server's page is no proof here."""
        if type(command) is Proof and command.at and command.at != self._page:
            return replace(command, signature="")
        return command

    @property
    def _binary(self) -> bool:
        return self._socket is not None and self._socket.binary

    # -- out -------------------------------------------------------------------------------------------------

    def deliver(self, event: AnyEvent) -> None:
        """Encode one event for this connection."""
        if self._inner is not None:
            self._inner.deliver(event)
            if isinstance(event, Goodbye):
                self._flush_inner()
                if self._socket is not None:
                    self._socket.close(reason=event.why)
        elif self._health:
            self._tell_health(event)
        elif self._call is not None:
            self._tell(self._call, self._call.deliver(event, self._begin_answer))

    def encode(self, event: AnyEvent) -> bytes | None:
        """Frames that every WebSocket of this dialect can be sent; None for plain HTTP."""
        if self._inner is None or self._socket is None:
            return None
        inner = self._inner.encode(event)
        return None if inner is None else _framed(inner, self._socket.binary)

    def outlook(self, members: Sequence[Any], own: bool) -> Hashable:
        """What the door inside has, in frames of this kind; None for plain HTTP."""
        if self._inner is None or self._socket is None:
            return None
        inner = self._inner.outlook(members, own)
        return None if inner is None else (self._socket.binary, inner)

    def view(self, event: AnyEvent) -> bytes | None:
        """What the door inside is shown, as a frame."""
        assert self._inner is not None
        inner = self._inner.view(event)
        return None if inner is None else _framed(inner, self._binary)

    def mark(self, seq: int) -> bytes:
        """The receipt request of the door inside, as a frame."""
        if self._inner is None or self._socket is None:
            return b""
        return _framed(self._inner.mark(seq), self._socket.binary)

    @property
    def dialect(self) -> Hashable:
        """Frames differ by kind, and by what the door inside speaks."""
        return "http" if self._inner is None else ("ws", self._binary, self._inner.dialect)

    @property
    def ready(self) -> bool:
        """See Door.ready."""
        return self._inner is None or self._inner.ready

    def data_to_send(self) -> bytes:
        """See Door.data_to_send."""
        self._flush_inner()
        if self._socket is not None:
            self._out.append(self._socket.data_to_send())
            if self._socket.finished:
                self.closing = True
        out, self._out = b"".join(self._out), []
        return out

    def _flush_inner(self) -> None:
        if self._inner is None or self._socket is None:
            return
        if (data := self._inner.data_to_send()) and self._socket.open:
            self._out.append(self._socket.data_to_send())
            self._out.append(_framed(data, self._socket.binary))
        if self._inner.closing and self._socket.open:
            self._socket.close(1000)

    def produce(self, now: float) -> bytes:
        """See Door.produce."""
        exchange = self._exchange
        assert exchange is not None
        piece = exchange.produce()
        try:
            if piece != b"":
                self._answer_head(exchange.status, list(exchange.headers))
            if piece:
                self._send(h11.Data(data=piece))
            elif piece is None:
                self._send(h11.EndOfMessage())
        except h11.LocalProtocolError:
            self.closing = True  # more or less than Content-Length says: nothing sensible can follow it
        if piece is None:
            self._exchange, self._answering, self._idle_since = None, False, now
            self._next_request()
            self._more = not self.closing
            self._wake()  # it can be read again
        out, self._out = b"".join(self._out), []
        return out

    def tick(self, now: float) -> list[Command]:
        """End connections that drip a request, or idle between two."""
        if self._inner is not None:
            return self._inner.tick(now)
        if self._exchange is not None:
            return []  # who is silent is found by the driver
        if self._call is not None:
            self._tell(self._call, self._call.tick(now, self._begin_answer))
        elif self._dripping(now):
            self._answer(408, "The request took too long.\n", close=True)
        elif self._idle_since and now - self._idle_since > IDLE_SECONDS:
            self.closing = True
        return []

    def _dripping(self, now: float) -> bool:
        """Has a request begun, head or body, that does not come to its end?"""
        begun = self._since if self._since is not None else self._idle_since if self._http.trailing_data[0] else now
        return now - begun > HEAD_SECONDS

    def _tell_health(self, event: AnyEvent) -> None:
        status, body, done = hooks.health(event, self.settings.key())
        if done:
            self._health = False
            self._answer(status, body, [("Content-Type", "application/json"), ("Cache-Control", "no-store")])
            self._next_request()
            self._more = not self.closing  # what was sent along with the question can be looked at now

    # -- answers ---------------------------------------------------------------------------------------------

    def _send(self, event: h11.Event) -> None:
        if data := self._http.send(event):
            self._out.append(data)

    def _begin_answer(self, status: int, headers: Headers) -> None:
        """Start an answer whose length is not known; it ends with the connection."""
        self._answer_head(status, [*headers, ("Connection", "close")])

    def _tell(self, call: hooks.Call, pieces: list[bytes]) -> None:
        """The next pieces of an answer that has begun."""
        try:
            for piece in pieces:
                self._send(h11.Data(data=piece))
            if call.done and not self.closing:
                self._send(h11.EndOfMessage())
        except h11.LocalProtocolError:
            self.closing = True
        self.closing = self.closing or call.done

    def _answer_head(self, status: int, headers: Headers) -> None:
        if self._http.our_state is not h11.SEND_RESPONSE and self._http.our_state is not h11.IDLE:
            return
        everything = [("Date", formatdate(usegmt=True)), ("Server", "tcpchat"), *SECURITY_HEADERS, *headers]
        if self.settings.tls_only and self._peer[1]:
            everything.append(TLS_ONLY)
        self._send(h11.Response(status_code=status, headers=everything, reason=HTTPStatus(status).phrase.encode()))

    def _answer(self, status: int, body: bytes | str, headers: Headers | None = None, close: bool = False) -> None:
        """One whole answer (HEAD gets only its headers)."""
        data = body.encode() if isinstance(body, str) else body
        extra = list(headers or [])
        if not any(name == "Content-Type" for name, _ in extra) and status != 304:
            extra.append(("Content-Type", "text/plain; charset=utf-8"))
        if status != 304:
            extra.append(("Content-Length", str(len(data))))
        if close:
            extra.append(("Connection", "close"))
            self.closing = True
        try:
            self._answer_head(status, extra)
            if self._request is None or self._request.method != b"HEAD":
                self._send(h11.Data(data=data))
            self._send(h11.EndOfMessage())
        except h11.LocalProtocolError:
            self.closing = True  # an answer was on its way already; nothing sensible can follow it

    def _bad_request(self, error: h11.RemoteProtocolError) -> None:
        if self._http.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            self._answer(error.error_status_hint, f"{error}.\n", close=True)
        self.closing = True


def _framed(data: bytes, binary: bool) -> bytes:
    """Lines as messages: one frame a line (IRC wants that; native clients do not mind)."""
    return b"".join(frame(line, binary) for line in data.replace(b"\r\n", b"\n").split(b"\n") if line)


def _header(request: h11.Request, name: bytes) -> str:
    """All values of a header joined as RFC 9110 section 5.3 says; "" without it."""
    return ", ".join(value.decode("latin-1") for key, value in request.headers if key == name)


def _head(request: h11.Request) -> bytes:
    """The request again as bytes, for who parses its own."""
    lines = [request.method + b" " + request.target + b" HTTP/" + request.http_version]
    lines += [name + b": " + value for name, value in request.headers]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def takes_gzip(accepted: str) -> bool:
    """Does an Accept-Encoding header name gzip, and not only to refuse it (RFC 9110, 12.5.3)?"""
    for one in accepted.lower().split(","):
        name, _, weight = one.partition(";")
        if name.strip() == "gzip":
            return not re.fullmatch(r"\s*q\s*=\s*0(\.0*)?\s*", weight)
    return False
