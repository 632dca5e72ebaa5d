"""Who is refused is counted, for whoever watches over the server."""

import re

import pytest

from headwater.compose.core import Core
from headwater.model.errors import HeadwaterError, RateLimited, Unauthenticated
from headwater.observe.metrics import exposition
from tests.support.system import EMAIL, NOBODY

pytestmark = pytest.mark.anyio


def refused() -> dict[str, float]:
    """Return how many logins were refused so far, by why."""
    lines = re.findall(r'headwater_logins_refused_total{why="(.*)"} (.*)', exposition().decode())
    return {why: float(count) for why, count in lines}


async def test_refused_logins_are_counted(core: Core) -> None:
    before = refused()
    for _ in range(100):
        error = await refusal(core)
        if isinstance(error, RateLimited):
            break

    after = {why: count - before.get(why, 0) for why, count in refused().items()}
    assert after["too many"] == 1
    assert after["wrong"] >= 1


async def refusal(core: Core) -> HeadwaterError:
    with pytest.raises((RateLimited, Unauthenticated)) as refused:
        await core.runner.run("sessions.log_in", NOBODY, email=EMAIL, password="wrong")
    return refused.value
