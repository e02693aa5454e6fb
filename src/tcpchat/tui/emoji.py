"""Short names of emoji, for ``:name:`` and Tab."""

from __future__ import annotations

import re

_TABLE = """
smile 😄 grin 😁 joy 😂 rofl 🤣 wink 😉 blush 😊 heart_eyes 😍 kiss 😘 thinking 🤔 neutral 😐 smirk 😏 sweat 😅
cry 😢 sob 😭 angry 😠 rage 😡 scream 😱 sleepy 😪 sleeping 😴 cool 😎 nerd 🤓 confused 😕 worried 😟 innocent 😇
upside_down 🙃 shrug 🤷 facepalm 🤦 wave 👋 ok_hand 👌 thumbsup 👍 +1 👍 thumbsdown 👎 -1 👎 clap 👏 pray 🙏 muscle 💪
point_up 👆 point_down 👇 point_left 👈 point_right 👉 raised_hands 🙌 handshake 🤝 fist ✊ eyes 👀 brain 🧠
heart ❤️ broken_heart 💔 yellow_heart 💛 green_heart 💚 blue_heart 💙 fire 🔥 star ⭐ sparkles ✨ zap ⚡ boom 💥
tada 🎉 gift 🎁 balloon 🎈 trophy 🏆 medal 🏅 bell 🔔 mute 🔇 loud 🔊 check ✅ x ❌ warning ⚠️ stop 🛑 question ❓
exclamation ❗ 100 💯 bug 🐛 duck 🦆 dog 🐶 cat 🐱 fox 🦊 bear 🐻 panda 🐼 penguin 🐧 bird 🐦 owl 🦉 fish 🐟
whale 🐳 snake 🐍 turtle 🐢 rabbit 🐰 unicorn 🦄 bee 🐝 crab 🦀 octopus 🐙 snail 🐌 butterfly 🦋 sun ☀️ moon 🌙 cloud ☁️
rain 🌧️ snow ❄️ rainbow 🌈 earth 🌍 tree 🌳 cactus 🌵 flower 🌸 rose 🌹 mushroom 🍄 apple 🍎 banana 🍌 cherry 🍒
pizza 🍕 burger 🍔 fries 🍟 dumpling 🥟 sushi 🍣 cake 🍰 cookie 🍪 coffee ☕ tea 🍵 beer 🍺 beers 🍻 wine 🍷
rocket 🚀 car 🚗 bike 🚲 train 🚆 plane ✈️ ship 🚢 house 🏠 office 🏢 tent ⛺ map 🗺️ clock 🕐 hourglass ⏳ alarm ⏰
calendar 📅 mail 📧 inbox 📥 outbox 📤 package 📦 memo 📝 book 📖 books 📚 pin 📌 clip 📎 scissors ✂️ lock 🔒
unlock 🔓 key 🔑 hammer 🔨 wrench 🔧 gear ⚙️ link 🔗 bulb 💡 battery 🔋 plug 🔌 computer 💻 keyboard ⌨️ phone 📱
camera 📷 movie 🎬 music 🎵 guitar 🎸 game 🎮 dice 🎲 art 🎨 robot 🤖 ghost 👻 alien 👽 skull 💀 poop 💩 chart 📈
money 💰 gem 💎 crown 👑 magnet 🧲 magnifier 🔍 construction 🚧 recycle ♻️ infinity ♾️ peace ☮️ sos 🆘 new 🆕 ok 🆗
"""
_words = _TABLE.split()
EMOJI: dict[str, str] = dict(zip(_words[::2], _words[1::2], strict=True))
_NAME = re.compile(r"(?<![\w:/]):([a-z0-9_+-]+):")


def replace_names(text: str) -> str:
    """The text with every known ``:name:`` replaced."""
    return _NAME.sub(lambda match: EMOJI.get(match[1], match[0]), text)
