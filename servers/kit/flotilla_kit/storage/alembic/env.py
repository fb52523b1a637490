"""Alembic's entry point: runs on the connection, and in the transaction, that `migrate.upgrade` passes."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    version_table=context.config.attributes["version_table"],
    transactional_ddl=False,  # the caller's transaction covers it
)
context.run_migrations()
