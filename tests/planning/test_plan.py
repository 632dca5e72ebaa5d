"""make_plan: the whole of it, over what people upload and what nobody should."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.containers.table import Edit, SourceIndex, TrackTable
from headwater.model.errors import UnreadableMedia
from headwater.model.look import Look
from headwater.model.plan import Colour, Plan
from headwater.planning.document import decode_plan, encode_plan
from headwater.planning.plan import PlanSettings, make_plan
from tests.planning.tables import VIDEO, avcc, delayed, looks_at, plan_of, sound, table, video


def check(plan: Plan) -> None:
    """Hold what every plan promises."""
    assert plan.video or plan.audio
    assert plan.duration_s > 0
    assert len(set(plan.track_ids())) == len(plan.track_ids())
    if plan.video:
        segments = len(plan.video.cuts) - 1
        assert segments == len(plan.video.windows) == len(plan.video.frames)
        assert plan.video.cuts == sorted(set(plan.video.cuts))
        assert plan.video.cuts[0] >= 0
        assert plan.video.rungs
    for audio in plan.audio:
        for rendition in audio.renditions:
            assert rendition.cuts == sorted(set(rendition.cuts))
            assert rendition.cuts[0] >= 0
            assert len(rendition.windows) == len(rendition.cuts) - 1
    assert sum(audio.default for audio in plan.audio) == min(1, len(plan.audio))
    assert decode_plan(encode_plan(plan)) == plan


def test_a_phone_video() -> None:
    plan = plan_of(video(60, config=avcc(), reorder=True), sound(60, priming=1024))

    check(plan)
    assert plan.video
    assert plan.video.rungs[-1].copy
    assert plan.audio[0].renditions[0].copy
    assert len(plan.video.cuts) == len(plan.audio[0].renditions[0].cuts)
    assert plan.duration_s == pytest.approx(60, abs=0.03)


def test_the_same_source_gives_the_same_document() -> None:
    """A generation is named after these bytes."""
    documents = {encode_plan(plan_of(video(), sound())) for _ in range(3)}

    assert len(documents) == 1


def test_the_encoder_is_part_of_the_plan() -> None:
    index = SourceIndex(family="isobmff", tracks=(video(),))
    plans = [
        make_plan(
            index,
            looks_at(*index.tracks),
            settings=PlanSettings(),
            encoder=build,
            remuxed=True,
        )
        for build in ("n9.0.2", "n9.0.3")
    ]

    assert plans[0].config != plans[1].config
    assert plans[0].remuxed


def test_the_offset_between_picture_and_sound_stays() -> None:
    """To the tick of the coarser clock, at the start and two hours in."""
    plan = plan_of(
        delayed(video(7200, timescale=90_000, fps=25), 132_003),
        delayed(sound(7200), 70_000),
    )

    assert plan.video
    offset = 132_003 / 90_000 - 70_000 / 48_000
    kept = (132_003 - plan.video.shift) / 90_000 - (70_000 - plan.audio[0].shift) / 48_000
    assert kept == pytest.approx(offset, abs=1 / 48_000)
    assert plan.video.cuts[0] / 90_000 == pytest.approx(offset, abs=1 / 48_000)


def test_tracks_nobody_could_see_are_left_out() -> None:
    tracks = (video(), sound(), replace(sound(), number=3))
    index = SourceIndex(family="isobmff", tracks=tracks)

    plan = make_plan(
        index,
        looks_at(tracks[0], tracks[2]),
        settings=PlanSettings(),
        encoder="test",
        remuxed=False,
    )

    assert [audio.source_track for audio in plan.audio] == [3]


def test_the_default_picture_track_is_taken() -> None:
    cover = replace(video(0.1, width=4000, height=4000), number=7, default=False)

    plan = plan_of(cover, video())

    assert plan.video
    assert plan.video.source_track == VIDEO


def test_high_dynamic_range_is_mapped() -> None:
    source = video()
    plan = make_plan(
        SourceIndex(family="isobmff", tracks=(source,)),
        {VIDEO: Look(width=3840, height=2160, colour=Colour(transfer="smpte2084"))},
        settings=PlanSettings(),
        encoder="test",
        remuxed=False,
    )

    assert plan.video
    assert plan.video.tone_map
    assert (plan.video.width, plan.video.height) == (3840, 2160)


def test_the_last_picture_stands_while_sound_goes_on() -> None:
    """A song with one picture: players stop where one of the two has a hole."""
    plan = plan_of(video(1 / 30), sound(200))

    check(plan)
    assert plan.video
    assert plan.video.cuts[-1] / plan.video.timescale == pytest.approx(200, abs=0.1)
    assert plan.video.frames == [1]


def test_a_truncated_file_says_where() -> None:
    plan = plan_of(video(), truncated_at_s=20.0, notes=("Track 2 ends early.",))

    assert plan.ends_early_s == 20.0
    assert plan.notes == ["Track 2 ends early."]


def test_nothing_to_present_is_unreadable() -> None:
    empty = replace(video(), sizes=np.zeros(600, dtype=np.int64))

    with pytest.raises(UnreadableMedia):
        plan_of(empty)


def test_pictures_without_a_size_are_unreadable() -> None:
    with pytest.raises(UnreadableMedia):
        plan_of(video(width=0, height=0))


def test_bare_sound_is_planned_without_pictures() -> None:
    plan = plan_of(sound(30))

    check(plan)
    assert plan.video is None


def test_a_days_worth_of_screen_recording() -> None:
    """One frame a minute: long segments, but one for each frame at most."""
    count = 24 * 60
    source = table(
        "video",
        (np.arange(count) * 60_000).tolist(),
        duration=60_000,
        timescale=1000,
        sync=np.arange(count) % 10 == 0,
    )

    plan = plan_of(source)

    check(plan)
    assert plan.video
    assert sum(plan.video.frames) == count


def wild(random: np.random.Generator, count: int) -> Any:
    """Return *count* numbers, some as large as they come."""
    plain = random.integers(-1000, 100_000, count)
    huge = random.integers(-(1 << 63), (1 << 63) - 1, count)
    return np.where(random.random(count) < random.choice([0.0, 0.1, 0.9]), huge, plain)


@st.composite
def wild_tables(draw: st.DrawFn) -> TrackTable:
    """Every number may be a lie."""
    random = np.random.default_rng(draw(st.integers(0, 1 << 32)))
    count = draw(st.integers(0, 30))
    columns = ("offsets", "sizes", "pts", "dts", "durations")
    edits = tuple(
        Edit(media_time=None if start < 0 else start, duration=None if length < 0 else length)
        for start, length in wild(random, 2 * draw(st.integers(0, 3))).reshape(-1, 2).tolist()
    )
    return replace(
        table(draw(st.sampled_from(["video", "audio"])), [0] * count, duration=1),
        timescale=draw(st.sampled_from([1, 1000, 90_000, (1 << 31) - 1])),
        sync=random.random(count) < 0.3,
        channels=2,
        sample_rate=draw(st.sampled_from([0, 1, 48_000])),
        edits=edits,
        **{name: wild(random, count) for name in columns},
    )


@given(tracks=st.tuples(wild_tables(), wild_tables()))
@settings(deadline=None, max_examples=50)
def test_any_numbers_give_a_sound_plan_or_a_plain_refusal(tracks: tuple[TrackTable, ...]) -> None:
    one, other = tracks

    try:
        plan = plan_of(one, replace(other, number=9))
    except UnreadableMedia:
        return
    check(plan)
    assert plan.duration_s <= 200 * 3600
