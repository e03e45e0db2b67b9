"""Callers of the API, and the list of everything that can be called."""

import re

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from drf_spectacular.generators import SchemaGenerator
from rest_framework.test import APIClient

from tests.factories import ClientFactory, MembershipFactory
from tests.pitches.conftest import desk  # noqa: F401  the small desk, for whole runs

V1 = "/api/v1"


@pytest.fixture(autouse=True)
def nobody_called_before(db):
    """Throttles count in the cache, and each test is a minute of its own."""
    cache.clear()


def caller(user=None):
    client = APIClient()
    if user is not None:
        client.force_authenticate(user)
    return client


@pytest.fixture
def anonymous():
    return caller()


@pytest.fixture
def as_ada(ada):
    return caller(ada)


@pytest.fixture
def admin_user(db):
    """A superuser without a password, whose hashing would take longer than most tests."""
    return User.objects.create_user("admin", is_staff=True, is_superuser=True)


@pytest.fixture
def as_admin(admin_user):
    return caller(admin_user)


@pytest.fixture
def as_stranger(stranger):
    return caller(stranger)


@pytest.fixture
def claras_client(clara):
    client = ClientFactory(name="Clara's company", slug="claras")
    MembershipFactory(user=clara, client=client)
    return client


@pytest.fixture
def as_clara(clara, claras_client):
    return caller(clara)


@pytest.fixture(scope="session")
def schema():
    return SchemaGenerator().get_schema(request=None, public=True)


@pytest.fixture(scope="session")
def operations(schema):
    """Every (method, path) of the schema; ``{id}`` and the like are left in the path."""
    return [(method, path) for path, methods in schema["paths"].items() for method in methods]


def with_id(path: str, value: object = 1) -> str:
    return re.sub(r"\{\w+\}", str(value), path)
