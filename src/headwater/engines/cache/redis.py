"""A cache of two levels: what this process holds, over what the fleet holds in Redis.

Flow      held here → in Redis → else one process of the fleet makes it, under a lease, while the
          others look again with short pauses.
Promises  Redis away, late or empty means slower, never wrong: each process then makes for itself.
          A value carries the tokens its tags had before it was made; purging a tag ends its token,
          so that whatever was begun before the purge is never believed after it, in any process.
          A tag that could not be purged is purged before Redis is asked again; what another life
          of Redis held (a restart, a failover) is never looked at; nor is, after an outage, what
          was there before it. Values are bytes; nothing that is read can run.

A purge that is lost, because its process died while Redis was away, costs what a value's lifetime
allows and no more. Lifetimes are by the clocks of the hosts, as far as those agree.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from hashlib import blake2b
from typing import Any

import msgspec
from redis.asyncio import Redis

from headwater.engines.cache.answers import Answer, Make, make_answer
from headwater.engines.cache.level import LARGEST_BYTES, Level
from headwater.engines.clock import Clock
from headwater.engines.entropy import public_id
from headwater.engines.reach import Reach
from headwater.engines.redis_link import DEADLINE_S, RedisLink, Return, Script
from headwater.forces.backoff import jitter, pause_s
from headwater.model.errors import Unavailable

HELD_BYTES = 16 << 20
LEASE_S = 1.0  # a maker that died, or did not hear that it has the lease, is not waited for longer
PATIENCE_S = 6.0  # nor one that lives: who waited so long makes for itself
FIRST_PAUSE_S, MOST_PAUSE_S = 0.004, 0.05
CALM_S = 0.1  # how long a stale value is served before looking whether the other has made it
OUTAGE_S = 1.0  # shorter, and only what this process could not purge is out of date
UNPURGED = 10_000  # tags; beyond, everything is purged
EVERYTHING = "*"  # a tag that every value has
TOKEN = 16
TAG_LIFE_MS = 3_600_000  # at least; and as long as any value that carries it

# Each runs as one step. KEYS: the value, its lease, its tags; tokens are joined in that order.
TAKE = Script("""
local tokens = ''
for i = 3, #KEYS do
  local token = redis.call('GET', KEYS[i])
  if not token then
    token = ARGV[1]
    redis.call('SET', KEYS[i], token, 'PX', ARGV[3])
  end
  tokens = tokens .. token
