"""The review queue: what is decided on is what was read, once, by whoever came first."""

import re
from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from campaigns.models import Campaign
from pitches.models import Match, Message, Pitch, ReviewTask
from prospects.models import Lead
from tests import factories

LIST = reverse("admin:pitches_reviewtask_changelist")


def page_of(task):
    return reverse("admin:pitches_reviewtask_change", args=[task.pk])


@pytest.fixture
def match_task(db):
    return factories.ReviewTaskFactory(
        of_match=True,
        match__candidate__name="Ines Ito",
        match__lead__name="Intern, Audit",
        match__score="62.50",
        match__parts={"industry_1": "40.00", "skills": "22.50"},
        match__reasoning="Both are in finance.",
    )


@pytest.fixture
def pitch_task(db):
    """A pitch with its first message and one follow-up, two drafts each."""
    task = factories.ReviewTaskFactory(pitch__lead__name="Intern, Audit")
    factories.MatchFactory(pitch=task.pitch, candidate__name="Ines Ito")
    for number in (0, 1):
        message = factories.MessageFactory(pitch=task.pitch, number=number, subject="", body="")
        for variant, label in enumerate(("professional", "friendly"), start=1):
            factories.VariantFactory(
                message=message,
                number=variant,
                label=label,
                subject="A candidate for you",
                body=f"Hello Paula,\n\nthis is the {label} text {number}.",
            )
    return task


def seen(client, task):
    return client.get(page_of(task)).context["about_pitch"].seen


# The list


def test_the_queue_opens_with_what_is_open_riskiest_and_oldest_first(staff):
    old, urgent, done = (factories.ReviewTaskFactory(of_match=True) for _ in range(3))
    ReviewTask.objects.filter(pk=urgent.pk).update(risk=10)
    ReviewTask.objects.filter(pk=done.pk).update(status="canceled")
    new = factories.ReviewTaskFactory()
    response = staff.get(LIST, follow=True)
    assert list(response.context["cl"].queryset) == [urgent, old, new]


@pytest.mark.req("S000-043")
def test_several_are_approved_at_once_after_one_question(staff):
    tasks = [factories.ReviewTaskFactory(of_match=True) for _ in range(3)]
    chosen = {"action": "approve_chosen", "_selected_action": [task.pk for task in tasks[:2]]}
    asked = staff.post(f"{LIST}?status__exact=open", chosen)
    assert "This approves <strong>2</strong>" in asked.content.decode()
    assert not Match.objects.filter(status="approved").exists()
    staff.post(f"{LIST}?status__exact=open", chosen | {"confirmed": "yes"})
    assert Match.objects.filter(status="approved").count() == 2
    assert ReviewTask.objects.filter(status="open").count() == 1


def test_several_are_rejected_with_a_reason_and_not_without(staff):
    task = factories.ReviewTaskFactory(of_match=True)
    chosen = {"action": "reject_chosen", "_selected_action": [task.pk], "confirmed": "yes"}
    staff.post(f"{LIST}?status__exact=open", chosen | {"reason": " "})
    assert ReviewTask.objects.get(pk=task.pk).is_open
    staff.post(f"{LIST}?status__exact=open", chosen | {"reason": "Not a fit"})
    task.match.refresh_from_db()
    assert (task.match.status, task.match.decline_reason) == ("declined", "Not a fit")


def test_one_that_cannot_be_approved_keeps_no_other_from_it(staff, match_task):
    Campaign.objects.filter(pk=match_task.campaign_id).update(approval_policy="client")
    other = factories.ReviewTaskFactory(of_match=True)
    chosen = {
        "action": "approve_chosen",
        "_selected_action": [match_task.pk, other.pk],
        "confirmed": "yes",
    }
    response = staff.post(f"{LIST}?status__exact=open", chosen, follow=True)
    assert "decided by the client" in response.content.decode()
    assert not ReviewTask.objects.get(pk=other.pk).is_open


# A match


def test_a_match_shows_its_score_part_by_part_and_both_sides(staff, match_task):
    factories.FactFactory(lead=match_task.match.lead, value="Opened an office in Oslo")
    factories.CandidateFactFactory(candidate=match_task.match.candidate, value="Won a prize")
    response = staff.get(page_of(match_task))
    page = response.context["about_match"]
    assert sum(part.points for part in page.parts) == Decimal(match_task.match.score)
    text = response.content.decode()
    for words in ("Ines Ito", "Intern, Audit", "Both are in finance", "Oslo", "Won a prize"):
        assert words in text


