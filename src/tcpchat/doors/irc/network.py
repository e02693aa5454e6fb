"""What all IRC connections of one server share: its settings, who is who on IRC, and what it says about itself."""

from __future__ import annotations

import hashlib
import hmac
import weakref
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from functools import lru_cache
from itertools import islice
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from tcpchat.core import text
from tcpchat.core.rules import Limits
from tcpchat.doors.irc import wire

if TYPE_CHECKING:
    from tcpchat.core.model import Person
    from tcpchat.doors.irc.door import IrcDoor
    from tcpchat.doors.irc.joins import About, News

PEOPLE_MAX = 50_000  # whom the directory remembers: those who are here, and the latest of those who were
WHOWAS_MAX = 1_000  # entries of WHOWAS, as most servers keep
ASKS_FREE = 100  # PINGs of all doors in a tenth of a second; what is more waits,
ASKS_BEATS = 10  # at most so many tenths of a second
MARKS_MAX = 100_000  # read marks remembered with their exact time; older ones fall back to the cursor
CHANNEL_MODES = {  # letter -> name in core.model.Change
    "b": "ban", "e": "except", "I": "invex", "k": "key", "l": "limit", "C": "no_ctcp", "i": "invite_only",
    "M": "registered_speak", "m": "moderated", "n": "members_only", "s": "secret", "t": "topic_locked",
    "R": "registered_only", "o": "op", "v": "voice",
}  # fmt: skip
PROPS = {
    "C": "noctcp", "I": "invex", "M": "regmoderated", "R": "regonly", "b": "ban", "e": "banex", "i": "inviteonly",
    "k": "key", "l": "limit", "m": "moderated", "n": "noextmsg", "o": "op", "s": "secret", "t": "topiclock",
    "v": "voice",
}  # fmt: skip
USER_PROPS = {"B": "bot", "R": "regonly", "T": "noctcp", "i": "invisible", "o": "oper", "w": "wallops"}
LETTERS = {name: letter for letter, name in CHANNEL_MODES.items()}
LIST_MODES, KEY_MODES, LIMIT_MODES, SWITCHES, RANKS = "Ibe", "k", "l", "CMRimnst", "ov"
USER_MODES = {
    "B": "is a bot", "R": "takes direct messages only from people with an account", "T": "takes no CTCP",
    "i": "is not shown to strangers", "o": "is an operator of the server", "r": "has an account",
    "w": "hears WALLOPS", "Z": "is connected by TLS",
}  # fmt: skip
EXTBANS = {"a": "account", "m": "mute"}
HEIRS_MAX = 10_000  # ghosts remembered; of one forgotten its owner may see some lines twice


ACCEPT_MAX = 500  # who may write to one person in spite of +R
LIST_WORDS = 10  # masks and conditions of one LIST: each is looked at for every room
GUEST_MARKS_MAX = 200  # read marks of one guest; nobody is in more rooms
ALIKE_MAX = 1_000  # sets of capabilities kept to be shared


def nick_of(login: str) -> str:
    """How a login is written on IRC."""
    return login.replace(" ", "_") if " " in login else login


class Face:
    """What IRC shows of one login."""

    __slots__ = (
        "accepted",
        "account",
        "away",
        "doors",
        "host",
        "login",
        "marks",
        "modes",
        "online",
        "real",
        "secure",
        "signon",
        "spoke",
        "user",
    )

    def __init__(self, login: str, user: str = "", host: str = "") -> None:
        self.login, self.user, self.host = login, user, host
        self.real = self.account = self.away = ""
        self.modes = ""  # letters
        self.marks: dict[str, int] | None = None  # of a guest: folded conversation -> read mark (ms), while it is here
        self.accepted: set[str] | None = None  # folded logins that may write in spite of +R, once there are some
        self.online = self.secure = False
        self.signon = self.spoke = 0.0
        self.doors: list[IrcDoor] = []

    def wear(self, letters: str, on: bool = True) -> None:
        """Put modes on, or take them off."""
        rest = self.modes.translate(dict.fromkeys(map(ord, letters)))
        self.modes = rest + letters if on else rest

    def accept(self, key: str) -> None:
        """Let this folded login write in spite of +R."""
        if self.accepted is None:
            self.accepted = set()
        if len(self.accepted) >= ACCEPT_MAX:
            self.accepted.pop()
        self.accepted.add(key)

    # What a connection may know of the others of its login; it is for the chat alone to tell them anything.

    @property
    def address(self) -> str:
        """Where the first connection comes from, "" = nobody is here by IRC."""
        return self.doors[0].address if self.doors else ""

    def devices(self, since: float) -> frozenset[str]:
        """The devices that have been heard since then."""
        return frozenset(map(attrgetter("device"), filter(lambda one: one.heard > since, self.doors)))

    def certificates(self) -> list[str]:
        """Fingerprints of the certificates that the connections have shown."""
        return sorted(set(filter(None, map(attrgetter("certfp"), self.doors))))

    def heir(self, ghost: IrcDoor) -> str:
        """The device of the first connection that looks like a ghost and came when that was not heard any more."""
        like = filter(lambda one: one.user == ghost.user and one.receipts.begun > ghost.heard, self.doors)
        return next(map(attrgetter("device"), like), "") if ghost.device else ""

    @property
    def mask(self) -> str:
        return f"{nick_of(self.login)}!{self.user}@{self.host}"


