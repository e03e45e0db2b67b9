"""The review queue: every decision somebody owes, and the page on which it is taken."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from unfold.contrib.filters.admin import RelatedDropdownFilter

from config.db import WrongStatus
from config.desk import STATUS_COLORS, Ledger, display, status_of, user_of
from pitches import review, samples
from pitches.admin import task_pages
from pitches.models import ReviewTask, Variant

DECIDE = "pitches.change_reviewtask"
# Decided with one press; more than these are decided in several.
MOST_AT_ONCE = 200
# A page that lay open longer was not being read.
MOST_SECONDS = 3600
MOST_DIGITS = 18
# What the list is narrowed by, kept from decision to decision.
QUEUE_FILTERS = ("kind__exact", "campaign__id__exact")
REASONS = {
    "match": (
        "Wrong industry",
        "Too junior",
        "Too far away",
        "Was pitched before",
        "Not a fit",
    ),
    "pitch": ("Wrong person", "Facts are wrong", "Tone is wrong", "Bad timing", "Not a fit"),
}


class Reason(forms.Form):
    reason = forms.CharField(max_length=300, strip=True)


class Words(forms.Form):
    """A person's own words for one draft."""

    variant = forms.IntegerField()
    subject = forms.CharField(max_length=300, required=False, strip=True)
    body = forms.CharField(max_length=20_000, strip=False)


