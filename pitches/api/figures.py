"""Outreach in figures; what each means is said in ``pitches.metrics``."""

from __future__ import annotations

from django.utils.timezone import now
from drf_spectacular.utils import (
    extend_schema,
)
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from campaigns import access
from config.rest import (
    check_parameters,
)
from pitches import metrics
from pitches.models import (
    Message,
    SendMode,
)


class Share(serializers.Serializer):
    pitches = serializers.IntegerField()
    responses = serializers.IntegerField()
    response_rate = serializers.DecimalField(
        max_digits=8, decimal_places=2, allow_null=True, help_text="Percent."
    )


class Period(Share):
    messages = serializers.IntegerField()
    follow_ups = serializers.IntegerField()


class LatestSerializer(serializers.Serializer):
    id = serializers.IntegerField()
    pitch = serializers.IntegerField()
    lead = serializers.CharField()
    organization = serializers.CharField(allow_null=True)
    candidates = serializers.ListField(child=serializers.CharField())
    step = serializers.CharField()
    status = serializers.ChoiceField(choices=Message.Status.choices)
    urgent = serializers.BooleanField()
    out_at = serializers.DateTimeField()
    replied_at = serializers.DateTimeField(allow_null=True)


class StatusSerializer(serializers.Serializer):
    send_mode = serializers.ChoiceField(choices=SendMode.choices)
    at = serializers.DateTimeField()
    totals = Period()
    last_24_hours = Period()
    last_week = Period()
    follow_ups_due = serializers.IntegerField()
    responses = serializers.IntegerField()
    response_rate = serializers.DecimalField(max_digits=8, decimal_places=2, allow_null=True)
    latest = LatestSerializer(many=True)


class OutreachStatus(APIView):
    """How outreach stands, in the present send mode alone (S003-057). Staff."""

    permission_classes = [access.Staff]
    needs = {"get": "pitches.view_pitch"}

    @extend_schema(tags=["outreach"], responses=StatusSerializer)
    def get(self, request: Request) -> Response:
        check_parameters(request, set())
        return Response(StatusSerializer(metrics.status(now=now())).data)


class Overview(Period):
    bounced = serializers.IntegerField()


class DaySerializer(serializers.Serializer):
    date = serializers.DateField()
    pitches = serializers.IntegerField()
    messages = serializers.IntegerField()
    responses = serializers.IntegerField()


class TypeSerializer(serializers.Serializer):
    type = serializers.CharField()
    number = serializers.IntegerField()
    messages = serializers.IntegerField()
    responses = serializers.IntegerField()
    response_rate = serializers.DecimalField(max_digits=8, decimal_places=2, allow_null=True)


class TopSerializer(Share):
    id = serializers.IntegerField()
    name = serializers.CharField()


class VariantShareSerializer(Share):
    label = serializers.CharField(  # type: ignore[assignment]  # a field of this name
        allow_blank=True, help_text="Its tone or template."
    )


class AnalyticsSerializer(serializers.Serializer):
    send_mode = serializers.ChoiceField(choices=SendMode.choices)
    at = serializers.DateTimeField()
    overview = Overview()
    recent = DaySerializer(many=True)
    by_type = TypeSerializer(many=True)
    by_variant = VariantShareSerializer(many=True)
    response_types = serializers.DictField(child=serializers.IntegerField())
    urgent = Share()
    normal = Share()
    top_leads = TopSerializer(many=True)
    top_organizations = TopSerializer(many=True)
    follow_up_effectiveness = TypeSerializer(many=True)


class OutreachAnalytics(APIView):
    """The same in detail: by day, type, intent, urgency, lead and step (S003-058). Staff."""

    permission_classes = [access.Staff]
    needs = {"get": "pitches.view_pitch"}

    @extend_schema(tags=["outreach"], responses=AnalyticsSerializer)
    def get(self, request: Request) -> Response:
        check_parameters(request, set())
        return Response(AnalyticsSerializer(metrics.analytics(now=now())).data)
