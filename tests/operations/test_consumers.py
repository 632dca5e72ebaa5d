"""Operations that hear of facts: each fact is done once, however often it comes."""

import asyncio
from typing import Any

import msgspec
import pytest
from sqlalchemy import update

from headwater import roles
from headwater.compose.core import Core
from headwater.engines.database.schema import consumers
from headwater.engines.work import Work
from headwater.model.actor import SYSTEM
from headwater.model.freshness import Primary
from headwater.operations.operation import Access, Idempotency, Operation, Permission
from headwater.operations.run import Runner

pytestmark = pytest.mark.anyio

NAME, TOPIC = "tests.it", "tests.happened"


async def test_a_fact_that_comes_again_is_done_already(core: Core) -> None:
    """Its consumer's process may die before it could say so; the rows know."""
    done: asyncio.Queue[str] = asyncio.Queue()

    async def note(*, work: Work, text: str) -> None:
        work.wakes.append(lambda: done.put_nowait(text))

    row = Operation(
        name=NAME,
        does=note,
        consistency=Primary(),
        cache=None,
        permission=Permission("system:see", Access.SYSTEM),
        limit=None,
        idempotency=Idempotency.NATURAL,
        because="A test needs it.",
    )
    runner = Runner([row], engines=core.engines, services={})

    async def ask(name: str, /, **inputs: Any) -> Any:
        return await runner.run(name, SYSTEM, **inputs)

    async def happen(text: str) -> None:
        async with core.engines.writer(SYSTEM) as work:
            work.facts.append((TOPIC, msgspec.json.encode({"text": text})))

    consumer = roles.Consumer(NAME, (TOPIC,), lambda body: body)
    async with roles.consuming(core.events, [consumer], ask, core.clock), asyncio.timeout(10):
        await happen("first")
        assert await done.get() == "first"
        while not await forgot_where_it_stood(core):  # noqa: ASYNC110 (rows tell nobody)
            await asyncio.sleep(0.01)
        await happen("second")
        assert await done.get() == "second"
    assert done.empty()


async def forgot_where_it_stood(core: Core) -> bool:
    """Let the consumer begin anew, as if it had died before its position was saved."""
    mine = (consumers.c.name == NAME, consumers.c.position > 0, consumers.c.leased_by.is_(None))
    async with core.engines.writer(SYSTEM) as work:
        return bool(await work.session.execute(update(consumers).where(*mine).values(position=0)))
