"""What all screens of the desk share: pages of fifty, bounded counts, rows only to look at."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, TypeVar

from django.contrib.auth.models import User
from django.contrib.postgres.search import SearchQuery, SearchVector
from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.core.paginator import Paginator
from django.db import connections
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.functional import cached_property
from unfold import decorators
from unfold.admin import ModelAdmin, TabularInline

from config import look

ROWS_PER_PAGE = 50
# Up to here rows are counted; beyond, nobody counts pages and the planner's estimate will do.
COUNTED_ROWS = 10_000

Colors = dict[str, str]
# One meaning per color on every screen: green is done well, blue is under way, orange waits for
# somebody, red is wrong.
STATUS_COLORS: Colors = {
    **dict.fromkeys(("active", "sent", "completed", "done", "placed", "valid"), "success"),
    **dict.fromkeys(("approved", "queued", "claimed", "handing", "running", "pitched"), "info"),
    **dict.fromkeys(
        ("paused", "to_review", "open", "postponed", "waiting", "risky"), "warning"
    ),
    **dict.fromkeys(("failed", "unknown", "bounced", "stuck", "invalid", "expired"), "danger"),
    **dict.fromkeys(("replied", "human_reply", "interested", "meeting_booked"), "primary"),
}


Method = TypeVar("Method", bound=Callable[..., Any])


def display(**look: Any) -> Callable[[Method], Method]:
    """How a method is shown as a column: unfold's decorator, with a type."""
    return decorators.display(**look)


def user_of(request: HttpRequest) -> User:
    """Who is at the desk; the admin lets nobody in without a login."""
    assert request.user.is_authenticated
    return request.user


class BoundedPaginator(Paginator):
    """Counts exactly up to COUNTED_ROWS and estimates beyond, so no list scans its table."""

    @cached_property
    def count(self) -> int:
        rows = self.object_list
        if not isinstance(rows, QuerySet):
            return len(rows)
        rows = rows.order_by()
        counted = rows.values("pk")[: COUNTED_ROWS + 1].count()
        return counted if counted <= COUNTED_ROWS else max(counted, estimated(rows))


def estimated(rows: QuerySet) -> int:
    """How many rows PostgreSQL's planner expects; wrong by a little, at any size at once."""
    sql, params = rows.query.sql_with_params()
    with connections[rows.db].cursor() as cursor:
        cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}", params)
        (plan,) = cursor.fetchone()
    plan = json.loads(plan) if isinstance(plan, str) else plan
    return int(plan[0]["Plan"]["Plan Rows"])


class Page(ModelAdmin):
    """A list of fifty rows, and a form."""

    list_per_page = ROWS_PER_PAGE
    show_full_result_count = False
    paginator = BoundedPaginator
    list_filter_submit = True
    warn_unsaved_form = True
    compressed_fields = True
    list_fullwidth = True

    @property
    def menu_name(self) -> str:
        """What the sidebar calls this list; empty if it is not there."""
        return look.MENU_NAMES.get(self.opts.label_lower, "")

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """What an address fills a new form with, without what its fields could never hold."""
        asked = super().get_changeform_initial_data(request)
        return {name: value for name, value in asked.items() if self._holds(name, value)}

    def _holds(self, name: str, value: Any) -> bool:
        try:
            field: Any = self.model._meta.get_field(name)
            target = field.target_field if field.is_relation else field
            for each in value if isinstance(value, list) else [value]:
                target.to_python(each)
        except (FieldDoesNotExist, ValidationError, ValueError, AttributeError):
            return False
        return True

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        titled = {"title": self.menu_name} if self.menu_name else {}
        return super().changelist_view(request, {**titled, **(extra_context or {})})


def with_words(rows: QuerySet, field: str, term: str) -> QuerySet:
    """The rows in whose ``field`` every word of ``term`` begins a word; in any order and case.

    The GIN index over to_tsvector('simple', field) answers it; a LIKE '%…%' would scan.
    """
    beginnings = " & ".join(f"'{word}':*" for word in re.findall(r"\w+", term)[:10])
    if not beginnings:
        return rows.none()
    query = SearchQuery(beginnings, config="simple", search_type="raw")
    # An alias, so that the list selects no vector.
    return rows.alias(words_of=SearchVector(field, config="simple")).filter(words_of=query)


class WordSearch(ModelAdmin):
    """A search box that finds rows by the beginnings of words.

    ``search_words`` names fields of the model, or of a row it points to (``lead__name``);
    ``search_fields`` may add exact or prefix lookups.
    """

    search_words: tuple[str, ...] = ()

    def get_search_fields(self, request: HttpRequest) -> Any:
        """Never empty, for the box to be shown and for autocompletion to be allowed."""
        return self.search_fields or self.search_words

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet, search_term: str
    ) -> tuple[QuerySet, bool]:
        if not search_term.strip():
            return queryset, False
        found = Q()
        for path in self.search_words:
            relation, _, field = path.rpartition("__")
            model = self.model
            for name in relation.split("__") if relation else ():
                model = model._meta.get_field(name).related_model
            rows = with_words(model._base_manager.all(), field, search_term).values("pk")
            found |= Q(**{f"{relation or 'pk'}__in": rows})
        if self.search_fields:
            others, _ = super().get_search_results(request, queryset, search_term)
            found |= Q(pk__in=others.order_by().values("pk"))
        return queryset.filter(found), False


class Looking:
    """Rows that only the work itself may write: nobody adds, changes or deletes them here."""

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class Ledger(Looking, Page):
    """A page of rows that are history."""

    actions: Any = None


class Kept:
    """History hangs on these rows: they are changed, paused or closed, and never deleted."""

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class Rows(TabularInline):
    """Lines of a form, without an empty one until somebody asks for it."""

    extra = 0
    show_change_link = True


class LedgerRows(Looking, Rows):
    """Lines to look at."""


def status_of(obj: Any, field: str = "status") -> tuple[str, str]:
    """The value and the label of a choice, as unfold's colored labels want them."""
    return getattr(obj, field), getattr(obj, f"get_{field}_display")()
