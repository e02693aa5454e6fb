"""Coming in and leaving: who somebody is, proofs, guests, devices that come back, presence."""

from __future__ import annotations

from hmac import compare_digest
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tcpchat.core import certificates, hashing, linking, operators, people, presence, queries, resuming, scram, tokens
from tcpchat.core import model as m
from tcpchat.core.devices import family
from tcpchat.core.errors import CODES
from tcpchat.core.keytext import canonical
from tcpchat.core.looks import look
from tcpchat.core.meant import meant, owner, still
from tcpchat.core.rules import ALL, OWNER, WINDOW, challenge_text, good_login, unfit
from tcpchat.core.sessions import ARRIVING, CHALLENGED, CHECKING, CLOSED, ENTERING, NEW, OPEN, PASSWORD, Session
from tcpchat.core.state import LOOKS, User
from tcpchat.core.text import fold

if TYPE_CHECKING:
    from tcpchat.core.chat import Chat, Effects

ADMIN = "admin:"  # how a token begins that is the secret of the data folder
TRIES = 3  # wrong proofs of one connection
TRIES_OPEN = 10  # wrong passwords of a guest that is in already


def refuse(
    session: Session, code: str, out: Effects, *, fatal: bool = True, ref: int | str = 0, text: str = "",
    after: float = 0.0,
) -> None:  # fmt: skip
    """A refusal of the hello: the peer may try another one unless the connection ends here."""
    login = session.hello.login if session.hello else ""
    event = m.Refused(code, text or CODES[code].text, ref, after=after, fatal=fatal, about=(login,))
    out.append(m.Tell(session, event))
    early, session.early = session.early, ()
    for command in early:  # it was meant for the session that did not begin
        number, ref = getattr(command, "n", 0), getattr(command, "ref", 0)
        out.append(m.Tell(session, m.Refused("hello_first", CODES["hello_first"].text, ref, number)))
    if fatal and not session.traits.stays_refused:
        out.append(m.HangUp(session, code))


# -- hello -----------------------------------------------------------------------------------------------------------


def hello(chat: Chat, session: Session, command: m.Hello, now: float, out: Effects) -> None:
    """Find out who this is: welcome, challenge, or refuse."""
    if session.stage == OPEN and _comes_home(session, command):
        presence.leave(chat, session, now, "identified", out)
        session.stage, session.user, session.device, session.missed = NEW, None, None, None
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
        refuse(session, "banned", out, text=ban)
        return
    if command.token and tokens.enter(chat, session, command, now, out):
        return
    login = good_login(command.login, chat.limits)
    if not login:
        refuse(session, "bad_name", out, fatal=False)
        return
    user = chat.state.find(login)
    other = chat.state.lookalike(login)
    if other is not None and (user is None or not user.claimed) and (other.claimed or other.sessions):
        text = f"{CODES['in_use'].text} It looks like {other.login}."
        refuse(session, "in_use", out, fatal=False, text=text)
    elif user is not None and user.claimed:
        _known(chat, session, command, user, now, out)
    elif user is None and not session.trusted and (why := _unfit(chat, session, login)):
        refuse(session, "bad_name", out, fatal=False, text=why)
    else:
        _unclaimed(chat, session, command, login, user, now, out)


def _comes_home(session: Session, command: m.Hello) -> bool:
    """Does a guest for whom an account vouches want to be that login itself from now on?"""
    user, account = session.user, session.account
    if not session.traits.guest_may_become_account or user is None or account is None or user.claimed or session.asking:
        return False
    return account.fold == fold(command.login) == fold(command.account)


def _operator(chat: Chat, session: Session, command: m.Hello, out: Effects) -> None:
    """The command line on the server's own machine: who can read the data folder holds every role.

    Such a session is nobody, hears nothing and may do nothing but operators' acts.
    """
    if not (session.local and chat.admin_secret and _is_secret(chat, command.token)):
        refuse(session, "not_allowed", out)
        return
    session.trusted, session.quiet, session.sent, session.stage = True, True, -1, OPEN
    chat.strangers.pop(session.id, None)
    out.append(m.Tell(session, m.Done("operator")))


def _is_secret(chat: Chat, token: str) -> bool:
    return compare_digest(token.encode(errors="surrogatepass"), (ADMIN + chat.admin_secret).encode())


def _unfit(chat: Chat, session: Session, login: str) -> str:
    """Why a name cannot be taken by who comes new; who may come to own the place may be called so."""
    return unfit(login, chat.limits, staff=people.new_role(chat, session) == OWNER)


