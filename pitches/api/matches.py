"""Matches: listed, approved, rejected."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils.timezone import now
from django_filters import rest_framework as filters
from drf_spectacular.utils import (
    extend_schema,
    extend_schema_view,
)
from rest_framework import serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from campaigns import access
from campaigns.models import Campaign
from config.db import WrongStatus
from config.rest import (
    IdFilter,
    YesNoFilter,
)
from pitches import review
from pitches.api.asked import MAY_BE_EMPTY, OWN, Reason, given
from pitches.models import (
    Match,
    ReviewTask,
)

MATCH_FOR_CLIENTS = [
    "id", "campaign", "candidate", "candidate_name", "lead", "lead_name", "status", "score",
    "reasoning", "client_decision", "client_decided_at", "suggested_at",
]  # fmt: skip


class MatchForClients(serializers.ModelSerializer):
    """What a client's own people see: the pair, its score and why (S000-047, SEC-6)."""

    candidate_name = serializers.CharField(source="candidate.name", read_only=True)
    lead_name = serializers.CharField(source="lead.name", read_only=True)

    class Meta:
        model = Match
        fields = MATCH_FOR_CLIENTS
        read_only_fields = MATCH_FOR_CLIENTS
        extra_kwargs = {"client_decision": MAY_BE_EMPTY, "staff_decision": MAY_BE_EMPTY}


class MatchSerializer(MatchForClients):
    organization = serializers.IntegerField(
        source="lead.organization_id", read_only=True, allow_null=True
    )

    class Meta(MatchForClients.Meta):
        fields = [
            *MATCH_FOR_CLIENTS, "organization", "cycle", "cycle_reason", "parts", "fit",
            "urgent", "is_preview", "client_decided_by", "staff_decision", "staff_decided_by",
            "staff_decided_at", "decline_reason", "pitch",
        ]  # fmt: skip
        read_only_fields = fields


class MatchFilters(filters.FilterSet):
    campaign = IdFilter(field_name="campaign_id")
    candidate = IdFilter(field_name="candidate_id")
    lead = IdFilter(field_name="lead_id")
    pitch = IdFilter(field_name="pitch_id")
    status = filters.ChoiceFilter(choices=Match.Status.choices)
    urgent = YesNoFilter()
    is_pitched = YesNoFilter(field_name="pitch", lookup_expr="isnull", exclude=True)
    min_score = filters.NumberFilter(
        field_name="score", lookup_expr="gte", min_value=0, max_value=100
    )


@extend_schema(tags=["matches"])
@extend_schema_view(
    list=extend_schema(responses=MatchSerializer(many=True)),
    retrieve=extend_schema(responses=MatchSerializer),
)
class Matches(viewsets.ReadOnlyModelViewSet):
    """Candidates for leads. A client's own people see theirs that wait for a decision.

    Approving and rejecting complete the review task, as everywhere (S000-044, S000-045); whose
    word counts is the campaign's policy.
    """

    permission_classes = [access.StaffOrClient]
    for_clients = {"list", "retrieve", "of_campaign", "approve", "reject"}
    needs = {"approve": "pitches.change_match", "reject": "pitches.change_match"}
    queryset = Match.objects.select_related("candidate", "lead")
    filterset_class = MatchFilters
    ordering = ("-urgent", "-score", "pk")

    def get_queryset(self) -> QuerySet:
        deciding = self.action in ("approve", "reject")
        user = self.request.user
        rows = access.visible(super().get_queryset(), user, client=OWN, deciding=deciding)
        return rows if access.is_staff(user) else rows.filter(status=Match.Status.TO_REVIEW)

    def get_serializer_class(self) -> Any:
        return MatchSerializer if access.shows_all(self) else MatchForClients

    @extend_schema(responses=MatchSerializer(many=True))
    def of_campaign(self, request: Request, campaign: str) -> Response:
        """The matches of one campaign (S000-077)."""
        campaigns = access.visible(Campaign.objects.all(), request.user, client="client")
        self.queryset = self.queryset.filter(campaign=get_object_or_404(campaigns, pk=campaign))
        return self.list(request)

    @extend_schema(request=None, responses=MatchSerializer)
    @action(detail=True, methods=["patch", "post"])
    def approve(self, request: Request, pk: str) -> Response:
        """Say yes for one's side; the match is approved once the policy is met."""
        match = self.get_object()
        review.approve(task_of(match), by=access.caller(request), now=now())
        return self._as_it_is_now(match)

    @extend_schema(request=Reason, responses=MatchSerializer)
    @action(detail=True, methods=["patch", "post"])
    def reject(self, request: Request, pk: str) -> Response:
        """Say no, with a reason. Any no is a no, and the pair is not suggested again."""
        match = self.get_object()
        reason = given(Reason, request)["reason"]
        review.reject(task_of(match), by=access.caller(request), now=now(), reason=reason)
        return self._as_it_is_now(match)

    def _as_it_is_now(self, match: Match) -> Response:
        rows = Match.objects.select_related("candidate", "lead")
        return Response(self.get_serializer(rows.get(pk=match.pk)).data)


def task_of(match: Match) -> ReviewTask:
    """The review task by which a match is decided; raises WrongStatus where none waits."""
    task = match.review_tasks.filter(status=ReviewTask.Status.OPEN).order_by("pk").last()
    if task is None:
        raise WrongStatus(match, "decided", match.get_status_display())
    return task
