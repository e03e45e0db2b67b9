from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from config.management import demo


class Command(BaseCommand):
    help = "Bring the demo: an invented agency with guests, interns and a product."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--if-new",
            action="store_true",
            help="say nothing and do nothing where there are rows of your own",
        )
        parser.add_argument(
            "--beside-real-rows",
            action="store_true",
            help="load it although there are rows of your own; clear_demo takes it away again",
        )
        parser.add_argument(
            "--now", metavar="ISO", help="the moment the demo is told from (default: now)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["beside_real_rows"] and demo.real_rows():
            if options["if_new"]:
                return
            if not demo.is_loaded():
                raise CommandError(
                    "There are rows of your own here, and the demo would stand between them. "
                    "Add --beside-real-rows to load it all the same, or load it in a desk of "
                    "its own (another STATE_DIR)."
                )
        try:
            loaded = demo.load(now=_moment(options["now"]))
        except demo.NotPossible as e:
            if options["if_new"]:
                self.stdout.write(f"No demo: {e}")
                return
            raise CommandError(str(e)) from e
        if loaded.new:
            self.stdout.write(
                f"The demo is loaded: {loaded.matches} matches, {loaded.pitches} pitches, "
                f"{loaded.sent} messages captured, {loaded.replies} answers."
            )
        else:
            self.stdout.write("The demo is here already.")
        self.stdout.write("Demo logins, for this machine only:")
        for login in demo.known_logins():
            self.stdout.write(f"  {login.username:<6} {login.password}  ({login.role})")


def _moment(text: str | None) -> Any:
    if text is None:
        return timezone.now()
    try:
        found = parse_datetime(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise CommandError(
            f"--now takes a time with its zone, 2026-06-01T09:00:00Z; not {text}."
        )
    return found
