"""The API of the talking: matches, reviews, pitches, messages, stops, replies, placements.

Each view makes one call into the work and reports. Staff see all; a client's own people see
their matches to review, the status of their pitches and their placements.
"""

from __future__ import annotations

from typing import Any

import django_filters
from django.db.models import F, Q, QuerySet
from django.shortcuts import get_object_or_404
from django.utils.timezone import now
from django_filters import rest_framework as filters
from drf_spectacular.utils import (
    OpenApiExample,
    extend_schema,
    extend_schema_field,
    extend_schema_view,
)
from rest_framework import mixins, serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from campaigns import access
from campaigns.models import Campaign, Channel
from config.db import WrongStatus
from config.rest import (
    IdFilter,
    PerMinute,
    SavesAtOnce,
    Strict,
    TenPerMinute,
    YesNoFilter,
    check_parameters,
    yes_or_no,
)
from pitches import decisions, inbox, metrics, outreach, placing, review, stopping
from pitches.decisions import Verdict
from pitches.models import (
    EmailLimit,
    FollowUpTask,
    IncomingMessage,
    Match,
    Message,
    Pitch,
    Placement,
    PlacementChange,
    ReviewTask,
    Sender,
    SendMode,
    Stop,
    Variant,
)

OWN = "campaign__client"
# A choice that is only read is empty as long as nothing was chosen; the schema must say so.
MAY_BE_EMPTY = {"read_only": True, "allow_blank": True}


class Reason(Strict):
    reason = serializers.CharField(max_length=300, help_text="Kept with the decision.")


def given(serializer: type[serializers.Serializer], request: Request) -> dict[str, Any]:
    """What the body says, checked; raises ValidationError."""
    checked = serializer(data=request.data)
    checked.is_valid(raise_exception=True)
    answer: dict[str, Any] = checked.validated_data
    return answer


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


# Review


class VariantSerializer(serializers.ModelSerializer):
    class Meta:
        model = Variant
        fields = [
            "id", "number", "label", "tone", "author", "subject", "body", "original_subject",
            "original_body", "is_edited", "claims", "problems", "prompt_name", "is_chosen",
            "edited_by", "edited_at", "created_at",
        ]  # fmt: skip


class ReviewTaskSerializer(serializers.ModelSerializer):
    class Meta:
        model = ReviewTask
        fields = [
            "id", "kind", "status", "campaign", "lead", "match", "pitch", "message",
            "incoming", "assignee", "due_at", "risk", "decision", "reason", "decided_by",
            "decided_at", "seconds_taken", "created_at",
        ]  # fmt: skip


class Approval(Strict):
    variants = serializers.PrimaryKeyRelatedField(
        many=True,
        required=False,
        queryset=Variant.objects.select_related("message"),
        help_text="One draft per message; where none is named, the first without problem.",
    )
    reason = serializers.CharField(max_length=300, required=False)
    seconds = serializers.IntegerField(
        min_value=0, max_value=86_400, required=False, help_text="How long it was looked at."
    )


class Rejection(Reason):
    seconds = serializers.IntegerField(min_value=0, max_value=86_400, required=False)


class Edit(Strict):
    variant = serializers.PrimaryKeyRelatedField(
        queryset=Variant.objects.select_related("message"), required=False
    )
    subject = serializers.CharField(max_length=300, allow_blank=True, required=False)
    body = serializers.CharField(
        max_length=50_000, allow_blank=True, required=False, trim_whitespace=False
    )


class ReviewTaskFilters(filters.FilterSet):
    kind = filters.ChoiceFilter(choices=ReviewTask.Kind.choices)
    status = filters.ChoiceFilter(choices=ReviewTask.Status.choices)
    campaign = IdFilter(field_name="campaign_id")
    pitch = IdFilter(field_name="pitch_id")
    match = IdFilter(field_name="match_id")
    assignee = IdFilter(field_name="assignee_id")


@extend_schema(tags=["review"])
class ReviewTasks(viewsets.ReadOnlyModelViewSet):
    """Decisions somebody owes, riskiest and oldest first. Staff."""

    permission_classes = [access.Staff]
    needs = {
        "approve": "pitches.change_reviewtask",
        "reject": "pitches.change_reviewtask",
        "withdraw": "pitches.change_reviewtask",
        "edit": "pitches.change_variant",
    }
    queryset = ReviewTask.objects.all()
    serializer_class = ReviewTaskSerializer
    filterset_class = ReviewTaskFilters
    ordering = ("-risk", "created_at", "pk")

    @extend_schema(request=Approval)
    @action(detail=True, methods=["post", "patch"])
    def approve(self, request: Request, pk: str) -> Response:
        """Say yes to a match, or to the exact words of a pitch."""
        task = self.get_object()
        words = given(Approval, request)
        chosen = words.pop("variants", [])
        for variant in chosen:
            check_of_pitch(variant, task.pitch_id)
        variants = {variant.message_id: variant.pk for variant in chosen}
        task = review.approve(
            task, by=access.caller(request), now=now(), variants=variants, **words
        )
        return Response(self.get_serializer(task).data)

    @extend_schema(request=Rejection)
    @action(detail=True, methods=["post", "patch"])
    def reject(self, request: Request, pk: str) -> Response:
        """Say no, with a reason."""
        words = given(Rejection, request)
        task = review.reject(self.get_object(), by=access.caller(request), now=now(), **words)
        return Response(self.get_serializer(task).data)

    @extend_schema(request=None)
    @action(detail=True, methods=["post"])
    def withdraw(self, request: Request, pk: str) -> Response:
        """Take an approval back while nothing is on its way; answers the new open task."""
        task = review.withdraw(self.get_object(), by=access.caller(request))
        return Response(self.get_serializer(task).data)

    @extend_schema(request=Edit, responses=VariantSerializer)
    @action(detail=True, methods=["post", "put", "patch"])
    def edit(self, request: Request, pk: str) -> Response:
        """Change the words of one draft; the original stays beside them."""
        task = self.get_object()
        words = given(Edit, request)
        if "variant" not in words:
            raise serializers.ValidationError({"variant": "Say which draft."})
        check_of_pitch(words["variant"], task.pitch_id)
        return edited(words.pop("variant"), words, request)


