"""The cast, and walls around every test: no network, no state that outlives it."""

import os
import shutil
import socket
from pathlib import Path

import pytest
from django.contrib.auth.models import Permission, User

from config import logins

BASE_DIR = Path(__file__).resolve().parent.parent
OUR_APPS = ["campaigns", "prospects", "pitches", "crm_sync"]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


# The cast


@pytest.fixture
def ada(db):
    """Staff, with every permission in our apps and none in the machinery."""
    user = User.objects.create_user("ada", "ada@example.com", is_staff=True)
    ours = Permission.objects.filter(content_type__app_label__in=OUR_APPS)
    user.user_permissions.set(ours)
    return user


@pytest.fixture
def clara(db):
    """Works for a client; what she sees is decided by her memberships."""
    return User.objects.create_user("clara", "clara@example.org")


@pytest.fixture
def stranger(db):
    """Logged in, and entitled to nothing."""
    return User.objects.create_user("stranger", "stranger@example.net")


# Walls


class NetworkUsed(AssertionError):
    """A test talked to somebody beyond this machine."""


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """Whoever connects beyond this machine fails at once, with the address in the message."""

    def guarded(connect):
        def connect_here(self, address):
            is_inet = self.family in (socket.AF_INET, socket.AF_INET6)
            if is_inet and not logins.is_loopback_host(str(address[0])):
                raise NetworkUsed(f"A test connected to {address[0]}:{address[1]}")
            return connect(self, address)

        return connect_here

    monkeypatch.setattr(socket.socket, "connect", guarded(socket.socket.connect))
    monkeypatch.setattr(socket.socket, "connect_ex", guarded(socket.socket.connect_ex))


@pytest.fixture(autouse=True)
def state_dir(settings, tmp_path):
    """Captured mail, journal and uploads of this test alone."""
    settings.STATE_DIR = tmp_path / "state"
    settings.JOURNAL_DIR = settings.STATE_DIR / "journal"
    settings.MEDIA_ROOT = settings.STATE_DIR / "media"
    return settings.STATE_DIR


@pytest.fixture(autouse=True)
def quick_passwords(settings):
    """Half a second of hashing per login proves nothing here."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


# What may be absent


@pytest.fixture(scope="session")
def real_data():
    """The folder of recorded data."""
    path = Path(os.environ.get("OVERTURE_DATA") or BASE_DIR.parent / "shared" / "data")
    if not path.is_dir():
        pytest.skip(f"no recorded data at {path}; set OVERTURE_DATA")
    return path


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args):
    """The distribution's Chromium; playwright's own would have to be downloaded."""
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed")
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []  # it has none for root
    return browser_type_launch_args | {"executable_path": CHROMIUM, "args": sandbox}


def pytest_collection_modifyitems(items):
    """What a test uses tells how it is marked."""
    for item in items:
        fixtures = getattr(item, "fixturenames", ())
        if "page" in fixtures or "browser" in fixtures:
            item.add_marker("browser")
        if "real_data" in fixtures:
            item.add_marker("real_data")
