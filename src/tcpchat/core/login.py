"""The login: who somebody is, and how they prove it. Its stages are a table in core.stages."""

from __future__ import annotations

from hmac import compare_digest

from msgspec.structs import replace

from tcpchat.core import certificates, hashing, linking, people, presence, proofs, tokens
from tcpchat.core import model as m
from tcpchat.core.answers import turn_away, wrong
from tcpchat.core.bans import banned
from tcpchat.core.claiming import may_claim, new_role, spend
from tcpchat.core.devices import family
from tcpchat.core.effects import Effects
from tcpchat.core.errors import CODES
from tcpchat.core.keytext import canonical
from tcpchat.core.owners import meant, of_password, owner, still
from tcpchat.core.presence import identified
from tcpchat.core.rules import OWNER, good_login, unfit
from tcpchat.core.scram import ITERATIONS, MESSAGE_MAX, SECONDS, Exchange, account_of, attributes
from tcpchat.core.sessions import ARRIVING, CHALLENGED, CHECKING, ENTERING, NEW, OPEN, PASSWORD, Session, User
from tcpchat.core.stages import challenge, step
from tcpchat.core.state import LOOKS
from tcpchat.core.text import fold
from tcpchat.core.welcome import welcome
from tcpchat.core.world import World

AGAIN = ("raise", "lower")  # checks that make a verifier of a password that was right
UNBOUND = "Without TLS this proof would be good at any server: connect with TLS, or use a newer client."
ANOTHER_SERVER = "This proof was made for another server."
ADMIN = "admin:"  # how a token begins that is the secret of the data folder


# -- hello -----------------------------------------------------------------------------------------------------------


def hello(chat: World, session: Session, command: m.Hello, now: float, out: Effects) -> None:
    """Find out who this is: welcome, challenge, or refuse."""
    if session.stage == OPEN and _comes_home(session, command):
        presence.leave(chat, session, now, "identified", out)
        step(session, "again")
        session.user, session.device, session.missed = None, None, None
        session.oper, session.asking, session.ready = False, False, ""
    if session.stage not in (NEW, CHALLENGED):
        out.append(m.Tell(session, m.Refused("bad_command", CODES["bad_command"].text)))
        return
    command = session.hello = replace(command, key=canonical(command.key)) if command.key else command
    if command.token.startswith(ADMIN):
        _operator(chat, session, command, out)
        return
    if session.account is not None and fold(session.account.login) != fold(command.account or command.login):
        session.account = None  # it proved another account than the one it now wants to speak for
    # Who hears what is said is shown to the others; a machine with a room's token was told to them by its making.
    session.quiet = command.quiet and command.after is None
    session.label, session.bot = command.label, command.bot
    if command.device:
        session.device_id = command.device
    ban = "" if session.trusted else banned(chat, session, command.login, now)
    if ban:
        turn_away(session, "banned", out, text=ban)
        return
    if command.token and tokens.enter(chat, session, command, now, out):
        return
    login = good_login(command.login, chat.limits)
    if not login:
        turn_away(session, "bad_name", out, fatal=False)
        return
    user = chat.state.find(login)
    other = chat.state.lookalike(login)
    if other is not None and (user is None or not user.claimed) and (other.claimed or other.sessions):
        text = f"{CODES['in_use'].text} It looks like {other.login}."
        turn_away(session, "in_use", out, fatal=False, text=text)
    elif user is not None and user.claimed:
        _known(chat, session, command, user, now, out)
    elif user is None and not session.trusted and (why := _unfit(chat, session, login)):
        turn_away(session, "bad_name", out, fatal=False, text=why)
    else:
        _unclaimed(chat, session, command, login, user, now, out)


def _comes_home(session: Session, command: m.Hello) -> bool:
    """Does a guest for whom an account vouches want to be that login itself from now on?"""
    user, account = session.user, session.account
    if not session.traits.guest_may_become_account or user is None or account is None or user.claimed or session.asking:
        return False
    return account.fold == fold(command.login) == fold(command.account)


def _operator(chat: World, session: Session, command: m.Hello, out: Effects) -> None:
    """The command line on the server's own machine: who can read the data folder holds every role.

    Such a session is nobody, hears nothing and may do nothing but operators' acts.
    """
    if not (session.local and chat.admin_secret and _is_secret(chat, command.token)):
        turn_away(session, "not_allowed", out)
        return
    session.trusted, session.quiet, session.sent = True, True, -1
    step(session, "operator")
    chat.strangers.pop(session.id, None)
    out.append(m.Tell(session, m.Done("operator")))


