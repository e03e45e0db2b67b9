"""The smaller pages: placements, mail that came in, the lists that hold, logins."""

import re

import pytest
from django.contrib.auth.models import User
from django.forms import FileField
from django.urls import reverse

from campaigns.models import Sequence
from pitches.models import IncomingMessage, Message, Placement
from prospects import suppressions
from prospects.models import Suppression
from tests import factories

pytestmark = pytest.mark.django_db


def change(row):
    meta = row._meta
    return reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[row.pk])


def form_of(page):
    """The values of an admin form as the browser would send them back."""
    form = page.context["adminform"].form
    data = {}
    for name, field in form.fields.items():
        if not isinstance(field, FileField):
            value = form[name].value()
            data[name] = "" if value is None else value
    for inline in page.context["inline_admin_formsets"]:
        prefix = inline.formset.prefix
        data |= {f"{prefix}-TOTAL_FORMS": 0, f"{prefix}-INITIAL_FORMS": 0}
    return data


# Placements


@pytest.mark.req("S000-067", "S000-068")
def test_a_placement_is_made_and_its_stages_keep_who_moved_it(staff, desk, ada):
    candidate, lead = desk.candidate(), desk.lead()
    data = {
        "campaign": desk.campaign.pk,
        "candidate": candidate.pk,
        "lead": lead.pk,
        "currency": "USD",
        "changes-TOTAL_FORMS": 0,
        "changes-INITIAL_FORMS": 0,
    }
    staff.post(reverse("admin:pitches_placement_add"), data)
    placement = Placement.objects.get()
    assert (placement.kind, placement.status) == ("internship", "pending")
    move = reverse("admin:pitches_move_placement", args=[placement.pk])
    staff.post(move, {"to": "interview"})
    told = staff.post(move, {"to": "pending"}, follow=True).content.decode()
    assert "Say why it goes back" in told
    staff.post(move, {"to": "nonsense"})
    placement.refresh_from_db()
    assert placement.status == "interview"
    assert [(c.old_status, c.new_status, c.user) for c in placement.changes.all()] == [
        ("", "pending", ada),
        ("pending", "interview", ada),
    ]


def test_a_placement_of_another_clients_candidate_is_refused(staff, desk):
    data = {
        "campaign": desk.campaign.pk,
        "candidate": factories.CandidateFactory().pk,
        "lead": desk.lead().pk,
        "currency": "USD",
        "changes-TOTAL_FORMS": 0,
        "changes-INITIAL_FORMS": 0,
    }
    text = staff.post(reverse("admin:pitches_placement_add"), data).content.decode()
    assert "belongs to another client" in text
    assert not Placement.objects.exists()


def test_what_is_recorded_of_a_placement_is_corrected(staff):
    placement = factories.PlacementFactory()
    data = form_of(staff.get(change(placement))) | {"value": "1200.50", "notes": "Agreed"}
    staff.post(change(placement), data)
    placement.refresh_from_db()
    assert (str(placement.value), placement.notes) == ("1200.50", "Agreed")


# Mail that came in


def test_a_mail_is_read_and_dealt_with_once(staff, desk):
    pitch = desk.sent_pitch()
    incoming = factories.IncomingMessageFactory(
        pitch=pitch, sender=desk.sender, reply_text="Yes <b>please</b>", matched_by="message-id"
    )
    text = staff.get(change(incoming)).content.decode()
    assert "Yes &lt;b&gt;please&lt;/b&gt;" in text
    staff.post(change(incoming))
    first = IncomingMessage.objects.get(pk=incoming.pk).handled_at
    assert first
    staff.post(change(incoming))
    assert IncomingMessage.objects.get(pk=incoming.pk).handled_at == first


# To check


def test_what_cannot_help_itself_is_listed_with_its_cause(staff, desk):
    page = reverse("admin:pitches_check")
    assert "Nothing to check" in staff.get(page).content.decode()
    unknown = factories.MessageFactory(status="unknown", last_error="timed out")
    factories.MessageFactory(status="approved", hold_reason="address_invalid")
    factories.IncomingMessageFactory(subject="Who are you?")
    factories.SenderFactory(status="paused", status_reason="Bounces")
    response = staff.get(page)
    assert [group.count for group in response.context["groups"]] == [1, 1, 1, 1]
    text = response.content.decode()
    for words in ("timed out", "address invalid", "Who are you?", "Bounces"):
        assert words in text
    assert re.search(r"To check.*?>\s*1\s*<", text, re.DOTALL)
    assert reverse("admin:pitches_fate", args=[unknown.pk]) in text


