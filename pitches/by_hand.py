"""By hand: texts that a person takes to their recipient, and what that person says of it.

LinkedIn allows no machine to write there (LAW-23), so nothing here asks that site: a person
opens the profile, pastes the approved words and says what happened. What was sent by hand goes
through the same gate, journal and ledger as mail, so limits, stops and follow-ups hold for it.
"""

from __future__ import annotations

import csv
import io
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import Count, Exists, F, Max, OuterRef, Q, QuerySet
from django.db.models.functions import Now

from campaigns import channels, zones
from config.db import WrongStatus
from config.text import clean_line, quote_cell
from pitches import (
    fingerprints,
    gate,
    journal,
    outbox,
    pitching,
    settling,
    situations,
    stopping,
)
from pitches.channels import Receipt
from pitches.decisions import Decision, Reason, Verdict
from pitches.gate import Held
from pitches.models import FollowUpTask, Match, Message, Pitch
from pitches.models.message import LET_GO
from prospects.models import ContactAddress

# More than anybody works in a day; what is beyond waits for tomorrow's list.
MOST_ROWS = 500


class NoReason(ValueError):
    """What is left out needs a reason: it is what the next reader learns from."""


# -- the list of a day -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Entry:
    """One text to take to one person, with all that is needed for it."""

    message: Message
    decision: Decision
    profile: str

    @property
    def length(self) -> int:
        """In characters, as the channel counts them."""
        return channels.length(self.message.channel, self.message.body)

    @property
    def most(self) -> int | None:
        """The longest text the channel takes."""
        return channels.LIMITS[self.message.channel].body

    @property
    def is_too_long(self) -> bool:
        return self.most is not None and self.length > self.most

    @property
    def due_at(self) -> datetime | None:
        """When its step fell due, or the slot the week's plan gave it."""
        if self.message.weekly_plan_id and self.message.send_at:
            return self.message.send_at
        return situations.due_at(self.message)


@dataclass(slots=True)
class Day:
    """Somebody's list of today, and what of theirs waits with its reasons."""

    entries: list[Entry] = field(default_factory=list)
    held: list[Decision] = field(default_factory=list)


def waiting() -> QuerySet[Message]:
    """Approved texts that a person is to take to somebody."""
    return Message.objects.by_hand().filter(
        status__in=(Message.Status.APPROVED, Message.Status.QUEUED),
        pitch__status__in=Pitch.OPEN,
    )


def due(owner: User | None, *, now: datetime) -> QuerySet[Message]:
    """Their texts whose day has come, whatever may still hold one of them."""
    return _due_by(_end_of_day(owner, now=now)).filter(sender__user=owner)


def _due_by(end: datetime) -> QuerySet[Message]:
    tasks = FollowUpTask.objects.filter(FollowUpTask.is_open(), due_at__lt=end)
    open_step = tasks.filter(pitch=OuterRef("pitch"), step=OuterRef("step"))
    return waiting().filter(Q(number=0) | Exists(open_step))


def owners(*, now: datetime) -> list[tuple[User | None, int]]:
    """Whose lists there are, with how many texts are due in each; nobody's last."""
    rows = (
        _due_by(now + timedelta(days=1))
        .order_by()
        .values("sender__user")
        .annotate(n=Count("pk"))
    )
    numbers: dict[int | None, int] = {row["sender__user"]: row["n"] for row in rows}
    users = User.objects.filter(pk__in=[pk for pk in numbers if pk]).order_by("username")
    found: list[tuple[User | None, int]] = [(user, numbers[user.pk]) for user in users]
    return [*found, (None, numbers[None])] if None in numbers else found


def today(owner: User | None, *, now: datetime) -> Day:
    """The list of today: approved, due, and within every limit and stop.

    The planner makes it, with the person at hand; limits are counted as it goes. Constant in
    queries.
    """
    rows, end = due(owner, now=now), _end_of_day(owner, now=now)
    # A thread that is under way comes before a new one.
    later, first = _readable(rows.filter(number__gt=0)), _readable(rows.filter(number=0))
    planned = [*later, *first][:MOST_ROWS]
    decided = outbox.plan(planned, now=now, until=end - timedelta(seconds=1), by_person=True)
    profiles = _profiles(planned)
    day = Day()
    for message, decision in zip(planned, decided, strict=True):
        if decision.verdict == Verdict.SEND:
            day.entries.append(Entry(message, decision, profiles.get(message.pk, "")))
        elif decision.reason != Reason.NOT_DUE:
            day.held.append(decision)
    day.entries.sort(key=lambda entry: (entry.due_at or now, entry.message.pk))
    return day


