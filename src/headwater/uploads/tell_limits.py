"""Say what would be taken, before anybody sends anything."""

from headwater.access.decide import Action, require
from headwater.engines.work import Work
from headwater.model.errors import TooLarge, Unauthenticated
from headwater.uploads import repository
from headwater.uploads.room import UploadLimits, allowed_bytes


async def tell_limits(*, upload_limits: UploadLimits) -> UploadLimits:
    """Return the limits every upload is held to."""
    return upload_limits


async def check_room(*, coming_bytes: int, work: Work, upload_limits: UploadLimits) -> int | None:
    """Return how many bytes the actor may still upload, None if nothing limits it.

    Raises TooLarge if a file of *coming_bytes* would not be taken.
    """
    require(work.actor, Action.UPLOAD_CREATE)
    if work.actor.account is None:
        raise Unauthenticated("An upload belongs to an account: sign in first.")
    if coming_bytes > upload_limits.file_limit_bytes:
        raise TooLarge(f"A file may have at most {upload_limits.file_limit_bytes} bytes here.")
    allowed = await allowed_bytes(work.session, work.actor.account, upload_limits)
    if allowed is None:
        return None
    left = allowed - await repository.reserved_bytes(work.session, work.actor.account)
    if coming_bytes > left:
        raise TooLarge(f"This would pass the account's quota: {max(left, 0)} bytes are left.")
    return max(left, 0)
