"""What the CRM shows on the first screen."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from config.cards import Card, figure
from crm_sync.models import SyncTask


def cards(user: Any, now: datetime) -> list[Card]:
    """Nothing, until the CRM refused something."""
    if not user.has_perm("crm_sync.view_synctask"):
        return []
    stuck = figure("stuck", SyncTask, {"status": SyncTask.Status.STUCK}, tone="bad")
    waiting = figure("waiting", SyncTask, {"status": SyncTask.Status.WAITING})
    return [Card("CRM", [stuck, waiting])] if stuck.count else []
