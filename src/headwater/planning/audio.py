"""Audio: which renditions a sound track is offered in, where they are cut, what each cut needs.

AAC-LC is copied where its frames lie on one grid without holes; everything else is encoded on a
track-wide grid of 1024 samples, where holes and what the pictures outlast are silence.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from headwater.containers import aac
from headwater.containers.table import Int64s
from headwater.model.ids import TrackId
from headwater.model.look import Look
from headwater.model.plan import SAMPLES_PER_AAC_FRAME as FRAME
from headwater.model.plan import AudioPlan, Rendition
from headwater.planning.cuts import AIM_S, LONGEST_S
from headwater.planning.positions import positions
from headwater.planning.rates import peak_bps, with_boxes
from headwater.planning.samples import LONGEST_PACKET_S
from headwater.planning.timeline import Placed, presented

CODECS = "mp4a.40.2"
BITRATES = {1: 80_000, 2: 128_000, 6: 320_000}
SURROUND = 6  # 5.1 is what AAC names without further words, and what HLS asks of multichannel
LOSSY_LOW = 48_000  # per channel pair: a poor source is not made poorer than this
OVERSHOOT = 1.5  # measured: white noise takes 1.4 times its rate in the first segment
ENCODER_FRAMES = 4  # of pre-roll that the encoder makes and throws away
PREROLL_S = Fraction(1, 10)  # before those, for the source's decoder: MP3's reservoir, Opus' 80 ms
PREROLL_SAMPLES = 4
POSTROLL_FRAMES = 3  # a frame's transform reaches one further, its choice of blocks another
FARTHEST_GRID = float(1 << 52)  # places beyond are damage, and no longer whole numbers
AROUND_S = 2  # samples further from a segment than this say nothing about it
GRID_SLACK_S = 0.02  # how far a copied frame may lie from where the container says
LATE_S = Fraction(1, 10)  # a copy that starts later than the pictures would leave a hole
SHORT_S = Fraction(1)  # likewise one that ends this much before them


@dataclass(frozen=True, slots=True)
class Pictures:
    """The video's cuts, in seconds; sound is cut at the next frame of its own."""

    cuts: Sequence[Fraction]


def plan_audio(
    placed: Placed, look: Look, *, number: int, default: bool, pictures: Pictures | None
) -> AudioPlan:
    """Plan one sound track; *number* counts those of the video from 1."""
    table = placed.table
    told = aac.parse(table.config) if table.codec == "aac" else None
    channels = look.channels or table.channels or (told.channels if told else 0) or 2
    copied = _copied(placed, told, TrackId(f"a{number}"), pictures)
    renditions: list[Rendition] = []
    if channels > 2:
        stereo = _encoded(placed, look, TrackId(f"a{number}s"), 2, pictures)
        surround = copied or _encoded(placed, look, TrackId(f"a{number}"), SURROUND, pictures)
        renditions = [stereo, surround]
    else:
        renditions = [copied or _encoded(placed, look, TrackId(f"a{number}"), channels, pictures)]
    return AudioPlan(
        source_track=table.number,
        codec=table.codec,
        timescale=table.timescale,
        shift=placed.shift,
        language=table.language,
        name=table.name,
        default=default,
        renditions=renditions,
    )


