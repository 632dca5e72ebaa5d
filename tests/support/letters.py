"""An event that its consumer gave up, written as rows."""

from sqlalchemy import insert

from headwater.compose.core import Core
from headwater.engines.database.schema import deliveries, events
from headwater.model.actor import SYSTEM

CONSUMER, EVENT = "pipeline.schedule_sweep", "1"


async def give_up(core: Core) -> None:
    """Write EVENT, dead for CONSUMER, into a system that has recorded none before."""
    async with core.engines.writer(SYSTEM) as work:
        fact = {"topic": "video.deleted", "body": b'{"video":"walk"}', "created_at": work.now}
        await work.session.execute(insert(events).values(id=int(EVENT), **fact))
        await work.session.execute(
            insert(deliveries).values(
                consumer=CONSUMER,
                event=int(EVENT),
                attempts=10,
                run_at=work.now,
                dead=True,
                error="LookupError: no such day",
            )
        )
