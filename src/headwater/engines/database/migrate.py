"""Migrations, of SQLite's file here: a schema is brought to ours, whole or not at all."""

import sqlite3
from contextlib import closing
from pathlib import Path

import sqlalchemy
from sqlalchemy.exc import DBAPIError

from headwater.engines.database.connection import engine_for, open_raw, translated
from headwater.model.errors import SettingsError

SCRIPTS = Path(__file__).with_name("migrations")
WAIT_S = 60.0  # another process may be migrating


def revisions() -> list[str]:
    """Return the revisions in order; files of versions/ are named `{revision}_{words}.py`."""
    return sorted(path.name.split("_")[0] for path in (SCRIPTS / "versions").glob("[0-9]*.py"))


def to_newest(path: Path) -> None:
    """Migrate the file *path*, making it when it is absent; one that is up to date costs one read.

    Raises:
        SettingsError: a newer Headwater made it.
        StorageFull, Unavailable: nothing was changed.
    """
    known = revisions()
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with closing(open_raw(path)) as raw:
            if is_newest(_version(raw), known):
                return
        _upgrade(path, known)
    except (sqlite3.Error, DBAPIError) as error:
        raise translated(error) from error


def is_newest(version: str | None, known: list[str]) -> bool:
    """Say whether a database at *version* is at ours. Raises SettingsError: it is past that."""
    if version is not None and version not in known:
        raise SettingsError(
            f"the database is of a newer version ({version}; this one knows up to {known[-1]}): "
            "install the newer Headwater or restore a backup made before"
        )
    return version == known[-1]


def upgrade(connection: sqlalchemy.Connection) -> None:
    """Run what is missing on *connection*, inside the transaction it is in."""
    from alembic import command  # noqa: PLC0415 (half a second that only a migration should pay)
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _upgrade(path: Path, known: list[str]) -> None:
    with engine_for(path).connect() as connection:
        # Set before anything begins: changing it commits what is open.
        connection.execution_options(isolation_level="AUTOCOMMIT")
        raw = connection.connection.dbapi_connection
        assert isinstance(raw, sqlite3.Connection)
        raw.execute(f"PRAGMA busy_timeout={WAIT_S * 1000:.0f}").close()
        raw.execute("PRAGMA foreign_keys=OFF").close()  # tables may be rebuilt on the way
        with connection.begin():  # alembic joins a transaction that is open
            raw.execute("BEGIN IMMEDIATE").close()
            if not is_newest(_version(raw), known):
                upgrade(connection)


def _version(raw: sqlite3.Connection) -> str | None:
    """Return the revision it is at, None for an empty file."""
    try:
        row = raw.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.OperationalError as error:
        if "no such table" in str(error):
            return None
        raise
    return None if row is None else str(row[0])
