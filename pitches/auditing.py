"""Does what happened keep the promises? The six invariants of sending, read from rows and
journal (RELIABILITY 4). Reads only.

I1 nothing was accepted twice · I2 nothing is stuck in hand · I3 sent has a receipt, and what
was canceled or failed was never accepted · I4 no limit was exceeded · I5 nothing was handed
over after a stop · I6 what was sent is what was approved.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import F, Q
from django.db.models.functions import Now

from campaigns.models import Campaign
from campaigns.zones import zone
from pitches import fingerprints, journal, limits, situations
from pitches.limits import Ledger, Limit, Limits
from pitches.models import EmailLimit, Message, Sender
from prospects.addresses import is_free_mail

# A lease that ran out is taken back by the next tick; a minute later it should be gone.
GRACE = timedelta(seconds=60)
NEVER_ACCEPTED = (Message.Status.CANCELED, Message.Status.FAILED, Message.Status.EXPIRED)
# Violations are listed up to here; all are counted.
MOST_LISTED = 100


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken promise."""

    invariant: str
    subject: str
    sentence: str


@dataclass(slots=True)
class Audit:
    """What was looked at, and what was found."""

    messages: int = 0
    journal_lines: int = 0
    violations: list[Violation] = field(default_factory=list)

    @property
    def counts(self) -> dict[str, int]:
        """Violations per invariant; all six are named."""
        found = Counter(violation.invariant for violation in self.violations)
        return {name: found[name] for name in ("I1", "I2", "I3", "I4", "I5", "I6")}


def audit(*, since: datetime) -> Audit:
    """Check everything handed over since then. Limits are those in force now.

    Constant number of queries; reads the journal once. Raises JournalUnavailable.
    """
    rows = Message.objects.filter(counted_at__gte=since, status__in=Message.COUNTED)
    told = _Journal.read(since=since)
    result = Audit(messages=rows.count(), journal_lines=told.lines)
    result.violations += _accepted_twice(told)
    result.violations += _stuck_in_hand()
    result.violations += _without_receipt(rows)
    result.violations += _accepted_all_the_same(told)
    result.violations += _over_a_limit(since)
    result.violations += _after_a_stop(since)
    result.violations += _other_words(rows, told)
    return result


@dataclass(slots=True)
class _Journal:
    lines: int
    accepted: Counter[str]
    words: dict[str, str]

    @classmethod
    def read(cls, *, since: datetime) -> _Journal:
        told = cls(0, Counter(), {})
        released: set[str] = set()
        try:
            for line in journal.lines():
                if datetime.fromisoformat(line["at"]) < since:
                    continue
                told.lines += 1
                name = line["message_id"]
                if line["phase"] == journal.INTENT:
                    told.words[name] = line.get("words", "")
                elif line["outcome"] == journal.ACCEPTED and name not in released:
                    told.accepted[name] += 1
                elif line["outcome"] == journal.RELEASED:
                    # an admin sent it again, knowing that a copy may exist
                    released.add(name)
        except (OSError, ValueError, KeyError) as e:
            raise journal.JournalUnavailable(f"it cannot be read: {e!r}"[:200]) from e
        return told


def _accepted_twice(told: _Journal) -> Iterator[Violation]:
    for name, times in told.accepted.items():
        if times > 1:
            yield Violation("I1", name, f"It was accepted {times} times.")


def _stuck_in_hand() -> Iterator[Violation]:
    in_hand = (Message.Status.CLAIMED, Message.Status.HANDING)
    stuck = Message.objects.filter(status__in=in_hand, leased_until__lt=Now() - GRACE)
    for row in stuck.only("message_id", "status", "leased_until"):
        told = f"It is {row.status} although its lease ended at {row.leased_until:%H:%M:%S}."
        yield Violation("I2", row.message_id, told)


def _without_receipt(rows: Any) -> Iterator[Violation]:
    for row in rows.filter(status=Message.Status.SENT, receipt="").only("message_id"):
        yield Violation("I3", row.message_id, "It is sent, and nothing says so.")


def _accepted_all_the_same(told: _Journal) -> Iterator[Violation]:
    found = Message.objects.filter(
        message_id__in=list(told.accepted), status__in=NEVER_ACCEPTED
    ).exclude(bounced_at__isnull=False)
    for row in found.only("message_id", "status"):
        yield Violation("I3", row.message_id, f"It is {row.status}, and it was accepted.")


# -- I4 ----------------------------------------------------------------------------------------


def _over_a_limit(since: datetime) -> Iterator[Violation]:
    """Asked as the gate asked: of every message at its moment, with what was out by then."""
    rules, told = Limits.read(), set()
    senders = {row.pk: row for row in Sender.objects.all()}
    rows = _ledger_rows(since - rules.longest())
    ledger = Ledger()
    for row in rows:
        for scope, target in _targets(row):
            _lay_down(ledger, scope, target, row)
    for row in rows:
        for limit in _applying(rules, row, senders[row["sender"]]):
            used = ledger.used(limit, row["counted_at"])
            if row["counted_at"] >= since and used > limit.maximum and limit not in told:
                told.add(limit)
                yield _exceeded(limit, used, row["counted_at"])


def _exceeded(limit: Limit, used: int, at: datetime) -> Violation:
    whose = limit.label or "everything"
    told = f"{used} in {limit.hours} h until {at:%Y-%m-%d %H:%M}, where {limit.maximum} may be."
    return Violation("I4", f"{limit.scope} {whose}", told)


