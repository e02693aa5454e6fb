"""AUTHENTICATE, and making accounts: SASL PLAIN, SCRAM-SHA-256 and EXTERNAL, REGISTER and VERIFY.

Sources: https://ircv3.net/specs/extensions/sasl-3.2 and https://ircv3.net/specs/extensions/account-registration
"""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from typing import TYPE_CHECKING

from tcpchat.core.model import Done, Password, Refused, Scram
from tcpchat.doors.irc import certificates
from tcpchat.doors.irc.commands import Steps, command
from tcpchat.doors.irc.network import nick_of

if TYPE_CHECKING:
    from tcpchat.doors.irc.door import IrcDoor
    from tcpchat.doors.irc.wire import Line

PASSWORD_LEAST = 3  # characters; NickServ and the command line leave the choice to the owner
CHUNK = 400  # bytes of base64 in one AUTHENTICATE; a shorter one ends the message
PAYLOAD_MAX = 4_096


class Exchange:
    """A SASL login on its way."""

    __slots__ = ("buffer", "mechanism", "proved", "round")

    def __init__(self, mechanism: str) -> None:
        self.mechanism = mechanism
        self.buffer = ""
        self.round = 0
        self.proved = ""


@command("AUTHENTICATE", "mechanism | base64 | + | *", "Prove who you are by SASL.", least=1, early=True)
def authenticate(door: IrcDoor, line: Line) -> Steps | None:
    word = line.params[0]
    exchange = door.exchange
    if word == "*":
        door.exchange = None
        door.reply("ERR_SASLABORTED" if exchange is not None else "ERR_SASLFAIL")
        return None
    if exchange is None:
        begin(door, word.upper())
        return None
    if len(word) > CHUNK:
        door.exchange = None
        door.reply("ERR_SASLTOOLONG")
        return None
    exchange.buffer += "" if word == "+" else word
    if len(exchange.buffer) > PAYLOAD_MAX:
        door.exchange = None
        door.reply("ERR_SASLTOOLONG")
        return None
    if len(word) == CHUNK:
        return None
    try:
        payload = b64decode(exchange.buffer, validate=True).decode()
    except (binascii.Error, ValueError):
        fail(door)
        return None
    exchange.buffer = ""
    if exchange.mechanism == "EXTERNAL":
        return certificates.external(door, payload)
    return plain(door, payload) if exchange.mechanism == "PLAIN" else scram(door, exchange, payload)


def begin(door: IrcDoor, mechanism: str) -> None:
    if mechanism not in certificates.mechanisms(door):
        door.reply("RPL_SASLMECHS", ",".join(certificates.mechanisms(door)))
        door.reply("ERR_SASLFAIL")
    else:
        door.exchange = Exchange(mechanism)
        door.put(f":{door.network.server} AUTHENTICATE +")


def fail(door: IrcDoor, text: str = "") -> None:
    door.exchange = None
    door.reply("ERR_SASLFAIL", text=text or None)


def plain(door: IrcDoor, payload: str) -> Steps:
    """authorization NUL authentication NUL password (RFC 4616)."""
    parts = payload.split("\0")
    if len(parts) != 3 or not parts[1] or not parts[2]:
        fail(door)
        return
    zone, account, password = parts
    if zone and door.network.fold(zone) != door.network.fold(account):
        fail(door, "You may not act for another account")
        return
    answer = yield Password(password=password, account=account)
    if isinstance(answer, Done):
        logged_in(door, str(answer.data.get("account", account)))
    else:
        fail(door, answer.text if isinstance(answer, Refused) and answer.code == "insecure" else "")


def scram(door: IrcDoor, exchange: Exchange, payload: str) -> Steps:
    """The client's words go to the chat, its answers back, until it is proved."""
    if exchange.proved:  # the client has seen that the server knows the password too
        logged_in(door, exchange.proved)
        return
    answer = yield Scram(message=payload)
    if not isinstance(answer, Done):
        fail(door)
        return
    exchange.proved = str(answer.data.get("account", ""))
    text = b64encode(str(answer.data["message"]).encode()).decode()
    for start in range(0, len(text), CHUNK):
        door.put(f":{door.network.server} AUTHENTICATE {text[start : start + CHUNK]}")
    if len(text) % CHUNK == 0:
        door.put(f":{door.network.server} AUTHENTICATE +")


