"""Weeks of by-hand work, and the day's list beside them."""

from __future__ import annotations

from datetime import timedelta
from itertools import groupby
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from unfold.contrib.filters.admin import RelatedDropdownFilter

from campaigns.models import Campaign
from config.desk import Page, user_of
from pitches import outreach, weekly
from pitches.admin import by_hand
from pitches.models import WeeklyPlan

VIEW, BUILD = "pitches.view_weeklyplan", "pitches.add_weeklyplan"


OWNERS = User.objects.filter(senders__isnull=False).distinct().order_by("username")


class Asked(forms.Form):
    """What a week is built for."""

    campaign = forms.ModelChoiceField(
        Campaign.objects.select_related("client"), to_field_name="slug"
    )
    owner = forms.ModelChoiceField(OWNERS, to_field_name="username")
    monday = forms.DateField(required=False, widget=forms.DateInput(attrs={"type": "date"}))
    requests = forms.IntegerField(initial=weekly.REQUESTS)
    follow_ups = forms.IntegerField(initial=weekly.FOLLOW_UPS)


def view(request: HttpRequest) -> HttpResponse:
    """Show the week that would be built; on POST build it."""
    if not request.user.has_perm(VIEW):
        raise PermissionDenied
    form = Asked(request.POST or request.GET or None)
    week, error = None, ""
    if form.is_valid():
        try:
            week = _week(request, form)
        except weekly.BadWeek as e:
            error = str(e)
    if request.method == "POST" and week:
        messages.success(
            request, f"Built: {len(week.entries)} entries. What is new waits to be read."
        )
        return redirect(f"{reverse('admin:pitches_week')}?{_query(request)}")
    context = {
        **admin.site.each_context(request),
        "title": "A week by hand",
        "form": form,
        "owners": OWNERS.all(),
        "campaigns": Campaign.objects.order_by("name").only("name", "slug"),
        "week": week,
        "days": _days(week),
        "error": error,
        "asked": _asked(request, form),
        "may_build": request.user.has_perm(BUILD),
    }
    return TemplateResponse(request, "admin/desk/week.html", context)


def _week(request: HttpRequest, form: Asked) -> weekly.Week:
    asked = dict(form.cleaned_data)
    campaign, owner = asked.pop("campaign"), asked.pop("owner")
    now = timezone.now()
    if request.method == "POST":
        if not request.user.has_perm(BUILD):
            raise PermissionDenied
        return weekly.build(campaign, owner, now=now, **asked)
    return outreach.dry(lambda: weekly.plan(campaign, owner, now=now, **asked))


def _query(request: HttpRequest) -> str:
    asked = request.POST.copy()
    asked.pop("csrfmiddlewaretoken", None)
    return asked.urlencode()


def _asked(request: HttpRequest, form: Asked) -> dict[str, Any]:
    return {
        "campaign": form["campaign"].value() or "",
        "owner": form["owner"].value() or user_of(request).username,
        "monday": form["monday"].value() or "",
        "requests": form["requests"].value() or weekly.REQUESTS,
        "follow_ups": form["follow_ups"].value() or weekly.FOLLOW_UPS,
    }


def _days(week: weekly.Week | None) -> list[tuple[Any, list[weekly.Entry]]]:
    """The five days with their entries; an empty day is shown as one."""
    if week is None:
        return []
    laid = groupby(week.entries, key=lambda entry: entry.slot and entry.slot.day)
    by_day = {day: list(entries) for day, entries in laid}
    days = [week.monday + timedelta(days=n) for n in range(5)]
    return [(day, by_day.get(day, [])) for day in days]


@admin.register(WeeklyPlan)
class WeeklyPlanAdmin(Page):
    list_display = ("campaign", "owner", "week", "target_requests", "target_follow_ups")
    list_filter = (("campaign", RelatedDropdownFilter),)
    list_select_related = ("campaign", "owner")
    search_fields = ("campaign__name__istartswith", "owner__username__startswith")
    autocomplete_fields = ("campaign", "owner")
    list_before_template = "admin/desk/week_link.html"

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        pages = {
            "by-hand/": (by_hand.index, "pitches_by_hand"),
            "by-hand/list.csv": (by_hand.sheet, "pitches_by_hand_sheet"),
            "by-hand/<int:pk>/sent/": (by_hand.sent, "pitches_by_hand_sent"),
            "by-hand/<int:pk>/past/": (by_hand.past, "pitches_by_hand_past"),
            "by-hand/<int:pk>/skipped/": (by_hand.skipped, "pitches_by_hand_skipped"),
            "by-hand/<int:pk>/replied/": (by_hand.replied, "pitches_by_hand_replied"),
            "build/": (view, "pitches_week"),
        }
        own = [path(route, wrap(page), name=name) for route, (page, name) in pages.items()]
        return [*own, *super().get_urls()]