def _known(chat: Chat, session: Session, command: m.Hello, user: User, now: float, out: Effects) -> None:
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
        refuse(session, "claimed", out)
        return
    session.stage, session.meant = CHALLENGED, meant(chat.state, login_of(session))
    out.append(m.Tell(session, m.Challenge(session.nonce, tuple(methods), user.login)))


def _unclaimed(
    chat: Chat, session: Session, command: m.Hello, login: str, user: User | None, now: float, out: Effects
) -> None:
    if user is not None and user.sessions and session.account and user.account == session.account.login:
        welcome(chat, session, user, now, out)  # another connection of the same account is the same guest
        return
    if user is not None and user.sessions and family(user.device) != family(session.device_id):
        refuse(session, "in_use", out, fatal=False)
        return
    if command.key and command.claim and people.may_claim(chat, session):
        session.stage, session.meant = CHALLENGED, meant(chat.state, login)
        out.append(m.Tell(session, m.Challenge(session.nonce, ("key",), login)))
        return
    if not chat.limits.guests and not session.trusted and session.account is None:
        refuse(session, "closed", out)
        return
    _guest(chat, session, command, login, user, now, out)


def _guest(
    chat: Chat, session: Session, command: m.Hello, login: str, user: User | None, now: float, out: Effects
) -> None:
    if user is not None and _is_own(session, user):
        welcome(chat, session, user, now, out)
        return
    if _too_many_new(chat, session, now, out):
        return
    presence.vacate(chat, login, out)
    session.stage = ARRIVING
    fact = m.Arrived(login, session.device_id, command.name, looks=LOOKS)
    out.append(m.Append(fact, m.Origin(session, 0, command)))


def _too_many_new(chat: Chat, session: Session, now: float, out: Effects) -> bool:
    """Has its address made so many logins that this one has to wait? Then it was told."""
    if wait := chat.newcomers.wait(session, chat.limits, now):
        session.stage = NEW
        refuse(session, "too_fast", out, fatal=False, after=wait, text="Too many new logins from your address; wait.")
    return bool(wait)


def _is_own(session: Session, user: User) -> bool:
    """Is this guest the one that this device was before?"""
    return not user.leaving and family(user.device) == family(session.device_id)


def arrived(chat: Chat, entry: m.Entry, fact: m.Arrived, out: Effects | None) -> None:
    """A guest is known from here on; of two that arrived at once the first has the name."""
    session = entry.origin.session if entry.origin is not None else None
    if chat.state.taken(fact.login, fact.looks) is not None:
        if out is not None and session is not None and session.stage == ARRIVING:
            session.stage = NEW
            refuse(session, "in_use", out, fatal=False)
        return
    user = chat.state.add_user(fact.login, entry.seq, fact.device)
    user.device, user.name = fact.device, fact.name
    user.delivered = entry.seq
    chat.guests[user.uid] = user
    if out is not None and session is not None and session.stage == ARRIVING:
        welcome(chat, session, user, chat.now, out)


# -- proofs ----------------------------------------------------------------------------------------------------------


def proof(chat: Chat, session: Session, command: m.Proof, now: float, out: Effects) -> None:
    """A signature over the challenge. Each connection has its own nonce, so nothing can be replayed."""
    offer = session.hello
    if session.stage != CHALLENGED or offer is None:
        refuse(session, "wrong_proof", out, fatal=False)
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
    session.stage = CHECKING
    text = challenge_text(session.nonce, offer.login, session.binding)
    out.append(m.Check(session, "key", command.signature, key, text, command, then))


def password(chat: Chat, session: Session, command: m.Password, now: float, out: Effects) -> None:
    """A password: to prove a login, to vouch for a guest (IRC), or to set a new one."""
    if not session.private:
        event = m.Refused("insecure", CODES["insecure"].text, command.ref, about=(command.account,))
        out.append(m.Tell(session, event))
        return
    if command.new:
        people.set_password(chat, session, command, now, out)
        return
    if session.guessing or session.stage in (CHECKING, ARRIVING, ENTERING):
        refuse(session, "too_many_pending", out, fatal=False, ref=command.ref)  # one guess at a time
        return
    name = command.account or login_of(session)
    then = meant(chat.state, name)
    user = owner(chat.state, then)
    against = user.password if user is not None else ""
    # Without such a login a hash is checked all the same: the time taken tells nothing about who exists.
    check = m.Check(session, "password", command.password, against, "", command, then)
    if hashing.ask(chat, check, now, out, name) and session.stage == CHALLENGED:
        session.stage = CHECKING


def login_of(session: Session) -> str:
    """The login that this session's hello names."""
    return session.hello.login if session.hello is not None else ""


