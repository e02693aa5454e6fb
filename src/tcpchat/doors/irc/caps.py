"""Capabilities: one table of what a client may ask for, with values, and what needs what. Source: https://ircv3.net/irc/"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from tcpchat.doors.irc.network import Network


class Cap(NamedTuple):
    """One capability: what it gives, and whether shared lines look different with it."""

    what: str
    shapes: bool = False  # part of the dialect: two doors that differ in it cannot share bytes


CAPS: dict[str, Cap] = {
    "account-notify": Cap("who logs in or out of an account"),
    "account-tag": Cap("the author's account on every message", True),
    "away-notify": Cap("who goes away and comes back"),
    "batch": Cap("lines that belong together", True),
    "cap-notify": Cap("capabilities that come and go"),
    "chghost": Cap("changes of user and host names"),
    "draft/account-registration": Cap("making an account: REGISTER"),
    "draft/channel-rename": Cap("a room takes another name"),
    "draft/chathistory": Cap("asking for history; missed messages come in batches"),
    "draft/event-playback": Cap("joins, topics and tag messages in history too"),
    "draft/extended-isupport": Cap("ISUPPORT lines before registration"),
    "draft/extended-monitor": Cap("the older name of extended-monitor"),
    "draft/message-redaction": Cap("taking messages back", True),
    "draft/metadata-2": Cap("facts about people and rooms that others may read"),
    "draft/metadata-3": Cap("the same, newer draft"),
    "draft/multiline": Cap("messages of several lines", True),
    "draft/named-modes": Cap("switches of rooms by their names: PROP"),
    "draft/no-implicit-names": Cap("no list of names when joining"),
    "draft/pre-away": Cap("AWAY before registration"),
    "draft/read-marker": Cap("how far one has read, on all devices"),
    "echo-message": Cap("own messages come back once they are on disk"),
    "extended-join": Cap("account and real name of who joins"),
    "extended-monitor": Cap("more about the people one monitors"),
    "invite-notify": Cap("who invites whom"),
    "labeled-response": Cap("which answer belongs to which command"),
    "message-tags": Cap("tags of clients: replies, reactions, typing, receipts", True),
    "multi-prefix": Cap("all marks of a member, not only the highest"),
    "sasl": Cap("proving who one is"),
    "server-time": Cap("when it was said", True),
    "setname": Cap("changing the real name"),
    "soju.im/search": Cap("searching the history"),
    "standard-replies": Cap("FAIL, WARN and NOTE"),
    "sts": Cap("this server wants TLS"),
    "userhost-in-names": Cap("full masks in lists of names"),
    "znc.in/self-message": Cap("own messages from other devices"),
}

BATCHING = ("draft/chathistory", "draft/metadata-2", "draft/metadata-3", "labeled-response", "soju.im/search")
SHAPING = frozenset(name for name, cap in CAPS.items() if cap.shapes)
IMPLIED = {"draft/multiline": ("batch", "message-tags"), **dict.fromkeys(BATCHING, ("batch",))}
PINNED = frozenset({"cap-notify"})  # implied by CAP LS 302; cannot be taken off


def values(network: Network, secure: bool, certfp: str = "") -> dict[str, str]:
    """What a client with version 302 is shown: every capability with its value, "" for none."""
    shown = dict.fromkeys(CAPS, "")
    shown["sasl"] = ",".join(network.mechanisms + (("EXTERNAL",) if certfp else ()))
    flags = (network.register_early, "before-connect"), (network.email_required, "email-required")
    shown["draft/account-registration"] = ",".join(word for on, word in flags if on)
    shown["draft/multiline"] = f"max-bytes={network.max_bytes},max-lines={network.max_lines}"
    limits = f"before-connect,max-subs={network.max_subs},max-keys={network.max_keys}"
    shown["draft/metadata-2"] = shown["draft/metadata-3"] = f"{limits},max-value-bytes={network.max_value}"
    shown["sts"] = sts(network, secure)
    if not shown["sts"]:
        del shown["sts"]
    return shown


def sts(network: Network, secure: bool) -> str:
    """Where TLS is, for who came without; how long it is to be insisted on, for who has it; "" for nothing.

    https://ircv3.net/specs/extensions/sts: 0 seconds end what was promised before.
    """
    if secure:
        return f"duration={network.sts_seconds}" if network.sts_seconds >= 0 else ""
    return f"port={network.sts_port}" if network.sts_port and network.sts_seconds > 0 else ""


def shown(network: Network, secure: bool, version: int, certfp: str = "") -> list[str]:
    """The words of CAP LS for a client of this version."""
    table = values(network, secure, certfp)
    if version < 302:
        return [name for name in table if name != "sts"]
    return [f"{name}={value}" if value else name for name, value in table.items()]


LATE = (  # left out first where one line must hold all: their values cannot be told there, or few know them
    "draft/metadata-3", "draft/metadata-2", "draft/multiline", "draft/named-modes", "draft/extended-isupport",
    "draft/extended-monitor", "znc.in/self-message",
)  # fmt: skip


def fitting(names: list[str], room: int) -> list[str]:
    """As many of these as fit so many bytes: clients before 302 read one line of CAP LS."""
    kept = list(names)
    for name in LATE:
        if len(" ".join(kept)) > room and name in kept:
            kept.remove(name)
    return kept


def dialect(caps: Iterable[str]) -> frozenset[str]:
    """The part of the capabilities that changes how shared lines look."""
    return SHAPING.intersection(caps)