@admin.register(ReviewTask)
class ReviewTaskAdmin(Ledger):
    list_display = ("what", "colored_kind", "whose", "colored_risk", "age", "colored_status")
    list_display_links = ("what",)
    list_filter = ("status", "kind", ("campaign", RelatedDropdownFilter))
    list_select_related = (
        "campaign__client",
        "match__candidate",
        "match__lead",
        "pitch__lead",
        "pitch__address__contact",
        "message",
        "incoming",
        "lead",
    )
    search_fields = ("campaign__name__istartswith",)
    ordering = ("-risk", "created_at", "pk")
    actions = ("approve_chosen", "reject_chosen")

    # The list

    @display(description="decision about")
    def what(self, task: ReviewTask) -> str:
        return title_of(task)

    @display(description="kind", ordering="kind", label={"match": "info", "message": "primary"})
    def colored_kind(self, task: ReviewTask) -> tuple[str, str]:
        return task.kind, {"message": "pitch"}.get(task.kind, task.get_kind_display())

    @display(description="campaign", ordering="campaign__name")
    def whose(self, task: ReviewTask) -> str:
        return f"{task.campaign} · {task.campaign.client}" if task.campaign else "-"

    @display(description="risk", ordering="risk", label={"urgent": "danger"})
    def colored_risk(self, task: ReviewTask) -> str | None:
        return "urgent" if is_urgent(task) else None

    @display(description="waiting since", ordering="created_at")
    def age(self, task: ReviewTask) -> Any:
        return task.created_at

    @display(description="status", ordering="status", label=STATUS_COLORS)
    def colored_status(self, task: ReviewTask) -> tuple[str, str]:
        decided = task.get_decision_display()
        return (task.decision, decided) if decided else status_of(task)

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Opened without a question, the queue shows what is open."""
        if request.method == "GET" and not request.GET and self.has_view_permission(request):
            return redirect(f"{request.path}?status__exact=open")
        return super().changelist_view(request, extra_context)

    def has_decide_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(DECIDE)

    # Many at once

    @admin.action(description="Approve…", permissions=["decide"])
    def approve_chosen(self, request: HttpRequest, tasks: QuerySet) -> HttpResponse | None:
        return self._decide_many(request, tasks, "approve_chosen")

    @admin.action(description="Reject…", permissions=["decide"])
    def reject_chosen(self, request: HttpRequest, tasks: QuerySet) -> HttpResponse | None:
        return self._decide_many(request, tasks, "reject_chosen")

    def _decide_many(
        self, request: HttpRequest, tasks: QuerySet, action: str
    ) -> HttpResponse | None:
        rows = list(
            tasks.filter(status=ReviewTask.Status.OPEN).order_by(*self.ordering)[:MOST_AT_ONCE]
        )
        is_approval = action == "approve_chosen"
        form = Reason(request.POST if "confirmed" in request.POST else None)
        if rows and "confirmed" in request.POST and (is_approval or form.is_valid()):
            by, now = user_of(request), timezone.now()
            if is_approval:
                done, refused = review.approve_many(rows, by=by, now=now)
            else:
                reason = form.cleaned_data["reason"]
                done, refused = review.reject_many(rows, by=by, now=now, reason=reason)
            self._report(request, done, refused)
            return None
        if not rows:
            self.message_user(request, "None of these is open any more.", messages.WARNING)
            return None
        context = {
            **self.admin_site.each_context(request),
            "title": f"{'Approve' if is_approval else 'Reject'} {len(rows)}",
            "tasks": [(task, title_of(task)) for task in rows],
            "chosen": ACTION_CHECKBOX_NAME,
            "action": action,
            "is_approval": is_approval,
            "form": form,
            "most": MOST_AT_ONCE,
            "back": request.get_full_path(),
            "reasons": REASONS["match" if rows[0].match_id else "pitch"],
        }
        return TemplateResponse(request, "admin/desk/review_many.html", context)

    def _report(self, request: HttpRequest, done: int, refused: list[review.Refused]) -> None:
        if done:
            self.message_user(request, f"{done} decided.", messages.SUCCESS)
        for each in refused[:5]:
            told = f"{title_of(each.task)}: {each.cause}"
            self.message_user(request, told, messages.WARNING)
        if len(refused) > 5:
            self.message_user(request, f"… and {len(refused) - 5} more.", messages.WARNING)

    # One

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: Any = None,
    ) -> HttpResponse:
        task = self.get_object(request, object_id)
        if task is None:
            self.message_user(request, "This decision is not there any more.", messages.WARNING)
            return redirect(self._queue(request))
        if not self.has_view_permission(request, task):
            raise PermissionDenied
        if request.method == "POST":
            if not self.has_decide_permission(request):
                raise PermissionDenied
            return self._act(request, task)
        return self._page(request, task)

    def _page(self, request: HttpRequest, task: ReviewTask, **more: Any) -> HttpResponse:
        now = timezone.now()
        queue = same_kind(task, request)
        following = neighbour(task, queue, forward=True)
        last = last_decided(request)
        context = {
            **self.admin_site.each_context(request),
            **task_pages.of_task(task, now=now, chosen=request.GET.getlist("draft")),
            "title": title_of(task),
            "task": task,
            "is_urgent": is_urgent(task),
            "now": now,
            "may_decide": self.has_decide_permission(request) and task.is_open,
            "following": self._url(request, following),
            "preceding": self._url(request, neighbour(task, queue, forward=False)),
            "queue": self._queue(request),
            "left": open_tasks(queue_of(request)).count(),
            "last": last,
            "may_withdraw": last is not None and may_withdraw(last),
            "reasons": REASONS["match" if task.match_id else "pitch"],
            **more,
        }
        return TemplateResponse(request, "admin/desk/review_task.html", context)

    def _act(self, request: HttpRequest, task: ReviewTask) -> HttpResponse:
        acts = {
            "approve": self._approve,
            "reject": self._reject,
            "edit": self._edit,
            "restore": self._restore,
            "sample": self._sample,
            "withdraw": self._withdraw,
        }
        act = acts.get(request.POST.get("do", ""))
        if act is None:
            return redirect(request.get_full_path())
        try:
            return act(request, task)
        except (WrongStatus, ValidationError, review.NotApprovable, samples.NotSent) as e:
            # Somebody else was quicker, or the words do not hold: a sentence, never a failure.
            for sentence in sentences(e):
                self.message_user(request, sentence, messages.WARNING)
            return redirect(request.get_full_path())

    def _approve(self, request: HttpRequest, task: ReviewTask) -> HttpResponse:
        following = self._following(request, task)
        decided = review.approve(
            task,
            by=user_of(request),
            now=timezone.now(),
            variants=chosen_variants(request),
            seconds=seconds_taken(request),
            seen=request.POST.get("seen", "") if task.pitch_id else None,
        )
        if decided.is_open:
            told = "Noted. It is approved once the others have said yes too."
            self.message_user(request, told, messages.INFO)
        return self._go_on(request, task, following)

    def _reject(self, request: HttpRequest, task: ReviewTask) -> HttpResponse:
        form = Reason(request.POST)
        if not form.is_valid():
            return self._page(request, task, reason_error="Say why: the writer learns from it.")
        following = self._following(request, task)
        review.reject(
            task,
            by=user_of(request),
            now=timezone.now(),
            reason=form.cleaned_data["reason"],
            seconds=seconds_taken(request),
        )
        return self._go_on(request, task, following)

    def _edit(self, request: HttpRequest, task: ReviewTask) -> HttpResponse:
        form = Words(request.POST)
        if not form.is_valid():
            raise ValidationError([f"{k}: {e}" for k, v in form.errors.items() for e in v])
        variant = self._variant(task, form.cleaned_data["variant"])
        subject, body = form.cleaned_data["subject"], form.cleaned_data["body"]
        review.edit(
            variant, by=user_of(request), now=timezone.now(), subject=subject, body=body
        )
        return self._again(request, variant)

    def _restore(self, request: HttpRequest, task: ReviewTask) -> HttpResponse:
        variant = self._variant(task, request.POST.get("variant", ""))
        review.restore(variant, by=user_of(request), now=timezone.now())
        return self._again(request, variant)

    def _sample(self, request: HttpRequest, task: ReviewTask) -> HttpResponse:
        """The words of one draft to the reader's own address; nothing is decided by it."""
        variant = self._variant(task, request.POST.get("variant", ""))
        told = samples.send_variant(variant, by=user_of(request), now=timezone.now())
        self.message_user(request, told, messages.SUCCESS)
        return self._again(request, variant)

    def _again(self, request: HttpRequest, variant: Variant) -> HttpResponse:
        """The same page, with what was chosen on it, and what was edited chosen too."""
        query = request.GET.copy()
        chosen = {**chosen_variants(request), variant.message_id: variant.pk}
        query.setlist("draft", [str(pk) for pk in chosen.values()])
        return redirect(f"{request.path}?{query.urlencode()}#draft-{variant.pk}")

    def _withdraw(self, request: HttpRequest, task: ReviewTask) -> HttpResponse:
        reopened = review.withdraw(task, by=user_of(request))
        self.message_user(request, "Taken back: it is yours to decide again.", messages.SUCCESS)
        return redirect(self._url(request, reopened))

    def _variant(self, task: ReviewTask, pk: Any) -> Variant:
        """One of this task's own drafts; any other number is a lie."""
        mine = Variant.objects.filter(message__pitch=task.pitch_id)
        if task.message_id:
            mine = mine.filter(message=task.message_id)
        number = str(pk)
        rows = mine.select_related("message__pitch")
        variant = rows.filter(pk=number).first() if _is_id(number) else None
        if variant is None:
            raise ValidationError("This draft is not part of the decision any more.")
        return variant

    # From one to the next

    def _following(self, request: HttpRequest, task: ReviewTask) -> ReviewTask | None:
        return neighbour(task, same_kind(task, request), forward=True)

    def _go_on(
        self, request: HttpRequest, task: ReviewTask, following: ReviewTask | None
    ) -> HttpResponse:
        if following is None:
            left = open_tasks(queue_of(request)).exclude(pk=task.pk).count()
            told = "That was the last one. Well done."
            if left:
                told = f"That was the last one of its kind. Others that wait: {left}."
            self.message_user(request, told, messages.SUCCESS)
            return HttpResponseRedirect(self._queue(request))
        url = self._url(request, following)
        return redirect(f"{url}{'&' if '?' in url else '?'}decided={task.pk}")

    def _url(self, request: HttpRequest, task: ReviewTask | None) -> str:
        if task is None:
            return ""
        url = reverse("admin:pitches_reviewtask_change", args=[task.pk])
        filters = request.GET.get("_changelist_filters", "")
        return f"{url}?{urlencode({'_changelist_filters': filters})}" if filters else url

    def _queue(self, request: HttpRequest) -> str:
        url = reverse("admin:pitches_reviewtask_changelist")
        return f"{url}?{request.GET.get('_changelist_filters') or 'status__exact=open'}"