def _wait(session: Session, seconds: float, ref: int | str, out: Effects) -> None:
    out.append(m.Tell(session, m.Refused("too_fast", CODES["too_fast"].text, ref, after=round(seconds, 1))))


def overloaded(chat: Chat, check: m.Check, out: Effects) -> None:
    """So many passwords wait to be checked that this one was not: nothing is known about it."""
    session = check.session
    if check.what in scram.AGAIN:
        return  # it is for the next login
    hashing.answered(chat, session, True)
    if session.stage == CHECKING:
        session.stage = CHALLENGED
    _wait(session, 1.0, getattr(check.command, "ref", 0), out)


def checked(chat: Chat, check: m.Check, answer: str, now: float, out: Effects) -> None:
    """What trust has found."""
    session, command = check.session, check.command
    if check.what != "key" and check.what not in scram.AGAIN:
        hashing.answered(chat, session, bool(answer))
    match command:
        case m.Proof():
            _proved(chat, session, check, answer, now, out)
        case m.Password() if check.what in scram.AGAIN:
            scram.freshened(chat, check, answer, out)
        case m.Password() if command.new:
            people.password_checked(chat, session, check, answer, now, out)
        case m.Password():
            _password_checked(chat, check, command, answer, now, out)
        case m.Key():
            people.key_checked(chat, session, command, answer, out)
        case m.Admin():
            operators.checked(chat, session, check, command, answer, out)


def _proved(chat: Chat, session: Session, check: m.Check, answer: str, now: float, out: Effects) -> None:
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
            session.stage = ARRIVING
            added = m.KeyAdded(user.uid, check.against, offer.label, by=link.by)
            out.append(m.Append(added, m.Origin(session, 0, offer)))
            return
        if check.against not in user.keys:  # revoked while it was being checked
            wrong(session, "wrong_proof", out)
            return
        welcome(chat, session, user, now, out)
        return
    if not people.may_claim(chat, session):
        session.stage = NEW
        refuse(session, "closed", out)  # the invite code was used while the proof was being checked
        return
    login = good_login(offer.login, chat.limits)
    other = chat.state.taken(login)
    if other is not None and (other.claimed or other.sessions) and not _is_own(session, other):
        session.stage = NEW
        refuse(session, "in_use", out, fatal=False)  # somebody has come while the proof was being checked
        return
    user = chat.state.find(offer.login)
    if user is not None and not _is_own(session, user):
        user = None
    if user is None:
        if _too_many_new(chat, session, now, out):
            return
        presence.vacate(chat, login, out)
    session.stage = ARRIVING
    name, label = offer.name, offer.label
    uid, role = user.uid if user else 0, people.new_role(chat, session)
    fact = m.Claimed(login, uid, check.against, "", label, session.device_id, name, role=role, looks=LOOKS)
    out.append(m.Append(fact, m.Origin(session, 0, offer)))
    operators.spend(chat, session, out)


def _password_checked(chat: Chat, check: m.Check, command: m.Password, answer: str, now: float, out: Effects) -> None:
    session = check.session
    user = owner(chat.state, check.meant)
    if not answer or user is None or check.against != user.password:  # another one was set, or it has another name
        session.stage = CHALLENGED if session.stage == CHECKING else session.stage
        wrong(session, "wrong_password", out, command.ref)
        return
    if ban := banned(chat, session, user.login, now):
        session.stage = CHALLENGED if session.stage == CHECKING else session.stage
        refuse(session, "banned", out, fatal=session.stage != OPEN, ref=command.ref, text=ban)
        return
    session.credential = PASSWORD
    scram.freshen(chat, session, user, check, command, out)
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
    session.stage = NEW
    out.append(m.Tell(session, m.Done(command.ref, data={"account": user.login})))


def _identify(chat: Chat, session: Session, user: User, command: m.Password, now: float, out: Effects) -> None:
    """An open guest session has shown an account's password: the account vouches for the guest's words."""
    out.append(m.Tell(session, m.Done(command.ref, data={"account": user.login})))
    identified(chat, session, user, out)


def identified(chat: Chat, session: Session, user: User, out: Effects) -> None:
    """An account vouches for an open session from now on."""
    session.account = user
    if session.user is not None:
        event = m.Presence(session.user.login, "account", account=user.login)
        presence.announce(chat, session.user, event, out)


def wrong(session: Session, code: str, out: Effects, ref: int | str = 0) -> None:
    session.tries += 1
    fatal = session.tries >= (TRIES_OPEN if session.stage == OPEN else TRIES)
    if session.stage == CHECKING:
        session.stage = CHALLENGED
    out.append(m.Tell(session, m.Refused(code, CODES[code].text, ref, fatal=fatal)))
    if fatal:
        out.append(m.HangUp(session, code))


