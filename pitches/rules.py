"""May this go out, and from when? One answer for planner and gate.

``decide`` looks at a Situation and nothing else: no database, no clock. Rules that no time
cures come first, in the order in which a person would want to hear them; then the rules of
time push the moment later until none objects.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from campaigns import channels
from campaigns.models import Campaign, Candidate, Channel, Step
from campaigns.zones import zone
from pitches import decisions, limits
from pitches.channels import of_sender
from pitches.decisions import Reason
from pitches.limits import Ledger, Limit, Limits
from pitches.models import Breaker, EmailLimit, Message, Pitch, Sender, SendMode, Stop
from pitches.windows import Window
from prospects.addresses import is_free_mail
from prospects.models import Contact, ContactAddress, Lead, Organization

Kind = ContactAddress.Kind
LINKEDIN = (Kind.LINKEDIN,)
# What a channel needs of a person, the first that is known.
ADDRESS_KINDS: dict[str, tuple[str, ...]] = {
    Channel.EMAIL: (Kind.EMAIL,),
    Channel.SMS: (Kind.PHONE,),
    Channel.LINKEDIN_NOTE: LINKEDIN,
    Channel.LINKEDIN_MESSAGE: LINKEDIN,
    Channel.LINKEDIN_INMAIL: LINKEDIN,
    Channel.CUSTOM: (Kind.PROFILE, Kind.LINKEDIN, Kind.EMAIL, Kind.PHONE),
}
# A follow-up may leave only if a complete read of the inbox began this shortly before its gate.
INBOX_FRESH = timedelta(seconds=60)
# Beyond this the planner calls the mailbox blind.
INBOX_BLIND = timedelta(minutes=10)
# Rules of time push each other; a moment that does not settle is one that never comes.
MOST_PUSHES = 200


@dataclass(slots=True)
class Situation:
    """Everything that could hold one pitch or one message, read before anybody decides."""

    now: datetime
    mode: SendMode
    campaign: Campaign
    lead: Lead
    organization: Organization | None
    contact: Contact | None
    address: ContactAddress | None
    sender: Sender | None
    candidates: list[Candidate]
    window: Window
    ledger: Ledger
    limits: Limits
    channel: str = Channel.EMAIL.value
    urgent: bool = False
    initial: bool = True
    stops: list[Stop] = field(default_factory=list)
    breakers: list[Breaker] = field(default_factory=list)
    suppressed: str = ""
    in_conversation_until: datetime | None = None
    on_allowlist: bool = True
    rehearsed_pitches: int = 0
    # by SMS: written consent is on record, and the hours in which a telephone may ring
    may_be_texted: bool = True
    quiet: Window | None = None
    # a draft still to be made
    lead_is_taken: bool = False
    draft_rejected: str = ""
    candidates_left_out: tuple[str, ...] = ()
    pitched_so_far: int = 0
    urgency: str = ""
    # a message on its way
    message: Message | None = None
    due_at: datetime | None = None
    due_because: str = ""
    reply_unclear: bool = False
    step_before: Step | None = None
    fingerprint: str = ""
    text_problems: tuple[str, ...] = ()
    # when this sender's other messages leave, with the seconds each wants before it
    leaving: list[tuple[datetime, int]] = field(default_factory=list)
    reads_own_inbox: bool = False
    # a message that a person takes to its recipient
    by_person: bool = False
    requests_used: int = 0
    requests_most: int = 0

    @property
    def is_by_hand(self) -> bool:
        """Whether no machine may take it (LAW-23)."""
        return self.message is not None and self.message.is_by_hand

    @property
    def is_draft(self) -> bool:
        return self.message is None

    @property
    def organizations(self) -> list[Organization]:
        """The lead's, and the one the person works for: a limit or a wish of either holds."""
        known = (self.organization, self.contact.organization if self.contact else None)
        return list({each.pk: each for each in known if each is not None}.values())

    @property
    def domain(self) -> str:
        """The recipient's mail domain; empty where the address is none of mail."""
        return mail_domain(self.address)

    @property
    def is_careful(self) -> bool:
        """Whether too much of this mailbox's mail comes back, short of a pause."""
        cause, wide = Breaker.Cause.HARD_BOUNCES, Breaker.Scope.CAMPAIGN
        return any(row.cause == cause and row.scope != wide for row in self.breakers)

    @property
    def today(self) -> date:
        """The day at the sender's desk."""
        return self.now.astimezone(zone(self.campaign.time_zone)).date()


