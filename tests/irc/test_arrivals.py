"""Who comes and goes: what everybody is shown, alone and in a crowd, whatever else a client has asked for."""

from __future__ import annotations

from collections import Counter
from typing import Any

from support.ircpeer import Client, House, commands, only
from tcpchat.doors.irc.wire import parse


def nicks(lines: list[Any], command: str) -> list[str]:
    return [line.source.partition("!")[0] for line in lines if line.command == command]


def arrive(house: House, count: int, start: int = 0) -> list[Client]:
    """Many at once: all have said who they are before the first is welcomed."""
    clients = [house.connect() for _ in range(count)]
    for number, client in enumerate(clients, start):
        client.send(f"NICK c{number}", "USER u 0 * :Real")
    for client in clients:
        client.until("376", "422")
        client.sync()
    return clients


def until_all(client: Client, command: str, names: set[str]) -> list[Any]:
    """Read on until these have been shown."""
    lines: list[Any] = []
    while not names <= set(nicks(lines, command)):
        lines.append(client.read())
    return lines


def test_a_crowd_is_shown_to_all_and_each_once(make_house: Any) -> None:
    house: House = make_house(lobby="#all")
    plain = house.join("plain")
    rich = house.join("rich", "extended-join", "server-time", "account-tag", "message-tags")
    watcher = house.join("watcher")
    watcher.ask("MONITOR + c3,c7")
    plain.sync()
    clients = arrive(house, 40)
    names = {f"c{number}" for number in range(40)}
    for client in (plain, rich, watcher):
        seen = until_all(client, "JOIN", names) + client.sync()
        assert Counter(nicks(seen, "JOIN")).keys() >= names
        assert max(Counter(nicks(seen, "JOIN")).values()) == 1
        joins = [line for line in seen if line.command == "JOIN"]
        assert {len(line.params) for line in joins} == ({3} if client is rich else {1})
        assert all("time" in line.tags for line in joins if client is rich)
        told = [line.params[-1].partition("!")[0] for line in seen if line.command == "730"]
        assert sorted(told) == (["c3", "c7"] if client is watcher else [])
    for number, client in enumerate(clients):  # nobody is shown its own coming as somebody else's, or twice
        client.send("NAMES #all")
        listed = [name for line in client.until("366") if line.command == "353" for name in line.params[-1].split()]
        assert sorted(name.lstrip("@") for name in listed) == sorted({*names, "plain", "rich", "watcher"})
        assert f"c{number}" in listed
    for client in clients:
        client.send("QUIT :class is over")
    for client in (plain, rich, watcher):
        seen = until_all(client, "QUIT", names)
        assert max(Counter(nicks(seen, "QUIT")).values()) == 1
        assert {line.params[0] for line in seen if line.command == "QUIT"} == {"Quit: class is over"}
        told = [line.params[-1] for line in seen + client.sync() if line.command == "731"]
        assert sorted(told) == (["c3", "c7"] if client is watcher else [])


def test_who_shares_no_room_is_shown_nothing(house: House) -> None:
    alone = house.join("alone", rooms=("#mine",))
    both = house.join("both", rooms=("#r", "#s"))
    one = house.join("one", rooms=("#r",))
    house.account("duck", "sesame")
    duck = house.join("duck", account="duck", password="sesame", rooms=("#r", "#s"))
    for client in (alone, both, one):
        client.sync()
    duck.send("QUIT :bye")
    duck.closed()
    assert alone.sync() == []
    assert commands(both.sync()) == commands(one.sync()) == ["QUIT"]
    house.join("duck", account="duck", password="sesame", user="other")
    assert alone.sync() == []
    assert [line.params[0] for line in both.sync() if line.command == "JOIN"] == ["#r", "#s"]
    assert [line.params[0] for line in one.sync() if line.command == "JOIN"] == ["#r"]


def test_joins_and_parts_of_a_big_room(house: House) -> None:
    crowd = [house.join(f"m{number}", rooms=("#r",)) for number in range(12)]
    for client in crowd:
        client.sync()
    guest = house.join("guest")
    assert only(guest.ask("JOIN #r"), "JOIN").params == ["#r"]
    for client in crowd:
        assert nicks(client.sync(), "JOIN") == ["guest"]
    assert only(guest.ask("PART #r :enough"), "PART").params == ["#r", "enough"]
    for client in crowd:
        assert [line.params for line in client.sync()] == [["#r", "enough"]]
    assert commands(guest.ask("NAMES #r"))[-1] == "366"


def test_who_is_away_is_shown_so_in_a_shared_room(house: House) -> None:
    a = house.join("alice", "away-notify", rooms=("#r",))
    b = house.join("bob", rooms=("#r",))
    c = house.join("carol")
    a.sync()
    b.sync()
    c.ask("AWAY :tea", "JOIN #r")
    assert commands(a.sync()) == ["JOIN", "AWAY"]
    assert commands(b.sync()) == ["JOIN"]


def test_long_lists_of_names_are_cut_between_names(make_house: Any) -> None:
    house: House = make_house(lobby="#all")
    clients = [house.join(f"somebody-with-a-long-name-{number}") for number in range(30)]
    for caps in ((), ("userhost-in-names", "multi-prefix"), ("server-time", "message-tags")):
        reader = house.join("reader" + str(len(caps)) + "".join(caps)[:3], *caps)
        reader.sync()
        reader.send("NAMES #all", "PING :end")
        listed: list[str] = []
        while True:
            raw = reader.raw()
            assert len(raw.partition(b" ")[2] if raw[:1] == b"@" else raw) <= 512
            line = parse(raw.decode().removesuffix("\r\n"))
            if line.command == "353":
                listed += [word.partition("!")[0] for word in line.params[-1].split()]
            if line.command == "PONG":
                break
        assert {f"somebody-with-a-long-name-{number}" for number in range(30)} <= {one.lstrip("@") for one in listed}
        assert len(listed) == len(set(listed))
    assert clients
