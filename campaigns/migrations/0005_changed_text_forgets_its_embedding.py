from django.db import migrations

# A vector belongs to the text it was made of. Whoever changes the text, by whatever door, makes
# the vector stale; the database forgets it, and matching embeds anew.
FORWARDS = """
CREATE FUNCTION overture_forget_embedding() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.embedding := NULL;
    RETURN NEW;
END $$;

CREATE FUNCTION campaigns_forget_campaign_embedding() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.embedding := NULL;
    NEW.embedding_status := 'pending';
    RETURN NEW;
END $$;

CREATE TRIGGER campaign_text_changed
BEFORE UPDATE OF goal, ideal_lead, keywords, questionnaire_keywords ON campaigns_campaign
FOR EACH ROW WHEN (
    (OLD.goal, OLD.ideal_lead, OLD.keywords, OLD.questionnaire_keywords)
    IS DISTINCT FROM (NEW.goal, NEW.ideal_lead, NEW.keywords, NEW.questionnaire_keywords)
) EXECUTE FUNCTION campaigns_forget_campaign_embedding();

CREATE TRIGGER candidate_text_changed
BEFORE UPDATE OF headline, bio, bio_refined, bio_refined_accepted_at, skills, keywords, industries
ON campaigns_candidate
FOR EACH ROW WHEN (
    (OLD.headline, OLD.bio, OLD.bio_refined, OLD.bio_refined_accepted_at,
     OLD.skills, OLD.keywords, OLD.industries)
    IS DISTINCT FROM
    (NEW.headline, NEW.bio, NEW.bio_refined, NEW.bio_refined_accepted_at,
     NEW.skills, NEW.keywords, NEW.industries)
) EXECUTE FUNCTION overture_forget_embedding();
"""

BACKWARDS = """
DROP TRIGGER candidate_text_changed ON campaigns_candidate;
DROP TRIGGER campaign_text_changed ON campaigns_campaign;
DROP FUNCTION campaigns_forget_campaign_embedding();
DROP FUNCTION overture_forget_embedding();
"""


class Migration(migrations.Migration):
    dependencies = [("campaigns", "0004_find_names_by_words")]

    operations = [migrations.RunSQL(FORWARDS, BACKWARDS)]
