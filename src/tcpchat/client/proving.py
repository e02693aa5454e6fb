"""Proving a login by its key: which server it is that asks, and whether a proof could be used at another one.

Over TLS a proof is bound to the certificate. Without it all hangs on what the server says of itself, so its id is kept
(trust.known), and a proof is refused where it could be meant for somebody else.
"""

from __future__ import annotations

import contextlib
import logging

from tcpchat.client import first_use
from tcpchat.client.errors import ConnectionFailed, KeyChanged
from tcpchat.client.peer import Prove, Signer
from tcpchat.client.peer import prove as unbound
from tcpchat.core import model as m
from tcpchat.core.proofs import proof_text
from tcpchat.trust import fingerprint
from tcpchat.trust.known import NAMELESS, KnownError, KnownNotKept, Met, address

logger = logging.getLogger("tcpchat.client")


def proving(host: str, port: int) -> Prove:
    """How proofs are made for the server at this address. They raise KeyChanged when it is another server than the one
    that was known here, or names no server where it has to; ConnectionFailed when the known ones cannot be read."""

    def prove(challenge: m.Challenge, login: str, key: Signer, shown: str) -> m.Proof:
        _judge(challenge.server or NAMELESS, fingerprint.of_key(key.public.encode()), host, port, shown)
        if not challenge.server:
            return unbound(challenge, login, key, shown)
        at, mode = address(host, port), "tls" if shown else "plain"
        text = proof_text(challenge.nonce, login, challenge.server, at, mode, shown)
        return m.Proof(key.sign(text), key.public, at=at)

    return prove


def _judge(name: str, used: str, host: str, port: int, shown: str) -> None:
    """Raise when a proof by this key is not for this server, else keep that it was given one."""
    known, local = first_use.known_servers(), first_use.is_loopback(host)
    where = address("localhost" if local else host, port)
    try:
        met = known.met()
        if shown:
            _notice(where, name, met, local)
        else:
            _look(where, name, used, met, local)
        with contextlib.suppress(KnownNotKept):
            known.meet(where, name, used)
    except KnownError as error:
        raise ConnectionFailed(str(error)) from None


def _look(where: str, name: str, used: str, met: list[Met], local: bool) -> None:
    """Without TLS: raise KeyChanged where a proof could be passed on to a server that it is not meant for."""
    before = next((one for one in met if one.address == where), None)
    others = [one for one in met if one.address != where]
    if before is not None and before.id != NAMELESS and before.id != name:
        raise KeyChanged(
            f"ANOTHER SERVER THAN BEFORE ANSWERS AT {where}, and without TLS nothing else says who it is: the login "
            f"was not proved to it. If it was set up anew: tcpchat trust forget {where}"
        )
    if name == NAMELESS and (other := next((one for one in others if used in one.keys), None)):
        raise KeyChanged(
            f"{where} does not say which server it is. A proof given to it without TLS could be used at "
            f"{other.address}, where this key is used too, so it got none. Talk to it over TLS, or use "
            "another login there."
        )
    # Of two servers on this machine each looks at the port that the proof was made for.
    alike = [one for one in others if one.id == name != NAMELESS and not (local and _here(one))]
    for other in alike:
        raise KeyChanged(
            f"{where} says that it is the server that is known as {other.address}, and without TLS that cannot be "
            f"checked: the login was not proved to it. Use TLS or that address; if it has moved: "
            f"tcpchat trust forget {other.address}"
        )


def _here(one: Met) -> bool:
    return one.address.startswith("localhost:")


def _notice(where: str, name: str, met: list[Met], local: bool) -> None:
    """Over TLS a proof is good at this server only; but at this machine, where no key is pinned, it may be another."""
    if local and any(one.address == where and one.id not in (name, NAMELESS) for one in met):
        logger.warning("! another server than before answers at %s", where)
