"""The numbered menu: five numbers, one line per event, no cursor movement. Works in a pipe and with a screen reader.

The lines of the original are kept byte for byte and never translated. While the menu or a question is open nothing is
printed: what comes waits on the server's side of the cursor, and is confirmed as delivered and read when its line is
printed.
"""

from __future__ import annotations

import asyncio
import getpass
import sys
import threading
from collections.abc import Callable
from typing import Any

from tcpchat.client.client import Client
from tcpchat.client.errors import ChatError, ConnectionFailed, KeyChanged, Refused
from tcpchat.client.events import Offline, Online, SentChanged
from tcpchat.client.sent import Sent
from tcpchat.core import model as m
from tcpchat.core.text import clean, clean_line
from tcpchat.i18n import _, plural

MENU = """< Hi! I'm a menu. Enter a command >
1. Is server available?
2. Who available?
3. Send to available client
4. Send message to all
5. Close connection"""
WAITING = "< Waiting for messages ... >\n< press <enter> to see menu: >"
DELIVERED = "< Message have been delivered! >  =)"
FAILED = "< Message sending failure >       =("
DEAD = "< Server Dead. =( >"
WAIT_SECONDS = 3.0  # without a confirmation until the line says that the message waits
LOGIN_TRIES = 5


class Keyboard:
    """Lines of standard input, read in a thread so that nothing else waits for them. None is the end."""

    def __init__(self) -> None:
        self.terminal = sys.stdin is not None and sys.stdin.isatty()
        self._lines: asyncio.Queue[str | None] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()
        self._asked = threading.Semaphore(0)
        threading.Thread(target=self._read, name="keyboard", daemon=True).start()

    def _read(self) -> None:
        while True:
            self._asked.acquire()
            try:
                line = sys.stdin.readline()
            except (OSError, ValueError):
                line = ""
            try:
                self._loop.call_soon_threadsafe(self._lines.put_nowait, line.rstrip("\r\n") if line else None)
            except RuntimeError:
                return  # the loop has ended
            if not line:
                return

    async def line(self) -> str | None:
        """The next line without its end."""
        self._asked.release()
        return await self._lines.get()

    async def secret(self, prompt: str) -> str | None:
        """A line that is not shown, on a terminal."""
        if not self.terminal:
            return await self.line()
        return await asyncio.get_running_loop().run_in_executor(None, getpass.getpass, prompt)


def say(text: str) -> None:
    """Print a line now, whoever reads at the other end."""
    print(text, flush=True)