# -- in --------------------------------------------------------------------------------------------------------------


def welcome(chat: Chat, session: Session, user: User, now: float, out: Effects) -> None:
    """Let somebody in who is who they say; counts of unread messages come from the log when there can be any."""
    offer = session.hello
    assert offer is not None
    if not session.trusted and user.claimed and (ban := banned(chat, session, user.login, now)):
        refuse(session, "banned", out, text=ban)
        return
    session.user = user
    session.stage = ENTERING
    if resuming.proves_a_loss(chat, offer):
        resuming.prove(chat, session, offer, out)
        return
    _take_device(chat, session, user, now, out)
    unanswered = session.device is not None and session.device.unanswered  # waits for that, as it does for counts
    if user.directs or user.rooms or user.reads or unanswered or chat.state.rooms[ALL].head > user.since:
        session.asking = True
        out.append(m.Load(session, queries.count_query(chat, user), offer))
    else:
        begin(chat, session, {}, now, out)


def _take_device(chat: Chat, session: Session, user: User, now: float, out: Effects) -> None:
    """This device's numbering; an older connection of the same device is dead or wrong and makes room."""
    device = resuming.take_device(session, user)
    older = device.session
    if older is not None and older is not session and older.stage != CLOSED:
        presence.end(chat, older, now, "replaced", out)
    device.session = session
    session.device = device


def begin(chat: Chat, session: Session, counts: dict[int, int], now: float, out: Effects) -> None:
    """Welcome, the rooms, the state, and then the feed."""
    user, offer, device = session.user, session.hello, session.device
    if user is None or offer is None or device is None or session.stage != ENTERING:
        return
    session.stage = OPEN
    session.asking = False
    chat.strangers.pop(session.id, None)
    known = resuming.past(chat, offer)
    session.sent = after = resuming.start(session, user, known, chat.state.seq)
    limits = chat.limits
    account = user.account or (session.account.login if session.account else "")
    out.append(
        m.Tell(
            session,
            m.Welcome(
                user.login, chat.state.seq, after, device.last, device.recent(), limits.server_name, limits.version,
                user.claimed, user.role, chat.ready, account, session.device_id, WINDOW, limits.max_text,
                session.binding, chat.ms(now), chat.log_id, resuming.lost(chat, session, user, known),
                chat.state.forgot,
            ),
        )
    )  # fmt: skip
    _present(chat, session, user, now, out)
    out.append(m.Tell(session, queries.room_list(chat, session, m.Rooms(), counts)))
    if not session.hook:
        out.append(m.Tell(session, chat.status(now)))
        session.ready = chat.ready
    if known.after and offer.after != -1:
        from tcpchat.core.receipts import confirm

        confirm(chat, session, m.Confirm(after), now, out)
    if session.quiet and not session.hook:
        session.sent = -1  # a one-shot script: answers and receipts, no feed
    else:
        queries.advance(chat, session, out)
    for command in resuming.early(session, after, known):
        out += chat.receive(session, command, now)


def _present(chat: Chat, session: Session, user: User, now: float, out: Effects) -> None:
    """Count it as present, and let it hear its rooms."""
    was = user.online
    user.sessions.append(session)
    chat.reshow(user)
    if session.traits.gives_host and session.hello and sum(one.traits.gives_host for one in user.sessions) == 1:
        before, user.host = user.host, session.hello.host
        if was and before != user.host:
            event = m.Presence(user.login, "host", text=user.host, account=user.account, was=before)
            presence.announce(chat, user, event, out, session)
    user.seen = chat.ms(now)
    if session.hook or not session.quiet:
        for audience in chat.audiences(session):
            audience.add(session)
    if was or not user.online:
        return
    user.online_since = chat.ms(now)
    presence.count(chat, user, 1)
    account = user.account or (session.account.login if session.account else "")
    event = m.Presence(user.login, "online", account=account, name=user.name, bot=session.bot)
    presence.announce(chat, user, event, out, session)
    chat.update_ready(out)


def tick(chat: Chat, now: float, out: Effects) -> None:
    """End connections that never said who they are."""
    for session in list(chat.strangers.values()) if chat.limits.auth_seconds else ():
        if (
            session.stage in (NEW, CHALLENGED)
            and now - session.opened > chat.limits.auth_seconds
            and not session.traits.hello_may_wait
        ):
            refuse(session, "timeout", out)
            session.opened = now


def banned(chat: Chat, session: Session, login: str, now: float) -> str:
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
