"""Secrets of the deployment itself (signing, naming): made once, the same for every process."""

from headwater.access import preferences_repository
from headwater.engines.entropy import secret_bytes
from headwater.engines.work import Work

PART_SIGNING = "part-signing"  # made with the database, so that it also tells two of them apart


async def shared_secret(*, work: Work, of: str) -> bytes:
    """Return the 32 random bytes called *of*, making them the first time."""
    found = await preferences_repository.find(work.session, of)
    if found is None:
        found = secret_bytes()
        await preferences_repository.add(work.session, of, found)
    return found
