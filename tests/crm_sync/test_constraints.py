"""What the database promises about the CRM's outbox."""

import pytest

from tests import factories as f
from tests.violations import Violation, named_in_models, violated

pytestmark = pytest.mark.django_db

TABLE = [
    Violation("crm_owner_once", f.CrmOwnerFactory, ["provider", "remote_id"]),
    Violation(
        "remote_record_once_per_row",
        f.RemoteRecordFactory,
        ["provider", "local_type", "local_id"],
    ),
    Violation(
        "remote_record_once_per_remote_id",
        f.RemoteRecordFactory,
        ["provider", "object_type", "remote_id"],
    ),
    Violation("sync_task_key_once", f.SyncTaskFactory, ["key"]),
]


@pytest.mark.parametrize("violation", TABLE, ids=str)
def test_plain_sql_cannot_break_it(violation):
    violation.attempt()


def test_every_promise_of_the_models_is_broken_here():
    assert named_in_models("crm_sync") == violated(TABLE, "crm_sync")
