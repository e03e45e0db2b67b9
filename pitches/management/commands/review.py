from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from config.db import WrongStatus
from pitches import review
from pitches.models import ReviewTask

UNUSABLE, REFUSED = 2, 1
DONE = {"approve": "approved", "reject": "rejected", "withdraw": "taken back"}


class Command(BaseCommand):
    help = (
        "Lists the open decisions, or decides some of them: review list | approve ID… | "
        "reject ID… --reason TEXT | withdraw ID…. Exit codes: 0 done, 1 some could not be "
        "decided, 2 cannot be done as asked."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("action", choices=["list", "approve", "reject", "withdraw"])
        parser.add_argument(
            "ids", nargs="*", type=int, metavar="ID", help="ids of review tasks"
        )
        parser.add_argument(
            "--as", dest="username", metavar="USER", help="who decides; needed to decide"
        )
        parser.add_argument("--reason", default="", help="why; needed to reject")
        parser.add_argument("--kind", choices=ReviewTask.Kind.values, help="list only these")
        parser.add_argument(
            "--dry-run",
            action="store_true",
            help="say what would be decided on, decide nothing",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["action"] == "list":
            self._list(options["kind"])
            return
        user = _user(options["username"])
        tasks = _tasks(options["ids"])
        refused = 0
        for task in tasks:
            if options["dry_run"]:
                self.stdout.write(
                    f"would {options['action']} {task}: {task.target} "
                    f"({task.get_status_display()})"
                )
                continue
            try:
                _decide(options["action"], task, user, options["reason"])
                self.stdout.write(f"{DONE[options['action']]}: {task}: {task.target}")
            except (WrongStatus, review.NotApprovable, review.NoReason) as e:
                refused += 1
                self.stderr.write(f"{task}: {e}")
        if refused:
            raise CommandError(f"{refused} could not be decided.", returncode=REFUSED)

    def _list(self, kind: str | None) -> None:
        tasks = review.queue().select_related(
            "match__candidate", "match__lead", "pitch__lead", "lead", "incoming"
        )
        if kind:
            tasks = tasks.filter(kind=kind)
        for task in tasks:
            self.stdout.write(f"{task.pk:>8}  {task.get_kind_display():<10} {task.target}")
        if not tasks:
            self.stdout.write("Nothing waits for a decision.")


def _decide(action: str, task: ReviewTask, user: Any, reason: str) -> None:
    now = timezone.now()
    if action == "approve":
        review.approve(task, by=user, now=now, reason=reason)
    elif action == "reject":
        review.reject(task, by=user, now=now, reason=reason)
    else:
        review.withdraw(task, by=user)


def _user(username: str | None) -> Any:
    users = get_user_model().objects.filter(is_active=True)
    if not username:
        raise CommandError("Say who decides: --as USER.", returncode=UNUSABLE)
    user = users.filter(username=username).first()
    if user is None:
        raise CommandError(f"There is no user “{username}”.", returncode=UNUSABLE)
    return user


def _tasks(ids: list[int]) -> list[ReviewTask]:
    found = ReviewTask.objects.in_bulk(ids)
    missing = [str(pk) for pk in ids if pk not in found]
    if missing or not ids:
        raise CommandError(
            f"There is no review task {', '.join(missing)}."
            if missing
            else "Name the tasks to decide.",
            returncode=UNUSABLE,
        )
    return [found[pk] for pk in ids]
