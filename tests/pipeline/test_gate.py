"""The gate: new uploads come later while the encoders are behind; what has begun goes on."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest

from headwater.compose.core import Core
from headwater.engines.media.port import Media
from headwater.forces.admission import Level, Limits
from headwater.model.actor import SYSTEM
from headwater.model.errors import BlobNotFound, Overloaded, StorageFull, Unavailable
from headwater.model.ids import VideoId
from headwater.model.job import Job, JobKind
from headwater.model.process import Process
from headwater.model.upload import Upload
from headwater.model.video import VideoState
from headwater.pipeline import gate, jobs_repository
from headwater.pipeline.gate import Gate
from tests.pipeline.kept import units_of
from tests.pipeline.working import working
from tests.support.clocks import OwnTime
from tests.support.system import actor_of, add_video, system

pytestmark = pytest.mark.anyio

WAIT_S = 60
METADATA = {"filename": "harbour.mp4"}


@pytest.fixture
async def core(tmp_path: Path) -> AsyncIterator[Core]:
    async with system(tmp_path, queue_age_s=WAIT_S, free_floor_bytes=0) as opened:
        yield opened


async def queue(core: Core, kind: JobKind, *, since_s: float = 0.0) -> VideoId:
    """Let a job of *kind* wait since then; what it works on is no video at all."""
    video = await add_video(core, await actor_of(core), state=VideoState.PROCESSING)
    async with core.engines.writer(SYSTEM) as work:
        now = work.now - since_s
        await jobs_repository.enqueue(
            work.session, kind=kind, video=video.id, owner=video.owner, now=now
        )
    return video.id


def process_of(name: str, *, encoders: int) -> Process:
    return Process(
        id=name,
        role="worker",
        host=name,
        folder="",
        version="",
        build="",
        encoders=encoders,
        store="",
        alone=False,
        started_at=0.0,
    )


def gate_of(core: Core, *, wait_s: float = WAIT_S, floor_bytes: int = 0) -> Gate:
    """Open a gate that nobody has asked yet."""
    return Gate(
        units=units_of(core),
        blobs=core.blobs,
        clock=core.clock,
        limits=Limits(wait_s=wait_s, floor_bytes=floor_bytes),
        expires_s=core.settings.upload_expires_s,
    )


async def create(core: Core) -> Upload:
    actor = await actor_of(core)
    upload: Upload = await core.runner.run("uploads.create", actor, length=3, metadata=METADATA)
    return upload


async def test_new_uploads_come_later_once_the_first_has_waited_too_long(core: Core) -> None:
    """Told before a byte is sent, with the time to come back; no row is left behind."""
    await queue(core, JobKind.PLAN, since_s=WAIT_S + 1)

    with pytest.raises(Overloaded) as refused:
        await create(core)

    assert refused.value.retry_after_s is not None
    assert refused.value.retry_after_s >= WAIT_S / 2
    unfinished = await core.runner.run("uploads.unfinished", await actor_of(core))
    assert not unfinished


async def test_what_has_begun_goes_on(core: Core) -> None:
    """An upload that was created before is taken to its end, and becomes a video."""
    upload = await create(core)
    await queue(core, JobKind.PLAN, since_s=WAIT_S + 1)
    assert (await gate_of(core).look()).level is Level.LATER

    async def body() -> AsyncIterator[bytes]:
        await anyio.lowlevel.checkpoint()
        yield b"abc"

    actor = await actor_of(core)
    appended: Upload = await core.runner.run(
        "uploads.append", actor, upload_id=upload.id, offset=0, body=body()
    )

    assert appended.completed_at is not None


async def test_many_young_ones_are_a_long_wait_too(core: Core) -> None:
    """Nobody has waited yet, but each of these needs a second."""
    for _ in range(8):
        await queue(core, JobKind.PLAN)

    admission = await gate_of(core, wait_s=4 * gate.FIRST_PLAN_S).look()

    assert admission.level is Level.LATER
    assert admission.load.plans == 8
    assert admission.load.wait_s >= 4 * gate.FIRST_PLAN_S


async def test_encoders_are_those_of_all_who_live(core: Core) -> None:
    """Four times as many serve four times as fast; who has fallen silent serves nobody."""
    for name, encoders in (("one", 1), ("three", 3)):
        process = process_of(name, encoders=encoders)
        await core.ask("processes.announce", process=process)
    await queue(core, JobKind.PLAN)

    load = (await gate_of(core).look()).load

    assert load.encoders == 4
    assert load.each_s == gate.FIRST_PLAN_S / 4


async def test_plans_are_as_long_as_they_were_lately(core: Core) -> None:
    video = await queue(core, JobKind.PLAN)
    async with core.engines.writer(SYSTEM) as work:
        began = work.now
        job = await jobs_repository.lease_next(
            work.session, kinds=[JobKind.PLAN], holder="one", now=began, lease_s=30
        )
        assert job is not None
        assert job.video == video
        await jobs_repository.finish(work.session, job.id, now=began + 7.0)

    assert (await gate_of(core).look()).load.plan_s == pytest.approx(7.0)


async def test_what_a_deleted_video_leaves_in_the_queue_keeps_nobody_out(core: Core) -> None:
    """Its plan waits for the undo, for days perhaps, and not for an encoder."""
    video = await queue(core, JobKind.PLAN, since_s=10 * WAIT_S)
    await core.runner.run("videos.delete", await actor_of(core), video_id=video)

    admission = await gate_of(core).look()

    assert admission.level is Level.OPEN
    assert admission.load.plans == 0


async def test_uploads_that_will_soon_be_whole_are_counted(core: Core) -> None:
    """By the pace they came with: nine tenths in a moment are soon the rest."""
    upload = await create(core)
    actor = await actor_of(core)

    async def body() -> AsyncIterator[bytes]:
        await anyio.lowlevel.checkpoint()
        yield b"ab"

    await core.runner.run("uploads.append", actor, upload_id=upload.id, offset=0, body=body())

    assert (await gate_of(core).look()).load.coming == 1


async def test_a_full_disk_and_a_lost_store_say_which(core: Core) -> None:
    with pytest.raises(StorageFull, match="too full"):
        await gate_of(core, floor_bytes=1 << 60).require_open()

    class Away:
        """A store that has gone."""

        async def stat(self, key: str) -> None:
            raise Unavailable(key)

    lost = gate_of(core)
    lost._blobs = Away()  # type: ignore[assignment]
    with pytest.raises(Unavailable, match="store") as refused:
        await lost.require_open()
    assert refused.value.code == "unavailable"
    assert refused.value.retry_after_s


async def test_a_process_that_was_held_up_does_not_blame_its_store(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store has answered, and this process had no time to hear it."""
    patience_s = 0.5
    monkeypatch.setattr(gate, "STORE_PATIENCE_S", patience_s)

    class Held:
        """A store whose answer comes while the whole process stands."""

        async def stat(self, key: str) -> None:
            asyncio.get_running_loop().call_soon(time.sleep, 1.2 * patience_s)
            await anyio.to_thread.run_sync(Path.cwd)
            raise BlobNotFound(key)

        async def free_bytes(self) -> int:
            return await core.blobs.free_bytes() or 0

    held = gate_of(core)
    held._blobs = Held()  # type: ignore[assignment]

    assert (await held.look()).load.store_answers