def _is_secret(chat: World, token: str) -> bool:
    return compare_digest(token.encode(errors="surrogatepass"), (ADMIN + chat.admin_secret).encode())


def _unfit(chat: World, session: Session, login: str) -> str:
    """Why a name cannot be taken by who comes new; who may come to own the place may be called so."""
    return unfit(login, chat.limits, staff=new_role(chat, session) == OWNER)


def _known(chat: World, session: Session, command: m.Hello, user: User, now: float, out: Effects) -> None:
    """The login belongs to somebody: it has to be proved, unless it has been already."""
    if session.account is user or session.trusted or certificates.enters(session, user):
        session.account = None
        welcome(chat, session, user, now, out)
        return
    if command.token and command.key and command.key not in user.keys:
        linking.offered(chat, session, command, user, now, out)
        return
    methods = []
    if certificates.signs(user):
        methods.append("key")
    if user.password:
        methods.append("password")
    if not methods or session.traits.cannot_prove:
        turn_away(session, "claimed", out)
        return
    challenge(session, meant(chat.state, login_of(session)))
    out.append(m.Tell(session, m.Challenge(session.nonce, tuple(methods), user.login, chat.server_id)))


def _unclaimed(
    chat: World, session: Session, command: m.Hello, login: str, user: User | None, now: float, out: Effects
) -> None:
    if user is not None and user.sessions and session.account and user.account == session.account.login:
        welcome(chat, session, user, now, out)  # another connection of the same account is the same guest
        return
    if user is not None and user.sessions and family(user.device) != family(session.device_id):
        turn_away(session, "in_use", out, fatal=False)
        return
    if command.key and command.claim and may_claim(chat, session):
        challenge(session, meant(chat.state, login))
        out.append(m.Tell(session, m.Challenge(session.nonce, ("key",), login, chat.server_id)))
        return
    if not chat.limits.guests and not session.trusted and session.account is None:
        turn_away(session, "closed", out)
        return
    _guest(chat, session, command, login, user, now, out)


def _guest(
    chat: World, session: Session, command: m.Hello, login: str, user: User | None, now: float, out: Effects
) -> None:
    if user is not None and _is_own(session, user):
        welcome(chat, session, user, now, out)
        return
    if _too_many_new(chat, session, now, out):
        return
    presence.vacate(chat, login, out)
    step(session, "proposed")
    fact = m.Arrived(login, session.device_id, command.name, looks=LOOKS)
    out.append(m.Append(fact, m.Origin(session, 0, command)))


def _too_many_new(chat: World, session: Session, now: float, out: Effects) -> bool:
    """Has its address made so many logins that this one has to wait? Then it was told."""
    if wait := chat.newcomers.wait(session, chat.limits, now):
        step(session, "refused")
        turn_away(
            session, "too_fast", out, fatal=False, after=wait, text="Too many new logins from your address; wait."
        )
    return bool(wait)


def _is_own(session: Session, user: User) -> bool:
    """Is this guest the one that this device was before?"""
    return not user.leaving and family(user.device) == family(session.device_id)


def arrived(chat: World, entry: m.Entry, fact: m.Arrived, out: Effects | None) -> None:
    """A guest is known from here on; of two that arrived at once the first has the name."""
    session = entry.origin.session if entry.origin is not None else None
    if chat.state.taken(fact.login, fact.looks) is not None:
        if out is not None and session is not None and session.stage == ARRIVING:
            step(session, "refused")
            turn_away(session, "in_use", out, fatal=False)
        return
    user = chat.state.add_user(fact.login, entry.seq, fact.device)
    user.device, user.name = fact.device, fact.name
    user.delivered = entry.seq
    chat.guests[user.uid] = user
    if out is not None and session is not None and session.stage == ARRIVING:
        welcome(chat, session, user, chat.now, out)


# -- proofs ----------------------------------------------------------------------------------------------------------


