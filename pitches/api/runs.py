"""Outreach: runs started, follow-ups pending, answers noted (S003-055 to S003-062)."""

from __future__ import annotations

from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import (
    OpenApiExample,
    extend_schema,
    extend_schema_field,
)
from rest_framework import mixins, serializers, viewsets
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from campaigns import access
from campaigns.models import Campaign
from config.db import database_now
from config.rest import (
    PerMinute,
    Strict,
    TenPerMinute,
    check_parameters,
    yes_or_no,
)
from pitches import decisions, inbox, outreach
from pitches.api.asked import given
from pitches.api.hearing import (
    FollowUpTaskFilters,
    FollowUpTaskSerializer,
    IncomingMessageSerializer,
)
from pitches.decisions import Verdict
from pitches.models import (
    FollowUpTask,
    IncomingMessage,
    Message,
)


@extend_schema_field({"type": ["integer", "string"], "examples": [1, "autumn"]})
class CampaignField(serializers.Field):
    """A campaign by its id or its slug."""

    default_error_messages = {"missing": "There is no such campaign."}

    def to_internal_value(self, named: Any) -> Campaign:
        if isinstance(named, bool) or not isinstance(named, int | str):
            self.fail("missing")
        by = {"pk": named} if isinstance(named, int) else {"slug": named}
        campaign = Campaign.objects.select_related("client").filter(**by).first()
        if campaign is None:
            self.fail("missing")
        return campaign

    def to_representation(self, campaign: Campaign) -> int:
        return campaign.pk


class RunOrder(Strict):
    campaign = CampaignField(
        required=False, allow_null=True, help_text="Id or slug; empty: all active campaigns."
    )
    max_roles = serializers.IntegerField(
        required=False,
        allow_null=True,
        min_value=1,
        max_value=100_000,
        help_text="End after so many leads.",
    )


class TotalsSerializer(serializers.Serializer):
    leads = serializers.IntegerField()
    candidates = serializers.IntegerField()
    matches = serializers.IntegerField()
    pitches = serializers.IntegerField()
    messages = serializers.IntegerField()
    pitch = serializers.IntegerField()
    send = serializers.IntegerField()
    hold = serializers.IntegerField()


class DecisionSerializer(serializers.Serializer):
    """What would happen to one lead or message, and why."""

    key = serializers.CharField()
    kind = serializers.ChoiceField(choices=["pitch", "message"])
    verdict = serializers.ChoiceField(choices=Verdict.choices)
    reason = serializers.ChoiceField(choices=[reason.value for reason in decisions.Reason])
    sentence = serializers.CharField()
    send_at = serializers.CharField(allow_null=True)
    not_before = serializers.CharField(allow_null=True)
    lead = serializers.CharField()
    organization = serializers.CharField()
    candidates = serializers.ListField(child=serializers.CharField())
    contact = serializers.CharField()
    sender = serializers.CharField()
    channel = serializers.CharField()
    step = serializers.CharField()
    subject = serializers.CharField(allow_null=True)
    body_sha256 = serializers.CharField(allow_null=True)
    urgent = serializers.BooleanField()


class DoneSerializer(serializers.Serializer):
    pitched = serializers.ListField(child=serializers.CharField())
    queued = serializers.ListField(child=serializers.CharField())
    approved_by_policy = serializers.IntegerField()
    moved_on = serializers.ListField(child=serializers.CharField())
    changed = serializers.DictField(
        child=serializers.CharField(), help_text="Rows left alone, with what had changed."
    )


class RunSerializer(serializers.Serializer):
    """The object that the commands print with --json."""

    totals = TotalsSerializer()
    decisions = DecisionSerializer(many=True)
    done = DoneSerializer(required=False, help_text="What was done; absent from a dry run.")


class DryRun(serializers.Serializer):
    dry_run = serializers.BooleanField(
        required=False, default=False, help_text="Only show what would happen."
    )


