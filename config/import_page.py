"""Importing in the admin: choose a file, see what would become of it, then apply.

What is shown is the import itself, carried out and taken back; Apply carries it out for good.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.core.cache import cache
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from unfold.decorators import action

from config import tables
from config.imports import Field, Report
from config.tables import Table, UnreadableFile

# Between a preview and Apply the file lies in the cache, which all hosts share.
KEPT_SECONDS = 3_600
ROWS_SHOWN = 5
LINES_SHOWN = 50
CHOICE = "map:"


class Upload(forms.Form):
    """The file, and what a subclass wants to know of it."""

    file = forms.FileField(
        help_text="CSV, XLSX, JSON or JSON lines, at most 20 MB",
        widget=forms.FileInput(attrs={"accept": ".csv,.tsv,.txt,.xlsx,.json,.jsonl"}),
    )


class ImportPage:
    """The page of one kind of import; a subclass names its form and its work."""

    title = "Import"
    form: type[Upload] = Upload
    permissions: Sequence[str] = ()
    back = ""  # the list it belongs to, by the name of its address

    def fields(self, options: dict[str, Any]) -> list[Field]:
        """What can be mapped."""
        raise NotImplementedError

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
        """Import; raises UnreadableFile."""
        raise NotImplementedError

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.user.has_perms(self.permissions):
            raise PermissionDenied
        if request.method != "POST":
            return self._show(request, self.form())
        token = request.POST.get("token", "")
        if not token:
            return self._uploaded(request)
        kept = cache.get(_key(request, token))
        if kept is None:
            form = self.form()
            return self._show(request, form, error="That preview has expired. Choose the file.")
        return self._again(request, token, kept)

    def _uploaded(self, request: HttpRequest) -> HttpResponse:
        form = self.form(request.POST, request.FILES)
        if not form.is_valid():
            return self._show(request, form)
        upload = form.cleaned_data["file"]
        try:
            tables.check_size(upload.name, upload.size)
        except UnreadableFile as e:
            return self._show(request, form, error=str(e))
        options = {name: form.data.get(name, "") for name in form.fields if name != "file"}
        kept = {"name": upload.name, "content": upload.read(), "options": options}
        token = secrets.token_urlsafe(24)
        cache.set(_key(request, token), kept, KEPT_SECONDS)
        return self._preview(request, token, kept, {})

    def _again(self, request: HttpRequest, token: str, kept: dict[str, Any]) -> HttpResponse:
        chosen = {
            name.removeprefix(CHOICE): str(column)
            for name, column in request.POST.items()
            if name.startswith(CHOICE)
        }
        if "apply" not in request.POST:
            return self._preview(request, token, kept, chosen)
        try:
            report = self._carry_out(kept, chosen, dry_run=False)
        except UnreadableFile as e:
            return self._show(request, self._form_of(kept), error=str(e))
        cache.delete(_key(request, token))
        return self._show(request, self.form(), done=report)

    def _preview(
        self, request: HttpRequest, token: str, kept: dict[str, Any], chosen: dict[str, str]
    ) -> HttpResponse:
        try:
            report = self._carry_out(kept, chosen, dry_run=True)
        except UnreadableFile as e:
            # A wrong mapping is put right on the page; a wrong file is chosen anew.
            table = self._table(kept)
            if table is None:
                return self._show(request, self._form_of(kept), error=str(e))
            preview = self._mapping(kept, table, chosen)
            return self._show(request, self.form(), error=str(e), token=token, **preview)
        preview = self._mapping(kept, self._table(kept), report.columns)
        return self._show(request, self.form(), report=report, token=token, **preview)

    def _carry_out(
        self, kept: dict[str, Any], chosen: dict[str, str], *, dry_run: bool
    ) -> Report:
        options = self._options(kept)
        return self.carry_out(
            kept["content"],
            kept["name"],
            options,
            chosen=chosen,
            dry_run=dry_run,
            now=timezone.now(),
        )

    def _options(self, kept: dict[str, Any]) -> dict[str, Any]:
        """What the form said, read anew: a client or campaign may have gone since."""
        form = self._form_of(kept)
        form.fields.pop("file")
        if not form.is_valid():
            problems = [str(e) for errors in form.errors.values() for e in errors]
            raise UnreadableFile(" ".join(problems))
        return form.cleaned_data

    def _form_of(self, kept: dict[str, Any]) -> Upload:
        return self.form(kept["options"])

    def _table(self, kept: dict[str, Any]) -> Table | None:
        try:
            return tables.read(kept["content"], kept["name"])
        except UnreadableFile:
            return None

    def _mapping(
        self, kept: dict[str, Any], table: Table | None, columns: dict[str, str]
    ) -> dict[str, Any]:
        """The fields with their columns, and the first rows."""
        if table is None:  # a feed has no columns
            return {}
        fields = self.fields(self._options(kept))
        return {
            "mapping": [(each, columns.get(each.name, "")) for each in fields],
            "columns": table.columns,
            "rows": table.rows[:ROWS_SHOWN],
        }

    def _show(
        self, request: HttpRequest, form: Upload, *, done: Report | None = None, **more: Any
    ) -> HttpResponse:
        told = done or more.get("report")
        context = {
            **admin.site.each_context(request),
            "title": self.title,
            "form": form,
            "back": reverse(self.back),
            "done": done,
            "choice": CHOICE,
            "counts": dict(told.counts) | {"refused": len(told.problems)} if told else {},
            "problems": sorted(told.problems)[:LINES_SHOWN] if told else [],
            "warnings": sorted(told.warnings)[:LINES_SHOWN] if told else [],
            "suppressed": sorted(told.suppressed)[:LINES_SHOWN] if told else [],
            **more,
        }
        return TemplateResponse(request, "admin/desk/import.html", context)


def _key(request: HttpRequest, token: str) -> str:
    """Of one user's file: a token is no use to anybody else."""
    safe = "".join(c for c in token if c.isalnum() or c in "-_")[:64]
    return f"import:{request.user.pk}:{safe}"


class WithImport:
    """For a list of the admin: a button Import and its page. Name the page ``import_page``."""

    import_page: type[ImportPage]
    actions_list = ("open_import",)

    def has_import_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perms(self.import_page.permissions))

    @action(  # type: ignore[untyped-decorator]
        description="Import", url_path="open-import", permissions=["import"], icon="upload"
    )
    def open_import(self, request: HttpRequest) -> HttpResponseRedirect:
        return redirect(f"admin:{self._import_name()}")

    def _import_name(self) -> str:
        meta = self.model._meta  # type: ignore[attr-defined]
        return f"{meta.app_label}_{meta.model_name}_import"

    def get_urls(self) -> list[URLPattern]:
        page = self.admin_site.admin_view(self.import_page())  # type: ignore[attr-defined]
        own = [path("import/", page, name=self._import_name())]
        return [*own, *super().get_urls()]  # type: ignore[misc]
