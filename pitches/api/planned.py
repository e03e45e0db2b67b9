"""Sequences for a lead, weeks of by-hand work, and the day's list (S004-011, S004-039)."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.shortcuts import get_object_or_404
from django.utils.timezone import now
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from campaigns import access
from config.rest import Strict, check_parameters, yes_or_no
from pitches import by_hand, outreach, sequences, situations, weekly
from pitches.api.asked import Reason, given
from pitches.api.runs import CampaignField, DryRun
from pitches.models import Message, Pitch
from prospects.models import Lead

KINDS = ("3-step", "5-step", "7-step", "soft_nudge", "direct_cta", "placement")


# -- sequences -------------------------------------------------------------------------------


class SequenceOrder(Strict):
    prospect_id = serializers.PrimaryKeyRelatedField(
        queryset=Lead.objects.select_related("organization", "segment"), source="lead"
    )
    sequence_type = serializers.ChoiceField(
        choices=KINDS, required=False, help_text="Empty: the campaign's own."
    )
    campaign = CampaignField(
        required=False, help_text="Id or slug; needed where several have a match."
    )


class VariantToldSerializer(serializers.Serializer):
    id = serializers.IntegerField()
    label = serializers.CharField()  # type: ignore[assignment]  # its name in our API
    subject = serializers.CharField()
    body = serializers.CharField()
    is_chosen = serializers.BooleanField()
    problems = serializers.ListField(child=serializers.DictField())


class StepToldSerializer(serializers.Serializer):
    id = serializers.IntegerField()
    number = serializers.IntegerField()
    step = serializers.CharField()
    channel = serializers.CharField()
    date = serializers.DateField(help_text="When it went out or will, if nothing holds it.")
    status = serializers.CharField()
    subject = serializers.CharField()
    body = serializers.CharField(help_text="The frozen words, once they are approved.")
    variants = VariantToldSerializer(many=True)


class SequenceToldSerializer(serializers.Serializer):
    """The messages of one lead, in order."""

    pitch_id = serializers.IntegerField()
    prospect_id = serializers.IntegerField()
    campaign = serializers.CharField()
    sequence_type = serializers.CharField()
    version = serializers.IntegerField(allow_null=True)
    segment = serializers.CharField(allow_null=True)
    status = serializers.CharField()
    messages = StepToldSerializer(many=True)


def told(pitch: Pitch) -> dict[str, Any]:
    """A sequence as the API answers it."""
    messages = [m for m in pitch.messages.all() if m.status != Message.Status.CANCELED]
    return {
        "pitch_id": pitch.pk,
        "prospect_id": pitch.lead_id,
        "campaign": pitch.campaign.slug,
        "sequence_type": pitch.sequence.key if pitch.sequence else "",
        "version": pitch.sequence.version if pitch.sequence else None,
        "segment": pitch.lead.segment.key if pitch.lead.segment else None,
        "status": pitch.status,
        "messages": [_step(pitch, message) for message in messages],
    }


def _step(pitch: Pitch, message: Message) -> dict[str, Any]:
    return {
        "id": message.pk,
        "number": message.number,
        "step": message.step.name if message.step else "answer",
        "channel": message.channel,
        "date": sequences.planned_at(pitch, message).date().isoformat(),
        "status": message.status,
        "subject": message.subject,
        "body": message.body,
        "variants": [
            {
                "id": variant.pk,
                "label": variant.label,
                "subject": variant.subject,
                "body": variant.body,
                "is_chosen": variant.is_chosen,
                "problems": variant.problems,
            }
            for variant in message.variants.all()
        ],
    }


class SequenceGenerate(APIView):
    """Draft a whole sequence for a lead; it is reviewed before anything is used. Staff."""

    permission_classes = [access.Staff]
    needs = {"post": "pitches.add_pitch"}

    @extend_schema(
        tags=["outreach"],
        request=SequenceOrder,
        responses={201: SequenceToldSerializer},
        examples=[
            OpenApiExample(
                "Three steps", {"prospect_id": 1, "sequence_type": "3-step"}, request_only=True
            )
        ],
    )
    def post(self, request: Request) -> Response:
        order = given(SequenceOrder, request)
        pitch = sequences.generate(
            order["lead"],
            key=order.get("sequence_type", ""),
            campaign=order.get("campaign"),
            now=now(),
        )
        return Response(told(pitch), status=201)


class SequenceOfProspect(APIView):
    """The newest sequence written for a lead; 404 if there is none. Staff."""

    permission_classes = [access.Staff]
    needs = {"get": "pitches.view_pitch"}

    @extend_schema(tags=["outreach"], responses=SequenceToldSerializer)
    def get(self, request: Request, pk: str) -> Response:
        pitch = sequences.of_lead(get_object_or_404(Lead, pk=pk))
        if pitch is None:
            raise NotFound("No sequence was written for this prospect.")
        return Response(told(pitch))


# -- weeks -----------------------------------------------------------------------------------


class WeekOrder(Strict):
    campaign = CampaignField(help_text="Id or slug.")
    owner = serializers.SlugRelatedField(
        slug_field="username",
        queryset=User.objects.all(),
        required=False,
        help_text="Who works the week; empty: you.",
    )
    week = serializers.DateField(
        required=False, help_text="Its Monday; empty: this week, on a weekend the next."
    )
    target_connection_requests = serializers.IntegerField(
        required=False, default=weekly.REQUESTS, help_text="10 to 100."
    )
    target_followups = serializers.IntegerField(
        required=False, default=weekly.FOLLOW_UPS, help_text="5 to 100."
    )


class EntryToldSerializer(serializers.Serializer):
    kind = serializers.ChoiceField(choices=["request", "follow_up"])
    day = serializers.CharField()
    date = serializers.DateField()
    time = serializers.CharField()
    at = serializers.DateTimeField()
    prospect_id = serializers.IntegerField()
    prospect = serializers.CharField()
    segment = serializers.CharField(allow_null=True)
    message_id = serializers.IntegerField(allow_null=True)
    status = serializers.CharField()
    is_done = serializers.BooleanField()


class WeekToldSerializer(serializers.Serializer):
    """A week's plan; what ``weekly --json`` prints."""

    id = serializers.IntegerField(allow_null=True, help_text="Empty in a dry run.")
    campaign = serializers.CharField()
    owner = serializers.CharField()
    week = serializers.DateField()
    time_zone = serializers.CharField()
    target_connection_requests = serializers.IntegerField()
    target_followups = serializers.IntegerField()
    connection_requests = serializers.IntegerField()
    followups = serializers.IntegerField()
    by_segment = serializers.DictField(child=serializers.IntegerField())
    warnings = serializers.ListField(child=serializers.CharField())
    entries = EntryToldSerializer(many=True)


