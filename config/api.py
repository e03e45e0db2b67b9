"""The API as a whole: its addresses, and one shape for everything that goes wrong.

``{"error": {"code": "wrong_status", "message": "match #7 cannot become …", "fields": {…}}}``,
with ``fields`` only where a field is to blame.
"""

from __future__ import annotations

import logging
import re
from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.exceptions import (
    ObjectDoesNotExist,
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
)
from django.core.exceptions import ValidationError as DjangoValidationError
from django.core.signals import got_request_exception
from django.db import DatabaseError, DataError, IntegrityError
from django.db.models import ProtectedError, RestrictedError
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import include, path, re_path
from drf_spectacular.contrib.knox_auth_token import KnoxTokenScheme
from drf_spectacular.utils import extend_schema, inline_serializer
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework import serializers, status
from rest_framework.exceptions import APIException, NotFound, ValidationError
from rest_framework.exceptions import PermissionDenied as RestPermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter
from rest_framework.views import APIView

from campaigns import api as campaigns
from campaigns.access import Anyone, LoggedIn
from campaigns.presets import MissingSequence
from config import beats
from config.db import WrongStatus
from config.middleware import POLICY
from pitches import api as pitches
from pitches.breakers import CannotClose
from pitches.channels import ChannelError
from pitches.gate import Held
from pitches.inbox import InboxUnavailable, MeaningSettled
from pitches.journal import JournalUnavailable
from pitches.resolving import NotResolvable
from pitches.review import NoReason, NotApprovable
from pitches.samples import NotSent
from pitches.sequences import NotWritten
from prospects import api as prospects
from prospects.addresses import AddressError

log = logging.getLogger(__name__)

# A door tells whose fault it is; what happened is said by the error itself.
DOMAIN = (
    (WrongStatus, status.HTTP_409_CONFLICT, "wrong_status"),
    (AddressError, status.HTTP_400_BAD_REQUEST, "bad_address"),
    (NoReason, status.HTTP_400_BAD_REQUEST, "no_reason"),
    (NotWritten, status.HTTP_409_CONFLICT, "not_written"),
    (MissingSequence, status.HTTP_409_CONFLICT, "no_such_sequence"),
    (NotApprovable, status.HTTP_409_CONFLICT, "not_approvable"),
    (NotResolvable, status.HTTP_409_CONFLICT, "not_resolvable"),
    (CannotClose, status.HTTP_409_CONFLICT, "cannot_close"),
    (NotSent, status.HTTP_409_CONFLICT, "not_sent"),
    (Held, status.HTTP_409_CONFLICT, "held"),
    (MeaningSettled, status.HTTP_409_CONFLICT, "meaning_settled"),
    (InboxUnavailable, status.HTTP_503_SERVICE_UNAVAILABLE, "inbox_unavailable"),
    (JournalUnavailable, status.HTTP_503_SERVICE_UNAVAILABLE, "journal_unavailable"),
    (ChannelError, status.HTTP_502_BAD_GATEWAY, "channel"),
)

CHECK_VIOLATION = "23514"
# Beyond this the workers are as good as dead; idle ones beat far more often.
WORKER_SILENCE = 90.0  # seconds


def answer_error(error: Exception, context: dict[str, Any]) -> Response:
    """Everything that goes wrong in a view, in one shape (S001-039)."""
    for kind, code, name in DOMAIN:
        if isinstance(error, kind):
            problems = getattr(error, "problems", None)
            return shaped(code, name, str(error), problems and {"problems": problems})
    if isinstance(error, DjangoValidationError):
        return _invalid(serializers.as_serializer_error(error))
    if isinstance(error, ProtectedError | RestrictedError):
        return shaped(409, "in_use", "Other rows hang on it, so it cannot be deleted.")
    if isinstance(error, IntegrityError | DataError):
        return _refused_by_database(error)
    if isinstance(error, Http404 | ObjectDoesNotExist):
        error = NotFound()
    elif isinstance(error, PermissionDenied):
        error = RestPermissionDenied()
    elif isinstance(error, RequestDataTooBig):
        return shaped(413, "too_large", "The request is too large.")
    elif isinstance(error, SuspiciousOperation):
        return shaped(400, "bad_request", "This request cannot be read.")
    if isinstance(error, ValidationError):
        return _invalid(error.detail)
    if isinstance(error, APIException):
        return _rest(error)
    return _ours(error, context)


def shaped(code: int, name: str, message: str, fields: Any = None) -> Response:
    body: dict[str, Any] = {"code": name, "message": message}
    if fields:
        body["fields"] = fields
    return Response({"error": body}, status=code)


def _invalid(detail: Any) -> Response:
    if not isinstance(detail, dict):
        detail = {"non_field_errors": detail}
    whole = detail.get("non_field_errors")
    message = " ".join(str(each) for each in whole) if whole else "Some fields are not right."
    fields = {name: errors for name, errors in detail.items() if name != "non_field_errors"}
    return shaped(400, "invalid", message, fields)