def _readable(rows: QuerySet[Message]) -> list[Message]:
    ready = situations.readable(rows).order_by("-pitch__urgent", "send_at", "approved_at", "pk")
    return list(ready.defer("pitch__lead__embedding", "pitch__lead__text")[:MOST_ROWS])


def _end_of_day(owner: User | None, *, now: datetime) -> datetime:
    sender = owner.senders.order_by("pk").first() if owner else None
    local = now.astimezone(zones.zone(sender.time_zone if sender else "UTC"))
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + timedelta(days=1)


# -- where to go -----------------------------------------------------------------------------


def _profiles(messages: Sequence[Message]) -> dict[int, str]:
    """The page to open, by message id; the person's own where the pitch has another address."""
    kinds = (ContactAddress.Kind.LINKEDIN, ContactAddress.Kind.PROFILE)
    people = {message.pitch.address.contact_id for message in messages}
    known: dict[int, ContactAddress] = {}
    for address in ContactAddress.objects.filter(contact__in=people, kind__in=kinds):
        best = known.setdefault(address.contact_id, address)
        if best.kind != ContactAddress.Kind.LINKEDIN == address.kind:
            known[address.contact_id] = address
    found = {}
    for message in messages:
        address = message.pitch.address
        if address.kind not in kinds:
            address = known.get(address.contact_id, address)
        if address.kind in kinds and (page := web_page(address.value)):
            found[message.pk] = page
    return found


def web_page(value: str) -> str:
    """An address that may stand in a link: http or https with a host, or nothing at all.

    A value without a scheme, as it is stored for a profile, gets https.
    """
    text = clean_line(value, 2000)
    if not text or any(c.isspace() or c in "<>\"'\\" for c in text):
        return ""
    try:
        parts = urlsplit(text if "://" in text else f"https://{text}")
        host = parts.hostname or ""
    except ValueError:
        return ""
    is_web = parts.scheme in ("http", "https") and "." in host and "@" not in parts.netloc
    return parts.geturl() if is_web else ""


# -- what the person says --------------------------------------------------------------------


def record_sent(message: Message, *, by: User, now: datetime) -> Message:
    """Somebody is sending it by hand, now: through the gate, into journal and ledger.

    Raises Held if something speaks against it meanwhile (nothing is changed then but the noted
    reason), WrongStatus if it was recorded before or is not theirs to send.
    """
    held_now = _claim(message)
    try:
        gate.pass_through(held_now, now=now, by_person=True)
    except Held as held:
        _put_back(held_now, held)
        raise
    return _settle(held_now, f"sent by hand by {by.get_username()}", now=now)


def record_past(message: Message, *, by: User, note: str, now: datetime) -> Message:
    """Somebody had sent it before they learned that it is held or canceled.

    What is true is written down: it is sent, it takes its slots, and what stopped the pitch
    stays as it is. A canceled text keeps its row; the sending becomes a row of its own. Raises
    WrongStatus if it was recorded before, or was never approved.
    """
    with transaction.atomic():
        # the person before the pitch and its messages, as every stop takes them
        stopping.lock_person(message.pitch.address.contact_id)
        pitch = Pitch.objects.select_for_update().get(pk=message.pitch_id)
        message = Message.objects.select_for_update().get(pk=message.pk)
        _check_not_sent(message)
        if message.status in (Message.Status.CANCELED, Message.Status.EXPIRED):
            message = _written_again(message)
        if not pitch.matches.exists():
            _take_matches_back(pitch)
    held_now = _claim(message)
    try:
        gate.pass_through(held_now, now=now, by_person=True, told=True)
    except Held as held:
        _put_back(held_now, held)
        raise
    told = f"sent by hand by {by.get_username()}, before they knew: {clean_line(note, 300)}"
    return _settle(held_now, told, now=now)


def skip(message: Message, *, by: User, reason: str, now: datetime) -> None:
    """Leave this step out; the sequence goes on with the next one.

    Raises NoReason without a reason, WrongStatus once it was sent or canceled.
    """
    reason = clean_line(reason, 250)
    if not reason:
        raise NoReason("Say why it is left out: the reason is kept.")
    if not message.is_by_hand:
        raise WrongStatus(message, "skipped", "sent by a machine")
    told = f"left out by {by.get_username()}: {reason}"
    settling.go_on_without(message, reason=told, now=now)


