"""A bot that rolls dice: say "!roll 2d6" to it, or in #all.

python examples/bot.py [HOST:PORT]
"""

import random
import sys

import tcpchat

bot = tcpchat.Bot(sys.argv[1] if len(sys.argv) > 1 else None, "dice")


@bot.command("!roll")
def roll(message, what):
    count, _, sides = (what or "1d6").partition("d")
    rolled = [random.randint(1, int(sides)) for _ in range(min(int(count), 20))]
    return f"{sum(rolled)} ({', '.join(map(str, rolled))})"


bot.run()
