import pytest
from cryptography.fernet import Fernet
from django import forms
from django.core import serializers
from django.core.exceptions import FieldError
from django.db import connection

from config import encrypted
from config.encrypted import EncryptedTextField, WrongKey
from pitches.models import Sender
from tests.factories import SenderFactory

SECRET = "canary-9f2c"
OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()

pytestmark = pytest.mark.django_db


class SenderForm(forms.ModelForm):
    class Meta:
        model = Sender
        fields = ["password"]


def stored() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT password FROM pitches_sender")
        return cursor.fetchone()[0]


@pytest.fixture
def sender(db):
    return SenderFactory(password=SECRET)


@pytest.mark.req("SEC-16")
def test_the_database_and_a_dump_hold_only_ciphertext(sender):
    assert SECRET not in stored()
    dump = serializers.serialize("json", [sender])
    assert SECRET not in dump
    assert next(iter(serializers.deserialize("json", dump))).object.password == SECRET


def test_it_reads_back_what_was_written(sender):
    assert Sender.objects.get(pk=sender.pk).password == SECRET


@pytest.mark.req("SEC-16")
def test_a_form_takes_a_secret_and_shows_none(sender):
    assert SECRET not in str(SenderForm(instance=sender))


def test_an_empty_form_field_keeps_the_secret(sender):
    form = SenderForm({"password": ""}, instance=sender)
    assert not form.has_changed()
    assert form.save().password == SECRET
    assert SenderForm({"password": "other"}, instance=sender).save().password == "other"


def test_it_cannot_be_searched(sender):
    with pytest.raises(FieldError):
        Sender.objects.filter(password=SECRET).exists()


@pytest.mark.req("SEC-17")
def test_old_keys_read_until_everything_is_written_with_the_new_one(sender, settings):
    settings.CREDENTIALS_KEY = [OLD]
    sender.save()
    settings.CREDENTIALS_KEY = [NEW, OLD]
    assert Sender.objects.get(pk=sender.pk).password == SECRET
    assert encrypted.reencrypt() == 1
    settings.CREDENTIALS_KEY = [NEW]
    assert Sender.objects.get(pk=sender.pk).password == SECRET


def test_a_wrong_key_is_an_error_that_names_the_field(sender, settings):
    settings.CREDENTIALS_KEY = [NEW]
    with pytest.raises(WrongKey, match=r"pitches\.Sender\.password"):
        Sender.objects.get(pk=sender.pk)


def test_nothing_is_nothing(sender):
    field = EncryptedTextField()
    assert field.get_prep_value("") == ""
    assert field.get_prep_value(None) is None
