"""The API of the plan: clients and their people, campaigns, candidates, sequences, costs.

Each view names who may come in; what a client's own people see is an allow-list of its own.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import django_filters
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.utils.text import slugify
from django_filters import rest_framework as filters
from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_view
from rest_framework import mixins, serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from campaigns import access, costs, people
from campaigns.models import (
    AIUsage,
    Angle,
    Campaign,
    Candidate,
    CandidateFact,
    Client,
    Membership,
    PitchTemplate,
    Sequence,
    Step,
)
from config.rest import IdFilter, SavesAtOnce, Strict, YesNoFilter

CHANGES = ["get", "post", "put", "patch", "head", "options"]


# Clients


class ClientSerializer(Strict, serializers.ModelSerializer):
    class Meta:
        model = Client
        fields = [
            "id", "name", "slug", "kind", "email", "website", "time_zone", "plan",
            "weekly_allowance", "notes", "created_at",
        ]  # fmt: skip
        read_only_fields = ["created_at"]
        extra_kwargs = {"slug": {"required": False}}

    def create(self, fields: dict[str, Any]) -> Client:
        fields.setdefault("slug", free_slug(Client.objects.all(), fields["name"]))
        client: Client = super().create(fields)
        return client


def free_slug(rows: QuerySet, name: str) -> str:
    """The name as a slug that no row of ``rows`` has; a number is added where one has it."""
    slug = slugify(name)[:70] or "unnamed"
    taken = set(rows.filter(slug__startswith=slug).values_list("slug", flat=True))
    number = 1
    wanted = slug
    while wanted in taken:
        number += 1
        wanted = f"{slug}-{number}"
    return wanted


class ClientFilters(filters.FilterSet):
    kind = filters.ChoiceFilter(choices=Client.Kind.choices)
    plan = filters.ChoiceFilter(choices=Client.Plan.choices)
    name = filters.CharFilter(lookup_expr="icontains", max_length=200)


@extend_schema(tags=["clients"])
class Clients(SavesAtOnce, viewsets.ModelViewSet):
    """Whom we work for. Staff; deleting is for admins, and refused while rows hang on it."""

    permission_classes = [access.StaffDeletedByAdmin]
    queryset = Client.objects.all()
    serializer_class = ClientSerializer
    filterset_class = ClientFilters
    ordering = ("name", "pk")


# People

PEOPLE = User.objects.prefetch_related("groups", "memberships")


class MembershipSerializer(Strict, serializers.ModelSerializer):
    class Meta:
        model = Membership
        fields = ["client", "role"]


class RoleField(serializers.ChoiceField):
    """What somebody is, which no single column says."""

    def get_attribute(self, user: User) -> str:
        return people.role_of(user)


class PersonSerializer(Strict, serializers.ModelSerializer):
    role = RoleField(choices=people.Role.choices)
    memberships = MembershipSerializer(many=True, required=False)

    class Meta:
        model = User
        fields = [
            "id", "username", "first_name", "last_name", "email", "role", "memberships",
            "is_active", "last_login", "date_joined",
        ]  # fmt: skip
        read_only_fields = ["is_active", "last_login", "date_joined"]

    def validate_memberships(self, memberships: list[dict[str, Any]]) -> list[people.Belongs]:
        return [people.Belongs(**each) for each in memberships]

    def create(self, fields: dict[str, Any]) -> User:
        return people.add(by=access.caller(self.context["request"]), **fields)

    def update(self, user: User, fields: dict[str, Any]) -> User:
        user = people.change(user, by=access.caller(self.context["request"]), **fields)
        return PEOPLE.get(pk=user.pk)


class PersonFilters(filters.FilterSet):
    client = IdFilter(field_name="memberships__client_id")
    is_active = YesNoFilter()
    is_staff = YesNoFilter()


@extend_schema(tags=["people"])
@extend_schema_view(
    create=extend_schema(
        examples=[
            OpenApiExample(
                "A client's own person",
                {
                    "username": "clara",
                    "email": "clara@example.org",
                    "role": "client",
                    "memberships": [{"client": 1, "role": "member"}],
                },
                request_only=True,
            )
        ]
    )
)
class People(SavesAtOnce, viewsets.ModelViewSet):
    """Logins: a client's own people, staff and admins (S000-075).

    Staff look after clients' people, admins after everybody. DELETE ends the login and its
    tokens; the row stays, because decisions name who took them.
    """

    permission_classes = [access.StaffDeletedByAdmin]
    needs = {
        "list": "campaigns.view_membership",
        "retrieve": "campaigns.view_membership",
        "create": "campaigns.add_membership",
        "update": "campaigns.change_membership",
        "partial_update": "campaigns.change_membership",
        "destroy": "campaigns.delete_membership",
    }
    queryset = PEOPLE
    serializer_class = PersonSerializer
    filterset_class = PersonFilters
    ordering = ("username", "pk")

    def perform_destroy(self, user: User) -> None:
        people.deactivate(user, by=access.caller(self.request))


# Campaigns

CAMPAIGN_FOR_CLIENTS = [
    "id", "name", "slug", "preset", "status", "candidate_label", "goal", "keywords",
    "media_kit_url", "created_at",
]  # fmt: skip


class CampaignForClients(serializers.ModelSerializer):
    """What a campaign's own client may see of it (SEC-6)."""

    class Meta:
        model = Campaign
        fields = CAMPAIGN_FOR_CLIENTS
        read_only_fields = CAMPAIGN_FOR_CLIENTS


