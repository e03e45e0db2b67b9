"""The API of the found: leads, the companies and people behind them, whom not to write to."""

from __future__ import annotations

from typing import Any

import django_filters
from django.db.models import QuerySet
from django.utils.timezone import now
from django_filters import rest_framework as filters
from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_view
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from campaigns.access import Staff
from config.rest import IdFilter, SavesAtOnce, Strict, YesNoFilter
from prospects import suppressions
from prospects.models import (
    Consent,
    Contact,
    ContactAddress,
    Fact,
    Lead,
    LeadIdentity,
    Organization,
    Suppression,
)


class LeadIdentitySerializer(serializers.ModelSerializer):
    class Meta:
        model = LeadIdentity
        fields = ["platform", "platform_id", "url"]


class LeadSerializer(serializers.ModelSerializer):
    organization_name = serializers.CharField(
        source="organization.name", read_only=True, allow_null=True, default=None
    )
    identities = LeadIdentitySerializer(many=True, read_only=True)

    class Meta:
        model = Lead
        fields = [
            "id", "kind", "name", "organization", "organization_name", "contacts",
            "identities", "url", "website", "feed_url", "language", "location", "is_remote",
            "country", "time_zone", "keywords", "industries", "visa_sponsorship", "starts_on",
            "ends_on", "posted_on", "closed_at", "audience", "segment", "score", "quality",
            "tier", "suppressed_at", "merged_into", "first_seen_at", "last_seen_at",
        ]  # fmt: skip


class FactSerializer(serializers.ModelSerializer):
    class Meta:
        model = Fact
        fields = [
            "id", "kind", "value", "source", "source_url", "quote", "confidence",
            "observed_at", "expires_at",
        ]  # fmt: skip


class LeadInFull(LeadSerializer):
    """A lead with its text and what is known of it."""

    facts = FactSerializer(many=True, read_only=True)

    class Meta(LeadSerializer.Meta):
        fields = [*LeadSerializer.Meta.fields, "text", "tags", "attributes", "facts"]


class LeadFilters(filters.FilterSet):
    organization = IdFilter(field_name="organization_id")
    contact = IdFilter(field_name="contacts__id")
    segment = IdFilter(field_name="segment_id")
    name = filters.CharFilter(lookup_expr="icontains", max_length=200)
    tier = filters.ChoiceFilter(choices=Lead.Tier.choices)
    is_closed = YesNoFilter(field_name="closed_at", lookup_expr="isnull", exclude=True)
    is_suppressed = YesNoFilter(field_name="suppressed_at", lookup_expr="isnull", exclude=True)


class LeadFiltersWithKind(LeadFilters):
    kind = filters.ChoiceFilter(choices=Lead.Kind.choices)


@extend_schema(tags=["leads"])
class Leads(viewsets.ReadOnlyModelViewSet):
    """What may be pitched to: podcasts, roles, creators, buyers. Staff.

    Leads come in by import; merged ones are left out.
    """

    permission_classes = [Staff]
    queryset = (
        Lead.objects.filter(merged_into=None)
        .defer("embedding")
        .select_related("organization")
        .prefetch_related("contacts", "identities")
    )
    filterset_class = LeadFiltersWithKind
    ordering = ("name", "pk")

    def get_queryset(self) -> QuerySet:
        rows = super().get_queryset()
        return rows.prefetch_related("facts") if self.action == "retrieve" else rows

    def get_serializer_class(self) -> Any:
        return LeadInFull if self.action == "retrieve" else LeadSerializer


class Media(Leads):
    """The leads that are podcasts."""

    filterset_class = LeadFilters

    def get_queryset(self) -> QuerySet:
        return super().get_queryset().filter(kind=Lead.Kind.PODCAST)


class OrganizationSerializer(serializers.ModelSerializer):
    class Meta:
        model = Organization
        fields = [
            "id", "name", "domain", "industry", "employees", "country", "time_zone",
            "do_not_contact", "do_not_contact_reason", "follow_up_date", "attributes",
            "created_at", "updated_at",
        ]  # fmt: skip


class OrganizationFilters(filters.FilterSet):
    name = filters.CharFilter(lookup_expr="icontains", max_length=200)
    domain = filters.CharFilter(max_length=253)
    do_not_contact = YesNoFilter()


@extend_schema(tags=["organizations"])
class Organizations(viewsets.ReadOnlyModelViewSet):
    """The companies behind leads. Staff."""

    permission_classes = [Staff]
    queryset = Organization.objects.all()
    serializer_class = OrganizationSerializer
    filterset_class = OrganizationFilters
    ordering = ("name", "pk")


