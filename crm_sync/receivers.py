"""The ear.

Each signal becomes one SyncTask row in the sender's own transaction, and nothing else.
"""

from __future__ import annotations

from typing import Any

from django.contrib.contenttypes.models import ContentType
from django.db.models import Model
from django.dispatch import receiver

from crm_sync.models import SyncTask
from pitches.models import IncomingMessage, Pitch, Placement, Stop
from pitches.signals import left_alone, pitch_sent, placement_changed, reply_received
from prospects.models import Assessment
from prospects.signals import lead_scored


@receiver(lead_scored)
def on_lead_scored(assessment: Assessment, **kwargs: Any) -> None:
    _note(SyncTask.Change.LEAD_SCORED, assessment)


@receiver(pitch_sent)
def on_pitch_sent(pitch: Pitch, **kwargs: Any) -> None:
    _note(SyncTask.Change.PITCH_SENT, pitch)


@receiver(reply_received)
def on_reply_received(incoming: IncomingMessage, **kwargs: Any) -> None:
    _note(SyncTask.Change.REPLY_RECEIVED, incoming)


@receiver(placement_changed)
def on_placement_changed(placement: Placement, **kwargs: Any) -> None:
    _note(SyncTask.Change.PLACEMENT_CHANGED, placement, state=placement.status)


@receiver(left_alone)
def on_left_alone(stop: Stop, **kwargs: Any) -> None:
    _note(SyncTask.Change.LEFT_ALONE, stop)


def _note(change: str, about: Model, *, state: str = "") -> None:
    """The key names the change, so the same news twice is one task."""
    SyncTask.objects.bulk_create(
        [
            SyncTask(
                change=change,
                about_type=ContentType.objects.get_for_model(about),
                about_id=about.pk,
                key=f"{change}:{about.pk}:{state}".rstrip(":"),
            )
        ],
        ignore_conflicts=True,
    )