def test_a_part_nobody_explained_is_said(staff, match_task):
    Match.objects.update(parts={"industry_1": "40.00"})
    page = staff.get(page_of(match_task)).context["about_match"]
    assert [(p.label, str(p.points)) for p in page.parts][-1] == ("not_explained", "22.50")


@pytest.mark.req("S003-005")
def test_what_a_lead_got_before_is_shown_over_all_clients(staff, match_task):
    earlier = factories.PitchFactory(lead=match_task.match.lead)
    factories.PitchFactory()
    page = staff.get(page_of(match_task)).context["about_match"]
    assert list(page.before) == [earlier]
    assert earlier.campaign.client.name in staff.get(page_of(match_task)).content.decode()


@pytest.mark.req("S000-043")
def test_approving_opens_the_next_of_the_same_queue(staff, match_task, ada):
    following = factories.ReviewTaskFactory(of_match=True)
    ReviewTask.objects.filter(pk=following.pk).update(
        created_at=match_task.created_at + timedelta(minutes=1)
    )
    factories.ReviewTaskFactory()  # another kind, between them in no queue of matches
    queue = "?_changelist_filters=kind__exact%3Dmatch"
    response = staff.post(page_of(match_task) + queue, {"do": "approve"})
    assert response.url.startswith(page_of(following))
    match_task.refresh_from_db()
    assert (match_task.decision, match_task.decided_by) == ("approved", ada)
    assert Match.objects.get(pk=match_task.match_id).status == "approved"


def test_the_last_decision_leads_back_to_the_list(staff, match_task):
    assert staff.post(page_of(match_task), {"do": "approve"}).url.startswith(LIST)


def test_the_next_decision_is_of_the_same_kind_and_the_last_leads_to_none(staff, match_task):
    later = factories.ReviewTaskFactory(of_match=True)
    other = factories.ReviewTaskFactory()
    ReviewTask.objects.filter(pk=other.pk).update(risk=match_task.risk + 5)
    response = staff.post(page_of(match_task), {"do": "approve"})
    assert response.url.startswith(page_of(later))
    response = staff.post(page_of(later), {"do": "approve"}, follow=True)
    assert response.redirect_chain[0][0].startswith(LIST)
    assert "the last one of its kind. Others that wait: 1." in response.content.decode()


def test_a_match_that_would_be_held_says_so_before_it_is_approved(staff, desk):
    good, lonely = desk.lead(name="Reached"), factories.LeadFactory(name="Lonely")
    for lead, held in ((good, False), (lonely, True)):
        task = factories.ReviewTaskFactory(
            of_match=True,
            match__campaign=desk.campaign,
            match__candidate=desk.candidate(),
            match__lead=lead,
        )
        response = staff.get(page_of(task))
        assert bool(response.context["about_match"].foreseen) is held
        assert ("If you approve this, it will be held" in response.content.decode()) is held
    sentence = response.context["about_match"].foreseen.sentence
    assert sentence in response.content.decode()
    Match.objects.filter(pk=task.match_id).update(status="declined")
    assert staff.get(page_of(task)).context["about_match"].foreseen is None


def test_a_term_that_is_over_stands_beside_the_match(staff, match_task):
    before = timezone.localdate() - timedelta(days=30)
    Lead.objects.filter(matches=match_task.match_id).update(starts_on=before, ends_on=before)
    page = staff.get(page_of(match_task)).content.decode()
    assert f"The role&#x27;s term ended on {before}." in page


def test_a_rejection_without_a_reason_asks_for_one(staff, match_task):
    response = staff.post(page_of(match_task), {"do": "reject", "reason": ""})
    assert "Say why" in response.content.decode()
    assert ReviewTask.objects.get(pk=match_task.pk).is_open


def test_an_approval_is_taken_back(staff, match_task):
    following = factories.ReviewTaskFactory(of_match=True)
    staff.post(page_of(match_task), {"do": "approve"})
    shown = staff.get(f"{page_of(following)}?decided={match_task.pk}").content.decode()
    assert "Take it back" in shown
    staff.post(page_of(match_task), {"do": "withdraw"})
    assert Match.objects.get(pk=match_task.match_id).status == "to_review"
    assert ReviewTask.objects.filter(match=match_task.match_id, status="open").count() == 1


@pytest.mark.req("F-6")
def test_of_two_reviewers_the_later_one_is_told(staff, match_task, ada):
    other = User.objects.create_superuser("otto")
    staff.get(page_of(match_task))
    ReviewTask.objects.filter(pk=match_task.pk).update(
        status="completed",
        decision="approved",
        decided_by=other,
        decided_at=match_task.created_at,
    )
    response = staff.post(page_of(match_task), {"do": "approve"}, follow=True)
    assert response.status_code == 200
    assert "Approved by otto" in response.content.decode()


