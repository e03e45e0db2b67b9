"""Small, valid objects for every model. Invented people at example.com; every time is MONDAY.

A factory fills what the database demands and nothing more; a test names what matters to it.
What hangs together does so by itself: a match's candidate belongs to the campaign's client, a
message has its pitch's sender and address.
"""

from datetime import timedelta

import factory
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from factory.django import DjangoModelFactory

from campaigns import models as campaigns
from crm_sync import models as crm_sync
from pitches import models as pitches
from prospects import models as prospects
from tests.clock import MONDAY


def sha256(word: str = "0") -> str:
    """Something with the shape of a hash."""
    return (word * 64)[:64]


class UserFactory(DjangoModelFactory):
    class Meta:
        model = User

    username = factory.Sequence(lambda n: f"user{n}")
    email = factory.LazyAttribute(lambda o: f"{o.username}@example.com")
    first_name = "Ulla"
    last_name = factory.Sequence(lambda n: f"User{n}")


# campaigns


class ClientFactory(DjangoModelFactory):
    class Meta:
        model = campaigns.Client

    name = factory.Sequence(lambda n: f"Client {n}")
    slug = factory.Sequence(lambda n: f"client-{n}")


class MembershipFactory(DjangoModelFactory):
    class Meta:
        model = campaigns.Membership

    user = factory.SubFactory(UserFactory)
    client = factory.SubFactory(ClientFactory)


class SegmentFactory(DjangoModelFactory):
    class Meta:
        model = campaigns.Segment

    key = factory.Sequence(lambda n: f"segment-{n}")
    name = factory.Sequence(lambda n: f"Segment {n}")


class PitchTemplateFactory(DjangoModelFactory):
    class Meta:
        model = campaigns.PitchTemplate

    key = factory.Sequence(lambda n: f"tests/template-{n}")
    subject = "Hello from {{ brand.name }}"
    body = "Hello {{ contact.first_name }},\n\nthis is a test."


class SequenceFactory(DjangoModelFactory):
    class Meta:
        model = campaigns.Sequence

    key = factory.Sequence(lambda n: f"sequence-{n}")
    name = factory.Sequence(lambda n: f"Sequence {n}")


class StepFactory(DjangoModelFactory):
    """The first message; give a ``number`` for a later one."""

    class Meta:
        model = campaigns.Step

    sequence = factory.SubFactory(SequenceFactory)
    number = 0
    name = factory.LazyAttribute(lambda o: f"Step {o.number}")
    delay_hours = factory.LazyAttribute(lambda o: 48 * o.number)
    template_key = factory.LazyAttribute(
        lambda o: "tests/step" if getattr(o, "action", "message") == "message" else ""
    )


class PlacementSequenceFactory(SequenceFactory):
    """Four messages, 0, 48, 96 and 144 hours after the first, and moving on at 192."""

    @factory.post_generation
    def steps(self, create, extracted, **kwargs):
        message, move_on = campaigns.Step.Action.MESSAGE, campaigns.Step.Action.MOVE_ON
        plan = [
            (0, message, "Initial", "placement/initial"),
            (48, message, "Follow-up 1", "placement/follow_up_1"),
            (96, message, "Follow-up 2", "placement/follow_up_2"),
            (144, message, "Follow-up 3", "placement/follow_up_3"),
            (192, move_on, "Move on", ""),
        ]
        for number, (delay_hours, action, name, template_key) in enumerate(plan):
            StepFactory(
                sequence=self,
                number=number,
                action=action,
                name=name,
                delay_hours=delay_hours,
                template_key=template_key,
            )

    class Meta:
        skip_postgeneration_save = True


class CampaignFactory(DjangoModelFactory):
    """An active placement campaign, open on weekdays from 9 to 17 UTC."""

    class Meta:
        model = campaigns.Campaign

    client = factory.SubFactory(ClientFactory)
    name = factory.Sequence(lambda n: f"Campaign {n}")
    slug = factory.Sequence(lambda n: f"campaign-{n}")
    preset = campaigns.Campaign.Preset.PLACEMENT
    status = campaigns.Campaign.Status.ACTIVE
    sequence = factory.SubFactory(PlacementSequenceFactory)
    candidates_per_pitch = 3


