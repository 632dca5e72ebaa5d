"""Room: what an account and the store can still take, answered before a byte is sent."""

import msgspec

from headwater.access import accounts_repository
from headwater.access.accounts import quota_of
from headwater.engines.database.port import Session
from headwater.model.errors import StorageFull, TooLarge
from headwater.model.ids import AccountId
from headwater.model.upload import Upload
from headwater.uploads import repository


class UploadLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What the server allows.

    *quota_bytes* counts for accounts without a quota of their own; None is no limit. *floor_bytes*
    of the store stay free. An upload nobody continued for *expires_s* is removed.
    """

    quota_bytes: int | None
    file_limit_bytes: int
    floor_bytes: int
    expires_s: float


async def allowed_bytes(session: Session, owner: AccountId, limits: UploadLimits) -> int | None:
    """Return what *owner* may hold beside its videos, None if there is no quota."""
    account = await accounts_repository.get(session, owner)
    quota = quota_of(account, limits.quota_bytes or 0)
    return None if quota is None else max(quota - account.used_bytes, 0)


async def account_room(session: Session, upload: Upload, limits: UploadLimits) -> int | None:
    """Return how long *upload* may become under its owner's quota, None if there is none.

    What the upload itself holds already is not counted against it.
    """
    allowed = await allowed_bytes(session, upload.owner, limits)
    if allowed is None:
        return None
    others = await repository.reserved_bytes(session, upload.owner, besides=upload.id)
    return max(allowed - others, 0)


async def require_account_room(
    session: Session, upload: Upload, length: int, limits: UploadLimits
) -> None:
    """Pass if *upload*, whose row exists, may be *length* bytes long. Raises TooLarge."""
    if length > limits.file_limit_bytes:
        raise TooLarge(f"A file may have at most {limits.file_limit_bytes} bytes here.")
    room = await account_room(session, upload, limits)
    if room is not None and length > room:
        raise TooLarge(f"This would pass the account's quota: {room} bytes are left.")


async def require_within_quota(session: Session, owner: AccountId, limits: UploadLimits) -> None:
    """Pass if what *owner* has and is about to have is not too much. Raises TooLarge."""
    allowed = await allowed_bytes(session, owner, limits)
    if allowed is not None and await repository.reserved_bytes(session, owner) > allowed:
        raise TooLarge("This would pass the account's quota, with what its uploads hold already.")


async def require_store_room(
    session: Session, coming_bytes: int, *, free_bytes: int, limits: UploadLimits
) -> None:
    """Pass if the store can take *coming_bytes* beside what every upload has still to send.

    Raises:
        StorageFull: it cannot, now; videos may be removed or the disk may grow.
    """
    expected = await repository.expected_bytes(session)
    if free_bytes - expected - limits.floor_bytes < coming_bytes:
        raise StorageFull("The server's disk is too full for this file.", retry_after_s=3600)