def _claim(message: Message) -> Message:
    """Take it for ourselves with a lease; of two clicks only one can.

    Raises WrongStatus for the other.
    """
    owner = uuid.uuid4()
    with transaction.atomic():
        rows = Message.objects.filter(pk__in=Message.objects.by_hand().filter(pk=message.pk))
        rows.filter(status=Message.Status.APPROVED).move(Message.Status.QUEUED)
        taken = rows.move(
            Message.Status.CLAIMED,
            lease_owner=owner,
            leased_until=Now() + timedelta(seconds=settings.CLAIM_LEASE),
            claims=F("claims") + 1,
        )
    fresh: Message = situations.readable(Message.objects.filter(pk=message.pk)).get()
    if not taken:
        raise WrongStatus(fresh, "sent", fresh.get_status_display())
    return fresh


def _settle(message: Message, answer: str, *, now: datetime) -> Message:
    settling.note_reply(message, journal.ACCEPTED, None, now=now)
    settling.settle(message, Receipt(answer), now=now)
    return message


def _put_back(message: Message, held: Held) -> None:
    """Where it was, with the reason; or to where the reason belongs."""
    if held.reason in (Reason.JOURNAL_KNOWS_IT, Reason.EXPIRED, Reason.PITCH_ENDED):
        settling.release(message, held)
        return
    Message.objects.filter(
        pk=message.pk, lease_owner=message.lease_owner, status=Message.Status.CLAIMED
    ).update(
        status=Message.Status.APPROVED,
        claims=0,
        hold_reason=held.reason,
        hold_until=held.until,
        **LET_GO,
    )


def _check_not_sent(message: Message) -> None:
    """Raises WrongStatus if this step was sent, or nobody ever approved these words."""
    same_step = Message.objects.filter(pitch=message.pitch_id, number=message.number)
    if same_step.filter(status__in=Message.COUNTED).exists():
        raise WrongStatus(message, "sent", "recorded as sent already")
    if not message.approved_sha256:
        raise WrongStatus(message, "sent", "a draft that nobody approved")


def _written_again(message: Message) -> Message:
    """A row for what was sent after its own was canceled; what was drafted since gives way."""
    same_step = Message.objects.filter(pitch=message.pitch_id, number=message.number)
    stopping.cancel_messages(same_step, reason="the words before these had been sent by hand")
    pitch = message.pitch
    identity = pitching.first_identities({pitch.lead_id}).get(
        pitch.lead_id, f"lead:{pitch.lead_id}"
    )
    revision = (same_step.aggregate(last=Max("revision"))["last"] or 0) + 1
    again = Message.objects.get(pk=message.pk)
    again.pk, again._state.adding = None, True
    again.status, again.revision = Message.Status.APPROVED, revision
    again.canceled_reason = again.hold_reason = ""
    again.message_id = fingerprints.message_id(
        pitch,
        identity=identity,
        number=message.number or 0,
        channel=message.channel,
        revision=revision,
    )
    again.save()
    return again


def _take_matches_back(pitch: Pitch) -> None:
    """A pitch that ended gave its matches back; sent after all, they are history,
    so that nobody is pitched to this lead again.
    """
    free = Match.objects.filter(
        campaign=pitch.campaign_id,
        lead=pitch.lead_id,
        status=Match.Status.APPROVED,
        pitch__isnull=True,
    ).order_by("-urgent", "-score", "pk")
    for match in free[: pitch.campaign.candidates_per_pitch]:
        try:
            with transaction.atomic():
                match.move(Match.Status.PITCHED, pitch=pitch)
        except IntegrityError:  # pitched elsewhere since: that is on record already
            continue
        if pitch.status not in Pitch.OPEN:
            match.move(Match.Status.CLOSED)


# -- the sheet -------------------------------------------------------------------------------

COLUMNS = (
    "message",
    "due",
    "person",
    "company",
    "channel",
    "step",
    "profile",
    "subject",
    "text",
)


def sheet(entries: Iterable[Entry]) -> str:
    """The list as CSV (RFC 4180); no cell is a formula to a spreadsheet (SEC-27)."""
    out = io.StringIO()
    rows = csv.writer(out)
    rows.writerow(COLUMNS)
    for entry in entries:
        message, pitch = entry.message, entry.message.pitch
        cells = (
            str(message.pk),
            entry.due_at.isoformat() if entry.due_at else "",
            pitch.address.contact.name,
            entry.decision.organization,
            message.get_channel_display(),
            message.step.name if message.step else "",
            entry.profile,
            message.subject,
            message.body,
        )
        rows.writerow([quote_cell(cell) for cell in cells])
    return out.getvalue()