class WeeklyCadence(APIView):
    """Build a week of by-hand work; again keeps what is done. Staff."""

    permission_classes = [access.Staff]
    needs = {"post": "pitches.add_weeklyplan"}

    @extend_schema(
        tags=["outreach"],
        request=WeekOrder,
        parameters=[DryRun],
        responses=WeekToldSerializer,
        examples=[
            OpenApiExample(
                "Forty requests",
                {"campaign": "autumn", "target_connection_requests": 40},
                request_only=True,
            )
        ],
    )
    def post(self, request: Request) -> Response:
        check_parameters(request, {"dry_run"})
        is_dry = yes_or_no(request, "dry_run")
        order = given(WeekOrder, request)
        owner = order.get("owner") or access.caller(request)
        asked = {
            "monday": order.get("week"),
            "requests": order["target_connection_requests"],
            "follow_ups": order["target_followups"],
            "now": now(),
        }
        try:
            if is_dry:
                week = outreach.dry(lambda: weekly.plan(order["campaign"], owner, **asked))
            else:
                week = weekly.build(order["campaign"], owner, **asked)
        except weekly.BadWeek as e:
            raise ValidationError(str(e)) from e
        return Response(week.printed())


# -- by hand ---------------------------------------------------------------------------------


class ByHandSerializer(serializers.Serializer):
    """One approved text that a person takes to its recipient."""

    id = serializers.IntegerField(source="message.pk")
    prospect_id = serializers.IntegerField(source="message.pitch.lead_id")
    person = serializers.CharField(source="message.pitch.address.contact.name")
    organization = serializers.CharField(source="decision.organization")
    profile = serializers.CharField(help_text="The page to open; empty if none is known.")
    channel = serializers.CharField(source="message.channel")
    step = serializers.CharField(source="decision.step")
    due_at = serializers.DateTimeField()
    subject = serializers.CharField(source="message.subject")
    body = serializers.CharField(source="message.body")
    length = serializers.IntegerField()
    most = serializers.IntegerField(allow_null=True)
    sentence = serializers.CharField(source="decision.sentence")


class ByHand(APIView):
    """Your own list of today. Staff."""

    permission_classes = [access.Staff]
    needs = {"get": "pitches.view_message"}

    @extend_schema(tags=["by hand"], responses=ByHandSerializer(many=True))
    def get(self, request: Request) -> Response:
        check_parameters(request, set())
        day = by_hand.today(access.caller(request), now=now())
        return Response(ByHandSerializer(day.entries, many=True).data)


class RecordedSerializer(serializers.Serializer):
    id = serializers.IntegerField(source="pk")
    status = serializers.CharField()
    receipt = serializers.CharField()
    canceled_reason = serializers.CharField()


def _recorded(pk: int) -> Response:
    return Response(RecordedSerializer(Message.objects.get(pk=pk)).data)


def _message(pk: str) -> Message:
    message: Message = get_object_or_404(situations.readable(Message.objects.by_hand()), pk=pk)
    return message


class SentOrder(Strict):
    note = serializers.CharField(
        max_length=250,
        required=False,
        help_text="It had been sent before something held it: when, and what happened.",
    )


class ByHandSent(APIView):
    """You have sent it. 409 with the reason if something holds it; then only with a ``note``,
    where it had been sent already. Staff.
    """

    permission_classes = [access.Staff]
    needs = {"post": "pitches.change_message"}

    @extend_schema(tags=["by hand"], request=SentOrder, responses=RecordedSerializer)
    def post(self, request: Request, pk: str) -> Response:
        message, caller = _message(pk), access.caller(request)
        note = given(SentOrder, request).get("note", "")
        if note:
            done = by_hand.record_past(message, by=caller, note=note, now=now())
        else:
            done = by_hand.record_sent(message, by=caller, now=now())
        return _recorded(done.pk)


class ByHandSkipped(APIView):
    """Leave a step out; the sequence goes on. Staff."""

    permission_classes = [access.Staff]
    needs = {"post": "pitches.change_message"}

    @extend_schema(tags=["by hand"], request=Reason, responses=RecordedSerializer)
    def post(self, request: Request, pk: str) -> Response:
        message, reason = _message(pk), given(Reason, request)["reason"]
        by_hand.skip(message, by=access.caller(request), reason=reason, now=now())
        return _recorded(message.pk)
