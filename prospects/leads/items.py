"""The episodes, posts and articles of leads."""

from __future__ import annotations

from config import bulk
from prospects.leads.batch import Batch
from prospects.leads.found import FoundItem
from prospects.models import ContentItem

TEXT = ("title", "url", "text")
VALUES = ("kind", *TEXT, "published_at", "seconds", "keywords")


def bring(batch: Batch) -> None:
    """Store new items, and the texts of those that have others."""
    wanted: dict[tuple[int, str], FoundItem] = {}
    for group, each in batch.members():
        for item in each.items:
            wanted.setdefault((group.lead_id, item.guid), item)
    if not wanted:
        return
    rows = ContentItem.objects.filter(lead__in={lead for lead, _ in wanted})
    present = {(row.lead_id, row.guid): row for row in rows.defer("transcript", "summary")}
    new = [key for key in wanted if key not in present]
    bulk.insert(
        ContentItem,
        ["lead", "guid", *VALUES],
        ([*key, *(getattr(wanted[key], name) for name in VALUES)] for key in new),
    )
    changed = [
        row for key, row in present.items() if key in wanted and _take_over(row, wanted[key])
    ]
    if changed:
        fields = [*TEXT, "embedding_model"]
        ContentItem.objects.bulk_update(changed, fields, batch_size=200)
    batch.mark_changed({lead for lead, _ in new} | {row.lead_id for row in changed})


def _take_over(row: ContentItem, found: FoundItem) -> bool:
    """Set what the item says otherwise now; True if there is anything."""
    told = {name: getattr(found, name) for name in TEXT}
    changed = {n: text for n, text in told.items() if text and text != getattr(row, n)}
    for name, text in changed.items():
        setattr(row, name, text)
    if changed:
        row.embedding_model = ""  # the database forgets the vector
    return bool(changed)
