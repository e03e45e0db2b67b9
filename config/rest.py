"""What every view of the API stands on: deny by default, strict input, steady pages.

Junk is answered with 400 and the name of what was wrong, never ignored and never a crash: a
misspelled filter that is skipped would hand out everything.
"""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, ClassVar, NoReturn

import django_filters
from django import forms
from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import models, transaction
from django.db.models import Q
from django.utils.timezone import is_naive
from django_filters import rest_framework as filters
from rest_framework import serializers
from rest_framework.exceptions import APIException, ParseError, ValidationError
from rest_framework.pagination import BasePagination
from rest_framework.parsers import BaseParser
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle

from config import visitors

BODY_LIMIT = 1_000_000  # bytes (SEC-15)
DEPTH_LIMIT = 20  # lists and objects within each other (SEC-15)
LARGEST_ID = 2**63 - 1
NO_SUCH_FIELD = "There is no such field."
DIGITS = re.compile(r"[0-9]{1,19}")
STRINGS_AND_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]')


# Permission


class Nobody(BasePermission):
    """The default: a view that does not say who may come in lets nobody in (SEC-1)."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return False


# Bodies


class TooLarge(APIException):
    status_code = 413
    default_detail = f"The body is larger than {BODY_LIMIT // 1_000_000} MB."
    default_code = "too_large"


class JSON(BaseParser):
    """JSON as its standard has it, of bounded size and depth (SEC-15).

    Refused: NaN and infinities, a key twice in one object, NUL and halves of surrogate pairs.
    PostgreSQL stores none of these, and a client that sends them means something else.
    """

    media_type = "application/json"

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        body = stream.read(BODY_LIMIT + 1)
        if len(body) > BODY_LIMIT:
            raise TooLarge
        try:
            text = body.decode("utf-8")
            check_depth(text)
            parsed = json.loads(
                text,
                parse_constant=_no_constant,
                parse_float=_finite,
                object_pairs_hook=_unique,
            )
            check_text(parsed)
        except ValueError as error:
            raise ParseError(f"This is not JSON that can be read: {error}") from error
        return parsed


def check_depth(text: str) -> None:
    """Raise ValueError if JSON ``text`` nests deeper than DEPTH_LIMIT, before it is parsed."""
    depth = 0
    for found in STRINGS_AND_BRACKETS.finditer(text):
        if found[0] in "[{":
            depth += 1
            if depth > DEPTH_LIMIT:
                raise ValueError(f"it nests deeper than {DEPTH_LIMIT} levels")
        elif found[0] in "]}":
            depth -= 1


def check_text(value: Any) -> None:
    """Raise ValueError if a text in parsed JSON cannot be stored."""
    for text in _texts(value):
        if "\x00" in text:
            raise ValueError("a text contains a NUL character")
        if any("\ud800" <= character <= "\udfff" for character in text):
            raise ValueError("a text contains half of a surrogate pair")


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number")


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError(f"{text} is too large")
    return number


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice in one object")
    return found


class Strict(serializers.Serializer):
    """Refuses fields it does not know: a misspelled one is a change that never happens."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict):
            unknown = sorted(set(data) - set(self.fields))
            if unknown:
                raise ValidationError({name[:80]: [NO_SUCH_FIELD] for name in unknown})
        return super().to_internal_value(data)


# Query parameters


class WholeNumber(forms.Field):
    """An id as a decimal number in ASCII digits; Python's int() would also read ``١٢``."""

    default_error_messages: ClassVar[dict[str, Any]] = {"invalid": "Enter a whole number."}

    def to_python(self, value: Any) -> int | None:
        if value in self.empty_values:
            return None
        if not DIGITS.fullmatch(str(value)) or int(value) > LARGEST_ID:
            raise DjangoValidationError(self.error_messages["invalid"], code="invalid")
        return int(value)


class IdFilter(django_filters.Filter):
    """Equality with an id, whether or not a row of that id exists."""

    field_class = WholeNumber


class YesNo(forms.Field):
    """``true`` or ``false``; anything else is a mistake, not "unknown"."""

    default_error_messages: ClassVar[dict[str, Any]] = {"invalid": "Enter true or false."}

    def to_python(self, value: Any) -> bool | None:
        if value in self.empty_values:
            return None
        if str(value).lower() not in ("true", "false"):
            raise DjangoValidationError(self.error_messages["invalid"], code="invalid")
        return str(value).lower() == "true"


class YesNoFilter(filters.BooleanFilter):
    field_class = YesNo


class Filters(filters.DjangoFilterBackend):
    """The view's filters, and a refusal of every parameter that is none of them."""

    def filter_queryset(self, request: Request, queryset: Any, view: Any) -> Any:
        filterset_class = self.get_filterset_class(view, queryset)
        known = set(filterset_class.base_filters) if filterset_class else set()
        check_parameters(request, known | view.pagination_class.PARAMETERS)
        return super().filter_queryset(request, queryset, view)


def check_parameters(request: Request, known: set[str]) -> None:
    """Raise ValidationError for query parameters that are not among ``known``."""
    unknown = sorted(set(request.query_params) - known)
    if unknown:
        hint = f"There is no such parameter. Known: {', '.join(sorted(known)) or 'none'}."
        raise ValidationError({name[:80]: [hint] for name in unknown})


