"""The ladder: standard short sides, never upscaled, even, square, at rates players take."""

from fractions import Fraction

import pytest

from headwater.containers.table import TrackTable
from headwater.model.plan import Rung
from headwater.planning.ladder import displayed, frame_step, short_sides
from headwater.planning.levels import high_profile, level_of
from headwater.planning.rates import frame_rate
from tests.planning.tables import plan_of, video


def rungs(source: TrackTable) -> list[Rung]:
    plan = plan_of(source, copy_peak_bps=0)
    assert plan.video
    return plan.video.rungs


@pytest.mark.parametrize(
    ("size", "sides"),
    [
        ((1920, 1080), [240, 360, 480, 720, 1080]),
        ((1080, 1920), [240, 360, 480, 720, 1080]),
        ((3840, 2160), [240, 360, 480, 720, 1080, 1440, 2160]),
        ((7680, 4320), [240, 360, 480, 720, 1080, 1440, 2160]),
        ((854, 432), [240, 360, 432]),
        ((853, 481), [240, 360, 480]),
        ((1920, 1088), [240, 360, 480, 720, 1088]),
        ((426, 240), [240]),
        ((160, 120), [120]),
        ((1, 1), [2]),
        ((5120, 1440), [240, 360, 480, 720, 1152]),
    ],
)
def test_short_sides(size: tuple[int, int], sides: list[int]) -> None:
    assert short_sides(*size) == sides


@pytest.mark.parametrize("size", [(10_000, 100), (16_000, 16_000), (1, 20_000), (4096, 2304)])
def test_no_shape_is_too_strange(size: tuple[int, int]) -> None:
    found = rungs(video(width=size[0], height=size[1]))

    for rung in found:
        assert rung.width % 2 == rung.height % 2 == 0
        assert 2 <= min(rung.width, rung.height) <= 2160
        assert max(rung.width, rung.height) <= 4096
        assert rung.level <= 52


def test_rungs_keep_the_shape() -> None:
    found = rungs(video(width=1920, height=1080))

    assert [(r.id, r.width, r.height) for r in found] == [
        ("v240", 426, 240),
        ("v360", 640, 360),
        ("v480", 854, 480),
        ("v720", 1280, 720),
        ("v1080", 1920, 1080),
    ]


@pytest.mark.parametrize(
    ("coded", "aspect", "rotation", "shown"),
    [
        ((720, 576), (64, 45), 0, (1024, 576)),
        ((720, 480), (8, 9), 0, (640, 480)),
        ((1440, 1080), (4, 3), 0, (1920, 1080)),
        ((1920, 1080), (1, 1), 90, (1080, 1920)),
        ((1440, 1080), (4, 3), 270, (1080, 1920)),
        ((640, 480), (0, 1), 180, (640, 480)),
        ((640, 480), (1, 100_000), 0, (640, 480)),
    ],
)
def test_displayed_size(
    coded: tuple[int, int], aspect: tuple[int, int], rotation: int, shown: tuple[int, int]
) -> None:
    assert displayed(*coded, sample_aspect=aspect, rotation=rotation) == shown


@pytest.mark.parametrize(
    ("rate", "tall", "small"),
    [(24, 1, 1), (30, 1, 1), (50, 1, 2), (60, 1, 2), (100, 2, 4), (120, 2, 4), (240, 4, 8)],
)
def test_frame_steps(rate: int, tall: int, small: int) -> None:
    assert frame_step(Fraction(rate), 1080) == tall
    assert frame_step(Fraction(rate), 240) == small
    assert frame_step(Fraction(rate * 1000, 1001), 1080) == tall


def test_small_rungs_of_fast_sources_have_half_the_frames() -> None:
    found = rungs(video(fps=60))

    assert [(r.id, r.frame_step, r.frame_rate) for r in found] == [
        ("v240", 2, (30, 1)),
        ("v360", 2, (30, 1)),
        ("v480", 1, (60, 1)),
        ("v720", 1, (60, 1)),
        ("v1080", 1, (60, 1)),
    ]


def test_rates_rise_with_size_and_stay_under_the_caps() -> None:
    rich = video(sizes=[200_000] * 600)

    found = rungs(rich)

    assert [r.maxrate_bps for r in found] == sorted(r.maxrate_bps for r in found)
    assert found[-1].maxrate_bps == pytest.approx(6_500_000, rel=0.01)
    for rung in found:
        assert rung.average_bps < rung.maxrate_bps < rung.peak_bps < 2 * rung.maxrate_bps


def test_a_poor_source_gets_no_rich_rungs() -> None:
    """What the source never had, no encode brings back."""
    poor = video(sizes=[3_000] * 600)  # 720 kbit/s

    assert rungs(poor)[-1].maxrate_bps < 1_500_000


@pytest.mark.parametrize(
    ("width", "height", "rate", "level"),
    [
        (426, 240, 30, 21),
        (640, 360, 30, 30),
        (854, 480, 30, 31),
        (1280, 720, 30, 31),
        (1280, 720, 60, 32),
        (1920, 1080, 30, 40),
        (1920, 1080, 60, 42),
        (2560, 1440, 30, 50),
        (3840, 2160, 30, 51),
        (3840, 2160, 60, 52),
    ],
)
def test_levels(width: int, height: int, rate: float, level: int) -> None:
    """Rec. ITU-T H.264 table A-1, with four frames of decoded picture buffer."""
    assert level_of(width, height, frames_per_s=rate, maxrate_bps=100_000) == level


def test_codec_strings() -> None:
    assert high_profile(40) == "avc1.640028"
    assert high_profile(52) == "avc1.640034"


@pytest.mark.parametrize(
    ("source", "rate"),
    [
        (video(fps=30), (30, 1)),
        (video(fps=50, timescale=1000), (50, 1)),
        (video(fps=24, timescale=1000), (1000, 41)),
        (video(1 / 30), (30, 1)),
    ],
)
def test_frame_rates(source: TrackTable, rate: tuple[int, int]) -> None:
    end = int(source.pts[-1] + source.durations[-1])
    assert frame_rate(source.pts, end, source.timescale) == rate


def test_milliseconds_still_say_2997() -> None:
    """Matroska rounds: 33, 33, 34."""
    source = video(60, fps=30)
    rounded = (source.pts * 1001 / 15_360).round().astype(int)

    assert frame_rate(rounded, 60_060, 1000) == (30_000, 1001)
