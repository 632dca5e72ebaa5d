"""The source rung: offered when every rule holds, and no longer when any one does not."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from headwater.containers.table import Edit, SourceIndex, TrackTable
from headwater.model.look import Look
from headwater.model.plan import Colour, Rung
from headwater.planning.plan import PlanSettings, make_plan
from tests.planning.tables import VIDEO, avcc, plan_of, video


def copyable(**told: Any) -> TrackTable:
    return video(20, config=told.pop("config", avcc()), **told)


def copies(source: TrackTable, **told: Any) -> list[Rung]:
    plan = plan_of(source, **told)
    assert plan.video
    return [rung for rung in plan.video.rungs if rung.copy]


def test_the_source_is_copied_as_it_is() -> None:
    source = copyable(reorder=True)

    plan = plan_of(source)

    assert plan.video
    assert [r.id for r in plan.video.rungs] == ["v240", "v360", "v480", "v720", "v1080c"]
    rung = plan.video.rungs[-1]
    assert (rung.width, rung.height, rung.codecs) == (1920, 1080, "avc1.640028")
    assert plan.video.owns == plan.video.windows
    bits = 8 * source.sizes.sum()
    assert bits / 20 < rung.average_bps < bits / 20 * 1.05
    assert rung.peak_bps >= rung.average_bps


@pytest.mark.parametrize(
    "change",
    [
        {"codec": "hevc"},
        {"config": b""},
        {"config": avcc(profile=110)},
        {"config": avcc(profile=122, chroma=2)},
        {"config": avcc(bit_depth=10)},
        {"config": avcc(progressive=False)},
        {"config": avcc(level=60)},
        {"config": avcc(1280, 720)},  # another size than the decoder shows
        {"descriptions": 2},
        {"prefix": b"\0"},
        {"rotation": 90},
        {"sample_aspect": (4, 3)},
        {"edits": (Edit(media_time=2000, duration=None),)},  # begins between keyframes
    ],
)
def test_one_broken_rule_is_enough(change: dict[str, Any]) -> None:
    source = replace(copyable(reorder="edits" in change), **change)

    assert copies(source) == []


@pytest.mark.parametrize(
    "look",
    [
        Look(width=1920, height=1080, pixel_format="yuv422p"),
        Look(width=1920, height=1080, pixel_format="yuv420p10le"),
        Look(width=1920, height=1080, pixel_format="yuv420p", interlaced=True),
        Look(width=1920, height=1080, colour=Colour(transfer="arib-std-b67")),
        Look(width=1920, height=1088),
    ],
)
def test_what_is_seen_counts_more_than_what_is_said(look: Look) -> None:
    plan = make_plan(
        SourceIndex(family="isobmff", tracks=(copyable(),)),
        {VIDEO: look},
        settings=PlanSettings(),
        encoder="test",
        remuxed=False,
    )

    assert plan.video
    assert not any(rung.copy for rung in plan.video.rungs)


@pytest.mark.parametrize(
    "source",
    [
        copyable(gop=400),  # keyframes 13 s apart
        copyable(open_gops=True),
        copyable(fps=120),
        copyable(edits=(Edit(media_time=15_360, duration=None),)),  # begins between keyframes
    ],
)
def test_unsteady_keyframes_are_not_copied(source: TrackTable) -> None:
    assert copies(source) == []


def test_an_edit_that_begins_on_a_keyframe_is_fine() -> None:
    source = copyable(edits=(Edit(media_time=4 * 15_360, duration=None),))

    assert len(copies(source)) == 1


def test_peaks_above_the_setting_are_not_copied() -> None:
    source = copyable(sizes=np.full(600, 20_000))  # 4.8 Mbit/s

    assert copies(source, copy_peak_bps=4_500_000) == []
    assert len(copies(source, copy_peak_bps=5_000_000)) == 1


def test_a_dear_copy_stands_beside_an_encode() -> None:
    source = copyable(sizes=np.full(600, 60_000))  # 14.4 Mbit/s, over 1.5 times the cap

    plan = plan_of(source)

    assert plan.video
    assert [r.id for r in plan.video.rungs][-2:] == ["v1080", "v1080c"]


def test_an_empty_sample_is_not_copied() -> None:
    source = copyable()
    source.sizes[7] = 0

    assert copies(source) == []


def test_a_small_source_is_all_there_is() -> None:
    source = copyable(
        config=avcc(160, 120, level=10), width=160, height=120, sizes=np.full(600, 500)
    )

    plan = plan_of(source)

    assert plan.video
    assert [r.id for r in plan.video.rungs] == ["v120c"]
