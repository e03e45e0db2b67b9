"""What the past knows of answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pitches.history import messages
from pitches.history.past import BATCH, Past
from pitches.history.rows import Told
from pitches.models import Message, Pitch
from prospects import leads, suppressions
from prospects.models import Suppression


def record(past: Past, told: Sequence[Told], known: Mapping[str, Message]) -> None:
    """Note the answers where nothing is known yet; ``known`` are messages by Message-ID."""
    answered = {each.message_id: each for each in told if each.replied_at or each.outcome}
    if not answered:
        return
    found = dict(known) | messages.stored(answered)
    replied, changed = [], []
    for key, each in answered.items():
        message = found[key]
        if message.replied_at is None:
            message.replied_at = each.replied_at or each.sent_at
            replied.append(message)
        pitch = message.pitch
        if pitch.is_imported and pitch.replied_at is None:
            pitch.status, pitch.replied_at = Pitch.Status.REPLIED, message.replied_at
            pitch.outcome = each.outcome or Pitch.Outcome.OTHER
            changed.append(pitch)
    if replied:
        Message.objects.bulk_update(replied, ["replied_at"], batch_size=BATCH)
    if changed:
        fields = ["status", "replied_at", "outcome"]
        Pitch.objects.bulk_update(changed, fields, batch_size=BATCH)
    _suppress(past, [each.email for each in answered.values() if each.unsubscribed])


def _suppress(past: Past, emails: Sequence[str]) -> None:
    """Who unsubscribed then has unsubscribed now."""
    rows = [
        suppressions.row(
            Suppression.Kind.EMAIL,
            email,
            reason=Suppression.Reason.UNSUBSCRIBED,
            source=past.file,
            now=past.now,
        )
        for email in emails
    ]
    if rows:
        past.report.counts["suppressed"] += suppressions.add_many(rows)
        leads.mark_suppressed(now=past.now)
