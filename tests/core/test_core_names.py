"""Names: which look alike, which nobody may have, which everybody in the world can; and logs of before."""

from __future__ import annotations

import time

import pytest

from support.coreworld import World
from tcpchat.core import model as m
from tcpchat.core.looks import Names, look, one_script
from tcpchat.core.rules import Limits, good_login, unfit

ALIKE = [
    ("alice", ["AIice", "a1ice", "al1ce", "A|ice", "аlice", "аӏісе", "αlice", "ALICE", "alice.", ".alice", "alice-",
               "álice", "al ice", "ａｌｉｃｅ", "ᴀʟɪᴄᴇ", "alıce", "alicе", "ꓮlice", "Ꭺlice", "a\u04cfice"]),
    ("Big Brother", ["BigBrother", "big_brother", "Bigbrother", "BIG BROTHER", "BІG BROTHER", "B1g Br0ther"]),
    ("warner", ["vvarner", "wamer", "VVARNER", "wаrner", "ԝarner", "warner'"]),
    ("bob", ["b0b", "BОB", "bοb", "ꓐob", "Ᏼob", "bоb", "ВОВ", "ʙᴏʙ", "ɓob"]),
    ("Иван", ["иван", "ИВАН", "Иваn", "Ивaн"]),
    ("Ольга", ["0льга", "Oльга", "ольга."]),
]  # fmt: skip
PEOPLE = [
    "alice", "Jean-Luc", "O'Neill", "Иван", "Анна Каренина", "Ольга", "Юрій", "Αλέξανδρος", "Ελένη", "محمد", "فاطمة",
    "דוד", "שרה", "王小明", "李雷", "さくら", "たなか けん", "田中さん", "ケンジ", "김철수", "이영희", "สมชาย",
    "राम", "Zoë", "Łukasz", "Đorđe", "Nguyễn", "Håkon", "Ștefan", "duck2", "user 17", "bot-3",
    "ქეთი", "Արմեն", "አበበ", "🦆", "R2D2", "王Bob", "Kさん", "김A",
]  # fmt: skip


@pytest.mark.parametrize(("name", "other"), [(name, other) for name, others in ALIKE for other in others])
def test_what_looks_alike_is_one_name(name: str, other: str) -> None:
    world = World()
    world.own("keeper")
    world.own(name)
    stranger = world.connect().do(m.Hello(other, device="x", key="ed25519:x", claim=True))
    told = stranger.told(m.Challenge)
    challenged = [(one.nonce, one.methods, one.login) for one in told]
    assert challenged == [(stranger.session.nonce, ("key",), name)] or stranger.codes in (["in_use"], ["bad_name"])
    if told:
        assert stranger.refused(m.Proof("s")) == "wrong_proof"  # it is that login itself, in other letters
    guest = world.enter("goose")
    assert guest.refused(m.Rename(other)) in ("claimed", "bad_name")
    assert world.connect("irc").refused(m.Password("", other, "x")) in ("exists", "bad_name")


@pytest.mark.parametrize("name", PEOPLE)
def test_people_of_the_world_have_names(name: str) -> None:
    world = World()
    world.own("keeper")
    assert world.own(name).only(m.Welcome).login == name
    assert world.own("second").only(m.Welcome).claimed
    assert world.again(snapshot=False).snapshot() == world.chat.snapshot()


def test_they_all_fit_beside_each_other() -> None:
    world = World()
    for name in PEOPLE:
        assert world.own(name).told(m.Welcome), name


@pytest.mark.parametrize(
    "name",
    ["NickServ", "nickserv", "N1ckServ", "NlckServ", "Nick Serv", "ChanServ", "ChanServ.", "ChanServ_", "tcpchat",
     "TCPchat", "tcpchat.chat", "tсpchat", "system", "Server", "the server's machine", "The Server's Machine",
     "my place", "My P1ace", "admin", "Admin.", "аdmin", "adm1n", "owner", "0wner", "moderator",
     "rnoderator"],
)  # fmt: skip
def test_nobody_is_called_as_the_server_or_its_operators_are(name: str) -> None:
    world = World(Limits(messages_per_second=0, server_name="my place"))
    world.own("keeper")
    assert world.connect().refused(m.Hello(name, device="x")) == "bad_name"
    assert world.connect().refused(m.Hello(name, device="x", key="ed25519:x", claim=True)) == "bad_name"
    assert world.connect("irc").refused(m.Password("", name, "x")) == "bad_name"
    assert world.enter("goose").refused(m.Rename(name)) == "bad_name"


