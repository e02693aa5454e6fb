"""The full-screen client: from the start screen to a chat that stays open over lost connections."""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import textual.screen
from textual.binding import BindingType
from textual.driver import Driver

from tcpchat import i18n
from tcpchat.client import ChatError, Client, ConnectionFailed, KeyChanged, NotTrusted, OutboxError, Refused
from tcpchat.client.identity import outbox_path, parse_address, why_no_key
from tcpchat.core.text import clean_line
from tcpchat.i18n import _
from tcpchat.tui import keys
from tcpchat.tui.key_order import OrderedKeys
from tcpchat.tui.notify import Caller
from tcpchat.tui.panels import AskPanel, InputPanel
from tcpchat.tui.screen import ChatScreen
from tcpchat.tui.screen_base import CSS
from tcpchat.tui.session import Session
from tcpchat.tui.settings import Memory, Settings, load
from tcpchat.tui.start import StartScreen, Where, changed_key, own_name, trust_question
from tcpchat.tui.themes import OWN, glyphs, theme_name

if TYPE_CHECKING:
    from asyncio.subprocess import Process

    from tcpchat.client.first_use import NewServer

logger = logging.getLogger("tcpchat.tui")

FRAME = 1 / 30  # seconds from news to the update of the screen that shows it and what came meanwhile
BUSY_FRAME = 1 / 15  # the same while news come all the time: a frame costs 20 ms, and keys wait for it
KEY_FRAME = 1 / 120  # the same for what a key has done; Textual's own 1/60 can be missed twice in a row
SWITCH = 0.001  # the threads that read keys and write the screen wait no longer for the interpreter
TURN = 0.008  # seconds of taking events before keys get their turn
SERVE_SECONDS = 10.0  # until a server started here must answer
MENU = 77  # return code: go on in the menu client

Connect = Callable[..., Client]


