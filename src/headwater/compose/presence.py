"""Presence: how this process is known to the others of its deployment."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from headwater.compose.core import Core
from headwater.engines.blobs.port import Blobs, blob_key, chunks_of
from headwater.engines.entropy import public_id
from headwater.engines.lives import Lives
from headwater.engines.reach import Reach
from headwater.settings import Settings

if TYPE_CHECKING:
    from headwater.pipeline.roll_call import RollCall

LOCAL_BEAT_S = 10.0  # those of one machine are known by their locks, which cost no commit
STORE = blob_key("store/name")


@contextmanager
def living(data: Path) -> Iterator[Lives]:
    """Be known to those who share the folder *data* as one that lives, while the block runs."""
    name = f"{socket.gethostname()[:32]}:{os.getpid()}:{public_id()}"  # the column has 60
    lives = Lives(data / "processes", name)
    try:
        yield lives
    finally:
        lives.close()


async def open_roll_call(core: Core, role: str, lives: Lives) -> "RollCall":
    """Return what announces this process under the name it has among *lives*."""
    from headwater.model.process import Process
    from headwater.pipeline.processes import LEAST_BEAT_S
    from headwater.pipeline.roll_call import RollCall

    settings = core.settings
    process = Process(
        id=lives.name,
        role=role,
        host=socket.gethostname()[:64],
        folder=str(settings.data.absolute()),
        version=version("headwater"),
        build=core.media.build if core.media else "",
        encoders=encoders_of(settings) if core.media else 0,
        store=await name_of(core.blobs),
        alone=core.notices.reach is Reach.PROCESS,
        started_at=core.clock.now(),
    )
    is_local = core.database.reach < Reach.FLEET
    beat_s = LOCAL_BEAT_S if is_local else LEAST_BEAT_S
    return RollCall(core.ask, process, lives, least_beat_s=beat_s)


def encoders_of(settings: Settings) -> int:
    """Return how many codec processes may run at once."""
    return settings.encoders or os.cpu_count() or 1


async def name_of(blobs: Blobs) -> str:
    """Return what tells this store from every other; the first to ask gives it a name."""
    await blobs.put_absent(STORE, public_id().encode())
    return b"".join([chunk async for chunk in chunks_of(blobs, STORE)]).decode()
