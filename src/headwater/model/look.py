"""A look: what a decoded picture or audio frame shows, the truth where a container guesses."""

import msgspec

from headwater.model.plan import Colour


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """What the first decoded picture (or audio frame) shows.

    *width* × *height* are decoded pixels, before *sample_aspect* and rotation. *pixel_format* is
    named as ffmpeg names it ("yuv420p", "yuv420p10le", …).
    """

    width: int = 0
    height: int = 0
    sample_aspect: tuple[int, int] = (1, 1)
    pixel_format: str = ""
    interlaced: bool = False
    colour: Colour = Colour()
    channels: int = 0
    sample_rate: int = 0
