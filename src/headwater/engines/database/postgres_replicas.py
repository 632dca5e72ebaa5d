"""Replicas: servers that replay the primary's log, of which one is asked where that is new enough.

Flow      enter(): the healthy, least response time first → how far has it replayed? → a snapshot,
          if that is new enough for the reader; else the next, else nobody.
Promises  what a replica has is measured before each snapshot, on the connection that is read. One
          that fails or is slow is left out, and asked beside the requests until it is well again.
"""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from math import inf

import asyncpg
import structlog

from headwater.engines.database.postgres_connection import Address, PostgresConnection, open_raw
from headwater.engines.database.postgres_pool import Pool
from headwater.engines.database.postgres_primary import Marks, Primary
from headwater.forces.backoff import jitter, pause_s
from headwater.forces.balancing import Standing, by_cost
from headwater.model.errors import Unavailable
from headwater.model.freshness import Freshness, Position
from headwater.observe.metrics import REPLICA_LAG

ANSWER_S = 0.5  # for a turn, a connection and the look; longer, and another is quicker
FIRST_CONNECT_S = 2.0  # of one that is being won back: there is time
LOOKED_S = 0.02  # so long a replica found too old is not asked again by another reader
NO_REPLICA_S = 5.0  # so long one that replays nothing, or nothing we know: it may be the primary
# Before the snapshot: what is replayed later may be missing from it. The age by the clocks of two
# servers is only told where nothing better is known: this process has not met the primary.
LOOK = (
    "SELECT timeline, CASE WHEN pg_is_in_recovery()"
    " THEN (pg_last_wal_replay_lsn() - '0/0')::bigint END AS replayed,"
    " greatest(extract(epoch FROM clock_timestamp()) - written_at, 0)::float8 AS by_clocks_s"
    " FROM heartbeats WHERE id = 1"
)
log = structlog.get_logger("headwater.database")
Found = tuple[PostgresConnection, float]


class TooOldError(Exception):
    """The replica has not what this reader needs."""


@dataclass(slots=True)
class Look:
    """What a replica had: *position* None if nothing was replayed into it that we know."""

    at: float
    position: Position | None
    by_clocks_s: float
    is_primary: bool


class Replica:
    """One server; *waiting* readers are with it now."""

    def __init__(self, address: Address, *, deadline_s: float) -> None:
        self.name = address.names[0]
        self.standing = Standing()
        self.waiting = 0
        self.last: Look | None = None
        self.pool = Pool(lambda: open_raw(address), deadline_s=deadline_s)

    def is_known(self, now: float) -> bool:
        """Say whether it was looked at so lately that it is as it was then."""
        if self.last is None:
            return False
        return now - self.last.at < (LOOKED_S if self.last.position else NO_REPLICA_S)

    async def look(self, connection: PostgresConnection) -> Look:
        """Ask how far it has come, which tells how quick it is as well."""
        loop = asyncio.get_running_loop()
        asked_at = loop.time()
        try:
            rows = await connection.fetch(LOOK, ())
        except asyncpg.UndefinedTableError:  # the first migration has not come this far
            rows = []
        position, by_clocks_s = None, inf
        if rows:
            by_clocks_s = rows[0]["by_clocks_s"]
            if rows[0]["replayed"] is not None:  # none where it has become the primary
                position = Position(rows[0]["timeline"], rows[0]["replayed"])
        now = loop.time()
        self.standing = self.standing.answered(now - asked_at, now)
        is_primary = bool(rows) and position is None
        self.last = Look(now, position, by_clocks_s, is_primary)
        REPLICA_LAG.labels(self.name).set(by_clocks_s)
        return self.last


