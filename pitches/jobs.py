"""The ticks.

Each works through what is due and returns. None carries a message or an address.
"""

from __future__ import annotations

import logging

from django.conf import settings
from django.utils import timezone

from config import beats
from config.ticks import Deadline, tick
from pitches import (
    backfilling,
    breakers,
    deliveries,
    inbox,
    outbox,
    outreach,
    reaping,
    resolving,
    sending,
)
from pitches.models import Sender

log = logging.getLogger(__name__)


@tick("send")
def send(deadline: Deadline) -> dict[str, int]:
    """Queue what was approved and is free to go, then send what has come due."""
    now = timezone.now()
    outbox.carry_out(outbox.plan(outbox.first_messages(None), now=now), now=now)
    follow_ups = outbox.follow_ups(None, until=now + outbox.HORIZON)
    outbox.carry_out(outbox.plan(follow_ups, now=now), now=now)
    done = sending.send_due(now=timezone.now(), beat=_beat, stop=lambda: deadline.passed)
    return {
        "sent": done.sent,
        "held": done.held,
        "failed": done.failed,
        "unknown": done.unknown,
    }


def _beat() -> None:
    """Handing over may take as long as its lease.

    Until then nobody may take this worker for dead.
    """
    beats.beat("handing", valid_for=settings.HANDING_LEASE)


@tick("inbox")
def read_inboxes(deadline: Deadline) -> dict[str, int]:
    """Read every active mailbox to its end.

    One that cannot be read does not keep the others from it.
    """
    counts = {"read": 0, "failed": 0, "replies": 0, "unmatched": 0}
    for sender in Sender.objects.filter(status=Sender.Status.ACTIVE).order_by("pk"):
        if deadline.passed:
            break
        try:
            found = inbox.read(sender, now=timezone.now())
        except inbox.InboxUnavailable as e:
            counts["failed"] += 1
            log.warning("inbox of sender %s: %s", sender.pk, e)
            continue
        counts["read"] += 1
        counts["replies"] += found.replies
        counts["unmatched"] += found.unmatched
    return counts


@tick("outreach")
def run_outreach(deadline: Deadline) -> dict[str, int]:
    """The daily run over all active campaigns: new drafts, and what may go."""
    done = outreach.carry_out(outreach.plan(now=timezone.now()))
    return {
        "pitched": len(done.pitched.done),
        "queued": len(done.queued.done),
        "changed": len(done.changed),
    }


@tick("follow_up")
def follow_up(deadline: Deadline) -> dict[str, int]:
    """Follow-ups that are due, and moving on."""
    done = outreach.carry_out(outreach.plan_follow_ups(now=timezone.now()))
    return {"queued": len(done.queued.done), "moved_on": len(done.moved_on.pitches)}


@tick("verdicts")
def look_at_senders(deadline: Deadline) -> dict[str, int]:
    """Judge mailboxes, domains and campaigns by what came back; close what ran out."""
    return {"pausing": breakers.look_again(now=timezone.now())}


@tick("reap")
def reap(deadline: Deadline) -> dict[str, int]:
    """Put in order what dead workers left behind."""
    reaped = reaping.reap(now=timezone.now())
    return {
        "released": reaped.released,
        "settled": reaped.settled,
        "unknown": reaped.unknown,
        "poisoned": reaped.poisoned,
        "expired": reaped.expired,
    }


@tick("evidence")
def look_for_evidence(deadline: Deadline) -> dict[str, int]:
    """Settle messages of unknown fate where something proves what became of them."""
    found = resolving.look_for_evidence(now=timezone.now(), stop=lambda: deadline.passed)
    return {
        "sent": found.sent,
        "failed": found.failed,
        "assumed": found.assumed,
        "open": found.open,
    }


@tick("webhooks")
def take_webhooks(deadline: Deadline) -> dict[str, int]:
    """Work through what providers reported and was not worked through at once."""
    done = deliveries.work_through(
        deliveries.waiting(), now=timezone.now(), stop=lambda: deadline.passed
    )
    return {
        "deliveries": done.deliveries,
        "events": done.recorded.new,
        "failed": done.failed + len(done.recorded.problems),
    }


@tick("back_fill")
def back_fill(deadline: Deadline) -> dict[str, int]:
    """Ask the providers that allow it what their webhooks may have missed."""
    counts = {"senders": 0, "events": 0, "failed": 0}
    for sender in backfilling.senders():
        if deadline.passed:
            break
        try:
            found = backfilling.fill(sender, now=timezone.now(), stop=lambda: deadline.passed)
        except backfilling.Missed as e:
            counts["failed"] += 1
            log.warning("sender %s: %s", sender.pk, e)
            continue
        counts["senders"] += 1
        counts["events"] += found.new
    return counts


@tick("forget_webhooks")
def forget_webhooks(deadline: Deadline) -> dict[str, int]:
    """Empty what providers sent more than 30 days ago (LAW-13)."""
    return deliveries.forget(now=timezone.now())