class ContactAddressSerializer(serializers.ModelSerializer):
    class Meta:
        model = ContactAddress
        fields = ["id", "kind", "value", "verification", "verified_at"]


class ContactSerializer(serializers.ModelSerializer):
    addresses = ContactAddressSerializer(many=True, read_only=True)
    organization_name = serializers.CharField(
        source="organization.name", read_only=True, allow_null=True, default=None
    )

    class Meta:
        model = Contact
        fields = [
            "id", "name", "role", "title", "organization", "organization_name", "is_primary",
            "country", "time_zone", "addresses", "created_at", "updated_at",
        ]  # fmt: skip


class ContactFilters(filters.FilterSet):
    organization = IdFilter(field_name="organization_id")
    lead = IdFilter(field_name="leads__id")
    role = filters.ChoiceFilter(choices=Contact.Role.choices)
    name = filters.CharFilter(lookup_expr="icontains", max_length=200)


@extend_schema(tags=["contacts"])
class Contacts(viewsets.ReadOnlyModelViewSet):
    """The people who open the mail, with their addresses. Staff."""

    permission_classes = [Staff]
    queryset = Contact.objects.select_related("organization").prefetch_related("addresses")
    serializer_class = ContactSerializer
    filterset_class = ContactFilters
    ordering = ("-pk",)


class SuppressionSerializer(serializers.ModelSerializer):
    class Meta:
        model = Suppression
        fields = ["id", "kind", "hint", "reason", "source", "created_at"]


class SuppressionOrder(Strict):
    """A value that must not be written to. It is hashed; no answer ever shows it."""

    kind = serializers.ChoiceField(choices=Suppression.Kind.choices)
    value = serializers.CharField(max_length=2000)
    reason = serializers.ChoiceField(choices=Suppression.Reason.choices)
    source = serializers.CharField(  # type: ignore[assignment]  # a field of this name
        max_length=200, required=False
    )


class Suppressed(serializers.Serializer):
    is_new = serializers.BooleanField(help_text="False: it was on the list already.")
    hint = serializers.CharField()


class SuppressionFilters(filters.FilterSet):
    kind = filters.ChoiceFilter(choices=Suppression.Kind.choices)
    reason = filters.ChoiceFilter(choices=Suppression.Reason.choices)
    created_after = django_filters.IsoDateTimeFilter(field_name="created_at", lookup_expr="gte")
    created_before = django_filters.IsoDateTimeFilter(field_name="created_at", lookup_expr="lt")


@extend_schema(tags=["suppressions"])
@extend_schema_view(
    create=extend_schema(
        request=SuppressionOrder,
        responses={200: Suppressed, 201: Suppressed},
        examples=[
            OpenApiExample(
                "Asked by phone",
                {"kind": "email", "value": "paula@example.com", "reason": "do_not_contact"},
                request_only=True,
            )
        ],
    )
)
class Suppressions(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet):
    """Whom we may not write to, as masked hints. Staff add; nobody removes through here."""

    permission_classes = [Staff]
    queryset = Suppression.objects.all()
    serializer_class = SuppressionSerializer
    filterset_class = SuppressionFilters
    ordering = ("-created_at", "-pk")

    def create(self, request: Request) -> Response:
        wanted = SuppressionOrder(data=request.data)
        wanted.is_valid(raise_exception=True)
        order = {"source": f"API, {request.user}"[:200], **wanted.validated_data}
        is_new = suppressions.add(order.pop("kind"), order.pop("value"), **order, now=now())
        return self._answer(wanted.validated_data, is_new)

    def _answer(self, order: dict[str, Any], is_new: bool) -> Response:
        hint = suppressions.hint(order["kind"], order["value"])
        return Response(
            {"is_new": is_new, "hint": hint},
            status=status.HTTP_201_CREATED if is_new else status.HTTP_200_OK,
        )


class ConsentSerializer(Strict, serializers.ModelSerializer):
    """Written consent to be texted: the words, where and when (LAW-22)."""

    address: Any = serializers.PrimaryKeyRelatedField(
        queryset=ContactAddress.objects.filter(kind=ContactAddress.Kind.PHONE)
    )

    class Meta:
        model = Consent
        fields = [
            "id", "address", "kind", "text", "source", "obtained_at", "revoked_at",
            "revoked_reason",
        ]  # fmt: skip


@extend_schema(tags=["consents"])
class Consents(
    SavesAtOnce,
    mixins.CreateModelMixin,
    mixins.UpdateModelMixin,
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    viewsets.GenericViewSet,
):
    """Who may be texted. Revoke one by its time; nothing is deleted. Staff."""

    permission_classes = [Staff]
    queryset = Consent.objects.all()
    serializer_class = ConsentSerializer
    ordering = ("-pk",)
