"""Adapters are named in settings and loaded by their dotted path, as Django does for caches.

CHANNELS = {"email": "pitches.channels.email.Email", "sms": {"BACKEND": "…", "OPTIONS": {…}}}

backends.load("CHANNELS", "email")
"""

from functools import lru_cache
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.dispatch import receiver
from django.utils.module_loading import import_string


class BackendError(ImproperlyConfigured):
    """Settings name an adapter that does not exist or does not load."""


def names(setting: str) -> list[str]:
    """The names under which adapters are configured, in the order of the setting."""
    return list(getattr(settings, setting, {}))


@lru_cache(maxsize=64)
def load(setting: str, name: str, base: type = object) -> Any:
    """The one instance of the adapter `name` of `setting`, made with its OPTIONS.

    `base` is the class it has to be. Raises BackendError.
    """
    adapter, options = _named(setting, name, base)
    try:
        return adapter(**options)
    except TypeError as e:
        path = f"{adapter.__module__}.{adapter.__name__}"
        where = f"{setting}[{name!r}]: {path!r}"
        raise BackendError(f"{where} does not take these OPTIONS: {e}") from e


@lru_cache(maxsize=64)
def load_class(setting: str, name: str, base: type = object) -> Any:
    """The class of the adapter `name` of `setting`, where every user makes an own instance.

    `base` is the class it has to be. Raises BackendError.
    """
    return _named(setting, name, base)[0]


def _named(setting: str, name: str, base: type) -> tuple[type, dict[str, Any]]:
    configured = getattr(settings, setting, {})
    if name not in configured:
        known = ", ".join(configured) or "nothing"
        raise BackendError(f"{setting} has no {name!r}; it has {known}.")
    entry = configured[name]
    entry = {"BACKEND": entry} if isinstance(entry, str) else entry
    where, path = f"{setting}[{name!r}]", entry.get("BACKEND", "")
    try:
        adapter = import_string(path)
    except ImportError as e:
        raise BackendError(f"{where} names {path!r}, which does not load: {e}") from e
    if not (isinstance(adapter, type) and issubclass(adapter, base)):
        raise BackendError(f"{where} names {path!r}, which is not a {base.__name__}.")
    return adapter, entry.get("OPTIONS", {})


@receiver(setting_changed)
def _forget(**kwargs: Any) -> None:
    """Tests swap adapters with override_settings."""
    load.cache_clear()
    load_class.cache_clear()
