"""Alembic's entry: migrate on the connection that migrate.py hands over, inside its transaction."""

from alembic import context

from headwater.engines.database.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=False,  # migrate.py holds one transaction around everything
    render_as_batch=True,  # SQLite alters by rebuilding
)
context.run_migrations()
