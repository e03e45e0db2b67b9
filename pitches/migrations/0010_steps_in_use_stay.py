from django.db import migrations

# A pitch stays on the plan that was approved with it: its steps are as fixed as its words.
STEPS = """
CREATE FUNCTION pitches_step_in_use_stays() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    plans bigint[] := CASE TG_OP
        WHEN 'INSERT' THEN ARRAY[NEW.sequence_id]
        WHEN 'DELETE' THEN ARRAY[OLD.sequence_id]
        ELSE ARRAY[OLD.sequence_id, NEW.sequence_id]
    END;
BEGIN
    IF EXISTS (
        SELECT FROM pitches_pitch WHERE sequence_id = ANY(plans) AND status <> 'draft'
    ) THEN
        RAISE EXCEPTION 'sequence % is in use: change its next version', plans
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
END $$;

CREATE TRIGGER step_in_use_stays BEFORE INSERT OR UPDATE OR DELETE ON campaigns_step
FOR EACH ROW EXECUTE FUNCTION pitches_step_in_use_stays();
"""

STEPS_BACK = """
DROP TRIGGER step_in_use_stays ON campaigns_step;
DROP FUNCTION pitches_step_in_use_stays();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("campaigns", "0009_sequences_are_published"),
        ("pitches", "0009_messages_by_provider_id"),
    ]

    operations = [migrations.RunSQL(STEPS, STEPS_BACK)]
