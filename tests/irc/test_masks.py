"""Whoever asks by a mask is answered, whatever the mask."""

from __future__ import annotations

import pytest

from support.ircpeer import House, commands

SLOW = ["*a" * 12 + "*b", "*a?" * 30 + "b", "*?" * 60 + "b", "*" * 100 + "b", "a*" * 80 + "b"]
ASKED = [
    "WHO {}", "LIST {}", "LIST !{}", "WHOWAS {}", "MOTD {}", "TIME {}", "VERSION {}", "WHOIS {} x", "NAMES {}",
    "MODE #aaaa +b {}", "MODE #aaaa +b {}!{}@{}", "MODE #aaaa +e a:{}", "MODE #aaaa +I {}@{}", "MODE #aaaa +b m:{}",
]  # fmt: skip


@pytest.mark.parametrize("mask", SLOW)
def test_a_slow_mask(house: House, mask: str) -> None:
    gone = house.join("a" * 30)
    gone.send("QUIT")
    gone.closed()
    a = house.join("a" * 31, rooms=("#" + "a" * 40, "#aaaa"))
    a.ask(f"SETNAME :{'a' * 140}")
    for words in ASKED:
        a.ask(words.replace("{}", mask))
    other = house.join("a" * 29, rooms=("#aaaa",))
    assert other.ask("PRIVMSG #aaaa :hello") == []
    assert "PRIVMSG" in commands(a.sync())
