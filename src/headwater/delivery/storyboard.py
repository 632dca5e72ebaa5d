"""The storyboard as WebVTT: each cue names a tile of a sheet by a media fragment (xywh)."""

from headwater.model.plan import VideoPlan
from headwater.planning.pictures import Storyboard


def _clock(seconds: float) -> str:
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours:02}:{minutes:02}:{rest:06.3f}"


def storyboard_vtt(video: VideoPlan, board: Storyboard) -> str:
    """Write one cue per tile, from the moment of its picture to that of the next.

    Source: WebVTT (W3C), spatial media fragments (Media Fragments URI 1.0 §4.2.2).
    """
    lines = ["WEBVTT", ""]
    tiles = [
        (sheet, at, s)
        for sheet in range(board.sheets)
        for at, s in enumerate(board.segments_of(sheet))
    ]
    for number, (sheet, at, segment) in enumerate(tiles):
        start = video.cuts[segment] / video.timescale
        following = tiles[number + 1][2] if number + 1 < len(tiles) else len(video.cuts) - 1
        stop = video.cuts[following] / video.timescale
        x = at % board.columns * board.tile_width
        y = at // board.columns * board.tile_height
        lines += [
            f"{_clock(start)} --> {_clock(stop)}",
            f"storyboard-{sheet + 1}.jpg#xywh={x},{y},{board.tile_width},{board.tile_height}",
            "",
        ]
    return "\n".join(lines)
