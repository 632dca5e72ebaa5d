"""The worker: takes demands and jobs, makes what they ask for, and tells the database.

Flow      notices and a slow poll wake it → demands first, each at once → jobs, fair between owners.
Promises  an urgent encode never waits for a warm one; what a dead worker held comes back with its
          lease; draining finishes what somebody waits for and returns the rest.
"""

import contextlib
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass

import anyio
import structlog
from anyio.abc import TaskGroup

from headwater.engines.blobs.port import Blobs
from headwater.engines.media.port import Media
from headwater.engines.notices.port import MISSED, Notices
from headwater.forces.admission import Admission, Level, Reason
from headwater.forces.backoff import jitter
from headwater.library.changes import read_news, topic_of
from headwater.model.errors import (
    CannotContinue,
    Gone,
    HeadwaterError,
    InvalidInput,
    StorageFull,
)
from headwater.model.ids import GenerationId, JobId, TrackId, VideoId
from headwater.model.job import Job, JobKind
from headwater.model.video import Failure
from headwater.observe.metrics import JOB_SECONDS, JOB_WAIT_SECONDS, JOBS
from headwater.observe.spans import JOB, JOB_WAITED, PLAYABLE
from headwater.observe.traces import Opened, following, past
from headwater.pipeline.ask import Ask
from headwater.pipeline.demanded import Demanded
from headwater.pipeline.generations_repository import Source
from headwater.pipeline.joining import Joining
from headwater.pipeline.keys import remux_prefix
from headwater.pipeline.maker import Maker
from headwater.pipeline.plan_video import NEVER_COPY, plan_video
from headwater.pipeline.replace import replace
from headwater.pipeline.sweep import remove_prefix
from headwater.pipeline.warm import Warmth, warm_turn
from headwater.planning.plan import PlanSettings
from headwater.planning.speeds import speeds

HEARTBEAT_S = 10.0
POLL_S = 2.0  # the last resort: notices may be lost
URGENT_PER_ENCODER = 2
FULL_PAUSE_S = 5.0  # between two looks whether a full disk has room again

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSettings:
    """*encoders* codec processes warm at the same time; *warmth* says which rungs are warmed;
    *floor_bytes* of the store stay free.
    """

    encoders: int
    warmth: Warmth
    floor_bytes: int
    planning: PlanSettings
    secret: bytes


