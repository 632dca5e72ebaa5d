"""The embedded system without faces and loops, for tests of uploads: real engines in a folder."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import msgspec
from sqlalchemy import select

from headwater.access import accounts_repository
from headwater.compose.core import Core, open_core, services_of
from headwater.engines.blobs.port import BlobKey, Blobs, chunks_of
from headwater.engines.database.schema import events
from headwater.forces.admission import Limits
from headwater.model.actor import SYSTEM, Actor, ActorKind
from headwater.model.ids import AccountId, UploadId
from headwater.model.upload import Extent, Upload
from headwater.operations.catalogue import CATALOGUE
from headwater.operations.run import Runner
from headwater.operations.units import ActorUnits, Engines
from headwater.pipeline.gate import Gate
from headwater.settings import Settings
from headwater.uploads import repository
from headwater.uploads.room import UploadLimits
from tests.support.clocks import Later

EMAIL, PASSWORD = "ada@example.org", "correct horse battery"
ROOMY = UploadLimits(quota_bytes=None, file_limit_bytes=1 << 40, floor_bytes=0, expires_s=3600.0)


class System:
    """One open system; views of it with other limits or at another time share its engines."""

    def __init__(self, core: Core, *, limits: UploadLimits = ROOMY) -> None:
        self.core = core
        self.limits = limits
        self.actor = Actor(kind=ActorKind.SYSTEM)
        self.use()

    def use(
        self,
        *,
        limits: UploadLimits | None = None,
        ahead_s: float = 0.0,
        blobs: Blobs | None = None,
        wait_s: float | None = None,
    ) -> None:
        core = self.core
        self.blobs = blobs or core.blobs
        engines = Engines(
            database=core.database,
            events=core.events,
            notices=core.notices,
            cache=core.cache,
            rates=core.engines.rates,
            clock=Later(ahead_s),
        )
        self.engines = engines
        services = services_of(core.settings, engines=engines, blobs=self.blobs, media=core.media)
        services["upload_limits"] = limits or self.limits
        if wait_s is not None:
            services["gate"] = Gate(
                units=ActorUnits(engines, SYSTEM),
                blobs=self.blobs,
                clock=engines.clock,
                limits=Limits(wait_s=wait_s, floor_bytes=0),
                expires_s=self.limits.expires_s,
            )
        services["part_signer"] = getattr(core.blobs, "parts", None)
        self.runner = Runner(CATALOGUE, engines=engines, services=services)

    async def run(self, name: str, actor: Actor, /, **inputs: Any) -> Any:
        """Stand for the runner, so that a face sees what use() changed."""
        return await self.runner.run(name, actor, **inputs)

    async def ask(self, name: str, /, **inputs: Any) -> Any:
        """Run an operation as the account of the system."""
        return await self.runner.run(name, self.actor, **inputs)

    async def ask_as_system(self, name: str, /, **inputs: Any) -> Any:
        return await self.runner.run(name, SYSTEM, **inputs)

    async def create(self, length: int | None, **inputs: Any) -> Upload:
        metadata = inputs.pop("metadata", {"filename": "harbour.mp4"})
        upload: Upload = await self.ask(
            "uploads.create", length=length, metadata=metadata, **inputs
        )
        return upload

    async def append(self, upload: UploadId, offset: int, *chunks: bytes, **inputs: Any) -> Upload:
        appended: Upload = await self.ask(
            "uploads.append", upload_id=upload, offset=offset, body=body(chunks), **inputs
        )
        return appended

    async def offset(self, upload: UploadId) -> int:
        inspected: Upload = await self.ask("uploads.inspect", upload_id=upload)
        return inspected.offset

    async def source(self, upload: Upload) -> bytes:
        """Return the bytes of the video that *upload* became."""
        return b"".join([await self.content(e.key) for e in await self.extents(upload)])

    async def extents(self, upload: Upload) -> list[Extent]:
        assert upload.video is not None
        async with self.engines.reader(SYSTEM) as work:
            return await repository.source_extents(work.session, upload.video)

    async def content(self, key: str) -> bytes:
        return b"".join([chunk async for chunk in chunks_of(self.blobs, BlobKey(key))])

    async def keys(self, upload: UploadId) -> list[str]:
        return sorted([key async for key, _ in self.blobs.list(f"uploads/{upload}/")])

    async def used_bytes(self) -> int:
        usage = await self.ask("accounts.usage")
        used: int = usage.used_bytes
        return used

    async def facts(self) -> list[tuple[str, dict[str, Any]]]:
        """Return every fact recorded so far."""
        async with self.engines.reader(SYSTEM) as work:
            rows = await work.session.rows(select(events).order_by(events.c.id))
        return [(row["topic"], msgspec.json.decode(row["body"])) for row in rows]


async def body(chunks: Iterable[bytes], *, then: Exception | None = None) -> AsyncIterator[bytes]:
    """Yield *chunks*, giving others a turn before each, and end with *then*."""
    for chunk in chunks:
        await anyio.lowlevel.checkpoint()
        yield chunk
    if then is not None:
        raise then


class Faucet:
    """A body that gives what the test puts in, when it does."""

    def __init__(self) -> None:
        self._chunks: asyncio.Queue[bytes | None] = asyncio.Queue()

    @property
    def is_taken(self) -> bool:
        """Whatever was given has been read."""
        return self._chunks.empty()

    def give(self, chunk: bytes) -> None:
        self._chunks.put_nowait(chunk)

    def end(self) -> None:
        self._chunks.put_nowait(None)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (chunk := await self._chunks.get()) is not None:
            yield chunk


@asynccontextmanager
async def open_system(
    folder: Path, *, database: str = "", blobs: str = ""
) -> AsyncIterator[System]:
    settings = Settings(
        data=folder,
        database=database,
        blobs=blobs,
        host="127.0.0.1",
        port=0,
        internal_port=0,
        free_floor_bytes=0,
        queue_age_s=86_400,  # no worker is there to make anything playable
    )
    async with open_core(settings) as core:
        system = System(core)
        await core.ask("accounts.make_owner", email=EMAIL, password=PASSWORD)
        async with core.engines.reader(SYSTEM) as work:
            found = await accounts_repository.find_by_email(work.session, EMAIL)
        assert found is not None
        system.actor = member(found[0].id)
        yield system


def member(account: AccountId) -> Actor:
    return Actor(kind=ActorKind.KEY, account=account, address="127.0.0.1")


async def until(condition: Callable[[], Any], *, within_s: float = 10.0) -> None:
    """Wait for *condition* (a function, or one that returns an awaitable) to hold."""
    with anyio.fail_after(within_s):
        while True:
            holds = condition()
            if hasattr(holds, "__await__"):
                holds = await holds
            if holds:
                return
            await anyio.sleep(0.01)
