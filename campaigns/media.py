"""Uploaded files, for staff alone: nothing of what candidates entrusted to us is public."""

from __future__ import annotations

from io import BytesIO

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.core.files.storage import default_storage
from django.http import FileResponse, Http404, HttpRequest
from django.views.decorators.http import require_safe

from campaigns import access


@require_safe
@login_required
def show(request: HttpRequest, name: str) -> FileResponse:
    """One stored file, to be saved and never shown inside our pages."""
    if not (
        access.is_staff(request.user) and request.user.has_perm("campaigns.view_candidate")
    ):
        raise PermissionDenied
    try:
        with default_storage.open(name) as file:
            content = file.read()  # a few megabytes: larger ones are refused when they come in
    except (OSError, SuspiciousOperation, ValueError) as e:
        raise Http404("There is no such file.") from e
    return FileResponse(BytesIO(content), as_attachment=True, filename=name.rpartition("/")[2])
