"""The timeline: one shift per track, the earliest at 0, offsets between tracks kept."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from headwater.containers.table import Edit
from headwater.planning.timeline import SEVERAL_SPANS, STRAYS, Placed, Span, place, spans_of
from tests.planning.tables import delayed, sound, table, video


def places(*tables: object) -> list[Placed]:
    return place(tables)[0]  # type: ignore[arg-type]


def test_no_edits_no_shift() -> None:
    pictures, heard = places(video(), sound())

    assert (pictures.shift, heard.shift) == (0, 0)
    assert (pictures.start_s, pictures.end_s) == (0, 20)


def test_an_edit_takes_back_the_reorder_delay() -> None:
    (placed,) = places(video(reorder=True))

    assert placed.shift == 1024
    assert (placed.start, placed.end) == (0, 20 * 15_360)
    assert placed.shown.all()


def test_priming_is_not_heard() -> None:
    """2112 samples, as Apple writes: the frame that holds the last of them begins before 0."""
    pictures, heard = places(video(), sound(priming=2112))

    assert pictures.start == 0
    assert heard.start == 0
    assert heard.shift == 2112
    assert np.flatnonzero(heard.shown)[0] == 2


def test_a_leading_empty_edit_delays() -> None:
    late = replace(
        sound(), edits=(Edit(media_time=None, duration=24_000), Edit(media_time=0, duration=None))
    )

    pictures, heard = places(video(), late)

    assert pictures.start_s == 0
    assert heard.start_s == Fraction(1, 2)
    assert heard.shift == -24_000


def test_a_common_start_is_taken_off() -> None:
    """Transport streams begin anywhere; what counts is how the tracks lie to each other."""
    pictures, heard = places(
        delayed(video(timescale=90_000), 126_000), delayed(sound(), 48_000 + 19_200)
    )

    assert pictures.start_s == 0
    assert heard.start_s == 0
    assert (pictures.shift, heard.shift) == (126_000, 67_200)


def test_priming_that_matroska_dates_before_zero_is_not_heard() -> None:
    """Opus' 6.5 ms do not make the pictures late."""
    pictures, heard = places(video(), delayed(sound(), -312))

    assert (pictures.start, heard.start) == (0, 0)
    assert (pictures.shift, heard.shift) == (0, 0)


def test_priming_before_a_hole_is_not_heard() -> None:
    """Fragments without an edit list: one packet at 0, everything else after the reorder delay."""
    primed = delayed(sound(), 3200 - 1024)
    primed.pts[0] = 0

    pictures, heard = places(delayed(video(), 1024), primed)

    assert (pictures.start, heard.start) == (0, 0)
    assert heard.shift == 3200


def test_sound_before_the_pictures_comes_first() -> None:
    pictures, heard = places(delayed(video(), 15_360), delayed(sound(), 12_000))

    assert heard.start_s == 0
    assert pictures.start_s == Fraction(3, 4)


def test_the_frame_an_edit_starts_within_is_shown_whole() -> None:
    """Nothing is lost, and the sound keeps its distance."""
    cut_within = replace(video(), edits=(Edit(media_time=700, duration=None),))

    pictures, heard = places(cut_within, sound())

    assert pictures.start == 0
    assert pictures.shift == 512
    assert heard.start_s == pytest.approx((700 - 512) / 15_360, abs=1 / 48_000)


def test_an_edit_hides_the_end() -> None:
    (placed,) = places(replace(video(), edits=(Edit(media_time=0, duration=15_360 * 7),)))

    assert placed.end_s == 7
    assert placed.shown.sum() == 210


def test_rounding_of_an_edit_loses_no_frame() -> None:
    """Edit lists count in the movie's ticks, often milliseconds."""
    count, step = 100, 1001
    source = table(
        "video",
        (np.arange(count) * step).tolist(),
        duration=step,
        timescale=30_000,
        edits=(Edit(media_time=0, duration=round(3.336 * 30_000)),),
    )

    (placed,) = places(source)

    assert placed.shown.all()
    assert placed.end == count * step


def test_neighbouring_edits_are_one() -> None:
    edits = (
        Edit(media_time=100, duration=500),
        Edit(media_time=601, duration=400),
        Edit(media_time=1001, duration=None),
    )

    assert spans_of(edits, slack=2) == [Span(100, None, 0)]


def test_of_several_pieces_the_longest_is_shown() -> None:
    """Video and sound follow the same choice, and what is hidden stays hidden."""
    second = 15_360
    cut_up = replace(
        video(),
        edits=(
            Edit(media_time=0, duration=4 * second),
            Edit(media_time=10 * second, duration=6 * second),
        ),
    )
    heard_up = replace(
        sound(),
        edits=(
            Edit(media_time=0, duration=4 * 48_000),
            Edit(media_time=10 * 48_000, duration=6 * 48_000),
        ),
    )

    (pictures, heard), notes = place([cut_up, heard_up])

    assert notes == [SEVERAL_SPANS]
    assert (pictures.start_s, pictures.end_s) == (0, 6)
    assert (heard.start_s, heard.end_s) == (0, 6)
    assert pictures.shift == 10 * second
    assert heard.shift == 10 * 48_000


@pytest.mark.parametrize(
    "edits",
    [
        (Edit(media_time=None, duration=None),),
        (Edit(media_time=10**15, duration=5),),
        (Edit(media_time=0, duration=-4),),
        (Edit(media_time=-3, duration=0), Edit(media_time=5, duration=1)),
        tuple(Edit(media_time=k * 7 % 90, duration=1) for k in range(500)),
    ],
)
def test_strange_edits_still_show_something(edits: tuple[Edit, ...]) -> None:
    (placed,) = places(replace(video(), edits=edits))

    assert placed.shown.any()
    assert placed.start == 0
    assert placed.end > 0


def test_a_stray_time_is_left_out() -> None:
    source = video()
    source.pts[17] = 1 << 62

    (placed,), notes = place([source])

    assert notes == [STRAYS]
    assert placed.end_s == 20
    assert not placed.shown[17]


def test_empty_tables_are_left_out() -> None:
    empty = replace(video(), sizes=np.zeros(600, dtype=np.int64))

    assert places(empty) == []