class BlackoutFactory(DjangoModelFactory):
    class Meta:
        model = campaigns.Blackout

    campaign = factory.SubFactory(CampaignFactory)
    starts_on = MONDAY.date()
    ends_on = MONDAY.date()


class DocumentFactory(DjangoModelFactory):
    class Meta:
        model = campaigns.Document

    campaign = factory.SubFactory(CampaignFactory)
    kind = campaigns.Document.Kind.BIO
    title = factory.Sequence(lambda n: f"Document {n}")
    text = "Words about somebody."


class MediaKitFactory(DjangoModelFactory):
    class Meta:
        model = campaigns.MediaKit

    campaign = factory.SubFactory(CampaignFactory)
    slug = factory.Sequence(lambda n: f"media-kit-{n}")


class CandidateFactory(DjangoModelFactory):
    """An intern who starts in half a year: nobody is in a hurry."""

    class Meta:
        model = campaigns.Candidate

    client = factory.SubFactory(ClientFactory)
    reference = factory.Sequence(lambda n: f"candidate-{n}")
    kind = campaigns.Candidate.Kind.INTERN
    name = factory.Sequence(lambda n: f"Cora Candidate{n}")
    headline = "Business student"
    bio = "Studies business administration and keeps the books of a sailing club."
    skills = ["Excel", "English"]
    industries = ["Finance"]
    starts_on = (MONDAY + timedelta(days=180)).date()
    visa = campaigns.Candidate.Visa.NO


class AngleFactory(DjangoModelFactory):
    class Meta:
        model = campaigns.Angle

    candidate = factory.SubFactory(CandidateFactory)
    topic = factory.Sequence(lambda n: f"Topic {n}")


class CandidateFactFactory(DjangoModelFactory):
    class Meta:
        model = campaigns.CandidateFact

    candidate = factory.SubFactory(CandidateFactory)
    kind = "achievement"
    value = factory.Sequence(lambda n: f"Won prize {n}")
    source = "import"
    observed_at = MONDAY


class AIUsageFactory(DjangoModelFactory):
    """A reserved call."""

    class Meta:
        model = campaigns.AIUsage

    prompt_name = "tests/prompt"
    prompt_sha256 = sha256("a")
    provider = "tests"
    model = "tests-1"
    cost = "0.00001600"


# prospects


class OrganizationFactory(DjangoModelFactory):
    class Meta:
        model = prospects.Organization

    name = factory.Sequence(lambda n: f"Organization {n}")
    name_key = factory.LazyAttribute(lambda o: o.name.lower())
    domain = factory.Sequence(lambda n: f"organization{n}.example.com")
    industry = "Finance"


class ContactFactory(DjangoModelFactory):
    """The partner contact of an organization, with no address yet."""

    class Meta:
        model = prospects.Contact

    organization = factory.SubFactory(OrganizationFactory)
    name = factory.Sequence(lambda n: f"Paula Partner{n}")
    role = prospects.Contact.Role.PARTNER
    is_primary = True


class ContactAddressFactory(DjangoModelFactory):
    class Meta:
        model = prospects.ContactAddress

    contact = factory.SubFactory(ContactFactory)
    kind = prospects.ContactAddress.Kind.EMAIL
    value = factory.Sequence(lambda n: f"paula.partner{n}@example.com")
    canonical = factory.LazyAttribute(lambda o: o.value.lower())


class ConsentFactory(DjangoModelFactory):
    class Meta:
        model = prospects.Consent

    address = factory.SubFactory(ContactAddressFactory)
    text = "Yes, you may text me about internships."
    source = "form of 1 June 2026"
    obtained_at = MONDAY


class LeadFactory(DjangoModelFactory):
    """An open role at an organization. Nobody to write to: see ``reachable_lead``."""

    class Meta:
        model = prospects.Lead

    kind = prospects.Lead.Kind.ROLE
    organization = factory.SubFactory(OrganizationFactory)
    name = factory.Sequence(lambda n: f"Intern, Finance {n}")
    text = "Help our finance team with reports."
    industries = ["Finance"]
    first_seen_at = MONDAY
    last_seen_at = MONDAY


def reachable_lead(**fields) -> prospects.Lead:
    """A role whose organization has one partner contact with an e-mail address."""
    lead = LeadFactory(**fields)
    address = ContactAddressFactory(contact__organization=lead.organization)
    lead.contacts.add(address.contact)
    return lead