def test_a_decision_that_is_gone_is_told(staff):
    response = staff.get(reverse("admin:pitches_reviewtask_change", args=[999]), follow=True)
    assert "not there any more" in response.content.decode()


# A pitch


def test_a_pitch_shows_every_step_and_draft_with_its_final_words(staff, pitch_task):
    page = staff.get(page_of(pitch_task))
    steps = page.context["about_pitch"].steps
    assert [len(step.drafts) for step in steps] == [2, 2]
    words = steps[0].drafts[0].words.body
    assert words.startswith("Hello Paula")
    assert pitch_task.pitch.sender.signature.splitlines()[0] in words
    text = page.content.decode()
    assert "2 days after the first" in text
    assert pitch_task.pitch.address.value in text


def test_the_chosen_draft_is_what_is_approved(staff, pitch_task):
    first, follow_up = pitch_task.pitch.messages.order_by("number")
    friendly = first.variants.get(number=2)
    data = {
        "do": "approve",
        "seen": seen(staff, pitch_task),
        f"variant-{first.pk}": friendly.pk,
    }
    staff.post(page_of(pitch_task), data)
    first.refresh_from_db()
    follow_up.refresh_from_db()
    assert (first.status, follow_up.status) == ("approved", "approved")
    assert "friendly text 0" in first.body
    assert "professional text 1" in follow_up.body
    assert Pitch.objects.get(pk=pitch_task.pitch_id).status == "approved"


def test_a_follow_up_is_headed_by_the_subject_under_which_it_will_leave(staff, pitch_task):
    first, follow_up = pitch_task.pitch.messages.order_by("number")
    friendly = first.variants.get(number=2)
    first.variants.filter(pk=friendly.pk).update(subject="Hello from the harbour")
    follow_up.variants.update(subject="Re: A candidate for you")
    url = f"{page_of(pitch_task)}?draft={friendly.pk}"
    text = staff.get(url).content.decode()
    line = "Re: Hello from the harbour"
    assert f'data-subject-of="variant-{follow_up.pk}">{line}<' in text
    assert text.count(f'data-subject="{line}" data-follows') == 2
    chosen = {f"variant-{first.pk}": friendly.pk}
    staff.post(url, {"do": "approve", "seen": seen(staff, pitch_task), **chosen})
    follow_up.refresh_from_db()
    assert follow_up.subject == line


def test_words_that_changed_after_they_were_opened_are_not_approved(staff, pitch_task):
    data = {"do": "approve", "seen": seen(staff, pitch_task)}
    variant = pitch_task.pitch.messages.first().variants.first()
    variant.body = "Something nobody has read."
    variant.save()
    response = staff.post(page_of(pitch_task), data, follow=True)
    assert "changed after you opened them" in response.content.decode()
    assert ReviewTask.objects.get(pk=pitch_task.pk).is_open
    assert not Message.objects.filter(status="approved").exists()


@pytest.mark.req("S000-060")
def test_a_draft_is_edited_with_its_original_beside_it_and_restored(staff, pitch_task, ada):
    variant = pitch_task.pitch.messages.first().variants.get(number=2)
    edit = {"do": "edit", "variant": variant.pk, "subject": "Better", "body": "Dear Paula"}
    page = staff.post(page_of(pitch_task), edit, follow=True)
    variant.refresh_from_db()
    assert (variant.subject, variant.body, variant.edited_by) == ("Better", "Dear Paula", ada)
    assert page.context["about_pitch"].steps[0].choice.variant == variant
    assert "What it said at first" in page.content.decode()
    staff.post(page_of(pitch_task), {"do": "restore", "variant": variant.pk})
    variant.refresh_from_db()
    assert variant.body == variant.original_body


def test_saving_an_edit_forgets_no_choice(staff, pitch_task):
    first, follow_up = pitch_task.pitch.messages.order_by("number")
    kept, edited = first.variants.get(number=2), follow_up.variants.get(number=2)
    data = {
        "do": "edit",
        "variant": edited.pk,
        "body": "New",
        "subject": "New",
        f"variant-{first.pk}": kept.pk,
    }
    page = staff.post(page_of(pitch_task), data, follow=True).context["about_pitch"]
    assert [step.choice.variant for step in page.steps] == [kept, edited]


def test_a_draft_of_another_pitch_cannot_be_edited_here(staff, pitch_task):
    other = factories.VariantFactory(message__pitch__campaign=pitch_task.campaign)
    edit = {"do": "edit", "variant": other.pk, "subject": "x", "body": "x"}
    staff.post(page_of(pitch_task), edit)
    other.refresh_from_db()
    assert other.body != "x"