def test_what_only_waits_for_its_turn_is_nothing_to_check(staff):
    for reason in ("not_due", "not_approved", "", "address_invalid", "do_not_contact"):
        factories.MessageFactory(status="approved", hold_reason=reason)
    (group,) = staff.get(reverse("admin:pitches_check")).context["groups"]
    assert [row.detail for row in group.rows] == ["address invalid", "do not contact"]
    assert staff.get(group.url).context["cl"].result_count == group.count == 2


def test_the_messages_a_campaign_sent_are_not_those_it_inherited(staff):
    ours = factories.MessageFactory(status="sent")
    pitch = factories.PitchFactory(campaign=ours.pitch.campaign, is_imported=True)
    factories.MessageFactory.create_batch(1, status="sent", pitch=pitch)
    factories.MessageFactory(status="sent", pitch=pitch, number=1)
    figures = staff.get(change(ours.pitch.campaign)).context["figures"]
    counted = {figure.label: figure for figure in figures}
    assert counted["messages sent"].count == 1
    assert counted["messages imported"].count == 2
    for label in ("messages sent", "messages imported"):
        shown = staff.get(counted[label].url).context["cl"].result_count
        assert shown == counted[label].count


# Lists


def test_a_list_has_the_name_under_which_the_menu_offers_it(staff):
    for name, address in (
        ("Mailboxes", "pitches_sender"),
        ("Never write to", "prospects_suppression"),
        ("Review", "pitches_reviewtask"),
        ("Inbox", "pitches_incomingmessage"),
        ("Limits", "pitches_emaillimit"),
        ("Follow-up tasks", "pitches_followuptask"),
    ):
        page = staff.get(reverse(f"admin:{address}_changelist"), follow=True)
        assert page.context["title"] == name
        heading = re.search(r"<h1.*?</h1>", page.content.decode(), re.DOTALL)
        assert name in heading.group()


def test_limits_that_nobody_wrote_down_are_shown_too(staff):
    factories.SenderFactory(address="sam@example.com", daily_limit=17, hourly_limit=4)
    text = staff.get(reverse("admin:pitches_emaillimit_changelist")).content.decode()
    assert "organization: new pitches, at most 1 in 168 hours" in text
    assert "contact: new pitches, at most 1 in 720 hours" in text
    assert re.search(r"sam@example\.com.*17 in 24 hours, 4 in one hour", text, re.DOTALL)
    assert "yielded" not in text
    assert "The limits above hold; add one" in text


def test_an_empty_list_tells_filters_that_hide_from_nothing_there(staff):
    url = reverse("admin:pitches_sender_changelist")
    assert "Nothing is here yet" in staff.get(url).content.decode()
    factories.SenderFactory()
    text = staff.get(f"{url}?status__exact=paused").content.decode()
    assert "Nothing fits" in text
    assert "Show all" in text


# Whom we may not write


def test_an_address_is_suppressed_and_only_its_hash_is_kept(staff):
    page = reverse("admin:prospects_suppress")
    data = {"kind": "email", "value": "Paula@Example.com", "reason": "do_not_contact"}
    staff.post(page, data)
    assert suppressions.suppressed(["paula@example.com"])
    row = Suppression.objects.get()
    assert "paula" not in str(row.__dict__).lower()
    assert row.source == "entered by ada"
    again = staff.post(page, data, follow=True).content.decode()
    assert "on the list already" in again


def test_nonsense_is_not_suppressed(staff):
    data = {"kind": "email", "value": "not an address", "reason": "do_not_contact"}
    response = staff.post(reverse("admin:prospects_suppress"), data)
    assert 'role="alert"' in response.content.decode()
    assert not Suppression.objects.exists()


# Versions


