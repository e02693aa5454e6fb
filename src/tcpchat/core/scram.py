"""SCRAM-SHA-256 (RFC 5802, RFC 7677): proving a password without sending it. Pure; the nonce comes from the session."""

from __future__ import annotations

import hashlib
import hmac
import unicodedata
from base64 import b64decode, b64encode
from typing import TYPE_CHECKING

from tcpchat.core import model as m
from tcpchat.core.errors import CODES
from tcpchat.core.meant import meant, of_password, owner
from tcpchat.core.sessions import CHALLENGED, NEW, OPEN, PASSWORD, Session
from tcpchat.core.text import fold

if TYPE_CHECKING:
    from tcpchat.core.chat import Chat, Effects
    from tcpchat.core.meant import Meant
    from tcpchat.core.state import User

ITERATIONS = 120_000  # RFC 7677 asks for 4,096 at least, of 2015; the client does the work at a login, here it is a
# new password's (a twentieth of a second), and whoever has the file tries the more slowly
SCHEME = "SCRAM-SHA-256"
MESSAGE_MAX = 2_048
AGAIN = ("raise", "lower")  # checks that make a verifier of a password that was right
SECONDS = (
    30.0  # between the two messages of a client: it computes for a tenth of a second, its person has typed already
)


def verifier(password: str, salt: bytes, iterations: int = ITERATIONS) -> str:
    """What is kept to check a password by SCRAM (RFC 5803). Slow on purpose: not for the loop's thread."""
    salted = hashlib.pbkdf2_hmac("sha256", unicodedata.normalize("NFKC", password).encode(), salt, iterations)
    stored = hashlib.sha256(_mac(salted, b"Client Key")).digest()
    parts = (b64encode(stored).decode(), b64encode(_mac(salted, b"Server Key")).decode())
    return f"{SCHEME}${iterations}:{b64encode(salt).decode()}${parts[0]}:{parts[1]}"


def _mac(key: bytes, text: bytes) -> bytes:
    return hmac.new(key, text, hashlib.sha256).digest()


class Exchange:
    """One login attempt: the client's first words are known, its proof is awaited."""

    def __init__(
        self, account: str, kept: str, first: str, nonce: str, then: Meant, until: float, secret: bytes
    ) -> None:
        self.kept, self.meant, self.until = kept, then, until
        self.known = kept.startswith(SCHEME)
        if not self.known:  # nobody learns from the answer whether the login exists
            salt = _mac(secret, fold(account).encode(errors="surrogatepass"))[:16]
            kept = f"{SCHEME}${ITERATIONS}:{b64encode(salt).decode()}$AAAA:AAAA"
        _, costs, keys = kept.split("$")
        iterations, salt_text = costs.split(":")
        self.stored, self.server = (b64decode(part) for part in keys.split(":"))
        self.nonce = _attributes(first).get("r", "") + nonce
        self.first = first
        self.challenge = f"r={self.nonce},s={salt_text},i={iterations}"

    def finish(self, final: str) -> str:
        """The server's last word when the client's proof is right, else ""."""
        bare, _, proof = final.rpartition(",p=")
        words = _attributes(bare)
        if not self.known or words.get("r") != self.nonce or words.get("c") not in ("biws", "eSws"):
            return ""
        text = f"{self.first},{self.challenge},{bare}".encode(errors="surrogatepass")
        try:
            given = b64decode(proof, validate=True)
        except ValueError:
            return ""
        signature = _mac(self.stored, text)
        if len(given) != len(signature):
            return ""
        key = bytes(a ^ b for a, b in zip(given, signature, strict=True))
        if not hmac.compare_digest(hashlib.sha256(key).digest(), self.stored):
            return ""
        return "v=" + b64encode(_mac(self.server, text)).decode()


def _attributes(text: str) -> dict[str, str]:
    return {part[0]: part[2:] for part in text.split(",") if part[1:2] == "="}


def _account(first: str) -> str:
    """The name in a client's first message (without its GS2 header)."""
    return _attributes(first).get("n", "").replace("=2C", ",").replace("=3D", "=")


def _kept(user: User) -> str:
    """The verifier of a login's password; "" when it has none."""
    return user.password.partition(" ")[2]


def freshen(chat: Chat, session: Session, user: User, check: m.Check, command: m.Password, out: Effects) -> None:
    """A right password is at hand: make its verifier anew if it is an older version's, or not wanted any more."""
    costs = _kept(user).split("$")[1:2]
    rounds = costs[0].partition(":")[0] if costs else "0"
    if rounds != (str(ITERATIONS) if chat.limits.scram else "0"):
        what = "raise" if chat.limits.scram else "lower"
        out.append(m.Check(session, what, command.password, user.password, "", command, check.meant))


def freshened(chat: Chat, check: m.Check, answer: str, out: Effects) -> None:
    """The verifier is made: it takes the place of the one before, if the password is still the same."""
    user = owner(chat.state, check.meant)
    if answer and user is not None and user.password == check.against:
        out.append(m.Append(m.PasswordSet(user.uid, answer, user.uid, same=True, was=of_password(user))))


def scram(chat: Chat, session: Session, command: m.Scram, now: float, out: Effects) -> None:
    """One message of the client: its first words, or its proof."""
    from tcpchat.core.entering import banned, wrong

    if not chat.limits.scram:
        out.append(m.Tell(session, m.Refused("unsupported", CODES["unsupported"].text, command.ref)))
        return
    exchange, session.scram = session.scram, None
    message = command.message
    account = exchange.meant.name if exchange is not None else _account(message)
    if wait := chat.guesses.wait_of(session, account, chat.state.find(account), now):
        out.append(m.Tell(session, m.Refused("too_fast", CODES["too_fast"].text, command.ref, after=round(wait, 1))))
        return
    if exchange is None:
        header, _, bare = message.partition(",")
        _, _, bare = bare.partition(",")
        if header not in ("n", "y") or not _attributes(bare).get("r") or len(message) > MESSAGE_MAX:
            wrong(session, "wrong_password", out, command.ref)
            return
        account = _account(bare)
        user = chat.state.find(account) if account else None
        kept = _kept(user) if user is not None and user.claimed else ""
        then = meant(chat.state, account)
        session.scram = Exchange(account, kept, bare, f"{session.nonce}{session.tries}", then, now + SECONDS, chat.salt)
        out.append(m.Tell(session, m.Done(command.ref, data={"message": session.scram.challenge})))
        return
    answer, user = exchange.finish(message), owner(chat.state, exchange.meant)
    if not answer or user is None or _kept(user) != exchange.kept or now > exchange.until:
        chat.guesses.wrong(session.address, now, exchange.meant.name)
        wrong(session, "wrong_password", out, command.ref)
        return
    if ban := banned(chat, session, user.login, now):
        out.append(m.Tell(session, m.Refused("banned", ban, command.ref)))
        return
    session.credential = PASSWORD
    data = {"message": answer, "account": user.login}
    if session.stage == OPEN:
        from tcpchat.core.entering import identified

        identified(chat, session, user, out)
    elif session.stage in (NEW, CHALLENGED):
        session.account = user
        session.stage = NEW
    out.append(m.Tell(session, m.Done(command.ref, data=data)))
