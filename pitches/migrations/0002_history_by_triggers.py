from django.db import migrations

# The user comes from the setting overture.user_id, which the doors set for their transaction.
PLACEMENTS = """
CREATE FUNCTION pitches_placement_history() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    who text := nullif(current_setting('overture.user_id', true), '');
BEGIN
    IF TG_OP = 'UPDATE' AND NEW.status = OLD.status THEN
        RETURN NEW;
    END IF;
    INSERT INTO pitches_placementchange (placement_id, old_status, new_status, changed_at, user_id)
    VALUES (NEW.id, CASE WHEN TG_OP = 'UPDATE' THEN OLD.status ELSE '' END, NEW.status,
            clock_timestamp(), who::int);
    RETURN NEW;
END $$;

CREATE TRIGGER placement_history AFTER INSERT OR UPDATE ON pitches_placement
FOR EACH ROW EXECUTE FUNCTION pitches_placement_history();
"""

PLACEMENTS_BACK = """
DROP TRIGGER placement_history ON pitches_placement;
DROP FUNCTION pitches_placement_history();
"""

EVENTS = """
CREATE FUNCTION pitches_event_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'event #% is append-only', OLD.id USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER event_append_only BEFORE UPDATE ON pitches_event
FOR EACH ROW EXECUTE FUNCTION pitches_event_append_only();
"""

EVENTS_BACK = """
DROP TRIGGER event_append_only ON pitches_event;
DROP FUNCTION pitches_event_append_only();
"""


class Migration(migrations.Migration):
    dependencies = [("pitches", "0001_initial")]

    operations = [
        migrations.RunSQL(PLACEMENTS, PLACEMENTS_BACK),
        migrations.RunSQL(EVENTS, EVENTS_BACK),
    ]
