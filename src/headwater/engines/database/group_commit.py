"""Group commit: the writers of one process take turns on one connection and share flushes.

Flow      a writer gets its turn → BEGIN IMMEDIATE unless a transaction is open → SAVEPOINT → its
          block → RELEASE → the next in line, or, when nobody waits, one COMMIT for all that ended.
Promises  nobody returns before the COMMIT that covers it is on the disk; one that fails takes back
          only its own savepoint; a COMMIT that fails fails everybody it would have covered.

A block should await nothing but its session: those that ended before it wait for it.
"""

import asyncio
import contextlib
import sqlite3
from collections import deque
from concurrent.futures import ThreadPoolExecutor

from headwater.engines.database.connection import (
    SqliteConnection,
    is_busy,
    is_moved,
    translated,
)
from headwater.forces.backoff import jitter, pause_s
from headwater.model.errors import HeadwaterError, Moved, Unavailable

GROUP_S = 0.02  # nobody waits longer than this for others to join its flush


class GroupCommit:
    def __init__(self, connection: SqliteConnection, *, deadline_s: float) -> None:
        self._raw = connection.raw
        self._deadline_s = deadline_s
        self._thread = ThreadPoolExecutor(1, "sqlite-commit")
        self._queue: deque[asyncio.Future[None]] = deque()
        self._ended: list[asyncio.Future[None]] = []
        self._ended_since = 0.0
        self._changes_before = 0
        self._busy = False
        self._closing = False
        self._holder: asyncio.Task[object] | None = None

    async def enter(self) -> None:
        """Wait for the turn and open a savepoint in a transaction that holds the write lock.

        Raises:
            Unavailable: another writer, here or in another process, kept it past the deadline.
        """
        task = asyncio.current_task()
        if task is not None and task is self._holder:
            raise RuntimeError("a writer block inside a writer block of the same task never ends")
        if self._closing:
            raise Unavailable("the database is closing")
        await self._turn()
        try:
            if not self._raw.in_transaction:
                await self._begin()
            self._raw.execute("SAVEPOINT block").close()
        except BaseException:
            self._move_on()
            raise
        self._holder = task

    async def keep(self) -> None:
        """End the block and return when what it wrote is durable."""
        self._holder = None
        try:
            self._raw.execute("RELEASE block").close()
        except sqlite3.Error as error:
            lost = Unavailable("the database took this write back")
            self._lose(lost)
            raise lost from error
        loop = asyncio.get_running_loop()
        mine = loop.create_future()
        if not self._ended:
            self._ended_since = loop.time()
        self._ended.append(mine)
        self._move_on()
        await mine

    def drop(self, error: BaseException) -> None:
        """End the block and take back what it wrote."""
        self._holder = None
        if not self._raw.in_transaction:  # a full disk makes SQLite roll everything back by itself
            ours = isinstance(error, HeadwaterError)
            self._lose(error if ours else Unavailable("the database took this write back"))
            return
        self._raw.execute("ROLLBACK TO block").close()
        self._raw.execute("RELEASE block").close()
        self._move_on()

    async def close(self) -> None:
        """Wait for the writers in line and the last flush, then end the flushing thread."""
        self._closing = True
        while self._busy:
            with contextlib.suppress(Unavailable):
                await self._turn()
                self._move_on()
        self._thread.shutdown()

    async def _turn(self) -> None:
        if not self._busy:
            self._busy = True
            return
        turn = asyncio.get_running_loop().create_future()
        self._queue.append(turn)
        try:
            async with asyncio.timeout(self._deadline_s):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():  # given in the moment of giving up
                self._move_on()
            if isinstance(error, TimeoutError):
                raise Unavailable("the database is busy writing", retry_after_s=1) from None
            raise

    async def _begin(self) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._deadline_s
        attempt = 0
        while True:
            try:
                self._raw.execute("BEGIN IMMEDIATE").close()
            except sqlite3.Error as error:
                if not is_busy(error):
                    raise translated(error) from error
                if loop.time() > deadline:
                    raise Unavailable(
                        "another process keeps the database", retry_after_s=1
                    ) from None
            else:
                if is_moved(self._raw):
                    self._raw.execute("ROLLBACK").close()
                    raise Moved("the rows have moved to another database", retry_after_s=1)
                self._changes_before = self._raw.total_changes
                return
            attempt += 1
            # SQLite's lock has no queue; short random pauses keep the processes about even.
            await asyncio.sleep(pause_s(attempt, first_s=0.001, most_s=0.02, jitter=jitter()))

    def _grant(self) -> bool:
        while self._queue:
            turn = self._queue.popleft()
            if not turn.done():
                turn.set_result(None)
                return True
        return False

    def _move_on(self) -> None:
        """Hand the connection to the next writer, or flush for those that have ended."""
        waited_s = asyncio.get_running_loop().time() - self._ended_since if self._ended else 0.0
        if waited_s < GROUP_S and self._grant():
            return
        if self._ended:
            self._flush()
            return
        if self._raw.in_transaction:  # nothing to keep: free the lock for other processes
            self._raw.execute("ROLLBACK").close()
        self._busy = self._grant()

    def _flush(self) -> None:
        covered, self._ended = self._ended, []
        if self._raw.total_changes == self._changes_before:  # they only looked: nothing to flush
            self._raw.execute("ROLLBACK").close()
            self._answer(covered, None)
            self._busy = self._grant()
            return

        def flushed(commit: asyncio.Future[None]) -> None:
            self._answer(covered, commit.exception())
            self._busy = self._grant()

        commit = asyncio.get_running_loop().run_in_executor(self._thread, self._commit)
        commit.add_done_callback(flushed)

    def _commit(self) -> None:
        try:
            self._raw.execute("COMMIT").close()
        except sqlite3.Error:
            if self._raw.in_transaction:
                self._raw.execute("ROLLBACK").close()
            raise

    def _lose(self, error: BaseException) -> None:
        """The whole transaction is gone with *error*: tell all that had ended in it."""
        lost, self._ended = self._ended, []
        if self._raw.in_transaction:
            self._raw.execute("ROLLBACK").close()
        self._answer(lost, error)
        self._move_on()

    @staticmethod
    def _answer(covered: list[asyncio.Future[None]], error: BaseException | None) -> None:
        for ended in covered:
            if ended.done():  # its task was cancelled while it waited
                continue
            if error is None:
                ended.set_result(None)
            else:
                ended.set_exception(translated(error))
