"""The job table keeps the promises of pipeline/jobs_repository.py, on every database."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.base import Executable

from headwater.engines.database.port import Database, Parameters, Row, Session
from headwater.engines.database.sqlite import SqliteDatabase
from headwater.model.errors import Conflict, NotFound
from headwater.model.ids import AccountId, GenerationId, JobId, TrackId, VideoId
from headwater.model.job import Job, JobKind, JobState
from headwater.pipeline import jobs_repository, leases_repository
from tests.support.databases import open_at

pytestmark = pytest.mark.anyio

ALL = tuple(JobKind)
ANN, BOB = AccountId("ann"), AccountId("bob")


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = open_at(database_url)
    await database.migrate()
    yield database
    await database.close()


async def enqueue(
    database: Database,
    video: str,
    *,
    owner: AccountId = ANN,
    kind: JobKind = JobKind.WARM,
    now: float = 0.0,
    run_at: float | None = None,
) -> JobId:
    async with database.writer() as session:
        return await jobs_repository.enqueue(
            session, kind=kind, video=VideoId(video), owner=owner, now=now, run_at=run_at
        )


async def lease(
    database: Database, now: float, *, kinds: Sequence[JobKind] = ALL, holder: str = "h"
) -> Job | None:
    async with database.writer() as session:
        return await jobs_repository.lease_next(
            session, kinds=kinds, holder=holder, now=now, lease_s=30.0
        )


async def leased(database: Database, now: float) -> Job:
    job = await lease(database, now)
    assert job is not None
    return job


async def get(database: Database, id: JobId) -> Job:
    async with database.reader() as session:
        return await jobs_repository.get(session, id)


async def fail(database: Database, id: JobId, *, now: float, jitter: float = 0.0) -> bool:
    async with database.writer() as session:
        return await jobs_repository.fail(session, id, error="broke", now=now, jitter=jitter)


async def yield_back(database: Database, id: JobId, cursor: int, now: float) -> None:
    async with database.writer() as session:
        await jobs_repository.yield_back(session, id, cursor=cursor, now=now)


async def reap(database: Database, now: float) -> list[Job]:
    async with database.writer() as session:
        return await jobs_repository.reap(session, now=now)


async def test_a_job_is_leased_to_one(database: Database) -> None:
    """Many workers ask at once; one gets it."""
    job_id = await enqueue(database, "v")
    got = await asyncio.gather(*(lease(database, 1.0, holder=f"h{i}") for i in range(8)))
    [job] = [job for job in got if job is not None]
    assert (job.id, job.state, job.leased_until) == (job_id, JobState.LEASED, 31.0)


async def test_one_live_job_of_a_kind_per_video(database: Database) -> None:
    """Asking again returns the same one with the new time; after it is done, a new one."""
    job_id = await enqueue(database, "v", run_at=50.0)
    assert await enqueue(database, "v", now=1.0, run_at=100.0) == job_id
    assert await enqueue(database, "v", kind=JobKind.PLAN) != job_id
    assert (await get(database, job_id)).run_at == 100.0

    job = await lease(database, 100.0, kinds=[JobKind.WARM])
    assert job is not None
    assert await enqueue(database, "v", now=101.0) == job_id
    async with database.writer() as session:
        await jobs_repository.finish(session, job_id, now=102.0)
    assert await enqueue(database, "v", now=103.0) != job_id


async def test_not_before_its_time(database: Database) -> None:
    await enqueue(database, "v", run_at=10.0)
    assert await lease(database, 9.9) is None
    assert await lease(database, 10.0, kinds=[JobKind.PLAN]) is None
    assert await lease(database, 10.0) is not None


async def test_fair_between_owners(database: Database) -> None:
    """One owner's hundred videos do not keep another's two waiting, whoever came first."""
    for i in range(100):
        await enqueue(database, f"a{i}", owner=ANN)
    for i in range(2):
        await enqueue(database, f"b{i}", owner=BOB, now=1.0)

    served = Counter[str]()
    for turn in range(8):
        job = await leased(database, 2.0 + turn)
        served[job.owner] += 1
        if turn == 3:
            assert served == {ANN: 2, BOB: 2}
    assert served == {ANN: 6, BOB: 2}


async def test_a_long_warm_up_shares_its_turns(database: Database) -> None:
    """A job that yields goes behind the other owners, and its owner's other videos get turns."""
    for video, owner in (("a1", ANN), ("a2", ANN), ("b1", BOB)):
        await enqueue(database, video, owner=owner)
    turns = []
    for turn in range(8):
        job = await leased(database, 1.0 + turn)
        turns.append(job.video)
        await yield_back(database, job.id, job.cursor + 1, 1.0 + turn)
    assert turns == ["a1", "b1", "a2", "b1", "a1", "b1", "a2", "b1"]