def mail_domain(address: ContactAddress | None) -> str:
    """The domain behind the @ of an address's canonical form; empty if there is none."""
    _, at, domain = (address.canonical if address else "").rpartition("@")
    return domain if at else ""


@dataclass(frozen=True, slots=True)
class Ruling:
    """``reason`` holds it back unless ``may`` is true.

    ``at`` is the first moment it may go, if there is one.
    """

    may: bool
    reason: Reason
    at: datetime | None
    numbers: dict[str, Any] = field(default_factory=dict)

    @property
    def sentence(self) -> str:
        """The reason as a person reads it."""
        return decisions.sentence(self.reason, self.numbers)


@dataclass(frozen=True, slots=True)
class Objection:
    """What one rule has against it, and from when it has nothing any more."""

    reason: Reason
    until: datetime | None
    numbers: dict[str, Any] = field(default_factory=dict)


Rule = Callable[[Situation, datetime], Objection | None]


def decide(situation: Situation, *, by: datetime | None = None) -> Ruling:
    """May it go at ``by`` at the latest (default: now)? If not, why, and from when.

    Returns the earliest moment at which no rule objects. The reason is the first rule's that
    objected to now, for that is what a person asks about.
    """
    latest = by or situation.now
    moment, first = situation.now, None
    for _ in range(MOST_PUSHES):
        objection = _first_objection(situation, moment)
        if objection is None:
            return _ruling(situation, moment, first, may=moment <= latest)
        first = first or objection
        if objection.until is None or objection.until <= moment:
            return Ruling(False, objection.reason, None, objection.numbers)
        moment = objection.until
    assert first is not None
    return Ruling(False, first.reason, None, first.numbers)


def _ruling(
    situation: Situation, moment: datetime, first: Objection | None, *, may: bool
) -> Ruling:
    if not may:
        assert first is not None
        return Ruling(False, first.reason, moment, first.numbers)
    return Ruling(
        True, _why_yes(situation), moment, {"urgency": situation.urgency, **_names(situation)}
    )


def _why_yes(situation: Situation) -> Reason:
    if situation.is_draft:
        return Reason.URGENT_PITCH if situation.urgent else Reason.NEW_PITCH
    if situation.is_by_hand and not situation.initial:
        return Reason.DUE_AFTER_LOOKING
    return Reason.DUE if situation.initial else Reason.DUE_AFTER_INBOX


def _names(situation: Situation) -> dict[str, Any]:
    return {"candidates": ", ".join(candidate.name for candidate in situation.candidates)}


def _first_objection(situation: Situation, moment: datetime) -> Objection | None:
    rules = FOR_A_DRAFT if situation.is_draft else FOR_A_MESSAGE
    if situation.message is not None and situation.message.approved_policy in Message.BY_ITSELF:
        rules = FOR_AN_ANSWER_BY_ITSELF
    return next((objection for rule in rules if (objection := rule(situation, moment))), None)


# -- the campaign and its people -------------------------------------------------------------


def campaign_is_active(s: Situation, moment: datetime) -> Objection | None:
    if s.campaign.status == Campaign.Status.ACTIVE:
        return None
    return Objection(
        Reason.CAMPAIGN_NOT_ACTIVE, None, {"status": s.campaign.get_status_display()}
    )


def campaign_has_room(s: Situation, moment: datetime) -> Objection | None:
    cap = s.campaign.enrollment_cap
    if cap is None or s.pitched_so_far < cap:
        return None
    return Objection(Reason.CAMPAIGN_FULL, None, {"maximum": cap, "used": s.pitched_so_far})


def campaign_has_a_sequence(s: Situation, moment: datetime) -> Objection | None:
    return None if s.campaign.sequence_id else Objection(Reason.NO_SEQUENCE, None)


