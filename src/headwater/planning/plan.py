"""Planning: an index and a look become a plan. Pure: the same input gives the same plan.

Flow  timeline (one shift per track) → cuts → ladder and copy → rates; audio after the video's cuts.
"""

from collections.abc import Mapping
from fractions import Fraction
from functools import partial

from headwater.containers.table import SourceIndex
from headwater.model.errors import UnreadableMedia
from headwater.model.look import Look
from headwater.model.plan import ENCODER_ENDS, Plan, VideoPlan
from headwater.planning.audio import Pictures, plan_audio
from headwater.planning.copy import HIGH_DYNAMIC_RANGE, is_dear, source_rung
from headwater.planning.cuts import LONGEST_S, Cuts, cut_video
from headwater.planning.ladder import Picture, displayed, encoded_rung, short_sides
from headwater.planning.rates import frame_rate, peak_bps
from headwater.planning.settings import PlanSettings
from headwater.planning.timeline import Placed, place, presented

__all__ = ["PlanSettings", "make_plan"]

LONGEST_TICKS = (1 << 31) - 1  # what a segment can say of one picture
VERSION = 4  # of what planning decides: raised when the same source would be planned differently


def make_plan(
    index: SourceIndex,
    looks: Mapping[int, Look],
    *,
    settings: PlanSettings,
    encoder: str,
    remuxed: bool,
) -> Plan:
    """Plan the video of *index*: its first picture track that was looked at, and all its sound.

    *looks* are by track number; a track without one is left out. *encoder* names the build.

    Raises:
        UnreadableMedia: nothing in it can be presented.
    """
    seen = [table for table in index.tracks if table.number in looks]
    videos = sorted(
        (table for table in seen if table.kind == "video"),
        key=lambda table: (not table.default, -table.width * table.height),
    )
    audios = [table for table in seen if table.kind == "audio"]
    placed, notes = place(videos[:1] + audios)
    if not placed:
        raise UnreadableMedia("There is no picture and no sound in this file that can be shown.")
    sounds = [track for track in placed if track.table.kind == "audio"]
    pictures = next((track for track in placed if track.table.kind == "video"), None)
    video = None
    if pictures:
        video = _plan_video(pictures, looks[pictures.table.number], sounds, settings=settings)
    moments = None
    if video:
        moments = Pictures([Fraction(cut, video.timescale) for cut in video.cuts])
    chosen = next((t for t in sounds if t.table.default), sounds[0] if sounds else None)
    audio = [
        plan_audio(
            track,
            looks[track.table.number],
            number=number,
            default=track is chosen,
            pictures=moments,
        )
        for number, track in enumerate(sounds, 1)
    ]
    ends = [Fraction(r.cuts[-1], r.sample_rate) for a in audio for r in a.renditions]
    ends += moments.cuts[-1:] if moments else []
    duration_s = float(max(ends))
    return Plan(
        duration_s=duration_s,
        ends_early_s=None if index.truncated_at_s is None else duration_s,
        remuxed=remuxed,
        config=f"{encoder}{ENCODER_ENDS}{VERSION}",
        video=video,
        audio=audio,
        notes=[*index.notes, *notes],
    )


def _plan_video(
    placed: Placed, look: Look, sounds: list[Placed], *, settings: PlanSettings
) -> VideoPlan:
    """Cut on keyframes if the source's own pictures can be offered then, else evenly."""
    plan = partial(_with_cuts, placed, look, sounds, settings=settings)
    copied = plan(cut_video(placed))
    return copied if copied.owns else plan(cut_video(placed, free=True))


def _with_cuts(
    placed: Placed, look: Look, sounds: list[Placed], cuts: Cuts, *, settings: PlanSettings
) -> VideoPlan:
    table = placed.table
    shape = look.sample_aspect if look.sample_aspect != (1, 1) else table.sample_aspect
    width, height = look.width or table.width, look.height or table.height
    if width <= 0 or height <= 0:
        raise UnreadableMedia("The pictures of this file have no size.")
    across, down = displayed(width, height, sample_aspect=shape, rotation=table.rotation)
    _, times = presented(placed)
    rate = frame_rate(times, placed.end, table.timescale)
    seconds = cuts.durations_s(table.timescale)
    if float(seconds.max()) * table.timescale > LONGEST_TICKS:
        raise UnreadableMedia("A picture of this file is to be shown for longer than we can say.")
    picture = Picture(
        width=across,
        height=down,
        frame_rate=Fraction(*rate),
        codec=table.codec,
        peak_bps=peak_bps(8 * cuts.sizes, seconds),
    )
    rungs = [
        encoded_rung(picture, side, cuts, table.timescale) for side in short_sides(across, down)
    ]
    if copy := source_rung(placed, look, cuts, picture, settings=settings):
        own = min(copy.width, copy.height)
        rungs = [r for r in rungs if is_dear(copy) or min(r.width, r.height) != own] + [copy]
    windows = [(int(lo), int(hi)) for lo, hi in cuts.windows.tolist()]
    return VideoPlan(
        source_track=table.number,
        codec=table.codec,
        timescale=table.timescale,
        shift=placed.shift,
        cuts=_prolonged(cuts, sounds, table.timescale),
        windows=windows,
        owns=windows if any(rung.copy for rung in rungs) else [],
        frames=cuts.frames.tolist(),
        width=width,
        height=height,
        sample_aspect=shape,
        rotation=table.rotation,
        interlaced=look.interlaced,
        tone_map=look.colour.transfer in HIGH_DYNAMIC_RANGE,
        colour=look.colour,
        rungs=rungs,
    )


def _prolonged(cuts: Cuts, sounds: list[Placed], timescale: int) -> list[int]:
    """Let the last picture stand where the sound goes on long after it: players stop at a hole."""
    ticks: list[int] = cuts.cuts.tolist()
    end = max((track.end_s for track in sounds), default=Fraction(0))
    if end - Fraction(ticks[-1], timescale) > LONGEST_S:
        ticks[-1] = min(-int(-end * timescale // 1), ticks[-2] + LONGEST_TICKS)
    return ticks
