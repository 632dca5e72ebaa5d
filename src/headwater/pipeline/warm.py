"""Warming: making, before anybody asks, what viewers will ask for.

First seconds first; every missing rung of an index in one decode. A turn is a few indices of one
video; then the job goes back into the queue: nobody's hundred uploads hold up another's one.
"""

import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Literal

from headwater.model.errors import CodecFailed
from headwater.model.ids import GenerationId, TrackId
from headwater.model.job import Job
from headwater.model.plan import Plan
from headwater.pipeline import bitmap
from headwater.pipeline.ask import Ask
from headwater.pipeline.keys import INIT, PICTURES
from headwater.pipeline.leasing import Opened
from headwater.pipeline.maker import Maker
from headwater.pipeline.together import each
from headwater.planning.pictures import storyboard
from headwater.planning.speeds import speeds, warm_up_s

Warmth = Literal["all", "low", "none"]
LOW_SHORT_SIDE = 480
OTHERS_S = 1.0  # a turn in which others were making everything comes again after this
TURN = 4  # indices a turn makes, times what runs at once

Make = Callable[[Sequence[TrackId], int], Awaitable[bool]]


def eligible_tracks(plan: Plan, warmth: Warmth) -> list[TrackId]:
    """Return the tracks that warm-up makes: all, those up to 480 with sound, or none.

    What is copied costs no encode and is made when asked for, except under "all".
    """
    if warmth == "none":
        return []
    rungs = plan.video.rungs if plan.video else []
    low = [r for r in rungs if min(r.width, r.height) <= LOW_SHORT_SIDE]
    chosen = [r.id for r in (rungs if warmth == "all" else low or rungs[:1])]
    return chosen + [r.id for audio in plan.audio for r in audio.renditions]


def next_indices(
    opened: Opened, tracks: Sequence[TrackId], *, start: int, most: int
) -> list[tuple[int, list[TrackId]]]:
    """Return up to *most* (index, missing tracks), from *start* on and then from the beginning."""
    presences = [opened.presences[track] for track in tracks if track in opened.presences]
    segments = max((p.segments for p in presences), default=0)
    found: list[tuple[int, list[TrackId]]] = []
    for index in [*range(start, segments), *range(min(start, segments))]:
        missing = [
            p.track for p in presences if index < p.segments and not bitmap.has(p.present, index)
        ]
        if missing:
            found.append((index, missing))
            if len(found) == most:
                break
    return found


async def warm_turn(
    job: Job,
    generation: GenerationId,
    *,
    ask: Ask,
    maker: Maker,
    make: Make,
    warmth: Warmth,
    at_once: int,
) -> None:
    """Make the next few indices of a video, or say that it is ready."""
    opened: Opened = await ask("pipeline.open_generation", generation=generation)
    plan = (await maker.material(generation)).plan
    tracks = eligible_tracks(plan, warmth)
    cursor: int = job.cursor
    made = 0

    async def init(track: TrackId) -> None:
        await make([track], INIT)

    async def one(item: tuple[int, list[TrackId]]) -> None:
        nonlocal made
        index, missing = item
        for tracks in by_cost(plan, missing):
            made += await make(tracks, index)

    if cursor == 0:
        await each([*plan.track_ids()], init)
        await _draw(plan, range(1), make=make)
    todo = next_indices(opened, tracks, start=cursor, most=TURN * at_once)
    for at in range(0, len(todo), at_once):
        await each(todo[at : at + at_once], one)
    if not todo and tracks:
        await _draw(plan, range(1, 1 + sheets(plan)), make=make)
    missing = {track: len(opened.presences[track].missing()) for track in tracks}
    for _, lacking in todo:
        missing |= {track: missing[track] - 1 for track in lacking}
    pace = maker.pace
    await ask(
        "pipeline.record_warm",
        job=job,
        generation=generation,
        cursor=todo[-1][0] + 1 if todo else 0,
        eligible=tracks,
        pause_s=0.0 if made else OTHERS_S,
        speeds=speeds(plan, pace.of(generation, urgent=True)),
        left_s=warm_up_s(plan, missing, pace=pace.of(generation, urgent=False), at_once=at_once),
    )


def by_cost(plan: Plan, tracks: Sequence[TrackId]) -> list[list[TrackId]]:
    """Return what is copied and heard, then what is encoded: each is leased by itself.

    Else a player that asks for the copy would wait for all the encodes beside it, which run when
    nothing else does.
    """
    encoded = [track for track in tracks if (rung := plan.rung(track)) and not rung.copy]
    rest = [track for track in tracks if track not in encoded]
    return [part for part in (rest, encoded) if part]


def sheets(plan: Plan) -> int:
    """Return how many storyboard sheets there are."""
    return storyboard(plan.video).sheets if plan.video else 0


async def _draw(plan: Plan, pictures: range, *, make: Make) -> None:
    """Make *pictures*: 0 the poster, n the n-th sheet. A video without them is still a video."""
    for picture in pictures if plan.video else ():
        with contextlib.suppress(CodecFailed):
            await make([PICTURES], picture)
