"""Claiming a login: who may, what it becomes, and the invite code that it costs on a closed server."""

from __future__ import annotations

from tcpchat.core import model as m
from tcpchat.core.effects import Effects
from tcpchat.core.rules import MEMBER, OWNER
from tcpchat.core.sessions import Session
from tcpchat.core.world import World


def may_claim(chat: World, session: Session) -> bool:
    """Is claiming open, or does the hello bring an invite code?"""
    if not chat.limits.invite_only_server or session.trusted:
        return True
    token = session.hello.token if session.hello else ""
    return token in chat.state.rules.get("invite", {}) and token not in chat.codes.spending


def new_role(chat: World, session: Session) -> str:
    """What a login becomes that is claimed here: who is at the server's own machine may own the place, once."""
    return OWNER if not chat.state.founded and (session.local or session.trusted) else MEMBER


def spend(chat: World, session: Session, out: Effects) -> None:
    """On a closed server each invite code lets one login in."""
    code = session.hello.token if session.hello else ""
    if chat.limits.invite_only_server and code in chat.state.rules.get("invite", {}):
        chat.codes.spending.add(code)
        out.append(m.Append(m.Ruled(0, "expire", args={"kind": "invite", "key": code})))
