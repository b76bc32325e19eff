from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("people", "0002_cache")]

    operations = [
        migrations.AddField(
            model_name="membership",
            name="digests",
            field=models.BooleanField(default=True),
        ),
        migrations.AddField(
            model_name="user",
            name="language",
            field=models.CharField(blank=True, max_length=2),
        ),
    ]
