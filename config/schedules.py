"""Which jobs run, and when. Nothing else may be scheduled: a schedule can call any function."""

from dataclasses import dataclass

from django.db import transaction
from django_q.models import Schedule


@dataclass(frozen=True)
class Planned:
    """A job: every `minutes`, or at the times of `cron` (UTC)."""

    name: str
    func: str
    about: str
    minutes: int | None = None
    cron: str | None = None

    def row(self) -> dict[str, object]:
        """The fields of its Schedule."""
        return {
            "func": self.func,
            "schedule_type": Schedule.CRON if self.cron else Schedule.MINUTES,
            "minutes": self.minutes,
            "cron": self.cron,
            "repeats": -1,
            "args": "",
            "kwargs": "",
            "hook": None,
            "cluster": None,
        }


PLANNED = [
    Planned("send", "pitches.jobs.send", "Hands over the messages that are due.", minutes=1),
    Planned(
        "reap", "pitches.jobs.reap", "Takes back what lost workers had claimed.", minutes=1
    ),
    Planned(
        "inbox", "pitches.jobs.read_inboxes", "Reads the mailboxes of all senders.", minutes=2
    ),
    Planned(
        "webhooks",
        "pitches.jobs.take_webhooks",
        "Works through what providers reported.",
        minutes=1,
    ),
    Planned(
        "back-fill",
        "pitches.jobs.back_fill",
        "Asks Instantly what its webhooks missed.",
        cron="15 * * * *",
    ),
    Planned(
        "forget webhooks",
        "pitches.jobs.forget_webhooks",
        "Empties webhooks after 30 days.",
        cron="40 3 * * *",
    ),
    Planned(
        "follow up", "pitches.jobs.follow_up", "Queues the follow-ups that are due.", minutes=15
    ),
    Planned(
        "evidence",
        "pitches.jobs.look_for_evidence",
        "Looks for proof of what became of messages of unknown fate.",
        minutes=10,
    ),
    Planned(
        "verdicts",
        "pitches.jobs.look_at_senders",
        "Judges mailboxes, domains and campaigns by what came back.",
        minutes=10,
    ),
    Planned(
        "outreach",
        "pitches.jobs.run_outreach",
        "Drafts what was matched and queues what may go.",
        cron="0 9 * * *",
    ),
    Planned(
        "delegated",
        "pitches.jobs.take_back",
        "Takes back from other senders what was stopped.",
        minutes=1,
    ),
    Planned(
        "domains",
        "pitches.jobs.check_domains",
        "Asks DNS whether the senders' domains vouch for their mail.",
        cron="50 4 * * *",
    ),
    Planned(
        "tell",
        "pitches.jobs.gather_news",
        "Gathers what a person should hear of.",
        minutes=1,
    ),
    Planned("alerts", "config.alerts.tell_what_waits", "Tells it by mail and chat.", minutes=1),
    Planned(
        "digest", "pitches.jobs.write_digest", "Writes the digest of the day.", cron="0 7 * * *"
    ),
    Planned(
        "audit",
        "pitches.jobs.look_for_violations",
        "Audits what went out in two days.",
        cron="10 5 * * *",
    ),
    Planned("prune", "config.ticks.prune", "Deletes old results and beats.", cron="20 3 * * *"),
]


@transaction.atomic
def install() -> list[str]:
    """Make the schedules exactly those of PLANNED; return the names of what changed."""
    wanted = {planned.name: planned.row() for planned in PLANNED}
    existing: dict[str, Schedule] = {}
    changed = []
    for schedule in Schedule.objects.select_for_update():
        if schedule.name in wanted and schedule.name not in existing:
            existing[schedule.name] = schedule
        else:
            changed.append(str(schedule.name))
            schedule.delete()
    for name, row in wanted.items():
        schedule = existing.get(name) or Schedule(name=name)
        # A schedule that is as it should be is left alone: saving it would move its next run.
        if schedule.pk and all(getattr(schedule, field) == row[field] for field in row):
            continue
        for field, value in row.items():
            setattr(schedule, field, value)
        schedule.save()
        changed.append(name)
    return changed
