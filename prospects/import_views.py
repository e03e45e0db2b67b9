"""The admin's page for importing leads."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms

from config.import_page import ImportPage, Upload
from config.imports import Field, Report
from prospects import importing
from prospects.importing import Job
from prospects.models import Lead


class LeadUpload(Upload):
    file = forms.FileField(
        help_text="CSV, XLSX, JSON or JSON lines; RSS, Atom or OPML. At most 20 MB.",
        widget=forms.FileInput(
            attrs={"accept": ".csv,.tsv,.txt,.xlsx,.json,.jsonl,.xml,.rss,.atom,.opml"}
        ),
    )
    kind = forms.ChoiceField(choices=Lead.Kind.choices, label="What each row is")
    platform = forms.CharField(
        required=False,
        max_length=40,
        label="Where its ids come from",
        help_text="Empty: the file's name. The same platform finds the same rows again.",
    )


class LeadImport(ImportPage):
    title = "Import leads"
    form = LeadUpload
    permissions = ("prospects.add_lead", "prospects.change_lead")
    back = "admin:prospects_lead_changelist"

    def fields(self, options: dict[str, Any]) -> list[Field]:
        return importing.fields(options["kind"])

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
        job = Job.of(options["kind"], name, platform=options["platform"], now=now)
        return importing.carry_out_file(content, name, job, chosen=chosen, dry_run=dry_run)
