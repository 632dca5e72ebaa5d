"""Files broken by the hundred: a sentence, or every piece as long as planned, soon.

A seeded sample in the usual run; HEADWATER_DRILLS=1 breaks each file a hundred times.
"""

import os
from collections.abc import Callable
from itertools import product
from pathlib import Path

import pytest

from headwater.engines.media.port import Media
from headwater.pipeline.advance import damage_note
from tests.hostile.broken import cut_off, flip_bits, media_data, spoil
from tests.hostile.movies import edit
from tests.hostile.outcome import Outcome, check_decodes, process
from tests.hostile.sources import SOURCES, make_source
from tests.support.clips import run
from tests.support.decoding import decode_frames

pytestmark = pytest.mark.anyio

LONG_S = 60
DRILLS = "HEADWATER_DRILLS" in os.environ  # noqa: TID251
BREAKS: dict[str, Callable[[bytes, int], bytes]] = {
    "bits": flip_bits,
    "end": cut_off,
    "stretch": spoil,
}
CASES = [
    (name, kind, seed)
    for number, (name, kind) in enumerate(product(SOURCES, BREAKS))
    for seed in (range(34) if DRILLS else [number])
    if DRILLS or number % 3 == number // 3 % 3  # each kind of file once, each way in turn
]


@pytest.mark.parametrize(("name", "kind", "seed"), CASES)
async def test_broken_at_random(
    name: str, kind: str, seed: int, clips: Path, tmp_path: Path, media: Media
) -> None:
    data = BREAKS[kind](make_source(name, clips), seed)

    outcome = await process(data, tmp_path, media=media, name=name)

    if outcome.played:
        check_decodes(outcome)
    assert outcome.took_s < LONG_S


def told(outcome: Outcome) -> str:
    assert outcome.making is not None
    return damage_note(outcome.making.planned.plan, int(outcome.damaged)) or ""


async def test_an_end_that_is_missing(clips: Path, tmp_path: Path, media: Media) -> None:
    """A recording that stopped in the middle plays up to there, and the owner is told."""
    whole = make_source("fragments.mp4", clips)

    outcome = await process(whole[: len(whole) * 2 // 3], tmp_path, media=media)

    check_decodes(outcome)
    assert outcome.making is not None
    assert 2 < outcome.making.planned.plan.duration_s < 4.5
    assert "its end is missing" in told(outcome)


async def test_pictures_lost_in_the_middle(movie: bytes, tmp_path: Path, media: Media) -> None:
    """A third of the media overwritten: the same duration, the last good picture, a note."""
    lo, hi = media_data(movie)
    third = (hi - lo) // 3
    data = movie[: lo + third] + bytes(third) + movie[lo + 2 * third :]

    outcome = await process(data, tmp_path / "broken", media=media)
    sound = await process(movie, tmp_path / "whole", media=media)

    check_decodes(outcome)
    assert outcome.making is not None
    assert sound.making is not None
    assert outcome.making.planned.plan.duration_s == sound.making.planned.plan.duration_s
    assert "are damaged" in told(outcome)
    assert not told(sound)


async def test_the_last_good_picture_stands_for_what_is_lost(
    movie: bytes, tmp_path: Path, media: Media
) -> None:
    """A segment of which nothing decodes shows the picture before it, not black."""
    lo, hi = media_data(movie)
    half = lo + (hi - lo) * 3 // 5
    data = movie[:half] + bytes(hi - half) + movie[hi:]

    outcome = await process(data, tmp_path, media=media)

    assert outcome.making is not None
    lowest = outcome.making.tracks[0]
    frames = decode_frames(outcome.files[lowest])
    assert frames.complaints == ""
    brightness = picture_brightness(outcome.files[lowest])
    assert min(brightness) > 40
    assert outcome.damaged


def picture_brightness(path: Path) -> list[float]:
    raw = run("-i", str(path), "-vf", "scale=1:1,format=gray", "-f", "rawvideo", "-")
    return [float(level) for level in raw]


async def test_one_sample_with_a_lying_size(movie: bytes, tmp_path: Path, media: Media) -> None:
    """It costs a moment, not all that comes after it."""

    def lie(body: bytes) -> bytes:
        return body[:92] + b"\x7f" + body[93:]

    outcome = await process(
        edit(movie, "moov/trak/mdia/minf/stbl/stsz", lie), tmp_path, media=media
    )

    check_decodes(outcome)
    assert outcome.making is not None
    assert outcome.making.planned.plan.duration_s > 4.9
    assert outcome.making.planned.plan.ends_early_s is None
    assert "damaged" in told(outcome)


async def test_other_parameters_inside_the_stream(
    movie: bytes, tmp_path: Path, media: Media
) -> None:
    """A copy of the pictures would not play, so they are encoded instead."""
    lo, _ = media_data(movie)
    at = lo + 4 + int.from_bytes(movie[lo : lo + 4], "big") + 4  # behind the encoder's own words
    assert movie[at] == 0x65  # an IDR picture, which becomes a parameter set
    data = movie[:at] + b"\x67" + movie[at + 1 :]

    outcome = await process(data, tmp_path, media=media)

    check_decodes(outcome)
    assert outcome.making is not None
    video = outcome.making.planned.plan.video
    assert video is not None
    assert not any(rung.copy for rung in video.rungs)