class LeadIdentityFactory(DjangoModelFactory):
    class Meta:
        model = prospects.LeadIdentity

    lead = factory.SubFactory(LeadFactory)
    platform = "tests"
    platform_id = factory.Sequence(lambda n: f"lead-{n}")


class ContentItemFactory(DjangoModelFactory):
    class Meta:
        model = prospects.ContentItem

    lead = factory.SubFactory(LeadFactory, kind=prospects.Lead.Kind.PODCAST)
    kind = prospects.ContentItem.Kind.EPISODE
    guid = factory.Sequence(lambda n: f"episode-{n}")
    title = factory.Sequence(lambda n: f"Episode {n}")
    published_at = MONDAY - timedelta(days=7)


class FactFactory(DjangoModelFactory):
    class Meta:
        model = prospects.Fact

    lead = factory.SubFactory(LeadFactory)
    kind = "news"
    value = factory.Sequence(lambda n: f"Opened office {n}")
    source = "import"
    observed_at = MONDAY


class SavedSearchFactory(DjangoModelFactory):
    class Meta:
        model = prospects.SavedSearch

    name = factory.Sequence(lambda n: f"Search {n}")
    platform = "tests"


class PipelineRunFactory(DjangoModelFactory):
    class Meta:
        model = prospects.PipelineRun

    platform = "tests"


class StageRunFactory(DjangoModelFactory):
    class Meta:
        model = prospects.StageRun

    run = factory.SubFactory(PipelineRunFactory)
    stage = "discovery"


class AssessmentFactory(DjangoModelFactory):
    class Meta:
        model = prospects.Assessment

    run = factory.SubFactory(PipelineRunFactory)
    lead = factory.SubFactory(LeadFactory)


class SuppressionFactory(DjangoModelFactory):
    """A row of the list. To suppress a real address, call ``suppressions.add``."""

    class Meta:
        model = prospects.Suppression

    kind = prospects.Suppression.Kind.EMAIL
    exact_hash = factory.Sequence(lambda n: f"{n:064x}")
    canonical_hash = factory.SelfAttribute("exact_hash")
    hint = "p…@example.com"
    reason = prospects.Suppression.Reason.IMPORTED
    source = "tests"
    created_at = MONDAY


# pitches


class SenderFactory(DjangoModelFactory):
    """A mailbox whose inbox was read completely a moment ago."""

    class Meta:
        model = pitches.Sender

    user = factory.SubFactory(UserFactory)
    name = factory.Sequence(lambda n: f"Sam Sender{n}")
    address = factory.Sequence(lambda n: f"sam.sender{n}@example.com")
    signature = factory.LazyAttribute(lambda o: f"{o.name}\nExample Placements")
    inbox_read_began_at = MONDAY
    inbox_read_at = MONDAY


class SenderCampaignFactory(DjangoModelFactory):
    class Meta:
        model = pitches.SenderCampaign

    sender = factory.SubFactory(SenderFactory)
    campaign = factory.SubFactory(CampaignFactory)


class EmailLimitFactory(DjangoModelFactory):
    """One new pitch a week to this organization."""

    class Meta:
        model = pitches.EmailLimit

    scope = pitches.EmailLimit.Scope.ORGANIZATION
    organization = factory.SubFactory(OrganizationFactory)
    maximum = 1
    hours = 168


class BreakerFactory(DjangoModelFactory):
    class Meta:
        model = pitches.Breaker

    scope = pitches.Breaker.Scope.MAILBOX
    cause = pitches.Breaker.Cause.HARD_BOUNCES
    level = pitches.Breaker.Level.PAUSE
    sender = factory.SubFactory(SenderFactory)
    reason = "3 of the first 20 messages bounced"
    tripped_at = MONDAY


class StopFactory(DjangoModelFactory):
    class Meta:
        model = pitches.Stop

    scope = pitches.Stop.Scope.PERSON
    kind = pitches.Stop.Kind.STAFF
    contact = factory.SubFactory(ContactFactory)
    reason = "Asked by phone"
    begins_at = MONDAY


