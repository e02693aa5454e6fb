"""A name together with whose it was when something was begun under it; see core.owners."""

from __future__ import annotations

from typing import NamedTuple


class Meant(NamedTuple):
    """A name, and the number of the login that owned it; 0 = nobody had claimed it."""

    uid: int
    name: str


NOBODY = Meant(0, "")
