"""Bytes that no codec made, under the name of each: a sentence, or pieces of exact length."""

import os
from pathlib import Path

import numpy as np
import pytest

from headwater.containers.isobmff import codecs
from headwater.containers.isobmff.boxes import box
from headwater.engines.media.port import Media
from tests.hostile.movies import one_track, picture_entry, sound_entry
from tests.hostile.outcome import check_decodes, process

pytestmark = pytest.mark.anyio

LONG_S = 60
KINDS = [("video", kind) for kind in sorted(codecs.VIDEO)] + [
    ("audio", kind) for kind in sorted(codecs.AUDIO)
]
DRILLS = "HEADWATER_DRILLS" in os.environ  # noqa: TID251
FLOATS = [("audio", b"fl32"), ("audio", b"fl64")]  # noise holds what is not a number
GROUPS = 6
SAMPLE = KINDS if DRILLS else KINDS[::5] + FLOATS


def noise(kind: str, code: bytes, seed: int) -> bytes:
    """A track of *code* whose ten samples, and setup, are noise."""
    dice = np.random.default_rng(seed)
    samples = [dice.bytes(int(dice.integers(1, 4000))) for _ in range(10)]
    if kind == "audio":
        return one_track(sound_entry(code, channels=2, rate=44_100.0), samples, kind=kind)
    setup = box(b"glbl", dice.bytes(64))
    return one_track(picture_entry(code, 320, 240, setup), samples)


@pytest.mark.parametrize("group", range(GROUPS))
async def test_noise_by_every_name(group: int, tmp_path: Path, media: Media) -> None:
    for number, (kind, code) in enumerate(SAMPLE[group::GROUPS]):
        data = noise(kind, code, number)
        outcome = await process(data, tmp_path / str(number), media=media)
        if outcome.played:
            check_decodes(outcome)
        assert outcome.took_s < LONG_S, code
