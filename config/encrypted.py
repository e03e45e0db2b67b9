"""Secrets in the database: readable for the desk, useless in a dump."""

from functools import lru_cache
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django import forms
from django.apps import apps
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import models

MARK = "fernet:"


class WrongKey(ImproperlyConfigured):
    """No key in CREDENTIALS_KEY opens a stored secret."""


@lru_cache(maxsize=8)
def _keyring(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])


def keyring() -> MultiFernet:
    """All keys of CREDENTIALS_KEY: the first one writes, each of them reads."""
    return _keyring(tuple(settings.CREDENTIALS_KEY))


class SecretInput(forms.CharField):
    """Takes a secret and never shows one; left empty, the stored one stays."""

    widget = forms.PasswordInput(render_value=False, attrs={"autocomplete": "new-password"})

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool(data)


class EncryptedTextField(models.TextField):
    """Text that is encrypted in the database, in dumps and in history.

    It cannot be searched, on purpose: equal secrets have unequal ciphertexts. Reading raises
    WrongKey rather than returning something that is not the secret.
    """

    def get_prep_value(self, value: Any) -> Any:
        value = super().get_prep_value(value)
        if not value:
            return value
        return MARK + keyring().encrypt(value.encode()).decode()

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> str | None:
        return self._opened(value) if value else value

    def to_python(self, value: Any) -> Any:
        # A fixture carries the ciphertext, see value_to_string.
        return self._opened(value) if str(value).startswith(MARK) else super().to_python(value)

    def value_to_string(self, obj: models.Model) -> str:
        return self.get_prep_value(self.value_from_object(obj)) or ""

    def get_lookup(self, lookup_name: str) -> Any:
        return super().get_lookup(lookup_name) if lookup_name == "isnull" else None

    def formfield(self, **kwargs: Any) -> Any:
        # The admin passes its own widget for text fields, which would show the secret.
        return super().formfield(
            **kwargs | {"form_class": SecretInput, "widget": SecretInput.widget}
        )

    def save_form_data(self, instance: models.Model, data: Any) -> None:
        if data:
            super().save_form_data(instance, data)

    def _opened(self, value: str) -> str:
        try:
            return keyring().decrypt(value.removeprefix(MARK).encode()).decode()
        except InvalidToken:
            raise WrongKey(
                f"{self.model._meta.label}.{self.name}: no key in CREDENTIALS_KEY opens it. "
                "Put the key it was written with at the end of the list."
            ) from None


def reencrypt() -> int:
    """Write every stored secret with the first key; return how many. Raises WrongKey.

    Afterwards the older keys may leave CREDENTIALS_KEY.
    """
    count = 0
    for model in apps.get_models():
        names = [f.name for f in model._meta.fields if isinstance(f, EncryptedTextField)]
        if not names or model._meta.proxy:
            continue
        for row in model._base_manager.only("pk", *names).iterator():
            model._base_manager.filter(pk=row.pk).update(**{n: getattr(row, n) for n in names})
            count += sum(bool(getattr(row, name)) for name in names)
    return count
