"""Audio: copied where its frames lie on one grid, else encoded with what each segment needs."""

import itertools
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from headwater.containers.table import Edit, TrackTable
from headwater.model.plan import AudioPlan, Rendition
from headwater.planning.audio import Pictures, frame_cuts
from tests.planning.tables import delayed, plan_of, sound, table, video


def planned(source: TrackTable, *, pictures: TrackTable | None = None) -> AudioPlan:
    plan = plan_of(*([pictures] if pictures else []), source)
    return plan.audio[0]


def opus(seconds: float = 20, **told: object) -> TrackTable:
    count = round(seconds * 50)
    return table(
        "audio",
        (np.arange(count) * 960).tolist(),
        duration=960,
        timescale=48_000,
        codec="opus",
        channels=2,
        sample_rate=48_000,
        **told,
    )


def check(rendition: Rendition, source: TrackTable, shift: int) -> None:
    """Hold what every rendition promises."""
    assert rendition.cuts == sorted(set(rendition.cuts))
    assert len(rendition.windows) == len(rendition.cuts) - 1
    assert rendition.peak_bps >= rendition.bitrate_bps
    if rendition.copy:
        for (lo, hi), start, stop in zip(
            rendition.windows, rendition.cuts, rendition.cuts[1:], strict=False
        ):
            assert (hi - lo) * 1024 == stop - start
        return
    scale = source.timescale
    for (lo, hi), start, stop in zip(
        rendition.windows, rendition.cuts, rendition.cuts[1:], strict=False
    ):
        assert start % 1024 == stop % 1024 == 0
        assert 0 <= lo <= hi <= len(source.pts)
        if lo == hi:
            heard = (source.pts - shift) / scale * rendition.sample_rate
            assert not ((heard > start - 2048) & (heard < stop + 2048)).any()
            continue
        begins = (source.pts[lo] - shift) / scale
        ends = (source.pts[hi - 1] + source.durations[hi - 1] - shift) / scale
        assert lo == 0 or begins <= start / rendition.sample_rate - 0.1
        assert hi == len(source.pts) or ends >= stop / rendition.sample_rate


def test_aac_is_copied_frame_by_frame() -> None:
    source = sound(20, priming=1024)

    audio = planned(source, pictures=video())

    (rendition,) = audio.renditions
    assert (rendition.id, rendition.copy, rendition.sample_rate) == ("a1", True, 48_000)
    assert rendition.windows[0][0] == 1
    assert rendition.cuts[0] == 0
    check(rendition, source, audio.shift)


def test_sound_is_cut_at_the_next_frame() -> None:
    source = sound()

    (rendition,) = planned(source, pictures=video()).renditions

    for cut, moment in zip(rendition.cuts[1:-1], (64 / 30, 4, 8, 12, 16), strict=True):
        assert 0 <= cut / 48_000 - moment < 1024 / 48_000


def test_partly_hidden_first_frame_is_not_copied() -> None:
    """Priming of 2112 samples ends within the third frame: the copy begins with the fourth."""
    (rendition,) = planned(sound(priming=2112), pictures=video()).renditions

    assert rendition.copy
    assert rendition.windows[0][0] == 3
    assert rendition.cuts[0] == 3 * 1024 - 2112


@pytest.mark.parametrize(
    "source",
    [
        replace(sound(), codec="mp3", config=b""),
        replace(sound(), config=(5 << 11 | 6 << 7 | 2 << 3).to_bytes(2, "big")),  # HE-AAC
        replace(sound(), config=(2 << 11 | 3 << 7 | 2 << 3 | 4).to_bytes(2, "big")),  # 960
        replace(sound(), config=b""),
        replace(sound(), descriptions=2),
        replace(sound(), prefix=b"\x21"),
        replace(sound(10)),  # ends long before the pictures
        delayed(sound(), 10_000),  # begins a fifth of a second late
    ],
)
def test_what_is_not_plain_is_encoded(source: TrackTable) -> None:
    audio = planned(source, pictures=video())

    (rendition,) = audio.renditions
    assert not rendition.copy
    check(rendition, source, audio.shift)