def is_urgent(task: ReviewTask) -> bool:
    return bool((task.match and task.match.urgent) or (task.pitch and task.pitch.urgent))


def title_of(task: ReviewTask) -> str:
    """What a task asks, in the fewest words."""
    if task.match:
        return f"{task.match.candidate} → {task.match.lead}"
    if task.pitch:
        person = task.pitch.address.contact
        return f"Pitch to {person}, {task.pitch.lead}"
    return str(task.incoming or task.lead or task)


def queue_of(request: HttpRequest) -> dict[str, str]:
    """The filters under which the queue was opened, as lookups."""
    told = dict(parse_qsl(request.GET.get("_changelist_filters", "")))
    kept = {name: told[name] for name in QUEUE_FILTERS if told.get(name)}
    if not _is_id(kept.get("campaign__id__exact", "0")):
        kept.pop("campaign__id__exact")
    return kept


def same_kind(task: ReviewTask, request: HttpRequest) -> dict[str, str]:
    """The queue narrowed to the kind of this task.

    A key that approves must not meet a question of another sort a moment later.
    """
    return {**queue_of(request), "kind__exact": task.kind}


def open_tasks(filters: dict[str, str]) -> QuerySet[ReviewTask]:
    return ReviewTask.objects.filter(status=ReviewTask.Status.OPEN, **filters)


