import secrets
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand
from django.db import transaction

from config import logins

NAME = "admin"


class Command(BaseCommand):
    help = "Create the first administrator, once, and print the password to begin with."

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        User = get_user_model()
        # Somebody may have renamed theirs; a second one would be a back door.
        if User.objects.filter(is_superuser=True).exists():
            return
        password = secrets.token_urlsafe(12)
        admin = User.objects.create_superuser(NAME, password=password)
        logins.require_new_password(admin)
        self.stdout.write(f"Administrator: {NAME} / {password} (to be changed at first login)")
