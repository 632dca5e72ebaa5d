"""Another server becomes the primary: writes go on in time, and nothing acknowledged is lost."""

import asyncio
from collections.abc import Callable, Iterator

import asyncpg
import pytest
from sqlalchemy import insert, select

from headwater.engines.database.postgres import PostgresDatabase
from headwater.engines.database.postgres_connection import translated
from headwater.engines.database.schema import preferences
from headwater.model.errors import Unavailable
from headwater.model.freshness import LATEST, Freshness, Position
from tests.support.replicas import Cluster, Server, cluster
from tests.support.writers import Writers, writing

pytestmark = pytest.mark.anyio

AFTER_KILL_S = 6.0
AFTER_FREEZE_S = 10.0


@pytest.fixture
def servers() -> Iterator[Cluster]:
    """Two replicas, one of which must have what is acknowledged."""
    with cluster(2) as made:
        made.synchronous(made.primary)
        asyncio.run(migrated(made))
        yield made


async def migrated(made: Cluster) -> None:
    database = PostgresDatabase(made.url("postgres"))
    await database.migrate()
    await database.close()


def take_over(made: Cluster) -> Server:
    """Promote the replica that has most, and let the other follow it; what a Patroni would do."""
    new, other = sorted(made.replicas, key=received, reverse=True)
    new.promote()
    other.follow(new)
    return new


def received(server: Server) -> int:
    return int(server.sql("SELECT pg_last_wal_receive_lsn() - '0/0'"))


async def names(database: PostgresDatabase, need: Freshness = LATEST) -> set[str]:
    async with database.reader(need) as session:
        return {row["name"] for row in await session.rows(select(preferences.c.name))}


async def gap_s(writers: Writers, happens: Callable[[], None], made: Cluster) -> float:
    """Return how long nothing was acknowledged; the next primary is there at once."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    await asyncio.to_thread(happens)
    acknowledged = len(writers.kept)
    await asyncio.to_thread(take_over, made)
    async with asyncio.timeout(60):
        while len(writers.kept) < acknowledged + 4:
            await writers.until_more()
    return loop.time() - started


async def test_writes_go_on_after_a_killed_primary(servers: Cluster) -> None:
    database = PostgresDatabase(servers.url("postgres"), replicas=servers.replicas_url("postgres"))
    async with writing(database) as writers:
        assert await gap_s(writers, servers.primary.kill, servers) <= AFTER_KILL_S
    assert writers.kept <= await names(database)
    await database.close()


async def test_writes_go_on_after_a_frozen_primary_which_is_none_any_more(
    servers: Cluster,
) -> None:
    """It takes connections as before, and answers when it is thawed; nobody asks it again."""
    database = PostgresDatabase(servers.url("postgres"), replicas=servers.replicas_url("postgres"))
    async with writing(database) as writers:
        assert await gap_s(writers, servers.primary.freeze, servers) <= AFTER_FREEZE_S
        servers.primary.thaw()
        await writers.until_more(20)
    assert writers.slowest_s < AFTER_FREEZE_S
    # More at once than there are connections: new ones try the old primary as well.
    for found in await asyncio.gather(*(names(database) for _ in range(12))):
        assert writers.kept <= found
    await database.close()


async def test_who_wrote_to_a_new_primary_is_not_answered_by_the_old_one(
    servers: Cluster,
) -> None:
    """Which still answers, and nobody has told it, nor those who are connected to it."""
    database = PostgresDatabase(servers.url("postgres"))
    assert await names(database) == set()
    for replica in servers.replicas:
        replica.cut()
    new = take_over(servers)
    elsewhere = PostgresDatabase(new.url("postgres"), replicas=servers.replicas_url("postgres"))
    async with elsewhere.writer() as session:
        await session.execute(insert(preferences).values(name="new", value=b""))
    elsewhere_at = session.position
    assert elsewhere_at is not None
    assert await names(database, Freshness(5.0, elsewhere_at)) == {"new"}
    made_up = Freshness(5.0, Position(99, 0))
    async with database.reader(made_up) as session:  # as all say that there is nobody newer
        told = session.position
    assert told is not None
    assert told.timeline == elsewhere_at.timeline, "so that it is asked for no more"
    servers.primary.kill()
    with pytest.raises(Unavailable, match="newest"):
        await names(database, made_up)
    assert await names(database) == {"new"}
    await elsewhere.close()
    await database.close()


async def test_a_write_that_nobody_acknowledges_finds_the_new_primary(servers: Cluster) -> None:
    database = PostgresDatabase(servers.url("postgres"), deadline_s=1.0)
    assert await names(database) == set()
    for replica in servers.replicas:
        replica.cut()
    take_over(servers)
    async with writing(database) as writers:
        await writers.until_more(4)
    assert writers.kept == await names(database)
    await database.close()


async def test_what_no_standby_has_is_not_acknowledged(servers: Cluster) -> None:
    """A write waits for one; when none is left it is refused in time, and read by nobody since."""
    database = PostgresDatabase(servers.url("postgres"), deadline_s=1.0)
    for replica in servers.replicas:
        replica.kill()
    started = asyncio.get_running_loop().time()
    with pytest.raises(Unavailable):
        async with database.writer() as session:
            await session.execute(insert(preferences).values(name="alone", value=b""))
    assert asyncio.get_running_loop().time() - started < 5
    assert "alone" not in await names(database)
    await database.close()


def test_that_nobody_takes_writes_is_said_in_words() -> None:
    """It is read by people whose edit has to wait; the driver speaks of attributes."""
    error = asyncpg.TargetServerAttributeNotMatched("<SessionAttribute.read_write>")
    assert str(translated(error)) == "no server of the database takes writes now"
