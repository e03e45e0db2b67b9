"""Suggest matches for a campaign, or explain one pair."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connection, transaction
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from campaigns.models import Campaign, Candidate
from pitches import matching
from prospects.models import Lead

BEST_SHOWN = 10
NOT_PITCHABLE_SHOWN = 20


class Command(BaseCommand):
    help = (
        "Suggests matches for a campaign and opens a review for each. "
        "Exit codes: 0 done, 2 not possible as asked."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug", help="the campaign")
        parser.add_argument(
            "--dry-run", action="store_true", help="show what would happen and change nothing"
        )
        parser.add_argument(
            "--most", type=int, metavar="N", help="at most N new ones, the best"
        )
        parser.add_argument(
            "--explain",
            nargs=2,
            metavar=("REFERENCE", "LEAD"),
            help="one candidate's reference (or #number) and one lead's id: filters and score "
            "of this pair",
        )
        parser.add_argument("--verbose", action="store_true", help="show the best ones too")
        parser.add_argument("--json", action="store_true", help="print one JSON object")
        parser.add_argument(
            "--now", metavar="ISO", help="the time to rehearse; only with SEND_MODE=capture"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        now = moment(options["now"])
        if options["most"] is not None and options["most"] < 0:
            raise CommandError("--most cannot be below 0.", returncode=2)
        try:
            campaign = Campaign.objects.get(slug=options["slug"])
        except Campaign.DoesNotExist:
            raise CommandError(
                f"There is no campaign {options['slug']!r}.", returncode=2
            ) from None
        try:
            if options["explain"]:
                self._explain(campaign, *options["explain"], now=now, as_json=options["json"])
            else:
                self._suggest(campaign, now=now, options=options)
        except matching.CampaignOver as e:
            raise CommandError(str(e), returncode=2) from e

    def _suggest(self, campaign: Campaign, *, now: datetime, options: dict[str, Any]) -> None:
        if options["dry_run"]:
            with transaction.atomic():
                with connection.cursor() as cursor:
                    cursor.execute("SET TRANSACTION READ ONLY")
                planned = matching.plan(campaign, now=now, most=options["most"])
                told, best = planned.outcome, planned.new[:BEST_SHOWN]
                # Rolled back, so that a transaction around this one may write again.
                transaction.set_rollback(True)
        else:
            told, best = matching.suggest(campaign, now=now, most=options["most"]), []
        if options["json"]:
            best_told = [asdict(suggestion) for suggestion in best]
            self._print(
                {"dry_run": options["dry_run"], **told.as_json()}
                | ({"best": best_told} if best_told else {})
            )
            return
        self._report(told, dry_run=options["dry_run"], verbose=options["verbose"])
        if options["verbose"]:
            rows = best or self._stored(campaign)
            self.stdout.write("\nThe best:")
            for row in rows:
                self.stdout.write(
                    f"  {row.score:>6}  candidate #{row.candidate}, lead #{row.lead}: "
                    f"{row.reasoning}"
                )

    def _stored(self, campaign: Campaign) -> list[matching.Suggestion]:
        rows = campaign.matches.filter(status__in=matching.OPEN).order_by("-score", "pk")
        return [
            matching.Suggestion(
                row.candidate_id, row.lead_id, row.score, row.parts, row.reasoning, row.urgent
            )
            for row in rows[:BEST_SHOWN]
        ]

    def _report(self, told: matching.Suggested, *, dry_run: bool, verbose: bool) -> None:
        write = self.stdout.write
        would = "would be " if dry_run else ""
        write(
            f"{told.campaign}: {told.leads:,} leads and {told.candidates:,} candidates make "
            f"{told.pairs:,} pairs."
        )
        for row in told.filtered:
            write(f"{row.pairs:>12,}  {row.reason:<22} {row.sentence}")
        write(f"{told.created:>12,}  {would}suggested, {told.to_review:,} of them to review.")
        write(
            f"Of the matches there are, {told.updated:,} {would}scored again and "
            f"{told.unchanged:,} stay as they are."
        )
        for reference, reason in told.not_pitchable[: None if verbose else NOT_PITCHABLE_SHOWN]:
            write(f"  {reference}: {reason}.")
        if not verbose and len(told.not_pitchable) > NOT_PITCHABLE_SHOWN:
            rest = len(told.not_pitchable) - NOT_PITCHABLE_SHOWN
            write(f"  … and {rest:,} more candidates; --verbose shows all.")
        if dry_run:
            write("Nothing was changed (--dry-run).")

    def _explain(
        self, campaign: Campaign, reference: str, lead_id: str, *, now: datetime, as_json: bool
    ) -> None:
        theirs = Candidate.objects.filter(client=campaign.client_id)
        candidate = theirs.filter(reference=reference).first()
        # where a list shows a number, a person types the number
        number = reference.removeprefix("#")
        if candidate is None and _is_id(number):
            candidate = theirs.filter(pk=number).first()
        if candidate is None:
            raise CommandError(
                f"The campaign's client has no candidate {reference!r}.", returncode=2
            )
        lead = Lead.objects.filter(pk=lead_id).first() if _is_id(lead_id) else None
        if lead is None:
            raise CommandError(f"There is no lead {lead_id!r}.", returncode=2)
        told = matching.explain(candidate, lead, campaign, now=now)
        if as_json:
            self._print(asdict(told))
            return
        self.stdout.write(f"{told.candidate} for {told.lead}")
        for reason, sentence in told.filters:
            self.stdout.write(f"  held by {reason}: {sentence}")
        if not told.filters:
            self.stdout.write("  No filter holds this pair.")
        for key, value in told.parts.items():
            self.stdout.write(f"  {value:>7}  {key}")
        self.stdout.write(f"  {told.score:>7}  score; {told.threshold} is needed to be pitched")
        self.stdout.write(f"  {told.reasoning}")
        kind = "Urgent" if told.urgent else "Not urgent"
        self.stdout.write(f"  {kind}: {told.urgency}.")

    def _print(self, told: dict[str, Any]) -> None:
        self.stdout.write(json.dumps(told, indent=2, ensure_ascii=False, default=str))


def moment(told: str | None) -> datetime:
    """The time of --now, or the clock's.

    Raises CommandError for what is no time, and wherever mail could really leave.
    """
    if told is None:
        return timezone.now()
    if settings.SEND_MODE != "capture":
        raise CommandError("--now is for rehearsals: it needs SEND_MODE=capture.", returncode=2)
    try:
        found = parse_datetime(told)
    except ValueError:
        found = None
    if found is None:
        raise CommandError(
            f"--now {told!r} is no time; write it like 2025-01-13T15:00:00+00:00.", returncode=2
        )
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19
