"""Invent candidates and partner contacts for a rehearsal."""

from __future__ import annotations

import json
import re
from argparse import ArgumentParser, ArgumentTypeError
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from pitches import inventing
from pitches.management.commands.match_campaign import moment

CANDIDATES = 2003
SHARE = 0.8


def slug(told: str) -> str:
    """A campaign's name in addresses."""
    if not re.fullmatch(r"[a-z0-9-]{1,60}", told):
        raise ArgumentTypeError(f"{told!r} is not made of a-z, 0-9 and dashes only")
    return told


def share(told: str) -> float:
    """A share between 0 and 1."""
    try:
        found = float(told)
    except ValueError:
        found = -1
    if not 0 <= found <= 1:
        raise ArgumentTypeError(f"{told!r} is not a share between 0 and 1")
    return found


def count(told: str) -> int:
    """How many, from 0 to 100,000."""
    if not (told.isascii() and told.isdigit() and int(told) <= 100_000):
        raise ArgumentTypeError(f"{told!r} is not a number from 0 to 100000")
    return int(told)


class Command(BaseCommand):
    help = (
        "Invents candidates for a campaign, and for a share of the organizations with roles a "
        "partner contact at example.com. Only for rehearsals: it needs SEND_MODE=capture."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--campaign",
            required=True,
            type=slug,
            metavar="SLUG",
            help="made, for placements, if it is new",
        )
        parser.add_argument("--candidates", type=count, default=CANDIDATES, metavar="N")
        parser.add_argument("--share", type=share, default=SHARE, help="from 0 to 1")
        parser.add_argument(
            "--seed", type=int, default=1, help="the same invents the same people"
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object")
        parser.add_argument("--now", metavar="ISO", help="start dates lie after this day")

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.SEND_MODE != "capture":
            raise CommandError(
                f"SEND_MODE is {settings.SEND_MODE}: people are invented only where nothing "
                "leaves this machine (SEND_MODE=capture).",
                returncode=2,
            )
        now = moment(options["now"])
        invented = inventing.invent(
            inventing.campaign_for(options["campaign"]),
            candidates=options["candidates"],
            share=options["share"],
            seed=options["seed"],
            today=now.date(),
        )
        if options["json"]:
            self.stdout.write(json.dumps(invented.as_json()))
            return
        self.stdout.write(
            f"Invented {invented.candidates:,} candidates and {invented.contacts:,} partner "
            f"contacts, and furnished {invented.organizations:,} organizations."
        )
