from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("pitches", "0008_verdicts_and_soft_bounces")]

    operations = [
        migrations.AddIndex(
            model_name="message",
            index=models.Index(
                condition=models.Q(("provider_id__gt", "")),
                fields=["provider_id"],
                name="message_provider_id",
            ),
        ),
    ]
