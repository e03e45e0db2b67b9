import pytest

from config import backends
from config.backends import BackendError


class Channel:
    def __init__(self, region="eu"):
        self.region = region


class Lamp:
    pass


HERE = "tests.config.test_backends"


@pytest.fixture
def channels(settings):
    def configure(**entries):
        settings.CHANNELS = entries

    return configure


def test_an_adapter_is_loaded_once_with_its_options(channels):
    channels(sms={"BACKEND": f"{HERE}.Channel", "OPTIONS": {"region": "us"}})
    adapter = backends.load("CHANNELS", "sms", base=Channel)
    assert adapter.region == "us"
    assert backends.load("CHANNELS", "sms", base=Channel) is adapter


def test_changed_settings_take_effect(channels):
    channels(sms=f"{HERE}.Channel")
    first = backends.load("CHANNELS", "sms")
    channels(sms={"BACKEND": f"{HERE}.Channel", "OPTIONS": {"region": "us"}})
    assert backends.load("CHANNELS", "sms") is not first


def test_names_come_in_the_order_of_the_setting(channels):
    channels(sms="a.B", email="c.D")
    assert backends.names("CHANNELS") == ["sms", "email"]


@pytest.mark.req("S000-004")
@pytest.mark.parametrize(
    ("entry", "complaint"),
    [
        ("tests.no_such.Channel", "does not load"),
        (f"{HERE}.NoSuch", "does not load"),
        ("nodots", "does not load"),
        (f"{HERE}.Lamp", "is not a Channel"),
        (f"{HERE}.HERE", "is not a Channel"),
        ({"BACKEND": f"{HERE}.Channel", "OPTIONS": {"x": 1}}, "does not take these OPTIONS"),
        ({}, "does not load"),
    ],
)
def test_a_wrong_entry_is_named(channels, entry, complaint):
    channels(sms=entry)
    with pytest.raises(BackendError, match=rf"CHANNELS\['sms'\].*{complaint}"):
        backends.load("CHANNELS", "sms", base=Channel)


def test_an_unknown_name_is_answered_with_the_known_ones(channels):
    channels(sms="a.B", email="c.D")
    with pytest.raises(BackendError, match="no 'fax'; it has sms, email"):
        backends.load("CHANNELS", "fax")
