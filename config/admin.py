"""The machinery in the admin: for superusers to look at, for nobody to change; and the logins.

A schedule can call any function and a result is a pickle, so whoever could edit them could run
code here; and "resubmit" would repeat what is past.
"""

from typing import Any

import axes.admin  # noqa: F401  they register themselves, and are replaced below
import knox.admin  # noqa: F401
from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.http import HttpRequest
from django_q.admin import FailAdmin, QueueAdmin, ScheduleAdmin, TaskAdmin
from django_q.models import Failure, OrmQ, Schedule, Success
from knox.models import AuthToken
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from .models import Alert, Beat, TickRun


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


class AlertAdmin(ForLooking, ModelAdmin):
    list_display = ("title", "kind", "created_at", "told_at", "attempts", "last_error")
    list_filter = ("kind",)
    search_fields = ("key",)


admin.site.register(Alert, AlertAdmin)
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


class LoginAdmin(UserAdmin, ModelAdmin):
    """People with a login. Nobody is deleted: decisions name who took them."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_per_page = 50
    show_full_result_count = False
    list_display = ("username", "first_name", "last_name", "email", "is_staff", "last_login")

    def has_module_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_active and request.user.is_superuser)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who looks after clients chooses among people, and sees their names."""
        may_choose = request.user.has_perm("campaigns.view_membership")
        return may_choose or self.has_module_permission(request)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if self.has_module_permission(request):
            return super().get_fieldsets(request, obj)
        return ((None, {"fields": ("username", "first_name", "last_name", "email")}),)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.has_module_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_module_permission(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class RightsAdmin(GroupAdmin, ModelAdmin):
    """What the members of a group may do."""


class AttemptAdmin(ForLooking, ModelAdmin):
    """Logins that were tried."""

    list_display = ("attempt_time", "username", "ip_address", "path_info")
    search_fields = ("username__startswith", "ip_address__startswith")
    list_per_page = 50
    show_full_result_count = False


class TokenAdmin(ForLooking, ModelAdmin):
    """Keys of the API, of which only a hash is kept."""

    list_display = ("token_key", "user", "created", "expiry")
    list_select_related = ("user",)
    search_fields = ("token_key__startswith", "user__username__startswith")
    exclude = ("digest",)


for model, page in (
    (User, LoginAdmin),
    (Group, RightsAdmin),
    (AccessAttempt, AttemptAdmin),
    (AccessLog, AttemptAdmin),
    (AccessFailureLog, AttemptAdmin),
    (AuthToken, TokenAdmin),
):
    admin.site.unregister(model)
    admin.site.register(model, page)
