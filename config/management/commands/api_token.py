import argparse
from datetime import timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser
from knox.models import AuthToken

LONGEST = 365
SHOWN = 10  # characters by which a person tells one token from another


def days(text: str) -> int:
    """A whole number of days, 1 to 365."""
    if not (text.isascii() and text.isdecimal()) or not 1 <= int(text) <= LONGEST:
        raise argparse.ArgumentTypeError(f"a token lives 1 to {LONGEST} days")
    return int(text)


class Command(BaseCommand):
    help = (
        "Make an API token for a user and print it, this once: only its hash is kept. "
        "It may do what the user may do."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user", help="the login name")
        parser.add_argument(
            "--days", type=days, default=90, metavar="N", help="how long it lives (default: 90)"
        )
        parser.add_argument(
            "--list", action="store_true", help="show the user's tokens and make none"
        )
        parser.add_argument(
            "--revoke",
            metavar="PREFIX",
            help="end the user's tokens that begin so (“all” ends every one) and make none",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        User = get_user_model()
        user = User.objects.filter(username=options["user"]).first()
        if user is None:
            raise CommandError(f"There is no user {options['user']}.")
        if options["list"]:
            self._list(user)
        elif options["revoke"]:
            self._revoke(user, options["revoke"])
        else:
            self._make(user, options["days"])

    def _make(self, user: Any, lifetime: int) -> None:
        if not user.is_active:
            raise CommandError(f"{user} may not log in.")
        row, token = AuthToken.objects.create(user, expiry=timedelta(days=lifetime))
        self.stdout.write(token)
        self.stderr.write(f"For {user}, until {row.expiry:%Y-%m-%d %H:%M} UTC. Send it as:")
        self.stderr.write("Authorization: Token …")

    def _list(self, user: Any) -> None:
        for row in user.auth_token_set.order_by("created"):
            self.stdout.write(
                f"{row.token_key[:SHOWN]}…  made {row.created:%Y-%m-%d}, "
                f"until {row.expiry:%Y-%m-%d %H:%M} UTC"
            )

    def _revoke(self, user: Any, prefix: str) -> None:
        if prefix == "all":
            rows = user.auth_token_set.all()
        elif len(prefix) >= SHOWN - 2:
            rows = user.auth_token_set.filter(token_key__startswith=prefix[:15].rstrip("…"))
        else:
            raise CommandError("Write more of the token, as --list shows it, or “all”.")
        count, _ = rows.delete()
        self.stdout.write(f"Ended {count} tokens.")
