"""How the pipeline, which lies below operations, runs them: it is handed the runner's voice."""

from collections.abc import Awaitable
from typing import Any, Protocol


class Ask(Protocol):
    """Run an operation as the system: `await ask("pipeline.lease_job", holder=…)`."""

    def __call__(self, name: str, /, **inputs: Any) -> Awaitable[Any]: ...
