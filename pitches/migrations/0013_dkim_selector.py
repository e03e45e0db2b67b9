import django.core.validators
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('pitches', '0012_stops_that_wait'),
    ]

    operations = [
        migrations.AddField(
            model_name='sender',
            name='dkim_selector',
            field=models.CharField(blank=True, help_text='As in SELECTOR._domainkey; empty: the usual ones are tried.', max_length=120, validators=[django.core.validators.RegexValidator('^[A-Za-z0-9_-]+(\\.[A-Za-z0-9_-]+)*$')], verbose_name='DKIM selector'),
        ),
    ]
