"""Pacing of logins: each further failure makes the next try wait longer, per account and address.

A try is counted before its password is looked at, so many tries at once do not get round it; a
right password takes its own try back. An account's wait is capped low, because anybody can cause
it; an address's high. Counted where the rates are: in this process, or over the whole fleet.
"""

from headwater.engines.rates.port import Rates
from headwater.forces.pacing import Pace
from headwater.model.errors import RateLimited

ACCOUNT = Pace(free=5, longest_s=60.0)
ADDRESS = Pace(free=20, longest_s=900.0)  # one address may be a whole school


class Pacing:
    def __init__(self, rates: Rates) -> None:
        self._rates = rates

    async def attempt(self, *, email: str, address: str, now: float) -> None:
        """Count a try. Raises RateLimited with the seconds to wait; that try is not counted."""
        paces = {f"account:{email}": ACCOUNT, f"address:{address}": ADDRESS}
        wait_s = await self._rates.attempt(paces, now=now)
        if wait_s > 0:
            raise RateLimited("Too many wrong tries; wait a little.", retry_after_s=wait_s)

    async def succeeded(self, *, email: str, address: str) -> None:
        """Forget the account's tries and take this one back from the address."""
        await self._rates.forgive(f"account:{email}", taken_back=f"address:{address}")