class Worker:
    """One per process. run() works until stop(); then it drains."""

    def __init__(
        self,
        *,
        ask: Ask,
        blobs: Blobs,
        media: Media,
        notices: Notices,
        holder: str,
        settings: WorkerSettings,
    ) -> None:
        """*holder* names this process in rows."""
        self._ask, self._blobs, self._media, self._notices = ask, blobs, media, notices
        self._holder, self._settings = holder, settings
        self._maker = Maker(
            ask=ask, blobs=blobs, media=media, holder=holder, floor_bytes=settings.floor_bytes
        )
        self._warm = anyio.Semaphore(settings.encoders)
        self._demanded = Demanded(
            ask=ask,
            maker=self._maker,
            at_once=settings.encoders * URGENT_PER_ENCODER,
            turn_to_warm=self._turn_to_warm,
            build=media.build,
            woke=self._wake,
        )
        self._joining = Joining(
            ask=ask,
            maker=self._maker,
            holder=holder,
            build=media.build,
            warmth=settings.warmth,
            at_once=settings.encoders,
            turn_to_warm=self._turn_to_warm,
            woke=self._wake,
        )
        # By run, not by job: a job that gave its turn back may be leased again before its run ends.
        self._runs: dict[object, tuple[Job, anyio.CancelScope]] = {}
        self._broken_off: set[object] = set()
        self._woken = anyio.Event()
        self._stopping = anyio.Event()

    def stop(self) -> None:
        """Take nothing new and drop what nobody waits for; run() returns when the rest is done."""
        self._stopping.set()
        self._drop_idle()
        self._wake()

    def _drop_idle(self) -> None:
        """Drop what nobody waits for."""
        self._demanded.drop_ahead()
        self._joining.drop()
        for run, (job, _) in self._runs.items():
            if job.kind is not JobKind.PLAN:
                self._break_off(run)

    def _drop_video(self, video: VideoId) -> None:
        """Drop what is made of *video*, which was deleted; taken back, it goes on later."""
        self._joining.drop(video)
        for run, (job, _) in self._runs.items():
            if job.video == video and job.kind is not JobKind.SWEEP:
                self._break_off(run)

    def _break_off(self, run: object) -> None:
        self._broken_off.add(run)
        self._runs[run][1].cancel()

    @property
    def waits_for(self) -> list[str]:
        """What is being made that somebody waits for, in words; empty if nothing is."""
        plans = sum(job.kind is JobKind.PLAN for job, _ in self._runs.values())
        segments = self._demanded.waited_for
        return [
            *([f"segments that viewers wait for: {segments}"] if segments else ()),
            *([f"uploads becoming playable: {plans}"] if plans else ()),
        ]

    def _wake(self) -> None:
        self._woken.set()

    async def run(self) -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(self._listen)
            group.start_soon(self._heartbeat)
            while not self._stopping.is_set():
                self._woken = anyio.Event()
                try:
                    await self._demanded.take(group)
                    await self._take_jobs(group)
                except HeadwaterError as error:  # an engine is away: look again at the next poll
                    log.warning("worker.look", error=str(error), code=error.code)
                with anyio.move_on_after(POLL_S):
                    await self._woken.wait()
            self._drop_idle()  # what was taken while stop() was called
            while self._demanded.is_busy or self._joining.is_busy or self._runs:
                with anyio.move_on_after(POLL_S):
                    self._woken = anyio.Event()
                    await self._woken.wait()
            group.cancel_scope.cancel()

    async def _listen(self) -> None:
        async with self._notices.listen("jobs", "demands", topic_of(VideoId("*"))) as news:
            async for topic, body in news:
                if topic in {"jobs", "demands", MISSED}:
                    self._wake()
                elif (told := read_news(body)).deleted_at is not None:
                    self._maker.materials.forget_video(told.id)
                    self._drop_video(told.id)

    async def _heartbeat(self) -> None:
        while True:
            with contextlib.suppress(HeadwaterError):
                lost: list[JobId] = await self._ask(
                    "pipeline.keep_leases",
                    holder=self._holder,
                    jobs=[job.id for job, _ in self._runs.values()],
                    held=self._maker.held,
                )
                for job, scope in self._runs.values():
                    if job.id in lost:
                        scope.cancel()
            self._maker.materials.forget_idle()
            await anyio.sleep(HEARTBEAT_S)

    # Jobs

    async def _kinds_wanted(self) -> list[JobKind]:
        """Return what to take on: with a full store what makes room, without it nothing."""
        admission: Admission = await self._ask("system.load")
        if admission.reason is Reason.STORE:
            return []
        running = [job.kind for job, _ in self._runs.values()]
        any_more = len(running) < 2 * self._settings.encoders
        kinds = [JobKind.SWEEP] if any_more else []
        if admission.reason is Reason.DISK:
            return kinds
        if running.count(JobKind.PLAN) < self._settings.encoders:
            kinds.append(JobKind.PLAN)
        if admission.level is not Level.OPEN:  # nobody waits for the rest
            return kinds
        if any_more:
            kinds.append(JobKind.COMPACT)
        if running.count(JobKind.WARM) + self._joining.is_busy < self._settings.encoders:
            kinds.append(JobKind.WARM)
        return kinds

    async def _take_jobs(self, group: TaskGroup) -> None:
        while not self._stopping.is_set() and (kinds := await self._kinds_wanted()):
            job: Job | None = await self._ask(
                "pipeline.lease_job",
                holder=self._holder,
                kinds=kinds,
                build=self._media.build,
            )
            if job is None:
                if JobKind.WARM in kinds and not self._joining.is_busy:
                    at_work = [job.video for job, _ in self._runs.values()]
                    await self._joining.take(group, besides=at_work)
                return
            run = object()
            self._runs[run] = (job, anyio.CancelScope())
            group.start_soon(self._run_job, run)

    async def _run_job(self, run: object) -> None:
        """Do a job; what cannot even be told to the database comes back with its lease.

        One that is broken off waits for the next worker, as if nobody had taken it.
        """
        job, scope = self._runs[run]
        is_ended = False
        try:
            with scope, _traced(job) as span:
                outcome = await self._do(job)
                span.tell(outcome=outcome)
                JOBS.labels(job.kind, outcome).inc()
                is_ended = True
        except HeadwaterError as error:
            log.warning("job.left", job=job.id, kind=job.kind, error=str(error), code=error.code)
        finally:
            if not is_ended:
                JOBS.labels(job.kind, "broken-off").inc()
            if not is_ended and (self._stopping.is_set() or run in self._broken_off):
                await self._give_back(job)
            self._broken_off.discard(run)
            del self._runs[run]
            self._woken.set()

    async def _give_back(self, job: Job) -> None:
        with anyio.CancelScope(shield=True), contextlib.suppress(HeadwaterError):
            await self._ask("pipeline.postpone_job", job=job, error=None, pause_s=0.0)

    async def _do(self, job: Job) -> str:
        """Do the job and say how it ended, in one of the words of the metrics."""
        try:
            match job.kind:
                case JobKind.PLAN:
                    await self._plan(job)
                case JobKind.WARM:
                    await self._warm_up(job)
                case JobKind.SWEEP:
                    await self._ask("pipeline.sweep", job=job)
                case JobKind.COMPACT:
                    await self._ask("pipeline.compact", job=job)
        except Gone:
            await self._ask("pipeline.finish_job", job=job)
        except InvalidInput as error:
            failure = Failure(error.code, str(error))
            await self._ask("pipeline.refuse", job=job, failure=failure)
            return "refused"
        except StorageFull as error:
            log.warning("job.waits", job=job.id, kind=job.kind, error=str(error))
            pause_s = FULL_PAUSE_S * (1 + jitter())
            await self._ask("pipeline.postpone_job", job=job, error=str(error), pause_s=pause_s)
            return "waits"
        except HeadwaterError as error:
            await self._failed(job, str(error))
            return "failed"
        except Exception as error:
            log.exception("job.failed", job=job.id, kind=job.kind)
            await self._failed(job, type(error).__name__)
            return "failed"
        return "done"

    async def _failed(self, job: Job, error: str) -> None:
        log.warning("job.failed", job=job.id, kind=job.kind, video=job.video, error=error)
        await self._ask("pipeline.fail_job", job=job, error=error, jitter=jitter())

    async def _plan(self, job: Job) -> None:
        """Plan and record; of a video deleted meanwhile nothing may stay. Raises Gone then."""
        try:
            await self._plan_and_record(job)
        except BaseException:
            with anyio.CancelScope(shield=True):
                try:
                    await self._ask("pipeline.get_source", video=job.video)
                except Gone:
                    await remove_prefix(self._blobs, f"{job.video}/")
            raise

    async def _plan_and_record(self, job: Job) -> None:
        source: Source = await self._ask("pipeline.get_source", video=job.video)
        planned = await plan_video(
            job.video,
            source.extents,
            source.remuxed,
            blobs=self._blobs,
            media=self._media,
            settings=NEVER_COPY if source.copy_refused else self._settings.planning,
            secret=self._settings.secret,
            attempt=f"{job.id}-{job.attempts}",
        )
        pace = self._maker.pace.of(planned.generation, urgent=True)
        await self._ask(
            "pipeline.record_plan",
            job=job,
            planned=planned,
            speeds=speeds(planned.plan, pace),
        )
        past(PLAYABLE, video=job.video, started_at=job.created_at, generation=planned.generation)
        if planned.remuxed:  # what an earlier attempt left behind
            kept = {extent.key for extent in planned.remuxed}
            await remove_prefix(self._blobs, remux_prefix(job.video), keep=kept)

    async def _warm_up(self, job: Job) -> None:
        generation: GenerationId | None = await self._ask(
            "pipeline.current_generation", video=job.video
        )
        if generation is None:
            raise Gone("The video is gone.")

        async def make(tracks: Sequence[TrackId], index: int) -> bool:
            return await self._maker.make(
                generation, tracks, index, urgent=False, turn=self._turn_to_warm
            )

        try:
            await warm_turn(
                job,
                generation,
                ask=self._ask,
                maker=self._maker,
                make=make,
                warmth=self._settings.warmth,
                at_once=self._settings.encoders,
            )
        except CannotContinue as error:
            await replace(self._ask, generation, error, build=self._media.build, job=job)

    @contextlib.asynccontextmanager
    async def _turn_to_warm(self) -> AsyncIterator[None]:
        async with self._warm:
            yield


@contextlib.contextmanager
def _traced(job: Job) -> Iterator[Opened]:
    """Measure a leased job, and make its work part of its video's trace."""
    JOB_WAIT_SECONDS.labels(job.kind).observe(max(job.updated_at - job.run_at, 0.0))
    past(JOB_WAITED, video=job.video, started_at=job.run_at, kind=job.kind, job=job.id)
    started_at = anyio.current_time()
    try:
        with following(JOB, job.video, kind=job.kind, job=job.id, attempts=job.attempts) as span:
            yield span
    finally:
        JOB_SECONDS.labels(job.kind).observe(anyio.current_time() - started_at)
