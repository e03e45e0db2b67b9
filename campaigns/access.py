"""Who may do what: clients look at their own, staff work by permission, admins see the money.

Three roles (S000-010). A *client* user has a Membership and no other right; *staff* are
``is_staff`` with Django's permissions; *admins* are superusers and the staff in the group
``Admins``.
"""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.db.models import QuerySet
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from campaigns.models import Membership

ADMINS = "Admins"

# What a method asks for, unless the view's ``needs`` says otherwise.
VERBS = {
    "GET": "view",
    "HEAD": "view",
    "OPTIONS": "view",
    "POST": "add",
    "PUT": "change",
    "PATCH": "change",
    "DELETE": "delete",
}


def caller(request: Request) -> User:
    """Who asks; to be called behind a permission, which lets nobody in without a login."""
    assert isinstance(request.user, User)
    return request.user


def is_staff(user: Any) -> bool:
    return bool(user and user.is_authenticated and user.is_active and user.is_staff)


def is_admin(user: Any) -> bool:
    """Superusers, and staff in the group Admins; the group alone gives nothing."""
    return is_staff(user) and (user.is_superuser or user.groups.filter(name=ADMINS).exists())


def memberships(user: Any, *, deciding: bool = False) -> QuerySet:
    """The memberships of a client's own person; ``deciding`` leaves out who may only look."""
    found = Membership.objects.filter(user_id=user.pk)
    return found.exclude(role=Membership.Role.VIEWER) if deciding else found


def visible(rows: QuerySet, user: Any, *, client: str, deciding: bool = False) -> QuerySet:
    """Of ``rows``, those that ``user`` may know of; ``client`` is the path to their client.

    With ``deciding``, those that ``user`` may decide on.
    """
    if is_staff(user):
        return rows
    clients = memberships(user, deciding=deciding).values("client")
    return rows.filter(**{f"{client}__in": clients})


def shows_all(view: Any) -> bool:
    """Whether a view answers with every field: to staff, and in the schema."""
    return getattr(view, "swagger_fake_view", False) or is_staff(view.request.user)


class Staff(BasePermission):
    """Staff with the model's permission that the method stands for.

    A view's ``needs`` names permissions by action: ``{"approve": "pitches.change_match"}``.
    """

    def has_permission(self, request: Request, view: Any) -> bool:
        return is_staff(request.user) and request.user.has_perm(needed(request, view))


class StaffOrClient(Staff):
    """As Staff; a client's own people too, for the actions in the view's ``for_clients``.

    What they see is narrowed by the view's queryset, so that what belongs to others is missing.
    """

    def has_permission(self, request: Request, view: Any) -> bool:
        if is_staff(request.user):
            return super().has_permission(request, view)
        user = request.user
        return (
            bool(user and user.is_authenticated)
            and view.action in view.for_clients
            and memberships(user, deciding=request.method not in ("GET", "HEAD")).exists()
        )


class StaffDeletedByAdmin(Staff):
    """As Staff; deleting is for admins."""

    def has_permission(self, request: Request, view: Any) -> bool:
        if request.method == "DELETE" and not is_admin(request.user):
            return False
        return super().has_permission(request, view)


class Admins(BasePermission):
    """Admins alone."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return is_admin(request.user)


class Anyone(BasePermission):
    """Without login. Said aloud, because nothing else is open."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return True


class LoggedIn(BasePermission):
    """Whoever has a login, whatever it allows."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return bool(request.user and request.user.is_authenticated)


def needed(request: Request, view: Any) -> str:
    """The permission that this request asks for, such as ``pitches.change_match``."""
    named: dict[str, str] = getattr(view, "needs", {})
    method = request.method or ""
    action = getattr(view, "action", None) or method.lower()
    if action in named or not hasattr(view, "queryset"):
        return named.get(action) or next(iter(named.values()))
    meta = view.queryset.model._meta
    return f"{meta.app_label}.{VERBS.get(method, 'change')}_{meta.model_name}"
