from __future__ import annotations

import json
import time
from argparse import ArgumentParser
from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from config.db import database_now
from pitches import simulating
from pitches.management import runs
from pitches.simulating import Rates, Simulation

UNUSABLE = 2
SHOWN = ("drafted", "sent", "replied", "bounced", "away", "unsubscribed", "moved on", "failed")


class Command(BaseCommand):
    help = (
        "Runs a campaign over months in seconds, on a copy of its rows, with recipients who "
        "answer, bounce and are away, and shows what would happen. Every draft is approved at "
        "once. Changes nothing, sends nothing. Exit codes: 0 done, 2 cannot be done as asked."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--days", type=runs.positive, default=90, metavar="N")
        parser.add_argument(
            "--campaign", metavar="SLUG", help="only this campaign (default: all active ones)"
        )
        parser.add_argument("--seed", type=int, default=1, metavar="N", help="other people")
        usual = Rates()
        for name in ("replies", "bounces", "absences", "unsubscribes"):
            parser.add_argument(
                f"--{name}",
                type=float,
                default=getattr(usual, name),
                metavar="SHARE",
                help=f"share of mails, from 0 to 1 (default {getattr(usual, name)})",
            )
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        campaign = runs.find_campaign(options["campaign"])
        names = ("replies", "bounces", "absences", "unsubscribes")
        began = time.monotonic()
        try:
            found = simulating.simulate(
                now=database_now(),
                days=options["days"],
                campaign=campaign,
                seed=options["seed"],
                rates=Rates(**{name: options[name] for name in names}),
            )
        except (ValueError, simulating.NotApart) as e:
            raise CommandError(str(e), returncode=UNUSABLE) from e
        found.seconds = time.monotonic() - began
        if options["json"]:
            self.stdout.write(json.dumps(found.as_dict(), ensure_ascii=False))
            return
        self._show(found)

    def _show(self, found: Simulation) -> None:
        for day in found.days:
            happened = ", ".join(f"{day.happened[n]} {n}" for n in SHOWN if day.happened[n])
            held = ", ".join(f"{n} {reason}" for reason, n in day.held.most_common())
            if happened:
                self.stdout.write(f"{day.date}  {happened}{f'; held: {held}' if held else ''}")
        self.stdout.write("")
        fates = Counter((row.fate, row.reason) for row in found.fates)
        for (fate, reason), count in fates.most_common():
            self.stdout.write(f"{count:>5}  {fate}: {reason}")
        totals = ", ".join(f"{found.totals[name]} {name}" for name in SHOWN)
        self.stdout.write(f"{len(found.days)} days: {totals}.")
        self.stdout.write(f"{found.seconds:.0f} s. Nothing was changed and nothing was sent.")