class CampaignSerializer(Strict, serializers.ModelSerializer):
    questionnaire = serializers.DictField(required=False)
    targeting = serializers.DictField(
        required=False, help_text="min_score (0 to 100), industries, sizes."
    )
    candidates = serializers.PrimaryKeyRelatedField(
        many=True, required=False, queryset=Candidate.objects.all()
    )

    total_cost_usd = serializers.SerializerMethodField(
        help_text="What models cost so far, out of the ledger."
    )

    class Meta:
        model = Campaign
        fields = [
            "id", "client", "candidates", "name", "slug", "preset", "status", "status_reason",
            "candidate_label", "goal", "questionnaire", "questionnaire_keywords", "keywords",
            "ideal_lead", "targeting", "media_kit_url", "sequence", "approval_policy",
            "review_policy", "candidates_per_pitch", "max_active_pitches", "match_threshold",
            "enrollment_cap", "urgent_skips_limits", "time_zone", "window_start", "window_end",
            "window_days", "observe_holidays", "ai_budget", "total_cost_usd",
            "embedding_status", "created_at", "updated_at",
        ]  # fmt: skip
        read_only_fields = [
            "status", "status_reason", "embedding_status", "created_at", "updated_at",
        ]  # fmt: skip
        extra_kwargs = {"slug": {"required": False}}

    def get_total_cost_usd(self, campaign: Campaign) -> Decimal:
        spent = getattr(campaign, "spent", None)
        return costs.of_campaign(campaign) if spent is None else spent

    def validate(self, fields: dict[str, Any]) -> dict[str, Any]:
        client = fields.get("client") or getattr(self.instance, "client", None)
        if client and any(each.client_id != client.pk for each in fields.get("candidates", [])):
            raise serializers.ValidationError(
                {"candidates": "A campaign pitches candidates of its own client."}
            )
        return fields

    def create(self, fields: dict[str, Any]) -> Campaign:
        fields.setdefault("slug", free_slug(Campaign.objects.all(), fields["name"]))
        campaign: Campaign = super().create(fields)
        return campaign


class Pause(Strict):
    reason = serializers.CharField(max_length=300, help_text="Shown to everybody who asks why.")


class CampaignFilters(filters.FilterSet):
    client = IdFilter(field_name="client_id")
    status = filters.ChoiceFilter(choices=Campaign.Status.choices)
    preset = filters.ChoiceFilter(choices=Campaign.Preset.choices)
    name = filters.CharFilter(lookup_expr="icontains", max_length=200)


