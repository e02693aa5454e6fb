"""What stands around the messages: rooms, people, header, status, hints. Pure: session in, lines out."""

from __future__ import annotations

import time
from dataclasses import dataclass

from rich.cells import cell_len

from tcpchat.core import model as m
from tcpchat.core.text import clean_line, fold
from tcpchat.i18n import _, plural
from tcpchat.tui import keys
from tcpchat.tui.lines import Line, Part
from tcpchat.tui.rows import chop
from tcpchat.tui.session import COUNTED, Conversation, Session
from tcpchat.tui.themes import Glyphs

JOIN = "join"  # value of the line that opens the switcher


def _key(name: str, text: str = "") -> list[Part]:
    """The key of an action, when it has one."""
    key = keys.brief(name)
    return [(f"{key} {text}", "muted")] if key else []


def count(number: int) -> str:
    """An unread count; the server stops counting at a hundred."""
    return f"{COUNTED - 1}+" if number >= COUNTED else str(number)


def rooms(session: Session, glyphs: Glyphs) -> list[Line]:
    """The pane of rooms and conversations, numbered as Alt+digit and /3 take them."""
    lines = [Line([("  " + _("ROOMS"), "muted")], _key("pane.rooms"))]
    direct = False
    for number, one in enumerate(session.ordered(), 1):
        if one.direct and not direct:
            lines += [Line(), Line([("  " + _("PEOPLE"), "muted")])]
            direct = True
        lines.append(_room_line(session, one, number, glyphs))
    return [*lines, Line(), Line([("  " + _("+ join (%s)") % keys.brief("goto"), "muted")], [], JOIN)]


def _room_line(session: Session, one: Conversation, number: int, glyphs: Glyphs) -> Line:
    opened = one is session.open
    loud = one.unread and not one.muted
    style = "mention" if one.mentions else "bold" if loud or opened else "muted" if one.muted else "text"
    left: list[Part] = [(">" if opened else " ", "primary"), (f"{number:<2}" if number < 100 else "  ", "muted")]
    if one.direct:
        left.append(_presence(session.people.get(fold(one.to[1:])), glyphs))
    left.append((one.label, style))
    right: list[Part] = []
    if one.unread and not opened:
        right.append((count(one.unread), "muted" if one.muted else "bold"))
        if one.mentions and not one.direct:
            right.append((f" @{count(one.mentions)}", "mention"))
    elif one.draft.strip():
        right.append(("+", "muted"))
    return Line(left, right, one)


def _presence(person: m.Person | None, glyphs: Glyphs) -> Part:
    if person is None or not person.online:
        return (glyphs.offline + " ", "muted")
    return (glyphs.online + " ", "warning" if person.away else "good")


def people(session: Session, glyphs: Glyphs) -> list[Line]:
    """The pane of people: who is here first."""
    everybody = sorted(session.people.values(), key=lambda one: (not one.online, fold(one.login)))
    now = session.now()
    lines = [Line([(f"{_('HERE')} {here(session)}", "muted")], _key("pane.people"))]
    for person in everybody:
        name = clean_line(person.login)
        style = f"name:{name}" if person.online else "muted"
        if session.is_me(person.login):
            style = "own"
        mark, tone = _presence(person, glyphs)
        right: list[Part] = []
        if not person.online and person.seen:
            right.append((ago(now - person.seen / 1000), "muted"))
        elif person.away:
            right.append((_("away"), "muted"))
        elif person.role in ("owner", "moderator", "op"):
            right.append(("@", "muted"))
        lines.append(Line([(mark, tone), (name, style)], right, person))
    return lines


def ago(seconds: float) -> str:
    """A length of time in one unit: 5 m, 2 h, 3 d."""
    for size, unit in ((86400, _("d")), (3600, _("h")), (60, _("m"))):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return _("now")


def here(session: Session) -> int:
    """How many are online."""
    return sum(person.online for person in session.people.values()) or session.online_count


