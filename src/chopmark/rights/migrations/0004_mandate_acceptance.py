from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("rights", "0003_watches"),
    ]

    operations = [
        migrations.AddField(
            model_name="mandate",
            name="accepted_on",
            field=models.DateField(null=True),
        ),
    ]