def proof(chat: World, session: Session, command: m.Proof, now: float, out: Effects) -> None:
    """A signature over the challenge. Each connection has its own nonce, so nothing can be replayed."""
    offer = session.hello
    if session.stage != CHALLENGED or offer is None:
        turn_away(session, "wrong_proof", out, fatal=False)
        return
    key = canonical(command.key) or offer.key
    then = session.meant
    if then is None or not still(chat.state, then):
        wrong(session, "wrong_proof", out)  # the login that it was challenged for has another owner, or another name
        return
    user = owner(chat.state, then)
    claiming = user is None
    if claiming and not (offer.key and offer.claim):
        wrong(session, "wrong_proof", out)  # a guest has nothing that could be proved
        return
    if not key or (user is not None and key not in user.keys and not session.linking):
        wrong(session, "wrong_proof", out)
        return
    text = proofs.signed(session, command, offer.login, chat.server_id)
    if not text:
        wrong(session, "wrong_proof", out, text=ANOTHER_SERVER if command.at else UNBOUND)
        return
    step(session, "shown")
    out.append(m.Check(session, "key", command.signature, key, text, command, then))


def password(chat: World, session: Session, command: m.Password, now: float, out: Effects) -> None:
    """A password: to prove a login, to vouch for a guest (IRC), or to set a new one."""
    if not session.private:
        event = m.Refused("insecure", CODES["insecure"].text, command.ref, about=(command.account,))
        out.append(m.Tell(session, event))
        return
    if command.new:
        people.set_password(chat, session, command, now, out)
        return
    if session.guessing or session.stage in (CHECKING, ARRIVING, ENTERING):
        turn_away(session, "too_many_pending", out, fatal=False, ref=command.ref)  # one guess at a time
        return
    name = command.account or login_of(session)
    then = meant(chat.state, name)
    user = owner(chat.state, then)
    against = user.password if user is not None else ""
    # Without such a login a hash is checked all the same: the time taken tells nothing about who exists.
    check = m.Check(session, "password", command.password, against, "", command, then)
    if hashing.ask(chat, check, now, out, name) and session.stage == CHALLENGED:
        step(session, "shown")


def login_of(session: Session) -> str:
    """The login that this session's hello names."""
    return session.hello.login if session.hello is not None else ""


def _wait(session: Session, seconds: float, ref: int | str, out: Effects) -> None:
    out.append(m.Tell(session, m.Refused("too_fast", CODES["too_fast"].text, ref, after=round(seconds, 1))))


def overloaded(chat: World, check: m.Check, out: Effects) -> None:
    """So many passwords wait to be checked that this one was not: nothing is known about it."""
    session = check.session
    if check.what in AGAIN:
        return  # it is for the next login
    hashing.answered(chat, session, True)
    step(session, "wrong")
    _wait(session, 1.0, getattr(check.command, "ref", 0), out)


def proved(chat: World, session: Session, check: m.Check, answer: str, now: float, out: Effects) -> None:
    offer = session.hello
    assert offer is not None
    if session.stage != CHECKING:
        return
    if not answer:
        wrong(session, "wrong_proof", out)
        return
    if not still(chat.state, check.meant):  # its name means somebody else by now
        wrong(session, "wrong_proof", out)
        return
    session.credential = check.against
    user = owner(chat.state, check.meant)
    if user is not None:
        if check.against not in user.keys and (link := linking.spend(chat, session, user, now)):
            step(session, "proposed")
            added = m.KeyAdded(user.uid, check.against, offer.label, by=link.by)
            out.append(m.Append(added, m.Origin(session, 0, offer)))
            return
        if check.against not in user.keys:  # revoked while it was being checked
            wrong(session, "wrong_proof", out)
            return
        welcome(chat, session, user, now, out)
        return
    if not may_claim(chat, session):
        step(session, "refused")
        turn_away(session, "closed", out)  # the invite code was used while the proof was being checked
        return
    login = good_login(offer.login, chat.limits)
    other = chat.state.taken(login)
    if other is not None and (other.claimed or other.sessions) and not _is_own(session, other):
        step(session, "refused")
        turn_away(session, "in_use", out, fatal=False)  # somebody has come while the proof was being checked
        return
    user = chat.state.find(offer.login)
    if user is not None and not _is_own(session, user):
        user = None
    if user is None:
        if _too_many_new(chat, session, now, out):
            return
        presence.vacate(chat, login, out)
    step(session, "proposed")
    name, label = offer.name, offer.label
    uid, role = user.uid if user else 0, new_role(chat, session)
    fact = m.Claimed(login, uid, check.against, "", label, session.device_id, name, role=role, looks=LOOKS)
    out.append(m.Append(fact, m.Origin(session, 0, offer)))
    spend(chat, session, out)


