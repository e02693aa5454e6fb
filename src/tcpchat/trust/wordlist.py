"""256 short words, one for every byte: a fingerprint that people can read to each other over the phone."""

from __future__ import annotations

WORDS = tuple(
    """
    acid acorn actor album alley amber angle ankle apple april arch arm arrow atlas aunt autumn
    bacon badge bag baker ball bamboo banjo bank barn basil basket bath beach bean bear beard
    bed bee bell belt bench berry bike bird bison boat bone book boot bottle bowl box
    brain branch bread brick bridge broom brush bubble bucket bus butter button cabin cable cactus cake
    camel camera candle canoe canyon carpet carrot castle cat cave cedar chain chair chalk cheese cherry
    chess chin circus city clay clock cloud clover coat cobra cocoa coffee coin comet copper coral
    cotton cousin crab crane crown cube curtain daisy dance desert desk dinner doctor dolphin door dragon
    dream drum duck eagle ear earth echo egg elbow engine evening eye falcon farm feather fence
    fern field finger fire fish flag flame flute fog forest fork fossil fox frog fruit galaxy
    garden garlic gate ghost giant ginger glass globe glove goat gold goose grape grass guitar hammer
    harbor harp hat hawk hazel heart hedge helmet hill honey hook horse hotel house ice igloo
    ink iron island ivory jacket jade jelly jewel jungle kettle key king kite kitten knee knot
    ladder lake lamp lemon letter lion lizard lobster magnet maple marble market mask meadow melon milk
    mirror monkey moon moss mouse museum music napkin needle nest night north nurse oak ocean olive
    onion orange otter owl oyster paint palm panda paper parrot peach pearl pencil pepper piano pigeon
    pilot pine planet plum pocket pony potato prince rabbit radio rain ribbon river robot rocket zebra
    """.split()
)
