"""A script that tells somebody something and knows that it arrived: exit 0 only then.

python examples/script.py @duck "backup done"        (the server is TCPCHAT_SERVER, else localhost:6060)
"""

import sys

import tcpchat

to, text = sys.argv[1:]
try:
    with tcpchat.sync.connect(login="backup", reconnect=False) as chat:
        sent = chat.send(to, text).delivered(timeout=10)
        print(sent.state, sent.seq)
except tcpchat.ChatError as error:
    sys.exit(f"not delivered: {error}")
