"""The migrations and schema.py say the same."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from headwater.engines.database import migrate
from headwater.engines.database.connection import engine_for
from headwater.engines.database.schema import metadata


def columns(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """Return (name, type, not null, default, primary key) of every column by table.

    And whether its ids are never given twice.
    """
    with closing(sqlite3.connect(path)) as raw:
        tables = raw.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'").fetchall()
        return {
            name: [row[1:] for row in raw.execute(f"PRAGMA table_info({name})")]
            + [("AUTOINCREMENT" in sql,)]
            for name, sql in tables
            if name != "alembic_version"
        }


def test_the_migrated_schema_is_the_declared_one(tmp_path: Path) -> None:
    """Changed schema.py? `python tools/new_revision.py WORDS` writes the migration."""
    migrated, declared = tmp_path / "migrated.db", tmp_path / "declared.db"
    migrate.to_newest(migrated)
    metadata.create_all(engine_for(declared))

    assert columns(migrated) == columns(declared)
    with engine_for(migrated).connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_revisions_are_one_line() -> None:
    """The names of the files say the order that Alembic follows."""
    config = Config()
    config.set_main_option("script_location", str(migrate.SCRIPTS))
    chain = [s.revision for s in ScriptDirectory.from_config(config).walk_revisions()]
    assert chain[::-1] == migrate.revisions()


def test_alembic_is_imported_only_to_migrate(tmp_path: Path) -> None:
    """An up-to-date database does not pay for it at start."""
    path = tmp_path / "headwater.db"
    migrate.to_newest(path)
    code = (
        "import asyncio, sys\n"
        "from pathlib import Path\n"
        "from headwater.engines.database.sqlite import SqliteDatabase\n"
        f"asyncio.run(SqliteDatabase(Path({str(path)!r})).migrate())\n"
        "sys.exit('alembic' in sys.modules)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
