"""Units of work: the only place above the engines where a transaction is opened and closed."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace

import msgspec
import structlog

from headwater.engines.cache.port import Cache
from headwater.engines.clock import Clock
from headwater.engines.database.port import Database
from headwater.engines.entropy import number
from headwater.engines.events.port import Events
from headwater.engines.notices.port import Notices
from headwater.engines.rates.port import Rates
from headwater.engines.work import Work
from headwater.model.actor import Actor
from headwater.model.freshness import UNKNOWN, Consistency, Primary, Stale, need_of, unplaced

PURGE_TOPIC = "purge"  # cache tags for the other processes of this deployment, JSON list
PRIMARY = Primary()
log = structlog.get_logger("headwater.operations")


class Engines:
    """The engines a commit touches, and what happens around it."""

    def __init__(
        self,
        *,
        database: Database,
        events: Events,
        notices: Notices,
        cache: Cache,
        rates: Rates,
        clock: Clock,
    ) -> None:
        self.database = database
        self.events = events
        self.notices = notices
        self.cache = cache
        self.rates = rates
        self.clock = clock

    @asynccontextmanager
    async def reader(self, actor: Actor, rule: Consistency = PRIMARY) -> AsyncIterator[Work]:
        """Open a snapshot as new as *rule* says; *actor* learns if it is older than that."""
        seen = actor.seen
        async with self.database.reader(need_of(rule, seen)) as session:
            if seen is not None:
                seen.position = session.position or seen.position
                if isinstance(rule, Stale) and session.age_s > rule.within_s:
                    seen.age_s = max(seen.age_s, session.age_s)
            yield Work(session=session, actor=actor, now=self.clock.now())

    @asynccontextmanager
    async def writer(self, actor: Actor) -> AsyncIterator[Work]:
        """Open a transaction; facts are recorded in it, the rest happens once it is durable.

        *actor* learns how far the log was then, or only that it has written where no copy is read.
        """
        seen = actor.seen
        async with self.database.writer() as session:
            work = Work(session=session, actor=actor, now=self.clock.now())
            yield work
            for topic, body in work.facts:
                await self.events.record(session, topic, body, now=work.now)
            if seen is not None:
                seen.position = UNKNOWN  # also when the commit's answer is lost
        if seen is not None:
            seen.position = session.position or unplaced(number())
        await self.after_commit(work)

    async def after_commit(self, work: Work) -> None:
        """Purge, publish, wake. What is committed is true: a failure here is logged, not raised."""
        try:
            if work.purges:
                await self.cache.purge(*work.purges)
                await self.notices.publish(PURGE_TOPIC, msgspec.json.encode(work.purges))
            for topic, body in work.notices:
                await self.notices.publish(topic, body)
            for wake in work.wakes:
                wake()
            if work.facts:
                await self.events.wake()
        except Exception:
            log.exception("after_commit_failed")


class ActorUnits:
    """engines/work.py's Units for one caller, whose reads may be as old as *rule* says."""

    def __init__(self, engines: Engines, actor: Actor, rule: Consistency = PRIMARY) -> None:
        self._engines, self._actor, self._rule = engines, actor, rule

    def reader(self, *, latest: bool = False) -> AbstractAsyncContextManager[Work]:
        rule = self._rule
        if latest:  # or, where the row would rather be answered, what there is
            rule = replace(rule, within_s=0.0) if isinstance(rule, Stale) else PRIMARY
        return self._engines.reader(self._actor, rule)

    def writer(self) -> AbstractAsyncContextManager[Work]:
        return self._engines.writer(self._actor)