class Trigger(APIView):
    """Start a run: plan it, and carry it out unless it is a dry run.

    It makes drafts and queues what may go; the workers send what is queued within a minute, so
    no request waits for a mail server. Staff.
    """

    permission_classes = [access.Staff]
    throttle_classes = [TenPerMinute, PerMinute]

    def plan(self, **asked: Any) -> outreach.Plan:
        raise NotImplementedError

    @extend_schema(
        tags=["outreach"],
        request=RunOrder,
        parameters=[DryRun],
        responses=RunSerializer,
        examples=[
            OpenApiExample(
                "Ten leads of one campaign",
                {"campaign": "autumn", "max_roles": 10},
                request_only=True,
            )
        ],
    )
    def post(self, request: Request) -> Response:
        check_parameters(request, {"dry_run"})
        is_dry = yes_or_no(request, "dry_run")
        order = given(RunOrder, request)
        asked = {"campaign": order.get("campaign"), "most": order.get("max_roles")}
        now = database_now()
        planned = outreach.dry(lambda: self.plan(now=now, **asked))
        if is_dry:
            return Response(planned.report())
        done = outreach.carry_out(planned, send=False)
        return Response({**planned.report(), "done": told(done)})


def told(done: outreach.Carried) -> dict[str, Any]:
    """What a run did, but for the sending, which is the workers'."""
    return {
        "pitched": done.pitched.done,
        "queued": done.queued.done,
        "approved_by_policy": done.approved_by_policy,
        "moved_on": done.moved_on.pitches,
        "changed": done.changed,
    }


class OutreachTrigger(Trigger):
    """New pitches and first messages (S003-055, S003-056)."""

    needs = {"post": "pitches.add_pitch"}

    def plan(self, **asked: Any) -> outreach.Plan:
        return outreach.plan(**asked)


class FollowUpTrigger(Trigger):
    """Follow-ups that are due, and moving on (S003-059)."""

    needs = {"post": "pitches.change_followuptask"}

    def plan(self, **asked: Any) -> outreach.Plan:
        return outreach.plan_follow_ups(**asked)


@extend_schema(tags=["outreach"])
class PendingFollowUps(mixins.ListModelMixin, viewsets.GenericViewSet):
    """Follow-ups that are planned and open, soonest first (S003-060). Staff."""

    permission_classes = [access.Staff]
    queryset = FollowUpTask.objects.filter(FollowUpTask.is_open()).select_related(
        "pitch__lead", "step"
    )
    serializer_class = FollowUpTaskSerializer
    filterset_class = FollowUpTaskFilters
    ordering = ("due_at", "pk")


# A type that the earlier system named otherwise (C43).
EARLIER_TYPES = {"request_more_info": IncomingMessage.Intent.MORE_INFO.value}


class Answer(Strict):
    type = serializers.ChoiceField(
        choices=[*IncomingMessage.Intent.values, *EARLIER_TYPES],
        help_text="request_more_info is the same as more_info.",
    )
    text = serializers.CharField(max_length=50_000, required=False)


class OutreachResponse(APIView):
    """Note an answer that came by another way; its person's follow-ups stop (S003-061). Staff.

    The id is that of a message that went out. Noting the same answer again changes nothing.
    """

    permission_classes = [access.Staff]
    needs = {"post": "pitches.add_incomingmessage"}

    @extend_schema(
        tags=["outreach"],
        request=Answer,
        responses=IncomingMessageSerializer,
        examples=[OpenApiExample("By telephone", {"type": "interested"}, request_only=True)],
    )
    def post(self, request: Request, pk: str) -> Response:
        gone_out = Message.objects.filter(status__in=Message.GONE_OUT)
        rows = gone_out.select_related("pitch__address__contact", "pitch__campaign__client")
        message = get_object_or_404(rows, pk=pk)
        answer = given(Answer, request)
        incoming = inbox.record_reply(
            message.pitch,
            message=message,
            intent=EARLIER_TYPES.get(answer["type"], answer["type"]),
            text=answer.get("text", ""),
            by=access.caller(request),
            now=database_now(),
        )
        return Response(IncomingMessageSerializer(incoming).data)
