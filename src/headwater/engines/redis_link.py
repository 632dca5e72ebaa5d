"""The line to a Redis that may be away: every question has a deadline, and nobody waits for one
that is known to be gone.

Flow      ask(send) → an answer in time, or Unavailable. After a broken connection, or FAILURES late
          answers in a row, the line is away: ask() refuses at once, while one task tries with
          growing pauses until a server answers; then *on_return* runs, and only then ask() asks.
Promises  between two returns everything is asked of one life of one server: every connection
          compares the server's run id, so that no restart and no failover is overlooked.

Source: https://redis.io/docs/latest/commands/info/ (run_id).
"""

import asyncio
import contextlib
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog
from redis.asyncio import Connection, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as Broken
from redis.exceptions import NoScriptError, RedisError, ResponseError

from headwater.forces.backoff import jitter, pause_s
from headwater.model.errors import Unavailable

DEADLINE_S = 0.1  # of one question: slower than this, the database is the better one to ask
RETURN_S = 1.0  # of one try to come back, and of all that is done then
FAILURES = 3  # late answers in a row: a single one may be a pause of our own
CONNECTIONS = 8  # what more would add is our own processor's time, which the deadline counts
FIRST_PAUSE_S, MOST_PAUSE_S = 0.05, 2.0
GONE: tuple[type[Exception], ...] = (RedisError, OSError, TimeoutError)

T = TypeVar("T")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Return:
    """A server answers after *away_s*; *same*: the one asked before, which lived through it.

    *redis* may be asked, while everybody else still waits.
    """

    redis: Redis
    same: bool
    away_s: float


OnReturn = Callable[[Return], Awaitable[None]]


async def _nothing(returned: Return) -> None:
    _ = returned


