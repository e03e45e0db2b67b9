from __future__ import annotations

import json
from argparse import ArgumentParser
from datetime import date, datetime
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError

from pitches import outreach, weekly
from pitches.management.runs import UNUSABLE, find_campaign, moment, time_of_run
from pitches.weekly import BadWeek, Week


class Command(BaseCommand):
    help = (
        "Builds a week of by-hand work: whom to ask to connect on which day, and who hears "
        "again. Building it again keeps what is done. Exit codes: 0 built, 2 cannot be done "
        "as asked."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--campaign", metavar="SLUG", required=True)
        parser.add_argument(
            "--owner", metavar="USERNAME", required=True, help="who works the week"
        )
        parser.add_argument(
            "--week",
            type=date.fromisoformat,
            metavar="MONDAY",
            help="such as 2026-06-01 (default: this week, on a weekend the next)",
        )
        parser.add_argument("--requests", type=int, default=weekly.REQUESTS, metavar="N")
        parser.add_argument("--follow-ups", type=int, default=weekly.FOLLOW_UPS, metavar="N")
        parser.add_argument(
            "--dry-run", action="store_true", help="change nothing, print the week"
        )
        parser.add_argument("--verbose", action="store_true", help="print every entry")
        parser.add_argument("--json", action="store_true", help="print one JSON object")
        parser.add_argument(
            "--now",
            type=moment,
            metavar="ISO",
            help="rehearse at this time (only where SEND_MODE is capture)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        now = time_of_run(options["now"])
        try:
            week = _week(options, now=now)
        except BadWeek as e:
            raise CommandError(str(e), returncode=UNUSABLE) from e
        except OperationalError as e:
            raise CommandError(f"The database does not answer: {e}", returncode=UNUSABLE) from e
        if options["json"]:
            self.stdout.write(json.dumps(week.printed(), ensure_ascii=False))
            return
        for line in _lines(week, verbose=options["verbose"]):
            self.stdout.write(line)
        if options["dry_run"]:
            self.stdout.write("Dry run: nothing was changed.")


def _week(options: dict[str, Any], *, now: datetime) -> Week:
    campaign, owner = find_campaign(options["campaign"]), _owner(options["owner"])
    assert campaign is not None
    asked = {
        "now": now,
        "monday": options["week"],
        "requests": options["requests"],
        "follow_ups": options["follow_ups"],
    }
    if options["dry_run"]:
        return outreach.dry(lambda: weekly.plan(campaign, owner, **asked))
    return weekly.build(campaign, owner, **asked)


def _owner(name: str) -> User:
    owner = User.objects.filter(username=name).first()
    if owner is None:
        raise CommandError(f"Nobody is called “{name}”.", returncode=UNUSABLE)
    return owner


def _lines(week: Week, *, verbose: bool) -> list[str]:
    shares = ", ".join(f"{name} {number}" for name, number in week.by_segment.items())
    lines = [
        f"Week of {week.monday:%d %B %Y} for {week.owner}, {week.zone.key}: "
        f"{len(week.of('request'))} connection requests ({shares or 'none'}), "
        f"{len(week.of('follow_up'))} follow-ups."
    ]
    lines += [f"Warning: {warning}" for warning in week.warnings]
    days: dict[date, int] = {}
    for entry in week.entries:
        assert entry.slot is not None
        days[entry.slot.day] = days.get(entry.slot.day, 0) + 1
        if verbose:
            done = " (done)" if entry.is_done else ""
            lines.append(
                f"{entry.slot.day:%a} {entry.slot.clock:%H:%M} {entry.kind:<9} "
                f"{entry.lead.name}{done}"
            )
    return [*lines, *(f"{day:%A %d %B}: {number}" for day, number in days.items())]
