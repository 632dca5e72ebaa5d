"""An object held open: its bytes by ranged GETs, all of one and the same object."""

from typing import TYPE_CHECKING

import obstore

from headwater.engines.blobs.port import CHUNK_BYTES, BlobKey, Stored
from headwater.engines.blobs.s3_calls import Answer, Calls, Said, not_found
from headwater.engines.blobs.s3_objects import Located
from headwater.model.errors import Unavailable

if TYPE_CHECKING:
    from obstore import GetResult
    from obstore.store import S3Store


class OpenObject:
    """See port.OpenBlob. *begun* is a GET of the first chunk whose bytes are still to come."""

    __slots__ = ("_begun", "_calls", "_key", "_located", "_store")

    def __init__(
        self,
        key: BlobKey,
        located: Located,
        store: "S3Store",
        calls: Calls,
        *,
        begun: "GetResult | None" = None,
    ) -> None:
        self._key, self._located = key, located
        self._store, self._calls = store, calls
        self._begun = begun

    @property
    def stored(self) -> Stored:
        return self._located.stored

    async def read(self, start: int, stop: int) -> bytes:
        begun, self._begun = self._begun, None
        stop = min(stop, start + CHUNK_BYTES)
        if begun is not None and start == 0:
            try:
                return (await begun.bytes_async()).to_bytes()[:stop]
            except Exception as error:  # noqa: BLE001 (asked once more below, and judged there)
                del error
        try:
            chunk = await self._calls.ask(lambda: self._get(start, stop))
        except Said as said:
            if said.answer in {Answer.ABSENT, Answer.TAKEN}:  # deleted, or gone to other bytes
                raise not_found(self._key) from None
            raise
        if not chunk:
            raise Unavailable("a blob was cut short while it was read")
        return chunk

    async def _get(self, start: int, stop: int) -> bytes:
        found = await obstore.get_async(
            self._store,
            self._located.path,
            options={"range": (start, stop), "if_match": self._located.etag},
        )
        return (await found.bytes_async()).to_bytes()

    def close(self) -> None:
        self._begun = None
