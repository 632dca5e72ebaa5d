"""Replicas of PostgreSQL: what is read from them, and what is not, whatever befalls them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from math import inf

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, insert, select

from headwater.engines.database.postgres import PostgresDatabase
from headwater.engines.database.schema import preferences
from headwater.model.errors import Unavailable
from headwater.model.freshness import LATEST, UNKNOWN, Freshness, Position
from tests.support.pgbouncer import pooling
from tests.support.postgres import USER
from tests.support.replicas import Cluster, cluster

pytestmark = pytest.mark.anyio

SOON_S = 20.0
LATER = Table("later", MetaData(), Column("id", Integer))  # of a later version


@pytest.fixture(scope="module")
def servers() -> Iterator[Cluster]:
    """Two replicas, which a test leaves as it found them."""
    with cluster(2) as made:
        asyncio.run(migrated(made))
        yield made


async def migrated(made: Cluster) -> None:
    database = open_at(made)
    await database.migrate()
    await database.close()
    made.wait()


def open_at(made: Cluster) -> PostgresDatabase:
    return PostgresDatabase(
        made.primary.url("postgres"), replicas=made.replicas_url("postgres"), deadline_s=2.0
    )


@pytest.fixture
async def database(servers: Cluster) -> AsyncIterator[PostgresDatabase]:
    database = open_at(servers)
    await reads_from_a_replica(database, Freshness(2.0))
    yield database
    await database.close()


async def write(database: PostgresDatabase, name: str) -> Position:
    async with database.writer() as session:
        await session.execute(insert(preferences).values(name=name, value=b""))
    assert session.position is not None
    return session.position


async def read(database: PostgresDatabase, need: Freshness = LATEST) -> tuple[set[str], float]:
    """Return the names that are there, and how old at most that is."""
    async with database.reader(need) as session:
        rows = await session.rows(select(preferences.c.name))
        return {row["name"] for row in rows}, session.age_s


async def soon(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(SOON_S):
        while not await condition():  # noqa: ASYNC110 — seen by asking
            await asyncio.sleep(0.02)


async def test_the_primary_is_found_behind_a_replica(servers: Cluster) -> None:
    """It need not be the first that is named: after a failover it is not."""
    hosts = ",".join(f"{one.on.address}:{one.port}" for one in reversed(servers.all))
    database = PostgresDatabase(f"postgresql://{USER}@{hosts}/postgres")
    await database.migrate()
    async with database.writer() as session:
        await session.execute(insert(preferences).values(name="behind a replica", value=b""))
    assert "behind a replica" in (await read(database))[0]
    await database.close()


async def reads_from_a_replica(database: PostgresDatabase, need: Freshness) -> None:
    async def is_copy() -> bool:
        return (await read(database, need))[1] > 0

    await soon(is_copy)


async def test_what_may_be_a_moment_old_is_read_from_every_replica(
    database: PostgresDatabase,
) -> None:
    """Many at once share them, whichever is the quicker."""
    async with asyncio.timeout(SOON_S), AsyncExitStack() as stack:
        while not all(one.waiting for one in database.replicas.all):
            async with AsyncExitStack() as block:
                session = await block.enter_async_context(database.reader(Freshness(5.0)))
                assert session.age_s < 5
                if session.age_s:  # a replica's, which now has one more to serve
                    stack.push_async_exit(block.pop_all())
    assert not any(one.waiting for one in database.replicas.all)
    assert (await read(database))[1] == 0


async def test_nobody_misses_what_they_wrote(database: PostgresDatabase, servers: Cluster) -> None:
    """Neither at once nor when the replicas stand still; then again from a replica."""
    copied = 0
    for i in range(30):
        position = await write(database, f"own-{i}")
        names, age_s = await read(database, Freshness(inf, after=position))
        assert f"own-{i}" in names
        copied += age_s > 0
    for replica in servers.replicas:
        replica.pause()
    try:
        position = await write(database, "held back")
        names, age_s = await read(database, Freshness(inf, after=position))
        assert ("held back" in names, age_s) == (True, 0)
        seen, age_s = await read(database, Freshness(inf))
        assert age_s > 0
        assert "held back" not in seen
    finally:
        for replica in servers.replicas:
            replica.resume()
    await reads_from_a_replica(database, Freshness(inf, after=position))
    assert "held back" in (await read(database, Freshness(inf, after=position)))[0]


async def test_a_replica_that_hears_nothing_looks_older_and_older(
    database: PostgresDatabase, servers: Cluster
) -> None:
    """Though it answers at once, and no clock of it is wrong."""
    for replica in servers.replicas:
        replica.cut()
    try:

        async def too_old() -> bool:
            return (await read(database, Freshness(1.0)))[1] == 0

        position = await write(database, "after the cut")
        await soon(too_old)
        names, age_s = await read(database, Freshness(inf))
        assert age_s > 1
        assert "after the cut" not in names
        assert (await read(database, Freshness(inf, after=position)))[1] == 0
    finally:
        for replica in servers.replicas:
            replica.follow(servers.primary)
    await reads_from_a_replica(database, Freshness(1.0))


@pytest.mark.parametrize("made_up", [UNKNOWN, Position(7, 1), Position(1, (1 << 64) - 1)])
async def test_a_position_that_no_replica_can_have_goes_to_the_primary(
    database: PostgresDatabase, made_up: Position
) -> None:
    """Of another timeline, it is exchanged for one that replicas will have."""
    async with database.reader(Freshness(inf, after=made_up)) as session:
        assert session.age_s == 0
        told = session.position
    assert (told is None) == (made_up.timeline == 1)
    if told is not None:
        await reads_from_a_replica(database, Freshness(inf, after=told))


async def test_a_frozen_replica_costs_a_moment_and_is_left_out(
    database: PostgresDatabase, servers: Cluster
) -> None:
    frozen, other = database.replicas.all
    servers.replicas[0].freeze()
    try:
        loop = asyncio.get_running_loop()

        async def is_out() -> bool:
            started = loop.time()
            await read(database, Freshness(inf))
            assert loop.time() - started < 2
            return frozen.standing.is_out

        await soon(is_out)
        assert not other.standing.is_out
        assert (await read(database, Freshness(inf)))[1] > 0
    finally:
        servers.replicas[0].thaw()

    async def is_back() -> bool:
        return not frozen.standing.is_out

    await soon(is_back)


async def test_behind_a_pooler_of_transactions_all_is_the_same(servers: Cluster) -> None:
    """Each block is on any of its connections; nothing of one is left for the next."""
    with pooling(servers.primary) as primary, pooling(servers.replicas[0]) as replica:
        plain = "postgresql://{}/postgres?statement_cache_size=0"
        database = PostgresDatabase(plain.format(primary), replicas=plain.format(replica))
        positions = await asyncio.gather(*(write(database, f"pooled-{i}") for i in range(12)))
        last = max(positions, key=lambda position: position.offset)
        await reads_from_a_replica(database, Freshness(5.0, after=last))
        several = await asyncio.gather(*(read(database, Freshness(5.0)) for _ in range(12)))
        assert all({f"pooled-{i}" for i in range(12)} <= names for names, _ in several)
        await database.close()


@contextmanager
def standing_still(servers: Cluster) -> Iterator[None]:
    for one in servers.replicas:
        one.pause()
    try:
        yield
    finally:
        for one in servers.replicas:
            one.resume()


async def test_a_copy_that_a_migration_has_not_come_to_is_no_answer(
    database: PostgresDatabase, servers: Cluster
) -> None:
    """Whoever asks is told so, as of any other failure that may pass, and asks the primary."""
    with standing_still(servers):
        servers.primary.sql("CREATE TABLE later (id int)")
        async with database.reader(Freshness(inf)) as session:
            assert session.age_s
            with pytest.raises(Unavailable, match="newest tables"):
                await session.rows(select(LATER))
        async with database.reader() as session:
            assert await session.rows(select(LATER)) == []
    servers.primary.sql("DROP TABLE later")


async def test_copies_may_lack_the_first_migration(servers: Cluster) -> None:
    servers.primary.sql("CREATE DATABASE young")
    servers.wait()
    database = PostgresDatabase(
        servers.primary.url("young"), replicas=servers.replicas_url("young"), deadline_s=2.0
    )
    with standing_still(servers):
        await database.migrate()
        assert await read(database, Freshness(2.0)) == (set(), 0.0)
    await reads_from_a_replica(database, Freshness(2.0))
    await database.close()


async def test_a_primary_among_the_replicas_is_not_taken_for_one(servers: Cluster) -> None:
    """So that every server may be named in both settings, whichever is the primary today."""
    everyone = ",".join(server.url("postgres") for server in servers.all)
    database = PostgresDatabase(servers.primary.url("postgres"), replicas=everyone)
    await reads_from_a_replica(database, Freshness(2.0))
    first = database.replicas.all[0]
    for _ in range(20):
        assert (await read(database, Freshness(5.0)))[1] < 5
    assert first.last is None or first.last.position is None
    await database.close()


async def test_what_an_operator_is_told(database: PostgresDatabase, servers: Cluster) -> None:
    ages = await database.replicas.ages_by_clocks()
    assert set(ages) == {f"127.0.0.1:{replica.port}" for replica in servers.replicas}
    assert all(age_s is not None and age_s < SOON_S for age_s in ages.values())
    assert await database.acknowledges_alone()


async def test_without_the_primary_copies_answer_or_nobody_does() -> None:
    """As the reader says; and once it is back all is as before."""
    with cluster(1) as made:
        await migrated(made)
        database = open_at(made)
        await reads_from_a_replica(database, Freshness(2.0))
        made.primary.kill()

        async def refused() -> bool:
            try:
                await read(database, Freshness(1.0, beyond="refuse"))
            except Unavailable:
                return True
            return False

        await soon(refused)
        for asked in (read(database), write(database, "a")):
            with pytest.raises(Unavailable):
                await asked
        _, age_s = await read(database, Freshness(1.0, beyond="answer"))
        assert age_s > 1
        made.primary.start()
        await write(database, "b")
        await reads_from_a_replica(database, Freshness(1.0))
        for server in made.all:
            server.freeze()
        with pytest.raises(Unavailable):  # before anybody has noticed
            await read(database, Freshness(1.0, beyond="answer"))
        for server in made.all:
            server.thaw()
        await reads_from_a_replica(database, Freshness(1.0))
        await database.close()
