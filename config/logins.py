"""Logins with conditions: passwords that must be changed, and users for this machine only."""

from ipaddress import ip_address
from typing import Any

from django.conf import settings
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import AbstractUser
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest
from django.http.request import split_domain_port
from knox.auth import TokenAuthentication as KnoxTokenAuthentication
from rest_framework.exceptions import AuthenticationFailed

from .models import LoginRule

ONLY_HERE = "This login is for trying things out and works only on the machine itself."


def require_new_password(user: AbstractUser) -> None:
    """Let `user` do nothing but choose a new password."""
    LoginRule.objects.update_or_create(user_id=user.pk, defaults={"must_change_password": True})


def restrict_to_loopback(user: AbstractUser) -> None:
    """Let `user` in only from this machine: everybody knows the password."""
    LoginRule.objects.update_or_create(user_id=user.pk, defaults={"loopback_only": True})


def must_change_password(user: AbstractUser) -> bool:
    return LoginRule.objects.filter(user=user.pk, must_change_password=True).exists()


def is_loopback_host(host: str) -> bool:
    """Whether a host name or address means this machine."""
    host = host.strip("[]")
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def is_local(request: HttpRequest | None) -> bool:
    """Whether the request was made on this machine, for a server that serves only this machine.

    The caller's address counts besides the names, because a Host header can say anything.
    """
    if not is_loopback_host(settings.PUBLIC_HOST):
        return False
    if request is None:  # a command or a test, not the network
        return True
    forwarded = request.headers.get("X-Forwarded-For", "")
    callers = [request.META.get("REMOTE_ADDR", ""), *forwarded.split(",")]
    host, _ = split_domain_port(request.headers.get("Host", "") or request.get_host())
    local_names = is_loopback_host(host) or host == "testserver"
    return local_names and all(is_loopback_host(c.strip()) for c in callers if c.strip())


def may_log_in(user: AbstractUser, request: HttpRequest | None) -> bool:
    """Whether this user may come in by this request."""
    if is_local(request):
        return True
    return not LoginRule.objects.filter(user=user.pk, loopback_only=True).exists()


class Backend(ModelBackend):
    """Django's own check of name and password, then ours."""

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **credentials: Any,
    ) -> Any:
        user = super().authenticate(request, username, password, **credentials)
        if user and not may_log_in(user, request):
            raise PermissionDenied(ONLY_HERE)
        return user


class TokenAuthentication(KnoxTokenAuthentication):
    """API tokens, under the same conditions as passwords."""

    def authenticate(self, request: Any) -> Any:
        found = super().authenticate(request)
        if found and not may_log_in(found[0], request):
            raise AuthenticationFailed(ONLY_HERE)
        return found

    def authenticate_credentials(self, token: bytes) -> Any:
        # The database refuses NUL and knox what is not UTF-8, both with a crash.
        if not token.isascii() or not token.decode("ascii").isprintable():
            raise AuthenticationFailed("Invalid token.")
        return super().authenticate_credentials(token)


class NewPassword:
    """A password validator that remembers: a changed password lifts the duty to change it."""

    def validate(self, password: str, user: Any = None) -> None:
        """Refuse the very password that has to be changed."""
        if user and user.pk and must_change_password(user) and user.check_password(password):
            raise ValidationError("Choose another password than the one you were given.")

    def password_changed(self, password: str, user: Any) -> None:
        LoginRule.objects.filter(user=user.pk).update(must_change_password=False)

    def get_help_text(self) -> str:
        return "Your password cannot be one that was given to you."