@extend_schema(tags=["campaigns"])
@extend_schema_view(
    create=extend_schema(
        examples=[
            OpenApiExample(
                "A podcast campaign",
                {
                    "client": 1,
                    "name": "Autumn podcasts",
                    "preset": "podcast",
                    "goal": "Ten interviews about sleep",
                    "targeting": {"min_score": 70},
                },
                request_only=True,
            )
        ]
    ),
    list=extend_schema(responses=CampaignSerializer(many=True)),
    retrieve=extend_schema(responses=CampaignSerializer),
)
class Campaigns(SavesAtOnce, viewsets.ModelViewSet):
    """The efforts (S000-076). A client's own people read theirs: name, status, goal, keywords.

    A campaign is never erased, because what was sent for it counts in every limit: DELETE
    cancels it.
    """

    permission_classes = [access.StaffOrClient]
    for_clients = {"list", "retrieve"}
    needs = {
        "activate": "campaigns.change_campaign",
        "pause": "campaigns.change_campaign",
    }
    queryset = Campaign.objects.select_related("client").prefetch_related("candidates")
    serializer_class = CampaignSerializer
    filterset_class = CampaignFilters
    ordering = ("name", "pk")

    def get_queryset(self) -> QuerySet:
        rows = access.visible(super().get_queryset(), self.request.user, client="client")
        rows = costs.with_spent(rows)
        return rows if access.is_staff(self.request.user) else rows.prefetch_related(None)

    def get_serializer_class(self) -> Any:
        return CampaignSerializer if access.shows_all(self) else CampaignForClients

    def perform_destroy(self, campaign: Campaign) -> None:
        campaign.cancel(reason=f"Deleted by {self.request.user} through the API")

    @extend_schema(request=None, responses=CampaignSerializer)
    @action(detail=True, methods=["post"])
    def activate(self, request: Request, pk: str) -> Response:
        """Let it write: from draft or paused to active."""
        campaign = self.get_object()
        campaign.activate()
        return Response(self.get_serializer(campaign).data)

    @extend_schema(request=Pause, responses=CampaignSerializer)
    @action(detail=True, methods=["post"])
    def pause(self, request: Request, pk: str) -> Response:
        """Let nothing of it go out until it is activated again."""
        campaign = self.get_object()
        wanted = Pause(data=request.data)
        wanted.is_valid(raise_exception=True)
        campaign.pause(reason=wanted.validated_data["reason"])
        return Response(self.get_serializer(campaign).data)


# Candidates


class AngleSerializer(serializers.ModelSerializer):
    class Meta:
        model = Angle
        fields = ["id", "position", "topic", "outcome", "description"]


class CandidateFactSerializer(serializers.ModelSerializer):
    class Meta:
        model = CandidateFact
        fields = [
            "id", "kind", "value", "source", "source_url", "quote", "confidence",
            "observed_at", "expires_at",
        ]  # fmt: skip


class CandidateSerializer(Strict, serializers.ModelSerializer):
    attributes = serializers.DictField(required=False)
    angles = AngleSerializer(many=True, read_only=True)
    facts = CandidateFactSerializer(many=True, read_only=True)

    class Meta:
        model = Candidate
        fields = [
            "id", "client", "reference", "kind", "name", "headline", "bio", "bio_refined",
            "bio_refined_accepted_at", "bio_summary", "bio_short", "skills", "keywords",
            "industries", "starts_on", "ends_on", "visa", "location", "remote_only",
            "responsible", "status", "attributes", "angles", "facts", "created_at",
            "updated_at",
        ]  # fmt: skip
        read_only_fields = ["created_at", "updated_at"]