class ChatApp(OrderedKeys):
    """The application. ``connect`` makes a client; tests give one of their own."""

    TITLE = "tcpchat"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [("ctrl+q", "quit", "Quit")]
    CSS = CSS

    def __init__(
        self,
        server: str = "",
        login: str = "",
        *,
        settings: Settings | None = None,
        memory: Memory | None = None,
        connect: Connect = Client,
        now: Callable[[], float] = time.time,
        environment: dict[str, str] | None = None,
    ) -> None:
        keys.repair()
        self.environment = dict(os.environ) if environment is None else environment
        plain = bool(self.environment.get("NO_COLOR") or self.environment.get("TCPCHAT_NO_COLOR"))
        _settle_no_color(plain)
        super().__init__(ansi_color=True if plain else None, driver_class=_driver())
        self.settings = settings or load()
        self.memory = memory or Memory()
        self.server, self.login = server, login
        self.connect, self.now = connect, now
        self.caller = Caller(self.write, self.environment)
        self.client: Client | None = None
        self.faults: list[Exception] = []
        self.mouse = True
        self._loop_task: asyncio.Task[None] | None = None
        self._due: asyncio.TimerHandle | None = None
        self._cost = self._updated = 0.0
        self._serving: Process | None = None
        for theme in OWN:
            self.register_theme(theme)
        self.set_theme("auto" if plain else self.settings.theme)
        speak(self.settings.language)
        self.glyphs = glyphs(self.settings.ticks)
        keymap, unknown = keys.keymap(self.settings.keys)
        self.set_keymap(keymap)
        keys.use(self.settings.keys)
        self.settings.problems += [f"[keys] {name}: " + _("there is no such action") for name in unknown]

    # -- life ----------------------------------------------------------------------------------------------------------

    def on_mount(self) -> None:
        self.caller.save_title()
        if not self.settings.mouse:
            self.use_mouse(False)
        if self.server and self.login:
            self.enter(self.server, self.login)
        else:
            self.ask_where()

    def on_resize(self) -> None:
        screen = self.chat_screen
        if screen is not None and screen.is_mounted:
            screen.set_sizes()

    def ask_where(self, why: str = "") -> None:
        """The start screen."""
        servers = list(self.memory.servers)
        if self.server:
            servers.insert(0, {"server": self.server, "login": self.login})
        login = self.login or (servers[0]["login"] if servers else "") or own_name()
        self.push_screen(StartScreen(login, servers, self.glyphs, clean_line(why)), self._chosen)

    def _chosen(self, where: Where | None) -> None:
        if where is None:
            self.exit(0)
        elif where.serve:
            self.run_worker(self._serve_and_enter(where.login), exit_on_error=False)
        else:
            self.enter(where.server, where.login)

    async def _serve_and_enter(self, login: str) -> None:
        """Start a server of one's own; it ends with this window."""
        self._serving = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tcpchat", "serve",
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        deadline = time.monotonic() + SERVE_SECONDS
        while time.monotonic() < deadline and self._serving.returncode is None:
            try:
                _reader, writer = await asyncio.open_connection("localhost", 6060)
            except OSError:
                await asyncio.sleep(0.05)
                continue
            writer.close()
            self.enter("localhost:6060", login)
            return
        self.ask_where(_("No server could be started here; is port 6060 taken?"))

    def enter(self, server: str, login: str, **options: Any) -> None:
        """Go to a server under a login."""
        try:
            host, port = parse_address(server)
        except ValueError as error:
            self.ask_where(str(error))
            return
        self.server, self.login = f"{host}:{port}", login
        session = Session(login, window=self.settings.window, now=self.now)
        session.muted |= set(self.memory.muted.get(self.server, ()))
        session.ignored |= set(self.memory.ignored.get(self.server, ()))
        screen = ChatScreen(session, self.glyphs)
        screen.facts.server = self.server
        if isinstance(self.screen, ChatScreen):
            self.switch_screen(screen)
        else:
            self.push_screen(screen)
        self._begin(screen, **options)

    def _begin(self, screen: ChatScreen, **options: Any) -> None:
        """Open the connection; it runs until the client is closed."""
        client, note = self._make(screen.session.login, options)
        self.client = screen.client = client
        if note:
            screen.call_after_refresh(screen.say, note)
        self._loop_task = asyncio.create_task(self._listen(client, screen), name="chat")

    def _make(self, login: str, options: dict[str, Any]) -> tuple[Client, str]:
        chosen: dict[str, Any] = {"label": "terminal", "key": True, "claim": True, "trust": self._ask_trust, **options}
        path: Path = outbox_path(self.server, login, "terminal")
        if chosen["key"] is True and (why := why_no_key(login)):
            note = _("As a guest, without a key: %s") % clean_line(why)
            return self.connect(self.server, login, **{**chosen, "key": False, "claim": False}), note
        try:
            return self.connect(self.server, login, outbox=path, **chosen), ""
        except OutboxError as error:
            note = _("What is not sent is not kept after quitting: %s") % clean_line(str(error))
            return self.connect(self.server, login, **chosen), note

    async def _listen(self, client: Client, screen: ChatScreen) -> None:
        """Take what comes. Keys get their turn at least every few milliseconds, however much it is."""
        client.begin()
        session = screen.session
        for sent in (*client.pending, *client.doubtful):
            session.sending(session.get(sent.to), sent)
        turn = time.monotonic()
        try:
            async for event in client.events():
                session.take(event)
                self.schedule()
                if time.monotonic() - turn > TURN:
                    await asyncio.sleep(0)
                    turn = time.monotonic()
        except Exception as error:
            self.fault(error)
        self.schedule()
        if client is self.client and client.error is not None:
            await self._refused(client.error, screen)

    def schedule(self) -> None:
        """Bring the screen up to date soon: together with whatever else comes until then."""
        if self._due is None:
            busy = time.monotonic() - self._updated < 2 * BUSY_FRAME
            wait = max(BUSY_FRAME if busy else FRAME, self._cost * 3)
            self._due = asyncio.get_running_loop().call_later(wait, self._update)

    def _update(self) -> None:
        self._due = None
        screen = self.chat_screen
        if screen is None or not screen.is_mounted:
            return
        started = time.monotonic()
        try:
            with self._context(), self.batch_update():
                screen.update()
        except Exception as error:
            self.fault(error)
        self._updated = time.monotonic()
        self._cost = min(self._updated - started, 0.25)

    @property
    def chat_screen(self) -> ChatScreen | None:
        """The chat, whatever panels lie upon it."""
        return next((screen for screen in reversed(self.screen_stack) if isinstance(screen, ChatScreen)), None)

    def fault(self, error: Exception) -> None:
        """A bug: say so and go on; the log has the traceback."""
        self.faults.append(error)
        logger.error("! in the full-screen client", exc_info=error)
        screen = self.chat_screen
        if screen is not None:
            screen.facts.note = f"{_('internal error')}: {type(error).__name__}"

    # -- refused -------------------------------------------------------------------------------------------------------

    async def _refused(self, error: ChatError, screen: ChatScreen) -> None:
        """The connection has ended for good: ask for what is missing."""
        if isinstance(error, NotTrusted):
            self._back(str(error))
        elif isinstance(error, KeyChanged):
            await self.push_screen(changed_key(str(error)), lambda _answer: self._back())
        elif isinstance(error, Refused) and error.code in ("claimed", "wrong_proof", "wrong_password", "in_use"):
            self._ask_login(error, screen)
        elif isinstance(error, ConnectionFailed | Refused | OutboxError):
            screen.say(clean_line(str(error)))
            if not screen.session.conversations:
                self._back(str(error))

    async def _ask_trust(self, new: NewServer) -> bool:
        """Ask the person whether a server's first key is to be trusted."""
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        panel = trust_question(new.address, new.fingerprint, new.words)
        await self.push_screen(panel, lambda yes: None if answer.done() else answer.set_result(bool(yes)))
        return await answer

    def _ask_login(self, error: Refused, screen: ChatScreen) -> None:
        login = screen.session.login
        answers: list[tuple[str, object]] = [(_("Choose another login"), "login")]
        if error.code != "in_use":
            answers.insert(0, (_("Type its password"), "password"))

        def answered(what: object) -> None:
            if what == "password":
                panel = InputPanel(_("Password of %s") % login, [], secret=True)
                self.push_screen(panel, lambda word: self._try_password(screen, str(word or "")))
            else:
                self._back()

        self.push_screen(AskPanel(login, [clean_line(str(error))], answers), answered)

    def _try_password(self, screen: ChatScreen, word: str) -> None:
        if word:
            screen.session.ended = False
            screen.session.why = ""
            self._begin(screen, password=word, key=None, claim=False)
        else:
            self._back()

    def _back(self, why: str = "") -> None:
        """Back to the start screen."""
        while len(self.screen_stack) > 1:
            self.pop_screen()
        self.ask_where(why)

    # -- what the chat screen asks for ---------------------------------------------------------------------------------

    async def _close(self, why: str = "") -> None:
        client, self.client = self.client, None
        if client is not None:
            await client.close(why, wait=2.0)
        if self._loop_task is not None:
            await asyncio.gather(self._loop_task, return_exceptions=True)
            self._loop_task = None

    async def go_to_server(self, server: str) -> None:
        """Leave this server for another."""
        login = self.login
        await self._close()
        self.enter(server, login)

    async def disconnect(self) -> None:
        """Close the connection and stay."""
        screen = self.chat_screen
        await self._close()
        if screen is not None:
            screen.client = None
            screen.session.connected, screen.session.ended = False, True
            screen.session.why = _("/reconnect opens it again")
            screen.refresh_all()

    async def reconnect(self, **options: Any) -> None:
        """Try again now, or open the connection anew."""
        screen = self.chat_screen
        if screen is None:
            return
        if self.client is not None and not screen.session.connected and not screen.session.ended:
            self.client.reconnect_now()
            return
        await self._close()
        screen.session.ended, screen.session.why = False, ""
        self._begin(screen, **options)

    async def leave(self, why: str = "", *, menu: bool = False) -> None:
        """Say goodbye and end."""
        await self._close(why)
        self.exit(MENU if menu else 0)

    async def action_quit(self) -> None:
        await self.leave()

    async def on_unmount(self) -> None:
        await self._close()
        if self._due is not None:
            self._due.cancel()
        self.caller.restore_title()
        if self._serving is not None and self._serving.returncode is None:
            self._serving.terminate()
            await self._serving.wait()

    def connected(self, session: Session) -> None:
        """The session is open: remember the server for the next start."""
        self.login = session.login
        self.memory.used(self.server, session.login)

    def remember(self) -> None:
        """Mutes and ignored people have changed."""
        screen = self.chat_screen
        if screen is not None:
            self.memory.muted[self.server] = sorted(screen.session.muted)
            self.memory.ignored[self.server] = sorted(screen.session.ignored)
            self.memory.save()

    # -- the terminal --------------------------------------------------------------------------------------------------

    def write(self, text: str) -> None:
        """Put a sequence on the terminal: the only place that does."""
        if self._driver is not None and not self.is_headless:
            self._driver.write(text)

    def use_mouse(self, on: bool) -> bool:
        """Take the mouse, or leave it to the terminal. Returns whether we have it."""
        change = getattr(self._driver, "_enable_mouse_support" if on else "_disable_mouse_support", None)
        if change is not None:
            driver: Any = self._driver
            driver._mouse = True
            change()
            driver._mouse = on
        self.mouse = on
        return on

    def redraw(self) -> None:
        """Clear the terminal and paint everything anew."""
        self.write("\x1b[2J")
        self.screen.refresh(layout=True)
        self.refresh(layout=True)

    def set_theme(self, name: str) -> None:
        """Change the colours; an unknown name leaves them."""
        wanted = theme_name(name)
        if wanted in self.available_themes:
            self.theme = wanted
        elif hasattr(self, "settings"):
            self.settings.problems.append(f"[ui] theme: {clean_line(name)}?")

    def theme_names(self) -> list[str]:
        """Ours first."""
        own = ["auto", *(theme.name for theme in OWN)]
        return own + sorted(name for name in self.available_themes if name not in own)

    def speak(self, language: str) -> None:
        """Change the language."""
        speak(language)
        self.set_ticks(self.settings.ticks)

    def set_ticks(self, ticks: str) -> None:
        """Change the glyphs."""
        self.glyphs = glyphs(ticks)
        screen = self.chat_screen
        if screen is not None:
            screen.glyphs = screen.list.glyphs = self.glyphs
            screen.list.set_plain(screen.list.plain)
            screen.refresh_all()


