"""The error codes: one table, public contract. Doors map them to numerics, HTTP status and exit codes."""

from __future__ import annotations

from typing import NamedTuple


class Code(NamedTuple):
    """One error code: what it says to a person, and the exit code of a command that ends with it."""

    text: str
    exit: int = 1


CODES: dict[str, Code] = {
    # the message or command itself
    "bad_command": Code("Unknown command.", 2),
    "bad_name": Code("Names have 1 to 32 characters, no control characters, no # @ , : at the start.", 2),
    "empty": Code("The text is empty.", 2),
    "too_long": Code("The text is too long.", 2),
    "too_large": Code("The line is too long.", 2),
    "bad_text": Code("The text is not valid UTF-8.", 2),
    "gap": Code("A message is missing before this one."),
    "too_many_pending": Code("Too many unanswered messages; wait for their answers."),
    # whom or what it is about
    "no_such_login": Code("Nobody here has this login.", 5),
    "no_such_room": Code("There is no such room.", 5),
    "no_such_message": Code("There is no such message.", 5),
    "not_member": Code("You are not in this room; join it first.", 5),
    "already_member": Code("Already in this room."),
    "in_use": Code("Somebody with this name is connected; choose another."),
    "exists": Code("This name is taken."),
    # who one is
    "hello_first": Code("Say hello first."),
    "claimed": Code("This login is taken; prove that it is yours, or choose another.", 4),
    "wrong_proof": Code("This key does not open this login.", 4),
    "wrong_password": Code("Wrong login or password.", 4),
    "insecure": Code("Passwords are accepted only over TLS or from the server's own machine.", 4),
    "tls_required": Code("This server requires TLS.", 4),
    "not_allowed": Code("You may not do this.", 4),
    "banned": Code("You are banned here.", 4),
    "muted": Code("You are muted here.", 4),
    "invite_only": Code("This room is by invitation only.", 4),
    "wrong_key": Code("Wrong key for this room.", 4),
    "room_full": Code("This room is full.", 4),
    "closed": Code("This server is by invitation only.", 4),
    "guest": Code("Only a claimed login may do this.", 4),
    # limits and the server's own state
    "too_fast": Code("Too fast; wait a moment."),
    "too_many": Code("Limit reached."),
    "too_many_devices": Code("Too many devices of this login have sent lately; send from one of them, or unnumbered."),
    "unavailable": Code("The message could not be stored; nothing is accepted until it can.", 1),
    "timeout": Code("Connection timed out.", 3),
    "no_protocol": Code("Unknown protocol.", 2),
    "replaced": Code("This device connected again.", 3),
    "revoked": Code("The key or password used for this session is no longer valid.", 4),
    "deleted": Code("This login was deleted.", 4),
    "stopping": Code("The server is stopping.", 3),
    "internal": Code("Internal server error; it has been logged.", 1),
    "unsupported": Code("This server does not support that.", 2),
}