class Replicas:
    def __init__(
        self,
        addresses: Sequence[Address],
        *,
        primary: Primary,
        marks: Marks,
        begin: str,
        deadline_s: float,
    ) -> None:
        self.all = [Replica(address, deadline_s=deadline_s) for address in addresses]
        self._primary, self._marks, self._begin = primary, marks, begin
        self._tasks: set[asyncio.Task[None]] = set()

    def __bool__(self) -> bool:
        return bool(self.all)

    async def enter(self, stack: AsyncExitStack, need: Freshness) -> Found | None:
        """Begin a snapshot on a replica that is new enough, and say how old it can be at most."""
        now = asyncio.get_running_loop().time()
        for place in by_cost([(one.standing, one.waiting) for one in self.all], now=now):
            found = await self._try(stack, self.all[place], need)
            if found is not None:
                return found
        return None

    async def enter_newest(self, stack: AsyncExitStack) -> Found | None:
        """Begin a snapshot on the replica that has replayed most, however little that is."""

        def replayed(one: Replica) -> tuple[int, int]:
            position = one.last.position if one.last else None
            return (position.timeline, position.offset) if position else (0, 0)

        for one in sorted(self.all, key=replayed, reverse=True):
            if not one.standing.is_out:
                found = await self._try(stack, one, Freshness(inf))
                if found is not None:
                    return found
        return None

    def age_s(self, look: Look) -> float:
        """Return how old at most what was looked at is, inf if that cannot be said."""
        as_of = self._marks.as_of(look.position) if look.position else None
        return inf if as_of is None else asyncio.get_running_loop().time() - as_of

    async def ages_by_clocks(self) -> dict[str, float | None]:
        """Return how many seconds each is behind by the servers' clocks, None if it is away."""

        async def ask(one: Replica) -> float | None:
            found: list[Look] = []

            async def look(connection: PostgresConnection) -> None:
                found.append(await one.look(connection))

            try:
                async with asyncio.timeout(FIRST_CONNECT_S):
                    async with one.pool.begun("", before=look, patience_s=FIRST_CONNECT_S):
                        return found[0].by_clocks_s
            except (Unavailable, TimeoutError):
                return None

        ages = await asyncio.gather(*map(ask, self.all))
        return {one.name: age_s for one, age_s in zip(self.all, ages, strict=True)}

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        for one in self.all:
            await one.pool.close()

    async def _try(self, stack: AsyncExitStack, one: Replica, need: Freshness) -> Found | None:
        now = asyncio.get_running_loop().time()
        if one.pool.is_full or (one.is_known(now) and not self._will_do(one.last, need)):
            return None
        seen: Look | None = None

        async def look(connection: PostgresConnection) -> None:
            nonlocal seen
            seen = await one.look(connection)
            self._compare(one, seen)
            if not self._will_do(seen, need):
                raise TooOldError

        one.waiting += 1
        try:
            async with asyncio.timeout(ANSWER_S):
                begun = one.pool.begun(self._begin, before=look, patience_s=0.0)
                connection = await stack.enter_async_context(begun)
        except TooOldError:
            one.waiting -= 1
            return None
        except (Unavailable, TimeoutError) as error:
            one.waiting -= 1
            self._leave_out(one, error)
            return None
        except BaseException:
            one.waiting -= 1
            raise
        stack.callback(self._left, one)
        assert seen is not None
        age_s = self.age_s(seen)
        return connection, seen.by_clocks_s if age_s == inf else age_s

    def _left(self, one: Replica) -> None:
        one.waiting -= 1

    def _compare(self, one: Replica, look: Look) -> None:
        """See whether the primary was followed by another: one of these, or one they follow."""
        is_another = look.is_primary and one.name != self._primary.name
        if is_another or (look.position and look.position.timeline > self._primary.timeline):
            self._primary.suspect()

    def _will_do(self, look: Look | None, need: Freshness) -> bool:
        if need.within_s == inf and need.after is None:
            return True
        if look is None or look.position is None:
            return False
        after = need.after
        if after is not None and (
            look.position.timeline != after.timeline or look.position.offset < after.offset
        ):
            return False
        return self.age_s(look) <= need.within_s

    def _leave_out(self, one: Replica, error: BaseException) -> None:
        was_out, one.standing = one.standing.is_out, one.standing.failed()
        if one.standing.is_out and not was_out:
            log.warning("replica_left_out", replica=one.name, error=repr(error))
            REPLICA_LAG.labels(one.name).set(inf)
            task = asyncio.ensure_future(self._win_back(one))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _win_back(self, one: Replica) -> None:
        """Ask *one* now and then until it has answered often enough."""
        attempt = 0

        async def look(connection: PostgresConnection) -> None:
            await one.look(connection)

        while one.standing.is_out:
            attempt += 1
            await asyncio.sleep(pause_s(attempt, first_s=0.1, most_s=2.0, jitter=jitter()))
            try:
                async with asyncio.timeout(FIRST_CONNECT_S):
                    async with one.pool.begun("", before=look, patience_s=0.0):
                        pass
            except (Unavailable, TimeoutError):
                one.standing = one.standing.failed()
            else:
                attempt = 0
        log.info("replica_is_back", replica=one.name)
