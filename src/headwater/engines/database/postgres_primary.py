"""Where the primary is, and how far its log: found anew after a failover, asked twice a second.

Flow      Primary.open(): the host that took writes last, else the next that does → Pulse asks it
          for its position and notes the moment → Marks say as of when a copy is up to date.
Promises  a server of an older timeline than one already seen is no primary any more, whatever it
          says itself. A primary that has stopped answering is found out in four seconds; one that
          does not know of its successor, when a write is not acknowledged, a replica follows
          another, or a caller has seen a newer one: then all hosts are asked.

No two clocks are compared. A mark says: when I asked, by my own monotonic clock, everything
committed lay at or before this position. A copy that has replayed the position is therefore not
older than that moment, and reckoned too old by EVERY_S at most.

Whoever asks first in each second also writes the heartbeat: a row that names the timeline. A copy
that has replayed it follows that primary; one that still follows a deposed primary has another.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import asyncpg
import structlog

from headwater.engines.database.postgres_connection import (
    Address,
    PostgresConnection,
    host_name,
    open_host,
)
from headwater.model.errors import HeadwaterError, Unavailable
from headwater.model.freshness import Position

EVERY_S = 0.5
ANSWER_S = 1.0  # a question that reads no row
LOOK_AROUND_S = 1.0  # at most so often
AWAY = (
    *(OSError, TimeoutError, Unavailable),
    *(asyncpg.InterfaceError, asyncpg.InternalClientError),
)
MARKS = 600  # five minutes of a busy primary; idle, one mark lasts
TIMELINE = "SELECT pg_walfile_name(pg_current_wal_flush_lsn()) AS file"
POSITION = (
    "SELECT pg_walfile_name(flushed) AS file, (flushed - '0/0')::bigint AS flushed"
    " FROM pg_current_wal_flush_lsn() AS flushed"
)
IS_DUE = (
    "SELECT NOT EXISTS (SELECT FROM heartbeats WHERE timeline = $1"
    " AND written_at > extract(epoch FROM clock_timestamp()) - 1) AS due"
)
# The timeline is asked for where it is written, so that no other server's name gets into the row.
BEAT = (
    "BEGIN; SET LOCAL synchronous_commit = local; SET LOCAL statement_timeout = 500;"
    " INSERT INTO heartbeats (id, timeline, written_at)"
    " SELECT 1, ('x' || left(pg_walfile_name(pg_current_wal_flush_lsn()), 8))::bit(32)::bigint,"
    " extract(epoch FROM clock_timestamp())"
    " ON CONFLICT (id) DO UPDATE SET timeline = excluded.timeline,"
    " written_at = excluded.written_at; COMMIT"
)
log = structlog.get_logger("headwater.database")


def position_of(found: Mapping[str, Any]) -> Position:
    """Read POSITION's row: a segment's name begins with its timeline."""
    return Position(int(found["file"][:8], 16), found["flushed"])


class Primary:
    """The hosts of HEADWATER_DATABASE, and which of them takes writes."""

    def __init__(self, address: Address, *, moved: Callable[[], None]) -> None:
        """*moved* is called when another host than before is found to be the primary."""
        self.timeline = 0  # the newest seen
        self._address, self._moved = address, moved
        self._hosts = list(address.hosts)  # the one to try first comes first
        self._found = ""
        self._looking: asyncio.Task[bool] | None = None
        self._looked_at = -LOOK_AROUND_S

    @property
    def name(self) -> str:
        """The host that was found last, for people."""
        return host_name(self._found)

    def suspect(self) -> asyncio.Task[bool]:
        """Ask every host whether it has become the primary, and go there if so.

        The task says whether all of them answered; within a second of the last it is the last.
        """
        now = asyncio.get_running_loop().time()
        is_over = self._looking is None or self._looking.done()
        if self._looking is None or (is_over and now - self._looked_at >= LOOK_AROUND_S):
            self._looked_at = now
            self._looking = asyncio.ensure_future(self._look_around())
        return self._looking

    async def find_newer(self) -> bool:
        """Look for a primary that is newer, from now on, and say whether every host answered."""
        asked_at = asyncio.get_running_loop().time()
        while True:
            all_answered = await asyncio.shield(self.suspect())
            if self._looked_at >= asked_at:
                return all_answered
            await asyncio.sleep(LOOK_AROUND_S)

    async def close(self) -> None:
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait({self._looking})

    async def open(self) -> asyncpg.Connection:
        """Connect to the primary. Raises what the last host said."""
        problem: BaseException = OSError("no host is named")
        for host in list(self._hosts):
            try:
                raw = await self._open(host)
            except (*AWAY, asyncpg.PostgresError) as error:
                problem = error
                self._hosts.sort(key=lambda other: other == host)  # the others first
            else:
                self._is_at(host)
                return raw
        raise problem

    async def _look_around(self) -> bool:
        return all(await asyncio.gather(*map(self._answers, self._hosts)))

    async def _answers(self, host: str) -> bool:
        """Say whether *host* says what it is; if it is a newer primary, go there."""
        before = self.timeline
        try:
            raw = await self._open(host)
        except asyncpg.TargetServerAttributeNotMatched:
            return True
        except (*AWAY, asyncpg.PostgresError) as error:
            return isinstance(error, Unavailable)  # an older one
        raw.terminate()
        if 0 < before < self.timeline:  # else nobody was connected to another yet
            self._is_at(host, is_newer=True)
        return True

    def _is_at(self, host: str, *, is_newer: bool = False) -> None:
        self._hosts.sort(key=lambda other: other != host)
        before, self._found = self._found, host
        if is_newer or before not in {"", host}:  # one name may lead to another server, too
            log.warning("primary_moved", to=host_name(host))
            self._moved()

    async def _open(self, host: str) -> asyncpg.Connection:
        raw = await open_host(self._address, host)
        try:
            await self._look(raw)
        except BaseException:
            raw.terminate()
            raise
        return raw

    async def _look(self, raw: asyncpg.Connection) -> None:
        async with asyncio.timeout(ANSWER_S):
            timeline = int((await raw.fetchval(TIMELINE))[:8], 16)
        if timeline < self.timeline:
            raise Unavailable("an old primary answers; a newer one was seen", retry_after_s=2)
        self.timeline = timeline


class Marks:
    """Positions of the primary, and when each was asked for."""

    def __init__(self) -> None:
        self._marks: deque[tuple[float, Position]] = deque(maxlen=MARKS)

    @property
    def newest(self) -> Position | None:
        return self._marks[-1][1] if self._marks else None

    def add(self, asked_at: float, position: Position) -> None:
        if self._marks and self._marks[-1][1] == position:
            self._marks.pop()  # nothing was written since: it holds for a later moment
        self._marks.append((asked_at, position))

    def as_of(self, replayed: Position) -> float | None:
        """Return a moment before which nothing committed is missing from *replayed*."""
        for asked_at, position in reversed(self._marks):
            if position.timeline == replayed.timeline and position.offset <= replayed.offset:
                return asked_at
        return None


class Pulse:
    """Asks the primary again and again; *silent* is called when it stands still."""

    def __init__(self, primary: Primary, *, silent: Callable[[], None]) -> None:
        self.marks = Marks()
        self.is_away = False
        self._primary, self._silent = primary, silent
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        if self._task is None:
            self._task = asyncio.ensure_future(self._run())

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _run(self) -> None:
        connection: PostgresConnection | None = None
        is_silent = False
        try:
            while True:
                try:
                    if connection is None or connection.is_lost:
                        raw = await self._primary.open()
                        connection = PostgresConnection(raw, deadline_s=ANSWER_S)
                    await self._ask(connection)
                    self.is_away = is_silent = False
                except Exception as error:  # noqa: BLE001 — it goes on whatever the server says
                    self.is_away = True
                    log.info("primary_is_away", error=repr(error))
                    if is_silent:  # nor does it take a new connection
                        self._silent()
                    is_silent = isinstance(error, TimeoutError)
                await asyncio.sleep(EVERY_S)
        finally:
            if connection is not None:
                connection.raw.terminate()

    async def _ask(self, connection: PostgresConnection) -> None:
        """Note a mark. Raises TimeoutError if the server says nothing."""
        asked_at = asyncio.get_running_loop().time()
        async with asyncio.timeout(ANSWER_S):
            (found,) = await connection.fetch(POSITION, ())
        position = position_of(found)
        timeline = position.timeline
        if timeline < self._primary.timeline:
            connection.raw.terminate()
            raise Unavailable("an old primary answers; a newer one was seen")
        self._primary.timeline = timeline
        self.marks.add(asked_at, position)
        try:
            (row,) = await connection.fetch(IS_DUE, (timeline,))
            if row["due"]:
                await connection.command(BEAT)
        except HeadwaterError as error:  # another was writing it, or a full disk
            log.debug("no_heartbeat", error=str(error))
            if not connection.is_lost:
                await connection.command("ROLLBACK")
