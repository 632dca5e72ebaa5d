"""Pacing: guessing slows down, and nobody is kept out for long by somebody else."""

import pytest

from headwater.access.pacing import ACCOUNT, ADDRESS, Pacing
from headwater.model.errors import RateLimited


def fail(pacing: Pacing, times: int, *, email: str = "a@b.c", now: float = 0.0) -> float:
    """Try *times* times, waiting as told; return when the last try was."""
    for _ in range(times):
        try:
            pacing.attempt(email=email, address="192.0.2.1", now=now)
        except RateLimited as error:
            now += error.retry_after_s or 0.0
            pacing.attempt(email=email, address="192.0.2.1", now=now)
    return now


def test_a_few_mistakes_are_free() -> None:
    assert fail(Pacing(), ACCOUNT.free) == 0.0


def test_each_further_guess_waits_longer_up_to_a_minute() -> None:
    """In an hour an account can be tried about 65 times."""
    assert fail(Pacing(), ACCOUNT.free + 4) == 1 + 2 + 4 + 8
    assert fail(Pacing(), 70) > 3600


def test_a_right_password_forgives() -> None:
    pacing = Pacing()
    now = fail(pacing, ACCOUNT.free + 1)
    pacing.succeeded(email="a@b.c", address="192.0.2.1")

    assert fail(pacing, ACCOUNT.free, now=now) == now


def test_one_address_cannot_try_many_accounts() -> None:
    pacing = Pacing()
    for number in range(ADDRESS.free):
        pacing.attempt(email=f"{number}@b.c", address="192.0.2.1", now=0.0)

    with pytest.raises(RateLimited):
        pacing.attempt(email="new@b.c", address="192.0.2.1", now=0.0)
    pacing.attempt(email="new@b.c", address="192.0.2.2", now=0.0)


def test_tries_at_once_are_counted_before_any_is_answered() -> None:
    pacing = Pacing()
    for _ in range(ACCOUNT.free):
        pacing.attempt(email="a@b.c", address="192.0.2.1", now=0.0)

    with pytest.raises(RateLimited):
        pacing.attempt(email="a@b.c", address="192.0.2.1", now=0.0)


def test_an_hour_of_peace_forgets() -> None:
    pacing = Pacing()
    now = fail(pacing, ACCOUNT.free + 3) + 3601

    assert fail(pacing, ACCOUNT.free, now=now) == now
