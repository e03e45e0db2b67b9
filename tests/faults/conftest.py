"""Every fault test gets a rig, and its line in the table."""

from __future__ import annotations

import pytest

from tests.faults import rig as rigs


@pytest.fixture(scope="session")
def nursery():
    """Loaded once for all fault tests of this process."""
    found = rigs.Nursery()
    yield found
    found.close()


@pytest.fixture
def rig(nursery, tmp_path, transactional_db, settings):
    with rigs.rigged([nursery], tmp_path / "rig") as made:
        yield made


@pytest.fixture
def told(record_property):
    """Write a line of the table: ``told(rig, lost=0)``."""

    def write(rig, **more) -> dict:
        line = rig.line(**more)
        record_property("soak", line)
        return line

    return write
