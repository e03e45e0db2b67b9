from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError
from django.template.loader import render_to_string

from pitches import outreach
from pitches.decisions import Verdict
from pitches.management.runs import (
    UNUSABLE,
    find_campaign,
    hold_lines,
    moment,
    row_line,
    time_of_run,
    totals_line,
)
from pitches.outreach import Plan


class Command(BaseCommand):
    help = (
        "Shows what the outreach and follow-up runs would do now, as text, HTML or JSON. "
        "Changes nothing. Exit codes: 0 shown, 2 cannot be done as asked."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--campaign", metavar="SLUG", help="only this campaign (default: all active ones)"
        )
        parser.add_argument("--format", choices=["text", "html", "json"], default="text")
        parser.add_argument(
            "--output", type=Path, metavar="FILE", help="write to FILE instead of the terminal"
        )
        parser.add_argument(
            "--now",
            type=moment,
            metavar="ISO",
            help="preview this time (only where SEND_MODE is capture)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        now = time_of_run(options["now"])
        try:
            campaign = find_campaign(options["campaign"])
            plans = [
                outreach.dry(lambda: outreach.plan(campaign=campaign, now=now)),
                outreach.dry(lambda: outreach.plan_follow_ups(campaign=campaign, now=now)),
            ]
        except OperationalError as e:
            raise CommandError(f"The database does not answer: {e}", returncode=UNUSABLE) from e
        text = FORMATS[options["format"]](plans)
        if not options["output"]:
            self.stdout.write(text)
            return
        try:
            options["output"].write_text(text, encoding="utf-8")
        except OSError as e:
            raise CommandError(
                f"{options['output']} cannot be written: {e.strerror}", returncode=UNUSABLE
            ) from e


def _as_text(plans: list[Plan]) -> str:
    lines = []
    for plan in plans:
        lines += [plan.title, totals_line(plan.report()["totals"])]
        lines += [row_line(row) for row in plan.decisions]
        lines += hold_lines(plan.decisions)
        lines += [f"move on  {lead}: nobody answered" for lead in plan.moves.values()]
        lines.append("")
    return "\n".join(lines)


def _as_json(plans: list[Plan]) -> str:
    return json.dumps({plan.kind: plan.report() for plan in plans}, ensure_ascii=False)


def _as_html(plans: list[Plan]) -> str:
    sections = [
        {
            "plan": plan,
            "totals": totals_line(plan.report()["totals"]),
            "going": [row for row in plan.decisions if row.verdict != Verdict.HOLD],
            "held": [row for row in plan.decisions if row.verdict == Verdict.HOLD],
        }
        for plan in plans
    ]
    return render_to_string(
        "preview/outreach.html", {"sections": sections, "now": plans[0].now}
    )


FORMATS = {"text": _as_text, "html": _as_html, "json": _as_json}
