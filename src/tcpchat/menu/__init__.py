"""The numbered menu: five numbers, one line per event, no cursor movement. Works in a pipe and with a screen reader.

The lines of the original are kept byte for byte and never translated. While the menu or a question is open nothing is
printed: what comes waits on the server's side of the cursor, and is confirmed as delivered and read when its line is
printed. In a pipe what was read is printed too, so that the output is the conversation; and the next line is taken
only when there is an outcome of the last choice.
"""

from __future__ import annotations

import asyncio
import difflib
import os
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from tcpchat.client.client import Client
from tcpchat.client.errors import ChatError, ConnectionFailed, KeyChanged, OutboxError, Refused, TimedOut
from tcpchat.client.events import Offline, Online, SentChanged, SetBack
from tcpchat.client.first_use import NewServer
from tcpchat.client.identity import load_key, outbox_path
from tcpchat.client.sent import Sent
from tcpchat.core import model as m
from tcpchat.core.text import clean, clean_line, fold
from tcpchat.i18n import _, plural
from tcpchat.menu.console import Keyboard, say, write

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
SHUTDOWN = "Shutdown ... "
WAIT_SECONDS = 3.0  # without a confirmation until a line says that the message waits
ANSWER_SECONDS = 5.0  # a person in front of a menu does not wait longer for an answer
LOGIN_TRIES = 5
UNKNOWN_WIDTH = 60  # characters of a message that are shown of one that may or may not have been sent
NAMES = 3  # logins that a line about a waiting message names
ANOTHER = {"claimed", "in_use", "bad_name", "wrong_proof", "wrong_password"}  # refusals after which to ask again

YES = {"y", "yes", "д", "да"}

Answer = Callable[[asyncio.Event], Coroutine[Any, Any, None]]  # sets the event when there is an outcome


