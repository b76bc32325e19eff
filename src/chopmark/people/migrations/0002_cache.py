"""The table of the cache, so that `migrate` is all a database needs."""

from django.core.management import call_command
from django.db import migrations


def make_table(apps, editor):
    call_command("createcachetable", database=editor.connection.alias, verbosity=0)


class Migration(migrations.Migration):

    dependencies = [("people", "0001_people")]

    operations = [migrations.RunPython(make_table, migrations.RunPython.noop)]
