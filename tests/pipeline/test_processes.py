"""Processes that share a database know of each other, and of each other's death."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from headwater.compose.core import Core
from headwater.compose.presence import name_of
from headwater.engines.blobs.filesystem import FileBlobs
from headwater.engines.lives import Lives
from headwater.model.actor import SYSTEM
from headwater.model.errors import SettingsError
from headwater.model.ids import GenerationId, TrackId
from headwater.model.job import JobKind
from headwater.model.process import Process
from headwater.pipeline import (
    demands_repository,
    jobs_repository,
    leases_repository,
    processes,
)
from headwater.pipeline.demands_repository import Demand
from headwater.pipeline.processes import BEATS, LEAST_BEAT_S, MOST_PER_S, Announced
from headwater.pipeline.roll_call import RollCall, refuse_strangers
from tests.pipeline.kept import PLAN, keep_video
from tests.support.clocks import OwnTime
from tests.support.system import system

pytestmark = pytest.mark.anyio
LEASED = (GenerationId("g"), TrackId("v240"), 7)
OTHER_BUILD = "ffmpeg 5.1, x264 164"


def a_process(name: str, role: str = "worker", **changes: Any) -> Process:
    told: dict[str, Any] = {
        "id": name,
        "role": role,
        "host": f"host-of-{name}",
        "folder": "/srv/headwater",
        "version": "0.1.0",
        "build": OTHER_BUILD if role == "worker" else "",
        "encoders": 2,
        "store": "one store",
        "alone": False,
        "started_at": float(len(name)),  # longer names are younger
    }
    return Process(**{**told, **changes})


class Deployment:
    """A core whose clock the test moves."""

    def __init__(self, core: Core, clock: OwnTime) -> None:
        self.core, self.clock = core, clock

    async def announce(self, process: Process, *, ended: Sequence[str] = ()) -> Announced:
        found: Announced = await self.core.ask("processes.announce", process=process, ended=ended)
        return found

    async def living(self) -> list[str]:
        return [one.id for one in await self.core.ask("processes.list")]


@pytest.fixture
async def deployment(tmp_path: Path) -> AsyncIterator[Deployment]:
    clock = OwnTime()
    async with system(tmp_path) as core:
        core.engines.clock = clock
        yield Deployment(core, clock)


async def test_one_that_falls_silent_gives_back_what_it_held(deployment: Deployment) -> None:
    """Whoever is heard next finds it, whatever it is; nobody waits for its leases to run out."""
    core, clock = deployment.core, deployment.clock
    await deployment.announce(a_process("w1"))
    async with core.engines.writer(SYSTEM) as work:
        assert await leases_repository.acquire(
            work.session, *LEASED, holder="w1", now=work.now, until=work.now + 1000
        )

    clock.at += BEATS * LEAST_BEAT_S - 0.1
    await deployment.announce(a_process("api", "api"))
    assert await deployment.living() == ["w1", "api"]
    clock.at += 0.2
    await deployment.announce(a_process("api", "api"))

    assert await deployment.living() == ["api"]
    async with core.engines.writer(SYSTEM) as work:
        assert await leases_repository.acquire(
            work.session, *LEASED, holder="w2", now=work.now, until=work.now + 1000
        )


async def test_one_that_is_known_to_have_ended_is_not_waited_for(deployment: Deployment) -> None:
    await deployment.announce(a_process("w1"))
    await deployment.announce(a_process("w22"), ended=["w1"])

    assert await deployment.living() == ["w22"]


async def test_who_comes_back_after_being_taken_for_dead_is_there_again(
    deployment: Deployment,
) -> None:
    """A machine that stood still for a minute has lost what it held, and goes on."""
    await deployment.announce(a_process("w1"))
    deployment.clock.at += 60
    await deployment.announce(a_process("w22"))
    await deployment.announce(a_process("w1"))

    assert await deployment.living() == ["w1", "w22"]


async def test_the_eldest_that_can_keeps_house(deployment: Deployment) -> None:
    """One at any time; the next follows at its next beat once the first has left."""
    first, second = a_process("s1", "scheduler"), a_process("s22", "scheduler")
    assert not (await deployment.announce(a_process("w", "worker"))).keeps_house
    assert (await deployment.announce(second)).keeps_house
    assert (await deployment.announce(first)).keeps_house
    assert not (await deployment.announce(second)).keeps_house

    await deployment.core.ask("processes.leave", id="s1")

    assert (await deployment.announce(second)).keeps_house


async def test_a_thousand_announce_no_more_often_than_a_database_bears(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await deployment.announce(a_process("w1"))).beat_s == LEAST_BEAT_S
    monkeypatch.setattr(processes, "MOST_PER_S", 2 / LEAST_BEAT_S / MOST_PER_S)
    assert (await deployment.announce(a_process("w1"))).beat_s == LEAST_BEAT_S * MOST_PER_S / 2


async def test_what_a_living_encoder_began_is_left_to_its_build(deployment: Deployment) -> None:
    """Demands and warm-ups; when none of that build is left, anybody takes them."""
    core = deployment.core
    video = await keep_video(core, core.blobs)
    assert video.generation is not None
    other = a_process("other", build=PLAN.encoder)
    wanted = Demand(
        generation=video.generation,
        track=TrackId("v240"),
        index=3,
        video=video.id,
        rank=0,
        asked_at=1.0,
    )
    async with core.engines.writer(SYSTEM) as work:
        await demands_repository.put(work.session, [wanted])
        await jobs_repository.enqueue(
            work.session, kind=JobKind.WARM, video=video.id, owner=video.owner, now=work.now
        )

    async def found(build: str) -> tuple[int, bool]:
        demands = await core.ask("pipeline.list_demands", build=build)
        job = await core.ask("pipeline.lease_job", holder="h", kinds=[JobKind.WARM], build=build)
        if job:
            await core.ask("pipeline.postpone_job", job=job, error=None, pause_s=0.0)
        return len(demands), job is not None

    await deployment.announce(other)
    assert await found(OTHER_BUILD) == (0, False)
    assert await found(PLAN.encoder) == (1, True)
    await core.ask(
        "pipeline.replace_generation",
        generation=video.generation,
        copying=True,
        build=OTHER_BUILD,
    )
    assert await core.ask("pipeline.lease_job", holder="h", kinds=[JobKind.PLAN]) is None

    await core.ask("processes.leave", id=other.id)
    assert await found(OTHER_BUILD) == (1, True)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"store": "another"}, "Set HEADWATER_BLOBS of both to one that both reach"),
        ({"alone": True}, "start both with HEADWATER_NOTICES=table: or redis://"),
    ],
)
async def test_those_who_cannot_work_together_are_refused(
    deployment: Deployment, tmp_path: Path, change: dict[str, Any], says: str
) -> None:
    """The younger one, with the line to change; it leaves nothing behind."""
    await deployment.announce(a_process("w1"))
    lives = Lives(tmp_path / "lives", "younger")
    younger = a_process("younger", **change)
    roll_call = RollCall(deployment.core.ask, younger, lives, least_beat_s=LEAST_BEAT_S)

    with pytest.raises(SettingsError, match=f"The worker process on host-of-w1 .*{says}"):
        await roll_call.join()

    lives.close()
    assert await deployment.living() == ["w1"]


async def test_those_who_can_are_not(deployment: Deployment) -> None:
    told = await deployment.announce(a_process("w1"))
    (other,) = (await deployment.announce(a_process("w22"))).others
    assert told.others == []
    refuse_strangers(a_process("w22"), other)


async def test_two_folders_are_two_stores_and_one_is_one(tmp_path: Path) -> None:
    """However often it is asked, and by whomever."""
    first, again, second = [
        await name_of(FileBlobs(tmp_path / name, secret=b"s", part_base="/p"))
        for name in ("one", "one", "two")
    ]
    assert first == again != second
