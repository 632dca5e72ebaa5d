"""A segment is a function: the same bytes alone or with all rungs, on one core or on two."""

import os
from pathlib import Path

import pytest

from headwater.engines.media.port import Media
from headwater.pipeline.make_segment import make_segments
from tests.pipeline.making import blobs_in, start_making
from tests.support.clips import make_clip

pytestmark = pytest.mark.anyio


async def test_a_rung_does_not_depend_on_its_company(
    clips: Path, tmp_path: Path, media: Media
) -> None:
    """Each rung made alone has the bytes it has when all are made in one run."""
    making = await start_making(
        make_clip("h264_ladder", clips), blobs=blobs_in(tmp_path), media=media
    )
    together = await make_segments(making.material, making.tracks, 1, media=media, urgent=False)

    for track in making.tracks:
        alone = await make_segments(making.material, [track], 1, media=media, urgent=True)
        assert alone[track].body == together[track].body


async def test_the_number_of_cores_does_not_show(clips: Path, tmp_path: Path, media: Media) -> None:
    """What one core makes is what all cores make."""
    making = await start_making(
        make_clip("h264_ladder", clips), blobs=blobs_in(tmp_path), media=media
    )
    everywhere = os.sched_getaffinity(0)
    free = await make_segments(making.material, making.tracks, 0, media=media, urgent=True)
    os.sched_setaffinity(0, {min(everywhere)})
    try:
        pinned = await make_segments(making.material, making.tracks, 0, media=media, urgent=True)
    finally:
        os.sched_setaffinity(0, everywhere)

    assert {t: m.body for t, m in pinned.items()} == {t: m.body for t, m in free.items()}
