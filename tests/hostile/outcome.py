"""What becomes of a file: refused with one sentence, or planned and made whole, every piece exact.

Flow      bytes → plan → every init and segment of every track → each held against the plan, then
          decoded by a decoder that is not ours.
Promises  nothing but UnreadableMedia and RefusedMedia says no, in a sentence for a person; a piece
          that is made lasts exactly as long as the plan says.
"""

import re
import time
from dataclasses import dataclass, field
from pathlib import Path

import anyio

from headwater.containers import isobmff
from headwater.engines.media.port import Media
from headwater.model.errors import RefusedMedia, UnreadableMedia
from headwater.model.ids import TrackId
from headwater.pipeline.make_segment import make_init, make_segments
from tests.pipeline.making import Making, blobs_in, start_making
from tests.support.decoding import decode_frames, decode_sound
from tests.support.windows import Memory

# What a sentence for a person never holds: paths, addresses, names of ours or of a program's parts.
INTERNALS = re.compile(
    r"[/\\]|0x[0-9a-f]|::|Error\b|Traceback|ffmpeg|errno|numpy|localhost|\d+\.\d+\.\d+\.\d+|root:"
)


MOST_SEGMENTS = 6


@dataclass(slots=True)
class Outcome:
    """*reason* why a file was not taken, or what was made of it; *took_s* of the wall's clock."""

    reason: str | None = None
    making: Making | None = None
    damaged: bool = False
    took_s: float = 0.0
    files: dict[TrackId, Path] = field(default_factory=dict)

    @property
    def played(self) -> bool:
        return self.making is not None


async def process(data: bytes, folder: Path, *, media: Media, name: str = "upload.mp4") -> Outcome:
    """Do with *data* what the server does, from the first byte to the last segment."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    await anyio.Path(path).write_bytes(data)
    outcome = Outcome()
    began = time.monotonic()
    try:
        making = await start_making(path, blobs=blobs_in(folder), media=media)
    except (UnreadableMedia, RefusedMedia) as error:
        outcome.reason = str(error)
        check_sentence(outcome.reason)
    else:
        outcome.making = making
        await _make(outcome, folder, media=media)
    outcome.took_s = time.monotonic() - began
    return outcome


def check_sentence(reason: str) -> None:
    """One sentence, understood without knowing anything of us, telling nothing of the machine."""
    assert reason[:1].isupper(), reason
    assert reason.endswith("."), reason
    assert not INTERNALS.search(reason), reason
    assert len(reason) < 200, reason


async def _make(outcome: Outcome, folder: Path, *, media: Media) -> None:
    """Make every segment of every track, those of one index together, as the warm-up does."""
    making = outcome.making
    assert making is not None
    plan = making.planned.plan
    inits = {t: await make_init(making.material, t, media=media) for t in making.tracks}
    whole = {track: [init] for track, init in inits.items()}
    indexes = {track: some(plan.segments_of(track) or 0) for track in making.tracks}
    for index in sorted({index for told in indexes.values() for index in told}):
        tracks = [track for track in making.tracks if index in indexes[track]]
        made = await make_segments(making.material, tracks, index, media=media, urgent=True)
        for track in tracks:
            check_segment(making, track, index, inits[track], made[track].body)
            outcome.damaged |= made[track].damaged
            whole[track].append(made[track].body)
    for track, pieces in whole.items():
        outcome.files[track] = folder / f"{track}.mp4"
        await anyio.Path(outcome.files[track]).write_bytes(b"".join(pieces))


def some(segments: int) -> list[int]:
    """Return all segments of a short video; of a long one the first, a few between, the last."""
    if segments <= MOST_SEGMENTS:
        return list(range(segments))
    return sorted(
        {segments * part // (MOST_SEGMENTS - 1) for part in range(MOST_SEGMENTS - 1)}
        | {segments - 1}
    )


def cuts_of(making: Making, track: TrackId) -> list[int]:
    plan = making.planned.plan
    if plan.video and plan.rung(track):
        return plan.video.cuts
    found = plan.rendition(track)
    assert found is not None
    return found[1].cuts


def check_segment(making: Making, track: TrackId, index: int, init: bytes, body: bytes) -> None:
    """It begins and ends exactly where the plan says, and no picture is shown twice or outside."""
    start, stop = cuts_of(making, track)[index : index + 2]
    table = isobmff.read_index(Memory(init + body)).tracks[0]
    assert int(table.dts[0]) == start
    assert int(table.dts[0]) + int(table.durations.sum()) == stop
    assert (table.durations > 0).all()
    assert sorted(table.pts.tolist()) == table.dts.tolist()


def check_decodes(outcome: Outcome) -> None:
    """Every encoded track decodes without complaint into exactly what its segments declare."""
    making = outcome.making
    assert making is not None
    plan = making.planned.plan
    for track, path in outcome.files.items():
        if len(cuts_of(making, track)) - 1 > MOST_SEGMENTS:
            continue  # not all of it was made
        samples = len(isobmff.read_index(Memory(path.read_bytes())).tracks[0].sizes)
        rung, found = plan.rung(track), plan.rendition(track)
        if rung and not rung.copy:
            frames = decode_frames(path)
            assert frames.complaints == "", track
            assert len(frames.times) == samples, track
        elif found and not found[1].copy:
            rendition = found[1]
            sound = decode_sound(path, rate=rendition.sample_rate, channels=rendition.channels)
            assert len(sound) == rendition.cuts[-1] - rendition.cuts[0], track
