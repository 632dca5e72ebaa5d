"""The gate: the one place of a process that decides what is admitted, by forces/admission.py.

Flow      create_upload asks before the first byte, the worker before it warms → measured at most
          once in FRESH_S, whoever asks → decide() → metrics.
Promises  what exists is played and what has begun goes on without asking here.
"""

import contextlib
import heapq

import anyio
import msgspec

from headwater.engines.blobs.port import Blobs, blob_key
from headwater.engines.clock import Clock
from headwater.engines.work import Units
from headwater.forces.admission import (
    Admission,
    Level,
    Limits,
    Load,
    Reason,
    decide,
    plan_s,
    retry_after_s,
)
from headwater.forces.backoff import jitter
from headwater.model.errors import (
    BlobNotFound,
    HeadwaterError,
    Overloaded,
    StorageFull,
    Unavailable,
)
from headwater.model.job import JobKind
from headwater.observe.metrics import ADMISSION, ENCODERS, QUEUE_AGE, QUEUE_JOBS
from headwater.pipeline import load_repository

FRESH_S = 1.0
STORE_PATIENCE_S = 2.0
STORE_TURNS = 20
FIRST_PLAN_S = 1.0  # until one has been made here: of 1080p, with the first segment of each track
REMEMBERED = 10_000  # refused clients that have not been back
NOBODY = blob_key("health/nobody")  # asked for to see whether the store answers


class Gate:
    """One per process."""

    def __init__(
        self,
        *,
        units: Units,
        blobs: Blobs,
        clock: Clock,
        limits: Limits,
        expires_s: float,
    ) -> None:
        """Uploads that move are given *expires_s* more."""
        self._units, self._blobs, self._clock = units, blobs, clock
        self._limits, self._expires_s = limits, expires_s
        self._decided: Admission | None = None
        self._measured_at = 0.0
        self._turn = anyio.Lock()
        self._told: list[float] = []  # a heap: when each who was refused may come back

    async def look(self) -> Admission:
        """Return what is admitted now. Raises Unavailable if the database does not answer."""
        async with self._turn:
            if self._decided is None or self._clock.monotonic() - self._measured_at > FRESH_S:
                self._decided = decide(await self._measure(), self._limits, before=self._decided)
                self._measured_at = self._clock.monotonic()
                _show(self._decided)
            return self._decided

    async def require_open(self) -> None:
        """Pass if new uploads are taken; whoever passes is counted as coming.

        Raises:
            Overloaded: those before it keep the encoders busy; it says when to come back.
            StorageFull: the store is down to what is never used.
            Unavailable: the store does not answer.
        """
        admission = await self.look()
        if admission.level is Level.LATER:
            raise self._refusal(admission)
        load = msgspec.structs.replace(admission.load, coming=admission.load.coming + 1)
        self._decided = decide(load, self._limits, before=admission)  # until it is measured

    async def again_s(self) -> float | None:
        """Return in how many seconds new uploads may be taken again, None if they are now."""
        admission = await self.look()
        if admission.level is not Level.LATER:
            return None
        return retry_after_s(admission, told=self._waiting(), jitter=jitter())

    def _refusal(self, admission: Admission) -> HeadwaterError:
        after_s = retry_after_s(admission, told=self._waiting(), jitter=jitter())
        if len(self._told) < REMEMBERED:
            heapq.heappush(self._told, self._clock.monotonic() + after_s)
        match admission.reason:
            case Reason.DISK:
                said = "The server's disk is too full for new uploads."
                return StorageFull(said, retry_after_s=after_s)
            case Reason.STORE:
                said = "The server cannot reach its store; nothing new is taken until it can."
                return Unavailable(said, retry_after_s=after_s)
        said = "Many uploads are being prepared; new ones are asked to come a little later."
        return Overloaded(said, retry_after_s=after_s)

    def _waiting(self) -> int:
        """Return how many who were refused have not been back yet, as far as they keep to it."""
        now = self._clock.monotonic()
        while self._told and self._told[0] <= now:
            heapq.heappop(self._told)
        return len(self._told)

    async def _measure(self) -> Load:
        free_bytes = await self._free_bytes()
        async with self._units.reader() as work:
            session, now = work.session, work.now
            since = await load_repository.first_plan_since(session, now=now)
            waiting = {
                kind: await load_repository.count_waiting(session, kind, now=now)
                for kind in JobKind
            }
            last = await load_repository.last_plans(session)
            coming = await load_repository.count_coming(
                session, now=now, within_s=self._limits.wait_s, expires_s=self._expires_s
            )
            encoders = await load_repository.live_encoders(session, now=now)
        return Load(
            waiting_s=0.0 if since is None else max(0.0, now - since),
            plans=waiting[JobKind.PLAN],
            coming=coming,
            plan_s=plan_s(last, encoders=encoders) or FIRST_PLAN_S,
            encoders=encoders,
            free_bytes=free_bytes or 0,
            store_answers=free_bytes is not None,
            jobs={kind.value: count for kind, count in waiting.items()},
        )

    async def _free_bytes(self) -> int | None:
        """Return what the store can still take, None if it does not answer in STORE_PATIENCE_S.

        Waited in many short turns: what keeps this whole process from going on, a start on a busy
        machine, uses up one of them, and its answer is read in the next.
        """
        found: list[int] = []

        async def ask() -> None:
            with contextlib.suppress(HeadwaterError):
                with contextlib.suppress(BlobNotFound):
                    await self._blobs.stat(NOBODY)
                found.append(await self._blobs.free_bytes())
            group.cancel_scope.cancel()

        async with anyio.create_task_group() as group:
            group.start_soon(ask)
            for _ in range(STORE_TURNS):
                await anyio.sleep(STORE_PATIENCE_S / STORE_TURNS)
            group.cancel_scope.cancel()
        return found[0] if found else None


def _show(admission: Admission) -> None:
    load = admission.load
    QUEUE_AGE.set(load.waiting_s)
    ENCODERS.set(load.encoders)
    ADMISSION.set(admission.level)
    for kind, count in load.jobs.items():
        QUEUE_JOBS.labels(kind).set(count)
