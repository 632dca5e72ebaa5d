"""Pictures: which segments the poster and the storyboard's tiles are taken from."""

from dataclasses import dataclass

from headwater.model.plan import VideoPlan

COLUMNS, ROWS = 10, 10
MOST_SHEETS = 6  # a two-hour video at 4 s cuts: 600 tiles, one in 12 s
TILE_LONG_SIDE = 192
POSTER_SHARE = 0.1  # of the way in: behind black frames and titles, before anything is given away
POSTER_LATEST_S = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """What to show for the seconds [*start_s*, *stop_s*): a place on sheet *sheet*, from 0."""

    start_s: float
    stop_s: float
    sheet: int
    x: int
    y: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Storyboard:
    """*segments* gives the segment each tile is taken from, in order, row by row, sheet by sheet.

    The last sheet has only as many rows as it needs; a sheet's tiles beyond *segments* stay empty.
    """

    segments: tuple[int, ...]
    times_s: tuple[float, ...]
    columns: int
    tile_width: int
    tile_height: int

    @property
    def sheets(self) -> int:
        return -(-len(self.segments) // (self.columns * ROWS))

    @property
    def interval_s(self) -> float:
        """The mean time between tiles."""
        return (self.times_s[-1] - self.times_s[0]) / len(self.segments)

    def segments_of(self, sheet: int) -> list[int]:
        """Return the segments on *sheet*, counted from 0."""
        size = self.columns * ROWS
        return list(self.segments[sheet * size : (sheet + 1) * size])

    def rows_of(self, sheet: int) -> int:
        return -(-len(self.segments_of(sheet)) // self.columns)

    def tiles(self) -> list[Tile]:
        """Return every tile with its time and place, for the preview on the seek bar."""
        size = self.columns * ROWS
        return [
            Tile(
                start_s=0.0 if at == 0 else self.times_s[at],
                stop_s=self.times_s[at + 1],
                sheet=at // size,
                x=at % self.columns * self.tile_width,
                y=at % size // self.columns * self.tile_height,
            )
            for at in range(len(self.segments))
        ]


def storyboard(video: VideoPlan) -> Storyboard:
    """Lay out one tile per segment, or per n-th where they would fill more than MOST_SHEETS."""
    count = len(video.cuts) - 1
    step = -(-count // (MOST_SHEETS * COLUMNS * ROWS))
    segments = tuple(range(0, count, step))
    top = video.rungs[-1]
    scale = TILE_LONG_SIDE / max(top.width, top.height)
    return Storyboard(
        segments=segments,
        times_s=tuple(video.cuts[s] / video.timescale for s in (*segments, count)),
        columns=min(COLUMNS, len(segments)),
        tile_width=max(2, round(top.width * scale / 2) * 2),
        tile_height=max(2, round(top.height * scale / 2) * 2),
    )


def poster_segment(video: VideoPlan) -> int:
    """Return the segment whose first picture stands for the video."""
    start, end = video.cuts[0], video.cuts[-1]
    wanted = start + min((end - start) * POSTER_SHARE, POSTER_LATEST_S * video.timescale)
    count = len(video.cuts) - 1
    return min(range(count), key=lambda k: abs(video.cuts[k] - wanted))
