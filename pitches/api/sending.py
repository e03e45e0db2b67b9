"""Who sends, how often, and what makes it stop."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from django_filters import rest_framework as filters
from drf_spectacular.utils import (
    OpenApiExample,
    extend_schema,
    extend_schema_view,
)
from rest_framework import serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from campaigns import access
from config.rest import (
    IdFilter,
    SavesAtOnce,
    Strict,
    YesNoFilter,
)
from pitches import breakers, connections, deliverability, samples, stopping
from pitches.api.asked import Reason, given
from pitches.models import (
    Breaker,
    EmailLimit,
    Sender,
    Stop,
)


class SenderSerializer(serializers.ModelSerializer):
    """The identity that writes; never its password, its login or its servers (SEC-16)."""

    campaigns: Any = serializers.PrimaryKeyRelatedField(many=True, read_only=True)

    class Meta:
        model = Sender
        fields = [
            "id", "name", "address", "user", "campaigns", "transport", "status",
            "status_reason", "signature", "time_zone", "daily_limit", "hourly_limit",
            "ramp_start", "ramp_step", "ramp_began_on", "gap_min", "gap_max", "inbox_read_at",
            "inbox_error", "checked_at", "check_error", "dkim_selector", "dns_checked_at",
            "dns_report", "created_at",
        ]  # fmt: skip


class TriedSerializer(serializers.Serializer):
    name = serializers.CharField()
    works = serializers.BooleanField()
    sentence = serializers.CharField()


class CheckedSerializer(serializers.Serializer):
    """What came of trying a sender's connections."""

    works = serializers.BooleanField()
    tried = TriedSerializer(many=True)


class FindingSerializer(serializers.Serializer):
    """One part of what DNS says: good, bad, or unknown where it could not be asked."""

    name = serializers.CharField()
    state = serializers.CharField()
    code = serializers.CharField(help_text="What is wrong; the same for the same fault.")
    sentence = serializers.CharField()


class DomainSerializer(serializers.Serializer):
    """Whether a sender's domain vouches for its mail."""

    domain = serializers.CharField()
    is_good = serializers.BooleanField()
    findings = FindingSerializer(many=True)


class ToldSerializer(serializers.Serializer):
    sentence = serializers.CharField()


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
    needs = {"post": "pitches.change_sender"}

    @extend_schema(request=None, responses=CheckedSerializer)
    @action(detail=True, methods=["post"])
    def check(self, request: Request, pk: str) -> Response:
        """Connect and log in at its servers; nothing is sent, nothing read."""
        checked = connections.check(self.get_object(), now=timezone.now())
        return Response(CheckedSerializer(checked).data)

    @extend_schema(request=None, responses=DomainSerializer)
    @action(detail=True, methods=["post"])
    def domain(self, request: Request, pk: str) -> Response:
        """Ask DNS about its SPF, DKIM, DMARC, MX and PTR, and keep what was found."""
        report = deliverability.check(self.get_object(), now=timezone.now())
        return Response(DomainSerializer(report.stored()).data)

    @extend_schema(request=None, responses=ToldSerializer)
    @action(detail=True, methods=["post"])
    def sample(self, request: Request, pk: str) -> Response:
        """Send a test through it to your own address; 409 with the reason if it may not go."""
        told = samples.send_greeting(
            self.get_object(), by=access.caller(request), now=timezone.now()
        )
        return Response({"sentence": told})


