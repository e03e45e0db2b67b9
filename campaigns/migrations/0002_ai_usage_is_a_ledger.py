from django.db import migrations

FORWARDS = """
CREATE FUNCTION campaigns_ai_usage_ledger() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'AI usage #% is a ledger entry: it cannot be deleted', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.status <> 'reserved' THEN
        RAISE EXCEPTION 'AI usage #% is settled: it cannot be changed', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.status = 'reserved'
       OR (NEW.id, NEW.prompt_name, NEW.prompt_sha256, NEW.provider, NEW.created_at)
          IS DISTINCT FROM (OLD.id, OLD.prompt_name, OLD.prompt_sha256, OLD.provider, OLD.created_at)
       OR (NEW.campaign_id, NEW.about_type_id, NEW.about_id)
          IS DISTINCT FROM (OLD.campaign_id, OLD.about_type_id, OLD.about_id) THEN
        RAISE EXCEPTION 'AI usage #% may only be settled', OLD.id USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER ai_usage_ledger BEFORE UPDATE OR DELETE ON campaigns_aiusage
FOR EACH ROW EXECUTE FUNCTION campaigns_ai_usage_ledger();
"""

BACKWARDS = """
DROP TRIGGER ai_usage_ledger ON campaigns_aiusage;
DROP FUNCTION campaigns_ai_usage_ledger();
"""


class Migration(migrations.Migration):
    dependencies = [("campaigns", "0001_initial")]

    operations = [migrations.RunSQL(FORWARDS, BACKWARDS)]
