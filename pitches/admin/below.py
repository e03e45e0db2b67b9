"""Campaigns, leads and candidates with what only this floor knows: figures, buttons, history.

A page lives on the highest floor it shows, so the plain pages of the floors below are replaced.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone

from campaigns.admin import CampaignAdmin, CandidateAdmin, SequenceAdmin
from campaigns.models import Campaign, Candidate, Sequence
from config.cards import Figure, rows_at
from config.db import WrongStatus
from config.desk import user_of
from pitches import leaving, matching, stopping
from pitches.admin import breakers, past, versions
from pitches.admin.asking import ask
from pitches.models import Match, Message, Pitch, ReviewTask
from prospects.admin import LeadAdmin, OrganizationAdmin
from prospects.models import Lead, Organization

CHANGE_CAMPAIGN = "campaigns.change_campaign"


def figures_of(campaign: Campaign) -> list[Figure]:
    """How far a campaign is, each figure with the list it counts. Four queries."""
    mine = {"campaign__id__exact": campaign.pk}
    matches = _counts(Match.objects.filter(campaign=campaign))
    pitches = _counts(Pitch.objects.filter(campaign=campaign))
    gone = Message.objects.filter(pitch__campaign=campaign, status=Message.Status.SENT)
    sent = gone.aggregate(
        ours=Count("pk", filter=Q(pitch__is_imported=False)),
        imported=Count("pk", filter=Q(pitch__is_imported=True)),
    )
    tasks = ReviewTask.objects.filter(campaign=campaign, status=ReviewTask.Status.OPEN).count()
    by_pitch = {"pitch__campaign__id__exact": campaign.pk}
    return [
        Figure("to review", tasks, rows_at(ReviewTask, {**mine, "status": "open"}), "wait"),
        *(
            Figure(
                f"matches {label}",
                matches.get(status, 0),
                rows_at(Match, {**mine, "status": status}),
            )
            for status, label in (
                (Match.Status.TO_REVIEW, "to review"),
                (Match.Status.APPROVED, "approved"),
                (Match.Status.PITCHED, "pitched"),
            )
        ),
        *(
            Figure(
                f"pitches {label}",
                pitches.get(status, 0),
                rows_at(Pitch, {**mine, "status": status}),
                tone,
            )
            for status, label, tone in (
                (Pitch.Status.DRAFT, "to read", "wait"),
                (Pitch.Status.ACTIVE, "under way", ""),
                (Pitch.Status.REPLIED, "answered", "good"),
                (Pitch.Status.BOUNCED, "bounced", "bad"),
            )
        ),
        *(
            Figure(
                f"messages {label}",
                sent[name],
                rows_at(
                    Message,
                    {**by_pitch, "status": "sent", "pitch__is_imported__exact": imported},
                ),
            )
            for label, name, imported in (("sent", "ours", 0), ("imported", "imported", 1))
            if name == "ours" or sent[name]
        ),
    ]


def _counts(rows: Any) -> dict[str, int]:
    return dict(rows.order_by().values_list("status").annotate(Count("pk")))


class CampaignPage(CampaignAdmin):
    change_form_outer_before_template = "admin/desk/campaign_figures.html"

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("<int:pk>/match/", wrap(match_now), name="pitches_match_now"),
            path("<int:pk>/activate/", wrap(activate), name="pitches_activate"),
            path("<int:pk>/pause/", wrap(pause), name="pitches_pause"),
            *super().get_urls(),
        ]

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        campaign = self.get_object(request, object_id) if object_id else None
        more = {
            "figures": figures_of(campaign) if campaign else [],
            "verdicts": breakers.told_of(campaign) if campaign else [],
            "may_change": request.user.has_perm(CHANGE_CAMPAIGN),
        }
        return super().changeform_view(
            request, object_id, form_url, {**(extra_context or {}), **more}
        )


def match_now(request: HttpRequest, pk: int) -> HttpResponse:
    """Look for matches; the good ones go to review."""
    campaign = get_object_or_404(Campaign, pk=pk)
    back = reverse("admin:campaigns_campaign_change", args=[pk])

    def act(reason: str) -> str:
        try:
            found = matching.suggest(campaign, now=timezone.now())
        except matching.CampaignOver as e:
            messages.warning(request, str(e))
            return ""
        return (
            f"{found.created:,} new matches of {found.pairs:,} pairs; "
            f"{found.to_review:,} wait for a decision."
        )

    return ask(
        request,
        permission=CHANGE_CAMPAIGN,
        title=f"Match {campaign}",
        lines=[
            "Every lead is held against every candidate of this campaign. New matches above "
            "the threshold go to the review queue; nothing is sent.",
        ],
        button="Match now",
        back=back,
        act=act,
        with_reason=False,
        is_danger=False,
    )


def activate(request: HttpRequest, pk: int) -> HttpResponse:
    """Let a campaign run."""
    campaign = get_object_or_404(Campaign, pk=pk)

    def act(reason: str) -> str:
        return _moved(request, campaign.activate, f"{campaign} is active.")

    return ask(
        request,
        permission=CHANGE_CAMPAIGN,
        title=f"Activate {campaign}",
        lines=["Approved matches may be pitched, and approved messages go out at their times."],
        button="Activate",
        back=reverse("admin:campaigns_campaign_change", args=[pk]),
        act=act,
        with_reason=False,
        is_danger=False,
    )


def pause(request: HttpRequest, pk: int) -> HttpResponse:
    """Hold everything of a campaign."""
    campaign = get_object_or_404(Campaign, pk=pk)

    def act(reason: str) -> str:
        return _moved(request, lambda: campaign.pause(reason=reason), f"{campaign} is paused.")

    waiting = Message.objects.filter(
        pitch__campaign=campaign, status=Message.Status.QUEUED
    ).count()
    return ask(
        request,
        permission=CHANGE_CAMPAIGN,
        title=f"Pause {campaign}",
        lines=[
            f"Its {waiting} queued messages wait until it is active again; nothing is "
            "canceled. Answers are read as before.",
        ],
        button="Pause",
        back=reverse("admin:campaigns_campaign_change", args=[pk]),
        act=act,
        reasons=("Client asked", "Texts need work", "Too many bounces"),
    )


def _moved(request: HttpRequest, move: Any, told: str) -> str:
    try:
        move()
    except WrongStatus as e:
        messages.warning(request, str(e))
        return ""
    return told


class SequencePage(SequenceAdmin):
    """A version somebody was written to with stays as it was: a change makes the next one."""

    change_form_outer_before_template = "admin/desk/sequence_actions.html"

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("<int:pk>/next/", wrap(next_sequence), name="pitches_next_sequence"),
            path("<int:pk>/publish/", wrap(versions.publish), name="pitches_publish_sequence"),
            path("<int:pk>/preview/", wrap(versions.preview), name="pitches_preview_sequence"),
            *super().get_urls(),
        ]

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        sequence = self.get_object(request, object_id) if object_id else None
        more = versions.of(sequence) if sequence else {}
        return super().changeform_view(
            request, object_id, form_url, {**(extra_context or {}), **more}
        )

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        in_use = obj is not None and Pitch.objects.filter(sequence=obj).exists()
        return not in_use and super().has_change_permission(request, obj)


def next_sequence(request: HttpRequest, pk: int) -> HttpResponse:
    """Copy a sequence, so that it can be changed for the pitches to come."""
    sequence = get_object_or_404(Sequence, pk=pk)
    made: list[Sequence] = []

    def act(reason: str) -> str:
        made.append(sequence.next_version())
        return f"{made[0]} is a draft, yours to change. Publish it when it is ready."

    response = ask(
        request,
        permission="campaigns.add_sequence",
        title=f"The next version of {sequence.name}",
        lines=[
            "Pitches under way stay on the version they began with. The copy can be changed "
            "until the first pitch uses it.",
        ],
        button="Make the next version",
        back=reverse("admin:campaigns_sequence_change", args=[pk]),
        act=act,
        with_reason=False,
        is_danger=False,
    )
    return redirect("admin:campaigns_sequence_change", made[0].pk) if made else response


class LeadPage(LeadAdmin):
    change_form_outer_after_template = "admin/desk/lead_history.html"

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        lead = self.get_object(request, object_id) if object_id else None
        more = (
            {"pitches": list(past.pitches_to(lead, None)), "matches": _matches(lead=lead)}
            if lead
            else {}
        )
        return super().changeform_view(
            request, object_id, form_url, {**(extra_context or {}), **more}
        )


class CandidatePage(CandidateAdmin):
    change_form_outer_after_template = "admin/desk/candidate_history.html"

    def save_model(self, request: HttpRequest, obj: Candidate, form: Any, change: bool) -> None:
        """Who leaves is taken out of every text that has not gone out."""
        super().save_model(request, obj, form, change)
        if change and "status" in form.changed_data and obj.status != Candidate.Status.ACTIVE:
            reason = f"is {obj.get_status_display().lower()}"
            leaving.candidate_left(obj, reason=reason, now=timezone.now())

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        candidate = self.get_object(request, object_id) if object_id else None
        more = (
            {
                "pitched": list(past.matches_of(candidate.pk)),
                "matches": _matches(candidate=candidate),
            }
            if candidate
            else {}
        )
        return super().changeform_view(
            request, object_id, form_url, {**(extra_context or {}), **more}
        )


def _matches(**about: Any) -> list[Match]:
    """The best matches that are still to be pitched."""
    still = (Match.Status.SUGGESTED, Match.Status.TO_REVIEW, Match.Status.APPROVED)
    rows = Match.objects.filter(Q(**about), status__in=still, pitch=None)
    rows = rows.select_related("candidate", "lead", "campaign").defer(
        "lead__text", "lead__embedding", "candidate__embedding", "campaign__embedding"
    )
    return list(rows.order_by("-score", "pk")[: past.SHOWN])


class OrganizationPage(OrganizationAdmin):
    def save_model(
        self, request: HttpRequest, obj: Organization, form: Any, change: bool
    ) -> None:
        """Who asked to be left alone gets nothing more of what is under way."""
        super().save_model(request, obj, form, change)
        if obj.do_not_contact and "do_not_contact" in form.changed_data:
            reason = obj.do_not_contact_reason or "asked not to be contacted"
            stopping.do_not_contact(obj, reason=reason, by=user_of(request))


for model, page in (
    (Campaign, CampaignPage),
    (Organization, OrganizationPage),
    (Lead, LeadPage),
    (Candidate, CandidatePage),
    (Sequence, SequencePage),
):
    admin.site.unregister(model)
    admin.site.register(model, page)