def test_a_hole_is_not_copied() -> None:
    source = sound()
    source.pts[400:] += 4800  # a tenth of a second

    audio = planned(source, pictures=video())

    assert not audio.renditions[0].copy
    check(audio.renditions[0], source, audio.shift)


def test_rounding_to_milliseconds_is_no_hole() -> None:
    """Matroska: frames of 21.33 ms dated 0, 21, 43, 64."""
    source = sound()
    rounded = (source.pts * 1000 / 48_000).round().astype(np.int64)
    source = replace(
        source,
        timescale=1000,
        pts=rounded,
        dts=rounded,
        durations=np.full(len(rounded), 21),
        family="matroska",
    )

    (rendition,) = planned(source, pictures=video()).renditions

    assert rendition.copy
    check(rendition, source, 0)


def test_a_drifting_clock_is_not_copied() -> None:
    """A frame too many every minute would be heard as sound that runs away from its picture."""
    source = sound(600)
    source.pts[:] = source.pts * 1.0005

    assert not planned(source, pictures=video(600)).renditions[0].copy


@pytest.mark.parametrize(
    ("rate", "made"), [(48_000, 48_000), (44_100, 44_100), (22_050, 44_100), (96_000, 48_000)]
)
def test_sample_rates_stay_in_their_family(rate: int, made: int) -> None:
    source = replace(opus(), codec="flac", sample_rate=rate)

    assert planned(source).renditions[0].sample_rate == made


def test_the_encoded_lasts_as_long_as_the_pictures() -> None:
    """Players stop at a hole, so silence fills what the sound leaves."""
    source = opus(11)

    audio = planned(source, pictures=video(20))

    (rendition,) = audio.renditions
    assert rendition.cuts[0] == 0
    assert 0 <= rendition.cuts[-1] / 48_000 - 20 < 1024 / 48_000
    assert len(rendition.cuts) == 7
    check(rendition, source, audio.shift)


def test_late_sound_begins_with_silence() -> None:
    source = delayed(opus(15), 5 * 48_000)

    audio = planned(source, pictures=video())

    assert audio.renditions[0].cuts[0] == 0
    assert len(audio.renditions[0].cuts) == 7


def test_more_than_two_channels_come_with_stereo_first() -> None:
    source = sound(channels=6)

    audio = planned(source, pictures=video())

    assert [(r.id, r.copy, r.channels) for r in audio.renditions] == [
        ("a1s", False, 2),
        ("a1", True, 6),
    ]


@pytest.mark.parametrize("channels", [3, 4, 5, 7, 8, 16])
def test_any_number_of_channels_is_mixed_to_51(channels: int) -> None:
    source = replace(opus(), channels=channels)

    audio = planned(source)

    assert [(r.id, r.channels) for r in audio.renditions] == [("a1s", 2), ("a1", 6)]


def test_sound_alone_is_cut_about_every_four_seconds() -> None:
    source = sound(61)

    (rendition,) = planned(source).renditions

    lengths = np.diff(rendition.cuts) / 48_000
    assert rendition.copy
    assert lengths.min() > 3.9
    assert lengths.max() < 4.2
    check(rendition, source, 0)


def test_windows_do_not_reach_over_a_long_hole() -> None:
    """An hour of nothing is not decoded to make four seconds."""
    source = opus(20)
    source.pts[500:] += 3600 * 48_000

    audio = planned(source)

    (rendition,) = audio.renditions
    assert len(rendition.cuts) > 800
    for lo, hi in rendition.windows:
        assert source.pts[hi - 1] - source.pts[lo] < 20 * 48_000


