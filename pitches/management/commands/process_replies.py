from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from pitches import inbox
from pitches.models import Sender

FAILED, UNUSABLE = 1, 2


class Command(BaseCommand):
    help = (
        "Reads all mailboxes now and acts on what came in, as the job does every two minutes. "
        "Exit codes: 0 done, 1 a mailbox could not be read, 2 there is no such sender."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--sender", metavar="ADDRESS", help="only this one")
        parser.add_argument(
            "--dry-run", action="store_true", help="show what waits, store nothing"
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        rows = [self._one(sender, options) for sender in _senders(options["sender"])]
        failed = [row for row in rows if "error" in row]
        if options["json"]:
            self.stdout.write(json.dumps({"senders": rows}, ensure_ascii=False))
        else:
            for row in rows:
                self.stdout.write(_line(row))
        if failed:
            raise CommandError(f"{len(failed)} could not be read.", returncode=FAILED)

    def _one(self, sender: Sender, options: dict[str, Any]) -> dict[str, Any]:
        try:
            if options["dry_run"]:
                seen = inbox.preview(sender)
                return {"sender": sender.address, "waiting": seen.waiting, "mail": seen.lines}
            found = inbox.read(sender, now=timezone.now())
        except inbox.InboxUnavailable as e:
            return {"sender": sender.address, "error": str(e)}
        return {
            "sender": sender.address,
            "stored": found.stored,
            "replies": found.replies,
            "unmatched": found.unmatched,
        }


def _senders(address: str | None) -> list[Sender]:
    if address is None:
        return list(inbox.readable().order_by("pk"))
    sender = Sender.objects.filter(address__iexact=address).first()
    if sender is None:
        raise CommandError(f"There is no sender {address}.", returncode=UNUSABLE)
    return [sender]


def _line(row: dict[str, Any]) -> str:
    if "error" in row:
        return f"{row['sender']}: {row['error']}"
    if "waiting" in row:
        shown = "".join(f"\n  {line}" for line in row["mail"])
        return f"{row['sender']}: {row['waiting']} to be read{shown}"
    return (
        f"{row['sender']}: {row['stored']} stored, {row['replies']} replies, "
        f"{row['unmatched']} that belong to no pitch"
    )
