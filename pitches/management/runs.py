"""What the two run commands share.

Their options, a plan shown, stored or carried out, and exit codes.
"""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError
from django.utils.dateparse import parse_datetime

from campaigns.models import Campaign
from config.db import database_now
from pitches import outreach, plan_files, situations
from pitches.decisions import Decision, Verdict
from pitches.models import SendMode
from pitches.outreach import Carried, Plan

# Exit codes: 0 done; 1 something failed or its fate is unknown; 2 cannot be done as asked;
# 3 done, but planned rows had changed and were left alone.
FAILED, UNUSABLE, CHANGED = 1, 2, 3


class RunCommand(BaseCommand):
    """Plan, then show (--dry-run), store (--plan) or carry out."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--campaign", metavar="SLUG", help="only this campaign (default: all active ones)"
        )
        parser.add_argument(
            "--max-roles",
            type=positive,
            metavar="N",
            help="end after N leads that are pitched, and after N that are written to",
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="change nothing, print what would happen"
        )
        parser.add_argument(
            "--plan", type=Path, metavar="FILE", help="a dry run that stores its plan in FILE"
        )
        parser.add_argument(
            "--apply", type=Path, metavar="FILE", help="carry out only what FILE planned"
        )
        parser.add_argument("--verbose", action="store_true", help="print every row")
        parser.add_argument("--json", action="store_true", help="print one JSON object")
        parser.add_argument(
            "--now",
            type=moment,
            metavar="ISO",
            help="rehearse at this time (only where SEND_MODE is capture)",
        )

    def make_plan(self, *, campaign: Campaign | None, now: datetime, most: int | None) -> Plan:
        """The plan of this command."""
        raise NotImplementedError

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            self._run(options)
        except OperationalError as e:
            raise CommandError(f"The database does not answer: {e}", returncode=UNUSABLE) from e
        except plan_files.PlanFileError as e:
            raise CommandError(str(e), returncode=UNUSABLE) from e

    def _run(self, options: dict[str, Any]) -> None:
        if sum(map(bool, (options["plan"], options["apply"], options["dry_run"]))) > 1:
            raise CommandError(
                "--dry-run, --plan and --apply exclude each other.", returncode=UNUSABLE
            )
        now = time_of_run(options["now"])
        campaign = find_campaign(options["campaign"])
        if options["apply"]:
            fresh, changed = self._still_good(options["apply"], campaign=campaign, now=now)
            done = outreach.carry_out(fresh, now=now)
            self._tell(fresh, done, changed | done.changed, options)
            return
        fresh = outreach.dry(
            lambda: self.make_plan(campaign=campaign, now=now, most=options["max_roles"])
        )
        if options["dry_run"] or options["plan"]:
            if options["plan"]:
                plan_files.write(fresh, options["plan"])
            self._show(fresh, options)
            return
        done = outreach.carry_out(fresh, now=now)
        self._tell(fresh, done, done.changed, options)

    def _still_good(
        self, path: Path, *, campaign: Campaign | None, now: datetime
    ) -> tuple[Plan, dict[str, str]]:
        stored = plan_files.read(path)
        if campaign is not None and campaign.slug != stored.campaign:
            raise CommandError(
                f"{path} was not made for the campaign “{campaign.slug}”.", returncode=UNUSABLE
            )
        campaign = find_campaign(stored.campaign)
        fresh = outreach.dry(lambda: self.make_plan(campaign=campaign, now=now, most=None))
        if stored.kind != fresh.kind:
            raise CommandError(f"{path} is a plan of another command.", returncode=UNUSABLE)
        return plan_files.compare(stored, fresh)

    # -- reports ---------------------------------------------------------------------------

    def _show(self, plan: Plan, options: dict[str, Any]) -> None:
        report = plan.report()
        if options["json"]:
            self.stdout.write(json.dumps(report, ensure_ascii=False))
            return
        self.stdout.write(totals_line(report["totals"]))
        if options["verbose"]:
            for row in plan.decisions:
                self.stdout.write(row_line(row))
        for line in hold_lines(plan.decisions):
            self.stdout.write(line)
        for lead in plan.moves.values():
            self.stdout.write(f"move on  {lead}: nobody answered")
        if options["plan"]:
            self.stdout.write(
                f"Stored in {options['plan']}. Carry it out with --apply {options['plan']}."
            )
        else:
            self.stdout.write("Dry run: nothing was changed.")

    def _tell(
        self, plan: Plan, done: Carried, changed: dict[str, str], options: dict[str, Any]
    ) -> None:
        failed = done.sending.failed + done.sending.unknown
        if options["json"]:
            self.stdout.write(
                json.dumps({**plan.report(), "done": _done(done, changed)}, ensure_ascii=False)
            )
        else:
            self._tell_in_words(plan, done, changed, verbose=options["verbose"])
        if failed:
            raise CommandError(
                f"{failed} messages failed or their fate is unknown.", returncode=FAILED
            )
        if options["apply"] and changed:
            raise CommandError(f"{len(changed)} planned rows had changed.", returncode=CHANGED)

    def _tell_in_words(
        self, plan: Plan, done: Carried, changed: dict[str, str], *, verbose: bool
    ) -> None:
        self.stdout.write(totals_line(plan.report()["totals"]))
        if verbose:
            for row in plan.decisions:
                self.stdout.write(row_line(row))
            for line in done.sending.lines:
                self.stdout.write(line)
        for line in hold_lines(plan.decisions):
            self.stdout.write(line)
        for key, cause in changed.items():
            self.stdout.write(f"changed  {key}: {cause}")
        for lead in done.moved_on.pitches:
            self.stdout.write(f"moved on from {lead}")
        for next_leads in done.moved_on.next_leads:
            self.stdout.write(next_leads.sentence)
        self.stdout.write(
            f"{len(done.pitched.done)} drafted, {len(done.queued.done)} queued, "
            f"{done.sending.sent} sent, {done.sending.held} held, "
            f"{done.sending.failed} failed, {done.sending.unknown} unknown."
        )


def _done(done: Carried, changed: dict[str, str]) -> dict[str, Any]:
    return {
        "pitched": done.pitched.done,
        "queued": done.queued.done,
        "approved_by_policy": done.approved_by_policy,
        "sent": done.sending.sent,
        "held": done.sending.held,
        "failed": done.sending.failed,
        "unknown": done.sending.unknown,
        "moved_on": done.moved_on.pitches,
        "next_leads": [
            {"candidate": n.candidate, "leads": list(n.leads)} for n in done.moved_on.next_leads
        ],
        "changed": changed,
    }


def totals_line(totals: dict[str, int]) -> str:
    """The ground and the verdicts in one line (S003-052)."""
    return (
        f"{totals['leads']:,} leads / {totals['candidates']:,} candidates, "
        f"{totals['matches']:,} approved matches, {totals['pitches']:,} open pitches, "
        f"{totals['messages']:,} messages: "
        f"{totals['pitch']:,} pitch, {totals['send']:,} send, {totals['hold']:,} hold"
    )


def row_line(row: Decision) -> str:
    """One decision as a person reads it."""
    when = f" at {row.send_at:%Y-%m-%d %H:%M} UTC" if row.send_at else ""
    whom = " · ".join(part for part in (row.lead, row.organization, row.contact) if part)
    until = f" Not before {row.not_before:%Y-%m-%d %H:%M} UTC." if row.not_before else ""
    urgent = " URGENT" if row.urgent else ""
    return f"{row.verdict.value:<6}{urgent}{when} {whom}: {row.sentence}{until}"


def hold_lines(rows: list[Decision]) -> list[str]:
    """How many wait for which reason, most frequent first."""
    held = Counter(row.reason for row in rows if row.verdict == Verdict.HOLD)
    return [f"{count:>6,} held: {reason.value}" for reason, count in held.most_common()]


# -- options -------------------------------------------------------------------------------


def find_campaign(slug: str | None) -> Campaign | None:
    """The campaign with this slug; raises CommandError naming those there are."""
    if not slug:
        return None
    campaign = Campaign.objects.select_related("client").filter(slug=slug).first()
    if campaign is None:
        known = ", ".join(Campaign.objects.order_by("slug").values_list("slug", flat=True)[:20])
        raise CommandError(
            f"There is no campaign “{slug}”. "
            + (f"There are: {known}." if known else "There is none yet."),
            returncode=UNUSABLE,
        )
    return campaign


def time_of_run(asked: datetime | None) -> datetime:
    if asked is None:
        return database_now()
    if situations.mode() != SendMode.CAPTURE:
        raise CommandError(
            "--now is for rehearsals: it needs SEND_MODE=capture.", returncode=UNUSABLE
        )
    return asked


def moment(text: str) -> datetime:
    """An ISO 8601 time for argparse; without a zone it is UTC. Raises ValueError."""
    parsed = parse_datetime(text)
    if parsed is None or not 2000 <= parsed.year <= 2100:
        raise ValueError(f"“{text}” is not a time such as 2026-06-01T09:00:00+00:00")
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def positive(text: str) -> int:
    """A whole number above 0 for argparse. Raises ValueError."""
    number = int(text)
    if number < 1:
        raise ValueError("it must be 1 or more")
    return number
