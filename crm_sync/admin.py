"""What the CRM was told and still has to be told, as staff see it."""

from __future__ import annotations

from django.contrib import admin

from config.desk import STATUS_COLORS, Kept, Ledger, Page, display, status_of
from crm_sync.models import CrmOwner, RemoteRecord, SyncTask


@admin.register(CrmOwner)
class CrmOwnerAdmin(Kept, Page):
    list_display = ("name", "email", "provider", "position", "is_active", "last_assigned_at")
    list_filter = ("provider", "is_active")
    search_fields = ("name__istartswith", "email__istartswith")
    readonly_fields = ("last_assigned_at",)


@admin.register(RemoteRecord)
class RemoteRecordAdmin(Ledger):
    list_display = (
        "remote_id",
        "provider",
        "object_type",
        "local_type",
        "local_id",
        "synced_at",
    )
    list_filter = ("provider", "object_type")
    list_select_related = ("local_type",)
    search_fields = ("remote_id__startswith",)


@admin.register(SyncTask)
class SyncTaskAdmin(Ledger):
    list_display = (
        "change",
        "about_name",
        "colored_status",
        "attempts",
        "reason",
        "next_try_at",
    )
    list_filter = ("status", "change")
    list_select_related = ("about_type",)
    search_fields = ("key__startswith",)

    @display(description="about")
    def about_name(self, task: SyncTask) -> str:
        return f"{task.about_type.name} #{task.about_id}"

    @display(description="status", ordering="status", label=STATUS_COLORS)
    def colored_status(self, task: SyncTask) -> tuple[str, str]:
        return status_of(task)
