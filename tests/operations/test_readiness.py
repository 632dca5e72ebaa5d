"""A process says whether it can do its work, and which part of it does not answer."""

import asyncio

import pytest

from headwater.engines.clock import Clock
from headwater.model.errors import Unavailable
from headwater.operations import readiness
from headwater.operations.readiness import Checked, Readiness, is_ready
from tests.support.clocks import OwnTime

pytestmark = pytest.mark.anyio


async def answers() -> str:
    return "PostgreSQL 15.6"


async def is_away() -> str:
    raise Unavailable("10.0.0.7:5432 refuses")


async def test_a_needed_part_that_is_away_is_named_and_its_address_is_not() -> None:
    parts = Readiness({"database": is_away}, needed={"database"}, clock=Clock())

    (database,) = await readiness.readiness(health=parts)

    assert database == Checked("database", ok=False, note="does not answer")
    assert not is_ready([database])


async def test_without_what_only_helps_it_is_ready() -> None:
    """Balancers keep sending: each process would answer slower, and none wrong."""
    probes = {"database": answers, "cache": is_away}
    parts = Readiness(probes, needed={"database"}, clock=Clock())

    checked = await readiness.readiness(health=parts)

    assert [(part.name, part.ok, part.needed) for part in checked] == [
        ("database", True, True),
        ("cache", False, False),
    ]
    assert is_ready(checked)


async def test_a_part_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    async def hangs() -> str:
        await asyncio.Event().wait()
        return ""

    monkeypatch.setattr(readiness, "PATIENCE_S", 0.05)
    parts = Readiness({"database": answers, "blobs": hangs}, needed={"blobs"}, clock=Clock())

    assert [part.ok for part in await parts.look()] == [True, False]


async def test_however_many_probe_each_part_is_asked_once_a_second() -> None:
    asked: list[float] = []
    clock = OwnTime()

    async def counted() -> str:
        asked.append(clock.at)
        return "there"

    parts = Readiness({"blobs": counted}, needed={"blobs"}, clock=clock)
    await asyncio.gather(*(parts.look() for _ in range(50)))
    clock.at += readiness.FRESH_S
    await parts.look()

    assert asked == [1000.0, 1001.0]