def test_a_sequence_somebody_was_written_with_is_fixed_and_copied(staff, desk):
    sequence = desk.campaign.sequence
    desk.sent_pitch()
    assert staff.post(change(sequence), {"name": "Other"}).status_code == 403
    response = staff.post(reverse("admin:pitches_next_sequence", args=[sequence.pk]))
    copy = Sequence.objects.exclude(pk=sequence.pk).get(key=sequence.key)
    assert response.url == change(copy)
    assert copy.version == sequence.version + 1
    assert [step.name for step in copy.steps.all()] == [s.name for s in sequence.steps.all()]
    assert sequence.steps.count() == copy.steps.count() > 0
    assert staff.get(change(copy)).context["has_change_permission"]


# Who leaves, and who wants to be left alone


@pytest.mark.req("F-17")
def test_a_candidate_who_is_paused_leaves_every_open_text(staff, desk):
    pitch = desk.sent_pitch()
    candidate = pitch.matches.get().candidate
    page = staff.get(change(candidate))
    saved = staff.post(change(candidate), form_of(page) | {"status": "paused"})
    assert saved.status_code == 302
    pitch.refresh_from_db()
    assert pitch.status == "stopped"
    left = pitch.messages.exclude(number=0).values_list("status", flat=True)
    assert set(left) == {"canceled"}


@pytest.mark.req("F-17")
def test_an_organization_marked_as_not_to_be_contacted_gets_nothing_more(staff, desk):
    pitch = desk.sent_pitch()
    organization = pitch.lead.organization
    data = form_of(staff.get(change(organization)))
    data |= {"do_not_contact": "on", "do_not_contact_reason": "Wrote to our lawyer"}
    assert staff.post(change(organization), data).status_code == 302
    pitch.refresh_from_db()
    assert (pitch.status, pitch.status_reason) == ("stopped", "Wrote to our lawyer")


# Secrets and logins


def test_a_mailbox_password_is_never_shown_and_stays_when_left_empty(staff):
    sender = factories.SenderFactory(password="canary-7431")
    page = staff.get(change(sender))
    assert "canary-7431" not in page.content.decode()
    data = form_of(page) | {
        "name": "New name",
        "sender_campaigns-TOTAL_FORMS": 0,
        "sender_campaigns-INITIAL_FORMS": 0,
    }
    response = staff.post(change(sender), data)
    assert response.status_code == 302
    sender.refresh_from_db()
    assert (sender.name, sender.password) == ("New name", "canary-7431")


def test_staff_choose_among_people_and_change_none(staff, ada):
    other = User.objects.create_user("otto", password="canary-7431")
    url = reverse("admin:auth_user_change", args=[other.pk])
    text = staff.get(url).content.decode()
    assert "otto" in text
    assert other.password not in text
    assert staff.post(url, {"is_superuser": "on"}).status_code == 403
    assert staff.get(reverse("admin:auth_user_add")).status_code == 403


def test_nobody_deletes_a_login(admin_client):
    other = User.objects.create_user("otto")
    admin_client.post(reverse("admin:auth_user_delete", args=[other.pk]), {"post": "yes"})
    assert User.objects.filter(pk=other.pk).exists()


# Hostile text in every list

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"


def test_hostile_text_stays_text_in_every_list(admin_client):
    message = factories.MessageFactory(subject=HOSTILE, status="sent")
    factories.VariantFactory(message=message, subject=HOSTILE, label=HOSTILE[:100])
    factories.MatchFactory(candidate__name=HOSTILE, lead__name=HOSTILE)
    factories.FactFactory(value=HOSTILE, kind=HOSTILE[:60])
    factories.ContactFactory(name=HOSTILE, title=HOSTILE)
    factories.OrganizationFactory(name=HOSTILE)
    factories.IncomingMessageFactory(subject=HOSTILE, from_name=HOSTILE, from_address=HOSTILE)
    factories.StopFactory(reason=HOSTILE)
    factories.SenderFactory(name=HOSTILE, status_reason=HOSTILE, status="paused")
    Message.objects.update(last_error=HOSTILE, canceled_reason=HOSTILE)
    seen = 0
    for name in (
        "pitches_message", "pitches_variant", "pitches_match", "prospects_fact",
        "prospects_contact", "prospects_organization", "prospects_lead", "campaigns_candidate",
        "pitches_incomingmessage", "pitches_stop", "pitches_sender",
    ):  # fmt: skip
        text = admin_client.get(reverse(f"admin:{name}_changelist")).content.decode()
        assert "<script>alert" not in text, name
        assert "<img src=x" not in text, name
        seen += "alert(1)" in text
    assert seen == 11