def _rest(error: APIException) -> Response:
    codes = error.get_codes()
    name = codes if isinstance(codes, str) else error.default_code
    response = shaped(error.status_code, name, str(error.detail))
    if header := getattr(error, "auth_header", None):
        response["WWW-Authenticate"] = header
    if wait := getattr(error, "wait", None):
        response["Retry-After"] = str(int(wait) + 1)
    return response


def _refused_by_database(error: DatabaseError) -> Response:
    """A promise that the database keeps. Its constraints are named as sentences."""
    cause = getattr(error.__cause__, "diag", None)
    state = getattr(cause, "sqlstate", "") or ""
    name = getattr(cause, "constraint_name", "") or ""
    sentence = name.replace("_", " ").capitalize() or "The database refused it"
    if isinstance(error, DataError) or state == CHECK_VIOLATION:
        return shaped(400, "invalid", f"{sentence}." if name else "A value is out of range.")
    return shaped(409, "conflict", f"{sentence}.")


def _ours(error: Exception, context: dict[str, Any]) -> Response:
    """Our own fault: logged in full, told without a word of it."""
    request = context.get("request")
    log.exception("The API failed on %s", getattr(request, "path", "?"), exc_info=error)
    got_request_exception.send(sender=None, request=getattr(request, "_request", request))
    return shaped(500, "internal", "Something went wrong here; the log has the details.")


class Missing(APIView):
    """What is not there, in the shape of every other error."""

    permission_classes = [Anyone]
    schema = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        raise NotFound


class Health(APIView):
    """Is it fit to work? Without login, for load balancers (S000-011)."""

    permission_classes = [Anyone]
    authentication_classes = []
    throttle_classes = []

    @extend_schema(
        tags=["health"],
        responses={
            (200, "application/json"): inline_serializer(
                "Health",
                {
                    "database": serializers.ChoiceField(["ok", "unreachable"]),
                    "worker": serializers.ChoiceField(["ok", "silent", "never heard"]),
                    "worker_silent_seconds": serializers.FloatField(allow_null=True),
                },
            )
        },
    )
    def get(self, request: Request) -> Response:
        """200 while the database answers, else 503; and how long no worker was heard."""
        try:
            silence = beats.silence()
        except DatabaseError:
            down = {"database": "unreachable", "worker": "never heard"}
            return Response({**down, "worker_silent_seconds": None}, status=503)
        return Response(
            {"database": "ok", "worker": _worker(silence), "worker_silent_seconds": silence}
        )


def _worker(silence: float | None) -> str:
    if silence is None:
        return "never heard"
    return "ok" if silence <= WORKER_SILENCE else "silent"


# The schema


class TokenScheme(KnoxTokenScheme):  # type: ignore[no-untyped-call]
    """Tells the schema that our tokens are sent as knox's are."""

    target_class = "config.logins.TokenAuthentication"


def canonical_only(endpoints: list[tuple[str, ...]], **kwargs: Any) -> list[tuple[str, ...]]:
    """Leave the earlier systems' addresses out of the schema: they are the same views."""
    return [endpoint for endpoint in endpoints if endpoint[0].startswith("/api/v1/")]


def describe_errors(result: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
    """Give every operation of the schema the one shape of errors."""
    result["components"].setdefault("schemas", {})["Error"] = ERROR
    answer = {
        "description": "What was wrong, in one shape for every error.",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
    }
    for operations in result["paths"].values():
        for operation in operations.values():
            operation["responses"]["4XX"] = answer
    return result


def without_ids(result: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
    """Leave out the ids of requirements in our docstrings: users do not know them."""
    for component in result["components"].get("schemas", {}).values():
        _strip_ids(component)
    for operations in result["paths"].values():
        for operation in operations.values():
            _strip_ids(operation)
    return result


def _strip_ids(described: dict[str, Any]) -> None:
    for name in ("summary", "description"):
        if name in described:
            described[name] = IDS.sub("", described[name])


# " (S003-055, S003-056)", " (S000-067..069)", " (S000-047, SEC-6)"
IDS = re.compile(r"\s\([A-Z]+\d*-\d+(?:(?:, | to |\.\.)[A-Z\d-]+)*\)")


def describe_times(result: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
    """Name times of day by a pattern: the format of that name wants a zone, ours have none."""
    for component in result["components"]["schemas"].values():
        for field in component.get("properties", {}).values():
            for schema in (field, field.get("items", {})):
                if schema.get("format") == "time":
                    del schema["format"]
                    schema["pattern"] = TIME_OF_DAY
    return result


TIME_OF_DAY = r"^[0-2][0-9]:[0-5][0-9](:[0-5][0-9](\.[0-9]+)?)?$"


ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message"],
            "properties": {
                "code": {"type": "string", "examples": ["wrong_status"]},
                "message": {"type": "string"},
                "fields": {
                    "type": "object",
                    "additionalProperties": True,
                    "description": "Per field what is wrong with it.",
                },
            },
        }
    },
}


# The addresses


class Router(SimpleRouter):
    """Addresses with or without the slash at the end: the earlier systems' clients use both."""

    def __init__(self) -> None:
        super().__init__()
        self.trailing_slash = "/?"


