"""Write every page and table that is made from the code."""

from tools.docs import cli, irc, protocol, settings, terminal

for page in (protocol, irc, cli, terminal, settings):
    page.write()
