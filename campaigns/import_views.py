"""The admin's page for importing candidates."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms

from campaigns import intake
from campaigns.models import Campaign, Candidate, Client
from config import tables
from config.import_page import ImportPage, Upload
from config.imports import Field, Report


class CandidateUpload(Upload):
    client = forms.ModelChoiceField(Client.objects.order_by("name"), label="Whose they are")
    campaign = forms.ModelChoiceField(
        Campaign.objects.order_by("name").defer("embedding"),
        required=False,
        label="Put them into",
        empty_label="no campaign yet",
    )
    kind = forms.ChoiceField(
        choices=[("", "as the campaign says"), *Candidate.Kind.choices],
        required=False,
        label="What each row is",
    )

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        campaign, client = given.get("campaign"), given.get("client")
        if campaign and client and campaign.client_id != client.pk:
            raise forms.ValidationError(f"The campaign {campaign} is not {client}'s.")
        return given


class CandidateImport(ImportPage):
    title = "Import candidates"
    form = CandidateUpload
    permissions = ("campaigns.add_candidate", "campaigns.change_candidate")
    back = "admin:campaigns_candidate_changelist"

    def fields(self, options: dict[str, Any]) -> list[Field]:
        return intake.CANDIDATE_FIELDS

    def carry_out(
        self,
        content: bytes,
        name: str,
        options: dict[str, Any],
        *,
        chosen: dict[str, str],
        dry_run: bool,
        now: datetime,
    ) -> Report:
        return intake.import_candidates(
            tables.read(content, name),
            options["client"],
            campaign=options["campaign"],
            kind=options["kind"],
            chosen=chosen,
            dry_run=dry_run,
            now=now,
        )