VIEWSETS: dict[str, Any] = {
    "clients": campaigns.Clients,
    "people": campaigns.People,
    "campaigns": campaigns.Campaigns,
    "candidates": campaigns.Candidates,
    "sequences": campaigns.Sequences,
    "pitch-templates": campaigns.PitchTemplates,
    "ai-usage": campaigns.AIUsages,
    "leads": prospects.Leads,
    "media": prospects.Media,
    "organizations": prospects.Organizations,
    "contacts": prospects.Contacts,
    "suppressions": prospects.Suppressions,
    "consents": prospects.Consents,
    "match-suggestions": pitches.Matches,
    "review-tasks": pitches.ReviewTasks,
    "pitches/generations": pitches.Generations,
    "pitches": pitches.Pitches,
    "messages": pitches.Messages,
    "senders": pitches.Senders,
    "limits": pitches.EmailLimits,
    "stops": pitches.Stops,
    "breakers": pitches.Breakers,
    "follow-up-tasks": pitches.FollowUpTasks,
    "incoming-messages": pitches.IncomingMessages,
    "webhook-deliveries": pitches.WebhookDeliveries,
    "placements": pitches.Placements,
}

router = Router()
for prefix, viewset in VIEWSETS.items():
    viewset.lookup_value_regex = "[0-9]{1,19}"
    router.register(prefix, viewset, basename=f"api-{prefix}")

ID = "(?P<{}>[0-9]{{1,19}})"
CAMPAIGN = ID.format("campaign")

canonical = [
    re_path(r"^health/?$", Health.as_view(), name="api-health"),
    re_path(
        r"^campaigns/create/?$",
        campaigns.Campaigns.as_view({"post": "create"}),
        name="api-campaigns-create",
    ),
    re_path(
        rf"^campaigns/{CAMPAIGN}/messages/?$",
        pitches.CampaignMessages.as_view({"get": "list"}),
        name="api-campaign-messages",
    ),
    re_path(
        rf"^campaigns/{CAMPAIGN}/send/?$",
        pitches.CampaignMessages.as_view({"post": "send"}, filter_backends=[]),
        name="api-campaign-send",
    ),
    re_path(
        rf"^match-suggestions/campaign/{CAMPAIGN}/?$",
        pitches.Matches.as_view({"get": "of_campaign"}),
        name="api-campaign-matches",
    ),
    *router.urls,
]

swagger = SpectacularSwaggerSplitView.as_view(url_name="schema", permission_classes=[LoggedIn])


@login_required
def docs(request: HttpRequest) -> HttpResponse:
    """The schema as a page to read and try; it sets its colors in the page."""
    response = swagger(request)
    policy = f"{POLICY}; style-src 'self' 'unsafe-inline'"
    response.headers["Content-Security-Policy"] = policy
    return response


outreach = [
    re_path(r"^trigger/?$", pitches.OutreachTrigger.as_view(), name="api-outreach-trigger"),
    re_path(r"^status/?$", pitches.OutreachStatus.as_view(), name="api-outreach-status"),
    re_path(
        r"^analytics/?$", pitches.OutreachAnalytics.as_view(), name="api-outreach-analytics"
    ),
    re_path(
        r"^follow-up/trigger/?$",
        pitches.FollowUpTrigger.as_view(),
        name="api-outreach-follow-up-trigger",
    ),
    re_path(
        r"^follow-up/pending/?$",
        pitches.PendingFollowUps.as_view({"get": "list"}),
        name="api-outreach-follow-up-pending",
    ),
    re_path(
        rf"^response/{ID.format('pk')}/?$",
        pitches.OutreachResponse.as_view(),
        name="api-outreach-response",
    ),
    re_path(
        r"^sequence/generate/?$",
        pitches.SequenceGenerate.as_view(),
        name="api-outreach-sequence-generate",
    ),
    re_path(
        rf"^sequence/{ID.format('pk')}/?$",
        pitches.SequenceOfProspect.as_view(),
        name="api-outreach-sequence",
    ),
    re_path(r"^cadence/weekly/?$", pitches.WeeklyCadence.as_view(), name="api-outreach-weekly"),
    re_path(r"^by-hand/?$", pitches.ByHand.as_view(), name="api-outreach-by-hand"),
    re_path(
        rf"^by-hand/{ID.format('pk')}/sent/?$",
        pitches.ByHandSent.as_view(),
        name="api-outreach-by-hand-sent",
    ),
    re_path(
        rf"^by-hand/{ID.format('pk')}/skipped/?$",
        pitches.ByHandSkipped.as_view(),
        name="api-outreach-by-hand-skipped",
    ),
]

urlpatterns = [
    path("schema/", SpectacularAPIView.as_view(permission_classes=[LoggedIn]), name="schema"),
    path("docs/", docs, name="docs"),
    path("v1/", include(canonical)),
    path("v1/outreach/", include(outreach)),
    # The address by which the earlier system's clients know it.
    path("outreach/", include((outreach, "earlier"))),
    re_path(r"^[\s\S]*$", Missing.as_view(), name="api-missing"),
]
