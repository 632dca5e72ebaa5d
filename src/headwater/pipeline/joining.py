"""Joining: an idle worker helps another one warm its video, so that one video has all encoders.

Flow      no job is left to lease → a warm-up that somebody else holds → a few of its indices, from
          anywhere in what is missing: its holder goes from the front.
Promises  a segment's lease decides who makes it, so nothing is made twice; the job, its cursor and
          the video's state stay its holder's. Who finds a job that nobody holds takes that.
"""

from collections.abc import Callable, Collection
from typing import Any

import anyio
import structlog
from anyio.abc import TaskGroup

from headwater.forces.backoff import jitter
from headwater.model.errors import HeadwaterError
from headwater.model.ids import GenerationId, TrackId, VideoId
from headwater.model.job import Job
from headwater.pipeline.ask import Ask
from headwater.pipeline.leasing import Opened
from headwater.pipeline.maker import Maker
from headwater.pipeline.together import each
from headwater.pipeline.warm import OTHERS_S, TURN, Warmth, by_cost, eligible_tracks, next_indices

log = structlog.get_logger(__name__)


class Joining:
    """One per worker; helps with one video at a time. *woke* is called whenever it has helped."""

    def __init__(
        self,
        *,
        ask: Ask,
        maker: Maker,
        holder: str,
        build: str,
        warmth: Warmth,
        at_once: int,
        turn_to_warm: Callable[[], Any],
        woke: Callable[[], None],
    ) -> None:
        self._ask, self._maker, self._holder, self._build = ask, maker, holder, build
        self._warmth, self._at_once = warmth, at_once
        self._turn_to_warm, self._woke = turn_to_warm, woke
        self._at: tuple[VideoId, anyio.CancelScope] | None = None

    @property
    def is_busy(self) -> bool:
        return self._at is not None

    def drop(self, video: VideoId | None = None) -> None:
        """Stop helping, or stop helping with *video* alone."""
        if self._at is not None and video in (None, self._at[0]):
            self._at[1].cancel()

    async def take(self, group: TaskGroup, *, besides: Collection[VideoId]) -> None:
        """Start a task in *group* that helps with a video that is none of *besides*."""
        job: Job | None = await self._ask(
            "pipeline.find_warm_up", holder=self._holder, build=self._build, besides=[*besides]
        )
        if job is not None and self._at is None:
            scope = anyio.CancelScope()
            self._at = job.video, scope
            group.start_soon(self._help_within, scope, job.video)

    async def _help_within(self, scope: anyio.CancelScope, video: VideoId) -> None:
        try:
            with scope:
                if not await self._help(video):  # the rest is being made: look again a little later
                    await anyio.sleep(OTHERS_S)
        except HeadwaterError as error:  # its holder finds out as well, and says so
            log.warning("joining.left", video=video, error=str(error), code=error.code)
            await anyio.sleep(OTHERS_S)
        finally:
            self._at = None
            self._woke()

    async def _help(self, video: VideoId) -> int:
        """Make a few indices of *video* and return how many pieces others had left to us."""
        generation: GenerationId | None = await self._ask(
            "pipeline.current_generation", video=video
        )
        if generation is None:
            return 0
        opened: Opened = await self._ask("pipeline.open_generation", generation=generation)
        plan = (await self._maker.material(generation)).plan
        tracks = eligible_tracks(plan, self._warmth)
        segments = max((opened.presences[track].segments for track in tracks), default=0)
        missing = next_indices(opened, tracks, start=0, most=segments)
        if not missing:
            return 0
        first = int(jitter() * len(missing))
        chosen = missing[first : first + TURN * self._at_once]
        made = 0

        async def one(item: tuple[int, list[TrackId]]) -> None:
            nonlocal made
            for part in by_cost(plan, item[1]):
                made += await self._maker.make(
                    generation, part, item[0], urgent=False, turn=self._turn_to_warm
                )

        for at in range(0, len(chosen), self._at_once):
            await each(chosen[at : at + self._at_once], one)
        return made
