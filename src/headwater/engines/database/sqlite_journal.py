"""The journal of a SQLite file whose rows are moving: the key of every row that is written.

Triggers write it, so whoever writes a row, in whatever process, writes its key in the same
transaction.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from sqlalchemy import Table

from headwater.engines.database.connection import MOVED, is_moved, open_raw, translated
from headwater.engines.database.moving import TABLES, key_columns
from headwater.model.errors import Conflict

KEYS = max(len(key_columns(table)) for table in TABLES)
OURS = ("move_mark", "move_changes")


def mark(raw: sqlite3.Connection) -> str | None:
    """Return the mark of the move whose journal is kept."""
    there = raw.execute("SELECT 1 FROM sqlite_master WHERE name = 'move_mark'").fetchone()
    return raw.execute("SELECT mark FROM move_mark").fetchone()[0] if there else None


def begin(raw: sqlite3.Connection, of: str) -> None:
    """Begin the journal of the move *of*, in the transaction that is open."""
    raw.execute("CREATE TABLE move_mark (mark TEXT NOT NULL)")
    raw.execute("INSERT INTO move_mark VALUES (?)", (of,))
    for statement in _statements():
        raw.execute(statement)


def require_whole(raw: sqlite3.Connection) -> None:
    """Raise Conflict if a table was made anew since: what was written then is in no journal."""
    found = raw.execute(
        "SELECT count(*) FROM sqlite_master WHERE type = 'trigger' AND name LIKE 'move\\_%' "
        "ESCAPE '\\'"
    ).fetchone()[0]
    if found != len(list(_triggers())):
        raise Conflict(
            "The tables were changed since the move began; end it with --abandon and begin again."
        )


def forget(raw: sqlite3.Connection) -> None:
    for name, *_ in _triggers():
        raw.execute(f"DROP TRIGGER IF EXISTS {name}")
    for table in OURS:
        raw.execute(f"DROP TABLE IF EXISTS {table}")


def leave_for(raw: sqlite3.Connection, url: str) -> None:
    """Write, in the transaction that is open, that the rows are at *url* from its end on."""
    forget(raw)
    raw.execute("CREATE TABLE move_address (url TEXT NOT NULL)")
    raw.execute("INSERT INTO move_address VALUES (?)", (url,))
    raw.execute(f"PRAGMA user_version = {MOVED}")


def moved_to(path: Path) -> str | None:
    """Return the address that the rows of *path* have moved to, None while they are in it."""
    if not path.exists():
        return None
    try:
        with closing(open_raw(path)) as raw:
            if not is_moved(raw):
                return None
            address: str = raw.execute("SELECT url FROM move_address").fetchone()[0]
            return address
    except sqlite3.Error as error:
        raise translated(error) from error


def _statements() -> Iterator[str]:
    """Yield the statements that make the journal: a key is in it once, by its last write."""
    keys = [f"key_{i}" for i in range(KEYS)]
    yield (
        'CREATE TABLE move_changes (id INTEGER PRIMARY KEY AUTOINCREMENT, "table" TEXT NOT NULL, '
        f"{', '.join(keys)})"
    )
    yield f'CREATE INDEX ix_move_changes_key ON move_changes ("table", {", ".join(keys)})'
    for name, moment, table, version, condition in _triggers():
        columns = key_columns(table)
        same = " AND ".join(f'{k} = {version}."{c}"' for k, c in zip(keys, columns, strict=False))
        values = ", ".join(f'{version}."{column}"' for column in columns)
        names = ", ".join(keys[: len(columns)])
        mine = f"'{table.name}'"
        forget_older = f'DELETE FROM move_changes WHERE "table" = {mine} AND {same}'  # noqa: S608
        keep = f'INSERT INTO move_changes ("table", {names}) VALUES ({mine}, {values})'  # noqa: S608
        yield (
            f'CREATE TRIGGER {name} {moment} ON "{table.name}" {condition} '
            f"BEGIN {forget_older}; {keep}; END"
        )


def _triggers() -> Iterator[tuple[str, str, Table, str, str]]:
    """Yield name, moment, table, the version of the row whose key is kept, and the condition."""
    for table in TABLES:
        columns = key_columns(table)
        names = ", ".join(f'"{column}"' for column in columns)
        differ = " OR ".join(f'OLD."{column}" <> NEW."{column}"' for column in columns)
        yield f"move_insert_{table.name}", "AFTER INSERT", table, "NEW", ""
        yield f"move_update_{table.name}", "AFTER UPDATE", table, "NEW", ""
        yield (
            f"move_rename_{table.name}",
            f"AFTER UPDATE OF {names}",
            table,
            "OLD",
            (f"WHEN {differ}"),
        )
        yield f"move_delete_{table.name}", "AFTER DELETE", table, "OLD", ""
