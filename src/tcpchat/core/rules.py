"""Names, lengths, rates, and who may do what: every limit has its name and default here. Pure yes or no."""

from __future__ import annotations

import math
import unicodedata
from functools import lru_cache

from msgspec import Struct

from tcpchat.core.looks import look, one_script
from tcpchat.core.masks import matches
from tcpchat.core.text import INVISIBLE, NAME_MAX, fold, is_clean

ALL = 1  # the number of #all, to which everyone belongs
ALL_NAME = "#all"
WINDOW = 64  # messages of one device that may be unanswered; so many places of its last messages are remembered
READY, WAITING = "READY2SERV", "WAIT4CLIENTS"
OWNER, MODERATOR, MEMBER = "owner", "moderator", "member"
ROLES = (OWNER, MODERATOR, MEMBER)
OP, VOICE = "op", "voice"
HOOK = "/"  # in the names of what posts by tokens, "monitor/ops": no person can have it
IRC_PREFERENCE = "irc/"  # how preferences begin that others may read, as METADATA of IRC


class Limits(Struct, frozen=True, kw_only=True):
    """Every limit of the chat itself. Rates of 0 mean unlimited."""

    max_text: int = 8_000  # bytes of UTF-8 of one message
    max_topic: int = 1_000  # bytes
    max_why: int = 500  # bytes of a reason
    max_login: int = 32  # characters
    max_name: int = 128  # characters of a real name
    max_label: int = 64  # characters of a device's or key's label
    max_room: int = 50  # characters without "#"
    page: int = 500  # rows of one answer at most
    feed_page: int = 200  # rows that a replay reads from the log at a time
    rooms_per_login: int = 200
    rooms: int = 20_000
    list_entries: int = 100  # bans, exceptions and invitations of one room
    keys_per_login: int = 20
    messages_per_second: float = 50.0  # per login, sustained
    message_burst: int = 500  # messages that may come at once before the rate counts
    bytes_per_second: float = 200_000.0  # of text per login, sustained
    byte_burst: int = 2_000_000
    commands_per_second: float = 20.0  # of all other kinds per login (joins, pages, searches, ...), sustained
    command_burst: int = 400  # of them that may come at once: an IRC client with many rooms comes back
    signals_per_second: float = 5_000.0  # of what costs least (confirmations, pings, status) per login, sustained
    signal_burst: int = 20_000  # of them that may come at once: a reader of fast rooms confirms each message
    logins_per_minute: float = 60.0  # new ones (guests and claims) from one address, sustained
    login_burst: int = 300  # of them that may come at once: a class behind one router
    guest_rooms_per_hour: float = 120.0  # new ones that guests of one address make; so many may be made at once
    guest_bytes_per_hour: float = 100_000_000.0  # that guests of one address leave in the log; so many at once
    login_bytes_per_hour: float = 1_000_000_000.0  # the same for one claimed login
    guest_grace: float = 600.0  # seconds a guest may be away before it is forgotten
    numbers_days: float = 30.0  # days that a device's numbers are remembered behind its last message
    numbered_devices: int = 10_000  # devices of one login that number; 300 bytes each for those of `send --id`
    auth_seconds: float = 30.0  # until a connection must have said who it is
    guests: bool = True  # may unclaimed logins enter?
    scram: bool = True  # keep what SCRAM checks a password by, beside argon2's hash?
    invite_only_server: bool = False  # claim only with an invite code
    server_name: str = "tcpchat"
    version: str = ""


def wait_of(missing: float, rate: float) -> float:
    """Seconds until so much is there; never 0, which would mean that nothing is missing."""
    return max(round(missing / rate, 3), 0.001)


class Bucket:
    """Tokens that fill up with time."""

    __slots__ = ("at", "tokens")

    def __init__(self) -> None:
        self.tokens, self.at = math.inf, 0.0  # not used yet: full

    def fill(self, now: float, rate: float, burst: float) -> float:
        """How many tokens there are now."""
        self.tokens = min(burst, self.tokens + (now - self.at) * rate)
        self.at = now
        return self.tokens

    def take(self, now: float, rate: float, burst: float, cost: float = 1.0) -> float:
        """Take a token (or ``cost`` of them): 0, or the seconds until there are so many."""
        cost = min(cost, burst)
        tokens = self.fill(now, rate, burst)
        if tokens < cost:
            return wait_of(cost - tokens, rate)
        self.tokens = tokens - cost
        return 0.0

    def draw(self, now: float, rate: float, burst: float, most: int) -> int:
        """Take as many whole tokens as there are, up to ``most``: for who counts in blocks."""
        got = min(most, max(int(self.fill(now, rate, burst)), 0))
        self.tokens -= got
        return got

    def owe(self, cost: float) -> None:
        """Take tokens that may not be there yet, for what turned out to cost more than was known before."""
        self.tokens -= cost


