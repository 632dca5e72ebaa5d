"""Leave to watch is remembered for a moment, and never past news of its video."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

import anyio
import pytest

from headwater.compose.core import Core
from headwater.delivery.tickets import Tickets
from headwater.engines.clock import Clock
from headwater.engines.work import Work
from headwater.model.actor import SYSTEM
from headwater.model.errors import VideoNotFound
from headwater.model.video import Video, Visibility
from headwater.operations.units import ActorUnits
from tests.pipeline.kept import keep_video
from tests.support.system import NOBODY, actor_of

pytestmark = pytest.mark.anyio

Meanwhile = Callable[[], Awaitable[None]]


class Interrupted(ActorUnits):
    """Units in which something happens, once, between what is read and what is made of it."""

    meanwhile: Meanwhile | None = None

    @asynccontextmanager
    async def reader(self, *, latest: bool = False) -> AsyncIterator[Work]:
        async with super().reader(latest=latest) as work:
            yield work
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile:
            await meanwhile()


async def hide(core: Core, video: Video) -> None:
    """Make *video* private, and let all who hear of it act."""
    owner = await actor_of(core)
    await core.runner.run("videos.edit", owner, video_id=video.id, visibility=Visibility.PRIVATE)
    await anyio.wait_all_tasks_blocked()


@pytest.mark.parametrize("is_late", [False, True], ids=["a moment before", "meanwhile"])
async def test_what_becomes_private_is_private_at_once(core: Core, *, is_late: bool) -> None:
    """Also to who was let in just now, before it was hidden or while it was."""
    video = await keep_video(core, core.blobs)
    assert video.stream
    units = Interrupted(core.engines, SYSTEM)
    tickets = Tickets(units=units, clock=Clock())
    async with anyio.create_task_group() as group:
        group.start_soon(tickets.forget_on_news, core.notices)
        await anyio.wait_all_tasks_blocked()
        if is_late:
            units.meanwhile = partial(hide, core, video)
        assert (await tickets.check(NOBODY, video.id, video.stream)).shared
        if not is_late:
            await hide(core, video)

        with pytest.raises(VideoNotFound):
            await tickets.check(NOBODY, video.id, video.stream)
        group.cancel_scope.cancel()
