"""Is it fit to answer? Asked by load balancers, by `up`, and by people in a hurry."""

from django.db import DatabaseError
from django.http import HttpRequest, JsonResponse

from . import beats


def healthz(request: HttpRequest) -> JsonResponse:
    """200 while the database answers, else 503; and for how long no worker was heard."""
    try:
        silence = beats.silence()
    except DatabaseError:
        return JsonResponse({"database": "unreachable"}, status=503)
    return JsonResponse({"database": "ok", "worker_silent_seconds": silence})