def header(session: Session, security: str, glyphs: Glyphs) -> Line:
    """Which conversation this is, what it is about, who is in it; at the right how safe the connection is."""
    one = session.open
    if one is None:
        return Line()
    left: list[Part] = [(f" {one.label}", "bold")]
    if one.direct:
        person = session.people.get(fold(one.to[1:]))
        left.append((f" {glyphs.dot} {_about(person, session.now())}", "muted"))
    else:
        topic = clean_line(one.topic)
        if topic:
            left.append((f" {glyphs.dot} {topic}", "text"))
        number = here(session) if fold(one.to) == "#all" else one.members
        if number:
            left.append((f" {glyphs.dot} {plural(number, '%d here', '%d here') % number}", "muted"))
    return Line(left, [(security + " ", "muted")] if security else [])


def _about(person: m.Person | None, now: float) -> str:
    if person is None:
        return _("not here")
    if not person.online:
        seen = f" ({ago(now - person.seen / 1000)})" if person.seen else ""
        return _("not here; messages wait") + seen if person.account else _("not here") + seen
    return f"{_('away')}: {clean_line(person.away)}" if person.away else _("here")


def strip(session: Session, width: int, glyphs: Glyphs) -> tuple[Line, list[tuple[int, int, object]]]:
    """The line of rooms above the messages in a narrow window; with where each stands."""
    if width < 45:
        return _tiny_strip(session), []
    order = session.ordered()
    opened = [one for one in order if one is session.open]
    rest = [one for one in order if one is not session.open and one.unread]
    quiet = [one for one in order if one not in opened and one not in rest]
    fits: dict[Conversation, Part] = {}
    room = width - 9
    for one in opened + rest + quiet:
        part = _strip_part(session, one, order.index(one) + 1)
        if cell_len(part[0]) <= room:
            fits[one] = part
            room -= cell_len(part[0])
    left: list[Part] = []
    places: list[tuple[int, int, object]] = []
    used = 0
    for one in [one for one in order if one in fits]:
        size = cell_len(fits[one][0])
        left.append(fits[one])
        places.append((used, used + size, one))
        used += size
    right: list[Part] = _key("room.next_unread", _("next")) if session.next_unread() else []
    return Line(left, right), places


def _strip_part(session: Session, one: Conversation, number: int) -> Part:
    if one is session.open:
        return f" {number} {one.label}*", "primary"
    if not one.unread:
        return f" {number} {one.label}", "muted"
    at = "@" if one.mentions and not one.direct else ""
    return f" {number} {one.label} {count(one.unread)}{at}", "mention" if one.mentions else "bold"


def _tiny_strip(session: Session) -> Line:
    unread, mentions = session.elsewhere()
    left: list[Part] = [(f" {session.open.label if session.open else ''}", "bold")]
    if mentions:
        left.append((f"  {mentions}@", "mention"))
    if unread:
        left.append((f" {_('%d elsewhere') % unread}", "muted"))
    return Line(left, _key("room.next_unread", _("next")) if unread else [])


@dataclass
class Facts:
    """What the status line says besides the session's."""

    server: str = ""
    latency: float | None = None
    waiting: int = 0  # messages in the outbox
    newer: int = 0  # rows below the screen
    note: str = ""  # a passing word


def connection(session: Session, facts: Facts, glyphs: Glyphs, width: int) -> list[Part]:
    """The state of the connection in words, never by colour alone."""
    if session.connected:
        delay = f" {round(facts.latency * 1000)} ms" if facts.latency is not None else ""
        if width < 45:
            return [(f" {glyphs.online}", "good"), (delay or f" {session.state}", "muted")]
        return [(f" {glyphs.online} ", "good"), (session.state, "text"), (delay, "muted")]
    if session.ended:
        return [(f" {glyphs.broken} {_('disconnected')}", "error"), (f"  {session.why}", "error")]
    if not session.why:
        return [(f" {glyphs.trying} {_('connecting')} {glyphs.more}", "warning")]
    left = max(round(session.retry_at - session.now()), 0)
    waits = ""
    if facts.waiting:
        text = plural(facts.waiting, "%d message waits here", "%d messages wait here") % facts.waiting
        waits = f" {glyphs.dot} {text}"
    text = _("no connection, next try in %d s") % left if left else _("no connection, trying")
    hint = f" ({_('Enter: now')})" if width >= 60 else ""
    return [(f" {glyphs.broken} {text}", "error"), (waits, "warning"), (hint, "muted")]


