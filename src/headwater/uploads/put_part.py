"""Take one part at a signed address of our own, where the store cannot do so itself."""

from collections.abc import AsyncIterable, Mapping

from headwater.engines.blobs.parts import PartSigner, checked
from headwater.engines.blobs.port import Blobs, Stored
from headwater.model.errors import TooLarge


async def put_part(
    *,
    key: str,
    query: Mapping[str, str],
    body: AsyncIterable[bytes],
    content_length: int | None,
    now: float,
    blobs: Blobs,
    part_signer: PartSigner,
) -> Stored:
    """Store *body* as the part that the address (*key* and *query*) was signed for.

    The signature is the permission. A part sent twice is stored once.

    Raises:
        Forbidden: the address is not one of ours, or its hour is over.
        TooLarge, ChecksumMismatch: these are not the bytes it was made for; nothing is kept.
        StorageFull: the store is full.
    """
    part = part_signer.verify(key, query, now=now)
    if content_length is not None and content_length > part.length:
        raise TooLarge(f"This part has {part.length} bytes.")
    return await blobs.put_absent(part.key, checked(body, part))
