"""Papers of governance are kept in the database too: a standby on another machine goes by the same decisions."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("evidence", "0006_consortium")]
    operations = [
        migrations.AddField(model_name="governance", name="paper", field=models.BinaryField(null=True)),
    ]
