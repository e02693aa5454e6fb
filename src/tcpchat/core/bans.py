"""Bans: who may not come in, and why."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

from tcpchat.core.errors import CODES
from tcpchat.core.looks import look
from tcpchat.core.rules import OWNER
from tcpchat.core.sessions import Session
from tcpchat.core.world import World


def banned(chat: World, session: Session, login: str, now: float) -> str:
    """Why this login, the account that vouches for it, or their address may not come in; "" if they may.

    Owners always may: nobody can be shut out of a place of their own.
    """
    account = session.account.login if session.account is not None else ""
    user = chat.state.find(account or login)
    if user is not None and user.role == OWNER:
        return ""
    names = (look(login), look(account))
    for key, details in chat.state.rules.get("ban", {}).items():
        until = int(details.get("until", "0"))
        if until and until < chat.ms(now):
            continue
        kind, _, what = key.partition(":")
        hit = look(what) in names if kind == "login" else _inside(session.address, what)
        if hit:
            why = details.get("why", "")
            return f"{CODES['banned'].text} {why}".strip()
    return ""


def _inside(address: str, network: str) -> bool:
    try:
        return ip_address(address.partition("%")[0]) in ip_network(network, strict=False)
    except ValueError:
        return False
