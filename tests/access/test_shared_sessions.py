"""Sessions over two processes that share a Redis: the row is the truth, and ending one is seen."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from sqlalchemy import delete

from headwater.access.tokens import hash_of
from headwater.compose.core import Core
from headwater.engines.database.schema import sessions
from headwater.model.account import Principal
from headwater.model.actor import SYSTEM, ActorKind
from headwater.model.errors import RateLimited, Unauthenticated
from headwater.roles import follow_purges, running
from tests.support import redis
from tests.support.system import EMAIL, NOBODY, PASSWORD, system
from tests.support.waiting import eventually

pytestmark = pytest.mark.anyio


@pytest.fixture
def server() -> Iterator[redis.Redis]:
    with redis.server() as running:
        yield running


@pytest.fixture
async def cores(server: redis.Redis, tmp_path: Path) -> AsyncIterator[list[Core]]:
    """Two processes' worth of everything, each following what the other purges."""
    async with AsyncExitStack() as stack:
        opened = [
            await stack.enter_async_context(
                system(tmp_path, cache=server.url(1), notices=server.url(2))
            )
            for _ in range(2)
        ]
        for core in opened:
            following = follow_purges(core.notices, core.cache)
            await stack.enter_async_context(running(following, failed=lambda: None))
        yield opened


async def log_in(core: Core) -> str:
    """Return the proof of a new session."""
    signed_in = await core.runner.run("sessions.log_in", NOBODY, email=EMAIL, password=PASSWORD)
    return hash_of(signed_in.token)


async def who(core: Core, proof: str) -> Principal | None:
    found: Principal | None = await core.runner.run(
        "sessions.recognise", SYSTEM, kind=ActorKind.SESSION, proof=proof
    )
    return found


async def test_who_one_process_recognised_another_need_not_look_up(cores: list[Core]) -> None:
    ours, theirs = cores
    proof = await log_in(ours)
    assert await who(ours, proof) is not None
    async with ours.database.writer() as session:
        await session.execute(delete(sessions))
    assert await who(theirs, proof) is not None


async def test_a_session_that_ends_ends_in_every_process(cores: list[Core]) -> None:
    ours, theirs = cores
    proof = await log_in(ours)
    assert await who(theirs, proof) is not None
    await ours.runner.run("sessions.log_out", NOBODY, proof=proof)
    assert await who(ours, proof) is None

    async def is_unknown() -> bool:
        return await who(theirs, proof) is None

    await eventually(is_unknown)


async def test_people_sign_in_and_out_while_redis_is_away(
    server: redis.Redis, cores: list[Core]
) -> None:
    """And who signed out stays so when it returns."""
    ours, theirs = cores
    before = await log_in(ours)
    assert await who(ours, before) is not None
    server.freeze()
    proof = await log_in(ours)
    assert await who(theirs, proof) is not None
    await ours.runner.run("sessions.log_out", NOBODY, proof=before)
    assert await who(ours, before) is None
    server.thaw()

    async def is_unknown() -> bool:
        return await who(theirs, before) is None

    await eventually(is_unknown)
    assert await who(ours, before) is None


async def test_guesses_are_counted_over_all_processes(cores: list[Core]) -> None:
    refused: list[type[Exception]] = []
    for core in cores * 4:
        with pytest.raises((Unauthenticated, RateLimited)) as error:
            await core.runner.run("sessions.log_in", NOBODY, email=EMAIL, password="wrong")
        refused.append(error.type)
    assert refused[:5] == [Unauthenticated] * 5
    assert refused[5] is RateLimited
