"""Idempotency-Key: a repeat of the same request gets the first answer, once it exists.

The row is written in the transaction of the write itself, so answer and effect are both kept or
both lost. An operation without one transaction of its own claims the key first and answers it
afterwards.

Source: draft-ietf-httpapi-idempotency-key-header-07 §2.6, 2.7.
"""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import msgspec

from headwater.engines.database.port import Session
from headwater.model.errors import InvalidInput, KeyReused, RequestInFlight
from headwater.operations import repository

KEY_CHARACTERS = 255


class Keyed:
    """One request under its key: *actor* and *key* name the row, *request_hash* the body."""

    def __init__(self, actor: str, key: str, operation: str, inputs: Mapping[str, Any]) -> None:
        if not 0 < len(key) <= KEY_CHARACTERS:
            raise InvalidInput(f"An Idempotency-Key has 1 to {KEY_CHARACTERS} characters.")
        self.actor, self.key, self.operation = actor, key, operation
        body = msgspec.msgpack.encode([operation, sorted(inputs.items())], enc_hook=repr)
        self.request_hash = hashlib.sha256(body).hexdigest()

    async def earlier_answer(self, session: Session, *, now: float) -> bytes | None:
        """Return the first answer, or None after claiming the key in this transaction.

        Raises:
            KeyReused: the key belongs to another request.
            RequestInFlight: somebody is answering it right now.
        """
        row = await repository.find(session, self.actor, self.key)
        if row is not None and row["created_at"] > now - repository.KEPT_S:
            if row["request_hash"] != self.request_hash:
                raise KeyReused("This Idempotency-Key was used for another request.")
            if row["response"] is not None:
                return bytes(row["response"])
            if row["created_at"] > now - repository.LEASE_S:
                raise RequestInFlight("This request is being answered right now.", retry_after_s=1)
        if row is not None:
            await repository.forget(session, self.actor, self.key)
        await repository.claim(
            session,
            self.actor,
            self.key,
            operation=self.operation,
            request_hash=self.request_hash,
            now=now,
        )
        return None

    async def keep_answer(self, session: Session, response: bytes) -> None:
        await repository.answer(session, self.actor, self.key, response)

    async def give_up(self, session: Session) -> None:
        await repository.forget(session, self.actor, self.key)


class InFlight:
    """The keys this process is answering: a second request waits for nobody, it is told at once."""

    def __init__(self) -> None:
        self._held: set[tuple[str, str]] = set()

    @contextmanager
    def hold(self, keyed: Keyed) -> Iterator[None]:
        name = (keyed.actor, keyed.key)
        if name in self._held:
            raise RequestInFlight("This request is being answered right now.", retry_after_s=1)
        self._held.add(name)
        try:
            yield
        finally:
            self._held.discard(name)