def test_who_owns_the_place_may_be_called_so() -> None:
    world = World()
    assert World().enter("owner").told(m.Welcome)  # a guest on this machine, who claims the place next
    assert World().connect(local=False).refused(m.Hello("owner", device="x")) == "bad_name"
    assert world.own("admin").only(m.Welcome).role == "owner"
    assert world.connect().do(m.Hello("admin", device="two")).told(m.Challenge)
    assert world.connect().refused(m.Hello("operator", device="x", key="ed25519:x", claim=True)) == "bad_name"


def test_only_the_server_speaks_as_the_server() -> None:
    world = World()
    owner = world.own("keeper")
    guest = world.enter("guest").forget()
    owner.do(m.Admin("announce", {"text": "back in five minutes"})).do(m.Say("#all", "back in an hour", kind="notice"))
    assert [(one.text, one.system) for one in guest.told(m.Message)] == [
        ("back in five minutes", True), ("back in an hour", False),
    ]  # fmt: skip


def test_letters_of_one_script() -> None:
    assert all(one_script(name) for name in PEOPLE)
    assert not any(map(one_script, ["Ивaн", "aлиса", "αlice", "王Иван", "さくраら", "аb", "kוd"]))
    assert unfit("Ивaн", Limits())
    assert not unfit("Иван 3", Limits())


def test_no_name_has_the_look_of_a_machines() -> None:
    assert good_login("monitor∕ops", Limits()) == ""  # a division slash
    assert good_login("monitor⁄ops", Limits()) == ""


def test_old_logins_that_look_alike_now_both_stay() -> None:
    world = World()
    names = ["ail", "all", "alice", "alice.", "rnark", "mark", "Ивaн"]
    world.append([m.Append(m.Claimed(name, key=f"ed25519:{n}")) for n, name in enumerate(names)])
    for snapshot in (False, True):
        world.restart(snapshot)
        for number, name in enumerate(names):
            peer = world.connect().do(m.Hello(name, device=f"d{number}")).do(m.Proof("s", key=f"ed25519:{number}"))
            assert peer.only(m.Welcome).login == name
    assert world.connect().refused(m.Hello("a1l", device="x")) == "in_use"
    peer.do(m.Rename("Ивaн the first"))
    assert peer.codes == ["bad_name"]
    peer.forget().do(m.Rename("Иван"))
    assert peer.told(m.Done)
    assert world.again(snapshot=False).snapshot() == world.chat.snapshot()
    assert world.again().snapshot() == world.chat.snapshot()


def test_a_log_of_before_is_read_by_the_rules_of_before() -> None:
    """Numbers of users and rooms come from the log: an entry that made one then makes it now, and no other does."""
    world = World()
    facts: list[m.AnyFact] = [
        m.Claimed("bill", key="ed25519:bill"), m.Arrived("bili", "d1"),
        m.Arrived("bi1l", "d2"), m.Arrived("bill.", "d3"),
        m.Renamed(2, "bi|i"), m.RoomMade("#mini", 1), m.RoomMade("#mlnl", 1), m.RoomMade("#mіni", 1),
        m.Arrived("last", "d4"), m.RoomRenamed(2, 1, "#rnini"),
    ]  # fmt: skip
    world.append([m.Append(fact) for fact in facts])
    state = world.chat.state
    assert {uid: user.login for uid, user in state.users.items()} == {1: "bill", 2: "bi|i", 3: "bill.", 4: "last"}
    assert {number: room.name for number, room in state.rooms.items()} == {1: "#all", 2: "#rnini", 3: "#mlnl"}
    world.tick(1)
    assert state.old_looks is None
    assert world.again(snapshot=False).snapshot() == world.chat.snapshot()
    assert world.connect().refused(m.Hello("blll", device="x")) == "in_use"


def test_several_of_one_look() -> None:
    names = Names()
    for number, name in ((3, "mark"), (1, "rnark"), (2, "MARK")):
        names.add(name, number)
    assert names.find("mark") == (1, 2, 3)
    for number, name in ((1, "rnark"), (3, "mark"), (9, "mark")):
        names.remove(name, number)
    assert names.find("rnark") == (2,)
    names.remove("MARK", 2)
    assert names.find("mark") == ()


def test_looks_are_quick_and_come_to_rest() -> None:
    began = time.process_time()
    for text in ("\ufdfa" * 32, "i\u0307" * 30, "ǅ" * 64, "\U0001d5ba" * 60, "ﷺ" * 100_000, "..." * 20, " " * 30):
        assert isinstance(look(text), str)
    assert look("") == ""
    assert time.process_time() - began < 5.0
