"""Who may read what is served under a stream's name, decided from memory on the hot path.

Flow      a request names a stream → row read once → remembered FRESH_S → decide() on each request.
Promises  a change of visibility or a deletion is seen at once in the process that made it
          (notices), and within two seconds everywhere; what is private is never marked as shared.
"""

from collections import OrderedDict

import msgspec

from headwater.access.decide import Action, require
from headwater.engines.clock import Clock
from headwater.engines.notices.port import MISSED, Notices
from headwater.engines.work import Units
from headwater.library import videos_repository
from headwater.library.streams_repository import RETIRED_SERVED_S, Stream, find
from headwater.model.actor import Actor
from headwater.model.errors import Gone, NotFound, Unavailable, VideoNotFound
from headwater.model.ids import GenerationId, VideoId
from headwater.model.plan import Plan
from headwater.model.video import Video, Visibility
from headwater.observe.spans import OPENED
from headwater.observe.traces import span
from headwater.pipeline import generations_repository
from headwater.planning.document import decode_plan

FRESH_S = 1.0  # and as long again where a copy is asked: together what the rows of streams allow
REMEMBERED = 4096
PLANS = 64


class Ticket(msgspec.Struct, frozen=True, kw_only=True):
    """Leave to read one generation of *video*; *shared* when any cache on the way may keep it."""

    video: Video
    stream: str
    generation: GenerationId
    shared: bool


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What was read of a stream, good until *until*; *as_of* is set if it was too old even then."""

    until: float
    as_of: float | None
    stream: Stream
    video: Video


class Tickets:
    """One per process."""

    def __init__(self, *, units: Units, clock: Clock) -> None:
        self._units, self._clock = units, clock
        self._known: OrderedDict[str, Known] = OrderedDict()
        self._plans: OrderedDict[GenerationId, Plan] = OrderedDict()
        self._watched: dict[tuple[str, str], float] = {}
        self._heard = 0  # news, so far

    async def check(self, actor: Actor, video_id: VideoId, stream: str) -> Ticket:
        """Return leave for *actor* to read what is served as *stream* of *video_id*.

        Raises:
            VideoNotFound: there is no such video, or *actor* may not know of it.
            Gone: the name was retired too long ago.
            Unavailable: no copy knows of it, and no primary answers.
        """
        known = self._known.get(stream)
        if known is None or known.until < self._clock.monotonic():
            known = await self._learn(stream, is_new=known is None)
        named, video = known.stream, known.video
        if known.as_of is not None and actor.seen is not None:
            age_s = self._clock.monotonic() - known.as_of
            actor.seen.age_s = max(actor.seen.age_s, age_s)
        if named.video != video_id:
            raise VideoNotFound("There is no such video.")
        require(actor, Action.VIDEO_WATCH, video)
        retired = named.retired_at
        if retired is not None and self._clock.now() > retired + RETIRED_SERVED_S:
            raise Gone("This address of the video is out of date; open the video again.")
        return Ticket(
            video=video,
            stream=stream,
            generation=named.generation,
            shared=video.visibility is Visibility.PUBLIC and retired is None,
        )

    async def _learn(self, stream: str, *, is_new: bool) -> Known:
        """Read it: the latest if it *is_new*, also by news; to renew what is known a copy will do.

        While no primary answers, whatever copy there is.
        """
        heard = self._heard
        async with self._units.reader(latest=is_new) as work:
            named = await find(work.session, stream)
            video = named and await videos_repository.find(work.session, named.video)
            age_s = work.session.age_s
        if named is None or not video:
            if not is_new:
                return await self._learn(stream, is_new=True)
            if age_s:  # of what this copy lacks nobody can say now that it is not there
                raise Unavailable("The latest cannot be read right now.", retry_after_s=1)
            raise NotFound("There is nothing under this address.")
        now = self._clock.monotonic()
        as_of = now - age_s if age_s > FRESH_S else None
        known = Known(until=now + FRESH_S, as_of=as_of, stream=named, video=video)
        if heard == self._heard:  # else what was read may be older than the news
            self._known[stream] = known
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return known

    async def plan(self, generation: GenerationId) -> Plan:
        """Return the plan of *generation*; it never changes. Raises Gone if it was removed."""
        if generation not in self._plans:
            self._plans[generation] = await self._read_plan(generation)
            while len(self._plans) > PLANS:
                self._plans.popitem(last=False)
        self._plans.move_to_end(generation)
        return self._plans[generation]

    async def _read_plan(self, generation: GenerationId) -> Plan:
        with span(OPENED, generation=generation) as opened:
            async with self._units.reader(latest=True) as work:
                found = await generations_repository.get(work.session, generation)
            if found is None:
                raise Gone("This address of the video is out of date; open the video again.")
            opened.belong_to(found.video)
            return decode_plan(found.plan)

    def saw(self, generation: GenerationId, track: str) -> None:
        """Remember that somebody watches *track* now; take_watched() hands it on for eviction."""
        self._watched[generation, track] = self._clock.now()

    def take_watched(self) -> dict[tuple[str, str], float]:
        watched, self._watched = self._watched, {}
        return watched

    async def forget_on_news(self, notices: Notices) -> None:
        """Forget what is known of a video when it changes; runs as long as the process serves."""
        async with notices.listen("video:*") as news:
            async for topic, _ in news:
                self._heard += 1
                if topic == MISSED:
                    self._known.clear()
                video = topic.removeprefix("video:")
                for name in [n for n, known in self._known.items() if known.stream.video == video]:
                    del self._known[name]
