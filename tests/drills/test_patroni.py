"""Beside Patroni: its leader is killed or stands still, another is promoted, and writes go on."""

import asyncio
import signal

import pytest
from sqlalchemy import select

from headwater.engines.database.postgres import PostgresDatabase
from headwater.engines.database.schema import preferences
from tests.drills.sample import WHOLE
from tests.support.patroni import patroni
from tests.support.writers import writing

pytestmark = pytest.mark.anyio

# What Patroni takes to see that its leader is gone is its ttl of 5 s, and its turn of 1 s.
ITS_OWN_S = 6.5
FAULTS = [(signal.SIGKILL, 6.0), (signal.SIGSTOP, 10.0)]


@pytest.mark.parametrize(("fault", "within_s"), FAULTS, ids=str)
async def test_writes_go_on_when_patroni_has_promoted(
    fault: signal.Signals, within_s: float
) -> None:
    loop = asyncio.get_running_loop()
    with patroni() as looked:
        database = PostgresDatabase(looked.url(), replicas=looked.replicas_url())
        await database.migrate()
        async with writing(database) as writers:
            leader = looked.leader
            started = loop.time()
            leader.signal(fault)
            acknowledged = len(writers.kept)
            async with asyncio.timeout(60):
                while len(writers.kept) < acknowledged + 8:
                    await writers.until_more()
            took_s = loop.time() - started
        async with database.reader() as session:
            rows = await session.rows(select(preferences.c.name))
        assert writers.kept <= {row["name"] for row in rows}
        assert took_s <= ITS_OWN_S + within_s
        leader.signal(signal.SIGCONT)
        await database.close()


# Three servers, etcd and three Patronis take a minute of two cores.
test_writes_go_on_when_patroni_has_promoted.__test__ = WHOLE  # type: ignore[attr-defined]
