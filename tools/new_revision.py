"""Write the next migration, what schema.py says and the others do not: new_revision.py WORDS….

Read the result before you commit it; SQLite cannot tell a rename from a drop and an add.
"""

import sqlite3
import sys
import tempfile
from pathlib import Path

from alembic.autogenerate import produce_migrations, render_python_code
from alembic.migration import MigrationContext

from headwater.engines.database import migrate
from headwater.engines.database.connection import engine_for
from headwater.engines.database.schema import metadata

PAGE = '''"""{title}."""

import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = {before}
branch_labels = None
depends_on = None


def upgrade() -> None:
    {upgrade}
'''


def main(words: list[str]) -> Path:
    known = migrate.revisions()
    revision = f"{len(known) + 1:04}"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "empty.db"
        if known:
            migrate.to_newest(path)
        else:
            sqlite3.connect(path).close()
        with engine_for(path).connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            operations = produce_migrations(context, metadata).upgrade_ops
    assert operations is not None
    target = migrate.SCRIPTS / "versions" / f"{revision}_{'_'.join(words).lower()}.py"
    target.write_text(
        PAGE.format(
            title=" ".join(words).capitalize(),
            revision=revision,
            before=repr(known[-1]) if known else None,
            upgrade=render_python_code(operations, render_as_batch=True),
        )
    )
    return target


if __name__ == "__main__":
    print(main(sys.argv[1:]))