def _applying(rules: Limits, row: dict[str, Any], sender: Sender) -> Iterator[Limit]:
    """The limits this message took a slot of; see ``rules.applying``."""
    for limit in _all_limits(rules, row, sender):
        if limit.counts == EmailLimit.Counts.ALL or row["number"] == 0:
            yield limit


def _all_limits(rules: Limits, row: dict[str, Any], sender: Sender) -> Iterator[Limit]:
    by_default = row["preset"] != Campaign.Preset.PLACEMENT
    scope = EmailLimit.Scope
    for name, target in _targets(row):
        if name == scope.DOMAIN:
            yield from rules.of_domain(
                target, is_shared=is_free_mail(target), by_default=by_default
            )
        elif name == scope.ORGANIZATION and row["passes_limits"]:
            continue
        elif name != scope.CONTACT or by_default:
            yield from rules.of(name, target, label=f"#{target}" if target else "")
    day = row["counted_at"].astimezone(zone(sender.time_zone)).date()
    yield from limits.of_sender(sender, on=day)


def _ledger_rows(since: datetime) -> list[dict[str, Any]]:
    counted = Message.objects.counted(since=since, mode=situations.mode())
    return list(
        counted.order_by("counted_at").values(
            "number",
            "counted_at",
            "sender",
            preset=F("pitch__campaign__preset"),
            campaign=F("pitch__campaign"),
            contact=F("pitch__address__contact"),
            address=F("pitch__address__canonical"),
            of_lead=F("pitch__lead__organization"),
            of_person=F("pitch__address__contact__organization"),
            passes_limits=Q(pitch__urgent=True, pitch__campaign__urgent_skips_limits=True),
        )
    )


def _targets(row: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Whose slots it took, limit or no limit."""
    scope = EmailLimit.Scope
    for organization in {row["of_lead"], row["of_person"]} - {None}:
        yield scope.ORGANIZATION, organization
    yield scope.CONTACT, row["contact"]
    yield scope.SENDER, row["sender"]
    yield scope.CAMPAIGN, row["campaign"]
    yield scope.DOMAIN, row["address"].rpartition("@")[2]
    yield scope.ALL, None


def _lay_down(ledger: Ledger, scope: str, target: Any, row: dict[str, Any]) -> None:
    ledger.add((scope, target, EmailLimit.Counts.ALL.value), row["counted_at"])
    if row["number"] == 0:
        ledger.add((scope, target, EmailLimit.Counts.INITIAL.value), row["counted_at"])


# -- I5 ----------------------------------------------------------------------------------------

# One row per message that was handed over while a stop that reaches it was in force. Both times
# are the database's, taken under the same lock.
AFTER_A_STOP = """
SELECT DISTINCT ON (m.id) m.message_id, m.handed_at, s.begins_at, s.scope
FROM pitches_message m
JOIN pitches_pitch p ON p.id = m.pitch_id
JOIN campaigns_campaign c ON c.id = p.campaign_id
JOIN prospects_contactaddress a ON a.id = p.address_id
JOIN prospects_contact k ON k.id = a.contact_id
JOIN prospects_lead l ON l.id = p.lead_id
JOIN pitches_stop s ON s.begins_at < m.handed_at
    AND (s.lifted_at IS NULL OR s.lifted_at > m.handed_at)
    AND (s.until IS NULL OR s.until > m.handed_at)
    AND CASE s.scope
        WHEN 'everything' THEN true
        WHEN 'client' THEN s.client_id = c.client_id
        WHEN 'campaign' THEN s.campaign_id = c.id
        WHEN 'mailbox' THEN s.sender_id = m.sender_id
        WHEN 'organization' THEN s.organization_id IN (l.organization_id, k.organization_id)
        WHEN 'person' THEN s.contact_id = k.id
            AND (s.client_id IS NULL OR s.client_id = c.client_id)
    END
WHERE m.handed_at >= %s AND m.status = ANY(%s)
  -- the confirmation of an opt-out answers that very stop (LAW-22)
  AND NOT (m.approved_policy IN ('opt_out_confirmation', 'help_answer')
           AND s.scope IN ('person', 'organization'))
  -- a person who had taken it by hand before they knew told the truth
  AND m.receipt NOT LIKE 'sent by hand by %%, before they knew%%'
ORDER BY m.id, s.begins_at
"""


def _after_a_stop(since: datetime) -> Iterator[Violation]:
    with connection.cursor() as cursor:
        cursor.execute(AFTER_A_STOP, [since, list(Message.COUNTED)])
        for name, handed_at, begins_at, scope in cursor.fetchall():
            told = (
                f"It was handed over at {handed_at:%H:%M:%S.%f}, after the stop of its {scope} "
                f"at {begins_at:%H:%M:%S.%f}."
            )
            yield Violation("I5", name, told)


# -- I6 ----------------------------------------------------------------------------------------


def _other_words(rows: Any, told: _Journal) -> Iterator[Violation]:
    """What the journal saw go out, and what stands approved in the row."""
    wanted = defaultdict(str, told.words)
    fields = ("message_id", "subject", "body", "html", "approved_sha256", "attachments")
    for row in rows.only(*fields).iterator(chunk_size=2_000):
        seen = wanted[row.message_id]
        if seen and seen != fingerprints.of_sent_words(row):
            yield Violation("I6", row.message_id, "Its words are not those that were approved.")