async def test_planning_comes_before_warming(database: Database) -> None:
    await enqueue(database, "old")
    await enqueue(database, "new", kind=JobKind.PLAN, now=5.0)
    assert (await leased(database, 6.0)).kind is JobKind.PLAN


async def test_a_yielded_job_keeps_its_cursor_and_is_forgiven(database: Database) -> None:
    job_id = await enqueue(database, "v")
    await leased(database, 1.0)
    await fail(database, job_id, now=1.0)
    await leased(database, 10.0)
    await yield_back(database, job_id, 7, 11.0)
    job = await get(database, job_id)
    assert (job.state, job.cursor, job.attempts, job.error) == (JobState.QUEUED, 7, 0, None)


async def test_failures_wait_longer_and_end(database: Database) -> None:
    """Five attempts, each pause about twice the last, then dead with the reason."""
    job_id = await enqueue(database, "v")
    now, pauses = 0.0, []
    for attempt in range(1, 6):
        assert (await leased(database, now)).id == job_id
        assert await fail(database, job_id, now=now) is (attempt == 5)
        job = await get(database, job_id)
        assert job.attempts == attempt
        pauses.append(job.run_at - now)
        assert await lease(database, job.run_at - 0.001) is None
        now = job.run_at
    assert pauses[:4] == [2.0, 4.0, 8.0, 16.0]
    job = await get(database, job_id)
    assert (job.state, job.error, job.leased_by) == (JobState.DEAD, "broke", None)
    assert await lease(database, 1e9) is None


async def test_jitter_takes_up_to_half_of_a_pause(database: Database) -> None:
    job_id = await enqueue(database, "v")
    await leased(database, 0.0)
    await fail(database, job_id, now=0.0, jitter=0.5)
    assert (await get(database, job_id)).run_at == 1.5


async def test_a_dead_job_is_tried_again(database: Database) -> None:
    """With all its attempts, unless another does the same already."""
    job_id = await enqueue(database, "v")
    for i in range(5):
        await leased(database, 1000.0 * i)
        await fail(database, job_id, now=1000.0 * i)
    async with database.writer() as session:
        await jobs_repository.retry(session, job_id, now=9000.0)
        with pytest.raises(Conflict):
            await jobs_repository.retry(session, job_id, now=9000.0)
        with pytest.raises(NotFound):
            await jobs_repository.retry(session, JobId("none"), now=9000.0)
    job = await leased(database, 9000.0)
    assert (job.id, job.attempts, job.error) == (job_id, 0, None)


async def test_a_dead_job_is_not_tried_beside_its_successor(database: Database) -> None:
    job_id = await enqueue(database, "v")
    for i in range(5):
        await leased(database, 1000.0 * i)
        await fail(database, job_id, now=1000.0 * i)
    await enqueue(database, "v", now=9000.0)
    async with database.writer() as session:
        with pytest.raises(Conflict):
            await jobs_repository.retry(session, job_id, now=9000.0)


async def test_what_a_dead_worker_held_comes_back(database: Database) -> None:
    """After the lease, not before; a heartbeat keeps it, and only its holder's."""
    job_id = await enqueue(database, "v")
    await leased(database, 0.0)

    async def beat(holder: str, now: float) -> bool:
        async with database.writer() as session:
            return await jobs_repository.heartbeat(
                session, job_id, holder=holder, now=now, lease_s=30.0
            )

    assert await beat("h", 20.0)
    assert not await beat("other", 20.0)
    assert await reap(database, 49.0) == []
    assert await lease(database, 49.0) is None
    assert await reap(database, 51.0) == []
    assert not await beat("h", 51.0)
    assert (await leased(database, 51.0)).attempts == 0


async def test_what_kills_every_worker_dies_in_the_end(database: Database) -> None:
    """And whoever reaps it is told, to tell the owner."""
    job_id = await enqueue(database, "v")
    now = 0.0
    for loss in range(1, jobs_repository.LOSSES + 1):
        assert (await leased(database, now)).id == job_id
        dead = await reap(database, now + 31.0)
        assert [job.id for job in dead] == ([job_id] if loss == jobs_repository.LOSSES else [])
        now += 31.0 + jobs_repository.LOSS_PAUSE_S * loss
    assert (await get(database, job_id)).state is JobState.DEAD


