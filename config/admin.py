"""The machinery in the admin: for superusers to look at, for nobody to change.

A schedule can call any function and a result is a pickle, so whoever could edit them could run
code here; and "resubmit" would repeat what is past.
"""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django_q.admin import FailAdmin, QueueAdmin, ScheduleAdmin, TaskAdmin
from django_q.models import Failure, OrmQ, Schedule, Success
from unfold.admin import ModelAdmin

from .models import Beat, TickRun


class ForLooking:
    """Superusers may look; nobody may add, change, delete or run an action."""

    actions = None

    def has_module_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_active and request.user.is_superuser)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_module_permission(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class BeatAdmin(ForLooking, ModelAdmin):
    list_display = ("name", "host", "pid", "beaten_at", "valid_until")
    search_fields = ("name", "host")


class TickRunAdmin(ForLooking, ModelAdmin):
    list_display = ("name", "started_at", "ended_at", "result", "failed_at", "error")
    search_fields = ("name",)


admin.site.register(Beat, BeatAdmin)
admin.site.register(TickRun, TickRunAdmin)
for model, base in (
    (Success, TaskAdmin),
    (Failure, FailAdmin),
    (Schedule, ScheduleAdmin),
    (OrmQ, QueueAdmin),
):
    admin.site.unregister(model)
    admin.site.register(model, type(base.__name__, (ForLooking, base, ModelAdmin), {}))
