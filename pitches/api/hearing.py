"""What is planned next, and what came in."""

from __future__ import annotations

import django_filters
from django.db.models import QuerySet
from django.utils.timezone import now
from django_filters import rest_framework as filters
from drf_spectacular.utils import (
    extend_schema,
)
from rest_framework import serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from campaigns import access
from config.rest import (
    IdFilter,
    Strict,
    YesNoFilter,
)
from pitches import inbox
from pitches.api.asked import given
from pitches.models import (
    FollowUpTask,
    IncomingMessage,
    Pitch,
    WebhookDelivery,
)


class FollowUpTaskSerializer(serializers.ModelSerializer):
    campaign = serializers.IntegerField(source="pitch.campaign_id", read_only=True)
    lead = serializers.IntegerField(source="pitch.lead_id", read_only=True)
    lead_name = serializers.CharField(source="pitch.lead.name", read_only=True)
    step_name = serializers.CharField(source="step.name", read_only=True)
    action = serializers.CharField(source="step.action", read_only=True)

    class Meta:
        model = FollowUpTask
        fields = [
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
        fields = [
            "id", "sender", "source", "message_id", "from_address", "from_name", "subject",
            "text", "reply_text", "kind", "intent", "classified_by", "pitch", "answers",
            "contact", "matched_by", "possible_pitches", "bounce_kind", "bounce_status",
            "bounce_recipients", "returns_on", "received_at", "handled_at",
        ]  # fmt: skip


class Meaning(Strict):
    pitch = serializers.PrimaryKeyRelatedField(
        queryset=Pitch.objects.select_related("address__contact", "campaign__client"),
        allow_null=True,
    )


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
    queryset = IncomingMessage.objects.defer("raw").prefetch_related("possible_pitches")
    serializer_class = IncomingMessageSerializer
    filterset_class = IncomingMessageFilters
    ordering = ("-received_at", "-pk")
    needs = {"post": "pitches.change_incomingmessage"}

    @extend_schema(request=Meaning, responses=IncomingMessageSerializer)
    @action(detail=True, methods=["post"])
    def settle(self, request: Request, pk: str) -> Response:
        """Say which pitch it means; null: none of ours. Its consequence is drawn at once."""
        meant = given(Meaning, request)
        incoming = inbox.settle_meaning(
            self.get_object(), meant["pitch"], by=access.caller(request), now=now()
        )
        return Response(IncomingMessageSerializer(incoming).data)


class WebhookDeliverySerializer(serializers.ModelSerializer):
    """Without what was said: that is full of people, and may hold a secret."""

    class Meta:
        model = WebhookDelivery
        fields = [
            "id", "provider", "sender", "verdict", "received_at", "processed_at", "error",
        ]  # fmt: skip


class WebhookDeliveryFilters(filters.FilterSet):
    provider = django_filters.CharFilter()
    sender = IdFilter(field_name="sender_id")
    verdict = filters.ChoiceFilter(choices=WebhookDelivery.Verdict.choices)
    is_processed = YesNoFilter(field_name="processed_at", lookup_expr="isnull", exclude=True)
    is_understood = YesNoFilter(method="understood")

    def understood(
        self, rows: QuerySet[WebhookDelivery], name: str, wanted: bool
    ) -> QuerySet[WebhookDelivery]:
        """Those without an event that was set aside, or those with one."""
        return rows.filter(error="") if wanted else rows.filter(error__gt="")


@extend_schema(tags=["webhook deliveries"])
class WebhookDeliveries(viewsets.ReadOnlyModelViewSet):
    """What providers reported, the newest first, and what of it was not understood. Staff."""

    permission_classes = [access.Staff]
    queryset = WebhookDelivery.objects.defer("body", "headers", "delivery_id")
    serializer_class = WebhookDeliverySerializer
    filterset_class = WebhookDeliveryFilters
    ordering = ("-pk",)
