"""Sessions: signing in, signing out, and whom a proof stands for.

The row is the truth. A cache only spares reading it: what it says is the row as it was at most some
seconds ago (the catalogue says how many), and never outlives the purge of the proof's tag, which
leaves with the commit of whatever ends the session or key. A lost purge costs those seconds.
"""

from headwater.access import accounts_repository, proofs_repository
from headwater.access.accounts import open_session
from headwater.access.pacing import Pacing
from headwater.access.passwords import Passwords
from headwater.engines.work import Units, Work
from headwater.model.account import Principal, SignedIn
from headwater.model.actor import Actor, ActorKind
from headwater.model.errors import RateLimited, Unauthenticated
from headwater.observe.metrics import LOGIN_REFUSED


async def log_in(
    *,
    units: Units,
    actor: Actor,
    now: float,
    passwords: Passwords,
    pacing: Pacing,
    session_s: float,
    email: str,
    password: str,
    replaces: str | None = None,
) -> SignedIn:
    """Open a new session; *replaces* (the hash of the session so far) ends with it.

    An unknown address takes as long as a wrong password and says the same.

    Raises:
        Unauthenticated: no such account and password.
        RateLimited: too many wrong tries for this account or from this address.
    """
    email = email.strip().lower()
    try:
        await pacing.attempt(email=email, address=actor.address, now=now)
    except RateLimited:
        LOGIN_REFUSED.labels("too many").inc()
        raise
    async with units.reader() as work:
        found = await accounts_repository.find_by_email(work.session, email)
    matches = await passwords.matches(found[1] if found else None, password)
    if found is None or not matches:
        LOGIN_REFUSED.labels("wrong").inc()
        raise Unauthenticated("The e-mail address or the password is wrong.")

    await pacing.succeeded(email=email, address=actor.address)
    async with units.writer() as work:
        if replaces:
            await proofs_repository.drop_session(work.session, replaces)
            work.purges.append(proof_tag(replaces))
        return await open_session(work, found[0], session_s=session_s)


async def log_out(*, work: Work, proof: str) -> None:
    """End the session whose token hashes to *proof*; one already gone is not an error."""
    await proofs_repository.drop_session(work.session, proof)
    work.purges.append(proof_tag(proof))


async def recognise(*, work: Work, kind: ActorKind, proof: str) -> Principal | None:
    """Return whom the session or key with hash *proof* stands for, None if nobody (any more)."""
    if kind is ActorKind.KEY:
        return await proofs_repository.find_key(work.session, proof)
    return await proofs_repository.find_session(work.session, proof, now=work.now)


def proof_tag(proof: str) -> str:
    """Name the cache tag of a proof, so that ending it is seen at once."""
    return f"proof:{proof}"
