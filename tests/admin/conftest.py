"""The placement desk of the pitches' tests, and somebody who works at it in the admin."""

import pytest

from tests.pitches.conftest import desk  # noqa: F401  a fixture


@pytest.fixture
def staff(client, ada):
    """Ada, logged in."""
    client.force_login(ada)
    return client