class Script:
    """A script that runs as one step; Redis is given its text once and its hash from then on."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._hash = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()

    async def run(self, redis: Redis, keys: Sequence[str], *values: str | bytes | float) -> Any:
        try:
            return await redis.evalsha(self._hash, len(keys), *keys, *values)
        except NoScriptError:
            return await redis.eval(self._text, len(keys), *keys, *values)


class RedisLink:
    """One per adapter. *used_for* is for the log.

    *on_return* runs at the first contact too; if it raises one of GONE, the line stays away.
    """

    def __init__(
        self,
        url: str,
        *,
        used_for: str,
        on_return: OnReturn = _nothing,
        deadline_s: float = DEADLINE_S,
    ) -> None:
        self._url, self._used_for = url, used_for
        self._on_return, self._deadline_s = on_return, deadline_s
        self._turns = asyncio.Semaphore(CONNECTIONS)
        self._lines: set[Connection] = set()
        self._redis = self._client()
        self._life = ""  # the run id all connections must find; empty: whichever answers first
        self._failures = 0
        self._here = asyncio.Event()  # set while somebody answers
        self._is_tried = asyncio.Event()  # set once it was tried whether somebody does
        self._since: float | None = None
        self._returning: asyncio.Task[None] | None = None

    @property
    def is_away(self) -> bool:
        return not self._here.is_set()

    @property
    def life(self) -> str:
        """Name the life of the server that is asked: what another life held is not believed."""
        return self._life

    async def until_here(self) -> None:
        """Return once somebody answers."""
        if self.is_away and self._returning is None:
            self._start_returning()
        await self._here.wait()

    async def ask(
        self, send: Callable[[Redis], Awaitable[T]], *, deadline_s: float | None = None
    ) -> T:
        """Return what *send* gets from Redis. Raises Unavailable: away, late, or refused."""
        if not self._is_tried.is_set():
            await self._try_first()
        async with self._turns:
            if self.is_away:
                raise Unavailable(f"Redis ({self._used_for}) is away.")
            redis = self._redis
            try:
                async with asyncio.timeout(deadline_s or self._deadline_s):
                    answer = await send(redis)
            except ResponseError as error:  # it is there; a full memory refuses what writes
                raise Unavailable(f"Redis ({self._used_for}) refused: {error}") from error
            except GONE as error:
                self._failures += 1
                if isinstance(error, Broken) or self._failures >= FAILURES:
                    self.lose(error)
                raise Unavailable(f"Redis ({self._used_for}) did not answer.") from error
            if redis is not self._redis or self.is_away:
                raise Unavailable(f"Redis ({self._used_for}) answered, and is another by now.")
            self._failures = 0
            return answer

    def lose(self, why: object = "") -> None:
        """Ask nothing until *on_return* has run: what Redis holds may be out of date."""
        if self._here.is_set():
            self._here.clear()
            self._since = asyncio.get_running_loop().time()
            log.warning("redis.away", used_for=self._used_for, error=str(why))
        if self._returning is None:
            self._start_returning()

    async def check(self) -> str:
        """Return the name and version of the server. Raises Unavailable."""
        said: dict[str, Any] = await self.ask(lambda redis: redis.info("server"))
        return f"Redis {said['redis_version']}"

    async def close(self) -> None:
        if self._returning is not None:
            self._returning.cancel()
            await asyncio.wait({self._returning})
        await self._hang_up()
        await self._redis.aclose()

    def _client(self) -> Redis:
        return Redis.from_url(
            self._url,
            protocol=2,
            driver_info=None,
            socket_timeout=None,  # the deadline is of the whole question
            socket_connect_timeout=None,
            retry=Retry(NoBackoff(), 0),
            max_connections=CONNECTIONS + 1,  # one for who returns
            redis_connect_func=self._met,
        )

    async def _met(self, connection: Connection) -> None:
        """Compare who answers on a new connection. Raises Broken: it is another life."""
        self._lines.add(connection)
        await connection.on_connect()
        await connection.send_command("INFO", "server")
        said = bytes(await connection.read_response()).split()
        life = next((part[7:].decode() for part in said if part.startswith(b"run_id:")), "")
        if not life or (self._life and life != self._life):
            raise Broken("another server answers" if life else "it does not say its run id")
        self._life = life

    async def _try_first(self) -> None:
        """Let the first questions of all wait for the first try."""
        if self._returning is None:
            self._start_returning()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(RETURN_S):
                await self._is_tried.wait()

    async def _hang_up(self) -> None:
        """Close every connection without waiting for the other side, which may stand still."""
        while self._lines:
            await self._lines.pop().disconnect(nowait=True)

    def _start_returning(self) -> None:
        if self._since is None:
            self._since = asyncio.get_running_loop().time()
        self._returning = asyncio.create_task(self._return())

    async def _return(self) -> None:
        """Try until a server answers and what waits for it is done."""
        attempt, before = 0, self._life
        try:
            while True:
                try:
                    async with asyncio.timeout(RETURN_S):
                        away_s = await self._try(before)
                    break
                except GONE as error:
                    attempt += 1
                    self._is_tried.set()
                    tell = log.warning if attempt == 1 and not before else log.debug
                    tell("redis.still_away", used_for=self._used_for, error=str(error))
                await asyncio.sleep(
                    pause_s(attempt, first_s=FIRST_PAUSE_S, most_s=MOST_PAUSE_S, jitter=jitter())
                )
            if before or attempt:
                log.info("redis.here", used_for=self._used_for, away_s=round(away_s, 3))
            self._failures, self._since = 0, None
            self._here.set()
            self._is_tried.set()
        finally:
            self._returning = None

    async def _try(self, before: str) -> float:
        """Meet whoever answers now, on new connections, and say how long nobody did."""
        await self._hang_up()
        self._redis, self._life = self._client(), ""
        await self._redis.ping()
        assert self._since is not None
        away_s = asyncio.get_running_loop().time() - self._since
        await self._on_return(Return(self._redis, same=self._life == before, away_s=away_s))
        return away_s