def password_checked(chat: World, check: m.Check, command: m.Password, answer: str, now: float, out: Effects) -> None:
    session = check.session
    user = owner(chat.state, check.meant)
    if not answer or user is None or check.against != user.password:  # another one was set, or it has another name
        step(session, "wrong")
        wrong(session, "wrong_password", out, command.ref)
        return
    if ban := banned(chat, session, user.login, now):
        step(session, "wrong")
        turn_away(session, "banned", out, fatal=session.stage != OPEN, ref=command.ref, text=ban)
        return
    session.credential = PASSWORD
    freshen(chat, session, user, check, command, out)
    if session.stage == OPEN:
        _identify(chat, session, user, command, now, out)
        return
    if session.stage in (ARRIVING, ENTERING):  # it has come in as a guest meanwhile: the account vouches for that
        session.account = user
        out.append(m.Tell(session, m.Done(command.ref, data={"account": user.login})))
        return
    if session.hello is not None and fold(session.hello.login) == user.fold:
        welcome(chat, session, user, now, out)
        return
    session.account = user
    step(session, "vouched")
    out.append(m.Tell(session, m.Done(command.ref, data={"account": user.login})))


def _identify(chat: World, session: Session, user: User, command: m.Password, now: float, out: Effects) -> None:
    """An open guest session has shown an account's password: the account vouches for the guest's words."""
    out.append(m.Tell(session, m.Done(command.ref, data={"account": user.login})))
    identified(chat, session, user, out)


# -- SCRAM -----------------------------------------------------------------------------------------------------------


def _kept(user: User) -> str:
    """The verifier of a login's password; "" when it has none."""
    return user.password.partition(" ")[2]


def freshen(chat: World, session: Session, user: User, check: m.Check, command: m.Password, out: Effects) -> None:
    """A right password is at hand: make its verifier anew if it is an older version's, or not wanted any more."""
    costs = _kept(user).split("$")[1:2]
    rounds = costs[0].partition(":")[0] if costs else "0"
    if rounds != (str(ITERATIONS) if chat.limits.scram else "0"):
        what = "raise" if chat.limits.scram else "lower"
        out.append(m.Check(session, what, command.password, user.password, "", command, check.meant))


def freshened(chat: World, check: m.Check, answer: str, out: Effects) -> None:
    """The verifier is made: it takes the place of the one before, if the password is still the same."""
    user = owner(chat.state, check.meant)
    if answer and user is not None and user.password == check.against:
        out.append(m.Append(m.PasswordSet(user.uid, answer, user.uid, same=True, was=of_password(user))))


def by_scram(chat: World, session: Session, command: m.Scram, now: float, out: Effects) -> None:
    """One message of the client: its first words, or its proof."""
    if not chat.limits.scram:
        out.append(m.Tell(session, m.Refused("unsupported", CODES["unsupported"].text, command.ref)))
        return
    exchange, session.scram = session.scram, None
    message = command.message
    account = exchange.meant.name if exchange is not None else account_of(message)
    if wait := chat.guesses.wait_of(session, account, chat.state.find(account), now):
        out.append(m.Tell(session, m.Refused("too_fast", CODES["too_fast"].text, command.ref, after=round(wait, 1))))
        return
    if exchange is None:
        header, _, bare = message.partition(",")
        _, _, bare = bare.partition(",")
        if header not in ("n", "y") or not attributes(bare).get("r") or len(message) > MESSAGE_MAX:
            wrong(session, "wrong_password", out, command.ref)
            return
        account = account_of(bare)
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
        identified(chat, session, user, out)
    elif session.stage in (NEW, CHALLENGED):
        session.account = user
        step(session, "vouched")
    out.append(m.Tell(session, m.Done(command.ref, data=data)))


def tick(chat: World, now: float, out: Effects) -> None:
    """End connections that never said who they are."""
    for session in list(chat.strangers.values()) if chat.limits.auth_seconds else ():
        if (
            session.stage in (NEW, CHALLENGED)
            and now - session.opened > chat.limits.auth_seconds
            and not session.traits.hello_may_wait
        ):
            turn_away(session, "timeout", out)
            session.opened = now
