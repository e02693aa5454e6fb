"""The door of the original clients: objects ``{"TYPE": ..., "BODY": ...}`` without a delimiter.

Those clients read once, up to 1,024 bytes, and parse what they got as one object; two that arrive joined are both
lost, so is half a one. While their menu is open they read nothing. They answer INCMESS with MESSACC and nothing else.
Hence:

- Every object is padded with spaces to exactly 1,024 bytes, so that their reads end where objects end.
- To other machines one write carries one object (it fits one TCP segment), and the next waits until the client says
  something or a second passes. On the loopback, where segments are 64 KiB, a write carries up to 32.
- A text that does not fit comes in parts. The next INCMESS waits for the MESSACC of the one before. That is the only
  proof that a person's client read it, and only then the message is confirmed to the chat.
- BROADCAST is never answered. It counts as delivered when the client speaks after it was written, or when the
  connection outlived it by a second; what lies unread behind an open menu is then counted too.
- MESSTAT has no sign of which message it is about, so the answers come in the order of the sends.
- Edits, removals, receipts of rooms, joins and the like have no word in this protocol and are not shown.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Hashable
from typing import Any

from tcpchat.core.errors import CODES
from tcpchat.core.model import (
    Accepted,
    AnyEvent,
    Bye,
    Challenge,
    Command,
    Confirm,
    Fault,
    Goodbye,
    Hello,
    Message,
    People,
    Presence,
    Receipt,
    Refused,
    Say,
    State,
    Status,
    Welcome,
    Who,
)
from tcpchat.core.sessions import Traits
from tcpchat.core.text import fold
from tcpchat.doors import Door
from tcpchat.doors.original.wire import Objects, pack, parts, roll

LOBBY = "#all"
LABEL = "original"
SPEAKER = "tcpchat"  # who tells a client why it cannot come in
LOCAL_BURST = 32  # objects a write on the loopback: 32 KiB, half a segment there
SENDS_MAX = 64  # messages of one client without MESSTAT: the chat's own window
ANSWERS_MAX = 256  # MESSTATs that a client has not taken; one that reads never comes near
MAX_FAULTS = 20  # in a row; a peer that never makes sense is not ours
REASON_MAX = 160  # characters; fits one object in any script
PARTING_TICKS = 2  # seconds between the reason and BYE, for who is looking at the menu


class Sending:
    """A message of this client that MESSTAT has not answered yet."""

    __slots__ = ("outcome", "seq", "text", "to")

    def __init__(self, to: str, text: str) -> None:
        self.to, self.text = to, text
        self.seq = 0
        self.outcome: bool | None = None


class SeedDoor(Door):
    """One original client."""

    name = "seed"
    traits = Traits(cannot_prove=True, tells_itself=True, has_no_cursor=True)
    dialect: Hashable = "seed"
    pingless = True
    units = 0
    sequential = unread = busy = entering = producing = leaving = False

    def __init__(self, *, address: str = "", secure: bool = False, local: bool = False) -> None:
        self.address, self.secure, self.local = address, secure, local
        self.closing = False
        self.units = 0
        self.login = ""  # as the chat knows it, after Welcome
        self._asked = False  # HI was there
        self._objects = Objects()
        self._faults = 0
        self._burst = LOCAL_BURST if local else 1
        self._may = self._burst  # objects that may be written before the client speaks or time passes
        # answers: the newest STATE and WHOAVAIL, every MESSTAT
        self._state = ""
        self._state_shown = ""
        self._who: bytes | None = None
        self._answers: deque[bytes] = deque()
        self._sends: deque[Sending] = deque()
        self._by_ref: dict[int | str, Sending] = {}
        self._refs = 0
        # the feed: type ("" = nothing to show), author, text, seq; and the parts left of the one being told
        self._feed: deque[tuple[str, str, str, int]] = deque()
        self._parts: deque[bytes] = deque()
        self._kind, self._seq = "", 0
        self._waiting = False  # an INCMESS is out, its MESSACC is not here
        self._written = self._aged = self._had = self._confirmed = 0
        self._missed = False  # was not ready: events that are told live only may have passed by
        self._parting = 0  # ticks left before BYE, 0 = not leaving
        self._bye: bytes = b""

    # -- from the client ---------------------------------------------------------------------------------------

    def receive(self, data: bytes, now: float = 0.0) -> list[Command]:
        """The commands that these bytes complete; b"" = the client said all it will."""
        commands: list[Command] = []
        if not data or self.closing:
            return commands
        self._may = self._burst
        for raw in self._objects.feed(data):
            self.units += 1
            self._had = max(self._had, self._written)
            command = self._take(raw)
            if command is not None:
                commands.append(command)
            if self.closing or self._faults >= MAX_FAULTS:
                break
        self._confirm(commands)
        return commands

    def _take(self, raw: bytes | None) -> Command | None:
        kind, body = open_object(raw)
        handler = HANDLERS.get(kind)
        command = handler(self, body) if handler else bad("There is no such TYPE, or this was no object.")
        if isinstance(command, Fault) and not command.fatal:
            self._faults += 1
            if self._faults >= MAX_FAULTS:
                return bad(command.hint, fatal=True)
        else:
            self._faults = 0
        return command

    def _hi(self, body: Any) -> Command | None:
        if self._asked:
            return None  # the first one counts
        if not isinstance(body, str):
            return bad("The BODY of HI is a login.")
        self._asked = True
        return Hello(login=body.strip(), label=LABEL)

    def _status(self, body: Any) -> Command:
        return Status(ref="state")

    def _who_is(self, body: Any) -> Command:
        return Who(ref="who")

    def _send_to(self, body: Any) -> Command | None:
        if not (isinstance(body, list) and len(body) == 2 and all(isinstance(item, str) for item in body)):
            return bad("The BODY of SENDTO is [login, text].")
        return self._say("@" + body[0].strip(), body[1])

    def _everyone(self, body: Any) -> Command | None:
        if not isinstance(body, str):
            return bad("The BODY of EVERY1 is a text.")
        return self._say(LOBBY, body)

    def _say(self, to: str, text: str) -> Command | None:
        if len(self._sends) >= SENDS_MAX:
            self._answers.append(pack("MESSTAT", False))
            return bad("Too many unanswered messages.", fatal=True) if len(self._answers) > ANSWERS_MAX else None
        self._refs += 1
        sending = Sending(fold(to), text)
        self._sends.append(sending)
        self._by_ref[self._refs] = sending
        return Say(to=to, text=text, ref=self._refs)

    def _read(self, body: Any) -> None:
        """MESSACC. Its BODY is the author's login; with one message out at a time there is no question which."""
        if not self._waiting:
            return
        self._waiting = False
        if not self._parts:
            self._had = max(self._had, self._seq)
            if self._parting:
                self._leave()

    def _bye_asked(self, body: Any) -> Command:
        self._leave()
        return Bye()

    # -- to the client -----------------------------------------------------------------------------------------

    def deliver(self, event: AnyEvent) -> None:
        """Take one event; what the client is shown of it waits for its turn."""
        teller = TELLERS.get(type(event))
        if teller is not None and not self.closing:
            teller(self, event)

    def encode(self, event: AnyEvent) -> None:
        """Nothing can be shared: every client is told at its own pace."""
        return

    @property
    def ready(self) -> bool:
        """False until all it was told is acknowledged; what is delivered meanwhile is kept, a page or a batch."""
        return not (self._waiting or self._parts or self._feed)

    def _welcomed(self, event: Welcome) -> None:
        self.login = event.login
        if event.state:
            self._show_state(event.state)

    def _stated(self, event: State) -> None:
        if event.ref == "state" or event.state != self._state_shown:
            self._show_state(event.state)

    def _show_state(self, state: str) -> None:
        self._state = self._state_shown = state

    def _listed(self, event: People) -> None:
        self._who = pack("WHOAVAIL", roll([person.login for person in event.people if person.online]))

    def _heard(self, event: Message) -> None:
        own = fold(event.by) == fold(self.login)  # shown when it was accepted
        text = f"* {event.text}" if event.kind == "action" else event.text
        kind = "" if own or event.removed or event.kind == "tag" or not event.text else "INCMESS"
        if kind and fold(event.to) == LOBBY:
            kind = "BROADCAST"
        elif event.to.startswith("#"):
            text = f"{event.to}: {text}"
        self._feed.append((kind, event.by, text, event.seq))

    def _accepted(self, event: Accepted) -> None:
        """The original server sent a broadcast back to its author, and a message to oneself arrived."""
        sending = self._by_ref.pop(event.ref, None)
        if sending is None:
            return
        sending.seq = event.seq
        if sending.to == LOBBY:
            self._feed.append(("BROADCAST", self.login, sending.text, 0))
            sending.outcome = True
        elif sending.to == "@" + fold(self.login):
            self._feed.append(("INCMESS", self.login, sending.text, 0))
            sending.outcome = True
        sending.text = ""
        self._settle()

    def _refused(self, event: Refused) -> None:
        sending = self._by_ref.pop(event.ref, None)
        if event.fatal:
            self._leave(event.text)
        elif sending is not None:
            sending.outcome = False
            self._settle()
        elif not self.login and self._asked and not event.ref:
            self._turn_away(event.code, event.text)

    def _challenged(self, event: Challenge) -> None:
        self._turn_away("claimed", CODES["claimed"].text)  # these clients have nothing to prove themselves with

    def _received(self, event: Receipt) -> None:
        if event.state not in ("delivered", "read", "failed") or not event.to.startswith("@"):
            return
        to = fold(event.to)
        for sending in self._sends:
            if sending.outcome is None and sending.to == to and 0 < sending.seq <= event.seq:
                sending.outcome = event.state != "failed"
        self._settle()

    def _settle(self) -> None:
        while self._sends and self._sends[0].outcome is not None:
            self._answers.append(pack("MESSTAT", self._sends.popleft().outcome))

    def _renamed(self, event: Presence) -> None:
        if event.what != "renamed":
            return
        old, new = fold(event.login), fold(event.text)
        if old == fold(self.login):
            self.login = event.text
        for sending in self._sends:
            if sending.to == "@" + old:
                sending.to = "@" + new

    def _turn_away(self, code: str, why: str) -> None:
        """Say why in the only way there is, then BYE: on a bare end of the connection these clients loop."""
        self._feed.clear()
        self._feed.append(("INCMESS", SPEAKER, why, 0))
        self._parting = PARTING_TICKS

    def _said_bye(self, event: Goodbye) -> None:
        self._leave("" if event.code == "stopping" else event.why)

    def _leave(self, why: str = "") -> None:
        """BYE is the last thing the client gets. On the loopback it may come with the reason in one write; from
        afar it comes alone, what waits before it would come joined with it."""
        reason = pack("INCMESS", [SPEAKER, why[:REASON_MAX]]) if why and self.local else b""
        self._bye = reason + pack("BYE", False)
        self.closing = True

    # -- pace --------------------------------------------------------------------------------------------------

    def data_to_send(self) -> bytes:
        """Return and forget the objects whose turn it is."""
        if self.closing:
            bye, self._bye = self._bye, b""
            return bye
        out: list[bytes] = []
        while self._may and (item := self._next_answer() or self._next_told()):
            out.append(item)
            self._may -= 1
        if not self.ready:
            self._missed = True
        return b"".join(out)

    def _next_answer(self) -> bytes | None:
        if self._state:
            state, self._state = self._state, ""
            return pack("STATE", state)
        if self._who is not None:
            who, self._who = self._who, None
            return who
        return self._answers.popleft() if self._answers else None

    def _next_told(self) -> bytes | None:
        while not self._waiting:
            if self._parts:
                item = self._parts.popleft()
                if self._kind == "INCMESS":
                    self._waiting = True
                elif not self._parts:
                    self._written = max(self._written, self._seq)
                return item
            if not self._feed:
                break
            self._kind, author, text, self._seq = self._feed.popleft()
            if self._kind:
                self._parts.extend(parts(self._kind, author, text))
            else:
                self._written = max(self._written, self._seq)
        return None

    def _confirm(self, commands: list[Command]) -> None:
        if self._had > self._confirmed and self.login:
            self._confirmed = self._had
            commands.append(Confirm(seq=self._had))

    def tick(self, now: float = 0.0) -> list[Command]:
        """Once a second: the next object may go, what was written a second ago counts as had."""
        commands: list[Command] = []
        if self.closing:
            return commands
        self._may = self._burst
        self._had, self._aged = max(self._had, self._aged), self._written
        self._confirm(commands)
        if self._missed and self.ready and self.login:
            self._missed = False
            commands.append(Status(ref="missed"))  # a change of state is told live only
        if self._parting:
            self._parting -= 1
            if not self._parting:
                self._leave()
        return commands


