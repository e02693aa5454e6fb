"""What the slash commands do. One method for each name of the table; a test holds the two together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tcpchat.core import model as m
from tcpchat.core.text import clean_line, fold
from tcpchat.i18n import _
from tcpchat.tui import keys
from tcpchat.tui import settings as settings_module
from tcpchat.tui.commands import Command
from tcpchat.tui.dates import parse_date, parse_length
from tcpchat.tui.lines import Line
from tcpchat.tui.panels import HelpPanel, InputPanel, PeoplePanel
from tcpchat.tui.panes import ago
from tcpchat.tui.session import Conversation

if TYPE_CHECKING:
    from tcpchat.client import Client
    from tcpchat.tui.screen import ChatScreen


class Doing:
    """Carries commands out on a chat screen."""

    def __init__(self, screen: ChatScreen) -> None:
        self.screen = screen

    async def run(self, command: Command, rest: str) -> None:
        """Carry a command out. Raises ChatError for what the server refuses."""
        await getattr(self, "do_" + command.name)(rest)

    @property
    def _client(self) -> Client:
        from tcpchat.client import ConnectionFailed

        if self.screen.client is None:
            raise ConnectionFailed(_("Not connected yet."))
        return self.screen.client

    @property
    def _open(self) -> Conversation:
        from tcpchat.client import ConnectionFailed

        if self.screen.session.open is None:
            raise ConnectionFailed(_("No room is open."))
        return self.screen.session.open

    def _room(self, rest: str) -> str:
        """The room meant: the one named, else the open one."""
        name = rest.split()[0] if rest.split() else self._open.to
        return name if name.startswith(("#", "@")) else "#" + name

    def _usage(self, command: str) -> None:
        from tcpchat.tui.commands import BY_NAME

        one = BY_NAME[command]
        self.screen.say(f"/{one.name} {one.usage}: {_(one.help)}")

    def _login(self, rest: str) -> tuple[str, str]:
        """A login at the beginning (the longest that is known: logins may have spaces), and what follows."""
        rest = rest.removeprefix("@")
        known = [one.login for one in self.screen.session.people.values()]
        known += [one.to[1:] for one in self.screen.session.conversations.values() if one.direct]
        for login in sorted(known, key=len, reverse=True):
            if fold(rest[: len(login)]) == fold(login) and rest[len(login) : len(login) + 1] in ("", " ", ":", ","):
                return login, rest[len(login) :].lstrip(" :,")
        login, _space, text = rest.partition(" ")
        return login.rstrip(":,"), text.strip()

    # -- talking -------------------------------------------------------------------------------------------------------

    async def do_msg(self, rest: str) -> None:
        login, text = self._login(rest)
        if not login or not text:
            self._usage("msg")
            return
        one = self.screen.session.get("@" + login)
        self.screen.open(one)
        self.screen.send(text, to=one)

    async def do_query(self, rest: str) -> None:
        login, _text = self._login(rest)
        self.screen.open_name("@" + login) if login else self._usage("query")

    async def do_all(self, rest: str) -> None:
        if rest:
            self.screen.send(rest, to=self.screen.session.get("#all"))
        else:
            self._usage("all")

    async def do_me(self, rest: str) -> None:
        self.screen.send(rest, kind="action") if rest else self._usage("me")

    async def do_reply(self, rest: str) -> None:
        screen = self.screen
        rows = [row for row in screen.list.window.rows if row.seq and not row.event and not screen.session.is_own(row)]
        screen.replying = screen.list.cursor or (rows[-1] if rows else None)
        if rest and screen.replying is not None:
            screen.send(rest)
        screen.show_status()

    async def do_edit(self, rest: str) -> None:
        row = self.screen.list.cursor or self.screen.last_own()
        if row is None or not row.seq:
            self.screen.say(_("There is no message of yours here."))
        elif rest:
            await self._client.edit(row.seq, rest)
        else:
            self.screen.act("edit", row)

    async def do_delete(self, rest: str) -> None:
        row = self.screen.list.cursor or self.screen.last_own()
        self.screen.act("delete", row) if row else self.screen.say(_("There is no message of yours here."))

    async def do_info(self, rest: str) -> None:
        screen = self.screen
        if rest.isdigit():
            index = screen.list.window.find(int(rest))
            row = screen.list.window.rows[index] if index >= 0 else None
        else:
            row = screen.list.cursor or screen.last_own()
        screen.act("info", row) if row else screen.say(_("There is no such message in memory."))

    async def do_resend(self, rest: str) -> None:
        failed = [row for row in self.screen.list.window.rows if row.failed]
        for row in failed:
            await self.screen.resend(row)
        if not failed:
            self.screen.say(_("Nothing has failed here."))

    async def do_cancel(self, rest: str) -> None:
        taken = 0
        for row in [*self._open.outgoing.values()]:
            if row.sent is not None and self._client.cancel(row.sent):
                del self._open.outgoing[row.sent.number]
                self.screen.list.change(lambda row=row: self.screen.list.window.remove(row))  # type: ignore[misc]
                taken += 1
        for row in [row for row in self.screen.list.window.rows if row.sent is not None and row.failed]:
            if row.sent is not None and self._client.cancel(row.sent):  # one of which nobody knows whether it was sent
                self.screen.list.change(lambda row=row: self.screen.list.window.remove(row))  # type: ignore[misc]
                taken += 1
        self.screen.say(_("Cancelled %d; messages already sent cannot be cancelled.") % taken)

    async def do_shrug(self, rest: str) -> None:
        self.screen.send(f"{rest} ¯\\_(ツ)_/¯".strip())

    async def do_tableflip(self, rest: str) -> None:
        self.screen.send(f"{rest} (╯°□°)╯︵ ┻━┻".strip())

    # -- moving --------------------------------------------------------------------------------------------------------

    async def do_search(self, rest: str) -> None:
        self.screen.action_search(rest)

    async def do_goto(self, rest: str) -> None:
        ms = parse_date(rest, self.screen.session.now())
        if ms is None:
            self._usage("goto")
        else:
            await self.screen.pages.to_time(self._open, ms)
            self.screen.say(_("%s: back to the newest message") % keys.brief("back"))

    async def do_unread(self, rest: str) -> None:
        self.screen.action_first_unread()

    async def do_mentions(self, rest: str) -> None:
        self.screen.action_mention(-1)

    async def do_read(self, rest: str) -> None:
        if rest == "all":
            await self.screen.action_read_all()
        else:
            self.screen.action_bottom()

    async def do_win(self, rest: str) -> None:
        self.screen.action_room(int(rest)) if rest.isdigit() else self._usage("win")

    # -- rooms ---------------------------------------------------------------------------------------------------------

    async def join(self, room: str, key: str = "") -> None:
        """Enter a room and show it."""
        await self._client.join(room, key)
        await self.screen.refresh_rooms()
        self.screen.open_name(room)

    async def do_join(self, rest: str) -> None:
        words = rest.split()
        if words:
            await self.join(self._room(words[0]), words[1] if len(words) > 1 else "")
        else:
            self._usage("join")

    async def do_leave(self, rest: str) -> None:
        screen = self.screen
        to = self._room(rest)
        if to.startswith("@"):
            del screen.session.conversations[fold(to)]
            screen.session.changed |= {"rooms", "closed"}
        elif fold(to) == "#all":
            screen.say(_("Everybody is in #all."))
            return
        else:
            await self._client.leave(to)
            screen.session.conversations.pop(fold(to), None)
            screen.session.changed |= {"rooms", "closed"}
        screen.update()

    async def do_topic(self, rest: str) -> None:
        if rest:
            await self._client.topic(self._open.to, rest)
        else:
            self.screen.note(_("Topic: %s") % (self._open.topic or "-"))

    async def do_rooms(self, rest: str) -> None:
        rooms = await self._client.rooms(all=True)
        lines = []
        for info in rooms:
            if info.to.startswith("#"):
                mark = "* " if info.member else "  "
                name = f"{mark}{clean_line(info.to):<20} "
                lines.append(
                    Line(
                        [(name, "bold"), (f"{info.members:>5}  ", "muted"), (clean_line(info.topic), "text")], [], info
                    )
                )

        def chosen(info: object) -> None:
            if isinstance(info, m.RoomInfo):
                self.screen.do(self.join(info.to))

        await self.screen.app.push_screen(PeoplePanel(_("Rooms (Enter: go there)"), lines, pick=True), chosen)

    async def do_invite(self, rest: str) -> None:
        login, _text = self._login(rest)
        if login:
            await self._client.invite(self._open.to, login)
            self.screen.say(_("Invited %s.") % clean_line(login))
        else:
            self._usage("invite")

    def _mute(self, rest: str, on: bool) -> None:
        one = self.screen.session.find(self._room(rest))
        if one is None:
            self.screen.say(_("There is no such room here."))
            return
        one.muted = on
        muted = self.screen.session.muted
        (muted.add if on else muted.discard)(fold(one.to))
        self.screen.chat.remember()
        self.screen.session.changed.add("rooms")
        self.screen.update()

    async def do_mute(self, rest: str) -> None:
        self._mute(rest, True)

    async def do_unmute(self, rest: str) -> None:
        self._mute(rest, False)

    # -- people --------------------------------------------------------------------------------------------------------

    async def do_who(self, rest: str) -> None:
        people = await self._client.who(self._room(rest) if rest else "", all=True)
        now = self.screen.session.now()
        lines = []
        for person in sorted(people, key=lambda one: (not one.online, fold(one.login))):
            more = [", ".join(person.doors), person.role if person.account else _("guest"), person.away]
            if not person.online and person.seen:
                more.append(ago(now - person.seen / 1000))
            mark = self.screen.glyphs.online if person.online else self.screen.glyphs.offline
            about = "  ".join(clean_line(part) for part in more if part)
            lines.append(Line([(f"{mark} {clean_line(person.login):<20} ", "bold"), (about, "muted")]))
        await self.screen.app.push_screen(PeoplePanel(_("Who is here"), lines))

    async def do_whois(self, rest: str) -> None:
        login, _text = self._login(rest)
        if not login:
            self._usage("whois")
            return
        for person in await self._client.who("@" + login):
            now = self.screen.session.now()
            facts = [
                person.name,
                _("account %s") % person.account if person.account else _("guest"),
                person.role if person.role != "member" else "",
                ", ".join(person.doors),
                _("away: %s") % person.away if person.away else "",
                _("here for %s") % ago(now - person.since / 1000) if person.online and person.since else "",
                _("last seen %s ago") % ago(now - person.seen / 1000) if not person.online and person.seen else "",
                _("in %s") % ", ".join(person.rooms) if person.rooms else "",
            ]
            about = "; ".join(clean_line(fact) for fact in facts if fact)
            self.screen.note(f"{clean_line(person.login)}: {about}")

    async def do_ignore(self, rest: str) -> None:
        login, _text = self._login(rest)
        session = self.screen.session
        if login:
            session.ignored.add(fold(login))
            self.screen.chat.remember()
            self.screen.say(_("%s is not shown from now on.") % clean_line(login))
        else:
            self.screen.note(_("Ignored: %s") % (", ".join(sorted(session.ignored)) or "-"))

    async def do_unignore(self, rest: str) -> None:
        login, _text = self._login(rest)
        self.screen.session.ignored.discard(fold(login))
        self.screen.chat.remember()
        self.screen.say(_("%s is shown again.") % clean_line(login))

    async def do_away(self, rest: str) -> None:
        await self._client.away(rest or _("away"))

    async def do_back(self, rest: str) -> None:
        await self._client.away("")

    async def do_nick(self, rest: str) -> None:
        if rest:
            await self._client.rename(rest)
        else:
            self._usage("nick")

    # -- identity ------------------------------------------------------------------------------------------------------

    async def do_register(self, rest: str) -> None:
        from tcpchat.client.identity import key_path

        client = self._client
        if client.welcome is not None and not client.welcome.claimed:
            await self.screen.chat.reconnect(claim=True)
        self.screen.note(_("The login %s is yours; its key: %s") % (client.login, key_path(client.login)))

    async def do_passwd(self, rest: str) -> None:
        def answered(word: object) -> None:
            if word:
                self.screen.do(self._passwd(str(word)))

        text = [_("Other programs prove with it that this login is yours.")]
        await self.screen.app.push_screen(InputPanel(_("New password"), text, secret=True), answered)

    async def _passwd(self, word: str) -> None:
        await self._client.command(m.Password("", new=word))
        self.screen.say(_("The password is set."))

    async def do_keys(self, rest: str) -> None:
        answer = await self._client.command(m.Key("list"))
        found = answer.data.get("keys", {}) if isinstance(answer, m.Done) else {}
        for key, label in found.items():
            self.screen.note(clean_line(f"{key} {label}"))
        if not found:
            self.screen.note(_("No key proves this login; /register makes it yours."))

    async def do_trust(self, rest: str) -> None:
        fingerprint = self._client.fingerprint
        self.screen.note(_("Server key: %s") % fingerprint if fingerprint else _("This connection is not encrypted."))

    # -- this client ---------------------------------------------------------------------------------------------------

    async def do_help(self, rest: str) -> None:
        panel = HelpPanel(self.screen.glyphs, operator=self.screen.operator, selecting=False, word=rest)
        await self.screen.app.push_screen(panel)

    async def do_status(self, rest: str) -> None:
        state = await self._client.status_now()
        delay = round((self._client.latency or 0) * 1000)
        secure = _("encrypted") if state.secure else _("not encrypted")
        text = _("%s, %d online, %d ms, up %s, %s, version %s")
        up = ago(float(state.uptime))
        self.screen.note(text % (state.state, state.online, delay, up, secure, clean_line(state.version) or "?"))

    async def do_set(self, rest: str) -> None:
        name, _space, value = rest.partition(" ")
        settings = self.screen.chat.settings
        known = settings_module.names()
        if name not in known:
            for one in known:
                self.screen.note(f"{one} = {getattr(settings, one)}")
            return
        if value:
            problem = settings_module.assign(settings, name, value.strip())
            if problem:
                self.screen.say(f"{name}: {problem}")
                return
            await self._apply(name)
        self.screen.note(f"{name} = {getattr(settings, name)}")

    async def _apply(self, name: str) -> None:
        chat, settings = self.screen.chat, self.screen.chat.settings
        if name == "theme":
            chat.set_theme(settings.theme)
        elif name == "ticks":
            chat.set_ticks(settings.ticks)
        elif name == "mouse":
            chat.use_mouse(settings.mouse)
        elif name == "language":
            chat.speak(settings.language)
        elif name == "receipts":
            await self._client.set("receipts", "" if settings.receipts else "off")
        self.screen.list.repaint()

    async def do_theme(self, rest: str) -> None:
        names = self.screen.chat.theme_names()
        if rest in names:
            self.screen.chat.settings.theme = rest
            self.screen.chat.set_theme(rest)
        else:
            self.screen.note(_("Themes: %s") % ", ".join(names))

    async def do_notify(self, rest: str) -> None:
        await self.do_set(f"notify {rest}")

    async def do_mouse(self, rest: str) -> None:
        await self.do_set(f"mouse {rest}")

    async def do_clear(self, rest: str) -> None:
        window = self.screen.list.window
        rows = [row for row in window.rows if not row.seq]
        self.screen.list.change(lambda: window.keep_only(rows))

    async def do_connect(self, rest: str) -> None:
        if rest:
            await self.screen.chat.go_to_server(rest)
        else:
            self._usage("connect")

    async def do_disconnect(self, rest: str) -> None:
        await self.screen.chat.disconnect()

    async def do_reconnect(self, rest: str) -> None:
        await self.screen.chat.reconnect()

    async def do_menu(self, rest: str) -> None:
        await self.screen.chat.leave(menu=True)

    async def do_suspend(self, rest: str) -> None:
        self.screen.app.action_suspend_process()

    async def do_quit(self, rest: str) -> None:
        await self.screen.chat.leave(rest)

    # -- operators -----------------------------------------------------------------------------------------------------

    async def do_kick(self, rest: str) -> None:
        login, why = self._login(rest)
        if login:
            await self._client.kick(self._open.to, login, why)
        else:
            self._usage("kick")

    async def _admin(self, do: str, args: dict[str, str]) -> None:
        await self._client.command(m.Admin(do, args))
        self.screen.say(_("Done."))

    async def do_ban(self, rest: str) -> None:
        login, more = self._login(rest)
        if not login:
            self._usage("ban")
            return
        first, _space, why = more.partition(" ")
        seconds = parse_length(first)
        args = {"login": login, "why": more if seconds is None else why}
        if seconds is not None:
            args["seconds"] = str(seconds)
        await self._admin("ban", {key: value for key, value in args.items() if value})

    async def do_unban(self, rest: str) -> None:
        login, _text = self._login(rest)
        await self._admin("unban", {"login": login})

    async def _op(self, rest: str, on: bool) -> None:
        login, _text = self._login(rest)
        if login:
            await self._client.command(m.Mode(self._open.to, (m.Change("op", on, login),)))
        else:
            self._usage("op" if on else "deop")

    async def do_op(self, rest: str) -> None:
        await self._op(rest, True)

    async def do_deop(self, rest: str) -> None:
        await self._op(rest, False)

    async def do_announce(self, rest: str) -> None:
        if rest:
            await self._admin("announce", {"text": rest})
        else:
            self._usage("announce")