class Menu:
    """One conversation of one person with the menu.

    ``say`` prints a line (of the original or in its manner). ``options`` are those of tcpchat.connect. ``ended`` closes
    the menu when it is set, from inside the loop.
    """

    def __init__(
        self, host: str, port: int, *, keyboard: Any = None, say: Callable[[str], None] = say, login: str = "",
        options: dict[str, Any] | None = None,
    ) -> None:  # fmt: skip
        self.host, self.port, self.login = host, port, login
        self.server = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self.keyboard = keyboard or Keyboard()
        self.say = say
        self.options = dict(options or {})
        self.chat: Client | None = None
        self.free = asyncio.Event()  # set: no menu and no question is open, lines may be printed
        self.ended = asyncio.Event()
        self.shown = ""  # the server's state that was printed last
        self.lost = False
        self._held = 0  # messages that came while the menu was open
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> int:
        """Log in and serve the menu until it is closed; the exit code."""
        self.say(f"client (HOST,PORT) set to ({self.host},{self.port})")
        try:
            chat = await self.enter()
        except KeyChanged as error:
            return stop(str(error), 4)
        except Refused as error:
            return stop(error.text, 4)
        except ChatError as error:
            return stop(str(error), 3)
        if chat is None:
            return 0
        self.chat = chat
        try:
            await self.greet(chat)
            self.begin(self.print_events(chat))
            self.begin(self.count_messages(chat))
            for sent in chat.pending:  # typed before and never sent: it goes out now
                self.begin(self.follow(sent, asyncio.Event()))
            return await self.serve(chat)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await chat.close()

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Have something done beside the menu."""
        task = asyncio.get_running_loop().create_task(work, name="menu")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # -- coming in -----------------------------------------------------------------------------------------------------

    async def enter(self) -> Client | None:
        """Ask for a login until the server takes it. None when the input ends before."""
        password: str | None = self.options.pop("password", None)
        keyless = False
        for _try in range(LOGIN_TRIES):
            login = self.login or await self.question("Enter login: ")
            if login is None:
                return None
            self.login = login.strip()
            if not self.login:
                continue
            client = self.client(password, keyless or password is not None)
            try:
                return await self.open(client)
            except Refused as error:
                if error.code not in ANOTHER:
                    raise
                if error.code == "wrong_proof":  # not our key's; it may have a password
                    keyless = True
                    continue
                password = await self.after_refusal(error)
                keyless = False
        raise Refused("claimed", _("Too many tries."))

    def client(self, password: str | None, keyless: bool) -> Client:
        """A client with this login's key, which claims the login so that messages wait for it."""
        options: dict[str, Any] = {"label": "menu", "password": password, "trust": self.trust, **self.options}
        if not keyless and "key" not in options:
            try:
                options.update(key=load_key(self.login), claim=True)
            except Exception as error:  # an unreadable key file: one can still be a guest
                self.say(f"< {clean_line(str(error))} >")
        try:
            options.setdefault("outbox", outbox_path(self.server, self.login, "menu"))
            return Client(self.server, self.login, **options)
        except OutboxError:  # another menu of this login, or a disk that takes nothing
            return Client(self.server, self.login, **{**options, "outbox": None})

    async def trust(self, server: NewServer) -> bool:
        """A person says whether the key of a server seen for the first time is right; a pipe takes it, with a note."""
        if not self.keyboard.terminal:
            print(f"< First time here: server key {server.fingerprint} ({server.words}) >", file=sys.stderr, flush=True)
            return True
        self.say(f"< {server.address}: {server.words} >")
        answer = await self.question(_("< First time here: server key %s Trust it? [y/N] >") % server.fingerprint + " ")
        return (answer or "").strip().casefold() in YES

    async def open(self, client: Client) -> Client:
        """Connect, or raise why that did not work at once: later losses are mended, a wrong address is not."""
        opening = asyncio.ensure_future(client.start())
        try:
            async for event in client.events():
                if isinstance(event, Offline) and event.retry_in is not None:
                    raise ConnectionFailed(event.why)
                if isinstance(event, Offline | Online):
                    break
            return await opening
        except BaseException:
            opening.cancel()
            await asyncio.gather(opening, return_exceptions=True)
            await client.close()
            raise

    async def after_refusal(self, error: Refused) -> str | None:
        """A password for a login that has one; else None, and another login will be asked for."""
        login, self.login = self.login, ""
        if error.code == "wrong_password" or (error.code == "claimed" and "password" in error.about):
            self.keyboard.hide(True)
            try:
                password = await self.question(_('< Login "%s" needs a password: >') % clean_line(login) + " ", "")
            finally:
                self.keyboard.hide(False)
            if password:
                self.login = login
                return password
        elif error.code == "claimed":
            self.say(_('< Login "%s" belongs to somebody else. Choose another one. >') % clean_line(login))
        else:
            self.say(f"< {clean_line(error.text)} >")
        return None

    async def greet(self, chat: Client) -> None:
        """The server's state, and how much waited."""
        self.shown = chat.status
        self.say(f"< Server is {chat.status} >")
        try:
            unread = sum(room.unread for room in await asyncio.wait_for(chat.rooms(), ANSWER_SECONDS))
        except (ChatError, TimeoutError):
            return
        if unread:
            one, many = "< You have %d message from before >", "< You have %d messages from before >"
            self.say(plural(unread, one, many) % unread)

    # -- the menu ------------------------------------------------------------------------------------------------------

    async def serve(self, chat: Client) -> int:
        """Menu, choice, waiting, Enter, menu, ..."""
        while True:
            self.free.clear()
            self.say(MENU)
            choice = await self.next_line()
            if self.ended.is_set():
                return 0
            if choice is None or choice.strip() == "5":
                self.say(_("< Bye! >"))
                return 0
            answer = await self.chosen(chat, choice.strip())
            self.say(WAITING)
            self.close_menu()
            if answer is not None:
                told = asyncio.Event()
                self.begin(self.answering(answer, told))
                if not self.keyboard.terminal:
                    await self.outcome(told)
            if await self.next_line() is None:
                if not self.ended.is_set():
                    self.say(_("< Bye! >"))
                return 0

    async def chosen(self, chat: Client, choice: str) -> Answer | None:
        """Ask what this choice needs; returns what is to be done once the menu is closed."""
        if choice == "1":
            return lambda told: self.say_status(chat)
        if choice == "2":
            return lambda told: self.say_who(chat)
        if choice == "3":
            login = await self.question("Enter login: ")
            return None if login is None else await self.message(chat, target(login))
        if choice == "4":
            return await self.message(chat, "#all")
        return None

    async def message(self, chat: Client, to: str) -> Answer | None:
        """Ask for a message; returns its sending."""
        text = await self.question("Enter message: ")
        return None if text is None else lambda told: self.send(chat, to, text or "", told)

    async def answering(self, answer: Answer, told: asyncio.Event) -> None:
        try:
            await answer(told)
        except (ChatError, TimeoutError) as error:
            why = str(error) if str(error) else _("No answer from the server; try again.")
            await self.line(f"< {clean_line(why)} >")
        finally:
            told.set()

    async def outcome(self, told: asyncio.Event) -> None:
        """In a pipe: the next line is there already, the outcome comes first."""
        ended = asyncio.ensure_future(self.ended.wait())
        heard = asyncio.ensure_future(told.wait())
        await asyncio.wait({ended, heard}, timeout=WAIT_SECONDS + ANSWER_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        ended.cancel()
        heard.cancel()

    async def question(self, prompt: str, shown: str | None = None) -> str | None:
        """Ask and return the line; in a pipe it is printed behind the question (or ``shown`` is)."""
        write(prompt)
        line = await self.next_line(shown)
        if line is None:
            write("\n")
        return line

    async def next_line(self, shown: str | None = None) -> str | None:
        """The next line, or None when input or server have ended."""
        line = asyncio.ensure_future(self.keyboard.line())
        ended = asyncio.ensure_future(self.ended.wait())
        try:
            await asyncio.wait({line, ended}, return_when=asyncio.FIRST_COMPLETED)
            text = line.result() if line.done() else None
        finally:
            line.cancel()
            ended.cancel()
        if text is not None and (shown is not None or not self.keyboard.terminal):
            write((clean_line(text) if shown is None else shown) + "\n")
        return text

    def close_menu(self) -> None:
        """From here on lines are printed, first what waited."""
        if self._held > 1:
            one = "< %d message came while the menu was open >"
            self.say(plural(self._held, one, "< %d messages came while the menu was open >") % self._held)
        self._held = 0
        self.free.set()

    async def line(self, text: str) -> None:
        """Print a line as soon as the menu is closed."""
        await self.free.wait()
        self.say(text)

    # -- what was chosen -----------------------------------------------------------------------------------------------

    async def say_status(self, chat: Client) -> None:
        state = await asyncio.wait_for(chat.status_now(), ANSWER_SECONDS)
        self.shown = state.state
        await self.line(f"< Server is {state.state} >")

    async def say_who(self, chat: Client) -> None:
        people = await asyncio.wait_for(chat.who(), ANSWER_SECONDS)
        await self.line("Users:\n" + "; ".join(clean_line(person.login) for person in people))

    async def send(self, chat: Client, to: str, text: str, told: asyncio.Event) -> None:
        """Send, and say what becomes of it."""
        await self.follow(await chat.send(to, text), told)

    async def follow(self, sent: Sent, told: asyncio.Event) -> None:
        """Say what becomes of a message: at once when it fails, when it is confirmed, and when that takes long."""
        try:
            await sent.accepted()
            if sent.to.startswith("#") and not await self.receivers(sent):
                await self.line(DELIVERED)  # nobody else is there: everybody has it
                return
            try:
                await sent.delivered(timeout=WAIT_SECONDS)
            except TimedOut:
                await self.line(_("< Message is waiting for %s ... >") % await self.missing(sent))
                told.set()
                await sent.delivered()
            await self.line(DELIVERED)
        except Refused as error:
            await self.line(FAILED)
            await self.line(f"< {await self.reason(sent, error)} >")
        except (ChatError, TimeoutError):
            pass  # the connection or the client has ended; the message is on the server or in the outbox

    async def missing(self, sent: Sent) -> str:
        """Who has not got a message yet."""
        names = [sent.to.removeprefix("@")]
        if sent.to.startswith("#"):
            names = [one.login for one in await self.receivers(sent) if one.state == "accepted"] or names
        more = f", +{len(names) - NAMES}" if len(names) > NAMES else ""
        return clean_line(", ".join(names[:NAMES])) + more

    async def receivers(self, sent: Sent) -> tuple[m.Delivery, ...]:
        """For whom a message in a room was."""
        if self.chat is None or not sent.seq:
            return ()
        return (await asyncio.wait_for(self.chat.receipts(sent.seq), ANSWER_SECONDS)).people

    async def reason(self, sent: Sent, error: Refused) -> str:
        """Why a message failed, and what to do about it."""
        if error.code != "no_such_login" or self.chat is None:
            return clean_line(error.text)
        name = sent.to.removeprefix("@")
        try:
            people = await asyncio.wait_for(self.chat.who(all=True), ANSWER_SECONDS)
        except (ChatError, TimeoutError):
            return clean_line(error.text)
        logins = {fold(person.login): person.login for person in people}
        near = difflib.get_close_matches(fold(name), logins, 1)
        if near:
            return _('No user "%s" here. Did you mean %s?') % (clean_line(name), clean_line(logins[near[0]]))
        return _('No user "%s" here. Choose 2 to see who is.') % clean_line(name)

    # -- what comes ----------------------------------------------------------------------------------------------------

    async def print_events(self, chat: Client) -> None:
        """Print what happens while the menu is closed; asking for the next event confirms the last one."""
        async for event in chat.events():
            match event:
                case m.Message():
                    await self.print_message(chat, event)
                case m.State() if event.state != self.shown:
                    await self.line(f"< Server is {event.state} >")
                    self.shown = event.state
                case Offline(why, None):
                    await self.die(why)
                case Offline() if chat.goodbye is not None and chat.goodbye.code == "stopping":
                    await self.die("")
                case Offline(_why, retry_in) if not self.lost and not self.ended.is_set():
                    self.lost = True
                    await self.line(_("< Connection lost. Trying again in %d s ... >") % max(1, round(retry_in or 1)))
                case SetBack():
                    await self.line(_("< The server was set back: the newest messages are not on it any more >"))
                case SentChanged(sent) if sent.state == "unknown":
                    text = clean_line(sent.text)[:UNKNOWN_WIDTH]
                    await self.line(_("< It is not known whether this was sent to %s: %s >") % (sent.to, text))
                case Online() if self.lost:
                    self.lost = False
                    await self.line(_("< Connected again >"))

    async def print_message(self, chat: Client, message: m.Message) -> None:
        if message.kind == "tag" or message.removed or chat.is_me(message.by):
            return
        await self.line(shown(message))
        chat.read("@" + message.by if message.to.startswith("@") else message.to, message.seq)

    async def count_messages(self, chat: Client) -> None:
        """How many messages came while the menu was open, ahead of the printing. Confirms nothing."""
        head = chat.welcome.head if chat.welcome is not None else 0
        async for message in chat.messages():
            if message.seq > head and not self.free.is_set() and not chat.is_me(message.by):
                self._held += 1

    async def die(self, why: str) -> None:
        """The server is gone for good."""
        await self.free.wait()
        if why:
            self.say(f"< {clean_line(why)} >")
        self.say(DEAD)
        self.say(SHUTDOWN)
        self.ended.set()


def shown(message: m.Message) -> str:
    """A message as the original prints it. Further lines are indented: no text can pass for a line of ours."""
    by, text = clean_line(message.by), clean(message.text).replace("\n", "\n    ")
    if message.kind == "action":
        text = f"* {text}"
    if message.to == "#all":
        return f"broadcast - {by} : {text}"
    if message.to.startswith("#"):
        return f"{clean_line(message.to)} - {by} : {text}"
    return f"{by}  : {text}"


def target(login: str) -> str:
    """The conversation that is meant by what was typed as a login."""
    login = login.strip()
    if login.startswith("#"):
        return login
    return "@" + login.removeprefix("@")


def stop(text: str, code: int) -> int:
    """Say on standard error why it ends; returns the exit code."""
    print(clean(text), file=sys.stderr, flush=True)
    return code


async def _main(host: str, port: int, login: str, options: dict[str, Any]) -> int:
    return await Menu(host, port, login=login, options=options).run()


def main(host: str, port: int, *, login: str = "", **options: Any) -> int:
    """Run the menu client until it is closed; returns the exit code. ``options`` are those of tcpchat.connect."""
    try:
        return asyncio.run(_main(host, port, login, options))
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