class CandidateFilters(filters.FilterSet):
    client = IdFilter(field_name="client_id")
    campaign = IdFilter(field_name="campaigns__id")
    kind = filters.ChoiceFilter(choices=Candidate.Kind.choices)
    status = filters.ChoiceFilter(choices=Candidate.Status.choices)
    name = filters.CharFilter(lookup_expr="icontains", max_length=200)


@extend_schema(tags=["candidates"])
class Candidates(SavesAtOnce, viewsets.ModelViewSet):
    """What campaigns pitch: guests, interns, products. Staff.

    There is no DELETE: a candidate who was pitched is history. Set the status to inactive.
    """

    http_method_names = CHANGES
    permission_classes = [access.Staff]
    queryset = Candidate.objects.prefetch_related("angles", "facts")
    serializer_class = CandidateSerializer
    filterset_class = CandidateFilters
    ordering = ("name", "pk")


# Sequences and templates


class StepSerializer(serializers.ModelSerializer):
    class Meta:
        model = Step
        fields = [
            "id", "number", "action", "name", "channel", "delay_hours", "template_key",
            "variant_count", "days", "slots", "useful_hours", "same_thread",
        ]  # fmt: skip


class SequenceSerializer(serializers.ModelSerializer):
    steps = StepSerializer(many=True, read_only=True)

    class Meta:
        model = Sequence
        fields = [
            "id", "key", "version", "name", "description", "steps", "created_at",
        ]  # fmt: skip


class SequenceFilters(filters.FilterSet):
    key = filters.CharFilter(max_length=60)


@extend_schema(tags=["sequences"])
class Sequences(viewsets.ReadOnlyModelViewSet):
    """The plans of messages, with their steps. Staff."""

    permission_classes = [access.Staff]
    queryset = Sequence.objects.prefetch_related("steps")
    serializer_class = SequenceSerializer
    filterset_class = SequenceFilters
    ordering = ("key", "-version", "pk")


class PitchTemplateSerializer(Strict, serializers.ModelSerializer):
    class Meta:
        model = PitchTemplate
        fields = [
            "id", "key", "version", "kind", "mode", "channel", "tone", "language", "subject",
            "body", "is_active", "created_at",
        ]  # fmt: skip
        read_only_fields = ["created_at"]


class PitchTemplateFilters(filters.FilterSet):
    key = filters.CharFilter(max_length=100)
    kind = filters.ChoiceFilter(choices=PitchTemplate.Kind.choices)
    is_active = YesNoFilter()


@extend_schema(tags=["templates"])
class PitchTemplates(SavesAtOnce, viewsets.ModelViewSet):
    """The texts messages are written from. Staff."""

    permission_classes = [access.Staff]
    queryset = PitchTemplate.objects.all()
    serializer_class = PitchTemplateSerializer
    filterset_class = PitchTemplateFilters
    ordering = ("key", "-version", "pk")


# Costs


class AIUsageSerializer(serializers.ModelSerializer):
    class Meta:
        model = AIUsage
        fields = [
            "id", "status", "prompt_name", "provider", "model", "input_tokens",
            "cached_tokens", "output_tokens", "cost", "seconds", "error", "campaign",
            "created_at", "settled_at",
        ]  # fmt: skip


class AIUsageFilters(filters.FilterSet):
    campaign = IdFilter(field_name="campaign_id")
    status = filters.ChoiceFilter(choices=AIUsage.Status.choices)
    model = filters.CharFilter(max_length=120)
    created_after = django_filters.IsoDateTimeFilter(field_name="created_at", lookup_expr="gte")
    created_before = django_filters.IsoDateTimeFilter(field_name="created_at", lookup_expr="lt")


@extend_schema(tags=["costs"])
class AIUsages(mixins.ListModelMixin, viewsets.GenericViewSet):
    """The ledger of paid calls to models, failed ones too. Admins."""

    permission_classes = [access.Admins]
    queryset = AIUsage.objects.all()
    serializer_class = AIUsageSerializer
    filterset_class = AIUsageFilters
    ordering = ("-created_at", "-pk")
