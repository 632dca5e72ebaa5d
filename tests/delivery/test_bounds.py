"""Bounds of demand: how many may wait, for how long, and what those hear who may not."""

import asyncio

import anyio
import pytest

from headwater.compose.core import Core
from headwater.delivery import demand
from headwater.delivery.demand import Demands
from headwater.engines.blobs.port import Stored
from headwater.engines.clock import Clock
from headwater.model.actor import SYSTEM
from headwater.model.errors import BeingMade, RateLimited, Unavailable
from headwater.model.ids import GenerationId, TrackId, VideoId
from headwater.operations.units import ActorUnits
from headwater.pipeline.keys import segment_key

pytestmark = pytest.mark.anyio

VIDEO, GENERATION, RUNG = VideoId("walk"), GenerationId("g"), TrackId("v720")


@pytest.fixture
def demands(core: Core) -> Demands:
    units = ActorUnits(core.engines, SYSTEM)
    return Demands(units=units, blobs=core.blobs, notices=core.notices, clock=Clock())


async def wait_for(demands: Demands, index: int, client: str) -> Stored:
    return await demands.until_there(VIDEO, GENERATION, RUNG, index, segments=1000, client=client)


async def test_one_client_waits_for_so_many(
    demands: Demands, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next one is told to slow down, others are not; who goes away makes room at once."""
    monkeypatch.setattr(demand, "MOST_PER_CLIENT", 3)
    async with anyio.create_task_group() as group:
        for index in (1, 1, 2, 3):
            group.start_soon(wait_for, demands, index, "ann")
        await anyio.wait_all_tasks_blocked()

        with pytest.raises(RateLimited) as refused:
            await wait_for(demands, 4, "ann")
        assert refused.value.retry_after_s == demand.RETRY_S
        group.start_soon(wait_for, demands, 4, "bob")
        await anyio.wait_all_tasks_blocked()
        group.cancel_scope.cancel()

    monkeypatch.setattr(demand, "HELD_S", 0.05)
    with pytest.raises(Unavailable):
        await wait_for(demands, 9, "ann")


async def test_so_many_wait_in_all(demands: Demands, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then whoever comes is told when to ask again; one more of a segment waited for may wait."""
    monkeypatch.setattr(demand, "MOST_WAITING", 5)
    async with anyio.create_task_group() as group:
        for index in range(5):
            group.start_soon(wait_for, demands, index, f"client {index}")
        await anyio.wait_all_tasks_blocked()

        with pytest.raises(Unavailable) as refused:
            await wait_for(demands, 5, "late")
        assert refused.value.retry_after_s == demand.RETRY_S
        group.start_soon(wait_for, demands, 0, "also late")
        await anyio.wait_all_tasks_blocked()
        group.cancel_scope.cancel()


async def test_nobody_is_held_for_long(demands: Demands, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not made in time is asked for again, and its demand stays for the workers."""
    monkeypatch.setattr(demand, "HELD_S", 0.05)
    monkeypatch.setattr(demand, "LOOK_S", 0.01)
    with pytest.raises(BeingMade, match="still being prepared"):
        await wait_for(demands, 7, "ann")


async def test_a_lost_notice_is_no_loss(
    demands: Demands, core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever waits also looks for itself."""
    monkeypatch.setattr(demand, "LOOK_S", 0.01)
    waiting = asyncio.ensure_future(wait_for(demands, 7, "ann"))
    await anyio.wait_all_tasks_blocked()
    put = await core.blobs.put_absent(segment_key(VIDEO, GENERATION, RUNG, 7), b"segment")

    assert (await waiting).etag == put.etag
