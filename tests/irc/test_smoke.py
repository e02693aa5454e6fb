from ircpeer import House


def test_talk(house: House) -> None:
    a = house.join("alice", rooms=("#room",))
    b = house.join("bob", "echo-message", "message-tags", "server-time")
    for l in a.seen: print(l)
    for line in b.ask("JOIN #room", "MODE #room", "WHO #room", "WHOIS alice", "NAMES #room", "LIST", "LUSERS"): print(line)
    for line in b.ask("PRIVMSG #room :hello", "TOPIC #room", "PRIVMSG alice :dm", "NICK bobby", "MONITOR + alice,xx", "USERHOST alice", "ISON alice x"): print(line)
    for line in a.sync(): print("A", line)
    b.send("QUIT :bye")
    print(b.closed())
    for line in a.ask("WHOWAS bobby"): print("A", line)
