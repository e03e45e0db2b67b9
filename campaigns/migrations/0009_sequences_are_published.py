from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("campaigns", "0008_attachments")]

    operations = [
        migrations.AddField(
            model_name="sequence",
            name="published_at",
            field=models.DateTimeField(
                blank=True,
                editable=False,
                help_text="Since when new pitches may use it; empty: still being changed.",
                null=True,
            ),
        ),
        # What is there was in use before there were drafts.
        migrations.RunSQL(
            "UPDATE campaigns_sequence SET published_at = created_at",
            migrations.RunSQL.noop,
        ),
    ]
