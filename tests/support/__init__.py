"""What the tests of several rooms share: peers, clients, terminals, browsers, worlds."""
