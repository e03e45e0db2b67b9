from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from campaigns import access
from pitches import resolving
from pitches.models import Message

UNUSABLE, REFUSED = 2, 1


class Command(BaseCommand):
    help = (
        "Messages of unknown fate: resolve list | evidence ID… | look | mark-sent ID… | "
        "send-again ID…. look settles what is proven; the last two need --as ADMIN and "
        "--reason. Exit codes: 0 done, 1 some could not be resolved, 2 cannot be done as asked."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = ["list", "evidence", "look", "mark-sent", "send-again"]
        parser.add_argument("action", choices=actions)
        parser.add_argument("ids", nargs="*", type=int, metavar="ID", help="ids of messages")
        parser.add_argument(
            "--as", dest="username", metavar="USER", help="the admin who decides"
        )
        parser.add_argument("--reason", default="", help="why, in 10 characters or more")
        parser.add_argument("--json", action="store_true", help="print one JSON object")
        parser.add_argument(
            "--dry-run", action="store_true", help="show the evidence, decide nothing"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        action, dry_run = options["action"], options["dry_run"]
        if action == "list":
            self._show([_row(message) for message in resolving.unknown()], options["json"])
        elif action == "look" and not dry_run:
            found = resolving.look_for_evidence(now=timezone.now())
            counts = {"sent": found.sent, "failed": found.failed, "assumed": found.assumed}
            self._show([{**counts, "open": found.open}], options["json"])
        elif action in ("evidence", "look") or dry_run:
            chosen = _messages(options["ids"]) if options["ids"] else list(resolving.unknown())
            self._show(
                [_row(message) | _evidence(message) for message in chosen], options["json"]
            )
        else:
            self._decide(options)

    def _decide(self, options: dict[str, Any]) -> None:
        decide = (
            resolving.mark_sent if options["action"] == "mark-sent" else resolving.send_again
        )
        admin, refused, now = _admin(options["username"]), 0, timezone.now()
        for message in _messages(options["ids"]):
            try:
                decide(message, by=admin, reason=options["reason"], now=now)
                self.stdout.write(
                    f"message {message.pk}: {message.get_status_display().lower()}"
                )
            except resolving.NotResolvable as e:
                refused += 1
                self.stderr.write(f"message {message.pk}: {e}")
        if refused:
            raise CommandError(f"{refused} could not be resolved.", returncode=REFUSED)

    def _show(self, rows: list[dict[str, Any]], as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps({"messages": rows}, default=str))
            return
        for row in rows:
            told = row.pop("evidence", [])
            self.stdout.write("  ".join(f"{name} {value}" for name, value in row.items()))
            for each in told:
                self.stdout.write(f"    {each['source']}: {each['sentence']}")
        if not rows:
            self.stdout.write("No message is of unknown fate.")


def _row(message: Message) -> dict[str, Any]:
    return {
        "id": message.pk,
        "to": message.to_address,
        "handed_at": message.handed_at,
        "may_be_decided_at": resolving.may_be_decided_at(message),
        "error": message.last_error,
    }


def _evidence(message: Message) -> dict[str, Any]:
    found = resolving.evidence(message, now=timezone.now())
    return {
        "evidence": [
            {"source": each.source, "sentence": each.sentence, "went_out": each.went_out}
            for each in found
        ]
    }


def _messages(ids: list[int]) -> list[Message]:
    rows = Message.objects.select_related("sender", "pitch__address__contact", "step")
    found = rows.in_bulk(ids)
    missing = [str(pk) for pk in ids if pk not in found]
    if missing or not ids:
        told = f"There is no message {', '.join(missing)}." if missing else "Name the messages."
        raise CommandError(told, returncode=UNUSABLE)
    return [found[pk] for pk in ids]


def _admin(username: str | None) -> Any:
    if not username:
        raise CommandError("Say who decides: --as USER.", returncode=UNUSABLE)
    user = get_user_model().objects.filter(username=username).first()
    if not access.is_admin(user):
        raise CommandError(
            f"“{username}” is no admin; only an admin decides.", returncode=UNUSABLE
        )
    return user
