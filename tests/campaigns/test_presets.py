"""What is shipped: plans, texts, segments, and how they come into the database."""

from io import StringIO

import pytest
from django.core.management import call_command

from campaigns import channels, presets, texts
from campaigns.models import PitchTemplate, Segment, Sequence, Step, Tone
from tests.factories import SegmentFactory

pytestmark = pytest.mark.django_db


def steps(key):
    return list(presets.sequence(key).steps.all())


@pytest.mark.req("S003-032", "S003-033", "S003-034", "S003-035")
def test_a_placement_follows_up_after_48_96_144_hours_and_moves_on_after_192():
    presets.install()
    assert [(step.name, step.delay_hours, step.action) for step in steps("placement")] == [
        ("initial", 0, "message"),
        ("follow_up_1", 48, "message"),
        ("follow_up_2", 96, "message"),
        ("follow_up_3", 144, "message"),
        ("move_on", 192, "move_on"),
    ]


@pytest.mark.req("S003-017")
def test_the_four_placement_texts_exist_in_three_tones():
    presets.install()
    for name in ("initial", "follow_up_1", "follow_up_2", "follow_up_3"):
        assert set(presets.template(f"placement/{name}")) == set(Tone.values)


@pytest.mark.req("S003-020")
def test_the_second_follow_up_has_the_text_of_the_first():
    presets.install()
    first = presets.template("placement/follow_up_1")
    second = presets.template("placement/follow_up_2")
    for tone in Tone.values:
        assert second[tone].body == first[tone].body


@pytest.mark.req("S004-015", "S004-016", "S004-017", "S004-018", "S004-019", "S004-020")
@pytest.mark.parametrize(
    ("key", "days"),
    [
        ("3-step", [0, 2, 5, 10]),
        ("5-step", [0, 2, 5, 10, 15, 20]),
        ("7-step", [0, 2, 5, 10, 15, 20, 25, 30]),
        ("soft_nudge", [0, 2, 5, 10]),
        ("direct_cta", [0, 2, 5]),
    ],
)
def test_each_linkedin_plan_has_its_steps_on_its_days(key, days):
    presets.install()
    plan = steps(key)
    assert [step.delay_hours / 24 for step in plan] == days
    assert [step.channel for step in plan] == ["linkedin_note"] + ["linkedin_message"] * (
        len(days) - 1
    )


def test_every_shipped_step_has_a_text_on_its_own_channel_in_as_many_tones_as_it_wants():
    presets.install()
    for step in Step.objects.filter(action=Step.Action.MESSAGE):
        found = presets.template(step.template_key)
        assert len(found) >= step.variant_count, step.template_key
        assert {row.channel for row in found.values()} == {step.channel}


def test_every_shipped_text_can_be_read_and_first_mails_have_an_honest_subject():
    for text in presets.shipped_texts():
        texts.parse(text.body)
        texts.parse(text.subject)
        assert not texts.looks_like_reply(text.subject)
        first = text.key.endswith("/initial")
        assert bool(text.subject) == (first and channels.needs_subject(text.channel)), text.key


@pytest.mark.req("S004-002", "S004-003", "S004-004", "S004-009")
def test_the_segments_have_the_weights_50_50_5_and_words_as_rows():
    presets.install()
    weights = dict(Segment.objects.values_list("key", "weight"))
    assert weights == {"referral-network": 50, "thought-leadership": 50, "stealth-founder": 5}
    assert Segment.objects.get(is_default=True).key == "thought-leadership"
    assert Segment.objects.first().key == "stealth-founder"
    assert not Segment.objects.filter(words=[]).exists()


def test_segments_that_a_person_keeps_are_left_alone():
    own = SegmentFactory()
    presets.install()
    assert list(Segment.objects.all()) == [own]


def test_installing_twice_adds_nothing():
    first, second = presets.install(), presets.install()
    assert all(first)
    assert not any(second)


def change_shipped(monkeypatch, key, body):
    changed = [
        text._replace(body=body) if text.key == key else text
        for text in presets.shipped_texts()
    ]
    monkeypatch.setattr(presets, "shipped_texts", lambda: changed)


def test_a_changed_file_becomes_the_next_version_and_the_old_row_stays(monkeypatch):
    presets.install()
    before = presets.template("podcast/initial")["direct"]
    change_shipped(monkeypatch, "podcast/initial", "Hello again.\n")
    assert presets.install().templates == 3
    after = presets.template("podcast/initial")["direct"]
    assert (after.version, after.body) == (2, "Hello again.\n")
    kept = PitchTemplate.objects.get(pk=before.pk)
    assert (kept.body, kept.is_active) == (before.body, True)


def test_a_changed_file_does_not_displace_a_text_that_a_person_wrote(monkeypatch):
    presets.install()
    own = PitchTemplate.objects.create(
        key="podcast/initial", tone="direct", version=2, body="Ours."
    )
    change_shipped(monkeypatch, "podcast/initial", "Hello again.\n")
    presets.install()
    assert presets.template("podcast/initial")["direct"] == own
    assert PitchTemplate.objects.filter(key="podcast/initial", version=3).exists()


def test_a_changed_plan_becomes_the_next_version_of_its_sequence(monkeypatch):
    presets.install()
    plan = presets.shipped()
    podcast = next(p for p in plan["sequences"] if p["key"] == "podcast")
    later = podcast | {"steps": [*podcast["steps"][:1]]}
    monkeypatch.setattr(
        presets, "shipped", lambda: plan | {"sequences": [later], "segments": []}
    )
    assert presets.install().sequences == 1
    assert [s.steps.count() for s in Sequence.objects.filter(key="podcast")] == [1, 3]
    assert presets.sequence("podcast").version == 2


@pytest.mark.req("S000-055")
def test_a_missing_template_gives_an_error_that_says_which_and_what_to_do():
    with pytest.raises(presets.MissingTemplate, match=r"podcast/initial.*manage\.py presets"):
        presets.template("podcast/initial")


def test_a_missing_sequence_gives_an_error_that_says_which_and_what_to_do():
    with pytest.raises(presets.MissingSequence, match=r"placement.*manage\.py presets"):
        presets.sequence("placement")


def test_the_command_counts_and_its_dry_run_changes_nothing():
    out = StringIO()
    call_command("presets", dry_run=True, stdout=out)
    assert "Would add" in out.getvalue()
    assert not PitchTemplate.objects.exists()
    call_command("presets", stdout=out)
    assert "Added" in out.getvalue()
    assert PitchTemplate.objects.exists()
