"""Versions of a plan: who is on which, publishing the next, and each step as a lead gets it."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone

from campaigns.models import Campaign, Sequence
from config.db import WrongStatus
from pitches import sequences
from pitches.admin.asking import ask
from pitches.models import Match
from prospects.models import Lead

VIEW, CHANGE = "campaigns.view_sequence", "campaigns.change_sequence"
# Leads to choose from: those that are nearest to being written to.
MOST_LEADS = 30


class Chosen(forms.Form):
    """Whose words are looked at: a match stands for its lead and campaign."""

    match = forms.ModelChoiceField(
        Match.objects.select_related("lead", "campaign").defer(
            "lead__text", "lead__embedding", "campaign__embedding"
        )
    )


def of(sequence: Sequence) -> dict[str, Any]:
    """What the page of one version shows beside its steps."""
    return {
        "versions": sequences.versions(sequence.key),
        "touches": "" if sequence.published_at else sequences.touches(sequence),
    }


def publish(request: HttpRequest, pk: int) -> HttpResponse:
    """Let new pitches use a version."""
    sequence = get_object_or_404(Sequence, pk=pk)

    def act(reason: str) -> str:
        try:
            number = sequences.publish(sequence, now=timezone.now())
        except WrongStatus as e:
            messages.warning(request, str(e))
            return ""
        return f"{sequence} is published; campaigns that use it now: {number}."

    return ask(
        request,
        permission=CHANGE,
        title=f"Publish {sequence}",
        lines=[sequences.touches(sequence), "It cannot be changed once a pitch uses it."],
        button="Publish",
        back=reverse("admin:campaigns_sequence_change", args=[pk]),
        act=act,
        with_reason=False,
        is_danger=False,
    )


def preview(request: HttpRequest, pk: int) -> HttpResponse:
    """Every step as a chosen lead would get it, by the writer of what is sent."""
    if not request.user.has_perm(VIEW):
        raise PermissionDenied
    sequence = get_object_or_404(Sequence, pk=pk)
    form = Chosen(request.GET or None)
    steps: list[sequences.Preview] = []
    error = ""
    if form.is_valid():
        match = form.cleaned_data["match"]
        try:
            steps = sequences.preview(
                sequence, _lead(match), campaign=match.campaign, now=timezone.now()
            )
        except sequences.NotWritten as e:
            error = str(e)
    context = {
        **admin.site.each_context(request),
        "title": f"{sequence} as a lead gets it",
        "sequence": sequence,
        "matches": _shortlist(sequence),
        "chosen": form["match"].value(),
        "steps": steps,
        "error": error,
    }
    return TemplateResponse(request, "admin/desk/sequence_preview.html", context)


def _lead(match: Match) -> Lead:
    return Lead.objects.select_related("organization", "segment").get(pk=match.lead_id)


def _shortlist(sequence: Sequence) -> list[Match]:
    """Matches of the campaigns that use this plan, else of any, best first."""
    still = (Match.Status.APPROVED, Match.Status.TO_REVIEW, Match.Status.PITCHED)
    rows = Match.objects.filter(status__in=still).select_related("lead", "campaign")
    using = Campaign.objects.filter(sequence__key=sequence.key)
    mine = rows.filter(campaign__in=using)
    rows = (mine if mine.exists() else rows).defer("lead__text", "lead__embedding")
    return list(rows.order_by("-score", "pk")[:MOST_LEADS])
