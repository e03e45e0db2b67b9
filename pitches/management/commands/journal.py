from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError

from campaigns import access
from config.db import database_now
from pitches import continuity
from pitches.journal import JournalUnavailable

REFUSED, UNUSABLE = 1, 2


class Command(BaseCommand):
    help = (
        "Says whether the send journal knows what went out last, or begins it anew after it "
        "was lost: journal | journal --begin-anew --as ADMIN --reason TEXT. Then everything "
        "queued goes out, even if it did before: look into the Sent folders first. Exit codes: "
        "0 it is believed, 1 it is not, 2 cannot be done as asked."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--begin-anew", action="store_true", help="ask no more for what went out so far"
        )
        parser.add_argument(
            "--as", dest="username", metavar="USER", help="the admin who decides"
        )
        parser.add_argument("--reason", default="", help="why, in 10 characters or more")
        parser.add_argument("--json", action="store_true", help="print one JSON object")
        parser.add_argument("--dry-run", action="store_true", help="say what is missing only")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["begin_anew"] and not options["dry_run"]:
                self._begin_anew(options)
            missing = continuity.gap()
        except JournalUnavailable as e:
            raise CommandError(
                f"The send journal cannot be used: {e}.", returncode=REFUSED
            ) from e
        except continuity.NotBegun as e:
            raise CommandError(str(e), returncode=UNUSABLE) from e
        if options["json"]:
            self.stdout.write(json.dumps(_told(missing)))
        elif missing is None:
            self.stdout.write("The send journal knows what went out last.")
        if missing is not None:
            told = "" if options["json"] else f"The send journal cannot be used: {missing}."
            raise CommandError(told, returncode=REFUSED)

    def _begin_anew(self, options: dict[str, Any]) -> None:
        admin = _admin(options["username"])
        left = continuity.begin_anew(by=admin, reason=options["reason"], now=database_now())
        if not options["json"]:
            self.stdout.write(f"Begun anew by {admin}. Until now {left}.")


def _told(missing: continuity.Gap | None) -> dict[str, Any]:
    if missing is None:
        return {"believed": True, "missing": None, "went_out_at": None}
    return {
        "believed": False,
        "missing": missing.message_id,
        "went_out_at": missing.counted_at.isoformat(),
    }


def _admin(username: str | None) -> Any:
    if not username:
        raise CommandError("Say who decides: --as USER.", returncode=UNUSABLE)
    user = get_user_model().objects.filter(username=username).first()
    if not access.is_admin(user):
        raise CommandError(
            f"“{username}” is no admin; only an admin decides.", returncode=UNUSABLE
        )
    return user
