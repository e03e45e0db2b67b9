"""The main job, from approved matches to mail, follow-ups, answers and moving on."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import IntegrityError, connection

from campaigns.models import Campaign, Candidate
from pitches import (
    following_up,
    inbox,
    leaving,
    outbox,
    outreach,
    pitching,
    review,
    sending,
    stopping,
)
from pitches.channels import capture
from pitches.decisions import Reason, Verdict
from pitches.models import (
    EmailLimit,
    FollowUpTask,
    IncomingMessage,
    Match,
    Message,
    Pitch,
    ReviewTask,
    Stop,
)
from prospects import suppressions
from prospects.models import ContactAddress
from tests.clock import MONDAY
from tests.factories import (
    ContactAddressFactory,
    EmailLimitFactory,
    LeadFactory,
    OrganizationFactory,
    SenderFactory,
)

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


def only(decisions):
    (decision,) = decisions
    return decision


def captured(sender):
    return list(capture.sent(sender))


# -- grouping -------------------------------------------------------------------------------


@pytest.mark.req("S003-001")
def test_the_three_best_candidates_share_one_pitch_best_first(desk):
    lead = desk.lead()
    for score in (40, 90, 70, 60):
        desk.match(lead, score=score)
    desk.run()
    pitch = Pitch.objects.get()
    scores = [int(match.score) for match in pitch.matches.order_by("-score")]
    assert scores == [90, 70, 60]


@pytest.mark.req("S003-002")
def test_a_lead_with_fewer_candidates_gets_them_and_one_with_none_gets_nothing(desk):
    desk.match()
    lonely = desk.match(candidate=desk.candidate(status=Candidate.Status.PAUSED))
    desk.run()
    assert Pitch.objects.get().matches.count() == 1
    assert not Pitch.objects.filter(lead=lonely.lead).exists()


@pytest.mark.req("S003-002")
def test_the_plan_says_which_candidates_stay_behind_and_why(desk):
    desk.match(candidate=desk.candidate(name="Pia Paused", status=Candidate.Status.PAUSED))
    decision = only(pitching.plan(now=MONDAY))
    assert decision.reason == Reason.NO_CANDIDATES
    assert "Pia Paused is Paused" in decision.sentence


@pytest.mark.req("S003-003", "S003-004")
def test_a_candidate_who_was_pitched_to_a_lead_is_not_planned_for_it_again(desk):
    """Scar 10: a person put back into a segment is mailed again."""
    first = desk.match()
    desk.run()
    other = Campaign.objects.get(pk=desk.campaign.pk)
    other.pk, other.slug = None, "second"
    other.save()
    desk.match(first.lead, first.candidate, campaign=other)
    decision = only(pitching.plan(campaign=other, now=MONDAY))
    assert decision.verdict == Verdict.HOLD
    assert "was pitched to this lead before" in decision.sentence


@pytest.mark.req("S003-004")
def test_the_database_refuses_a_second_pitch_of_a_candidate_to_a_lead(desk):
    first = desk.match()
    desk.run()
    first.refresh_from_db()
    other = Campaign.objects.get(pk=desk.campaign.pk)
    other.pk, other.slug = None, "second"
    other.save()
    again = desk.match(first.lead, first.candidate, campaign=other)
    with pytest.raises(IntegrityError, match="candidate_pitched_to_lead_once"):
        Match.objects.filter(pk=again.pk).update(pitch=first.pitch, status="pitched")


@pytest.mark.req("S003-012")
def test_urgent_leads_come_first_and_their_pitch_is_flagged(desk):
    desk.match(score=90)
    urgent = desk.match(score=30, urgent=True)
    first, second = pitching.plan(now=MONDAY)
    assert (first.urgent, first.lead, second.urgent) == (True, urgent.lead.name, False)
    desk.run()
    assert Pitch.objects.get(lead=urgent.lead).urgent


@pytest.mark.req("S003-051")
def test_a_run_ends_after_as_many_leads_as_were_asked_for(desk):
    for _ in range(4):
        desk.match()
    desk.run(most=2)
    assert Pitch.objects.count() == 2


def test_a_candidate_is_in_no_more_open_pitches_than_the_campaign_allows(desk):
    desk.campaign.max_active_pitches = 1
    desk.campaign.save()
    candidate = desk.candidate()
    for score in (80, 70):
        desk.match(candidate=candidate, score=score)
    best, second = pitching.plan(now=MONDAY)
    assert best.verdict == Verdict.PITCH
    assert (second.verdict, second.reason) == (Verdict.HOLD, Reason.NO_CANDIDATES)
    assert "open pitches already" in second.sentence


def test_a_candidate_whose_start_is_past_is_held_and_told(desk):
    desk.match(candidate=desk.candidate(starts_on=(MONDAY - timedelta(days=1)).date()))
    assert "was to start before today" in only(pitching.plan(now=MONDAY)).sentence


# -- recipients and senders --------------------------------------------------------------------


@pytest.mark.req("S003-006")
def test_the_primary_partner_contact_gets_the_mail(desk):
    lead = LeadFactory()
    ContactAddressFactory(contact__organization=lead.organization, contact__is_primary=False)
    primary = ContactAddressFactory(contact__organization=lead.organization)
    ContactAddressFactory(contact__organization=lead.organization, contact__role="other")
    desk.match(lead)
    desk.run()
    assert Pitch.objects.get().address == primary


@pytest.mark.req("S003-007", "F-23")
def test_a_lead_without_a_contact_is_held_with_that_reason(desk):
    desk.match(LeadFactory())
    decision = only(pitching.plan(now=MONDAY))
    assert (decision.verdict, decision.reason) == (Verdict.HOLD, Reason.NO_COMPANY_CONTACTS)
    assert decision.reason.value == "no_company_contacts"


@pytest.mark.req("F-23")
def test_an_invalid_address_and_a_suppressed_domain_are_held_with_their_reasons(desk):
    invalid, suppressed = desk.match(), desk.match()
    ContactAddress.objects.filter(contact__leads=invalid.lead).update(verification="invalid")
    address = ContactAddress.objects.get(contact__leads=suppressed.lead)
    address.value = address.canonical = "paula@shut.example.com"
    address.save()
    suppressions.add(
        "domain", "shut.example.com", reason="do_not_contact", source="t", now=MONDAY
    )
    reasons = {row.lead: row.reason for row in pitching.plan(now=MONDAY)}
    assert reasons[invalid.lead.name] == Reason.ADDRESS_INVALID
    assert reasons[suppressed.lead.name] == Reason.SUPPRESSED


@pytest.mark.req("S003-008")
def test_the_sender_is_the_specialist_of_the_best_candidate(desk):
    specialist = SenderFactory()
    lead = desk.lead()
    desk.match(lead, desk.candidate(responsible=specialist.user), score=90)
    desk.match(lead, score=50)
    assert only(pitching.plan(now=MONDAY)).sender == specialist.address


@pytest.mark.req("S003-009")
def test_without_a_specialist_the_default_sender_writes_or_the_lead_is_held(desk):
    desk.match(candidate=desk.candidate(responsible=None))
    assert only(pitching.plan(now=MONDAY)).sender == desk.sender.address
    desk.sender.sender_campaigns.update(is_default=False)
    decision = only(pitching.plan(now=MONDAY))
    assert decision.reason == Reason.NO_PARTNERSHIP_SPECIALIST
    assert decision.reason.value == "no_partnership_specialist"


# -- limits ------------------------------------------------------------------------------------


@pytest.mark.req("S003-028", "S003-030", "S003-045")
def test_a_second_lead_of_an_organization_waits_a_week_and_then_comes(desk):
    organization = OrganizationFactory()
    first = desk.lead(organization=organization)
    second = LeadFactory(organization=organization)
    desk.match(first, score=90)
    desk.match(second, score=50)
    held = {row.lead: row for row in pitching.plan(now=MONDAY)}[second.name]
    assert held.reason == Reason.ORGANIZATION_LIMIT
    assert "Limit reached" in held.sentence

    desk.run()
    desk.approve_all()
    desk.run()
    row = only(pitching.plan(now=MONDAY + 167 * HOUR))
    assert (row.verdict, row.not_before) == (Verdict.HOLD, MONDAY + 168 * HOUR)
    assert only(pitching.plan(now=MONDAY + 168 * HOUR)).verdict == Verdict.PITCH


@pytest.mark.req("S003-029")
def test_the_limit_is_set_for_everybody_and_for_one_organization(desk):
    organization = OrganizationFactory()
    for _ in range(3):
        lead = LeadFactory(organization=organization)
        desk.match(lead)
    ContactAddressFactory(contact__organization=organization)

    def pitched():
        return sum(row.verdict == Verdict.PITCH for row in pitching.plan(now=MONDAY))

    assert pitched() == 1
    everybody = EmailLimitFactory(organization=None, maximum=2)
    assert pitched() == 2
    EmailLimitFactory(organization=organization, maximum=3)
    assert pitched() == 3
    everybody.delete()
    EmailLimit.objects.update(maximum=0)
    decision = pitching.plan(now=MONDAY)[0]
    assert (decision.verdict, decision.not_before) == (Verdict.HOLD, None)


@pytest.mark.req("S003-028")
def test_follow_ups_take_no_slot_of_the_organizations_limit(desk):
    pitch = desk.sent_pitch()
    desk.follow_up(MONDAY + 48 * HOUR)
    assert pitch.messages.get(number=1).status == Message.Status.SENT


# -- drafts, review and sending ----------------------------------------------------------------


@pytest.mark.req("S001-015", "S001-002")
def test_every_message_of_the_sequence_is_drafted_in_three_voices(desk):
    desk.match()
    desk.run()
    pitch = Pitch.objects.get()
    assert [m.number for m in pitch.messages.all()] == [0, 1, 2, 3]
    for message in pitch.messages.all():
        assert [v.tone for v in message.variants.all()] == [
            "professional",
            "friendly",
            "direct",
        ]
    assert ReviewTask.objects.get(kind="message").pitch == pitch


def test_nothing_is_sent_before_somebody_has_read_it(desk):
    desk.match()
    desk.run()
    done = desk.run()
    assert done.sending.sent == 0
    assert captured(desk.sender) == []
    decision = only(outbox.plan(outbox.first_messages(None), now=MONDAY))
    assert decision.reason == Reason.NOT_APPROVED


@pytest.mark.req("S003-036", "S003-044", "S003-046")
def test_the_follow_up_tasks_are_made_when_the_first_message_goes_out(desk):
    desk.match()
    desk.run()
    assert not FollowUpTask.objects.exists()
    desk.approve_all()
    assert not FollowUpTask.objects.exists()
    assert desk.run().sending.sent == 1
    due = [(t.step.delay_hours, t.due_at) for t in FollowUpTask.objects.order_by("due_at")]
    assert due == [(h, MONDAY + h * HOUR) for h in (48, 96, 144, 192)]
    letter = captured(desk.sender)[0]
    assert letter.message_id == Message.objects.get(number=0).message_id


@pytest.mark.req("S003-032", "S003-033", "S003-034", "S003-053")
def test_follow_ups_go_out_at_48_96_and_144_hours_and_never_twice(desk):
    pitch = desk.sent_pitch()
    for number, hours in ((1, 48), (2, 96), (3, 144)):
        assert desk.follow_up(MONDAY + timedelta(hours=hours, minutes=-1)).sending.sent == 0
        assert desk.follow_up(MONDAY + hours * HOUR).sending.sent == 1
        assert desk.follow_up(MONDAY + hours * HOUR).sending.sent == 0
        message = pitch.messages.get(number=number)
        assert message.sent_at == MONDAY + hours * HOUR
    assert len(captured(desk.sender)) == 4


@pytest.mark.req("S003-032")
def test_a_follow_up_answers_the_first_message(desk):
    pitch = desk.sent_pitch()
    desk.follow_up(MONDAY + 48 * HOUR)
    first, second = pitch.messages.get(number=0), pitch.messages.get(number=1)
    mail = capture.find(desk.sender, second.message_id).mail
    assert mail["In-Reply-To"] == f"<{first.message_id}>"
    assert first.message_id in mail["References"]
    assert mail["Subject"] == f"Re: {first.subject}"


def test_a_change_of_the_approved_words_keeps_the_message_in(desk):
    desk.match()
    desk.run()
    desk.approve_all()
    Message.objects.filter(number=0).update(body="Other words")
    decision = only(outbox.plan(outbox.first_messages(None), now=MONDAY))
    assert decision.reason == Reason.APPROVAL_VOID
    assert desk.run().sending.sent == 0


def test_a_new_address_voids_the_approval(desk):
    desk.match()
    desk.run()
    desk.approve_all()
    ContactAddress.objects.update(value="somebody.else@example.com")
    decision = only(outbox.plan(outbox.first_messages(None), now=MONDAY))
    assert decision.reason == Reason.APPROVAL_VOID


def test_outside_the_window_the_plan_names_the_moment_it_opens(desk):
    desk.campaign.window_days = [1, 2, 3, 4, 5]
    desk.campaign.save()
    desk.match()
    desk.run()
    desk.approve_all()
    friday_evening = MONDAY + timedelta(days=4, hours=9)
    decision = only(outbox.plan(outbox.first_messages(None), now=friday_evening))
    assert decision.verdict == Verdict.HOLD
    assert decision.reason == Reason.OUTSIDE_WINDOW
    assert decision.not_before == MONDAY + timedelta(days=7)


def test_what_is_free_later_today_is_planned_for_that_time(desk):
    desk.match()
    desk.run()
    desk.approve_all()
    early = MONDAY - 3 * HOUR
    decision = only(outbox.plan(outbox.first_messages(None), now=early))
    assert (decision.verdict, decision.send_at) == (Verdict.SEND, MONDAY)
    assert desk.run(early).sending.sent == 0
    assert sending.send_due(now=MONDAY - timedelta(seconds=1)).sent == 0
    assert sending.send_due(now=MONDAY).sent == 1


def test_two_messages_of_one_sender_keep_their_distance(desk):
    desk.sender.gap_min = desk.sender.gap_max = 600
    desk.sender.save()
    for _ in range(3):
        desk.match()
    desk.run()
    desk.approve_all()
    rows = outbox.plan(outbox.first_messages(None), now=MONDAY)
    times = sorted(row.send_at for row in rows)
    assert times == [MONDAY + timedelta(seconds=600 * n) for n in range(3)]
    assert desk.run().sending.sent == 1
    assert sending.send_due(now=MONDAY + timedelta(seconds=599)).sent == 0
    assert sending.send_due(now=MONDAY + timedelta(seconds=600)).sent == 1


def test_a_mailbox_grows_into_its_daily_limit(desk):
    desk.sender.ramp_began_on, desk.sender.ramp_start, desk.sender.ramp_step = (
        MONDAY.date(),
        2,
        1,
    )
    desk.sender.save()
    for _ in range(4):
        desk.match()
    desk.run()
    desk.approve_all()
    rows = outbox.plan(outbox.first_messages(None), now=MONDAY)
    assert sum(row.verdict == Verdict.SEND for row in rows) == 2
    held = [row for row in rows if row.verdict == Verdict.HOLD]
    assert {row.reason for row in held} == {Reason.SENDER_LIMIT}
    assert held[0].not_before == MONDAY + 24 * HOUR


@pytest.mark.req("S003-070")
def test_a_failed_hand_over_leaves_the_message_retryable_and_not_sent(desk):
    from pitches.channels import ChannelError

    class Refusing(capture.CaptureChannel):
        def open(self, letter):
            raise ChannelError("451 try later", code=451)

    desk.match()
    desk.run()
    desk.approve_all()
    outbox.carry_out(outbox.plan(outbox.first_messages(None), now=MONDAY), now=MONDAY)
    sending.send_due(now=MONDAY, channel_of=Refusing)
    message = Message.objects.get(number=0)
    assert (message.status, message.sent_at, message.counted_at) == ("queued", None, None)
    assert message.send_at > MONDAY
    assert not FollowUpTask.objects.exists()
    assert sending.send_due(now=MONDAY + HOUR).sent == 1


# -- answers -----------------------------------------------------------------------------------


def answer(desk, pitch, text, now):
    letter = capture.find(desk.sender, pitch.messages.get(number=0).message_id)
    capture.answer(desk.sender, letter, text=text, now=now)
    return inbox.read(desk.sender, now=now)


@pytest.mark.req("S003-037", "S003-073")
def test_an_answer_cancels_everything_that_was_still_to_come(desk):
    pitch = desk.sent_pitch()
    answer(desk, pitch, "Sounds interesting, yes please.", MONDAY + HOUR)
    pitch.refresh_from_db()
    assert (pitch.status, pitch.outcome) == ("replied", "interested")
    assert not FollowUpTask.objects.filter(FollowUpTask.is_open()).exists()
    assert set(pitch.messages.filter(number__gt=0).values_list("status", flat=True)) == {
        "canceled"
    }
    assert desk.follow_up(MONDAY + 48 * HOUR).sending.sent == 0
    reply = IncomingMessage.objects.get()
    assert (reply.pitch, reply.kind, reply.matched_by) == (pitch, "human_reply", "message-id")
    assert reply.reply_text == "Sounds interesting, yes please."


@pytest.mark.req("S003-037", "F-1")
def test_an_answer_to_the_first_follow_up_cancels_the_later_ones_and_moving_on(desk):
    pitch = desk.sent_pitch()
    desk.follow_up(MONDAY + 48 * HOUR)
    letter = capture.find(desk.sender, pitch.messages.get(number=1).message_id)
    capture.answer(desk.sender, letter, text="Not interested.", now=MONDAY + 50 * HOUR)
    inbox.read(desk.sender, now=MONDAY + 50 * HOUR)
    open_tasks = FollowUpTask.objects.filter(FollowUpTask.is_open())
    assert not open_tasks.exists()
    assert FollowUpTask.objects.filter(canceled_at__isnull=False).count() == 3
    assert pitch.messages.get(number=2).status == Message.Status.CANCELED


def test_an_answer_that_lies_in_the_inbox_stops_the_follow_up_just_in_time(desk):
    pitch = desk.sent_pitch()
    letter = capture.find(desk.sender, pitch.messages.get(number=0).message_id)
    capture.answer(desk.sender, letter, text="Please call me.", now=MONDAY + 40 * HOUR)
    # nobody has read the inbox since: the outbox does, before it talks
    assert desk.follow_up(MONDAY + 48 * HOUR).sending.sent == 0
    pitch.refresh_from_db()
    assert pitch.status == Pitch.Status.REPLIED
    assert pitch.messages.get(number=1).status == Message.Status.CANCELED


def test_reading_the_inbox_twice_stores_everything_once(desk):
    pitch = desk.sent_pitch()
    answer(desk, pitch, "Yes.", MONDAY + HOUR)
    inbox.read(desk.sender, now=MONDAY + 2 * HOUR)
    assert IncomingMessage.objects.count() == 1


@pytest.mark.req("F-17")
def test_no_thanks_is_for_ever_and_for_every_client(desk):
    pitch = desk.sent_pitch()
    answer(desk, pitch, "No thanks, please remove me.", MONDAY + HOUR)
    email = pitch.address.value
    assert suppressions.suppressed([email]) == {email: "unsubscribed"}
    assert Stop.objects.filter(kind="unsubscribe", client=None).exists()
    assert IncomingMessage.objects.get().kind == "unsubscribe"


def test_an_answer_from_an_unknown_address_is_kept_unmatched(desk):
    desk.sent_pitch()
    raw = b"From: who@example.com\r\nTo: us@example.com\r\nSubject: Hi\r\n\r\nHello there\r\n"
    inbox.store(desk.sender, 77, raw, now=MONDAY)
    stored = IncomingMessage.objects.get()
    assert (stored.pitch, stored.kind, stored.text) == (None, "human_reply", "Hello there")


def test_an_answer_noted_by_hand_does_what_a_mail_would(desk):
    pitch = desk.sent_pitch()
    for _ in range(2):
        inbox.record_reply(pitch, intent="not_interested", now=MONDAY + HOUR, by=desk.reviewer)
    assert IncomingMessage.objects.count() == 1
    pitch.refresh_from_db()
    assert (pitch.status, pitch.outcome) == ("replied", "not_interested")


def test_a_person_in_conversation_with_one_client_is_left_alone_by_the_others(desk):
    pitch = desk.sent_pitch()
    answer(desk, pitch, "Yes, tell me more.", MONDAY + HOUR)
    other = Campaign.objects.get(pk=desk.campaign.pk)
    from tests.factories import ClientFactory

    other.pk, other.slug, other.client = None, "other", ClientFactory()
    other.save()
    lead = LeadFactory(organization=OrganizationFactory())
    lead.contacts.add(pitch.address.contact)
    desk.match(lead, campaign=other)
    later = MONDAY + timedelta(days=10)
    row = only(pitching.plan(campaign=other, now=later))
    assert row.reason == Reason.IN_CONVERSATION
    assert row.not_before == MONDAY + HOUR + timedelta(days=30)


# -- silence -----------------------------------------------------------------------------------


@pytest.mark.req("S003-035", "S003-039", "S003-040", "S003-041", "S003-043", "S003-005", "F-19")
def test_after_silence_the_next_three_leads_of_the_candidate_are_raised(desk):
    candidate = desk.candidate()
    pitch = desk.sent_pitch(candidate=candidate, score=95)
    waiting = [desk.match(candidate=candidate, score=score) for score in (50, 80, 70, 60)]
    for hours in (48, 96, 144):
        desk.follow_up(MONDAY + hours * HOUR)
    moved = desk.follow_up(MONDAY + 192 * HOUR).moved_on
    pitch.refresh_from_db()
    assert (pitch.status, pitch.outcome) == ("moved", "no_response")
    assert pitch.matches.get().status == Match.Status.CLOSED
    expected = [match.lead.name for match in (waiting[1], waiting[2], waiting[3])]
    assert list(moved.next_leads[0].leads) == expected

    desk.run(MONDAY + 193 * HOUR)
    pitched = Match.objects.filter(candidate=candidate, pitch__status="draft")
    assert {match.lead.name for match in pitched} == set(expected)


@pytest.mark.req("S003-038", "S003-053")
def test_moving_on_happens_once(desk):
    desk.sent_pitch()
    for hours in (48, 96, 144, 192):
        desk.follow_up(MONDAY + hours * HOUR)
    tasks = list(FollowUpTask.objects.filter(step__action="move_on"))
    assert following_up.move_on(tasks, now=MONDAY + 193 * HOUR).pitches == []


@pytest.mark.req("S003-042", "F-19")
def test_a_candidate_with_no_further_lead_is_reported(desk):
    pitch = desk.sent_pitch()
    for hours in (48, 96, 144):
        desk.follow_up(MONDAY + hours * HOUR)
    moved = desk.follow_up(MONDAY + 192 * HOUR).moved_on
    (report,) = moved.next_leads
    assert report.leads == ()
    assert "no further lead" in report.sentence
    assert report.candidate == pitch.matches.get().candidate.name


# -- stops -------------------------------------------------------------------------------------


@pytest.mark.req("F-17")
def test_a_do_not_contact_between_two_steps_cancels_the_rest_with_its_reason(desk):
    pitch = desk.sent_pitch()
    stopping.do_not_contact(pitch.lead.organization, reason="asked by phone", by=desk.reviewer)
    assert desk.follow_up(MONDAY + 48 * HOUR).sending.sent == 0
    message = pitch.messages.get(number=1)
    assert (message.status, message.canceled_reason) == ("canceled", "asked by phone")
    desk.match(LeadFactory(organization=pitch.lead.organization))
    pitch.lead.organization.refresh_from_db()
    assert pitch.lead.organization.do_not_contact


def test_a_stop_of_everything_holds_and_lifting_it_lets_go(desk):
    desk.match()
    desk.run()
    desk.approve_all()
    stop = stopping.stop(scope="everything", reason="fire drill", by=desk.reviewer)
    decision = only(outbox.plan(outbox.first_messages(None), now=MONDAY))
    assert (decision.reason, "fire drill" in decision.sentence) == (Reason.STOPPED, True)
    assert desk.run().sending.sent == 0
    stopping.lift(stop, by=desk.reviewer)
    assert desk.run().sending.sent == 1


def test_a_stop_that_comes_after_queueing_still_reaches_the_message(desk):
    desk.match()
    desk.run()
    desk.approve_all()
    outbox.carry_out(outbox.plan(outbox.first_messages(None), now=MONDAY), now=MONDAY)
    stopping.stop(scope="campaign", campaign=desk.campaign, reason="budget", by=desk.reviewer)
    assert sending.send_due(now=MONDAY).held == 1
    message = Message.objects.get(number=0)
    assert (message.status, message.hold_reason) == ("approved", "stopped")


@pytest.mark.req("F-17")
def test_when_a_candidate_is_placed_the_others_are_written_anew(desk):
    lead = desk.lead()
    goes, staying = desk.match(lead, score=80), desk.match(lead, score=60)
    desk.run()
    desk.approve_all()
    assert leaving.candidate_left(goes.candidate, reason="placed elsewhere", now=MONDAY) == 1
    pitch = Pitch.objects.get()
    assert pitch.status == Pitch.Status.DRAFT
    assert list(pitch.matches.all()) == [staying]
    fresh = pitch.messages.get(number=0, status="draft")
    assert fresh.revision == 2
    assert goes.candidate.name not in fresh.variants.first().body
    assert ReviewTask.objects.filter(status="open", pitch=pitch).count() == 1
    goes.refresh_from_db()
    assert (goes.status, goes.pitch) == ("withdrawn", None)


@pytest.mark.req("F-17")
def test_when_the_only_candidate_leaves_the_pitch_stops(desk):
    pitch = desk.sent_pitch()
    candidate = pitch.matches.get().candidate
    leaving.candidate_left(candidate, reason="placed elsewhere", now=MONDAY + HOUR)
    pitch.refresh_from_db()
    assert pitch.status == Pitch.Status.STOPPED
    assert desk.follow_up(MONDAY + 48 * HOUR).sending.sent == 0


# -- review ------------------------------------------------------------------------------------


def test_rejecting_a_draft_keeps_it_from_being_written_again_until_somebody_asks(desk):
    match = desk.match()
    desk.run()
    review.reject(ReviewTask.objects.get(), by=desk.reviewer, now=MONDAY, reason="too early")
    match.refresh_from_db()
    assert (match.status, match.pitch) == ("approved", None)
    row = only(pitching.plan(now=MONDAY))
    assert (row.reason, "too early" in row.sentence) == (Reason.DRAFT_REJECTED, True)
    desk.run(again=frozenset({match.lead_id}))
    assert Pitch.objects.filter(status="draft", round=2).exists()


def test_an_approval_can_be_taken_back_until_the_message_is_claimed(desk):
    """Scar 21: an approval given by mistake cannot be taken back before the send."""
    desk.match()
    desk.run()
    task = review.approve(ReviewTask.objects.get(), by=desk.reviewer, now=MONDAY)
    again = review.withdraw(task, by=desk.reviewer)
    assert again.is_open
    assert Pitch.objects.get().status == Pitch.Status.DRAFT
    review.approve(again, by=desk.reviewer, now=MONDAY)
    desk.run()
    with pytest.raises(Exception, match="under way"):
        review.withdraw(ReviewTask.objects.get(pk=again.pk), by=desk.reviewer)


def test_editing_an_approved_message_sends_it_back_to_review(desk):
    desk.match()
    desk.run()
    desk.approve_all()
    variant = Message.objects.get(number=0).variants.get(is_chosen=True)
    review.edit(variant, by=desk.reviewer, now=MONDAY, subject="New subject", body="New words")
    message = Message.objects.get(number=0)
    assert (message.status, message.approved_sha256) == ("draft", "")
    assert ReviewTask.objects.filter(status="open", kind="message").count() == 1
    variant.refresh_from_db()
    assert variant.original_body != variant.body


@pytest.mark.req("S001-013", "S001-031")
def test_a_draft_with_a_gap_cannot_be_approved_and_the_gap_is_named(desk):
    desk.match()
    desk.run()
    variant = Message.objects.get(number=0).variants.first()
    review.edit(
        variant, by=desk.reviewer, now=MONDAY, subject="Hi", body="Hello {{ contact_name }}"
    )
    task = ReviewTask.objects.get(status="open")
    with pytest.raises(review.NotApprovable) as refused:
        review.approve(
            task, by=desk.reviewer, now=MONDAY, variants={variant.message_id: variant.pk}
        )
    assert "{{" in str(refused.value) or "placeholder" in str(refused.value)
    assert Message.objects.get(number=0).status == Message.Status.DRAFT


@pytest.mark.req("S000-044", "S000-045")
def test_approving_and_rejecting_a_match_moves_match_and_task_together(desk):
    yes = desk.match(status="to_review")
    no = desk.match(status="to_review")
    tasks = [
        ReviewTask.objects.create(kind="match", campaign=desk.campaign, match=match)
        for match in (yes, no)
    ]
    review.approve(tasks[0], by=desk.reviewer, now=MONDAY)
    review.reject(tasks[1], by=desk.reviewer, now=MONDAY, reason="wrong industry")
    yes.refresh_from_db()
    no.refresh_from_db()
    assert (yes.status, yes.staff_decided_by, yes.staff_decided_at) == (
        "approved",
        desk.reviewer,
        MONDAY,
    )
    assert (no.status, no.decline_reason) == ("declined", "wrong industry")
    with pytest.raises(Exception, match="decided"):
        review.approve(tasks[0], by=desk.reviewer, now=MONDAY)


def test_a_template_only_campaign_sends_unread_and_says_by_which_rule(desk):
    desk.campaign.review_policy = Campaign.ReviewPolicy.TEMPLATE_ONLY
    desk.campaign.save()
    desk.match()
    done = desk.run()
    assert (done.approved_by_policy, done.sending.sent) == (1, 1)
    message = Message.objects.get(number=0)
    assert (message.approved_policy, message.approved_by) == ("template_only", None)
    assert ReviewTask.objects.get().status == "completed"


# -- dry run -----------------------------------------------------------------------------------


@pytest.mark.req("S003-049", "F-16")
def test_the_dry_run_is_the_run(desk):
    from tests import digests

    organization = OrganizationFactory()
    for lead in (desk.lead(organization=organization), LeadFactory(organization=organization)):
        desk.match(lead)
    desk.match(LeadFactory())
    for _ in range(3):
        desk.match(urgent=True)
    before = digests.of_tables()
    planned = outreach.dry(lambda: outreach.plan(now=MONDAY))
    assert digests.of_tables() == before
    again = outreach.plan(now=MONDAY)
    assert again.decisions == planned.decisions
    done = outreach.carry_out(again)
    wanted = [row.key for row in planned.decisions if row.verdict == Verdict.PITCH]
    assert done.pitched.done == wanted
    assert Pitch.objects.count() == len(wanted)


def test_a_dry_run_that_writes_is_stopped_by_the_database(desk):
    from django.db import InternalError

    def writes():
        Match.objects.update(urgent=True)
        return outreach.plan(now=MONDAY)

    desk.match()
    with pytest.raises(InternalError, match="read-only"):
        outreach.dry(writes)


def test_a_plan_takes_as_many_queries_for_twenty_leads_as_for_one(
    desk, django_assert_num_queries
):
    from django.test.utils import CaptureQueriesContext

    def queries():
        with CaptureQueriesContext(connection) as seen:
            outreach.plan(now=MONDAY)
        return len(seen)

    desk.match()
    desk.run()
    desk.approve_all()
    desk.match()
    few = queries()
    for _ in range(19):
        desk.match()
    desk.run(most=10)
    assert queries() == few


def test_who_was_paused_at_any_door_is_out_of_the_next_run(desk):
    lead = desk.lead()
    goes = desk.match(lead, score=80)
    desk.match(lead, score=60)
    desk.run()
    desk.approve_all()
    Candidate.objects.filter(pk=goes.candidate_id).update(status="placed")
    decision = only(outbox.plan(outbox.first_messages(None), now=MONDAY))
    assert decision.reason == Reason.CANDIDATE_LEFT
    assert desk.run().sending.sent == 0
    assert ReviewTask.objects.filter(status="open", kind="message").count() == 1
    assert list(Pitch.objects.get().matches.exclude(pk=goes.pk)) != []


def test_a_rehearsed_message_never_goes_out_in_another_mode(desk, settings):
    desk.match()
    desk.run()
    desk.approve_all()
    desk.sender.smtp_host = "127.0.0.1"
    desk.sender.save()
    settings.SEND_MODE, settings.POSTAL_ADDRESS = "live", "1 Example Street"
    decision = only(outbox.plan(outbox.first_messages(None), now=MONDAY))
    assert decision.reason == Reason.OTHER_MODE


def test_a_run_sends_only_what_it_queued_itself(desk):
    desk.match()
    desk.run()
    desk.approve_all()
    outbox.carry_out(outbox.plan(outbox.first_messages(None), now=MONDAY), now=MONDAY)
    assert sending.send_due(now=MONDAY, only=[]).sent == 0
    other = outreach.plan(now=MONDAY)
    other.decisions.clear()
    assert outreach.carry_out(other).sending.sent == 0
    assert sending.send_due(now=MONDAY).sent == 1


@pytest.mark.parametrize(("status", "left"), [("paused", "approved"), ("placed", "withdrawn")])
def test_whoever_is_only_paused_keeps_what_was_not_pitched_yet(desk, status, left):
    candidate = desk.candidate()
    desk.sent_pitch(candidate=candidate)
    waiting = desk.match(candidate=candidate)
    candidate.status = status
    candidate.save()
    assert leaving.let_go(now=MONDAY + HOUR) == 1
    waiting.refresh_from_db()
    assert waiting.status == left


def test_what_would_become_of_a_match_is_foreseen_before_it_is_decided_on(desk):
    good = desk.match(status="to_review")
    lonely = desk.match(LeadFactory(), status="to_review")
    assert pitching.foresee(good, now=MONDAY).verdict == Verdict.PITCH
    assert pitching.foresee(lonely, now=MONDAY).reason == Reason.NO_COMPANY_CONTACTS