def somebody_is_pitchable(s: Situation, moment: datetime) -> Objection | None:
    if s.candidates:
        return None
    return Objection(Reason.NO_CANDIDATES, None, {"causes": "; ".join(s.candidates_left_out)})


def everybody_named_is_still_here(s: Situation, moment: datetime) -> Objection | None:
    for candidate in s.candidates:
        if candidate.status != Candidate.Status.ACTIVE:
            numbers = {"candidate": candidate.name, "status": candidate.get_status_display()}
            return Objection(Reason.CANDIDATE_LEFT, None, numbers)
    return None


# -- the lead and the recipient --------------------------------------------------------------


def nothing_is_stopped(s: Situation, moment: datetime) -> Objection | None:
    # urgency never passes a stop
    for stop in s.stops:
        if stop.until is None or stop.until > moment:
            numbers = {"scope": stop.get_scope_display().lower(), "cause": stop.reason}
            return Objection(Reason.STOPPED, stop.until, numbers)
    return None


def lead_is_open(s: Situation, moment: datetime) -> Objection | None:
    gone = s.lead.closed_at or s.lead.merged_into_id
    return Objection(Reason.LEAD_CLOSED, None) if gone else None


def lead_is_free(s: Situation, moment: datetime) -> Objection | None:
    return Objection(Reason.ALREADY_OPEN, None) if s.lead_is_taken else None


def draft_was_not_rejected(s: Situation, moment: datetime) -> Objection | None:
    return (
        Objection(Reason.DRAFT_REJECTED, None, {"cause": s.draft_rejected})
        if s.draft_rejected
        else None
    )


def organization_may_be_written_to(s: Situation, moment: datetime) -> Objection | None:
    for organization in s.organizations:
        if organization.do_not_contact:
            return Objection(Reason.DO_NOT_CONTACT, None, {"organization": organization.name})
    return None


def organization_wants_to_hear_again(s: Situation, moment: datetime) -> Objection | None:
    tz = zone(s.window.zone_name)
    for organization in s.organizations:
        day = organization.follow_up_date
        if day is None:
            continue
        opens = datetime(day.year, day.month, day.day, tzinfo=tz)
        if moment < opens:
            numbers = {"organization": organization.name, "date": day.isoformat()}
            return Objection(Reason.FOLLOW_UP_DATE, opens, numbers)
    return None


def pitch_is_open(s: Situation, moment: datetime) -> Objection | None:
    """One that was ended while its message was refused by a server must not go on."""
    assert s.message is not None
    if s.message.pitch.status in Pitch.OPEN:
        return None
    status = s.message.pitch.get_status_display().lower()
    return Objection(Reason.PITCH_ENDED, None, {"status": status})


def somebody_can_be_reached(s: Situation, moment: datetime) -> Objection | None:
    if s.address:
        return None
    return Objection(Reason.NO_COMPANY_CONTACTS, None, {"address": channels.NEEDS[s.channel]})


def address_works(s: Situation, moment: datetime) -> Objection | None:
    assert s.address is not None
    if s.address.verification == ContactAddress.Verification.INVALID:
        return Objection(Reason.ADDRESS_INVALID, None)
    return None


def address_is_not_suppressed(s: Situation, moment: datetime) -> Objection | None:
    if s.suppressed or s.lead.suppressed_at:
        return Objection(
            Reason.SUPPRESSED, None, {"cause": s.suppressed or "the lead is suppressed"}
        )
    return None


def person_is_not_in_conversation(s: Situation, moment: datetime) -> Objection | None:
    until = s.in_conversation_until
    if until is None or until <= moment:
        return None
    return Objection(Reason.IN_CONVERSATION, until, {"until": until})


def no_answer_is_unclear(s: Situation, moment: datetime) -> Objection | None:
    """An answer that may mean several pitches holds all of them (REL-18)."""
    return Objection(Reason.REPLY_UNCLEAR, None) if s.reply_unclear else None


def it_was_written_for_this_mode(s: Situation, moment: datetime) -> Objection | None:
    """What was rehearsed is never sent for real, nor the reverse."""
    assert s.message is not None
    if s.message.send_mode == s.mode:
        return None
    return Objection(Reason.OTHER_MODE, None, {"written_for": s.message.send_mode})


