"""Certificates of clients: SASL EXTERNAL, and NickServ's words about them.

Sources: RFC 4422 appendix A, https://ircv3.net/specs/extensions/sasl-3.2
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tcpchat.core.certificates import PREFIX, is_certificate, key_of
from tcpchat.core.model import Done, External, Key, Refused
from tcpchat.doors.irc.commands import Asks, Steps

if TYPE_CHECKING:
    from tcpchat.doors.irc.door import IrcDoor

USAGE = "CERT ADD|LIST|DEL [fingerprint] - log in by the certificate of your client, over TLS"
NO_CERTIFICATE = "Your client has shown no certificate: connect over TLS with one, or name its SHA-256 fingerprint."


def mechanisms(door: IrcDoor) -> tuple[str, ...]:
    """The ways to log in on this connection: EXTERNAL where it has shown a certificate."""
    return (*door.network.mechanisms, "EXTERNAL") if door.certfp else door.network.mechanisms


def external(door: IrcDoor, payload: str) -> Steps:
    """Log in the account that the certificate belongs to; of several, the one named."""
    from tcpchat.doors.irc import sasl

    answer = yield External(account=payload)
    if isinstance(answer, Done):
        sasl.logged_in(door, str(answer.data.get("account", payload)))
    else:
        text = "No account has this certificate: /msg NickServ CERT ADD, once you are logged in"
        sasl.fail(door, answer.text if isinstance(answer, Refused) and answer.code == "banned" else text)


# -- /msg NickServ CERT ----------------------------------------------------------------------------------------------


def cert(door: IrcDoor, words: list[str]) -> Steps:
    word = words[0].upper() if words else "LIST"
    asked = words[1] if len(words) > 1 else door.certfp
    handler = {"ADD": add, "DEL": remove}.get(word)
    if word == "LIST":
        yield from show(door)
    elif handler is None:
        say(door, USAGE)
    elif not asked:
        say(door, NO_CERTIFICATE)
    elif not key_of(asked):
        say(door, "A SHA-256 fingerprint has 64 hexadecimal digits.")
    else:
        yield from handler(door, key_of(asked))


def say(door: IrcDoor, text: str) -> None:
    door.notice(text, "NickServ")


def kept(door: IrcDoor) -> Asks[list[str] | None]:
    """The certificates of one's own account; None after an answer."""
    answer = yield Key(do="list")
    if not isinstance(answer, Done):
        say(door, answer.text if isinstance(answer, Refused) else "This did not work.")
        return None
    return [key for key in dict(answer.data.get("keys", {})) if is_certificate(key)]


def show(door: IrcDoor) -> Steps:
    found = yield from kept(door)
    if found is None:
        return
    for key in found:
        mine = " (this connection's)" if key == PREFIX + door.certfp else ""
        say(door, f"{key.removeprefix(PREFIX)}{mine}")
    say(door, f"{len(found)} certificate{'' if len(found) == 1 else 's'} of your account.")
    if door.certfp and PREFIX + door.certfp not in found:
        say(door, f"This connection's is not among them: {door.certfp}. CERT ADD adds it.")


def add(door: IrcDoor, key: str) -> Steps:
    answer = yield Key(do="add", key=key, label="irc")
    outcome(door, answer, f"Added {key.removeprefix(PREFIX)}: it logs you in from now on.")


def remove(door: IrcDoor, key: str) -> Steps:
    found = yield from kept(door)
    if found is None:
        return
    if key not in found:
        say(door, "Your account has no such certificate.")
        return
    answer = yield Key(do="revoke", key=key)
    outcome(door, answer, f"Removed {key.removeprefix(PREFIX)}.")


def outcome(door: IrcDoor, answer: object, good: str) -> None:
    say(door, answer.text if isinstance(answer, Refused) else good)
