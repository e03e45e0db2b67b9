from django.db import migrations

FORWARDS = """
CREATE TRIGGER lead_text_changed
BEFORE UPDATE OF name, text, keywords, industries ON prospects_lead
FOR EACH ROW WHEN (
    (OLD.name, OLD.text, OLD.keywords, OLD.industries)
    IS DISTINCT FROM (NEW.name, NEW.text, NEW.keywords, NEW.industries)
) EXECUTE FUNCTION overture_forget_embedding();

CREATE TRIGGER content_item_text_changed
BEFORE UPDATE OF title, summary, text, keywords ON prospects_contentitem
FOR EACH ROW WHEN (
    (OLD.title, OLD.summary, OLD.text, OLD.keywords)
    IS DISTINCT FROM (NEW.title, NEW.summary, NEW.text, NEW.keywords)
) EXECUTE FUNCTION overture_forget_embedding();
"""

BACKWARDS = """
DROP TRIGGER content_item_text_changed ON prospects_contentitem;
DROP TRIGGER lead_text_changed ON prospects_lead;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("prospects", "0003_assessment_tier_is_known"),
        ("campaigns", "0005_changed_text_forgets_its_embedding"),
    ]

    operations = [migrations.RunSQL(FORWARDS, BACKWARDS)]