def frame_cuts(
    first: int, last: int, *, start: Fraction, frame_s: Fraction, pictures: Pictures | None
) -> list[int]:
    """Cut frames [*first*, *last*) where the pictures are cut, else evenly about every AIM_S.

    *start* is the time of frame 0. A picture cut falls to the next frame; where a picture stands
    for much longer than a segment, or the sound outlasts them all, it is cut further.
    """
    cuts = [first]
    for moment in pictures.cuts[1:-1] if pictures else ():
        frame = -((start - moment) // frame_s)  # ceiling
        if cuts[-1] < frame < last:
            cuts.append(frame)
    evenly = [first]
    for stop in [*cuts[1:], last]:
        left = stop - evenly[-1]
        length = left * frame_s
        if pictures is None or length > LONGEST_S + AIM_S:
            parts = max(1, min(left, round(length / Fraction(AIM_S))))
            evenly += [stop - left + left * part // parts for part in range(1, parts)]
        evenly.append(stop)
    return evenly


def _encoded(
    placed: Placed, look: Look, track: TrackId, channels: int, pictures: Pictures | None
) -> Rendition:
    source_rate = look.sample_rate or placed.table.sample_rate or placed.table.timescale
    rate = 44_100 if source_rate % 11_025 == 0 else 48_000
    frame_s = Fraction(FRAME, rate)
    start_s, end_s = placed.start_s, placed.end_s
    if pictures:
        start_s, end_s = min(start_s, pictures.cuts[0]), max(end_s, pictures.cuts[-1])
    first = max(0, start_s // frame_s)
    last = max(first + 1, -(-end_s // frame_s))
    frames = frame_cuts(first, last, start=Fraction(0), frame_s=frame_s, pictures=pictures)
    cuts = np.array(frames, dtype=np.int64) * FRAME
    seconds = np.diff(cuts) / rate
    bitrate = _bitrate(placed, channels)
    windows = _windows(placed, cuts, rate)
    spent = seconds * bitrate * OVERSHOOT + 6144 * channels  # + the encoder's own reservoir
    return Rendition(
        id=track,
        copy=False,
        channels=channels,
        sample_rate=rate,
        codecs=CODECS,
        bitrate_bps=bitrate,
        cuts=cuts.tolist(),
        windows=windows,
        starts=_starts(placed, windows, source_rate=source_rate, rate=rate),
        peak_bps=peak_bps(with_boxes(spent, np.diff(cuts) // FRAME), seconds),
    )


def _bitrate(placed: Placed, channels: int) -> int:
    """Return the encoder's bit rate: by channels, and not far above what the source has."""
    usual = BITRATES[channels]
    seconds = (placed.end - placed.start) / placed.samples.timescale
    told = 8 * int(placed.table.sizes[placed.shown].sum()) / max(seconds, 0.1)
    floor = LOSSY_LOW * max(1, channels // 2)
    return int(max(min(usual, told * 1.25), floor)) // 1000 * 1000


def _windows(placed: Placed, cuts: Int64s, rate: int) -> list[tuple[int, int]]:
    """Return the rows each segment's encode is fed with: pre-roll before, post-roll after.

    None where there is nothing to hear: silence costs no decoder, however long.
    """
    scale = placed.samples.timescale
    times = np.maximum.accumulate(
        np.where(placed.samples.sound, placed.samples.pts, np.iinfo(np.int64).min)
    )
    # Python's integers: two days at a timescale of nanoseconds leave 64 bits
    starts = np.array([cut * scale // rate for cut in cuts[:-1].tolist()]) + placed.shift
    stops = np.array([-(-cut * scale // rate) for cut in cuts[1:].tolist()]) + placed.shift
    before = int((Fraction(ENCODER_FRAMES * FRAME, rate) + PREROLL_S) * scale)
    at = np.searchsorted(times, starts, side="right") - 1
    lows = np.minimum(
        np.searchsorted(times, starts - before, side="right") - 1, at - PREROLL_SAMPLES
    )
    near = np.searchsorted(times, starts - AROUND_S * scale)
    told = np.minimum(placed.samples.ends, times + LONGEST_PACKET_S * scale)
    spans = told[np.maximum(at, 0)] > starts - AROUND_S * scale
    lows = np.maximum(lows, np.where(spans, np.minimum(at, near), near))
    after = -(-POSTROLL_FRAMES * FRAME * scale // rate)
    highs = np.searchsorted(times, stops + after) + 1
    highs = np.minimum(highs, np.searchsorted(times, stops + AROUND_S * scale))
    lows = np.clip(lows, 0, len(times))
    highs = np.clip(highs, lows, len(times))
    return list(zip(lows.tolist(), highs.tolist(), strict=True))


def _starts(
    placed: Placed, windows: list[tuple[int, int]], *, source_rate: int, rate: int
) -> list[int]:
    """Return where in the grid the first sample lies that each window decodes to."""
    places = positions(placed, source_rate=source_rate, rate=rate)
    rows = [min(lo, len(places) - 1) for lo, _ in windows]
    begins = np.clip(places[rows], -FARTHEST_GRID, FARTHEST_GRID)
    return [round(begin) for begin in begins.tolist()]


def _copied(
    placed: Placed, told: aac.AacConfig | None, track: TrackId, pictures: Pictures | None
) -> Rendition | None:
    """Return the rendition that keeps the source's own frames, None where it may not."""
    table = placed.table
    if told is None or not told.is_plain_lc or told.channels < 1 or told.core_rate > 48_000:
        return None
    if table.descriptions > 1 or table.prefix:
        return None
    rows, times = presented(placed)
    rows, times = rows[times >= 0], times[times >= 0]
    rate, count = told.core_rate, len(rows)
    if not count or int(rows[-1] - rows[0]) + 1 != count or (np.diff(rows) < 0).any():
        return None
    grid = times * (rate / table.timescale) - np.arange(count) * FRAME
    position = max(0, round(float(np.median(grid))))
    if float(np.abs(grid - position).max()) > GRID_SLACK_S * rate:
        return None
    frame_s, start_s = Fraction(FRAME, rate), Fraction(position, rate)
    if pictures and (
        start_s > pictures.cuts[0] + LATE_S
        or start_s + count * frame_s < pictures.cuts[-1] - SHORT_S
    ):
        return None
    frames = np.array(
        frame_cuts(0, count, start=start_s, frame_s=frame_s, pictures=pictures), dtype=np.int64
    )
    bits = with_boxes(8 * np.add.reduceat(table.sizes[rows], frames[:-1]), np.diff(frames))
    seconds = np.diff(frames) * float(frame_s)
    first = int(rows[0])
    return Rendition(
        id=track,
        copy=True,
        channels=told.channels,
        sample_rate=rate,
        codecs=CODECS,
        bitrate_bps=int(bits.sum() / seconds.sum()),
        cuts=(position + frames * FRAME).tolist(),
        windows=[
            (first + lo, first + hi)
            for lo, hi in zip(frames[:-1].tolist(), frames[1:].tolist(), strict=True)
        ],
        peak_bps=peak_bps(bits, seconds),
    )