def rehearsal_is_over(s: Situation, moment: datetime) -> Objection | None:
    """A captured pitch that is still open holds its lead and its matches back from the real
    thing, so nothing leaves before all of them were given back.
    """
    if not s.rehearsed_pitches:
        return None
    return Objection(Reason.REHEARSAL_OPEN, None, {"pitches": s.rehearsed_pitches})


def send_mode_allows_it(s: Situation, moment: datetime) -> Objection | None:
    return None if s.on_allowlist else Objection(Reason.NOT_ON_ALLOWLIST, None)


# -- the sender ------------------------------------------------------------------------------


def somebody_writes(s: Situation, moment: datetime) -> Objection | None:
    return None if s.sender else Objection(Reason.NO_PARTNERSHIP_SPECIALIST, None)


def sender_is_active(s: Situation, moment: datetime) -> Objection | None:
    assert s.sender is not None
    if s.sender.is_active:
        return None
    numbers = {"sender": s.sender.address, "cause": s.sender.status_reason or "no reason given"}
    return Objection(Reason.SENDER_PAUSED, None, numbers)


def no_breaker_is_open(s: Situation, moment: datetime) -> Objection | None:
    """Nothing passes a pause (LAW-14..16); drafts are made during one that ends by itself."""
    if s.is_by_hand:
        return None
    for row in s.breakers:
        if row.level != Breaker.Level.PAUSE or (
            row.until and (s.is_draft or row.until <= moment)
        ):
            continue
        end = (
            f"until {decisions.readable(row.until)}"
            if row.until
            else "until an admin closes it"
        )
        numbers = {
            "scope": row.get_scope_display().lower().replace("_", " "),
            "target": breaker_target(row, s),
            "cause": row.reason,
            "end": end,
        }
        return Objection(Reason.BREAKER_OPEN, row.until, numbers)
    return None


def breaker_target(row: Breaker, s: Situation) -> str:
    """What a breaker holds, by the name a person knows it by."""
    if row.sender_id:
        return s.sender.address if s.sender else ""
    return s.campaign.name if row.campaign_id else row.domain


def sender_is_set_up(s: Situation, moment: datetime) -> Objection | None:
    assert s.sender is not None
    if s.is_by_hand or s.mode == SendMode.CAPTURE:
        return None
    way = of_sender(s.sender)
    cause = way.missing(s.sender) if way else "nobody knows how it sends"
    if not cause:
        return None
    return Objection(
        Reason.SENDER_NOT_SET_UP, None, {"sender": s.sender.address, "cause": cause}
    )


def channel_sends_by_itself(s: Situation, moment: datetime) -> Objection | None:
    assert s.message is not None
    assert s.sender is not None
    way = of_sender(s.sender)
    if s.is_by_hand or (way is not None and s.channel in way.carries):
        return None
    numbers = {"channel": s.message.get_channel_display(), "sender": s.sender.address}
    return Objection(Reason.CHANNEL_NOT_READY, None, numbers)


def address_fits_the_channel(s: Situation, moment: datetime) -> Objection | None:
    """A step by SMS in a sequence by mail has no telephone number to go to."""
    assert s.address is not None
    if s.is_by_hand or s.address.kind in ADDRESS_KINDS[s.channel]:
        return None
    numbers = {"channel": Channel(s.channel).label, "address": channels.NEEDS[s.channel]}
    return Objection(Reason.OTHER_ADDRESS, None, numbers)


def inbox_is_fresh(sender: Sender, *, now: datetime) -> bool:
    """Whether a complete read of the inbox began within the last 60 seconds (REL-17)."""
    began = sender.inbox_read_began_at
    return began is not None and timedelta(0) <= now - began <= INBOX_FRESH


def asks_for_answers(sender: Sender) -> bool:
    """Whether its channel asks the provider for an answer before each follow-up, there being
    no mailbox to read."""
    way = of_sender(sender)
    return way is not None and way.asks_for_answers and not sender.imap_host