def bad(hint: str, fatal: bool = False) -> Fault:
    """What came was no command of the original protocol."""
    return Fault(code="bad_command", hint=hint, fatal=fatal, ref="fault")


def open_object(raw: bytes | None) -> tuple[str, Any]:
    """TYPE and BODY of an object, ("", None) when it is none. Halves of surrogate pairs become U+FFFD."""
    if raw is None:
        return "", None
    try:
        item = json.loads(raw.decode("utf-8"), strict=False)
    except (ValueError, RecursionError):
        return "", None
    kind, body = item.get("TYPE"), item.get("BODY")
    if isinstance(body, list):
        body = [whole(part) for part in body]
    return (kind if isinstance(kind, str) else ""), whole(body)


def whole(value: Any) -> Any:
    """A text that every other door can encode."""
    return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace") if isinstance(value, str) else value


HANDLERS: dict[str, Callable[[SeedDoor, Any], Command | None]] = {
    "HI": SeedDoor._hi,
    "STATE": SeedDoor._status,
    "WHOAVAIL": SeedDoor._who_is,
    "SENDTO": SeedDoor._send_to,
    "EVERY1": SeedDoor._everyone,
    "MESSACC": SeedDoor._read,
    "BYE": SeedDoor._bye_asked,
}
TELLERS: dict[type, Callable[[SeedDoor, Any], None]] = {
    Welcome: SeedDoor._welcomed,
    State: SeedDoor._stated,
    People: SeedDoor._listed,
    Message: SeedDoor._heard,
    Accepted: SeedDoor._accepted,
    Refused: SeedDoor._refused,
    Challenge: SeedDoor._challenged,
    Receipt: SeedDoor._received,
    Presence: SeedDoor._renamed,
    Goodbye: SeedDoor._said_bye,
}