def neighbour(task: ReviewTask, filters: dict[str, str], *, forward: bool) -> ReviewTask | None:
    """The next open task of the queue, or the one before; past the end it begins again."""
    rows = open_tasks(filters).exclude(pk=task.pk)
    step, order = ("gt", "lt") if forward else ("lt", "gt")
    beyond = (
        Q(**{f"risk__{order}": task.risk})
        | Q(risk=task.risk, **{f"created_at__{step}": task.created_at})
        | Q(risk=task.risk, created_at=task.created_at, **{f"pk__{step}": task.pk})
    )
    ordering = ("-risk", "created_at", "pk") if forward else ("risk", "-created_at", "-pk")
    rows = rows.order_by(*ordering)
    return rows.filter(beyond).first() or (rows.first() if forward else None)


def last_decided(request: HttpRequest) -> ReviewTask | None:
    """The decision just taken by this person, for taking it back."""
    pk = request.GET.get("decided", "")
    if not _is_id(pk):
        return None
    rows = ReviewTask.objects.select_related("match__candidate", "match__lead", "pitch__lead")
    return rows.filter(pk=pk, decided_by=user_of(request)).first()


def may_withdraw(task: ReviewTask) -> bool:
    """Whether a decision is of the sort that can be taken back; the work has the last word."""
    kinds = (ReviewTask.Kind.MATCH, ReviewTask.Kind.MESSAGE)
    return task.decision == ReviewTask.Decision.APPROVED and task.kind in kinds


def chosen_variants(request: HttpRequest) -> dict[int, int]:
    """The draft chosen for each message: ``{message id: variant id}``."""
    chosen = {}
    for name in request.POST:
        message, value = name.removeprefix("variant-"), str(request.POST.get(name, ""))
        if message != name and _is_id(message) and _is_id(value):
            chosen[int(message)] = int(value)
    return chosen


def _is_id(text: str) -> bool:
    """Whether it can be the id of a row: decimal digits, and no more than a row's id has."""
    return text.isascii() and text.isdecimal() and len(text) <= MOST_DIGITS


def sentences(error: Exception) -> list[str]:
    """What went wrong, as a person reads it."""
    if isinstance(error, review.NotApprovable):
        return error.problems
    return error.messages if isinstance(error, ValidationError) else [f"{error}"]


def seconds_taken(request: HttpRequest) -> int | None:
    """How long the page lay open before the decision, as far as the browser tells."""
    try:
        opened = datetime.fromisoformat(request.POST.get("opened", ""))
        seconds = (timezone.now() - opened).total_seconds()
    except (ValueError, TypeError):
        return None
    return round(seconds) if 0 <= seconds <= MOST_SECONDS else None