async def test_a_deleted_video_needs_no_work(database: Database) -> None:
    """Waiting or at work: cancelled, and what its worker says later changes nothing."""
    waiting = await enqueue(database, "v", kind=JobKind.COMPACT, run_at=1e9)
    working = await enqueue(database, "v")
    other = await enqueue(database, "w", run_at=1e9)
    await leased(database, 0.0)
    async with database.writer() as session:
        await jobs_repository.cancel_for_video(session, VideoId("v"), now=1.0)
    assert await fail(database, working, now=2.0) is False
    await yield_back(database, working, 3, 2.0)
    async with database.writer() as session:
        await jobs_repository.finish(session, working, now=2.0)

    states = {name: (await get(database, name)).state for name in (waiting, working, other)}
    assert states == {
        waiting: JobState.CANCELLED,
        working: JobState.CANCELLED,
        other: JobState.QUEUED,
    }


async def test_jobs_are_listed_newest_first(database: Database) -> None:
    ids = [await enqueue(database, f"v{i}") for i in range(5)]
    async with database.writer() as session:
        await jobs_repository.finish(session, ids[2], now=1.0)
        listed = await jobs_repository.list_jobs(session, state=None, limit=3)
        done = await jobs_repository.list_jobs(session, state="done", limit=9)
        of_video = await jobs_repository.of_video(session, VideoId("v1"))
        forgotten = await jobs_repository.forget_done(session, before_id=ids[4])
    assert [job.id for job in listed] == ids[:1:-1]
    assert [job.id for job in done] == [ids[2]]
    assert [job.id for job in of_video] == [ids[1]]
    assert forgotten == 1
    with pytest.raises(NotFound):
        await get(database, ids[2])


async def acquire(database: Database, holder: str, now: float, until: float) -> bool:
    async with database.writer() as session:
        return await leases_repository.acquire(
            session, GenerationId("g"), TrackId("v720"), 3, holder=holder, now=now, until=until
        )


async def release(database: Database, holder: str) -> None:
    async with database.writer() as session:
        await leases_repository.release(
            session, GenerationId("g"), TrackId("v720"), 3, holder=holder
        )


async def test_a_segment_is_made_by_one(database: Database) -> None:
    """Until it is released, or its maker is overdue; a late release takes nothing from another."""
    assert await acquire(database, "a", 0.0, 30.0)
    assert not await acquire(database, "b", 29.0, 59.0)
    assert not await acquire(database, "a", 29.0, 35.0)
    async with database.writer() as session:
        held = [(GenerationId("g"), TrackId("v720"), 3)]
        await leases_repository.renew(session, held, holder="a", until=40.0)
    assert not await acquire(database, "b", 39.0, 69.0)
    assert await acquire(database, "b", 40.0, 70.0)
    await release(database, "a")
    assert not await acquire(database, "a", 41.0, 71.0)
    await release(database, "b")
    assert await acquire(database, "a", 42.0, 72.0)
    async with database.writer() as session:
        assert await leases_repository.forget_expired(session, now=73.0) == 1


async def test_who_hurries_takes_over_what_yields(database: Database) -> None:
    """From the background alone; what the one in the background then gives back is not the other's.

    Both may be tasks of one holder.
    """
    generation, track = GenerationId("g"), TrackId("v720")

    async def acquire(*, yields: bool = False, over: bool = False) -> bool:
        async with database.writer() as session:
            return await leases_repository.acquire(
                session,
                *(generation, track, 3),
                holder="a",
                now=1.0,
                until=30.0,
                yields=yields,
                over=over,
            )

    async def release(*, yields: bool) -> bool:
        async with database.writer() as session:
            return await leases_repository.release(
                session, generation, track, 3, holder="a", yields=yields
            )

    assert await acquire(yields=True)
    assert not await acquire()
    assert await acquire(over=True)
    assert not await acquire(over=True)
    assert not await release(yields=True)
    assert not await acquire()
    assert await release(yields=False)
    assert await acquire(yields=True)


async def test_what_the_dead_held_is_free_at_once(database: Database) -> None:
    """Jobs and segments; those of the living stay theirs until they are overdue."""
    queued = [await enqueue(database, video) for video in ("v1", "v2")]
    for holder in ("dead", "alive"):
        await lease(database, 1.0, holder=holder)
    assert await acquire(database, "dead", 1.0, 31.0)

    async with database.writer() as session:
        died = await jobs_repository.reap(session, now=2.0, gone=["dead"])
        await leases_repository.drop(session, ["dead"])

    assert died == []
    states = [(job.state, job.leased_by) for job in [await get(database, one) for one in queued]]
    assert sorted(states, key=str) == [(JobState.LEASED, "alive"), (JobState.QUEUED, None)]
    assert (await leased(database, 2.0)).leased_until == 32.0
    assert await acquire(database, "alive", 2.0, 32.0)


async def test_what_must_wait_is_not_blamed(database: Database) -> None:
    """It comes back at its time with all its attempts before it."""
    job = await enqueue(database, "v")
    for turn in range(10):
        await leased(database, 100.0 * turn)
        async with database.writer() as session:
            now = 100.0 * turn
            await jobs_repository.postpone(session, job, run_at=now + 5.0, error="full", now=now)
        assert await lease(database, 100.0 * turn + 4.9) is None
    assert ((await get(database, job)).attempts, (await get(database, job)).error) == (0, "full")