def two_packets(apart_s: float, *, lasting_s: float = 0.02) -> TrackTable:
    ticks = [0, round(apart_s * 48_000)]
    claimed = round(lasting_s * 48_000)
    return table("audio", ticks, duration=claimed, timescale=48_000, codec="opus", channels=2)


@pytest.mark.parametrize(
    "source",
    [two_packets(47 * 3600), two_packets(0.02, lasting_s=47 * 3600)],
    ids=["packets far apart", "packets that last"],
)
def test_two_packets_are_no_two_days(source: TrackTable) -> None:
    """What is planned follows from what the packets hold, not from what they claim."""
    plan = plan_of(source)

    assert plan.duration_s < 30
    assert len(plan.audio[0].renditions[0].cuts) < 10


def test_a_long_silence_within_long_sound_stays() -> None:
    """Seven hours of nothing in the middle of an hour of sound are as the file says."""
    source = opus(3600)
    source.pts[90_000:] += 7 * 3600 * 48_000

    assert plan_of(source).duration_s == pytest.approx(8 * 3600, abs=1)


def test_silence_needs_no_decoder() -> None:
    """A picture that stands for a day, and a second of sound: all but its start is silence."""
    still = table("video", [0, 24 * 3600 * 1000], timescale=1000, duration=40)

    (rendition,) = plan_of(still, opus(1)).audio[0].renditions

    assert rendition.cuts[-1] / 48_000 > 24 * 3600
    assert sum(hi > lo for lo, hi in rendition.windows) <= 2


def test_one_frame_of_sound() -> None:
    audio = planned(sound(0.02))

    assert len(audio.renditions[0].cuts) == 2


def test_languages_and_defaults_are_kept() -> None:
    one = replace(sound(), language="eng", name="Original", default=False)
    other = replace(sound(), number=3, language="fra")

    plan = plan_of(video(), one, other)

    assert [(a.language, a.name, a.default) for a in plan.audio] == [
        ("eng", "Original", False),
        ("fra", "", True),
    ]
    assert [r.id for a in plan.audio for r in a.renditions] == ["a1", "a2"]


@given(
    moments=st.lists(st.fractions(0, 12), max_size=30),
    frames=st.integers(1, 3000),
    start=st.fractions(0, 1),
)
@settings(deadline=None)
def test_frame_cuts_rise_and_cover(moments: list[Fraction], frames: int, start: Fraction) -> None:
    """Whatever the pictures do: every frame once, in order, at or after the picture's cut."""
    ends = [Fraction(0)]
    for step in moments:
        ends.append(ends[-1] + step + Fraction(1, 100))
    frame_s = Fraction(1024, 48_000)

    cuts = frame_cuts(0, frames, start=start, frame_s=frame_s, pictures=Pictures(ends))

    assert cuts[0] == 0
    assert cuts[-1] == frames
    assert all(a < b for a, b in itertools.pairwise(cuts))


@given(
    step=st.integers(100, 5000),
    count=st.integers(1, 400),
    start=st.integers(-5000, 5000),
    hole=st.integers(0, 200_000),
)
@settings(deadline=None, max_examples=60)
def test_any_grid_of_sound_can_be_planned(step: int, count: int, start: int, hole: int) -> None:
    times = start + np.arange(count) * step
    times[count // 2 :] += hole
    assume(times[-1] + step > 200 or start >= 0)  # something is heard
    source = replace(
        table("audio", times.tolist(), duration=step, timescale=48_000, codec="vorbis"),
        channels=1,
        sample_rate=48_000,
        edits=(Edit(media_time=0, duration=None),) if start < 0 else (),
    )

    audio = planned(source, pictures=video(8))

    for rendition in audio.renditions:
        assert rendition.cuts == sorted(set(rendition.cuts))
        assert rendition.cuts[0] == 0
        assert rendition.cuts[-1] / 48_000 >= 8
        assert all(0 <= lo <= hi <= count for lo, hi in rendition.windows)
