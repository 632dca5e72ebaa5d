"""Checks: an engine that can say at any moment whether it is there.

Every database can (its port says so); of the others those on a server of their own do.
"""

from typing import Protocol, runtime_checkable


@runtime_checkable
class Checks(Protocol):
    async def check(self) -> str:
        """Return the engine's name and version after one real round trip. Raises Unavailable."""
        ...
