"""Pictures: poster and storyboard sheets, made from the plan like any segment.

A storyboard tile shows the first keyframe of a segment; a sheet holds COLUMNS × ROWS of them, so a
sheet reads that many keyframes and nothing else of the source.
"""

import anyio

from headwater.engines.media.port import Media, Window
from headwater.model.errors import NotFound
from headwater.model.plan import VideoPlan
from headwater.pipeline.material import Material
from headwater.planning.pictures import poster_segment, storyboard

POSTER_SHORT_SIDE = 720


def poster_size(video: VideoPlan) -> tuple[int, int]:
    """Return width and height in pixels: as displayed, at most 720 on the short side, even."""
    top = video.rungs[-1]
    scale = min(1.0, POSTER_SHORT_SIDE / min(top.width, top.height))
    return max(2, round(top.width * scale / 2) * 2), max(2, round(top.height * scale / 2) * 2)


async def make_picture(material: Material, index: int, *, media: Media) -> bytes:
    """Make picture *index* as JPEG: 0 is the poster, n the n-th storyboard sheet.

    Raises:
        NotFound: the video has no such picture.
    """
    video = material.plan.video
    if video is None:
        raise NotFound("This video has no pictures.")
    if index == 0:
        width, height = poster_size(video)
        segments, columns, rows = [poster_segment(video)], 1, 1
    else:
        board = storyboard(video)
        if index > board.sheets:
            raise NotFound("There is no such storyboard sheet.")
        segments = board.segments_of(index - 1)
        width, height, columns, rows = (
            board.tile_width,
            board.tile_height,
            board.columns,
            board.rows_of(index - 1),
        )

    def cut() -> list[Window]:
        return [_first_picture(material, video, segment) for segment in segments]

    windows = await anyio.to_thread.run_sync(cut)
    return await media.pictures(
        windows, video=video, width=width, height=height, columns=columns, rows=rows
    )


def _first_picture(material: Material, video: VideoPlan, segment: int) -> Window:
    """Cut the keyframe a segment's window starts with, alone."""
    lo = video.windows[segment][0]
    return material.window(video.source_track, lo, lo + 1, shift=video.shift)
