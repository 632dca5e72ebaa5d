"""Database: rows, with one writer's transaction at a time per unit of work.

Flow      the runner opens a session per operation → repositories read and write through it.
Adapters  sqlite.SqliteDatabase (one host), postgres.PostgresDatabase (a fleet),
          following.FollowingDatabase (the first until its rows move to the second); compose picks
          by HEADWATER_DATABASE.
Promises  tests/contracts/test_database.py.

Tables are declared once in schema.py (SQLAlchemy Core); only repository.py files and adapters named
table.py build statements.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from sqlalchemy.sql.base import Executable

from headwater.engines.reach import Reach
from headwater.model.freshness import LATEST, Freshness, Position

Row = Mapping[str, Any]
Parameters = Mapping[str, Any]


class Session(Protocol):
    """One snapshot (reader) or one transaction (writer). Not for use by two tasks at once.

    *age_s* is how much older than the primary what it sees can be at most; 0: the primary answers.
    *position*, where there are replicas: after a writer's block one that holds its commit, in a
    reader's a newer one for a caller that came with one of before a failover; else None.

    *parameters* are the values of a statement's own bindparam()s. Building a statement costs as
    much as running it, so those of a hot path are built once, with parameters.
    """

    @property
    def age_s(self) -> float: ...

    @property
    def position(self) -> Position | None: ...

    async def rows(
        self, statement: Executable, parameters: Parameters | None = None
    ) -> Sequence[Row]:
        """Return every row as a mapping by column name."""
        ...

    async def row(self, statement: Executable, parameters: Parameters | None = None) -> Row | None:
        """Return the first row, or None."""
        ...

    async def execute(self, statement: Executable, parameters: Parameters | None = None) -> int:
        """Run a write and return how many rows it touched. Raises IntegrityViolated."""
        ...


class Database(Protocol):
    @property
    def reach(self) -> Reach: ...

    def reader(self, need: Freshness = LATEST) -> AbstractAsyncContextManager[Session]:
        """Open a snapshot: every read inside sees the same committed state, as new as *need* says.

        Without replicas that is always the latest.

        Raises:
            Unavailable: nobody that new answered within the engine's deadline.
        """
        ...

    def writer(self) -> AbstractAsyncContextManager[Session]:
        """Open a transaction that commits when the block ends and rolls back when it raises.

        The block has ended only when the commit is durable (survives power loss). Writers are
        served one after the other; commits of writers that wait together share one flush, so a
        block awaits nothing but its session and never opens another writer (RuntimeError).

        Raises:
            Unavailable: the lock was not had within the engine's deadline.
            StorageFull: the disk takes no more; the transaction is rolled back.
        """
        ...

    async def migrate(self) -> None:
        """Bring the schema to this version. Raises SettingsError if the schema is newer than us."""
        ...

    async def check(self) -> str:
        """Return the engine's name and version after one real round trip. Raises Unavailable."""
        ...

    async def backup_to(self, path: str) -> None:
        """Write one consistent copy of everything committed, while writers go on.

        A copy is SQLite's file, whatever database it is of, so that every other can take it over.
        """
        ...

    async def restore_from(self, path: str) -> None:
        """Take over all rows of the copy *path*, which is of this version; all or none.

        Raises:
            Conflict: there are rows here already.
        """
        ...

    async def close(self) -> None: ...
