"""python -m tests.support.rates_beside URL: rates in another process (tests/support/beside)."""

import asyncio
import sys
from typing import Any

from headwater.engines.rates.redis import RedisRates
from tests.support.beside import IN_TIME_S, serve


async def main(url: str) -> None:
    rates = RedisRates(url, deadline_s=IN_TIME_S)

    async def hit(count: int, **asked: Any) -> int:
        """Ask *count* times at once and return how many passed."""
        waits = await asyncio.gather(*(rates.hit(**asked) for _ in range(count)))
        return waits.count(None)

    await serve({"hit": hit})


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