def inbox_is_not_blind(s: Situation, moment: datetime) -> Objection | None:
    """A follow-up needs a mailbox that is read. One that lies on this machine always can be."""
    if s.initial or s.is_by_hand or s.reads_own_inbox or s.sender is None:
        return None  # whoever works by hand looks into the thread before writing
    if asks_for_answers(s.sender):
        return None
    read_at = s.sender.inbox_read_at
    if read_at is not None and s.now - read_at <= INBOX_BLIND:
        return None
    numbers = {"sender": s.sender.address, "read_at": read_at or "no time yet"}
    return Objection(Reason.BLIND, None, numbers)


# -- the text --------------------------------------------------------------------------------


def text_was_approved(s: Situation, moment: datetime) -> Objection | None:
    assert s.message is not None
    drafts = (s.message.status, s.message.pitch.status)
    if Message.Status.DRAFT in drafts or not s.message.approved_sha256:
        return Objection(Reason.NOT_APPROVED, None)
    return None


def text_is_what_was_approved(s: Situation, moment: datetime) -> Objection | None:
    assert s.message is not None
    if s.message.approved_sha256 != s.fingerprint:
        return Objection(Reason.APPROVAL_VOID, None)
    return None


def text_may_leave(s: Situation, moment: datetime) -> Objection | None:
    if s.text_problems:
        return Objection(Reason.TEXT_BLOCKED, None, {"causes": "; ".join(s.text_problems)})
    return None


# -- time ------------------------------------------------------------------------------------


def it_has_not_expired(s: Situation, moment: datetime) -> Objection | None:
    assert s.message is not None
    if s.message.expires_at and moment >= s.message.expires_at:
        return Objection(Reason.EXPIRED, None)
    return None


def it_is_due(s: Situation, moment: datetime) -> Objection | None:
    if s.due_at is None:
        return Objection(Reason.NOT_DUE, None, {"due": "once the first message has been sent"})
    if s.step_before is not None:
        # whatever made that one late, nobody hears from us twice in a row
        return Objection(
            Reason.NOT_DUE, None, {"due": f"once {s.step_before.name} has been sent"}
        )
    if moment < s.due_at and s.due_because:
        return Objection(Reason.ABSENT, s.due_at, {"due": s.due_at, "cause": s.due_because})
    if moment < s.due_at:
        return Objection(Reason.NOT_DUE, s.due_at, {"due": s.due_at})
    return None


def it_is_not_backing_off(s: Situation, moment: datetime) -> Objection | None:
    assert s.message is not None
    until = s.message.not_before
    if until is None or moment >= until:
        return None
    return Objection(Reason.BACK_OFF, until, {"cause": s.message.last_error or "no answer"})


def window_is_open(s: Situation, moment: datetime) -> Objection | None:
    opens = s.window.earliest(moment)
    if opens == moment:
        return None
    zone_name = s.window.zone_name
    local = moment.astimezone(zone(zone_name))
    closed = s.window.closed_because(local.date())
    if closed is None or closed[0] == Reason.OUTSIDE_WINDOW:
        numbers = {"local": f"{local:%A %H:%M}", "opens": _local(opens, zone_name)}
        return Objection(Reason.OUTSIDE_WINDOW, opens, numbers)
    code, cause = closed
    until = _local(opens, zone_name)
    numbers = {"day": f"{local:%d %B}", "holiday": cause, "cause": cause, "until": until}
    return Objection(Reason(code), opens, numbers)


def _local(moment: datetime | None, zone_name: str) -> str:
    return f"{moment.astimezone(zone(zone_name)):%A %H:%M}" if moment else "never"


def person_agreed_to_texts(s: Situation, moment: datetime) -> Objection | None:
    """Nobody is texted who did not say so in writing (LAW-22)."""
    if s.channel != Channel.SMS or s.may_be_texted or s.address is None:
        return None
    return Objection(Reason.NO_CONSENT, None)


def telephone_may_ring(s: Situation, moment: datetime) -> Objection | None:
    """One more window over the campaign's own: it makes a text only ever later."""
    if s.quiet is None:
        return None
    opens = s.quiet.earliest(moment)
    if opens == moment:
        return None
    zone_name = s.quiet.zone_name
    local = moment.astimezone(zone(zone_name))
    numbers = {"local": f"{local:%A %H:%M}", "opens": _local(opens, zone_name)}
    return Objection(Reason.QUIET_HOURS, opens, numbers)