@pytest.mark.req("S001-013")
def test_a_missing_value_is_red_in_its_place_and_forbids_approval(staff, pitch_task):
    for variant in pitch_task.pitch.messages.first().variants.all():
        variant.body = "Hello ⟨contact.first_name⟩, see {{ lead.name }}"
        variant.save()
    page = staff.get(page_of(pitch_task))
    text = page.content.decode()
    assert '<mark class="bad">⟨contact.first_name⟩</mark>' in text
    assert '<mark class="bad">{{ lead.name }}</mark>' in text
    assert page.context["about_pitch"].blocked
    response = staff.post(
        page_of(pitch_task), {"do": "approve", "seen": seen(staff, pitch_task)}, follow=True
    )
    assert "is not known" in response.content.decode()
    assert ReviewTask.objects.get(pk=pitch_task.pk).is_open


HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)>"


def test_nothing_scraped_or_written_becomes_markup(staff, pitch_task, match_task):
    for row, names in (
        (match_task.match.lead, ["name", "text"]),
        (match_task.match.candidate, ["name", "headline", "bio"]),
        (pitch_task.pitch.lead, ["name", "text"]),
        (pitch_task.pitch.address.contact, ["name", "title"]),
    ):
        type(row).objects.filter(pk=row.pk).update(**dict.fromkeys(names, HOSTILE))
    Match.objects.update(reasoning=HOSTILE)
    factories.FactFactory(lead=match_task.match.lead, value=HOSTILE, quote=HOSTILE)
    for variant in pitch_task.pitch.messages.first().variants.all():
        variant.subject = variant.body = variant.original_body = HOSTILE
        variant.save()
    for url in (page_of(match_task), page_of(pitch_task), LIST):
        text = staff.get(url, follow=True).content.decode()
        assert "alert(1)" in text
        assert "<script>alert" not in text
        assert "<img src=x" not in text


def test_the_page_asks_as_often_for_many_drafts_as_for_few(staff, pitch_task):
    def count():
        with CaptureQueriesContext(connection) as captured:
            staff.get(page_of(pitch_task))
        return len(captured)

    factories.MatchFactory(pitch=factories.PitchFactory(lead=pitch_task.pitch.lead))
    factories.FactFactory(lead=pitch_task.pitch.lead)
    count()
    before = count()
    for number in (2, 3):
        message = factories.MessageFactory(pitch=pitch_task.pitch, number=number)
        for variant in range(1, 6):
            factories.VariantFactory(message=message, number=variant)
    factories.PitchFactory.create_batch(3, lead=pitch_task.pitch.lead)
    factories.FactFactory.create_batch(5, lead=pitch_task.pitch.lead)
    assert count() == before


def test_looking_decides_nothing(staff, match_task):
    for do in ("approve", "reject", "edit", "withdraw"):
        staff.get(page_of(match_task), {"do": do, "reason": "x"})
    assert ReviewTask.objects.get(pk=match_task.pk).is_open


def test_who_may_only_look_gets_no_buttons_and_no_way_in(client, stranger, match_task):
    stranger.is_staff = True
    stranger.save()
    client.force_login(stranger)
    assert client.get(page_of(match_task)).status_code == 403
    stranger.user_permissions.add(Permission.objects.get(codename="view_reviewtask"))
    page = client.get(page_of(match_task))
    assert page.status_code == 200
    assert not re.search(r'value="(approve|reject)"', page.content.decode())
    assert client.post(page_of(match_task), {"do": "approve"}).status_code == 403


@pytest.mark.parametrize(
    "number", ["²", "abc", "", "-1", "9" * 30, "9" * 5000, "1e3", "\u0661"]
)
@pytest.mark.parametrize("do", ["restore", "edit", "sample", "approve"])
def test_an_absurd_variant_is_a_sentence_and_changes_nothing(desk, staff, do, number):
    desk.match()
    desk.run()
    task = ReviewTask.objects.get(kind="message")
    url = reverse("admin:pitches_reviewtask_change", args=[task.pk])
    fields = {"do": do, "variant": number, "body": "x", "reason": "", "seen": "no"}
    fields |= {f"variant-{number}": number, "variant-" + "9" * 5000: "1"}
    assert staff.post(url, fields).status_code in (302, 400)
    task.refresh_from_db()
    assert task.is_open
    odd = f"campaign__id__exact={'9' * 5000}"
    assert staff.get(url, {"_changelist_filters": odd}).status_code == 200
