"""Passwords: argon2id, bounded, and silent about who exists."""

import asyncio

import pytest

from headwater.access.passwords import WAITING, Passwords
from headwater.model.errors import InvalidInput, Unavailable
from tests.support.system import quick_passwords

pytestmark = pytest.mark.anyio


async def test_what_was_hashed_matches_and_nothing_else() -> None:
    passwords = Passwords()

    stored = await passwords.hash("correct horse battery")

    assert stored.startswith("$argon2id$")
    assert await passwords.matches(stored, "correct horse battery")
    assert not await passwords.matches(stored, "correct horse")
    assert not await passwords.matches(None, "nobody's password")
    assert not await passwords.matches("no hash at all", "x")


@pytest.mark.parametrize("password", ["short", "x" * 1001])
async def test_a_password_has_a_sensible_length(password: str) -> None:
    with pytest.raises(InvalidInput):
        await quick_passwords().hash(password)


async def test_a_queue_that_is_too_long_is_refused() -> None:
    """Each hash is a tenth of a second of a core: an unbounded queue would be a lever."""
    passwords = quick_passwords()

    answers = await asyncio.gather(
        *(passwords.hash("correct horse") for _ in range(WAITING + 1)), return_exceptions=True
    )
    passwords.close()

    assert sum(isinstance(answer, Unavailable) for answer in answers) == 1
