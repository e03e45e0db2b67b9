from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from campaigns import access
from pitches import breakers
from pitches.models import Breaker

UNUSABLE, REFUSED = 2, 1


class Command(BaseCommand):
    help = (
        "Lists the breakers in force, or lets one go on: breakers | breakers --look | "
        "breakers --close ID --as ADMIN --reason TEXT. Exit codes: 0 done, 1 it could not be "
        "closed, 2 cannot be done as asked."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--close", type=int, metavar="ID", help="let this one go on")
        parser.add_argument("--as", dest="username", metavar="USER", help="the admin who does")
        parser.add_argument("--reason", default="", help="why, in 10 characters or more")
        parser.add_argument(
            "--look", action="store_true", help="judge everybody now, as the job does"
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="show what would be closed, close nothing"
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        if options["close"] is not None:
            self._close(options)
            return
        if options["look"] and not options["dry_run"]:
            breakers.look_again(now=now)
        rows = Breaker.objects.filter(Breaker.in_force(now))
        self._show(list(rows.select_related("sender", "campaign")), options["json"])

    def _close(self, options: dict[str, Any]) -> None:
        row = Breaker.objects.filter(pk=options["close"]).first()
        if row is None:
            raise CommandError(f"There is no breaker {options['close']}.", returncode=UNUSABLE)
        if options["dry_run"]:
            self._show([row], options["json"])
            return
        user = get_user_model().objects.filter(username=options["username"] or "").first()
        if not access.is_admin(user):
            raise CommandError("--as must name an admin.", returncode=UNUSABLE)
        try:
            breakers.close(row, by=user, reason=options["reason"], now=timezone.now())
        except breakers.CannotClose as e:
            raise CommandError(str(e), returncode=REFUSED) from e
        self._show([row], options["json"])

    def _show(self, rows: list[Breaker], as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps({"breakers": [_printed(row) for row in rows]}))
            return
        for row in rows:
            until = f" until {row.until:%Y-%m-%d %H:%M} UTC" if row.until else ""
            state = f" (closed: {row.closing_reason})" if row.closed_at else ""
            self.stdout.write(f"#{row.pk} {row.level} {row.target}: {row.reason}{until}{state}")
        if not rows:
            self.stdout.write("Nothing has tripped.")


def _printed(row: Breaker) -> dict[str, Any]:
    return {
        "id": row.pk,
        "level": row.level,
        "scope": row.scope,
        "target": row.target,
        "cause": row.cause,
        "reason": row.reason,
        "tripped_at": row.tripped_at.isoformat(),
        "until": row.until.isoformat() if row.until else None,
        "closed_at": row.closed_at.isoformat() if row.closed_at else None,
    }