def nothing_wide_is_stopped(s: Situation, moment: datetime) -> Objection | None:
    """For an answer that nobody approved: a stop of the person itself is what it confirms."""
    for stop in s.stops:
        of_person = stop.scope in (Stop.Scope.PERSON, Stop.Scope.ORGANIZATION)
        if not of_person and (stop.until is None or stop.until > moment):
            numbers = {"scope": stop.get_scope_display().lower(), "cause": stop.reason}
            return Objection(Reason.STOPPED, stop.until, numbers)
    return None


def sender_leaves_a_gap(s: Situation, moment: datetime) -> Objection | None:
    assert s.sender is not None
    assert s.message is not None
    if s.is_by_hand:
        return None
    seconds, free = gap(s.sender, s.message.message_id), moment
    for other, before in s.leaving:
        too_late = other <= free < other + timedelta(seconds=seconds)
        too_early = free < other < free + timedelta(seconds=before)
        if too_late or too_early:
            free = other + timedelta(seconds=seconds)
    if free == moment:
        return None
    return Objection(Reason.SPACING, free, {"sender": s.sender.address, "seconds": seconds})


def gap(sender: Sender, message_id: str) -> int:
    """Seconds to leave before this message: from a hash, so that a plan can be kept."""
    width = sender.gap_max - sender.gap_min + 1
    number = int.from_bytes(hashlib.sha256(message_id.encode()).digest()[:8])
    return sender.gap_min + number % width


# -- by hand ---------------------------------------------------------------------------------


def week_has_room(s: Situation, moment: datetime) -> Objection | None:
    """Connection requests of a sender are counted by the week, Monday to Sunday (S004-040)."""
    if s.message is None or s.message.channel != Channel.LINKEDIN_NOTE:
        return None
    assert s.sender is not None
    week = monday(s.now, s.sender.time_zone)
    if s.requests_used < s.requests_most or moment >= week + timedelta(days=7):
        return None
    numbers = {
        "sender": s.sender.address,
        "maximum": s.requests_most,
        "used": s.requests_used,
    }
    return Objection(Reason.REQUESTS_LIMIT, week + timedelta(days=7), numbers)


def monday(moment: datetime, zone_name: str) -> datetime:
    """When the week of this moment began, in that zone."""
    day = moment.astimezone(zone(zone_name)).date()
    first = day - timedelta(days=day.isoweekday() - 1)
    return datetime(first.year, first.month, first.day, tzinfo=zone(zone_name))


def it_is_worked_by_hand(s: Situation, moment: datetime) -> Objection | None:
    """No machine takes it: it stands in somebody's list, and that person may."""
    if not s.is_by_hand or s.by_person:
        return None
    assert s.sender is not None
    tz = zone(s.sender.time_zone)
    day, today = moment.astimezone(tz).date(), s.now.astimezone(tz).date()
    told = "of today" if day == today else f"of {day:%A %d %B}"
    owner = s.sender.user.get_username() if s.sender.user else s.sender.name
    return Objection(Reason.BY_HAND, None, {"owner": owner, "day": told})


# -- limits ----------------------------------------------------------------------------------

LIMIT_REASONS = {
    EmailLimit.Scope.ORGANIZATION: Reason.ORGANIZATION_LIMIT,
    EmailLimit.Scope.CONTACT: Reason.CONTACT_LIMIT,
    EmailLimit.Scope.SENDER: Reason.SENDER_LIMIT,
    EmailLimit.Scope.DOMAIN: Reason.DOMAIN_LIMIT,
    EmailLimit.Scope.CAMPAIGN: Reason.CAMPAIGN_LIMIT,
    EmailLimit.Scope.ALL: Reason.TOTAL_LIMIT,
}


def applying(s: Situation, moment: datetime) -> Iterator[Limit]:
    """The limits this row takes a slot of, were it to go at ``moment``."""
    for limit in _all_limits(s, moment):
        if limit.counts == EmailLimit.Counts.ALL or s.initial:
            yield limit


