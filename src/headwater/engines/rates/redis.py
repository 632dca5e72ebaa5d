"""Rates over the processes of a fleet: the same laws as in memory, one step in Redis each.

Promises  while Redis is away each process counts for itself, from what it has served already: a
          limit is then per process, never open and never closed to everybody.
"""

from collections.abc import Mapping, Sequence
from hashlib import blake2b

from headwater.engines.rates.memory import MemoryRates
from headwater.engines.reach import Reach
from headwater.engines.redis_link import DEADLINE_S, RedisLink, Script
from headwater.forces.pacing import FORGET_S, Pace
from headwater.model.errors import Unavailable

HIT = Script("""
local now, times, per_s = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local number = math.floor(now / per_s)
local held = redis.call('HMGET', KEYS[1], 'window', 'hits', 'before')
local window, hits, before = tonumber(held[1] or number), tonumber(held[2] or 0),
  tonumber(held[3] or 0)
if number > window then
  before, hits, window = window == number - 1 and hits or 0, 0, number
elseif number < window then  -- the clock of this host is behind another's
  now, number = window * per_s, window
end
local into = now - number * per_s
local share_left = 1 - into / per_s
if hits + 1 + before * share_left <= times then
  redis.call('HSET', KEYS[1], 'window', window, 'hits', hits + 1, 'before', before)
  redis.call('EXPIRE', KEYS[1], 2 * per_s)
  return ''
end
local wait_s = (share_left - (times - hits - 1) / before) * per_s
if hits + 1 > times then
  wait_s = per_s - into + (hits + 1 - times) / hits * per_s
end
return string.format('%.17g', wait_s)
""")
# ARGV: now, how long tries are remembered, then for each key how many are free and the bound.
ATTEMPT = Script("""
local now, forget_s, wait_s = tonumber(ARGV[1]), tonumber(ARGV[2]), 0
for _, key in ipairs(KEYS) do
  wait_s = math.max(wait_s, tonumber(redis.call('HGET', key, 'not_before') or 0) - now)
end
if wait_s > 0 then return string.format('%.17g', wait_s) end
for i, key in ipairs(KEYS) do
  local free, longest_s = tonumber(ARGV[2 * i + 1]), tonumber(ARGV[2 * i + 2])
  local held = redis.call('HMGET', key, 'count', 'last_at')
  local count = tonumber(held[1] or 0)
  if now - tonumber(held[2] or now) > forget_s then count = 0 end
  count = count + 1
  local pause_s = 0
  if count >= free then pause_s = math.min(2 ^ math.min(count - free, 20), longest_s) end
  redis.call('HSET', key, 'count', count, 'last_at', ARGV[1],
    'not_before', string.format('%.17g', now + pause_s))
  redis.call('EXPIRE', key, math.ceil(forget_s + longest_s))
end
return '0'
""")
FORGIVE = Script("""
redis.call('DEL', KEYS[1])
local count = tonumber(redis.call('HGET', KEYS[2], 'count') or 0)
if count > 0 then redis.call('HSET', KEYS[2], 'count', count - 1, 'not_before', 0) end
""")


class RedisRates:
    reach = Reach.FLEET

    def __init__(self, url: str, *, deadline_s: float = DEADLINE_S) -> None:
        self._link = RedisLink(url, used_for="rates", deadline_s=deadline_s)
        self._own = MemoryRates()  # what this process let pass

    async def hit(self, key: str, *, times: int, per_s: int, now: float) -> float | None:
        try:
            said = await self._run(HIT, [key], now, times, per_s)
        except Unavailable:
            return await self._own.hit(key, times=times, per_s=per_s, now=now)
        if said:
            return float(said)
        await self._own.hit(key, times=times, per_s=per_s, now=now)
        return None

    async def attempt(self, paces: Mapping[str, Pace], *, now: float) -> float:
        bounds = [bound for pace in paces.values() for bound in (pace.free, pace.longest_s)]
        try:
            wait_s = float(await self._run(ATTEMPT, list(paces), now, FORGET_S, *bounds))
        except Unavailable:
            return await self._own.attempt(paces, now=now)
        if wait_s <= 0:
            await self._own.attempt(paces, now=now)
        return wait_s

    async def forgive(self, name: str, *, taken_back: str) -> None:
        await self._own.forgive(name, taken_back=taken_back)
        try:
            await self._run(FORGIVE, [name, taken_back])
        except Unavailable:
            return  # they are forgotten within the hour

    async def close(self) -> None:
        await self._link.close()

    async def _run(self, script: Script, names: Sequence[str], *values: float) -> bytes:
        keys = list(map(_key, names))
        said: bytes = await self._link.ask(lambda redis: script.run(redis, keys, *values))
        return said


def _key(name: str) -> str:
    """Name a key without saying whom it counts."""
    return f"headwater:rate:{blake2b(name.encode(), digest_size=16).hexdigest()}"
