from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.models import QuerySet
from django.utils import timezone

from pitches import deliveries, sources
from pitches.models import Sender, WebhookDelivery
from pitches.sources import Unreadable

FAILED, UNUSABLE = 1, 2


class Command(BaseCommand):
    help = (
        "Work through stored webhooks, or through a saved payload (--file, with --provider and "
        "--sender). Doing it again changes nothing twice. Exit codes: 0 done, 1 an event could "
        "not be understood, 2 cannot be done as asked."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("ids", nargs="*", type=int, metavar="ID", help="only these")
        parser.add_argument("--provider", default="", help="only of this provider")
        parser.add_argument(
            "--again", action="store_true", help="those that were worked through, too"
        )
        parser.add_argument("--file", type=Path, help="a payload as the provider sent it")
        parser.add_argument(
            "--sender", metavar="ADDRESS", default="", help="whose provider sent the payload"
        )
        parser.add_argument("--content-type", default="application/json", help="of the payload")
        parser.add_argument(
            "--dry-run", action="store_true", help="change nothing, print what they say"
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["provider"] and options["provider"] not in sources.names():
            raise CommandError(
                f"No provider “{options['provider']}”. There are: "
                f"{', '.join(sources.names())}.",
                returncode=UNUSABLE,
            )
        if options["file"]:
            delivery = self._from_file(options)
            if options["dry_run"]:
                self._show([delivery], options)
                return
            delivery, _ = WebhookDelivery.objects.get_or_create(
                provider=delivery.provider,
                delivery_id=delivery.delivery_id,
                defaults={
                    name: getattr(delivery, name)
                    for name in ("body", "headers", "verdict", "sender", "received_at")
                },
            )
            rows = WebhookDelivery.objects.filter(pk=delivery.pk)
        else:
            rows = self._chosen(options)
        if options["dry_run"]:
            self._show(list(rows), options)
            return
        self._tell(deliveries.work_through(rows, now=timezone.now()), options)

    def _chosen(self, options: dict[str, Any]) -> QuerySet[WebhookDelivery]:
        all_rows = options["again"] or options["ids"]
        choose = deliveries.stored if all_rows else deliveries.waiting
        rows = choose(provider=options["provider"])
        return rows.filter(pk__in=options["ids"]) if options["ids"] else rows

    def _from_file(self, options: dict[str, Any]) -> WebhookDelivery:
        sender = Sender.objects.filter(address=options["sender"]).first()
        if sender is None or not options["provider"]:
            raise CommandError(
                "--file needs --provider and --sender (the address of a mailbox).",
                returncode=UNUSABLE,
            )
        try:
            return deliveries.from_file(
                options["file"].read_bytes(),
                options["provider"],
                sender,
                {"content-type": options["content_type"]},
                now=timezone.now(),
            )
        except OSError as e:
            raise CommandError(
                f"{options['file']} cannot be read: {e.strerror}", returncode=UNUSABLE
            ) from e
        except Unreadable as e:
            raise CommandError(f"{options['file']}: {e}", returncode=UNUSABLE) from e

    def _show(self, rows: list[WebhookDelivery], options: dict[str, Any]) -> None:
        told = [_row(row) for row in rows]
        if options["json"]:
            self.stdout.write(json.dumps({"dry_run": True, "deliveries": told}, default=str))
            return
        for row in told:
            self.stdout.write(f"{row['provider']} {row['delivery']}")
            for each in row["events"]:
                self.stdout.write(
                    f"    {each['kind']} {each['occurred_at'] or ''} {each['reason']}".rstrip()
                )
            for problem in row["problems"]:
                self.stdout.write(f"    not understood: {problem}")
        self.stdout.write(f"{len(told)} deliveries. Dry run: nothing was changed.")

    def _tell(self, worked: deliveries.Worked, options: dict[str, Any]) -> None:
        done = worked.recorded
        counts = {
            "deliveries": worked.deliveries,
            "failed": worked.failed,
            "new": done.new,
            "known": done.known,
            "unmatched": done.unmatched,
            "problems": done.problems,
        }
        if options["json"]:
            self.stdout.write(json.dumps(counts))
        else:
            self.stdout.write(
                f"{worked.deliveries} deliveries: {done.new} new events, {done.known} known, "
                f"{done.unmatched} that belong to no message, {len(done.problems)} not "
                "understood."
            )
        if worked.failed or done.problems:
            raise CommandError("Not everything could be understood.", returncode=FAILED)


def _row(delivery: WebhookDelivery) -> dict[str, Any]:
    told = deliveries.read(delivery)
    return {
        "provider": delivery.provider,
        "delivery": delivery.delivery_id,
        "events": [
            {"kind": str(r.kind), "occurred_at": r.occurred_at, "reason": r.reason}
            for r in told.reports
        ],
        "problems": told.problems,
    }