def logged_in(door: IrcDoor, account: str) -> None:
    door.exchange = None
    door.proved = account
    say_logged_in(door, account)
    door.reply("RPL_SASLSUCCESS")


def say_logged_in(door: IrcDoor, account: str) -> None:
    """900, and ACCOUNT for those who watch their own (account-notify)."""
    nick = door.nick or "*"
    mask = door.network.mask(door.login) if door.registered else f"{nick}!{door.user or '*'}@*"
    shown = nick_of(account)
    door.reply("RPL_LOGGEDIN", mask, shown, text=f"You are now logged in as {shown}")
    if door.registered:
        door.account = account
        face = door.network.face(door.login)
        face.account = account
        face.wear("r")


# -- making accounts -----------------------------------------------------------------------------------------


@command(
    "REGISTER",
    "account email|* password",
    "Make an account of your name.",
    least=3,
    early=True,
    missing="FAIL",
)
def register(door: IrcDoor, line: Line) -> Steps | None:
    account, email, password = line.params[:3]
    wanted = door.nick if account == "*" else account
    problem = refusal(door, account, wanted, email, password)
    if problem:
        code, text = problem
        door.fail("REGISTER", code, account, text=text)
        return None
    return make(door, wanted, password)


def refusal(door: IrcDoor, account: str, wanted: str, email: str, password: str) -> tuple[str, str] | None:
    """Why no account can be made: (code, text)."""
    network = door.network
    if not door.registered and not network.register_early:
        return "COMPLETE_CONNECTION_REQUIRED", "Finish the connection first"
    if network.email_required and "@" not in email:
        return "INVALID_EMAIL", "An email address is needed"
    if door.account or door.proved:
        return "ALREADY_AUTHENTICATED", "You are logged in already"
    if not door.nick:
        return "NEED_NICK", "Take a nick first"
    if network.fold(wanted) not in (network.fold(door.login), network.fold(door.nick)):
        return "ACCOUNT_NAME_MUST_BE_NICK", "The account has the name that you wear"
    if not (door.registered or network.opens(door.password_given)):  # accounts are for those who may come in
        return "TEMPORARILY_UNAVAILABLE", "Give the password of the server first"
    if len(password) < PASSWORD_LEAST:
        return "WEAK_PASSWORD", "This password is too short"
    return None


def make(door: IrcDoor, account: str, password: str) -> Steps:
    answer = yield Password(password="", new=password, account="" if door.registered else account)
    if isinstance(answer, Done):
        name = str(answer.data.get("login", account))
        door.put(f":{door.network.server} REGISTER SUCCESS {nick_of(name)} :Account created")
        door.proved = name
        say_logged_in(door, name)
        return
    codes = {"exists": "ACCOUNT_EXISTS", "claimed": "ACCOUNT_EXISTS", "in_use": "ACCOUNT_EXISTS",
             "bad_name": "BAD_ACCOUNT_NAME", "too_long": "UNACCEPTABLE_PASSWORD"}  # fmt: skip
    code = codes.get(answer.code, "TEMPORARILY_UNAVAILABLE") if isinstance(answer, Refused) else "UNKNOWN_ERROR"
    text = answer.text if isinstance(answer, Refused) else "This did not work"
    door.fail("REGISTER", code, account, text=text)


@command("VERIFY", "account code", "Nothing has to be verified here.", least=2, early=True, missing="FAIL")
def verify(door: IrcDoor, line: Line) -> None:
    if door.account or door.proved:
        door.fail("VERIFY", "ALREADY_AUTHENTICATED", line.params[0], text="You are logged in already")
    else:
        door.fail("VERIFY", "INVALID_CODE", line.params[0], text="No account waits for a code here")