class MatchFactory(DjangoModelFactory):
    """Approved and waiting to be pitched. With a ``pitch`` it is pitched, and fits it."""

    class Meta:
        model = pitches.Match

    class Params:
        pitched = factory.Trait(
            pitch=factory.SubFactory("tests.factories.PitchFactory"),
            status=pitches.Match.Status.PITCHED,
        )

    pitch = None
    campaign = factory.Maybe(
        "pitch", factory.SelfAttribute("pitch.campaign"), factory.SubFactory(CampaignFactory)
    )
    candidate = factory.SubFactory(
        CandidateFactory, client=factory.SelfAttribute("..campaign.client")
    )
    lead = factory.Maybe(
        "pitch", factory.SelfAttribute("pitch.lead"), factory.SubFactory(LeadFactory)
    )
    status = factory.Maybe("pitch", pitches.Match.Status.PITCHED, pitches.Match.Status.APPROVED)
    score = 60
    suggested_at = MONDAY


class PitchFactory(DjangoModelFactory):
    """A draft to a role, addressed to a partner of its organization. Without matches."""

    class Meta:
        model = pitches.Pitch

    campaign = factory.SubFactory(CampaignFactory)
    lead = factory.SubFactory(LeadFactory)
    address = factory.SubFactory(
        ContactAddressFactory,
        contact__organization=factory.SelfAttribute("...lead.organization"),
    )
    sender = factory.SubFactory(SenderFactory)
    sequence = factory.SelfAttribute("campaign.sequence")
    send_mode = pitches.SendMode.CAPTURE


class WeeklyPlanFactory(DjangoModelFactory):
    class Meta:
        model = pitches.WeeklyPlan

    campaign = factory.SubFactory(CampaignFactory)
    owner = factory.SubFactory(UserFactory)
    week = MONDAY.date()


class MessageFactory(DjangoModelFactory):
    """The draft of a pitch's first message.

    ``status="approved"`` (queued, claimed, handing, sent, unknown …) brings what the database
    demands of that status: hash, lease, ledger time, receipt.
    """

    class Meta:
        model = pitches.Message

    pitch = factory.SubFactory(PitchFactory)
    number = 0
    step = factory.LazyAttribute(
        lambda o: (
            o.pitch.sequence and o.pitch.sequence.steps.filter(number=o.number or 0).first()
        )
    )
    status = pitches.Message.Status.DRAFT
    send_mode = factory.SelfAttribute("pitch.send_mode")
    sender = factory.SelfAttribute("pitch.sender")
    to_address = factory.SelfAttribute("pitch.address.value")
    message_id = factory.Sequence(lambda n: f"<message-{n}@example.com>")
    subject = "Three interns for your finance team"
    body = "Hello Paula,\n\nmay I introduce three interns?"
    approved_sha256 = factory.LazyAttribute(
        lambda o: "" if o.status in ("draft", "canceled", "expired") else sha256("b")
    )
    approved_at = factory.LazyAttribute(lambda o: MONDAY if o.approved_sha256 else None)
    send_at = factory.LazyAttribute(lambda o: MONDAY if o.status == "queued" else None)
    lease_owner = factory.LazyAttribute(
        lambda o: (
            "11111111-1111-4111-8111-111111111111"
            if o.status in ("claimed", "handing")
            else None
        )
    )
    leased_until = factory.LazyAttribute(
        lambda o: MONDAY + timedelta(minutes=10) if o.lease_owner else None
    )
    counted_at = factory.LazyAttribute(
        lambda o: MONDAY if o.status in pitches.Message.COUNTED else None
    )
    handed_at = factory.SelfAttribute("counted_at")
    sent_at = factory.LazyAttribute(lambda o: MONDAY if o.status == "sent" else None)
    receipt = factory.LazyAttribute(lambda o: "250 2.0.0 Ok" if o.status == "sent" else "")


class VariantFactory(DjangoModelFactory):
    class Meta:
        model = pitches.Variant

    message = factory.SubFactory(MessageFactory)
    number = 1
    label = "professional"
    subject = "Three interns for your finance team"
    body = "Hello Paula,\n\nmay I introduce three interns?"
    original_subject = factory.SelfAttribute("subject")
    original_body = factory.SelfAttribute("body")


class FollowUpTaskFactory(DjangoModelFactory):
    """The first follow-up, due 48 hours after MONDAY."""

    class Meta:
        model = pitches.FollowUpTask

    pitch = factory.SubFactory(PitchFactory)
    step = factory.LazyAttribute(lambda o: o.pitch.sequence.steps.get(number=1))
    due_at = factory.LazyAttribute(lambda o: MONDAY + timedelta(hours=o.step.delay_hours))