def dm_room(a: int, b: int) -> int:
    """The room number of the direct conversation of two users: negative, computed, never allocated."""
    return -((a << 31 | b) if a < b else (b << 31 | a))


def dm_users(room: int) -> tuple[int, int]:
    """The two users of a direct conversation."""
    return -room >> 31, -room & 0x7FFFFFFF


def challenge_text(nonce: str, login: str, binding: str) -> str:
    """What a key signs to prove a login: bound to this connection's nonce, the name, and the server's certificate."""
    return f"tcpchat-auth-1\n{nonce}\n{fold(login)}\n{binding}"


def good_login(login: str, limits: Limits) -> str:
    """The login as it will be shown (NFC, single spaces), or "" when it cannot be one."""
    if len(login) > NAME_MAX:
        return ""
    name = unicodedata.normalize("NFC", login).strip()
    if not name or len(name) > limits.max_login or name[0] in "#@:&$%+~" or not is_clean(name):
        return ""
    if any(char in ',!*?\n\t\r\\/"<>' or char in INVISIBLE for char in name) or "  " in name:
        return ""
    ok = all(char == " " or unicodedata.category(char)[0] not in "CZ" for char in name)
    return name if ok and (shape := look(name).strip()) and HOOK not in shape else ""


# Names by which people take somebody for the server, a service of IRC or an operator; also what looks like them.
SERVICES = ("NickServ ChanServ HistServ MemoServ OperServ BotServ HostServ SaslServ HelpServ InfoServ StatServ AuthServ"
            " Global Services").split()  # fmt: skip
PLACE = ("tcpchat", "tcpchat.chat", "tcpchat.local", "server", "the server", "system", "localhost", "console",
         "the server's machine", "server's machine", "serverside")  # fmt: skip
STAFF_NAMES = ("owner", "admin", "administrator", "moderator", "operator", "sysop", "sysadmin", "staff")


@lru_cache(maxsize=64)
def _reserved(server_name: str) -> dict[str, bool]:
    """The looks of reserved names; True = of those that who runs the place may have."""
    table = {look(name): False for name in (*SERVICES, *PLACE, server_name)}
    return table | {look(name): True for name in STAFF_NAMES}


def unfit(login: str, limits: Limits, staff: bool = False) -> str:
    """Why nobody new may have this name, or "". ``staff``: it is for who runs the place."""
    kind = _reserved(limits.server_name).get(look(login).strip())
    if kind is False or (kind and not staff):
        return "This name is taken for the server's or its operators'; choose another."
    return "" if one_script(login) else "Letters of two scripts in one name look like another name; choose one script."


def good_room(room: str, limits: Limits) -> str:
    """The room's name with "#", or "" when it cannot be one."""
    if len(room) > NAME_MAX:
        return ""
    name = unicodedata.normalize("NFC", room if room.startswith("#") else "#" + room)
    if not 2 <= len(name) <= limits.max_room + 1 or not is_clean(name):
        return ""
    if any(char in " ,:*?@!" or char in INVISIBLE or unicodedata.category(char)[0] in "CZ" for char in name[1:]):
        return ""
    return name


def mask_matches(mask: str, login: str, account: str, host: str = "") -> bool:
    """Does a ban mask fit? ``nick!user@host`` with ``*`` and ``?``, or the extbans ``a:ACCOUNT`` and ``~a:ACCOUNT``."""
    kind, colon, rest = mask.partition(":")
    if colon and kind in ("a", "~a", "~account"):
        return bool(account) and matches(fold(rest), fold(account))
    if colon and kind in MUTES:
        return False  # a mute: asked for by muting_mask
    nick, bang, rest = mask.partition("!")
    full = mask if bang else f"*!{mask}" if "@" in mask else f"{nick}!*@*"
    shown = f"{login.replace(' ', '_')}!{host or '~u@tcpchat'}"
    return matches(fold(full), fold(shown))


MUTES = ("m", "~q", "~quiet", "~m")


def muting_mask(mask: str) -> str:
    """The mask inside a mute extban (``m:MASK``), or ""."""
    for prefix in ("m:", "~q:", "~quiet:", "~m:"):
        if mask.startswith(prefix):
            return mask[len(prefix) :]
    return ""
