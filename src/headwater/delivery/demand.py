"""Demand: a segment that is asked for and not there is made now, once, however many ask.

Flow      request → (one waiter per segment and process) → demand rows → workers → notice → blob.
Promises  held at most HELD_S; one client may wait for only so many segments of one video, one
          process only for so many in all; those after the asked one are asked for less urgently.
"""

import asyncio
from collections import Counter

import anyio

from headwater.engines.blobs.port import Blobs, Stored
from headwater.engines.clock import Clock
from headwater.engines.notices.port import Notices
from headwater.engines.work import Units
from headwater.model.errors import BeingMade, BlobNotFound, Gone, RateLimited, Unavailable
from headwater.model.ids import GenerationId, TrackId, VideoId
from headwater.observe.metrics import DEMAND_SECONDS, DEMANDS_WAITING
from headwater.observe.spans import DEMANDED
from headwater.observe.traces import span
from headwater.pipeline import demanding, generations_repository
from headwater.pipeline.demands_repository import Demand
from headwater.pipeline.keys import PICTURES, blob_key, segment_topic

HELD_S = 8.0
AHEAD = 3
LOOK_S = 0.5  # how often a waiter looks for itself, should the notice be lost
MOST_PER_CLIENT = 12  # different ones; players fetch a few tracks at once and abandon some
MOST_OF_ALL = 32  # the same, over all videos
MOST_PER_VIDEO = 64  # over all clients, so that one video never keeps the others out
MOST_WAITING = 256
RETRY_S = 2.0

Name = tuple[GenerationId, TrackId, int]


class Demands:
    """One per process that serves streams."""

    def __init__(self, *, units: Units, blobs: Blobs, notices: Notices, clock: Clock) -> None:
        self._units, self._blobs, self._notices, self._clock = units, blobs, notices, clock
        self._waiting: dict[Name, asyncio.Task[Stored]] = {}
        self._clients: dict[str, Counter[Name]] = {}

    async def until_there(
        self,
        video: VideoId,
        generation: GenerationId,
        track: TrackId,
        index: int,
        *,
        segments: int,
        client: str,
    ) -> Stored:
        """Wait until the blob of (track, index) is stored and return its size and etag.

        Raises:
            RateLimited: *client* waits for too many segments of this video already.
            BeingMade: it was not made within HELD_S.
            Unavailable: too many wait in all, or it cannot be made.
            Gone: it cannot be made, and another generation has taken the place of its own.
        """
        name = (generation, track, index)
        mine = self._clients.get(client, Counter())
        of_video = sum(1 for other in mine if other[0] == generation)
        if name not in mine and (of_video >= MOST_PER_CLIENT or len(mine) >= MOST_OF_ALL):
            raise RateLimited(
                "You already wait for many parts of videos; please slow down.",
                retry_after_s=RETRY_S,
            )
        crowd = sum(1 for other in self._waiting if other[0] == generation)
        full = len(self._waiting) >= MOST_WAITING or crowd >= MOST_PER_VIDEO
        if name not in self._waiting and full:
            raise Unavailable("Many parts are being prepared right now.", retry_after_s=RETRY_S)
        self._clients[client] = mine
        mine[name] += 1
        try:
            task = self._waiting.get(name)
            if task is None:
                task = asyncio.ensure_future(self._ask_for(video, *name, segments=segments))
                self._waiting[name] = task
                DEMANDS_WAITING.set(len(self._waiting))
                task.add_done_callback(lambda done: self._done(name, done))
            return await asyncio.shield(task)
        finally:
            mine[name] -= 1
            if not mine[name]:
                del mine[name]
            if not mine:
                self._clients.pop(client, None)

    def _done(self, name: Name, done: asyncio.Task[Stored]) -> None:
        if not done.cancelled():
            done.exception()  # perhaps all who waited have gone, and nobody else looks at it
        self._waiting.pop(name, None)
        DEMANDS_WAITING.set(len(self._waiting))

    async def _ask_for(
        self,
        video: VideoId,
        generation: GenerationId,
        track: TrackId,
        index: int,
        *,
        segments: int,
    ) -> Stored:
        """Demand it, and measure how long all who want it wait."""
        started, outcome = self._clock.monotonic(), "failed"
        named = {"generation": generation, "track": track, "index": index}
        try:
            with span(DEMANDED, video=video, **named) as opened:
                stored = await self._demand(video, generation, track, index, segments=segments)
                opened.tell(bytes=stored.size)
            outcome = "made"
        except BeingMade:
            outcome = "late"
            raise
        finally:
            DEMAND_SECONDS.labels(outcome).observe(self._clock.monotonic() - started)
        return stored

    async def _demand(
        self,
        video: VideoId,
        generation: GenerationId,
        track: TrackId,
        index: int,
        *,
        segments: int,
    ) -> Stored:
        key = blob_key(video, generation, track, index)
        ahead = AHEAD if index >= 0 and track != PICTURES else 0
        async with self._notices.listen(segment_topic(generation, track, index)) as news:
            async with self._units.writer() as work:
                wanted = [
                    Demand(
                        generation=generation,
                        track=track,
                        index=at,
                        video=video,
                        rank=at - index,
                        asked_at=work.now,
                    )
                    for at in range(index, min(index + ahead + 1, max(segments, index + 1)))
                ]
                await demanding.demand(work=work, wanted=wanted)
            give_up_at = self._clock.monotonic() + HELD_S
            while self._clock.monotonic() < give_up_at:
                try:
                    return await self._blobs.stat(key)
                except BlobNotFound:
                    pass
                with anyio.move_on_after(LOOK_S):
                    _, body = await anext(news)
                    if body == b"failed":
                        raise await self._why_not(generation)
        raise BeingMade("This part is still being prepared.", retry_after_s=RETRY_S)

    async def _why_not(self, generation: GenerationId) -> Gone | Unavailable:
        """Say whether asking for what failed again can help: a replaced generation is done with."""
        async with self._units.reader() as work:
            found = await generations_repository.get(work.session, generation)
        if found is None or found.retired_at is not None:
            return Gone("This video was made anew; open it again.")
        return Unavailable("This part could not be made just now.", retry_after_s=RETRY_S)
