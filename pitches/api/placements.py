"""What worked."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.utils.timezone import now
from django_filters import rest_framework as filters
from drf_spectacular.utils import (
    OpenApiExample,
    extend_schema,
    extend_schema_view,
)
from rest_framework import mixins, serializers, viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from campaigns import access
from config.rest import (
    IdFilter,
    Strict,
)
from pitches import placing
from pitches.api.asked import OWN
from pitches.models import (
    Placement,
    PlacementChange,
)


class PlacementChangeSerializer(serializers.ModelSerializer):
    class Meta:
        model = PlacementChange
        fields = ["old_status", "new_status", "changed_at", "user"]


class ChangeForClients(serializers.ModelSerializer):
    class Meta:
        model = PlacementChange
        fields = ["old_status", "new_status", "changed_at"]


PLACEMENT_FOR_CLIENTS = [
    "id", "kind", "campaign", "candidate", "candidate_name", "lead", "lead_name", "status",
    "starts_on", "ends_on", "history", "created_at", "updated_at",
]  # fmt: skip


class PlacementForClients(serializers.ModelSerializer):
    """What a client's own people see: no money, no notes of staff, nobody's name (SEC-6)."""

    candidate_name = serializers.CharField(source="candidate.name", read_only=True)
    lead_name = serializers.CharField(source="lead.name", read_only=True)
    history: Any = ChangeForClients(source="changes", many=True, read_only=True)

    class Meta:
        model = Placement
        fields = PLACEMENT_FOR_CLIENTS
        read_only_fields = PLACEMENT_FOR_CLIENTS


class PlacementSerializer(Strict, PlacementForClients):
    """A placement with its history, oldest change first (S000-070)."""

    history = PlacementChangeSerializer(source="changes", many=True, read_only=True)
    reason = serializers.CharField(
        write_only=True,
        required=False,
        max_length=300,
        help_text="Needed to go back a stage; kept with the notes.",
    )

    class Meta(PlacementForClients.Meta):
        fields = [
            *PLACEMENT_FOR_CLIENTS, "pitch", "value", "currency", "notes",
            "is_client_visible", "reason",
        ]  # fmt: skip
        read_only_fields = ["kind", "created_at", "updated_at"]
        # Whether the pair has an open placement is the database's to say, under its lock.
        validators: list[Any] = []

    def create(self, fields: dict[str, Any]) -> Placement:
        fields.pop("reason", None)
        return placing.place(by=access.caller(self.context["request"]), now=now(), **fields)

    def update(self, placement: Placement, fields: dict[str, Any]) -> Placement:
        status = fields.pop("status", placement.status)
        reason = fields.pop("reason", "")
        return placing.change(
            placement,
            by=access.caller(self.context["request"]),
            now=now(),
            to=status,
            reason=reason,
            **fields,
        )


class PlacementFilters(filters.FilterSet):
    campaign = IdFilter(field_name="campaign_id")
    candidate = IdFilter(field_name="candidate_id")
    client = IdFilter(field_name="campaign__client_id")
    person_id = IdFilter(
        field_name="campaign__client__memberships__user_id",
        label="The placements of the clients this person belongs to.",
    )
    status = filters.ChoiceFilter(choices=Placement.Status.choices)
    kind = filters.ChoiceFilter(choices=Placement.Kind.choices)


@extend_schema(tags=["placements"])
@extend_schema_view(
    list=extend_schema(responses=PlacementSerializer(many=True)),
    retrieve=extend_schema(responses=PlacementSerializer),
    update=extend_schema(
        examples=[
            OpenApiExample(
                "Back a stage", {"status": "interested", "reason": "The interview was moved."}
            )
        ]
    ),
)
class Placements(
    mixins.CreateModelMixin,
    mixins.UpdateModelMixin,
    viewsets.ReadOnlyModelViewSet,
):
    """What worked. Staff record and move; a client's own people read theirs (S000-067..069).

    PUT takes a part as PATCH does: ``{"status": "recorded"}`` is enough.
    """

    permission_classes = [access.StaffOrClient]
    for_clients = {"list", "retrieve"}
    queryset = Placement.objects.select_related("candidate", "lead").prefetch_related("changes")
    filterset_class = PlacementFilters
    ordering = ("-pk",)

    def get_queryset(self) -> QuerySet:
        rows = access.visible(super().get_queryset(), self.request.user, client=OWN)
        if access.is_staff(self.request.user):
            return rows
        return rows.filter(is_client_visible=True)

    def get_serializer_class(self) -> Any:
        return PlacementSerializer if access.shows_all(self) else PlacementForClients

    def update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        kwargs["partial"] = True
        return super().update(request, *args, **kwargs)