def status(session: Session, facts: Facts, glyphs: Glyphs, width: int) -> Line:
    """The status line."""
    left: list[Part] = []
    if facts.note and session.connected:
        left.append((f" {facts.note}", "warning"))
    elif width >= 80:
        left.append((f" {time.strftime('%H:%M', time.localtime(session.now()))}  ", "muted"))
        left.append((chop(f"{clean_line(session.login)}@{facts.server}", 40, glyphs.more) + " ", "text"))
    if not facts.note or not session.connected:
        left += connection(session, facts, glyphs, width)
        if 45 <= width < 80:
            left.append((f"  {clean_line(session.login)}", "muted"))
        left += [(f"  {facts.note}", "warning")] if facts.note else _hotlist(session) if width >= 80 else []
    right: list[Part] = []
    if facts.newer:
        right.append((f"{glyphs.down} {plural(facts.newer, '%s newer', '%s newer') % count(facts.newer)}  ", "unread"))
    if typing := _typing(session, glyphs, width):
        right.append((typing, "muted"))
    return Line(left, right)


def _hotlist(session: Session) -> list[Part]:
    """``unread: 2:#ops 2(1@), 5:carol 1`` as WeeChat shows it."""
    parts: list[Part] = []
    for number, one in enumerate(session.ordered(), 1):
        if one is session.open or not one.unread or one.muted:
            continue
        at = f"({one.mentions}@)" if one.mentions and not one.direct else ""
        text = f"{number}:{one.label} {count(one.unread)}{at}"
        parts.append((", " if parts else f"  {_('unread')}: ", "muted"))
        parts.append((text, "mention" if one.mentions else "text"))
    return parts


def _typing(session: Session, glyphs: Glyphs, width: int) -> str:
    names = session.typists()
    if not names:
        return ""
    if len(names) > 3:
        return _("%d people are typing") % len(names) + f" {glyphs.more} "
    who = chop(", ".join(names), max(width // 4, 8), glyphs.more)
    return plural(len(names), "%s is typing", "%s are typing") % who + f" {glyphs.more} "


HINTS = (
    ("help", "help"), ("room.next_unread", "next unread"), ("goto", "go to"), ("search", "search"),
    ("newline", "new line"), ("pane.rooms", "rooms"), ("pane.people", "people"), ("quit", "quit"),
)  # fmt: skip  # ids of keys, and what to say of them


def hints(width: int, pairs: tuple[tuple[str, str], ...] = HINTS) -> Line:
    """As many of the hints as fit, whole."""
    left: list[Part] = []
    used = 0
    for name, text in pairs:
        key, text = keys.brief(name), _(text)
        if not key:
            continue
        size = len(key) + cell_len(text) + 4
        if used + size > width:
            break
        left += [(f" {key}", "key"), (f" {text}  ", "muted")]
        used += size
    return Line(left)


def title(session: Session) -> str:
    """The window's title."""
    unread, mentions = session.elsewhere()
    here = session.open.unread if session.open else 0
    number = unread + here
    at = "@" if mentions else ""
    name = session.open.label if session.open else "tcpchat"
    return f"({count(number)}{at}) {name} - tcpchat" if number else f"{name} - tcpchat"


def empty(session: Session, server: str) -> list[str]:
    """What an empty conversation says."""
    one = session.open
    if not session.connected and (one is None or one.broken):
        return [_("Not connected yet."), "", session.why] if session.why else [_("Not connected yet.")]
    if one is None:
        return []
    text = [_("Nobody has said anything in %s yet. Type and press Enter.") % one.label]
    if here(session) < 2 and not one.direct:
        text += [
            "",
            _("You are alone here (WAIT4CLIENTS). Others join with:"),
            f"  tcpchat chat {server}",
            f"  http://{server}",
        ]
    return text
