"""The database side of the log, beside the deposits: both are committed in one transaction."""

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from chopmark.ledger.stores.sql import create_tables


def create(apps: object, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """The ledger room's own statements; they pass over what is there."""
    connection = schema_editor.connection
    with connection.cursor() as cursor:
        create_tables(cursor, "postgresql" if connection.vendor == "postgresql" else "sqlite")


class Migration(migrations.Migration):
    dependencies = [("evidence", "0001_initial")]
    operations = [migrations.RunPython(create, migrations.RunPython.noop)]
