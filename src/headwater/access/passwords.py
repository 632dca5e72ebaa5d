"""Passwords: argon2id in a small pool of threads, so that logins cannot take the whole machine."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from headwater.model.errors import InvalidInput, Unavailable

THREADS = 2  # one hash is 64 MiB and about 0.12 s of one core (argon2-cffi's RFC 9106 profile)
WAITING = 32  # more would wait longer than anybody looks at a login form
SHORTEST, LONGEST = 10, 1000  # characters; long ones are cut off as work, not as strength

T = TypeVar("T")


class Passwords:
    """Makes and checks hashes. Both take about 0.12 s whatever the outcome."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="argon2")
        self._waiting = 0
        self._nobody: str | None = None

    async def hash(self, password: str) -> str:
        """Return the hash to store.

        Raises:
            InvalidInput: too short or absurdly long.
            Unavailable: too many are waiting.
        """
        if not SHORTEST <= len(password) <= LONGEST:
            raise InvalidInput(f"A password has {SHORTEST} to {LONGEST} characters.")
        return await self._run(self._hasher.hash, password)

    async def matches(self, stored: str | None, password: str) -> bool:
        """Compare; None (no such account) costs the same time and never matches."""
        if self._nobody is None:
            self._nobody = await self._run(self._hasher.hash, "nobody's password")
        return await self._run(self._verify, stored, password[:LONGEST])

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _verify(self, stored: str | None, password: str) -> bool:
        assert self._nobody is not None
        try:
            self._hasher.verify(stored or self._nobody, password)
        except (VerificationError, InvalidHashError):
            return False
        return stored is not None

    async def _run(self, call: Callable[..., T], *arguments: Any) -> T:
        if self._waiting >= WAITING:
            raise Unavailable("Too many people are signing in right now.", retry_after_s=5)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, call, *arguments)
        finally:
            self._waiting -= 1
