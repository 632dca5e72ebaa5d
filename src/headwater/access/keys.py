"""API keys: made, listed, revoked. The token is shown once; only its hash is kept."""

from headwater.access import accounts_repository, proofs_repository
from headwater.access.decide import Action, Owned, require
from headwater.access.log_in import proof_tag
from headwater.access.tokens import hash_of, new_key_token
from headwater.engines.entropy import ordered_id
from headwater.engines.work import Work
from headwater.model.account import Key, NewKey
from headwater.model.errors import Conflict, InvalidInput, NotFound
from headwater.model.ids import AccountId, KeyId

NAME_CHARACTERS = 80
KEYS_PER_ACCOUNT = 100  # a list one can still read


async def create_key(*, work: Work, name: str, email: str | None = None) -> NewKey:
    """Make a key for the caller's account; the system names the account by *email*.

    Without one it is the only owner's.

    Raises:
        InvalidInput: the name is empty or too long.
        Conflict: there are too many keys, or several owners and no *email*.
        NotFound: no account has that e-mail address, or there is no owner yet.
    """
    name = " ".join(name.split())
    if not 0 < len(name) <= NAME_CHARACTERS:
        raise InvalidInput(f"A key's name has 1 to {NAME_CHARACTERS} characters.")
    account = work.actor.account or await _named_account(work, email)
    if len(await proofs_repository.list_keys(work.session, account)) >= KEYS_PER_ACCOUNT:
        raise Conflict(f"An account has at most {KEYS_PER_ACCOUNT} keys; revoke one first.")

    token = new_key_token()
    key = Key(
        id=KeyId(ordered_id()), account=account, name=name, created_at=work.now, last_used_at=None
    )
    await proofs_repository.add_key(work.session, key, token_hash=hash_of(token))
    return NewKey(key=key, token=token)


async def list_keys(*, work: Work, email: str | None = None) -> list[Key]:
    """Return the caller's keys, oldest first; the system names the account as in create_key.

    Raises:
        Conflict, NotFound: as create_key.
    """
    account = work.actor.account or await _named_account(work, email)
    return await proofs_repository.list_keys(work.session, account)


async def revoke_key(*, work: Work, key_id: KeyId) -> None:
    """End a key at once. Raises NotFound if it is gone or somebody else's."""
    found = await proofs_repository.find_key_by_id(work.session, key_id)
    if found is None:
        raise NotFound("There is no such key, or it is not yours.")
    key, token_hash = found
    require(work.actor, Action.KEY_REVOKE, Owned(key.account))
    await proofs_repository.drop_key(work.session, key.id)
    work.purges.append(proof_tag(token_hash))


async def touch_key(*, work: Work, proof: str) -> None:
    """Note that a key was used just now; callers do so about once an hour."""
    await proofs_repository.touch_key(work.session, proof, now=work.now)
    work.purges.append(proof_tag(proof))


async def _named_account(work: Work, email: str | None) -> AccountId:
    if email is not None:
        found = await accounts_repository.find_by_email(work.session, email.strip().lower())
        if found is None:
            raise NotFound("No account has this e-mail address.")
        return found[0].id
    owners = await accounts_repository.list_owners(work.session)
    if not owners:
        raise NotFound("There is no owner yet; open the set-up link first.")
    if len(owners) > 1:
        raise Conflict("There are several owners; name one by its e-mail address.")
    return owners[0].id