class IncomingMessageFactory(DjangoModelFactory):
    """A person's reply that nobody has matched to a pitch yet."""

    class Meta:
        model = pitches.IncomingMessage

    sender = factory.SubFactory(SenderFactory)
    source = "capture"
    raw_sha256 = factory.Sequence(lambda n: f"{n:064x}")
    raw = b"Subject: Re: Three interns\r\n\r\nYes, please."
    from_address = "paula.partner@example.com"
    subject = "Re: Three interns for your finance team"
    text = "Yes, please."
    kind = pitches.IncomingMessage.Kind.HUMAN_REPLY
    classified_by = "tests"
    received_at = MONDAY


class EventFactory(DjangoModelFactory):
    class Meta:
        model = pitches.Event

    provider = "tests"
    provider_event_id = factory.Sequence(lambda n: f"event-{n}")
    kind = pitches.Event.Kind.DELIVERED
    message = factory.SubFactory(MessageFactory, status="sent")
    occurred_at = MONDAY


class WebhookDeliveryFactory(DjangoModelFactory):
    class Meta:
        model = pitches.WebhookDelivery

    provider = "tests"
    delivery_id = factory.Sequence(lambda n: f"delivery-{n}")
    body = b"{}"
    headers = {"Content-Type": "application/json"}
    verdict = pitches.WebhookDelivery.Verdict.VALID
    received_at = MONDAY


class ExperimentFactory(DjangoModelFactory):
    class Meta:
        model = pitches.Experiment

    name = factory.Sequence(lambda n: f"Experiment {n}")
    arms = ["professional", "friendly"]
    salt = "tests"


class PlacementFactory(DjangoModelFactory):
    class Meta:
        model = pitches.Placement

    kind = pitches.Placement.Kind.INTERNSHIP
    campaign = factory.SubFactory(CampaignFactory)
    candidate = factory.SubFactory(
        CandidateFactory, client=factory.SelfAttribute("..campaign.client")
    )
    lead = factory.SubFactory(LeadFactory)


class ReviewTaskFactory(DjangoModelFactory):
    """The open review of a pitch with all its messages; for a match give kind and match."""

    class Meta:
        model = pitches.ReviewTask

    class Params:
        of_match = factory.Trait(
            kind=pitches.ReviewTask.Kind.MATCH,
            pitch=None,
            match=factory.SubFactory(MatchFactory, status=pitches.Match.Status.TO_REVIEW),
            campaign=factory.SelfAttribute("match.campaign"),
        )

    kind = pitches.ReviewTask.Kind.MESSAGE
    pitch = factory.SubFactory(PitchFactory)
    campaign = factory.Maybe("pitch", factory.SelfAttribute("pitch.campaign"), None)


# crm_sync


class RehearsalEndFactory(DjangoModelFactory):
    class Meta:
        model = pitches.RehearsalEnd

    ended_at = MONDAY
    pitches = 1
    matches = 1
    log = ["pitch #1 to Intern, Finance: given back"]


class CrmOwnerFactory(DjangoModelFactory):
    class Meta:
        model = crm_sync.CrmOwner

    provider = "tests"
    remote_id = factory.Sequence(lambda n: f"owner-{n}")
    name = factory.Sequence(lambda n: f"Olga Owner{n}")


class RemoteRecordFactory(DjangoModelFactory):
    class Meta:
        model = crm_sync.RemoteRecord

    class Params:
        local_row = factory.SubFactory(LeadFactory)

    provider = "tests"
    object_type = "contact"
    local_type = factory.LazyAttribute(lambda o: ContentType.objects.get_for_model(o.local_row))
    local_id = factory.SelfAttribute("local_row.pk")
    remote_id = factory.Sequence(lambda n: f"remote-{n}")


class SyncTaskFactory(DjangoModelFactory):
    class Meta:
        model = crm_sync.SyncTask

    class Params:
        about_row = factory.SubFactory(PitchFactory)

    change = crm_sync.SyncTask.Change.PITCH_SENT
    about_type = factory.LazyAttribute(lambda o: ContentType.objects.get_for_model(o.about_row))
    about_id = factory.SelfAttribute("about_row.pk")
    key = factory.Sequence(lambda n: f"pitch_sent:{n}")
