"""Run by alembic: applies the scripts to the engine that `wms.migrations` hands over, in one transaction."""

from alembic import context

engine = context.config.attributes["engine"]
with engine.connect() as connection:
    context.configure(connection=connection, render_as_batch=True, transaction_per_migration=False)
    with connection.begin(), context.begin_transaction():
        context.run_migrations()