class Explained:
    """A session that asks the database how it would find the rows of each statement."""

    def __init__(self, session: Session, *, is_sqlite: bool) -> None:
        self._session = session
        self._dialect = sqlite.dialect() if is_sqlite else postgresql.dialect()
        self._question = "EXPLAIN QUERY PLAN" if is_sqlite else "EXPLAIN"
        self.plans: list[tuple[list[str], str]] = []

    async def _explain(self, statement: Any, parameters: Parameters | None) -> None:
        filled = statement.params(parameters) if parameters else statement
        asked = filled.compile(dialect=self._dialect, compile_kwargs={"literal_binds": True})
        plain = str(asked).replace(":", "\\:")
        rows = await self._session.rows(text(f"{self._question} {plain}"))
        self.plans.append(([str(list(row.values())[-1]) for row in rows], str(asked)))

    async def rows(
        self, statement: Executable, parameters: Parameters | None = None
    ) -> Sequence[Row]:
        await self._explain(statement, parameters)
        return await self._session.rows(statement, parameters)

    async def row(self, statement: Executable, parameters: Parameters | None = None) -> Row | None:
        await self._explain(statement, parameters)
        return await self._session.row(statement, parameters)

    async def execute(self, statement: Executable, parameters: Parameters | None = None) -> int:
        await self._explain(statement, parameters)
        return await self._session.execute(statement, parameters)


async def test_no_query_scans_the_table(database: Database) -> None:
    """Each finds its rows by an index, however many jobs there are."""
    video, generation, track = VideoId("v"), GenerationId("g"), TrackId("a1")
    is_sqlite = isinstance(database, SqliteDatabase)
    async with database.writer() as real:
        if not is_sqlite:  # few rows are read faster than an index: what matters is that one fits
            await real.row(select(func.set_config("enable_seqscan", "off", True)))
        session = Explained(real, is_sqlite=is_sqlite)
        job_id = await jobs_repository.enqueue(
            session, kind=JobKind.WARM, video=video, owner=ANN, now=0.0
        )
        await jobs_repository.enqueue(session, kind=JobKind.WARM, video=video, owner=ANN, now=0.0)
        await jobs_repository.lease_next(session, kinds=ALL, holder="h", now=1.0, lease_s=1.0)
        await jobs_repository.heartbeat(session, job_id, holder="h", now=1.0, lease_s=1.0)
        await jobs_repository.yield_back(session, job_id, cursor=1, now=1.0)
        await jobs_repository.lease_next(session, kinds=ALL, holder="h", now=1.0, lease_s=1.0)
        for _ in range(5):
            await jobs_repository.fail(session, job_id, error="", now=1.0, jitter=0.0)
            await jobs_repository.lease_next(session, kinds=ALL, holder="h", now=1e9, lease_s=1.0)
        await jobs_repository.retry(session, job_id, now=1.0)
        await jobs_repository.reap(session, now=1.0)
        await jobs_repository.list_jobs(session, state=None, limit=9)
        await jobs_repository.list_jobs(session, state="dead", limit=9)
        await jobs_repository.of_video(session, video)
        await jobs_repository.cancel_for_video(session, video, now=1.0)
        await jobs_repository.finish(session, job_id, now=1.0)
        await jobs_repository.forget_done(session, before_id="1")
        for _ in range(2):
            await leases_repository.acquire(
                session, generation, track, 0, holder="h", now=0.0, until=1.0
            )
        await leases_repository.renew(session, [(generation, track, 0)], holder="h", until=2.0)
        await leases_repository.release(session, generation, track, 0, holder="h")
        await leases_repository.forget_expired(session, now=2.0)

    assert len(session.plans) > 30
    for plan, statement in session.plans:
        if is_sqlite:
            assert_found_by_sqlite(plan, statement)
        else:
            assert_found_by_postgres(plan, statement)


def assert_found_by_sqlite(plan: list[str], statement: str) -> None:
    for detail in plan:
        if detail.startswith("SCAN jobs"):
            # Walking an index in order and stopping at the limit is no scan.
            assert "USING INDEX" in detail, statement
            assert "LIMIT" in statement
        assert not detail.startswith("SCAN leases"), statement
        assert "TEMP B-TREE" not in detail or "jobs" not in detail, (detail, statement)


def assert_found_by_postgres(plan: list[str], statement: str) -> None:
    whole = "\n".join(plan)
    assert "Seq Scan" not in whole, (whole, statement)
    if "Scan" in whole:
        assert "Index Cond" in whole or "Limit" in whole, (whole, statement)
