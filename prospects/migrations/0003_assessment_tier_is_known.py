from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("prospects", "0002_find_names_by_words")]

    operations = [
        migrations.AddConstraint(
            model_name="assessment",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("tier", ""),
                    (
                        "tier__in",
                        ["auto_enroll", "standard_priority_review", "low_priority_review"],
                    ),
                    _connector="OR",
                ),
                name="prospects_assessment_tier_is_known",
            ),
        ),
    ]
