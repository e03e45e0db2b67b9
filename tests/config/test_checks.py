import pytest
from django.conf import settings as current

from config import checks

KEY = "x" * 64


def found(check, settings, **changed) -> set[str]:
    for name, value in changed.items():
        setattr(settings, name, value)
    return {message.id for message in check(None)}


@pytest.mark.req("REL-10")
@pytest.mark.parametrize(
    ("changed", "ids"),
    [
        ({}, set()),
        ({"TICK_SECONDS": 300}, {"config.E001"}),
        ({"EMAIL_DATA_TIMEOUT": 660}, {"config.E001"}),
        ({"TICK_SECONDS": 299}, set()),
        ({"Q_CLUSTER": current.Q_CLUSTER | {"retry": 1000}}, {"config.E002"}),
        ({"HANDING_LEASE": 600}, {"config.E003"}),
        ({"CLAIM_LEASE": 90}, {"config.E004"}),
    ],
)
def test_no_time_limit_cuts_into_another(settings, changed, ids):
    assert found(checks.timeouts, settings, **changed) == ids


@pytest.mark.req("SEC-17")
@pytest.mark.parametrize(
    ("changed", "ids"),
    [
        ({}, set()),
        ({"SUPPRESSION_KEY": "short"}, {"config.E010"}),
        ({"CREDENTIALS_KEY": ["not a key"]}, {"config.E011"}),
        ({"SECRET_KEY": KEY, "MESSAGE_ID_KEY": KEY}, {"config.E012"}),
    ],
)
def test_keys_are_long_well_formed_and_different(settings, changed, ids):
    assert found(checks.keys, settings, **changed) == ids


@pytest.mark.req("SEC-33")
@pytest.mark.parametrize(
    ("debug", "host", "ids"),
    [
        (True, "127.0.0.1", set()),
        (False, "desk.example.com", {"config.W020"}),
        (True, "desk.example.com", {"config.E020", "config.W020"}),
        (True, "192.168.1.7", {"config.E020", "config.W020"}),
    ],
)
def test_debug_stays_on_this_machine(settings, debug, host, ids):
    changed = {"DEBUG": debug, "PUBLIC_HOST": host, "PUBLIC_URL": f"http://{host}"}
    hosts = {"ALLOWED_HOSTS": [host, *current.LOOPBACK_HOSTS]}
    assert found(checks.exposure, settings, **changed, **hosts) == ids


@pytest.mark.parametrize(
    ("changed", "ids"),
    [
        ({"SEND_MODE": "capture"}, set()),
        ({"SEND_MODE": "lvie"}, {"config.E030"}),
        ({"SEND_MODE": "allowlist"}, {"config.W031"}),
        ({"SEND_MODE": "live"}, {"config.W032", "config.W033"}),
        (
            {
                "SEND_MODE": "live",
                "POSTAL_ADDRESS": "1 Road",
                "PUBLIC_URL": "http://desk.example.com",
            },
            {"config.W033"},
        ),
        ({"BRAND_NAME_IS_SET": False}, set()),
        (
            {"SEND_MODE": "allowlist", "SEND_ALLOWLIST": ["a.org"], "BRAND_NAME_IS_SET": False},
            {"config.W034"},
        ),
        (
            {
                "SEND_MODE": "live",
                "POSTAL_ADDRESS": "1 Road",
                "PUBLIC_URL": "https://desk.example.com",
            },
            set(),
        ),
    ],
)
def test_mail_leaves_by_a_complete_decision(settings, changed, ids):
    assert found(checks.sending, settings, **{"BRAND_NAME_IS_SET": True} | changed) == ids


def test_connections_are_not_pooled(settings, monkeypatch):
    assert found(checks.database, settings) == set()
    monkeypatch.setitem(settings.DATABASES["default"], "OPTIONS", {"pool": True})
    assert found(checks.database, settings) == {"config.E040"}
