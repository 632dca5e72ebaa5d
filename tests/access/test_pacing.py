"""Pacing: guessing slows down, and nobody is kept out for long by somebody else."""

import pytest

from headwater.access.pacing import ACCOUNT, ADDRESS, Pacing
from headwater.engines.rates.memory import MemoryRates
from headwater.model.errors import RateLimited

pytestmark = pytest.mark.anyio


async def fail(pacing: Pacing, times: int, *, email: str = "a@b.c", now: float = 0.0) -> float:
    """Try *times* times, waiting as told; return when the last try was."""
    for _ in range(times):
        try:
            await pacing.attempt(email=email, address="192.0.2.1", now=now)
        except RateLimited as error:
            now += error.retry_after_s or 0.0
            await pacing.attempt(email=email, address="192.0.2.1", now=now)
    return now


async def test_a_few_mistakes_are_free() -> None:
    assert await fail(Pacing(MemoryRates()), ACCOUNT.free) == 0.0


async def test_each_further_guess_waits_longer_up_to_a_minute() -> None:
    """In an hour an account can be tried about 65 times."""
    assert await fail(Pacing(MemoryRates()), ACCOUNT.free + 4) == 1 + 2 + 4 + 8
    assert await fail(Pacing(MemoryRates()), 70) > 3600


async def test_a_right_password_forgives() -> None:
    pacing = Pacing(MemoryRates())
    now = await fail(pacing, ACCOUNT.free + 1)
    await pacing.succeeded(email="a@b.c", address="192.0.2.1")

    assert await fail(pacing, ACCOUNT.free, now=now) == now


async def test_one_address_cannot_try_many_accounts() -> None:
    pacing = Pacing(MemoryRates())
    for number in range(ADDRESS.free):
        await pacing.attempt(email=f"{number}@b.c", address="192.0.2.1", now=0.0)

    with pytest.raises(RateLimited):
        await pacing.attempt(email="new@b.c", address="192.0.2.1", now=0.0)
    await pacing.attempt(email="new@b.c", address="192.0.2.2", now=0.0)


async def test_tries_at_once_are_counted_before_any_is_answered() -> None:
    pacing = Pacing(MemoryRates())
    for _ in range(ACCOUNT.free):
        await pacing.attempt(email="a@b.c", address="192.0.2.1", now=0.0)

    with pytest.raises(RateLimited):
        await pacing.attempt(email="a@b.c", address="192.0.2.1", now=0.0)


async def test_an_hour_of_peace_forgets() -> None:
    pacing = Pacing(MemoryRates())
    now = await fail(pacing, ACCOUNT.free + 3) + 3601

    assert await fail(pacing, ACCOUNT.free, now=now) == now