Gone = tuple[str, str, str, str, float]  # login, user, host, real name, when


class Network:
    """Settings (read from any object that has attributes of these names) and the directory."""

    def __init__(self, settings: Any = None) -> None:
        def setting(name: str, default: Any) -> Any:
            value = getattr(settings, name, None)
            return default if value is None else value

        self.server = str(setting("server_name", "tcpchat"))
        if "." not in self.server:  # clients tell a server from a person by the dot (modern, "Source")
            self.server += ".chat"
        self.name = str(setting("network", "tcpchat")).replace(" ", "_") or "tcpchat"
        self.description = str(setting("description", "A tcpchat server"))
        self.lobby = str(setting("lobby", "#all"))
        self.oper_name = str(setting("oper_name", ""))
        self.oper_password = str(setting("oper_password", ""))
        self.password = str(setting("connection_password", ""))
        self.sts_port = int(setting("sts_port", 0))
        self.sts_seconds = int(setting("sts_seconds", -1))
        self.receipts_after = float(setting("irc_receipts_after", 10.0))
        self.dead_after = float(setting("irc_dead_after", 240.0))
        self.replay_max = int(setting("irc_replay_max", 5_000))
        self.register_early = bool(setting("irc_register_before_connect", True))
        self.email_required = bool(setting("irc_register_email", False))
        self.mechanisms = ("PLAIN", "SCRAM-SHA-256") if setting("scram", True) else ("PLAIN",)
        limits = Limits()
        self.nick_max = int(setting("max_login", limits.max_login))
        self.channel_max = int(setting("max_room", limits.max_room)) + 1
        self.topic_max = self.kick_max = 390
        self.away_max, self.real_max, self.user_max, self.key_max = 390, 150, 20, 23
        self.max_bytes, self.max_lines = 4096, 32
        self.max_subs, self.max_keys, self.max_value = 100, 100, 300
        self.rooms_max = min(100, int(setting("rooms_per_login", limits.rooms_per_login)))
        self.monitor_max, self.targets_max, self.list_max, self.history_max = 100, 10, 100, 100
        # What the driver lends, see IrcRealm; a codec alone does without.
        self.started = self.now = 0.0  # Unix time; of the present beat, a tenth of a second
        self.secret = bytes(16)
        self.motd: Callable[[], list[str]] = no_lines
        self.reload: Callable[[], list[str]] = no_lines
        self.people: OrderedDict[str, Face] = OrderedDict()
        self.sources: dict[str, str] = {}
        # Lists of names: (room, all marks, masks) -> who was in it, and the pieces of their line.
        self.rolls: dict[tuple[str, bool, bool], tuple[tuple[Person, ...], list[str]]] = {}
        self.worn = (0, 0, -1)  # people who are invisible, operators, and the beat in which they were counted
        self.gone: deque[Gone] = deque(maxlen=WHOWAS_MAX)
        self.keeping = False  # somebody writes down what follows
        self.went: deque[Gone] = deque(maxlen=WHOWAS_MAX)  # of WHOWAS, not written yet
        self.moved: dict[tuple[str, str], int] = {}  # read marks, not written yet; 0 = forget it
        self.heirs: dict[tuple[str, str], str] = {}  # folded login and device of a ghost -> device of who came back
        self.preferences: Callable[[str], Mapping[str, str]] = nothing_kept  # of a login or room, as the chat has them
        self.marks: OrderedDict[tuple[str, str], int] = OrderedDict()
        self.strangers: weakref.WeakSet[IrcDoor] = weakref.WeakSet()
        self.alike: dict[frozenset[str], frozenset[str]] = {}  # sets of capabilities, each once
        self.peak = 0
        self.greeting: list[tuple[str, str]] = []  # code and words of what follows 001, the same for all
        self.channels = 0
        self.counted = 0.0  # when the channels were counted
        self.news: dict[int, News] = {}  # who has come in this beat, by the id of the event, which it keeps alive
        self.about: About | None = None  # of what is told to many doors just now
        self.here = 0  # people who are here
        self.beat = self.asks = 0  # tenths of a second; PINGs for receipts in the present one,
        self.asks_most = ASKS_FREE  # and how many there may be
        self.due: dict[IrcDoor, None] = {}  # doors whose next PING waits for a beat to come

    # -- the pace of receipts --------------------------------------------------------------------------------

    def may_ask(self, door: IrcDoor) -> bool:
        """May this door send its PING now? Where many want to they take turns: a PONG is cumulative, so what waits is
        told by the next, only later."""
        if self.asks >= self.asks_most:
            self.due[door] = None
            return False
        self.asks += 1
        return True

    def tick(self) -> list[IrcDoor]:
        """Ten times a second: whose PING has waited may send it; these doors have something to say."""
        self.news.clear()
        self.rolls.clear()
        self.about = None
        self.beat += 1
        self.asks = 0
        if not self.due:
            self.asks_most = ASKS_FREE
            return []
        self.asks_most = max(self.asks_most, -(-len(self.due) // ASKS_BEATS))
        doors = list(islice(self.due, self.asks_most))
        for door in doors:
            del self.due[door]
        return doors

    @classmethod
    def of(cls, settings: Any) -> Network:
        """The network itself, or one of these settings (the server makes one for all its doors)."""
        return settings if isinstance(settings, Network) else cls(settings)

    def one_of(self, names: frozenset[str]) -> frozenset[str]:
        """The same set of capabilities, as one object for all who have it."""
        if len(self.alike) >= ALIKE_MAX:
            self.alike.clear()
        return self.alike.setdefault(names, names)

    # -- the directory ---------------------------------------------------------------------------------------

    fold = staticmethod(text.fold)

    def hides(self, room: str) -> bool:
        """True for the room of everybody when the lobby is switched off for IRC."""
        return room == "#all" and self.lobby != "#all"

    def face_online(self, nick: str) -> bool:
        """True when somebody of this name is here."""
        face = self.people.get(self.fold(nick))
        return face is not None and face.online

    def face(self, login: str) -> Face:
        """What IRC shows of this login; made up for people on other doors."""
        key = self.fold(login)
        face = self.people.get(key)
        if face is None:
            face = self.people[key] = Face(login, *self.default_host(login).split("@"))
            if len(self.people) > PEOPLE_MAX:
                self._forget()
        return face

    def default_host(self, login: str) -> str:
        """user@host of somebody who never came by IRC."""
        return f"{default_user(login)}@user.{self.name.lower()}"

    def _forget(self) -> None:
        for key, face in list(self.people.items())[: PEOPLE_MAX // 10]:
            if not face.online and not face.doors:
                del self.people[key]

    def mask(self, login: str) -> str:
        """nick!user@host of a login (on the hot path: kept until somebody comes, goes or is renamed)."""
        source = self.sources.get(login)
        if source is None:
            source = self.sources[login] = self.face(login).mask
        return source

    def unmask(self) -> None:
        """Somebody's mask may be another now."""
        self.sources.clear()
        self.rolls.clear()

    def count_worn(self, fresh: bool) -> tuple[int, int]:
        """People who are invisible, and operators; up to a tenth of a second old unless ``fresh``."""
        if fresh or self.worn[2] != self.beat:
            modes = [face.modes for face in self.people.values() if face.modes and face.online]
            self.worn = sum("i" in one for one in modes), sum("o" in one for one in modes), self.beat
        return self.worn[:2]

    def arrive(self, login: str) -> None:
        """This login is here now."""
        face = self.face(login)
        self.unmask()
        if not face.online:
            face.online, face.signon = True, self.now
            self.here += 1
            self.peak = max(self.peak, self.here)

    def leave(self, login: str) -> None:
        """This login is gone; WHOWAS remembers it."""
        face = self.face(login)
        if face.online:
            face.online = False
            self.here -= 1
            face.modes = ""
            face.away = ""
            face.marks = None
            self._was(face)

    def bury(self, face: Face, ghost: IrcDoor) -> None:
        """A connection is gone without a word. If its like came and it was not heard any more, that was itself: the
        device it came back as goes on where this one ended."""
        device = face.heir(ghost)
        if not device:
            return
        key = self.fold(face.login)
        self.heirs[key, ghost.device] = device
        if len(self.heirs) > HEIRS_MAX:
            del self.heirs[next(iter(self.heirs))]
        for name, heir in self.heirs.items():
            if heir == ghost.device and name[0] == key:
                self.heirs[name] = device

    def opens(self, password: str) -> bool:
        """Is this the password of the server, if it has one?"""
        return not self.password or hmac.compare_digest(password.encode(), self.password.encode())

    def rename(self, old: str, new: str) -> None:
        """A login has another name; everything else about it stays."""
        self.unmask()
        face = self.people.pop(self.fold(old), None)
        if face is None or (self.fold(new) in self.people and self.fold(old) != self.fold(new)):
            if face is not None:
                self.here -= face.online
                self.face(new).login = new
            return
        if self.fold(old) != self.fold(new):
            self._was(face)
        face.login = new
        self.people[self.fold(new)] = face

    def _was(self, face: Face) -> None:
        """WHOWAS remembers this name."""
        row = (face.login, face.user, face.host, face.real, self.now)
        self.gone.appendleft(row)
        if self.keeping:
            self.went.append(row)

    def cloak(self, address: str) -> str:
        """A host name that is the same for one address and does not tell it."""
        return _cloaked(self.secret, address)

    # -- read marks ------------------------------------------------------------------------------------------

    def mark(self, login: str, target: str, at: int) -> int:
        """Keep a read mark (ms) if it is newer; returns the one that counts, 0 for none."""
        key = (self.fold(login), self.fold(target))
        before = self.mark_of(login, target)
        if at > before and (face := self.guest(login)) is not None:
            face.marks = dict(islice((face.marks or {}).items(), GUEST_MARKS_MAX - 1)) | {key[1]: at}
        elif at > before:
            self._keep_mark(key, at)
            self.marks[key] = at
            self.marks.move_to_end(key)
            if len(self.marks) > MARKS_MAX:
                self._keep_mark(self.marks.popitem(last=False)[0], 0)
        return max(at, before)

    def mark_of(self, login: str, target: str) -> int:
        """The read mark (ms) of a conversation, 0 for none."""
        face = self.guest(login)
        if face is not None:
            return (face.marks or {}).get(self.fold(target), 0)
        return self.marks.get((self.fold(login), self.fold(target)), 0)

    def guest(self, login: str) -> Face | None:
        """What is shown of this login if nobody owns it: what it did is not told to the next one of the name."""
        face = self.people.get(self.fold(login))
        return face if face is not None and self.fold(face.account) != self.fold(login) else None

    def _keep_mark(self, key: tuple[str, str], at: int) -> None:
        if self.keeping:
            self.moved[key] = at

    # -- what the server says of itself ----------------------------------------------------------------------

    def isupport(self) -> list[str]:
        """The tokens of 005."""
        lists, rest = LIST_MODES, f"{KEY_MODES},{LIMIT_MODES},{SWITCHES}"
        tokens = {
            "ACCOUNTEXTBAN": "a", "AWAYLEN": self.away_max, "BOT": "B", "CASEMAPPING": "ascii",
            "CHANLIMIT": f"#:{self.rooms_max}", "CHANMODES": f"{lists},{rest}", "CHANNELLEN": self.channel_max,
            "CHANTYPES": "#", "CHATHISTORY": self.history_max, "ELIST": "CMNTU", "EXCEPTS": "e",
            "EXTBAN": ",am", "HOSTLEN": 64, "INVEX": "I", "KEYLEN": self.key_max, "KICKLEN": self.kick_max,
            "LINELEN": wire.MAX_LINE, "MAXLIST": f"{lists}:{self.list_max}", "MAXTARGETS": self.targets_max,
            "MODES": 20, "MONITOR": self.monitor_max, "MSGREFTYPES": "msgid,timestamp", "NAMELEN": self.real_max,
            "NETWORK": self.name, "NICKLEN": self.nick_max, "PREFIX": "(ov)@+", "SAFELIST": "",
            "STATUSMSG": "@+", "TARGMAX": self.targmax(), "TOPICLEN": self.topic_max, "USERLEN": self.user_max,
            "UTF8ONLY": "", "WHOX": "",
        }  # fmt: skip
        return [f"{key}={value}" if value != "" else key for key, value in tokens.items()]

    def targmax(self) -> str:
        limits = {
            "JOIN": "", "KICK": 10, "LIST": LIST_WORDS, "MONITOR": self.monitor_max, "NAMES": 10,
            "NOTICE": self.targets_max, "PART": "", "PRIVMSG": self.targets_max,
            "TAGMSG": self.targets_max, "WHOIS": 1, "WHOWAS": 10,
        }  # fmt: skip
        return ",".join(f"{name}:{limit}" for name, limit in limits.items())


@lru_cache(maxsize=1_024)  # a class has one address
def _cloaked(secret: bytes, address: str) -> str:
    return hashlib.blake2s(address.encode(), key=secret, digest_size=6).hexdigest() + ".ip"


def nothing_kept(target: str) -> dict[str, str]:
    """The preferences where there is no chat (tests of the codec alone)."""
    return {}


def no_lines() -> list[str]:
    """The message of the day where there is none, and what is wrong where nothing is read again."""
    return []


def default_user(login: str) -> str:
    """A user name for somebody who never gave one."""
    word = "".join(char for char in login.lower() if char.isascii() and char.isalnum())
    return "~" + (word[:10] or "user")
