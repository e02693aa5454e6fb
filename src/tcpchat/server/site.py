"""The server as its protocols see it, and their realms: made when somebody first speaks them."""

from __future__ import annotations

import logging
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from tcpchat.core.text import decoded
from tcpchat.doors import Realm, Site
from tcpchat.doors.registry import KINDS, realm_class
from tcpchat.doors.web.visitors import host_of
from tcpchat.server.datafolder import explained
from tcpchat.server.realmstore import RealmStore
from tcpchat.trust.fingerprint import words

if TYPE_CHECKING:
    from tcpchat.config import Config
    from tcpchat.core.chat import Chat
    from tcpchat.trust.certificates import Certificate

WARNINGS_MAX = 20  # things that the log says once of what strangers ask for
logger = logging.getLogger("tcpchat.server")


class Host(Protocol):
    """The server, as far as its site must know it."""

    config: Config
    port: int
    data: Path | None
    chat: Chat

    @property
    def encrypts(self) -> bool:
        """Is TLS spoken?"""
        ...

    @property
    def fingerprint(self) -> str:
        """Of the key that clients are shown; "" without TLS."""
        ...

    @property
    def certificate(self) -> Certificate | None:
        """What clients are shown; None without TLS."""
        ...

    def reload(self) -> list[str]:
        """Read again what can be; what was wrong with it."""
        ...


class ServerSite(Site):
    """One server, for its realms."""

    def __init__(self, server: Host) -> None:
        super().__init__(server.config)
        self._server = server
        self.store = RealmStore(server.data)
        self.realms: dict[str, Realm] = {}
        self._names: tuple[object, tuple[str, ...]] | None = None  # of the certificate that they were read from
        self._warned: set[str] = set()

    def open(self, now: float) -> None:
        """The server starts: look at what is kept for realms, and at what they will show. ``now``: Unix time."""
        self.started = now
        self.tls_port = self._server.port if self._server.encrypts else 0
        self.secret = self.store.open()
        if self.settings.sts_seconds > 0 and not self.settings.tls_cert:
            self.warn("sts with a self-signed certificate: IRC clients will refuse it and not come plain either")
        if problem := self.motd_problem():
            self.warn(f"no message of the day: {problem}")
        for kind in list(KINDS.values()):
            if kind.at_start:
                self.realm(kind.name)

    def realm(self, name: str) -> Realm:
        """See Site.realm. Raises KeyError for what is not in the registry."""
        realm = self.realms.get(name)
        if realm is None:
            realm = self.realms[name] = realm_class(name)(self)
            self.store.load(name, realm)
        return realm

    def key(self) -> Mapping[str, str]:
        """See Site.key."""
        fingerprint = self._server.fingerprint
        return {"fingerprint": fingerprint, "words": words(fingerprint)} if fingerprint else {}

    def names(self) -> Sequence[str]:
        """See Site.names: those it was given, its machine's, its certificate's."""
        certificate = self._server.certificate
        if self._names is None or self._names[0] is not certificate:
            from tcpchat.trust.certificates import names_of

            config, machine = self.settings, socket.gethostname()
            given = [config.host, config.server_name, *split(config.names), *map(host_of, split(config.origins))]
            shown = names_of(certificate) if certificate is not None else []
            self._names = certificate, tuple({*given, machine, f"{machine}.local", *shown})
        return self._names[1]

    def motd(self) -> list[str]:
        """See Site.motd: read anew each time, it may be put there later."""
        path = self.settings.motd
        try:
            return decoded(Path(path).read_bytes()).splitlines() if path else []
        except (OSError, ValueError):
            return []

    def motd_problem(self) -> str:
        """Why there is no message of the day although there should be one."""
        if not self.settings.motd:
            return ""
        path = Path(self.settings.motd)
        try:
            decoded(path.read_bytes())
        except (OSError, ValueError) as error:
            return explained(path, error, "Correct it, or --motd.")
        return ""

    def preferences(self, target: str) -> Mapping[str, str]:
        """See Site.preferences."""
        state = self._server.chat.state
        found = state.room(target) if target.startswith("#") else state.find(target)
        return found.prefs if found is not None else {}

    def warn(self, text: str) -> None:
        """See Site.warn; and of not more than a few things: strangers may cause it."""
        if text not in self._warned and len(self._warned) < WARNINGS_MAX:
            self._warned.add(text)
            logger.warning("! %s", text)

    def reload(self) -> list[str]:
        """See Site.reload."""
        return self._server.reload()

    def tick(self, now: float) -> None:
        """Ten times a second: let the doors speak that have something to say."""
        for realm in self.realms.values():
            for door in realm.tick(now):
                door.wake()


def split(words: str) -> list[str]:
    """A list as settings have it, with blanks or commas between."""
    return words.replace(",", " ").split()
