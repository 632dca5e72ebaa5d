"""python -m tests.support.notices_beside URL: notices in another process (tests/support/beside)."""

import asyncio
import sys

from headwater.engines.clock import Clock
from headwater.engines.notices.port import Notices
from headwater.engines.notices.redis import RedisNotices
from headwater.engines.notices.table import TableNotices
from tests.support.beside import serve
from tests.support.databases import open_at


def opened(url: str) -> Notices:
    return RedisNotices(url) if url.startswith("redis:") else TableNotices(open_at(url), Clock())


async def main(url: str) -> None:
    notices = opened(url)

    async def publish(topic: str, bodies: list[str]) -> None:
        for body in bodies:
            await notices.publish(topic, body.encode())

    await serve({"publish": publish})


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
