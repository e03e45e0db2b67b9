"""Review: tasks and drafts, decided and edited."""

from __future__ import annotations

from typing import Any

from django.db.models import F, Q
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
from config.db import WrongStatus
from config.rest import (
    IdFilter,
    Strict,
)
from pitches import review
from pitches.api.approaches import MessageSerializer, VariantSerializer
from pitches.api.asked import Reason, given
from pitches.models import (
    Message,
    ReviewTask,
    Variant,
)


class ReviewTaskSerializer(serializers.ModelSerializer):
    seen = serializers.SerializerMethodField(
        help_text="Of one task about words: send it back with the approval, and what was "
        "changed meanwhile is answered with 409."
    )

    class Meta:
        model = ReviewTask
        fields = [
            "id", "kind", "status", "campaign", "lead", "match", "pitch", "message",
            "incoming", "assignee", "due_at", "risk", "decision", "reason", "decided_by",
            "decided_at", "seconds_taken", "created_at", "seen",
        ]  # fmt: skip

    def get_seen(self, task: ReviewTask) -> str | None:
        is_one = getattr(self.context.get("view"), "action", "") == "retrieve"
        return review.shown(task) if is_one and task.pitch_id else None


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
    seen = serializers.CharField(
        max_length=64, required=False, help_text="`seen` of the task as it was read."
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


class Choice(Strict):
    variant = serializers.PrimaryKeyRelatedField(
        queryset=Variant.objects.select_related("message"), required=False
    )
    seen = serializers.CharField(max_length=64, required=False)


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
        asked = given(Choice, request)
        variant = asked.get("variant")
        if variant is not None and variant.message_id != message.pk:
            raise serializers.ValidationError({"variant": "It is a draft of another message."})
        variants = {message.pk: variant.pk} if variant else {}
        review.approve(
            task_of_words(message),
            by=access.caller(request),
            now=now(),
            variants=variants,
            seen=asked.get("seen"),
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