async def test_a_store_that_says_nothing_is_given_up(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate, "STORE_PATIENCE_S", 0.1)

    class Silent:
        """A store that never answers."""

        async def stat(self, _key: str) -> None:
            await anyio.sleep_forever()

    silent = gate_of(core)
    silent._blobs = Silent()  # type: ignore[assignment]

    assert not (await silent.look()).load.store_answers


async def test_it_measures_once_a_second_whoever_asks(core: Core) -> None:
    clock = OwnTime()
    asked = Gate(
        units=units_of(core),
        blobs=core.blobs,
        clock=clock,
        limits=Limits(wait_s=WAIT_S, floor_bytes=0),
        expires_s=3600,
    )
    first = await asked.look()
    await queue(core, JobKind.PLAN, since_s=WAIT_S + 1)
    assert await asked.look() is first

    clock.at += gate.FRESH_S + 0.1

    assert (await asked.look()).level is Level.LATER


async def test_a_rush_between_two_measures_is_counted(core: Core) -> None:
    """Each who passes is ahead of the next, though no row tells of it yet."""
    rushed = gate_of(core, wait_s=4 * gate.FIRST_PLAN_S)
    for _ in range(4):
        await rushed.require_open()

    with pytest.raises(Overloaded):
        await rushed.require_open()


async def test_warm_up_waits_while_uploads_do(core: Core, media: Media) -> None:
    """The worker takes the plan alone, and the warm-up once it has seen that nobody waits."""
    plan = await queue(core, JobKind.PLAN, since_s=WAIT_S / 2)  # of a source it does not have
    warm = await queue(core, JobKind.WARM)

    async with working(core, media, warmth="low"):
        taken = await until_taken(core, warm)

    assert taken.updated_at - (await job_of(core, plan)).updated_at > gate.FRESH_S / 2
    assert (await core.ask("system.load")).level is Level.OPEN


async def until_taken(core: Core, video: VideoId) -> Job:
    with anyio.fail_after(30):
        while True:
            job = await job_of(core, video)
            if job.updated_at > job.created_at:
                return job
            await anyio.sleep(0.02)


async def job_of(core: Core, video: VideoId) -> Job:
    async with core.engines.reader(SYSTEM) as work:
        [job] = await jobs_repository.of_video(work.session, video)
    return job
