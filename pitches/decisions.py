"""What would happen, and why: the one list that a dry run prints and a real run carries out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import models


class Verdict(models.TextChoices):
    PITCH = "pitch"
    SEND = "send"
    HOLD = "hold"


class Reason(models.TextChoices):
    """The closed list of reasons, each with the sentence a person reads.

    A sentence may name the numbers of its decision in braces.
    """

    # yes
    NEW_PITCH = "new_pitch", "A draft is made for {candidates}."
    URGENT_PITCH = "urgent_pitch", "A draft is made first for {candidates}: {urgency}."
    DUE = "due", "Due, approved and free to go."
    DUE_AFTER_INBOX = (
        "due_after_inbox",
        "Due and approved; goes out once the inbox has been read.",
    )
    DUE_AFTER_LOOKING = (
        "due_after_looking",
        "Due and approved; look into the thread before you send it.",
    )
    # the campaign and its people
    CAMPAIGN_NOT_ACTIVE = "campaign_not_active", "The campaign is {status}: activate it first."
    CAMPAIGN_FULL = (
        "campaign_full",
        "The campaign may pitch {maximum} leads and has pitched {used}.",
    )
    NO_SEQUENCE = "no_sequence", "The campaign has no sequence: choose one."
    NO_CANDIDATES = (
        "no_candidates",
        "None of the matched candidates can be pitched now: {causes}.",
    )
    CANDIDATE_LEFT = "candidate_left", "{candidate} is {status} and is named in this text."
    # the lead and the recipient
    LEAD_CLOSED = "lead_closed", "The lead is closed."
    DRAFT_REJECTED = (
        "draft_rejected",
        "A draft to this lead was rejected: {cause}. Ask for a new one if you want it.",
    )
    ALREADY_OPEN = "already_open", "A pitch to this lead is open already."
    NO_COMPANY_CONTACTS = "no_company_contacts", "No contact with {address} is known."
    ADDRESS_INVALID = "address_invalid", "The address was found to be invalid."
    SUPPRESSED = "suppressed", "This address must not be written to: {cause}."
    DO_NOT_CONTACT = "do_not_contact", "{organization} asked not to be contacted."
    FOLLOW_UP_DATE = "follow_up_date", "{organization} asked to be left alone until {date}."
    IN_CONVERSATION = (
        "in_conversation",
        "This person answered; the thread is open until {until}.",
    )
    REPLY_UNCLEAR = (
        "reply_unclear",
        "An answer has come that may mean this pitch: say in the inbox which one it means.",
    )
    STOPPED = "stopped", "Stopped for this {scope}: {cause}."
    PITCH_ENDED = "pitch_ended", "The pitch is over: it is {status}."
    OTHER_MODE = (
        "other_mode",
        "It was written for send mode {written_for}, and that is not the present one.",
    )
    REHEARSAL_OPEN = (
        "rehearsal_open",
        "The rehearsal is not over: {pitches} captured pitches are open. End it first "
        "(end_rehearsal).",
    )
    NOT_ON_ALLOWLIST = (
        "not_on_allowlist",
        "Only addresses on the allow-list are written to in this send mode.",
    )
    # the sender
    NO_PARTNERSHIP_SPECIALIST = (
        "no_partnership_specialist",
        "No candidate has a responsible person with a sender, and the campaign has no default "
        "sender.",
    )
    SENDER_PAUSED = "sender_paused", "The sender {sender} is paused: {cause}."
    BREAKER_OPEN = "breaker_open", "The {scope} {target} is paused {end}: {cause}."
    SENDER_NOT_SET_UP = "sender_not_set_up", "The sender {sender} is not set up: {cause}."
    BLIND = "blind", "The inbox of {sender} was last read completely at {read_at}."
    INBOX_NOT_READ = (
        "inbox_not_read",
        "The inbox of {sender} could not be read just before: {cause}.",
    )
    # the text
    NOT_APPROVED = "not_approved", "Waits for a decision in the review queue."
    APPROVAL_VOID = (
        "approval_void",
        "The text or a file changed after it was approved: review it again.",
    )
    TEXT_BLOCKED = "text_blocked", "The text cannot go out: {causes}."
    # time
    NOT_DUE = "not_due", "Due {due}."
    ABSENT = "absent", "This person is {cause}, so it is due {due}."
    OUTSIDE_WINDOW = (
        "outside_window",
        "It is {local} for the recipient; the window opens {opens}.",
    )
    HOLIDAY = "holiday", "{day} is {holiday} in the recipient's country."
    BLACKOUT = "blackout", "The campaign pauses until {until}: {cause}."
    BACK_OFF = "back_off", "The last attempt was put off by the server: {cause}."
    EXPIRED = "expired", "It came to nothing in time and expired."
    SPACING = "spacing", "{sender} leaves {seconds} s between two messages."
    # limits
    ORGANIZATION_LIMIT = (
        "organization_limit",
        "Limit reached: {organization} gets {maximum} {counts} in {hours} h and had {used}.",
    )
    CONTACT_LIMIT = (
        "contact_limit",
        "Limit reached: this person gets {maximum} {counts} in {hours} h and had {used}.",
    )
    SENDER_LIMIT = (
        "sender_limit",
        "Limit reached: {sender} sends {maximum} messages in {hours} h and has sent {used}.",
    )
    DOMAIN_LIMIT = (
        "domain_limit",
        "Limit reached: {domain} gets {maximum} {counts} in {hours} h and had {used}.",
    )
    CAMPAIGN_LIMIT = (
        "campaign_limit",
        "Limit reached: the campaign sends {maximum} {counts} in {hours} h and has sent "
        "{used}.",
    )
    TOTAL_LIMIT = (
        "total_limit",
        "Limit reached: {maximum} {counts} in {hours} h over everything, and {used} are out.",
    )
    REQUESTS_LIMIT = (
        "requests_limit",
        "Limit reached: {sender} makes {maximum} connection requests a week and has made "
        "{used}.",
    )
    # a person's work
    BY_HAND = "by_hand", "By hand: in the list of {owner} {day}."
    # the machine
    JOURNAL_UNAVAILABLE = "journal_unavailable", "The send journal cannot be used: {cause}."
    JOURNAL_KNOWS_IT = (
        "journal_knows_it",
        "The send journal says that this message was handed over before.",
    )
    LEASE_LOST = "lease_lost", "Another worker took it over."
    CHANNEL_NOT_READY = "channel_not_ready", "{sender} does not send by {channel}."
    OTHER_ADDRESS = (
        "other_address",
        "{channel} needs {address}, and this pitch goes to another kind of address.",
    )
    # SMS
    NO_CONSENT = (
        "no_consent",
        "No written consent to be texted is on record for this number.",
    )
    QUIET_HOURS = (
        "quiet_hours",
        "It is {local} for the recipient; nobody is texted before {opens}.",
    )


@dataclass(frozen=True, slots=True)
class Decision:
    """One row of the plan.

    ``key`` names what it is about and stays the same from run to run.
    """

    key: str
    kind: str
    verdict: Verdict
    reason: Reason
    numbers: dict[str, Any] = field(default_factory=dict)
    send_at: datetime | None = None
    not_before: datetime | None = None
    lead: str = ""
    organization: str = ""
    candidates: tuple[str, ...] = ()
    contact: str = ""
    sender: str = ""
    channel: str = ""
    step: str = ""
    subject: str | None = None
    body_sha256: str | None = None
    urgent: bool = False
    # What carrying it out needs; never printed.
    ids: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def sentence(self) -> str:
        """The reason as a person reads it, with its numbers."""
        return sentence(self.reason, self.numbers)

    def printed(self) -> dict[str, Any]:
        """The row as ``--json`` shows it."""
        return {
            "key": self.key,
            "kind": self.kind,
            "verdict": self.verdict.value,
            "reason": self.reason.value,
            "sentence": self.sentence,
            "send_at": _iso(self.send_at),
            "not_before": _iso(self.not_before),
            "lead": self.lead,
            "organization": self.organization,
            "candidates": list(self.candidates),
            "contact": self.contact,
            "sender": self.sender,
            "channel": self.channel,
            "step": self.step,
            "subject": self.subject,
            "body_sha256": self.body_sha256,
            "urgent": self.urgent,
        }


def sentence(reason: Reason, numbers: dict[str, Any]) -> str:
    """A reason with its numbers, as a person reads it."""
    return reason.label.format_map(_Shown(numbers))


class _Shown(dict[str, Any]):
    """Numbers as people read them.

    A missing one is shown as such instead of failing the page.
    """

    def __init__(self, numbers: dict[str, Any]) -> None:
        super().__init__({name: readable(value) for name, value in numbers.items()})

    def __missing__(self, name: str) -> str:
        return f"({name} unknown)"


def readable(value: Any) -> str:
    """A number or a time in the words of a sentence."""
    return f"{value:%Y-%m-%d %H:%M %Z}" if isinstance(value, datetime) else str(value)


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


@dataclass(frozen=True, slots=True)
class Field:
    """The ground the decisions were taken on, for the totals of a report."""

    leads: int = 0
    candidates: int = 0
    matches: int = 0
    pitches: int = 0
    messages: int = 0

    def __add__(self, other: Field) -> Field:
        return Field(
            leads=self.leads + other.leads,
            candidates=self.candidates + other.candidates,
            matches=self.matches + other.matches,
            pitches=self.pitches + other.pitches,
            messages=self.messages + other.messages,
        )


@dataclass(slots=True)
class Outcome:
    """What carrying out a plan did: keys done, messages queued (ids), what had changed."""

    done: list[str] = field(default_factory=list)
    messages: list[int] = field(default_factory=list)
    changed: dict[str, str] = field(default_factory=dict)


def report(decisions: Iterable[Decision], *, ground: Field) -> dict[str, Any]:
    """The one object that ``--json`` prints and the API answers."""
    rows = [decision.printed() for decision in decisions]
    verdicts = {verdict.value: 0 for verdict in Verdict}
    for row in rows:
        verdicts[row["verdict"]] += 1
    totals = {
        "leads": ground.leads,
        "candidates": ground.candidates,
        "matches": ground.matches,
        "pitches": ground.pitches,
        "messages": ground.messages,
        **verdicts,
    }
    return {"totals": totals, "decisions": rows}