def _all_limits(s: Situation, moment: datetime) -> Iterator[Limit]:
    scope = EmailLimit.Scope
    if not (s.urgent and s.campaign.urgent_skips_limits):
        for organization in s.organizations:
            yield from s.limits.of(scope.ORGANIZATION, organization.pk, label=organization.name)
    # For placements the organization's rule stands alone: several open roles are several
    # conversations, and whoever allows an organization more wants them.
    if s.contact and s.campaign.preset != Campaign.Preset.PLACEMENT:
        yield from s.limits.of(scope.CONTACT, s.contact.pk)
    if s.is_draft:
        return  # making a draft takes nothing from mailboxes and domains
    if s.sender:
        day = moment.astimezone(zone(s.sender.time_zone)).date()
        yield from s.limits.of(scope.SENDER, s.sender.pk, label=s.sender.address)
        yield from limits.of_sender(
            s.sender, on=day, is_careful=s.is_careful, is_live=s.mode == SendMode.LIVE
        )
    if s.domain:
        yield from s.limits.of_domain(
            s.domain,
            is_shared=is_free_mail(s.domain),
            by_default=s.campaign.preset != Campaign.Preset.PLACEMENT,
        )
    yield from s.limits.of(scope.CAMPAIGN, s.campaign.pk)
    yield from s.limits.of(scope.ALL, None)


def limits_have_a_slot(s: Situation, moment: datetime) -> Objection | None:
    for limit in applying(s, moment):
        free = s.ledger.earliest(limit, moment)
        if free != moment:
            reason = LIMIT_REASONS[EmailLimit.Scope(limit.scope)]
            return Objection(reason, free, _counted(s, limit, moment))
    return None


def _counted(s: Situation, limit: Limit, moment: datetime) -> dict[str, Any]:
    return {
        "maximum": limit.maximum,
        "hours": limit.hours,
        "used": s.ledger.used(limit, moment),
        "counts": EmailLimit.Counts(limit.counts).label,
        limit.scope: limit.label,
    }


FOR_A_DRAFT: tuple[Rule, ...] = (
    campaign_is_active,
    campaign_has_a_sequence,
    rehearsal_is_over,
    nothing_is_stopped,
    lead_is_open,
    lead_is_free,
    draft_was_not_rejected,
    organization_may_be_written_to,
    somebody_can_be_reached,
    address_works,
    address_is_not_suppressed,
    person_agreed_to_texts,
    person_is_not_in_conversation,
    somebody_is_pitchable,
    somebody_writes,
    sender_is_active,
    no_breaker_is_open,
    campaign_has_room,
    organization_wants_to_hear_again,
    limits_have_a_slot,
)

FOR_A_MESSAGE: tuple[Rule, ...] = (
    campaign_is_active,
    nothing_is_stopped,
    pitch_is_open,
    lead_is_open,
    organization_may_be_written_to,
    address_works,
    address_is_not_suppressed,
    person_agreed_to_texts,
    person_is_not_in_conversation,
    no_answer_is_unclear,
    everybody_named_is_still_here,
    sender_is_active,
    no_breaker_is_open,
    sender_is_set_up,
    channel_sends_by_itself,
    address_fits_the_channel,
    it_was_written_for_this_mode,
    rehearsal_is_over,
    send_mode_allows_it,
    text_was_approved,
    text_is_what_was_approved,
    text_may_leave,
    it_has_not_expired,
    it_is_due,
    it_is_not_backing_off,
    inbox_is_not_blind,
    organization_wants_to_hear_again,
    limits_have_a_slot,
    week_has_room,
    window_is_open,
    telephone_may_ring,
    sender_leaves_a_gap,
    it_is_worked_by_hand,
)

# The confirmation of an opt-out and the answer to HELP: to somebody who has just written to us,
# within five minutes. What they asked for is no reason against it; everything about the sender
# and the words still is.
FOR_AN_ANSWER_BY_ITSELF: tuple[Rule, ...] = (
    nothing_wide_is_stopped,
    sender_is_active,
    sender_is_set_up,
    channel_sends_by_itself,
    address_fits_the_channel,
    it_was_written_for_this_mode,
    send_mode_allows_it,
    text_is_what_was_approved,
    it_has_not_expired,
    it_is_not_backing_off,
)
