"""Notices between the hosts of a fleet: one bounded stream in Redis that every process reads.

Flow      publish → our own listeners at once; the others by the stream, whose entries are numbered
          without a gap → each process reads on from the last number it saw, waiting in Redis.
Promises  a line that was cut for a short time is caught up with; a gap in the numbers, or another
          Redis than before, is told as MISSED. What could not be published waits in memory, in
          order, for Redis to return; requests never wait longer for it than one deadline.

A stream and not PUBLISH, which forgets whoever is not there at the moment (decisions/0017).

Source: https://redis.io/docs/latest/commands/xread/ and /xadd/.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from redis.asyncio import Redis

from headwater.engines.entropy import public_id
from headwater.engines.notices.listeners import Listeners, check_size
from headwater.engines.notices.port import MISSED
from headwater.engines.reach import Reach
from headwater.engines.redis_link import RedisLink, Return, Script
from headwater.forces.backoff import jitter, pause_s
from headwater.model.errors import Unavailable

KEYS = STREAM, NUMBER = "headwater:notices", "headwater:notices:number"
KEPT = 16_384  # some MB at the usual size, and the news of a minute in a busy fleet
UNSENT = 1000
REMEMBERED_S = 3600  # how far a publisher has come, after it said the last
BATCH = 500
WAIT_MS = 1000  # in Redis, for the next news
PATIENCE_S = 1.0  # for the answer after that; a frozen Redis is noticed then
FIRST_PAUSE_S, MOST_PAUSE_S = 0.05, 2.0
# What was not answered in time is sent again, and may have been taken: it counts once.
# Numbers begin at the clock of Redis, so that they go on above all earlier ones where it lost them.
BEGIN = """
if redis.call('EXISTS', KEYS[2]) == 0 then
  redis.call('SET', KEYS[2], redis.call('TIME')[1] .. '000000')
end
"""
NEWEST = Script(BEGIN + "return redis.call('GET', KEYS[2])")
ADD = Script(
    BEGIN
    + """
if tonumber(redis.call('GET', KEYS[3]) or 0) >= tonumber(ARGV[3]) then return end
redis.call('SET', KEYS[3], ARGV[3], 'EX', ARGV[4])
redis.call('INCR', KEYS[2])
redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], redis.call('GET', KEYS[2]) .. '-0',
  'by', ARGV[2], 'topic', ARGV[5], 'body', ARGV[6])
"""
)


class RedisNotices:
    reach = Reach.FLEET

    def __init__(self, url: str) -> None:
        self._link = RedisLink(url, used_for="notices", on_return=self._catch_up)
        self._name = public_id()  # ours are told here already when the stream brings them
        self._listeners = Listeners()
        self._seen = 0
        self._turn = asyncio.Lock()  # they arrive in the order of their numbers
        self._said = 0
        self._unsent: deque[tuple[int, str, bytes]] = deque()
        self._reading: asyncio.Task[None] | None = None

    async def publish(self, topic: str, body: bytes = b"") -> None:
        check_size(topic, body)
        self._listeners.tell(topic, body)
        async with self._turn:
            self._said += 1
            news = (self._said, topic, body)
            if not self._unsent:
                try:
                    await self._link.ask(lambda redis: self._send(redis, *news))
                except Unavailable as error:
                    self._link.lose(error)  # what waits is sent when it returns
                else:
                    return
            if len(self._unsent) == UNSENT:
                self._unsent.popleft()
                self._unsent[0] = (self._unsent[0][0], MISSED, b"")
            self._unsent.append(news)

    @asynccontextmanager
    async def listen(self, *topics: str) -> AsyncIterator[AsyncIterator[tuple[str, bytes]]]:
        try:
            newest = await self._link.ask(_newest)
        except Unavailable:
            newest = self._seen  # whoever listens by then hears MISSED if there was more
        with self._listeners.added(topics, since=newest) as listener:
            if self._reading is None:
                self._seen = newest
                self._reading = asyncio.create_task(self._read())
            yield listener

    async def check(self) -> str:
        return await self._link.check()

    async def close(self) -> None:
        self._listeners.close()
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait({self._reading})
        await self._link.close()

    async def _send(self, redis: Redis, said: int, topic: str, body: bytes) -> None:
        keys = (*KEYS, f"{NUMBER}:{self._name}")
        await ADD.run(redis, keys, KEPT, self._name, said, REMEMBERED_S, topic, body)

    async def _read(self) -> None:
        attempt = 0
        while True:
            await self._link.until_here()
            try:
                answer = await self._link.ask(self._wait, deadline_s=WAIT_MS / 1000 + PATIENCE_S)
            except Unavailable as error:
                self._link.lose(error)
                attempt += 1
                await asyncio.sleep(
                    pause_s(attempt, first_s=FIRST_PAUSE_S, most_s=MOST_PAUSE_S, jitter=jitter())
                )
                continue
            attempt = 0
            for _, entries in answer or ():
                for id_, fields in entries:
                    self._heard(int(id_.split(b"-")[0]), fields)

    def _wait(self, redis: Redis) -> Awaitable[Any]:
        return redis.xread({STREAM: f"{self._seen}-0"}, count=BATCH, block=WAIT_MS)

    def _heard(self, number: int, fields: Mapping[bytes, bytes]) -> None:
        if number != self._seen + 1:
            self._listeners.missed()
        self._seen = number
        if fields[b"by"].decode() == self._name:
            return
        if (topic := fields[b"topic"].decode()) == MISSED:
            self._listeners.missed()
        else:
            self._listeners.tell(topic, fields[b"body"], number)

    async def _catch_up(self, returned: Return) -> None:
        """Say what was missed for good, then send what waited; the rest is read as ever."""
        newest = await _newest(returned.redis)
        if not returned.same or newest < self._seen:
            self._listeners.missed()
            self._seen = newest
        while self._unsent:
            await self._send(returned.redis, *self._unsent[0])
            self._unsent.popleft()


async def _newest(redis: Redis) -> int:
    return int(await NEWEST.run(redis, KEYS))
