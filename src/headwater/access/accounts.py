"""Accounts: the first owner, and what an account uses."""

import re

from headwater.access import accounts_repository, proofs_repository
from headwater.access.passwords import Passwords
from headwater.access.tokens import hash_of, new_session_token
from headwater.engines.entropy import ordered_id, secret_token
from headwater.engines.work import Units, Work
from headwater.model.account import Account, SignedIn, Usage
from headwater.model.actor import Role
from headwater.model.errors import (
    Conflict,
    Forbidden,
    InvalidInput,
    SettingsError,
    Unauthenticated,
)
from headwater.model.ids import AccountId

DOMAIN = r"(?:localhost|(?=[^@\s]{1,189}\Z)[^@\s.]+(?:\.[^@\s.]+)+)"
EMAIL = re.compile(rf"[^@\s]{{1,64}}@{DOMAIN}")  # RFC 5321 §4.5.3.1; only mail itself knows more
NAME_CHARACTERS = 80


def clean_email(email: str) -> str:
    """Return the address as it is stored and compared. Raises InvalidInput."""
    cleaned = email.strip().lower()
    if not EMAIL.fullmatch(cleaned):
        raise InvalidInput("That does not look like an e-mail address: name@example.org does.")
    return cleaned


async def issue_setup_link(*, work: Work, issued_by: str = "") -> str | None:
    """Return the token of a new one-time set-up link, or None when there is an owner.

    Each server has a link of its own: of several that start together every one prints one that
    works, and the first that is used ends them all.
    """
    if await accounts_repository.has_owner(work.session):
        return None
    token = secret_token()
    await accounts_repository.replace_setup_link(
        work.session, hash_of(token), issued_by=issued_by[:120], now=work.now
    )
    return token


async def needs_setup(*, work: Work, token: str = "") -> bool:
    """Say whether *token* would set this server up; without one, whether it has no owner yet."""
    if token:
        return await accounts_repository.has_setup_link(work.session, hash_of(token))
    return not await accounts_repository.has_owner(work.session)


async def set_up(
    *,
    units: Units,
    passwords: Passwords,
    session_s: float,
    token: str,
    email: str,
    name: str,
    password: str,
) -> SignedIn:
    """Make the first owner and sign them in. The link works once.

    Raises:
        Forbidden: the token is not that of the printed link.
        Conflict: there is an owner.
        InvalidInput: the e-mail address, name or password cannot be.
    """
    async with units.reader() as work:
        await _check_link(work, token)
    email, name = clean_email(email), _clean_name(name, email)
    password_hash = await passwords.hash(password)

    async with units.writer() as work:
        await _check_link(work, token)
        await accounts_repository.drop_setup_links(work.session)
        account = await _add_owner(work, email, name, password_hash)
        return await open_session(work, account, session_s=session_s)


async def make_owner(
    *, units: Units, passwords: Passwords, email: str, password: str
) -> Account | None:
    """Make the owner named by the settings; None when there is one already.

    Raises SettingsError if the address they name cannot be.
    """
    async with units.reader() as work:
        if await accounts_repository.has_owner(work.session):
            return None
    try:
        email = clean_email(email)
    except InvalidInput as error:
        raise SettingsError(f"HEADWATER_OWNER_EMAIL: {error}") from None
    password_hash = await passwords.hash(password)
    async with units.writer() as work:
        if await accounts_repository.has_owner(work.session):
            return None
        await accounts_repository.drop_setup_links(work.session)
        return await _add_owner(work, email, _clean_name("", email), password_hash)


async def usage(*, work: Work, quota_bytes: int) -> Usage:
    """Return what the caller's account keeps and may keep. Raises Unauthenticated."""
    if work.actor.account is None:
        raise Unauthenticated("Please sign in first.")
    account = await accounts_repository.get(work.session, work.actor.account)
    return Usage(used_bytes=account.used_bytes, quota_bytes=quota_of(account, quota_bytes))


def quota_of(account: Account, default_bytes: int) -> int | None:
    """Return the account's quota, None for no limit; a default of 0 means none."""
    if account.quota_bytes is not None:
        return account.quota_bytes
    return default_bytes or None


async def open_session(work: Work, account: Account, *, session_s: float) -> SignedIn:
    """Write a new session of *account* in this transaction."""
    token, expires_at = new_session_token(), work.now + session_s
    await proofs_repository.add_session(
        work.session, hash_of(token), account.id, now=work.now, expires_at=expires_at
    )
    return SignedIn(token=token, expires_at=expires_at, account=account)


async def _check_link(work: Work, token: str) -> None:
    if await accounts_repository.has_owner(work.session):
        raise Conflict("This server is set up already; please sign in.")
    if not await accounts_repository.has_setup_link(work.session, hash_of(token)):
        raise Forbidden("This set-up link is not valid (any more); the server prints a new one.")


async def _add_owner(work: Work, email: str, name: str, password_hash: str) -> Account:
    account = Account(
        id=AccountId(ordered_id()),
        email=email,
        name=name,
        role=Role.OWNER,
        quota_bytes=None,
        used_bytes=0,
        created_at=work.now,
    )
    await accounts_repository.add(work.session, account, password_hash=password_hash)
    return account


def _clean_name(name: str, email: str) -> str:
    cleaned = " ".join(name.split()) or email.partition("@")[0]
    if len(cleaned) > NAME_CHARACTERS:
        raise InvalidInput(f"A name has at most {NAME_CHARACTERS} characters.")
    return cleaned