class Menu:
    """One conversation of one person with the menu."""

    def __init__(
        self, host: str, port: int, *, keyboard: Any = None, say: Callable[[str], None] = say, login: str = "",
        options: dict[str, Any] | None = None,
    ) -> None:  # fmt: skip
        self.host, self.port, self.login = host, port, login
        self.keyboard = keyboard or Keyboard()
        self.say = say
        self.options = options or {}
        self.chat: Client | None = None
        self.quiet = asyncio.Event()  # set: lines may be printed
        self.shown = ""  # the server's state that was printed last
        self.ended = asyncio.Event()
        self.was_lost = False
        self._watched: dict[Sent, asyncio.TimerHandle] = {}

    # -- coming in -------------------------------------------------------------------------------------------------

    def prompt(self, text: str) -> None:
        print(text, end="", flush=True)

    async def run(self) -> int:
        """Log in and serve the menu until it is closed; the exit code."""
        self.say(f"client (HOST,PORT) set to ({self.host},{self.port})")
        try:
            chat = await self.enter()
        except KeyChanged as error:
            return self.stop(str(error), 4)
        except Refused as error:
            return self.stop(error.text, 4)
        except ConnectionFailed as error:
            return self.stop(str(error), 3)
        if chat is None:
            return 0
        self.chat = chat
        printing = asyncio.create_task(self.print_events(), name="menu events")
        try:
            self.shown = chat.status
            self.say(f"< Server is {chat.status} >")
            return await self.serve(chat)
        finally:
            printing.cancel()
            await asyncio.gather(printing, return_exceptions=True)
            for timer in self._watched.values():
                timer.cancel()
            await chat.close()

    def stop(self, text: str, code: int) -> int:
        print(clean(text), file=sys.stderr, flush=True)
        return code

    async def enter(self) -> Client | None:
        """Ask for a login until the server takes it. None when the input ends before."""
        password: str | None = self.options.pop("password", None)
        for _try in range(LOGIN_TRIES):
            login = self.login
            if not login:
                self.prompt("Enter login: ")
                line = await self.keyboard.line()
                if line is None:
                    return None
                login = line.strip()
            if not login:
                continue
            client = Client(
                f"{_bracketed(self.host)}:{self.port}", login, password=password, **self.client_options(login)
            )
            try:
                return await client.start()
            except Refused as error:
                await client.close()
                password = await self.after_refusal(login, error)
                self.login = login if password else ""
            except BaseException:
                await client.close()
                raise
        raise Refused("claimed", _("Too many tries."))

    def client_options(self, login: str) -> dict[str, Any]:
        return {"label": "menu", "key": True, "claim": True, **self.options}

    async def after_refusal(self, login: str, error: Refused) -> str | None:
        """A password for a login that has one, else None: another login is asked for."""
        if error.code in ("claimed", "wrong_password") and (
            "password" in error.about or error.code == "wrong_password"
        ):
            prompt = _('< Login "%s" needs a password: >') % clean_line(login)
            self.say(prompt)
            return await self.keyboard.secret("") or None
        if error.code not in ("claimed", "in_use", "bad_name", "wrong_proof"):
            raise error
        self.say(f"< {clean_line(error.text)} >")
        return None

    # -- the menu --------------------------------------------------------------------------------------------------

    async def serve(self, chat: Client) -> int:
        """Menu, choice, waiting, Enter, menu, ..."""
        while True:
            self.quiet.clear()
            self.say(MENU)
            choice = await self.next_line()
            if choice is None or choice.strip() == "5":
                if not self.ended.is_set():
                    self.say(_("< Bye! >"))
                return 0
            act = {"1": self.status, "2": self.who, "3": self.send_one, "4": self.send_all}.get(choice.strip())
            work = None
            if act is not None:
                work = await act(chat)
            self.say(WAITING)
            self.open_ears()
            if work is not None:
                task = asyncio.create_task(work, name="menu act")
                if not self.keyboard.terminal:
                    await task  # in a pipe the next line is there already: the outcome comes first
                else:
                    task.add_done_callback(lambda done: done.cancelled() or done.exception())
            if await self.next_line() is None:
                return 0

    async def next_line(self) -> str | None:
        """The next line, or None when input or server have ended."""
        line = asyncio.create_task(self.keyboard.line(), name="menu line")
        ended = asyncio.create_task(self.ended.wait(), name="menu end")
        await asyncio.wait({line, ended}, return_when=asyncio.FIRST_COMPLETED)
        ended.cancel()
        if line.done():
            return line.result()
        line.cancel()
        return None

    def open_ears(self) -> None:
        """The menu is closed: what waited is printed now."""
        waiting = sum(1 for event in self.chat._events if isinstance(event, m.Message)) if self.chat else 0
        if waiting > 1:
            text = plural(
                waiting, "< %d message came while the menu was open >", "< %d messages came while the menu was open >"
            )
            self.say(text % waiting)
        self.quiet.set()

    async def status(self, chat: Client) -> Any:
        return self.say_status(chat)

    async def say_status(self, chat: Client) -> None:
        await self.answered(chat.status_now(), lambda state: self.say(f"< Server is {state.state} >"))

    async def who(self, chat: Client) -> Any:
        return self.say_who(chat)

    async def say_who(self, chat: Client) -> None:
        def show(people: tuple[m.Person, ...]) -> None:
            self.say("Users:\n" + "; ".join(clean_line(person.login) for person in people))

        await self.answered(chat.who(), show)

    async def answered(self, work: Any, show: Callable[[Any], None]) -> None:
        """Print an answer, or why there is none."""
        try:
            show(await work)
        except ChatError as error:
            self.say(f"< {clean_line(str(error))} >")

    async def send_one(self, chat: Client) -> Any:
        self.prompt("Enter login: ")
        login = await self.next_line()
        if login is None:
            return None
        self.prompt("Enter message: ")
        text = await self.next_line()
        return self.send(chat, "@" + login.strip(), text) if text else None

    async def send_all(self, chat: Client) -> Any:
        self.prompt("Enter message: ")
        text = await self.next_line()
        return self.send(chat, "#all", text) if text else None

    async def send(self, chat: Client, to: str, text: str) -> None:
        """Send, and say what became of it; later if it has to wait."""
        try:
            sent = await chat.send(to, text)
        except ChatError:
            self.say(FAILED)
            return
        loop = asyncio.get_running_loop()
        self._watched[sent] = loop.call_later(WAIT_SECONDS, self.still_waiting, sent)
        try:
            await sent.delivered(timeout=WAIT_SECONDS + 0.1)
        except ChatError:
            pass  # print_events says how it ended; what waits has its own line
        await asyncio.sleep(0)

    def still_waiting(self, sent: Sent) -> None:
        if sent in self._watched and self.quiet.is_set():
            whom = clean_line(sent.to.removeprefix("@"))
            self.say(_("< Message is waiting for %s ... >") % whom)

    # -- what comes ------------------------------------------------------------------------------------------------

    async def print_events(self) -> None:
        """Print what happens while the menu is closed; confirm what was printed."""
        assert self.chat is not None
        async for event in self.chat.events():
            if isinstance(event, Online):
                if self.was_lost:
                    await self.print_line(_("< Connected again >"))
                self.was_lost = False
                continue
            await self.print_event(event)
        self.ended.set()

    async def print_line(self, line: str) -> None:
        await self.quiet.wait()
        self.say(line)

    async def print_event(self, event: object) -> None:
        match event:
            case m.Message():
                await self.print_message(event)
            case SentChanged():
                await self.print_outcome(event.sent)
            case m.State() if event.state != self.shown:
                await self.print_line(f"< Server is {event.state} >")
                self.shown = event.state
            case Offline(why, retry_in):
                await self.lost(why, retry_in)
            case m.Goodbye():
                if event.code == "stopping":
                    await self.dead()
            case m.RoomList():
                unread = sum(room.unread for room in event.rooms)
                if unread and not event.ref:
                    text = plural(unread, "< You have %d message from before >", "< You have %d messages from before >")
                    await self.print_line(text % unread)

    async def print_message(self, message: m.Message) -> None:
        chat = self.chat
        assert chat is not None
        await self.quiet.wait()
        by, text = clean_line(message.by), clean(message.text)
        if message.kind == "tag" or message.removed:
            return
        if chat.is_me(message.by):
            return
        if message.to == "#all":
            self.say(f"broadcast - {by} : {text}")
        elif message.to.startswith("#"):
            self.say(f"{clean_line(message.to)} - {by} : {text}")
        else:
            self.say(f"{by}  : {text}")
        chat.read("@" + message.by if message.to.startswith("@") else message.to, message.seq)

    async def print_outcome(self, sent: Sent) -> None:
        if sent not in self._watched or sent.state in ("pending", "accepted"):
            return
        self._watched.pop(sent).cancel()
        await self.print_line(FAILED if sent.state == "failed" else DELIVERED)

    async def lost(self, why: str, retry_in: float | None) -> None:
        if retry_in is None:
            await self.dead()
            return
        if not self.was_lost:
            await self.print_line(_("< Connection lost. Trying again in %d s ... >") % max(1, round(retry_in)))
        self.was_lost = True

    async def dead(self) -> None:
        await self.print_line(DEAD)
        self.say("Shutdown ...")
        self.ended.set()


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


async def _main(host: str, port: int, login: str, options: dict[str, Any]) -> int:
    return await Menu(host, port, login=login, options=options).run()


def main(host: str, port: int, *, login: str = "", **options: Any) -> int:
    """Run the menu client until it is closed; returns the exit code. ``options`` are those of tcpchat.connect."""
    try:
        return asyncio.run(_main(host, port, login, options))
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 141
