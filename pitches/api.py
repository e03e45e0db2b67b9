"""The API of the talking: matches, reviews, pitches, messages, stops, replies, placements.

Each view makes one call into the work and reports. Staff see all; a client's own people see
their matches to review, the status of their pitches and their placements.
"""

from __future__ import annotations

from typing import Any, ClassVar

import django_filters
from django.db.models import QuerySet
from django.utils.timezone import now
from django_filters import rest_framework as filters
from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_view
from rest_framework import mixins, serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from campaigns import access
from campaigns.models import Channel
from config.rest import IdFilter, SavesAtOnce, Strict, YesNoFilter
from pitches import placing
from pitches.models import (
    EmailLimit,
    FollowUpTask,
    IncomingMessage,
    Match,
    Message,
    Pitch,
    Placement,
    PlacementChange,
    Sender,
    Variant,
)

OWN = "campaign__client"


class Reason(Strict):
    reason = serializers.CharField(max_length=300)


# Matches

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


class MatchSerializer(MatchForClients):
    organization = serializers.IntegerField(source="lead.organization_id", read_only=True)

    class Meta(MatchForClients.Meta):
        fields: ClassVar = [
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


# Pitches


class PitchForClients(serializers.ModelSerializer):
    """The status and no word of the text (S000-064)."""

    lead_name = serializers.CharField(source="lead.name", read_only=True)

    class Meta:
        model = Pitch
        fields: ClassVar = ["id", "campaign", "lead", "lead_name", "status", "created_at"]
        read_only_fields = fields


class PitchSerializer(PitchForClients):
    address = serializers.CharField(source="address.value", read_only=True)
    contact = serializers.IntegerField(source="address.contact_id", read_only=True)
    matches = serializers.PrimaryKeyRelatedField(many=True, read_only=True)

    class Meta(PitchForClients.Meta):
        fields: ClassVar = [
            *PitchForClients.Meta.fields, "round", "contact", "address", "sender", "sequence",
            "send_mode", "status_reason", "outcome", "urgent", "is_imported", "matches",
            "first_sent_at", "replied_at", "ended_at",
        ]  # fmt: skip
        read_only_fields = fields


class PitchFilters(filters.FilterSet):
    campaign = IdFilter(field_name="campaign_id")
    campaign_id = IdFilter(field_name="campaign_id", label="The same as campaign.")
    lead = IdFilter(field_name="lead_id")
    status = filters.ChoiceFilter(choices=Pitch.Status.choices)
    outcome = filters.ChoiceFilter(choices=Pitch.Outcome.choices)
    created_after = django_filters.IsoDateTimeFilter(field_name="created_at", lookup_expr="gte")
    created_before = django_filters.IsoDateTimeFilter(field_name="created_at", lookup_expr="lt")


@extend_schema(tags=["pitches"])
@extend_schema_view(
    list=extend_schema(responses=PitchSerializer(many=True)),
    retrieve=extend_schema(responses=PitchSerializer),
)
class Pitches(viewsets.ReadOnlyModelViewSet):
    """Approaches to leads. A client's own people see which, and how each stands.

    The three lists of the desk (S000-063): approved matches without a pitch are
    ``/match-suggestions/?status=approved&is_pitched=false``, drafts to review are
    ``?status=draft`` here, what is ready to send is ``?status=approved``.
    """

    permission_classes = [access.StaffOrClient]
    for_clients: ClassVar = {"list", "retrieve"}
    queryset = Pitch.objects.select_related("lead", "address").prefetch_related("matches")
    filterset_class = PitchFilters
    ordering = ("-pk",)

    def get_queryset(self) -> QuerySet:
        rows = access.visible(super().get_queryset(), self.request.user, client=OWN)
        return rows if access.is_staff(self.request.user) else rows.prefetch_related(None)

    def get_serializer_class(self) -> Any:
        staff = self.request is None or access.is_staff(self.request.user)
        return PitchSerializer if staff else PitchForClients


# Messages


class VariantSerializer(serializers.ModelSerializer):
    class Meta:
        model = Variant
        fields: ClassVar = [
            "id", "number", "label", "tone", "author", "subject", "body", "original_subject",
            "original_body", "is_edited", "claims", "problems", "prompt_name", "is_chosen",
            "edited_by", "edited_at", "created_at",
        ]  # fmt: skip


class MessageSerializer(serializers.ModelSerializer):
    campaign = serializers.IntegerField(source="pitch.campaign_id", read_only=True)
    lead = serializers.IntegerField(source="pitch.lead_id", read_only=True)

    class Meta:
        model = Message
        fields: ClassVar = [
            "id", "campaign", "pitch", "lead", "step", "number", "channel", "status",
            "send_mode", "sender", "to_address", "message_id", "revision", "subject", "body",
            "approved_at", "approved_by", "approved_policy", "not_before", "send_at",
            "expires_at", "hold_reason", "hold_until", "attempts", "last_error", "sent_at",
            "delivered_at", "opened_at", "clicked_at", "replied_at", "bounced_at",
            "canceled_reason", "created_at",
        ]  # fmt: skip


class MessageFilters(filters.FilterSet):
    pitch = IdFilter(field_name="pitch_id")
    sender = IdFilter(field_name="sender_id")
    status = filters.ChoiceFilter(choices=Message.Status.choices)
    channel = filters.ChoiceFilter(choices=Channel.choices)
    created_after = django_filters.IsoDateTimeFilter(field_name="created_at", lookup_expr="gte")
    created_before = django_filters.IsoDateTimeFilter(field_name="created_at", lookup_expr="lt")
    sent_after = django_filters.IsoDateTimeFilter(field_name="sent_at", lookup_expr="gte")
    sent_before = django_filters.IsoDateTimeFilter(field_name="sent_at", lookup_expr="lt")


class MessageFiltersWithCampaign(MessageFilters):
    campaign = IdFilter(field_name="pitch__campaign_id")


@extend_schema(tags=["messages"])
class Messages(viewsets.ReadOnlyModelViewSet):
    """Texts on their way. Staff."""

    permission_classes = [access.Staff]
    needs: ClassVar = {"variants": "pitches.view_variant"}
    queryset = Message.objects.select_related("pitch")
    serializer_class = MessageSerializer
    filterset_class = MessageFiltersWithCampaign
    ordering = ("-pk",)

    @extend_schema(responses=VariantSerializer(many=True), filters=False)
    @action(detail=True, pagination_class=None, filter_backends=[])
    def variants(self, request: Request, pk: str) -> Response:
        """Every draft of one message, side by side (S001-037)."""
        variants = self.get_object().variants.order_by("number")
        return Response(VariantSerializer(variants, many=True).data)


@extend_schema(tags=["campaigns"])
class CampaignMessages(mixins.ListModelMixin, viewsets.GenericViewSet):
    """The messages of one campaign (S001-034). Staff."""

    permission_classes = [access.Staff]
    queryset = Message.objects.select_related("pitch")
    serializer_class = MessageSerializer
    filterset_class = MessageFilters
    ordering = ("-pk",)

    def get_queryset(self) -> QuerySet:
        campaign = self.kwargs.get("campaign")
        return super().get_queryset().filter(pitch__campaign_id=campaign)


# Senders, limits


class SenderSerializer(serializers.ModelSerializer):
    """The identity that writes; never its password, its login or its servers (SEC-16)."""

    campaigns = serializers.PrimaryKeyRelatedField(many=True, read_only=True)

    class Meta:
        model = Sender
        fields: ClassVar = [
            "id", "name", "address", "user", "campaigns", "transport", "status",
            "status_reason", "signature", "time_zone", "daily_limit", "hourly_limit",
            "ramp_start", "ramp_step", "ramp_began_on", "gap_min", "gap_max", "inbox_read_at",
            "inbox_error", "created_at",
        ]  # fmt: skip


class SenderFilters(filters.FilterSet):
    campaign = IdFilter(field_name="campaigns__id")
    user = IdFilter(field_name="user_id")
    status = filters.ChoiceFilter(choices=Sender.Status.choices)


@extend_schema(tags=["senders"])
class Senders(viewsets.ReadOnlyModelViewSet):
    """Who writes. Staff; set up in the admin, where secrets are typed in and never shown."""

    permission_classes = [access.Staff]
    queryset = Sender.objects.defer("password").prefetch_related("campaigns")
    serializer_class = SenderSerializer
    filterset_class = SenderFilters
    ordering = ("name", "pk")


class EmailLimitSerializer(Strict, serializers.ModelSerializer):
    class Meta:
        model = EmailLimit
        fields: ClassVar = [
            "id", "scope", "organization", "contact", "sender", "campaign", "domain", "counts",
            "maximum", "hours",
        ]  # fmt: skip


class EmailLimitFilters(filters.FilterSet):
    scope = filters.ChoiceFilter(choices=EmailLimit.Scope.choices)
    organization = IdFilter(field_name="organization_id")
    campaign = IdFilter(field_name="campaign_id")
    sender = IdFilter(field_name="sender_id")


@extend_schema(tags=["limits"])
@extend_schema_view(
    create=extend_schema(
        examples=[
            OpenApiExample(
                "One new pitch a week to an organization",
                {"scope": "organization", "organization": 1, "maximum": 1, "hours": 168},
                request_only=True,
            )
        ]
    )
)
class EmailLimits(SavesAtOnce, viewsets.ModelViewSet):
    """How often we may write. A row with a target overrides its scope's row. Staff."""

    permission_classes = [access.Staff]
    queryset = EmailLimit.objects.all()
    serializer_class = EmailLimitSerializer
    filterset_class = EmailLimitFilters
    ordering = ("-pk",)


# Follow-ups and what came in


class FollowUpTaskSerializer(serializers.ModelSerializer):
    campaign = serializers.IntegerField(source="pitch.campaign_id", read_only=True)
    lead = serializers.IntegerField(source="pitch.lead_id", read_only=True)
    lead_name = serializers.CharField(source="pitch.lead.name", read_only=True)
    step_name = serializers.CharField(source="step.name", read_only=True)
    action = serializers.CharField(source="step.action", read_only=True)

    class Meta:
        model = FollowUpTask
        fields: ClassVar = [
            "id", "pitch", "campaign", "lead", "lead_name", "step", "step_name", "action",
            "due_at", "done_at", "canceled_at", "reason",
        ]  # fmt: skip


class FollowUpTaskFilters(filters.FilterSet):
    pitch = IdFilter(field_name="pitch_id")
    campaign = IdFilter(field_name="pitch__campaign_id")
    due_after = django_filters.IsoDateTimeFilter(field_name="due_at", lookup_expr="gte")
    due_before = django_filters.IsoDateTimeFilter(field_name="due_at", lookup_expr="lt")
    is_done = YesNoFilter(field_name="done_at", lookup_expr="isnull", exclude=True)
    is_canceled = YesNoFilter(field_name="canceled_at", lookup_expr="isnull", exclude=True)


@extend_schema(tags=["follow-up tasks"])
class FollowUpTasks(viewsets.ReadOnlyModelViewSet):
    """The planned next steps, soonest first. Staff."""

    permission_classes = [access.Staff]
    queryset = FollowUpTask.objects.select_related("pitch__lead", "step")
    serializer_class = FollowUpTaskSerializer
    filterset_class = FollowUpTaskFilters
    ordering = ("due_at", "pk")


class IncomingMessageSerializer(serializers.ModelSerializer):
    class Meta:
        model = IncomingMessage
        fields: ClassVar = [
            "id", "sender", "source", "message_id", "from_address", "from_name", "subject",
            "text", "reply_text", "kind", "intent", "classified_by", "pitch", "answers",
            "contact", "matched_by", "received_at", "handled_at",
        ]  # fmt: skip


class IncomingMessageFilters(filters.FilterSet):
    pitch = IdFilter(field_name="pitch_id")
    sender = IdFilter(field_name="sender_id")
    contact = IdFilter(field_name="contact_id")
    kind = filters.ChoiceFilter(choices=IncomingMessage.Kind.choices)
    intent = filters.ChoiceFilter(choices=IncomingMessage.Intent.choices)
    is_matched = YesNoFilter(field_name="pitch", lookup_expr="isnull", exclude=True)
    is_handled = YesNoFilter(field_name="handled_at", lookup_expr="isnull", exclude=True)


@extend_schema(tags=["incoming messages"])
class IncomingMessages(viewsets.ReadOnlyModelViewSet):
    """Everything that came in, what matched nothing too. Staff."""

    permission_classes = [access.Staff]
    queryset = IncomingMessage.objects.defer("raw")
    serializer_class = IncomingMessageSerializer
    filterset_class = IncomingMessageFilters
    ordering = ("-received_at", "-pk")


# Placements


class PlacementChangeSerializer(serializers.ModelSerializer):
    class Meta:
        model = PlacementChange
        fields: ClassVar = ["old_status", "new_status", "changed_at", "user"]


class ChangeForClients(serializers.ModelSerializer):
    class Meta:
        model = PlacementChange
        fields: ClassVar = ["old_status", "new_status", "changed_at"]


PLACEMENT_FOR_CLIENTS = [
    "id", "kind", "campaign", "candidate", "candidate_name", "lead", "lead_name", "status",
    "starts_on", "ends_on", "history", "created_at", "updated_at",
]  # fmt: skip


class PlacementForClients(serializers.ModelSerializer):
    """What a client's own people see: no money, no notes of staff, nobody's name (SEC-6)."""

    candidate_name = serializers.CharField(source="candidate.name", read_only=True)
    lead_name = serializers.CharField(source="lead.name", read_only=True)
    history = ChangeForClients(source="changes", many=True, read_only=True)

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
        fields: ClassVar = [
            *PLACEMENT_FOR_CLIENTS, "pitch", "value", "currency", "notes",
            "is_client_visible", "reason",
        ]  # fmt: skip
        read_only_fields: ClassVar = ["kind", "created_at", "updated_at"]
        # Whether the pair has an open placement is the database's to say, under its lock.
        validators: ClassVar = []

    def create(self, fields: dict[str, Any]) -> Placement:
        fields.pop("reason", None)
        return placing.place(by=self.context["request"].user, **fields)

    def update(self, placement: Placement, fields: dict[str, Any]) -> Placement:
        status = fields.pop("status", placement.status)
        reason = fields.pop("reason", "")
        return placing.change(
            placement,
            by=self.context["request"].user,
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
    for_clients: ClassVar = {"list", "retrieve"}
    queryset = Placement.objects.select_related("candidate", "lead").prefetch_related("changes")
    filterset_class = PlacementFilters
    ordering = ("-pk",)

    def get_queryset(self) -> QuerySet:
        rows = access.visible(super().get_queryset(), self.request.user, client=OWN)
        if access.is_staff(self.request.user):
            return rows
        return rows.filter(is_client_visible=True)

    def get_serializer_class(self) -> Any:
        staff = self.request is None or access.is_staff(self.request.user)
        return PlacementSerializer if staff else PlacementForClients

    def update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        kwargs["partial"] = True
        return super().update(request, *args, **kwargs)
