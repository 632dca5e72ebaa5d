"""Moving rows: what the database that is left and the one that takes over do for each other.

Flow      operations/move_database.py asks both → SqliteLeaving keeps a journal of the keys that
          are written while rows are copied → PostgresArriving takes rows and changes.
Promises  the old database says where the rows are: until the one transaction that writes the new
          address into it, it is in charge, and from then on nobody reads or writes it.

A database that moves away holds a mark (the number of the move) and the journal; one that is moved
to holds the same mark and how far the copying came, until it is in charge.
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

import msgspec
from sqlalchemy import Boolean, Table
from xxhash import xxh3_128_intdigest

from headwater.engines.database import schema

TABLES: Sequence[Table] = schema.metadata.sorted_tables  # what others refer to comes first
NUMBERED = tuple(table for table in TABLES if table.dialect_options["sqlite"]["autoincrement"])
Values = tuple[Any, ...]  # of one row, in the order of its table's columns
_SPACE = 1 << 128
_encoder = msgspec.msgpack.Encoder()


class Digest(msgspec.Struct, frozen=True):
    """What a table holds, whatever the order of its rows: equal only if every row is."""

    rows: int = 0
    total: int = 0

    def plus(self, rows: Iterable[Values]) -> "Digest":
        count, total = self.rows, self.total
        for row in rows:
            count, total = count + 1, total + xxh3_128_intdigest(_encoder.encode(row))
        return Digest(count, total % _SPACE)


class Changes(msgspec.Struct, frozen=True):
    """What was written since the last time: rows as they are now, and keys of those that are gone.

    Both by table. Taken at one moment and all of it, so that applying them leads to that moment.
    """

    upto: int = 0
    rows: dict[str, list[Values]] = {}
    gone: dict[str, list[Values]] = {}

    def __len__(self) -> int:
        return sum(map(len, (*self.rows.values(), *self.gone.values())))


class Batch(msgspec.Struct, frozen=True):
    """Rows of one table, and the number of the last in the copy they are from."""

    table: str
    rows: list[Values]
    last: int


class Moment(Protocol):
    """The database that is left, as it is at one moment."""

    async def changes(self) -> Changes: ...

    async def digest(self, table: str) -> Digest: ...

    async def counts(self) -> dict[str, int]:
        """Return how many rows each table has."""
        ...

    async def numbers(self) -> dict[str, int]:
        """Return the last number given in each table that counts its rows."""
        ...


class LastMoment(Moment, Protocol):
    """The moment after which nobody writes any more, if it is ended with leave_for()."""

    async def leave_for(self, url: str) -> None:
        """Write, durably and at once, that the rows are at *url* from now on."""
        ...


class Leaving(Protocol):
    async def moved_to(self) -> str | None:
        """Return where the rows have gone, None while they are here."""
        ...

    async def mark(self) -> str | None:
        """Return the mark of the move that was begun, None without one."""
        ...

    async def begin(self, mark: str) -> None:
        """Keep a journal of what is written from now on; what an older move left is forgotten."""
        ...

    async def snapshot(self) -> int:
        """Make a copy of all rows unless there is one of this move; return how many they are."""
        ...

    def batches(self, table: str, after: int) -> AsyncIterator[Batch]:
        """Yield the rows of *table* in that copy that follow number *after*."""
        ...

    def moment(self) -> AbstractAsyncContextManager[Moment]: ...

    async def forget_changes(self, upto: int) -> None:
        """Forget the changes up to that number: the new database has them."""
        ...

    def hold(self, deadline_s: float) -> AbstractAsyncContextManager[LastMoment]:
        """Let nobody write while the block runs; a process that dies in it holds nobody up.

        Raises:
            Unavailable: the turn to write was not had in time.
        """
        ...

    async def abandon(self) -> None:
        """Forget the move that was begun; the rows stay."""
        ...

    async def clear_away(self) -> None:
        """Remove the copy that was made for the move."""
        ...


class Arriving(Protocol):
    async def mark(self) -> str | None: ...

    async def begin(self, mark: str) -> None:
        """Take the mark. Raises Conflict: there are rows already."""
        ...

    async def progress(self) -> Mapping[str, int]:
        """Return the number of the last row that came, by table."""
        ...

    async def bring(self, batch: Batch) -> None:
        """Take rows, and remember in the same transaction that they came."""
        ...

    async def apply(self, changes: Changes) -> None:
        """Take all of *changes*, or none; each row is read back and compared."""
        ...

    async def digest(self, table: str) -> Digest: ...

    async def counts(self) -> dict[str, int]: ...

    async def count_on(self, numbers: Mapping[str, int]) -> None:
        """Give numbers after *numbers* from now on."""
        ...

    async def finish(self) -> None:
        """Be in charge: forget the mark. Doing it again changes nothing."""
        ...

    async def close(self) -> None: ...


def as_declared(table: Table, rows: Iterable[Sequence[Any]]) -> list[Values]:
    """Return *rows* of SQLite, which has whole numbers for what is true or false, as all see it."""
    flags = [i for i, column in enumerate(table.columns) if isinstance(column.type, Boolean)]
    if not flags:
        return [tuple(row) for row in rows]
    found = []
    for row in rows:
        values = list(row)
        for i in flags:
            values[i] = None if values[i] is None else bool(values[i])
        found.append(tuple(values))
    return found


def key_columns(table: Table) -> list[str]:
    return [column.name for column in table.primary_key]
