"""The ticks.

Each works through what is due and returns. None carries a message or an address. What time it
is they ask the database: the clock of a host may jump, and limits count by it (REL-25).
"""

from __future__ import annotations

import logging

from django.conf import settings

from config import beats
from config.db import database_now
from config.ticks import Deadline, tick
from pitches import (
    backfilling,
    breakers,
    delegating,
    deliverability,
    deliveries,
    digest,
    inbox,
    outbox,
    outreach,
    reaping,
    resolving,
    sending,
    telling,
)

log = logging.getLogger(__name__)


@tick("send")
def send(deadline: Deadline) -> dict[str, int]:
    """Queue what was approved and is free to go, then send what has come due."""
    now = database_now()
    outbox.send_ready(now=now)
    follow_ups = outbox.follow_ups(None, until=now + outbox.HORIZON)
    outbox.carry_out(outbox.plan(follow_ups, now=now), now=now)
    done = sending.send_due(
        now=database_now(), beat=_beat, stop=lambda: deadline.passed, planned=True
    )
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
    """Read every mailbox to its end.

    One that cannot be read does not keep the others from it.
    """
    counts = {"read": 0, "failed": 0, "replies": 0, "unmatched": 0}
    for sender in inbox.readable().order_by("pk"):
        if deadline.passed:
            break
        try:
            found = inbox.read(sender, now=database_now())
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
    done = outreach.carry_out(outreach.plan(now=database_now()))
    return {
        "pitched": len(done.pitched.done),
        "queued": len(done.queued.done),
        "changed": len(done.changed),
    }


@tick("follow_up")
def follow_up(deadline: Deadline) -> dict[str, int]:
    """Follow-ups that are due, and moving on."""
    done = outreach.carry_out(outreach.plan_follow_ups(now=database_now()))
    return {"queued": len(done.queued.done), "moved_on": len(done.moved_on.pitches)}


@tick("verdicts")
def look_at_senders(deadline: Deadline) -> dict[str, int]:
    """Judge mailboxes, domains and campaigns by what came back; close what ran out."""
    return {"pausing": breakers.look_again(now=database_now())}


@tick("reap")
def reap(deadline: Deadline) -> dict[str, int]:
    """Put in order what dead workers left behind."""
    reaped = reaping.reap(now=database_now())
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
    found = resolving.look_for_evidence(now=database_now(), stop=lambda: deadline.passed)
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
        deliveries.waiting(), now=database_now(), stop=lambda: deadline.passed
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
            found = backfilling.fill(sender, now=database_now(), stop=lambda: deadline.passed)
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
    return deliveries.forget(now=database_now())


@tick("delegated")
def take_back(deadline: Deadline) -> dict[str, int]:
    """Ask other senders to leave what was stopped, and read back that they will."""
    now = database_now()
    noticed = delegating.notice_suppressed(now=now)
    done = delegating.take_back(now=now, stop=lambda: deadline.passed)
    return {
        "noticed": noticed,
        "stopped": done.stopped,
        "sent": done.sent,
        "waiting": done.waiting,
        "failed": done.failed,
    }


@tick("domains")
def check_domains(deadline: Deadline) -> dict[str, int]:
    """Ask DNS about every sender's domain, the one not asked about for longest first."""
    done = deliverability.check_all(now=database_now(), stop=lambda: deadline.passed)
    return {"asked": len(done), "wrong": sum(not report.is_good for _, report in done)}


@tick("tell")
def gather_news(deadline: Deadline) -> dict[str, int]:
    """Write down what a person should hear of; the alerts tell it."""
    return {"new": telling.gather(now=database_now())}


@tick("audit")
def look_for_violations(deadline: Deadline) -> dict[str, int]:
    """Audit what went out in the last two days, and tell of what is wrong."""
    return {"violations": telling.audit(now=database_now())}


@tick("digest")
def write_digest(deadline: Deadline) -> dict[str, int]:
    """The digest of the day, for the alerts to tell."""
    made = digest.write(now=database_now())
    return {"waiting": sum(line.count for line in made.parts["Waits for you"])}