def _driver() -> type[Driver] | None:
    """Our reader of the terminal where Textual's own is for POSIX; None leaves it the choice."""
    if os.name != "posix" or os.environ.get("TEXTUAL_DRIVER"):
        return None
    from tcpchat.tui.terminal import Terminal

    return Terminal


def _settle_no_color(plain: bool) -> None:
    """Textual takes an empty NO_COLOR for a set one, and does not know TCPCHAT_NO_COLOR."""
    if plain:
        os.environ["NO_COLOR"] = "1"
    elif "NO_COLOR" in os.environ and not os.environ["NO_COLOR"]:
        del os.environ["NO_COLOR"]


def speak(language: str) -> None:
    """Use this language; our texts join the catalogue that all faces share."""
    i18n.use(language)
    if i18n.language() == "ru":
        from tcpchat.tui.ru import CATALOGUE

        i18n.catalogue("ru").update(CATALOGUE)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the client: ``[--user LOGIN] [[LOGIN@]HOST[:PORT]]``. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="tcpchat chat")
    parser.add_argument("-u", "--user", default=os.environ.get("TCPCHAT_USER", ""))
    parser.add_argument("where", nargs="?", default="")
    args = parser.parse_args(argv)
    login, at, server = args.where.rpartition("@")
    login = login if at else args.user
    server = server or os.environ.get("TCPCHAT_SERVER", "")
    _log_to_file()
    for name in ("COLUMNS", "LINES"):
        os.environ.pop(name, None)  # Textual would take them for the size, for ever; the terminal knows better
    app = ChatApp(server, login)
    _answer_fast()
    code = app.run(mouse=app.settings.mouse)
    if code == MENU:
        host, port = parse_address(app.server)
        os.execv(sys.executable, [sys.executable, "-m", "tcpchat", "client", host, str(port)])
    return code or 0


def _answer_fast() -> None:
    """What a key waits for is made short: pauses of the garbage collector, the next frame, the turn of the reader."""
    # What is loaded by now stays for good: a full collection would walk it all while somebody types.
    gc.collect()
    gc.freeze()
    gc.set_threshold(1_000, 8, 100)  # many short pauses: a key waits for the longest one
    setattr(textual.screen, "UPDATE_PERIOD", KEY_FRAME)  # noqa: B010  # a plain assignment is a Final for mypy
    sys.setswitchinterval(SWITCH)


def _log_to_file() -> None:
    """Faults go to client.log in the state folder: the screen is taken."""
    from tcpchat.client.identity import home

    path = Path(os.environ.get("TCPCHAT_LOG") or home("state") / "client.log")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handler: logging.Handler = logging.FileHandler(path, encoding="utf-8", delay=True)
    except OSError:
        handler = logging.NullHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(name)s %(levelname)s %(message)s"))
    root = logging.getLogger("tcpchat")
    root.addHandler(handler)
    root.propagate = False
