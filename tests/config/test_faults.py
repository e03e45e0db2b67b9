"""The places where tests break the program, and that they do nothing anywhere else."""

import subprocess
import sys

import pytest
from django.core.exceptions import ImproperlyConfigured

from config import checks, faults
from tests.config.environment import BASE_DIR, outside


@pytest.fixture(autouse=True)
def disarmed():
    yield
    faults.arm("")


def test_a_point_nobody_armed_does_nothing():
    for name in faults.POINTS:
        faults.point(name)
    assert list(faults.parted("P8", b"the whole text")) == [b"the whole text"]


def test_an_armed_point_strikes_there_and_nowhere_else():
    faults.arm("P8:wait:0")
    assert list(faults.parted("P8", b"whole")) == [b"wh", b"ole"]
    assert list(faults.parted("P9", b"whole")) == [b"whole"]


@pytest.mark.parametrize("text", ["P13:kill", "P5", "P5:explode:1", "P5:kill:often"])
def test_a_fault_that_means_nothing_is_refused(text):
    with pytest.raises(ImproperlyConfigured):
        faults.arm(text)


@pytest.mark.req("SEC-40")
def test_no_fault_can_be_armed_where_mail_is_live(settings):
    settings.SEND_MODE = "live"
    with pytest.raises(ImproperlyConfigured):
        faults.arm("P5:kill")


@pytest.mark.req("SEC-40")
@pytest.mark.parametrize(
    ("mode", "text", "ids"),
    [
        ("live", "P5:kill", {"config.E032"}),
        ("live", "", set()),
        ("capture", "P5:kill", set()),
    ],
)
def test_a_check_refuses_faults_where_mail_is_live(settings, mode, text, ids):
    settings.SEND_MODE, settings.FAULTS = mode, text
    errors = {found.id for found in checks.sending(None) if found.level >= 40}
    assert errors == ids


@pytest.mark.req("SEC-40")
def test_a_live_program_with_faults_in_its_environment_arms_none_of_them():
    look = "import django; django.setup(); from config import faults; assert not faults._armed"
    done = subprocess.run(
        [sys.executable, "-c", look],
        cwd=BASE_DIR,
        env=outside(
            SEND_MODE="live", FAULTS="P5:kill", DJANGO_SETTINGS_MODULE="config.settings"
        ),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
