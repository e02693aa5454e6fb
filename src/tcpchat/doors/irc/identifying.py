"""Getting one's own name back without SASL: as a guest prove the account by NickServ, then wear its name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tcpchat.core.model import Done, Password, Refused, Welcome
from tcpchat.doors.irc import registration
from tcpchat.doors.irc.commands import Asks, Steps, Wait
from tcpchat.doors.irc.network import nick_of
from tcpchat.doors.irc.sasl import say_logged_in

if TYPE_CHECKING:
    from tcpchat.doors.irc.door import IrcDoor

CARRIED = "iwBRT"  # user modes that the client goes on believing in


def say(door: IrcDoor, text: str) -> None:
    door.notice(text, "NickServ")


def prove(door: IrcDoor, account: str, password: str) -> Asks[bool]:
    """Show the password of an account; True when it was right."""
    answer = yield Password(password=password, account=account)
    if not isinstance(answer, Done):
        say(door, answer.text if isinstance(answer, Refused) else "This did not work.")
        return False
    say(door, f"You are now identified as {nick_of(account)}.")
    say_logged_in(door, str(answer.data.get("account", account)))
    return True


def identify(door: IrcDoor, words: list[str]) -> Steps:
    """``IDENTIFY password`` means the name that this client was refused at the door, and gives it back at once: so log
    in bots that know nothing else. With the name of the account it stays a guest until it says NICK."""
    if not words:
        say(door, "IDENTIFY [account] password")
        return
    missed = door.wanted if not door.account else ""
    account = words[0] if len(words) > 1 else missed or door.login
    right = yield from prove(door, account, words[-1])
    if right and len(words) == 1 and missed:
        yield from come_home(door)


def regain(door: IrcDoor, words: list[str]) -> Steps:
    """``REGAIN nick [password]``, as services of other networks have it: prove it, and wear it."""
    if not words:
        say(door, "REGAIN nick [password]")
        return
    fold = door.network.fold
    if door.is_me(words[0]):
        say(door, "You have this name.")
    elif len(words) > 1 and not (yield from prove(door, words[0], words[1])):
        return
    elif fold(door.account) != fold(words[0]):
        say(door, "This name is not yours: REGAIN nick password")
    elif not (yield from come_home(door)):
        say(door, "You are not a guest: your login stays yours under every client.")


def ghost(door: IrcDoor, words: list[str]) -> Steps:
    """``GHOST nick [password]``: elsewhere it ends an old connection, which is in nobody's way here."""
    if not words:
        say(door, "GHOST nick [password]")
        return
    if len(words) > 1 and not (yield from prove(door, words[0], words[1])):
        return
    if door.network.fold(door.account) == door.network.fold(words[0]):
        say(door, f"No old connection holds {words[0]}: say /nick {words[0]}, several of yours may wear it.")
    else:
        say(door, "This name is not yours: GHOST nick password")


def come_home(door: IrcDoor) -> Asks[bool]:
    """The guest ends, and its connection is one of the account's: with its rooms, and what it has missed. False for one
    who is no guest, or wears the name of another account."""
    network, old = door.network, door.me
    if not door.account or door.is_me(door.account) or network.fold(old.account) == network.fold(old.login):
        return False
    mask, rooms, modes = old.mask, list(door.rooms.values()), old.modes
    door.proved, door.nick, door.entering = door.account, nick_of(door.account), True
    door.commands.append(registration.hello(door))
    answer = yield Wait("hello")
    if not isinstance(answer, Welcome):
        door.error(f"Closing link: {getattr(answer, 'text', 'this name cannot be worn')}")
        return True
    for room in rooms:
        door.put(f":{mask} PART {room}")
    door.rooms = {}
    door.put(f":{mask} NICK {nick_of(answer.login)}")
    if door in old.doors:
        old.doors.remove(door)
    if not old.doors:
        network.leave(old.login)
    registration.settle(door, answer)
    door.me.wear("".join(set(modes) & set(CARRIED)))
    listed = yield Wait("rooms")
    yield Wait("state")
    yield from registration.enter_rooms(door, listed)
    door.entering = False
    return True
