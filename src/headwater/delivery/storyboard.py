"""The storyboard as WebVTT: each cue names a tile of a sheet by a media fragment (xywh)."""

from headwater.planning.pictures import Storyboard


def storyboard_vtt(board: Storyboard) -> str:
    """Write one cue per tile, from the moment of its picture to that of the next.

    Source: WebVTT (W3C), spatial media fragments (Media Fragments URI 1.0 §4.2.2).
    """
    lines = ["WEBVTT", ""]
    for tile in board.tiles():
        size = f"{board.tile_width},{board.tile_height}"
        lines += [
            f"{_clock(tile.start_s)} --> {_clock(tile.stop_s)}",
            f"storyboard-{tile.sheet + 1}.jpg#xywh={tile.x},{tile.y},{size}",
            "",
        ]
    return "\n".join(lines)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours:02}:{minutes:02}:{rest:06.3f}"