def yes_or_no(request: Request, name: str, *, default: bool = False) -> bool:
    """The query parameter ``name``; raises ValidationError if it is neither true nor false."""
    try:
        answer = YesNo(required=False).clean(request.query_params.get(name))
    except DjangoValidationError as error:
        raise ValidationError({name: error.messages}) from error
    return default if answer is None else bool(answer)


# Pages


class Pages(BasePagination):
    """Keyset pages: each continues after the last row of the one before, at the same cost.

    ``ordering`` of the view names fields that are never null; the primary key decides ties.
    """

    PARAMETERS: ClassVar[set[str]] = {"cursor", "page_size"}
    SIZE = 50
    LARGEST = 200

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        self.request = request
        self.order: Sequence[str] = (*getattr(view, "ordering", ("-pk",)),)
        if self.order[-1].lstrip("-") != "pk":
            self.order = (*self.order, "pk")
        size = self._size(request)
        queryset = queryset.order_by(*self.order)
        cursor = request.query_params.get("cursor")
        if cursor:
            queryset = queryset.filter(self._after(queryset.model, cursor))
        rows = list(queryset[: size + 1])
        self.more = len(rows) > size
        self.page = rows[:size]
        return self.page

    def get_paginated_response(self, data: Any) -> Response:
        return Response({"next": self._next(), "results": data})

    def get_paginated_response_schema(self, schema: Any) -> Any:
        return {
            "type": "object",
            "required": ["next", "results"],
            "properties": {
                "next": {
                    "type": ["string", "null"],
                    "format": "uri",
                    "description": "Where the list goes on; null at its end.",
                },
                "results": schema,
            },
        }

    def get_schema_operation_parameters(self, view: Any) -> list[Any]:
        return [
            {
                "name": "cursor",
                "in": "query",
                "required": False,
                "description": "Taken from `next` of the page before.",
                "schema": {"type": "string"},
            },
            {
                "name": "page_size",
                "in": "query",
                "required": False,
                "description": f"Rows per page; at most {self.LARGEST} are given.",
                "schema": {"type": "integer", "minimum": 1, "default": self.SIZE},
            },
        ]

    def _size(self, request: Request) -> int:
        asked = request.query_params.get("page_size", str(self.SIZE))
        if not DIGITS.fullmatch(asked) or int(asked) < 1:
            raise ValidationError({"page_size": ["Enter a whole number from 1."]})
        return min(int(asked), self.LARGEST)

    def _fields(self) -> Iterator[tuple[str, bool]]:
        for name in self.order:
            yield name.lstrip("-"), name.startswith("-")

    def _next(self) -> str | None:
        if not self.more:
            return None
        row = self.page[-1]
        place = [_field(type(row), name).value_to_string(row) for name, _ in self._fields()]
        cursor = base64.urlsafe_b64encode(json.dumps(place).encode()).decode()
        query = self.request.query_params.copy()
        query["cursor"] = cursor
        return self.request.build_absolute_uri(f"{self.request.path}?{query.urlencode()}")

    def _after(self, model: type[models.Model], cursor: str) -> Q:
        """The condition under which a row comes after the one the cursor names."""
        try:
            place = json.loads(base64.urlsafe_b64decode(cursor.encode("ascii")))
            values = [
                _value(model, name, text)
                for (name, _), text in zip(self._fields(), place, strict=True)
            ]
        except NOT_A_CURSOR as error:
            message = "This is not a cursor of this list."
            raise ValidationError({"cursor": [message]}) from error
        after, equal = Q(), Q()
        for (name, descending), value in zip(self._fields(), values, strict=True):
            after |= equal & Q(**{f"{name}__{'lt' if descending else 'gt'}": value})
            equal &= Q(**{name: value})
        return after


# What decoding somebody's invention may end in.
NOT_A_CURSOR = (ValueError, TypeError, ArithmeticError, RecursionError, DjangoValidationError)


def _field(model: type[models.Model], name: str) -> Any:
    return model._meta.pk if name == "pk" else model._meta.get_field(name)


def _value(model: type[models.Model], name: str, text: Any) -> Any:
    """What a cursor says of one field; raises one of NOT_A_CURSOR."""
    if not isinstance(text, str) or "\x00" in text:
        raise TypeError
    text.encode()  # half of a letter is none: no database takes it
    value = _field(model, name).to_python(text)
    if value is None or (isinstance(value, datetime) and is_naive(value)):
        raise ValueError
    if isinstance(value, int) and abs(value) > LARGEST_ID:
        raise ValueError
    return value


# Frequency


class PerMinute(BaseThrottle):
    """At most ``limit`` requests of one user in each minute (SEC-10)."""

    limit = 600
    name = "api"

    def allow_request(self, request: Request, view: Any) -> bool:
        self.now = time.time()
        who = request.user.pk or f"at-{visitors.neighbourhood(visitors.caller(request))}"
        return not visitors.is_too_often(self.name, str(who), per_minute=self.limit)

    def wait(self) -> float:
        return 60 - self.now % 60


class TenPerMinute(PerMinute):
    """For what costs money or works through much: ten in each minute."""

    limit = 10
    name = "api-heavy"


# Writing


class SavesAtOnce:
    """A view that saves a row with all that hangs on it, or nothing."""

    @transaction.atomic
    def perform_create(self, serializer: serializers.BaseSerializer) -> None:
        serializer.save()

    @transaction.atomic
    def perform_update(self, serializer: serializers.BaseSerializer) -> None:
        serializer.save()

    @transaction.atomic
    def perform_destroy(self, instance: Any) -> None:
        instance.delete()