class EmailLimitSerializer(Strict, serializers.ModelSerializer):
    class Meta:
        model = EmailLimit
        fields = [
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


class StopSerializer(serializers.ModelSerializer):
    class Meta:
        model = Stop
        fields = [
            "id", "scope", "kind", "contact", "organization", "campaign", "client", "sender",
            "reason", "begins_at", "until", "lifted_at", "lifted_by", "created_by",
        ]  # fmt: skip


class StopOrder(Strict, serializers.ModelSerializer):
    """What is to be stopped: its scope, and the one row that the scope asks for."""

    kind = serializers.ChoiceField(
        choices=[(kind.value, kind.label) for kind in (Stop.Kind.STAFF, Stop.Kind.CLIENT)],
        default=Stop.Kind.STAFF.value,
        help_text="Who wants it. Replies, bounces and unsubscribes stop by themselves.",
    )

    class Meta:
        model = Stop
        fields = [
            "scope", "kind", "contact", "organization", "campaign", "client", "sender",
            "reason", "until",
        ]  # fmt: skip


class StopFilters(filters.FilterSet):
    scope = filters.ChoiceFilter(choices=Stop.Scope.choices)
    kind = filters.ChoiceFilter(choices=Stop.Kind.choices)
    contact = IdFilter(field_name="contact_id")
    organization = IdFilter(field_name="organization_id")
    campaign = IdFilter(field_name="campaign_id")
    client = IdFilter(field_name="client_id")
    sender = IdFilter(field_name="sender_id")
    is_lifted = YesNoFilter(field_name="lifted_at", lookup_expr="isnull", exclude=True)


@extend_schema(tags=["stops"])
@extend_schema_view(
    create=extend_schema(
        request=StopOrder,
        responses={201: StopSerializer},
        examples=[
            OpenApiExample(
                "Everything, at once",
                {"scope": "everything", "reason": "Wrong signature in all mails"},
                request_only=True,
            )
        ],
    )
)
class Stops(viewsets.ReadOnlyModelViewSet):
    """What makes sending stop, and since when. Staff."""

    permission_classes = [access.Staff]
    needs = {"lift": "pitches.change_stop"}
    queryset = Stop.objects.all()
    serializer_class = StopSerializer
    filterset_class = StopFilters
    ordering = ("-begins_at", "-pk")

    def create(self, request: Request) -> Response:
        order = StopOrder(data=request.data)
        order.is_valid(raise_exception=True)
        row = stopping.stop(by=access.caller(request), **order.validated_data)
        return Response(StopSerializer(row).data, status=201)

    @extend_schema(request=None, responses=StopSerializer)
    @action(detail=True, methods=["post"])
    def lift(self, request: Request, pk: str) -> Response:
        """End it. What it canceled stays canceled; what it held goes on."""
        return Response(
            StopSerializer(stopping.lift(self.get_object(), by=access.caller(request))).data
        )


class BreakerSerializer(serializers.ModelSerializer):
    target = serializers.CharField(read_only=True, help_text="What it holds, by name.")

    class Meta:
        model = Breaker
        fields = [
            "id", "scope", "cause", "level", "target", "sender", "campaign", "domain", "reason",
            "numbers", "tripped_at", "until", "closed_at", "closed_by", "closing_reason",
        ]  # fmt: skip


class BreakerFilters(filters.FilterSet):
    scope = filters.ChoiceFilter(choices=Breaker.Scope.choices)
    cause = filters.ChoiceFilter(choices=Breaker.Cause.choices)
    level = filters.ChoiceFilter(choices=Breaker.Level.choices)
    sender = IdFilter(field_name="sender_id")
    campaign = IdFilter(field_name="campaign_id")
    is_closed = YesNoFilter(field_name="closed_at", lookup_expr="isnull", exclude=True)


@extend_schema(tags=["breakers"])
class Breakers(viewsets.ReadOnlyModelViewSet):
    """What bounces, complaints and errors tripped: warnings, and pauses that nothing passes.

    Staff look; admins close.
    """

    permission_classes = [access.Staff]
    needs = {"close": "pitches.change_breaker"}
    queryset = Breaker.objects.select_related("sender", "campaign")
    serializer_class = BreakerSerializer
    filterset_class = BreakerFilters
    ordering = ("-tripped_at", "-pk")

    def get_permissions(self) -> list[Any]:
        """Only an admin lets it go on."""
        admins = [access.Admins()] if self.action == "close" else []
        return [*super().get_permissions(), *admins]

    @extend_schema(request=Reason, responses=BreakerSerializer)
    @action(detail=True, methods=["post"])
    def close(self, request: Request, pk: str) -> Response:
        """Let it go on, with a reason of ten characters or more. The past is forgiven."""
        row = breakers.close(
            self.get_object(),
            by=access.caller(request),
            reason=given(Reason, request)["reason"],
            now=timezone.now(),
        )
        return Response(BreakerSerializer(row).data)
