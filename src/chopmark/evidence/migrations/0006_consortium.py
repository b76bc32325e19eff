"""The ledger's tables learn of the consortium: members' seals, their state, and what a batch was made of."""

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from chopmark.ledger.stores.sql import create_tables


def extend(apps: object, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """The ledger room's own statements; they pass over what is there."""
    connection = schema_editor.connection
    with connection.cursor() as cursor:
        create_tables(cursor, "postgresql" if connection.vendor == "postgresql" else "sqlite")


class Migration(migrations.Migration):
    dependencies = [("evidence", "0005_stamps")]
    operations = [migrations.RunPython(extend, migrations.RunPython.noop)]
