"""Pitches and their messages, to look at."""

from __future__ import annotations

from typing import Any

import django_filters
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django_filters import rest_framework as filters
from drf_spectacular.utils import (
    extend_schema,
    extend_schema_view,
)
from rest_framework import mixins, serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from campaigns import access
from campaigns.models import Campaign, Channel
from config.rest import (
    IdFilter,
)
from pitches import outbox, resolving
from pitches.api.asked import MAY_BE_EMPTY, OWN, Reason, given
from pitches.api.runs import DecisionSerializer
from pitches.models import (
    Message,
    Pitch,
    Variant,
)


class VariantSerializer(serializers.ModelSerializer):
    class Meta:
        model = Variant
        fields = [
            "id", "number", "label", "tone", "author", "subject", "body", "original_subject",
            "original_body", "is_edited", "claims", "problems", "prompt_name", "is_chosen",
            "edited_by", "edited_at", "created_at",
        ]  # fmt: skip


class PitchForClients(serializers.ModelSerializer):
    """The status and no word of the text (S000-064)."""

    lead_name = serializers.CharField(source="lead.name", read_only=True)

    class Meta:
        model = Pitch
        fields = ["id", "campaign", "lead", "lead_name", "status", "created_at"]
        read_only_fields = fields


class PitchSerializer(PitchForClients):
    address = serializers.CharField(source="address.value", read_only=True)
    contact = serializers.IntegerField(source="address.contact_id", read_only=True)
    matches: Any = serializers.PrimaryKeyRelatedField(many=True, read_only=True)

    class Meta(PitchForClients.Meta):
        fields = [
            *PitchForClients.Meta.fields, "round", "contact", "address", "sender", "sequence",
            "send_mode", "status_reason", "outcome", "urgent", "is_imported", "matches",
            "first_sent_at", "replied_at", "ended_at",
        ]  # fmt: skip
        read_only_fields = fields
        extra_kwargs = {"outcome": MAY_BE_EMPTY}


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
    for_clients = {"list", "retrieve"}
    needs = {"send": "pitches.change_message"}
    queryset = Pitch.objects.select_related("lead", "address").prefetch_related("matches")
    filterset_class = PitchFilters
    ordering = ("-pk",)

    def get_queryset(self) -> QuerySet:
        rows = access.visible(super().get_queryset(), self.request.user, client=OWN)
        return rows if access.is_staff(self.request.user) else rows.prefetch_related(None)

    def get_serializer_class(self) -> Any:
        return PitchSerializer if access.shows_all(self) else PitchForClients

    @extend_schema(request=None, responses=DecisionSerializer(many=True), filters=False)
    @action(detail=True, methods=["post"], pagination_class=None, filter_backends=[])
    def send(self, request: Request, pk: str) -> Response:
        """Queue its first message, if it is approved and free to go (S000-062).

        Answers the decision: *send* with its time, or *hold* with the reason. The worker sends.
        """
        decided = outbox.send_ready(pitch=self.get_object(), now=timezone.now())
        return Response([decision.printed() for decision in decided])


class MessageSerializer(serializers.ModelSerializer):
    campaign = serializers.IntegerField(source="pitch.campaign_id", read_only=True)
    lead = serializers.IntegerField(source="pitch.lead_id", read_only=True)

    class Meta:
        model = Message
        fields = [
            "id", "campaign", "pitch", "lead", "step", "number", "channel", "status",
            "send_mode", "sender", "to_address", "message_id", "revision", "subject", "body",
            "attachments", "approved_at", "approved_by", "approved_policy", "not_before",
            "send_at", "expires_at", "hold_reason", "hold_until", "attempts", "last_error",
            "sent_at", "delivered_at", "opened_at", "clicked_at", "replied_at", "bounced_at",
            "canceled_reason", "resolved_at", "resolution", "created_at",
        ]  # fmt: skip


class EvidenceSerializer(serializers.Serializer):
    """One place that was asked; ``went_out`` is null where it says nothing."""

    source = serializers.CharField()  # type: ignore[assignment]  # a field of this name
    sentence = serializers.CharField()
    went_out = serializers.BooleanField(allow_null=True)


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
    needs = {
        "variants": "pitches.view_variant",
        "evidence": "pitches.view_message",
        "mark_sent": "pitches.change_message",
        "send_again": "pitches.change_message",
    }
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

    def get_permissions(self) -> list[Any]:
        """Only an admin decides what became of a message."""
        admins = [access.Admins()] if self.action in ("mark_sent", "send_again") else []
        return [*super().get_permissions(), *admins]

    @extend_schema(responses=EvidenceSerializer(many=True), filters=False)
    @action(detail=True, pagination_class=None, filter_backends=[])
    def evidence(self, request: Request, pk: str) -> Response:
        """What is known of a message of unknown fate. Asks the mailbox; sends nothing."""
        found = resolving.evidence(self._of_fate(), now=timezone.now())
        return Response(EvidenceSerializer(found, many=True).data)

    @extend_schema(request=Reason, responses=MessageSerializer)
    @action(detail=True, methods=["post"])
    def mark_sent(self, request: Request, pk: str) -> Response:
        """It went out, an admin says, with a reason, two hours after it was handed over."""
        return self._resolve(resolving.mark_sent, request)

    @extend_schema(request=Reason, responses=MessageSerializer)
    @action(detail=True, methods=["post"])
    def send_again(self, request: Request, pk: str) -> Response:
        """Into the queue again, an admin says, at the risk of a second copy."""
        return self._resolve(resolving.send_again, request)

    def _of_fate(self) -> Message:
        rows = Message.objects.select_related("sender", "pitch__address__contact", "step")
        found: Message = rows.get(pk=self.get_object().pk)
        return found

    def _resolve(self, decide: Any, request: Request) -> Response:
        reason = given(Reason, request)["reason"]
        by = access.caller(request)
        message = decide(self._of_fate(), by=by, reason=reason, now=timezone.now())
        return Response(MessageSerializer(message).data)


@extend_schema(tags=["campaigns"])
class CampaignMessages(mixins.ListModelMixin, viewsets.GenericViewSet):
    """The messages of one campaign (S001-034). Staff."""

    permission_classes = [access.Staff]
    needs = {"send": "pitches.change_message"}
    queryset = Message.objects.select_related("pitch")
    serializer_class = MessageSerializer
    filterset_class = MessageFilters
    ordering = ("-pk",)

    def get_queryset(self) -> QuerySet:
        if "campaign" not in self.kwargs:  # a schema is made without one
            return super().get_queryset()
        return super().get_queryset().filter(pitch__campaign=self._campaign())

    def _campaign(self) -> Campaign:
        found: Campaign = get_object_or_404(Campaign, pk=self.kwargs["campaign"])
        return found

    @extend_schema(request=None, responses=DecisionSerializer(many=True), filters=False)
    def send(self, request: Request, campaign: str) -> Response:
        """Queue what is approved and free to go; answers every decision. The worker sends."""
        decided = outbox.send_ready(self._campaign(), now=timezone.now())
        return Response([decision.printed() for decision in decided])
