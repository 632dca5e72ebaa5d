"""Say what would be taken, before anybody sends anything."""

import msgspec

from headwater.access.decide import Action, require
from headwater.engines.work import Units
from headwater.forces.admission import STORE_RETRY_S
from headwater.model.errors import TooLarge, Unauthenticated, Unavailable
from headwater.pipeline.gate import Gate
from headwater.uploads import repository
from headwater.uploads.room import UploadLimits, allowed_bytes


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """*again_s* None: new uploads are taken now; else they are asked to come after so long."""

    limits: UploadLimits
    again_s: float | None


async def tell_limits(*, gate: Gate, upload_limits: UploadLimits) -> Terms:
    """Return the limits every upload is held to, and whether new ones are taken now."""
    try:
        again_s = await gate.again_s()
    except Unavailable as error:  # nor can an upload be created then
        again_s = error.retry_after_s or STORE_RETRY_S
    return Terms(limits=upload_limits, again_s=again_s)


async def check_room(
    *, coming_bytes: int, units: Units, gate: Gate, upload_limits: UploadLimits
) -> int | None:
    """Return how many bytes the actor may still upload, None if nothing limits it.

    Raises TooLarge if a file of *coming_bytes* would not be taken, and what Gate.require_open()
    does if none would be taken now.
    """
    if coming_bytes > upload_limits.file_limit_bytes:
        raise TooLarge(f"A file may have at most {upload_limits.file_limit_bytes} bytes here.")
    await gate.require_open()
    async with units.reader() as work:
        require(work.actor, Action.UPLOAD_CREATE)
        if work.actor.account is None:
            raise Unauthenticated("An upload belongs to an account: sign in first.")
        allowed = await allowed_bytes(work.session, work.actor.account, upload_limits)
        if allowed is None:
            return None
        left = allowed - await repository.reserved_bytes(work.session, work.actor.account)
    if coming_bytes > left:
        raise TooLarge(f"This would pass the account's quota: {max(left, 0)} bytes are left.")
    return max(left, 0)
