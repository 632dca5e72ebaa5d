"""Pictures: one tile per segment, sheets of ten by ten, no more than six of them."""

import itertools

from headwater.planning.pictures import poster_segment, storyboard
from tests.planning.tables import plan_of, video


def test_a_short_video_fills_part_of_a_sheet() -> None:
    plan = plan_of(video(60))
    assert plan.video

    board = storyboard(plan.video)

    assert (board.sheets, board.columns, board.rows_of(0)) == (1, 10, 2)
    assert board.segments_of(0) == list(range(16))  # the first four seconds are two of them
    assert (board.tile_width, board.tile_height) == (192, 108)
    assert board.interval_s == 3.75
    tiles = board.tiles()
    assert (tiles[0].start_s, tiles[-1].stop_s) == (0, 60)
    assert (tiles[11].x, tiles[11].y, tiles[11].sheet) == (192, 108, 0)


def test_a_long_video_is_coarser() -> None:
    plan = plan_of(video(10_000, fps=1, gop=4, timescale=1000))
    assert plan.video

    board = storyboard(plan.video)

    assert board.sheets <= 6
    assert sum(len(board.segments_of(n)) for n in range(board.sheets)) == len(board.segments)
    tiles = board.tiles()
    assert all(a.stop_s == b.start_s for a, b in itertools.pairwise(tiles))
    assert tiles[-1].stop_s == 10_000


def test_one_picture_is_one_tile() -> None:
    plan = plan_of(video(1 / 30))
    assert plan.video

    board = storyboard(plan.video)

    assert (board.sheets, board.columns, board.rows_of(0)) == (1, 1, 1)
    assert poster_segment(plan.video) == 0


def test_the_poster_lies_behind_the_titles() -> None:
    short, long = (
        plan_of(video(60)).video,
        plan_of(video(7200, fps=5, gop=10, timescale=1000)).video,
    )
    assert short
    assert long

    assert short.cuts[poster_segment(short)] == 4 * short.timescale  # nearest to a tenth
    assert long.cuts[poster_segment(long)] == 60_000