def check_of_pitch(variant: Variant, pitch: int | None) -> None:
    """Raise ValidationError if the draft is not one of this pitch's."""
    if variant.message.pitch_id != pitch:
        raise serializers.ValidationError(
            {"variant": f"Draft {variant.pk} is of another pitch."}
        )


def edited(variant: Variant, words: dict[str, Any], request: Request) -> Response:
    """Change the words that are given, keep the others."""
    subject, body = words.get("subject", variant.subject), words.get("body", variant.body)
    variant = review.edit(
        variant, by=access.caller(request), now=now(), subject=subject, body=body
    )
    return Response(VariantSerializer(variant).data)


# Pitches


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
    queryset = Pitch.objects.select_related("lead", "address").prefetch_related("matches")
    filterset_class = PitchFilters
    ordering = ("-pk",)

    def get_queryset(self) -> QuerySet:
        rows = access.visible(super().get_queryset(), self.request.user, client=OWN)
        return rows if access.is_staff(self.request.user) else rows.prefetch_related(None)

    def get_serializer_class(self) -> Any:
        return PitchSerializer if access.shows_all(self) else PitchForClients


# Messages


class MessageSerializer(serializers.ModelSerializer):
    campaign = serializers.IntegerField(source="pitch.campaign_id", read_only=True)
    lead = serializers.IntegerField(source="pitch.lead_id", read_only=True)

    class Meta:
        model = Message
        fields = [
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
    needs = {"variants": "pitches.view_variant"}
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


class Choice(Strict):
    variant = serializers.PrimaryKeyRelatedField(
        queryset=Variant.objects.select_related("message"), required=False
    )


@extend_schema(tags=["review"])
class Generations(viewsets.GenericViewSet):
    """The drafts of a message under their earlier name, by the message's id (C39). Staff."""

    permission_classes = [access.Staff]
    needs = {
        "content": "pitches.change_variant",
        "approve": "pitches.change_reviewtask",
    }
    queryset = Message.objects.select_related("pitch").prefetch_related("variants")
    serializer_class = MessageSerializer

    @extend_schema(request=Edit, responses=VariantSerializer)
    @action(detail=True, methods=["patch"])
    def content(self, request: Request, pk: str) -> Response:
        """Change the words of a draft, else the chosen one; the original stays (S000-060)."""
        message = self.get_object()
        words = given(Edit, request)
        variant = words.pop("variant", None) or review.chosen(message, {})
        if variant is None:
            raise WrongStatus(message, "edited", "without a draft")
        if variant.message_id != message.pk:
            raise serializers.ValidationError({"variant": "It is a draft of another message."})
        return edited(variant, words, request)

    @extend_schema(request=Choice, responses=MessageSerializer)
    @action(detail=True, methods=["patch"])
    def approve(self, request: Request, pk: str) -> Response:
        """Approve; review task, message and pitch change together or not at all (S000-061)."""
        message = self.get_object()
        variant = given(Choice, request).get("variant")
        if variant is not None and variant.message_id != message.pk:
            raise serializers.ValidationError({"variant": "It is a draft of another message."})
        variants = {message.pk: variant.pk} if variant else {}
        review.approve(
            task_of_words(message), by=access.caller(request), now=now(), variants=variants
        )
        return Response(self.get_serializer(self.get_object()).data)


def task_of_words(message: Message) -> ReviewTask:
    """The task by which a message's words are decided: its own, or its pitch's.

    Raises WrongStatus where none waits.
    """
    tasks = ReviewTask.objects.filter(
        Q(message=message) | Q(message=None),
        pitch=message.pitch_id,
        status=ReviewTask.Status.OPEN,
    )
    task = tasks.order_by(F("message").asc(nulls_last=True)).first()
    if task is None:
        raise WrongStatus(message, "approved", message.get_status_display())
    return task


@extend_schema(tags=["campaigns"])
class CampaignMessages(mixins.ListModelMixin, viewsets.GenericViewSet):
    """The messages of one campaign (S001-034). Staff."""

    permission_classes = [access.Staff]
    queryset = Message.objects.select_related("pitch")
    serializer_class = MessageSerializer
    filterset_class = MessageFilters
    ordering = ("-pk",)

    def get_queryset(self) -> QuerySet:
        if "campaign" not in self.kwargs:  # a schema is made without one
            return super().get_queryset()
        campaign = get_object_or_404(Campaign, pk=self.kwargs["campaign"])
        return super().get_queryset().filter(pitch__campaign=campaign)


# Senders, limits


class SenderSerializer(serializers.ModelSerializer):
    """The identity that writes; never its password, its login or its servers (SEC-16)."""

    campaigns: Any = serializers.PrimaryKeyRelatedField(many=True, read_only=True)

    class Meta:
        model = Sender
        fields = [
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


# Follow-ups and what came in


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


# Outreach (S003-055 to S003-062)


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
        moment = now()
        planned = outreach.dry(lambda: self.plan(now=moment, **asked))
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
            now=now(),
        )
        return Response(IncomingMessageSerializer(incoming).data)


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


class AnalyticsSerializer(serializers.Serializer):
    send_mode = serializers.ChoiceField(choices=SendMode.choices)
    at = serializers.DateTimeField()
    overview = Overview()
    recent = DaySerializer(many=True)
    by_type = TypeSerializer(many=True)
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
