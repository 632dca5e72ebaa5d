"""Say how far all of one's uploads have come."""

from headwater.engines.work import Work
from headwater.model.errors import Unauthenticated
from headwater.model.upload import Upload
from headwater.uploads import repository


async def list_unfinished(*, work: Work) -> list[Upload]:
    """Return the caller's uploads that will each be a video and lack bytes yet, newest first."""
    if work.actor.account is None:
        raise Unauthenticated("Please sign in first.")
    return await repository.unfinished(work.session, work.actor.account)