end
local value = redis.call('GET', KEYS[1])
if value and string.sub(value, 1, #tokens) == tokens
    and string.sub(value, #tokens + 1, #tokens + #ARGV[1]) ~= ARGV[4] then
  return {'made', value, tokens}
end
local lease = redis.call('GET', KEYS[2])
if lease and string.sub(lease, #ARGV[1] + 1) == tokens then return {'wait'} end
redis.call('SET', KEYS[2], ARGV[1] .. tokens, 'PX', ARGV[2])
return {'make', tokens}
""")
PUT = Script("""
local tokens = ''
for i = 3, #KEYS do tokens = tokens .. (redis.call('GET', KEYS[i]) or '') end
if tokens == ARGV[2] and ARGV[3] ~= '' then
  redis.call('SET', KEYS[1], tokens .. ARGV[1] .. ARGV[3], 'PX', ARGV[4])
  for i = 3, #KEYS do redis.call('PEXPIRE', KEYS[i], ARGV[4], 'GT') end
end
if redis.call('GET', KEYS[2]) == ARGV[1] .. ARGV[2] then redis.call('DEL', KEYS[2]) end
""")
RENEW = Script("""
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
""")
END_IF = Script("""
if ARGV[1] == '' or redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
""")


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """What stands in Redis behind the tokens and the mark; times are Unix seconds."""

    fresh_until: float
    stale_s: float
    cost_s: float
    missing: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Asked:
    """A key with its *tags*, *fresh_s* and *stale_s* as the caller gave them."""

    key: str
    tags: tuple[str, ...]
    fresh_s: float
    stale_s: float


@dataclass(frozen=True, slots=True)
class Turn:
    """Leave to make: *mark* names who makes, *tokens* are those of the tags before it began."""

    mark: bytes
    tokens: bytes


class RedisCache:
    reach = Reach.FLEET

    def __init__(
        self,
        url: str,
        clock: Clock,
        *,
        version: str,
        held_bytes: int = HELD_BYTES,
        deadline_s: float = DEADLINE_S,
    ) -> None:
        """Values of another *version* of this program are not looked at."""
        self._clock = clock
        self._level = Level(clock, most_bytes=held_bytes)
        self._link = RedisLink(url, used_for="cache", on_return=self._settle, deadline_s=deadline_s)
        self._version = version
        self._everything = b""  # the token of EVERYTHING as last seen
        self._unpurged: set[str] = set()

    async def get_or_make(
        self,
        key: str,
        make: Make,
        *,
        fresh_s: float,
        stale_s: float = 0.0,
        tags: tuple[str, ...] = (),
    ) -> bytes:
        asked = Asked(key, tags, fresh_s, stale_s)
        return await self._level.get(key, partial(self._fetch, asked, make), tags)

    async def purge(self, *tags: str) -> None:
        self._level.forget(*tags)
        try:
            await self._link.ask(lambda redis: redis.unlink(*map(self._tag, tags)))
        except Unavailable as error:
            self._unpurged |= set(tags)
            if len(self._unpurged) > UNPURGED:
                self._unpurged = {EVERYTHING}
            self._link.lose(error)

    def forget(self, *tags: str) -> None:
        self._level.forget(*tags)

    async def check(self) -> str:
        return await self._link.check()

    async def close(self) -> None:
        await self._level.close()
        await self._link.close()

    # Making

    async def _fetch(self, asked: Asked, make: Make, instead_of: Answer | None) -> Answer:
        lifetime = partial(
            make_answer, make, fresh_s=asked.fresh_s, stale_s=asked.stale_s, clock=self._clock
        )
        try:
            turn = await self._turn(asked, instead_of)
        except Unavailable:
            return await lifetime()
        if isinstance(turn, Answer):
            return turn
        renewing = asyncio.create_task(self._renew(asked, turn))
        answer = None
        try:
            answer = await lifetime(mark=turn.mark)
        finally:
            renewing.cancel()
            await self._put(asked, turn, answer)
        return answer

    async def _turn(self, asked: Asked, instead_of: Answer | None) -> Answer | Turn:
        """Return the answer that is there, or leave to make one. Raises Unavailable: no Redis."""
        found = await self._look(asked)
        seen = found.mark if found else b""
        if found is not None and found.lasts_s <= 0:
            found = None
        if found is not None:
            is_wanted = instead_of is None or (found.mark != instead_of.mark and found.fresh_s > 0)
            if is_wanted:
                return found
        attempt, give_up_at = 0, self._now() + PATIENCE_S
        while self._now() < give_up_at:
            turn = await self._take(asked, seen)
            if isinstance(turn, Turn) or (turn is not None and turn.lasts_s > 0):
                return turn
            if turn is not None:
                seen = turn.mark
            if found is not None:  # another makes it; it may be served meanwhile
                return found if found.fresh_s > 0 else _once_more(found)
            attempt += 1
            await asyncio.sleep(
                pause_s(attempt, first_s=FIRST_PAUSE_S, most_s=MOST_PAUSE_S, jitter=jitter())
            )
        raise Unavailable("Nobody makes it.")

    async def _look(self, asked: Asked) -> Answer | None:
        async def look(redis: Redis) -> Sequence[Any]:
            return await redis.mget(self._value(asked), *self._tags(asked))

        value, *tokens = await self._link.ask(look)
        known: list[bytes] = [token for token in tokens if token is not None]
        if value is None or len(known) < len(tokens):
            return None
        self._everything = known[0]
        return self._read(asked, value, b"".join(known))

    def _read(self, asked: Asked, value: bytes, tokens: bytes) -> Answer | None:
        """Return what *value* says; None: it was made under other tokens."""
        if not value.startswith(tokens):
            return None
        start = len(tokens) + TOKEN
        try:
            entry = _decode(value[start:])
        except msgspec.MsgspecError:  # nobody of ours wrote it
            entry = Entry(0.0, 0.0, 0.0, "", b"")
        return Answer(
            entry.body,
            min(entry.fresh_until - self._clock.now(), asked.fresh_s),
            entry.stale_s,
            cost_s=entry.cost_s,
            missing=entry.missing,
            mark=value[len(tokens) : start],
        )

    async def _take(self, asked: Asked, seen: bytes) -> Answer | Turn | None:
        """Return an answer other than the one *seen*, a turn, or None: another has it."""
        mark = public_id(TOKEN).encode()

        async def take(redis: Redis) -> Sequence[Any]:
            lease_ms = int(LEASE_S * 1000)
            taken: Sequence[Any] = await TAKE.run(
                redis, self._keys(asked), mark, lease_ms, TAG_LIFE_MS, seen
            )
            return taken

        said, *rest = await self._link.ask(take)
        if said == b"make":
            return Turn(mark, rest[0])
        return self._read(asked, *rest) if said == b"made" else None

    async def _renew(self, asked: Asked, turn: Turn) -> None:
        """Hold the lease for as long as making takes."""
        held, lease_ms = turn.mark + turn.tokens, int(LEASE_S * 1000)

        async def renew(redis: Redis) -> None:
            await RENEW.run(redis, self._keys(asked)[1:2], held, lease_ms)

        while True:
            await asyncio.sleep(LEASE_S / 3)
            with contextlib.suppress(Unavailable):
                await self._link.ask(renew)

    async def _put(self, asked: Asked, turn: Turn, answer: Answer | None) -> None:
        """Keep *answer* unless a tag was purged since; give the turn back in any case."""
        life_ms, said = 0, b""
        if answer is not None and len(answer.body) <= LARGEST_BYTES:
            life_ms = int((answer.fresh_s + answer.stale_s) * 1000)
            entry = Entry(
                self._clock.now() + answer.fresh_s,
                answer.stale_s,
                answer.cost_s,
                answer.missing,
                answer.body,
            )
            said = msgspec.msgpack.encode(entry) if life_ms > 0 else b""

        async def put(redis: Redis) -> None:
            await PUT.run(redis, self._keys(asked), turn.mark, turn.tokens, said, life_ms)

        with contextlib.suppress(Unavailable):
            await self._link.ask(put)

    # Coming back

    async def _settle(self, returned: Return) -> None:
        """End what is out of date before anybody asks; in another life nothing is looked at."""
        if returned.away_s > OUTAGE_S:
            # Once for all who were away: who comes back second finds another token than it knew.
            await END_IF.run(returned.redis, (self._tag(EVERYTHING),), self._everything)
        while self._unpurged:
            tags = tuple(self._unpurged)
            await returned.redis.unlink(*map(self._tag, tags))
            self._unpurged.difference_update(tags)

    # Names

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def _keys(self, asked: Asked) -> tuple[str, ...]:
        value = self._value(asked)
        return (value, f"{value}:lease", *self._tags(asked))

    def _value(self, asked: Asked) -> str:
        return self._name("value", asked.key)

    def _tags(self, asked: Asked) -> tuple[str, ...]:
        return (self._tag(EVERYTHING), *map(self._tag, asked.tags))

    def _tag(self, tag: str) -> str:
        return self._name("tag", tag)

    def _name(self, kind: str, text: str) -> str:
        """Name a key without saying who or what it is about."""
        digest = blake2b(text.encode(), digest_size=16).hexdigest()
        return f"headwater:{self._version}:{self._link.life}:{kind}:{digest}"


_decode = msgspec.msgpack.Decoder(Entry).decode


def _once_more(stale: Answer) -> Answer:
    """Return *stale* to be served for a moment longer, no longer in all."""
    fresh_s = min(CALM_S, stale.lasts_s)
    return replace(stale, fresh_s=fresh_s, stale_s=stale.lasts_s - fresh_s)
