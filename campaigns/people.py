"""The people with a login: a client's own, staff and admins (S000-075).

Staff look after the logins of clients; only admins make staff and admins, or change them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from django.contrib.auth.models import Group, Permission, User
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import models, transaction
from knox.models import AuthToken

from campaigns import access
from campaigns.models import Client, Membership

OUR_APPS = ("campaigns", "prospects", "pitches", "crm_sync")
STAFF = "Staff"


class Role(models.TextChoices):
    CLIENT = "client"
    STAFF = "staff"
    ADMIN = "admin"


class Belongs(NamedTuple):
    """That somebody works for a client, and in which role there."""

    client: Client
    role: str = Membership.Role.MEMBER


def role_of(user: User) -> Role:
    """Reads ``user.groups.all()``, so prefetch the groups for a list."""
    if user.is_staff and (
        user.is_superuser or any(group.name == access.ADMINS for group in user.groups.all())
    ):
        return Role.ADMIN
    return Role.STAFF if user.is_staff else Role.CLIENT


@transaction.atomic
def add(
    *, by: User, role: str, memberships: Iterable[Belongs] | None = None, **fields: Any
) -> User:
    """Make a login without a password; the person sets one by "forgotten password".

    Raises PermissionDenied if ``by`` may not, ValidationError for memberships of staff.
    """
    _check_may(by, roles=[role])
    user = User(**fields)
    user.set_unusable_password()
    user.save()
    _set_role(user, role)
    _set_memberships(user, role, memberships or [])
    return user


@transaction.atomic
def change(
    user: User,
    *,
    by: User,
    role: str | None = None,
    memberships: Iterable[Belongs] | None = None,
    **fields: Any,
) -> User:
    """Change a login; what is None stays.

    Raises PermissionDenied if ``by`` may not, ValidationError for memberships of staff and for
    one's own role, for one must not lock oneself out.
    """
    before = role_of(user)
    wanted = role or before
    _check_may(by, roles=[before, wanted], user=user)
    if user.pk == by.pk and wanted != before:
        raise ValidationError({"role": "Let somebody else change your own role."})
    for name, value in fields.items():
        setattr(user, name, value)
    user.save(update_fields=[*fields] or None)
    if wanted != before:
        _set_role(user, wanted)
    if memberships is not None or wanted != before:
        _set_memberships(user, wanted, memberships or [])
    return user


@transaction.atomic
def deactivate(user: User, *, by: User) -> None:
    """End a login at once, tokens included. The row stays: decisions name who took them.

    Raises PermissionDenied for all but admins, ValidationError for oneself.
    """
    if not access.is_admin(by) or (user.is_superuser and not by.is_superuser):
        raise PermissionDenied
    if user.pk == by.pk:
        raise ValidationError("Let somebody else end your own login.")
    user.is_active = False
    user.save(update_fields=["is_active"])
    AuthToken.objects.filter(user=user).delete()


def _check_may(by: User, *, roles: Iterable[str], user: User | None = None) -> None:
    if user and user.is_superuser and not by.is_superuser:
        raise PermissionDenied
    if any(role != Role.CLIENT for role in roles) and not access.is_admin(by):
        raise PermissionDenied


def _set_role(user: User, role: str) -> None:
    user.is_staff = role != Role.CLIENT
    user.save(update_fields=["is_staff"])
    if role == Role.CLIENT:
        user.groups.clear()
        user.user_permissions.clear()
        return
    names = [STAFF, access.ADMINS] if role == Role.ADMIN else [STAFF]
    user.groups.set([_group(name) for name in names])


def _group(name: str) -> Group:
    """The group, with every permission in our apps if it is made now."""
    group, is_new = Group.objects.get_or_create(name=name)
    if is_new:
        ours = Permission.objects.filter(content_type__app_label__in=OUR_APPS)
        group.permissions.set(ours)
    return group


def _set_memberships(user: User, role: str, memberships: Iterable[Belongs]) -> None:
    wanted = list(memberships)
    if role != Role.CLIENT and wanted:
        raise ValidationError({"memberships": "Staff see every client already."})
    user.memberships.exclude(client__in=[each.client for each in wanted]).delete()
    Membership.objects.bulk_create(
        [Membership(user=user, client=each.client, role=each.role) for each in wanted],
        update_conflicts=True,
        unique_fields=["user", "client"],
        update_fields=["role"],
    )
