"""Deciding: one function for every door, one transaction for the task and its target."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q, QuerySet

from campaigns.models import Campaign
from config.db import WrongStatus
from pitches import fingerprints, situations, stopping, writing
from pitches.models import Match, Message, Pitch, ReviewTask, Variant


class NotApprovable(Exception):
    """The text must not go out as it stands; ``problems`` says why, for a person."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("; ".join(problems))


class NoReason(ValueError):
    """A rejection needs a reason: it is what the next run and the next reader learn from."""


def queue() -> QuerySet[ReviewTask]:
    """The open decisions, riskiest and oldest first."""
    return ReviewTask.objects.filter(status=ReviewTask.Status.OPEN).order_by(
        "-risk", "created_at", "pk"
    )


# -- decisions ---------------------------------------------------------------------------------


def approve(
    task: ReviewTask,
    *,
    by: User,
    now: datetime,
    variants: Mapping[int, int] | None = None,
    reason: str = "",
    seconds: int | None = None,
) -> ReviewTask:
    """Say yes to a match or to the words of a pitch.

    ``variants`` chooses a variant (by id) per message (by id); the first one without a problem
    is taken where nothing is chosen. Raises WrongStatus if it was decided before, NotApprovable
    if the words may not go out.
    """
    with transaction.atomic():
        task = _open(task)
        if task.kind in (ReviewTask.Kind.MATCH, ReviewTask.Kind.MATCH_FIT):
            return _decide_match(
                task, Match.Decision.APPROVED, by=by, now=now, reason=reason, seconds=seconds
            )
        if task.kind == ReviewTask.Kind.MESSAGE:
            sha256 = _freeze(task, variants or {}, by=by, now=now)
            return _complete(
                task,
                ReviewTask.Decision.APPROVED,
                by=by,
                now=now,
                reason=reason,
                seconds=seconds,
                sha256=sha256,
            )
        return _complete(
            task, ReviewTask.Decision.APPROVED, by=by, now=now, reason=reason, seconds=seconds
        )


def reject(
    task: ReviewTask, *, by: User, now: datetime, reason: str, seconds: int | None = None
) -> ReviewTask:
    """Say no, with a reason. A match is declined and not suggested again; a pitch is rejected.

    Raises WrongStatus if it was decided before, NoReason without a reason.
    """
    if not reason.strip():
        raise NoReason("Say why: the reason is kept with the decision.")
    with transaction.atomic():
        task = _open(task)
        if task.kind in (ReviewTask.Kind.MATCH, ReviewTask.Kind.MATCH_FIT):
            return _decide_match(
                task, Match.Decision.DECLINED, by=by, now=now, reason=reason, seconds=seconds
            )
        if task.kind == ReviewTask.Kind.MESSAGE:
            _reject_words(task, reason=reason, now=now)
        return _complete(
            task, ReviewTask.Decision.REJECTED, by=by, now=now, reason=reason, seconds=seconds
        )


@dataclass(frozen=True, slots=True)
class Refused:
    """A task that could not be decided on as asked, and why."""

    task: ReviewTask
    cause: str


def approve_many(
    tasks: Iterable[ReviewTask], *, by: User, now: datetime
) -> tuple[int, list[Refused]]:
    """Approve each by itself; answers how many, and those that could not be."""
    return _each(tasks, lambda task: approve(task, by=by, now=now))


def reject_many(
    tasks: Iterable[ReviewTask], *, by: User, now: datetime, reason: str
) -> tuple[int, list[Refused]]:
    """Reject each by itself; answers how many, and those that could not be."""
    if not reason.strip():
        raise NoReason("Say why: the reason is kept with the decision.")
    return _each(tasks, lambda task: reject(task, by=by, now=now, reason=reason))


def _each(tasks: Iterable[ReviewTask], decide: Any) -> tuple[int, list[Refused]]:
    done, refused = 0, []
    for task in tasks:
        try:
            decide(task)
            done += 1
        except (WrongStatus, NotApprovable) as e:
            refused.append(Refused(task, str(e)))
    return done, refused


def _open(task: ReviewTask) -> ReviewTask:
    """The task under its lock, if it is still to be decided; raises WrongStatus."""
    task = ReviewTask.objects.select_for_update().get(pk=task.pk)
    if not task.is_open:
        raise WrongStatus(task, "decided", _decided_how(task))
    return task


def _decided_how(task: ReviewTask) -> str:
    who = f" by {task.decided_by}" if task.decided_by else ""
    return f"{task.get_decision_display() or task.get_status_display()}{who}"


def _complete(
    task: ReviewTask,
    decision: str,
    *,
    by: User | None,
    now: datetime,
    reason: str = "",
    seconds: int | None = None,
    sha256: str = "",
) -> ReviewTask:
    task.status = ReviewTask.Status.COMPLETED
    task.decision = decision
    task.reason = reason.strip()[:300]
    task.decided_by, task.decided_at = by, now
    task.decided_sha256, task.seconds_taken = sha256, seconds
    task.save()
    return task


# -- matches -----------------------------------------------------------------------------------

# Who has to have said yes before a match is approved (C09).
NEEDED = {
    Campaign.ApprovalPolicy.STAFF: ("staff",),
    Campaign.ApprovalPolicy.CLIENT: ("client",),
    Campaign.ApprovalPolicy.CLIENT_THEN_STAFF: ("client", "staff"),
    Campaign.ApprovalPolicy.BOTH: ("client", "staff"),
}


def _decide_match(
    task: ReviewTask,
    decision: str,
    *,
    by: User,
    now: datetime,
    reason: str,
    seconds: int | None,
) -> ReviewTask:
    """Record who said what.

    The match follows once the campaign's policy is met. Any no is a no.
    """
    match = Match.objects.select_for_update().select_related("campaign").get(pk=task.match_id)
    side = "staff" if by.is_staff else "client"
    _check_turn(match, side)
    for name, value in (("decision", decision), ("decided_by", by), ("decided_at", now)):
        setattr(match, f"{side}_{name}", value)
    match.save(update_fields=[f"{side}_decision", f"{side}_decided_by", f"{side}_decided_at"])
    if decision == Match.Decision.DECLINED:
        match.move(Match.Status.DECLINED, decline_reason=reason.strip()[:300])
        return _complete(
            task, ReviewTask.Decision.REJECTED, by=by, now=now, reason=reason, seconds=seconds
        )
    if _still_missing(match):
        return task
    match.move(Match.Status.APPROVED)
    return _complete(
        task, ReviewTask.Decision.APPROVED, by=by, now=now, reason=reason, seconds=seconds
    )


def _check_turn(match: Match, side: str) -> None:
    policy = Campaign.ApprovalPolicy(match.campaign.approval_policy)
    if side not in NEEDED[policy]:
        raise WrongStatus(
            match, "approved", f"decided by the {NEEDED[policy][0]} in this campaign"
        )
    if (
        policy == Campaign.ApprovalPolicy.CLIENT_THEN_STAFF
        and side == "staff"
        and not match.client_decision
    ):
        raise WrongStatus(match, "approved", "waiting for the client, who decides first")


def _still_missing(match: Match) -> list[str]:
    needed = NEEDED[Campaign.ApprovalPolicy(match.campaign.approval_policy)]
    return [
        side for side in needed if getattr(match, f"{side}_decision") != Match.Decision.APPROVED
    ]


# -- words
# ---------------------------------------------------------------------------------------


def drafts_of(task: ReviewTask) -> list[Message]:
    """The messages a task is about, in order: the whole sequence, or the one that is named."""
    rows = situations.readable(
        Message.objects.filter(pitch=task.pitch_id, status=Message.Status.DRAFT)
    )
    if task.message_id:
        rows = rows.filter(pk=task.message_id)
    return list(
        rows.prefetch_related("variants", "pitch__messages__variants").order_by("number", "pk")
    )


def chosen(message: Message, variants: Mapping[int, int]) -> Variant | None:
    """The variant somebody chose, else the first without a problem, else the first."""
    drafts = list(message.variants.all())
    if message.pk in variants:
        return next((draft for draft in drafts if draft.pk == variants[message.pk]), None)
    clean = (draft for draft in drafts if not writing.blocking(writing.of_variant(draft)))
    marked = (draft for draft in drafts if draft.is_chosen)
    return next(marked, None) or next(clean, None) or next(iter(drafts), None)


def _freeze(
    task: ReviewTask,
    variants: Mapping[int, int],
    *,
    by: User | None,
    now: datetime,
    policy: str = "",
) -> str:
    """Fix the words of all drafts of a task; the hash over them is what was decided on."""
    pitch = Pitch.objects.select_for_update().get(pk=task.pitch_id)
    drafts = drafts_of(task)
    if not drafts:
        raise WrongStatus(task, "approved", "without a draft: there is nothing left to approve")
    _check_words(drafts, variants)
    hashes = [
        _freeze_one(draft, chosen(draft, variants), by=by, now=now, policy=policy)
        for draft in drafts
    ]
    if pitch.status == Pitch.Status.DRAFT:
        pitch.move(Pitch.Status.APPROVED)
    return fingerprints.digest("\n".join(hashes))


def _check_words(drafts: list[Message], variants: Mapping[int, int]) -> None:
    found: list[str] = []
    for draft in drafts:
        variant = chosen(draft, variants)
        step = draft.step.name if draft.step else "message"
        if variant is None:
            found.append(f"{step}: the chosen variant is not one of this message's")
            continue
        problems = writing.blocking(writing.of_variant(variant))
        found += [f"{step}: {problem['detail']}" for problem in problems]
    if found:
        raise NotApprovable(found)


def _freeze_one(
    message: Message, variant: Variant | None, *, by: User | None, now: datetime, policy: str
) -> str:
    assert variant is not None
    message.variants.exclude(pk=variant.pk).update(is_chosen=False)
    message.variants.filter(pk=variant.pk).update(is_chosen=True)
    words = writing.words(message, variant)
    sha256 = fingerprints.of_words(
        message, subject=words.subject, body=words.body, html=words.html
    )
    message.move(
        Message.Status.APPROVED,
        subject=words.subject,
        body=words.body,
        html=words.html,
        to_address=message.pitch.address.value,
        approved_sha256=sha256,
        approved_at=now,
        approved_by=by,
        approved_policy=policy,
        hold_reason="",
        hold_until=None,
    )
    return sha256


def _reject_words(task: ReviewTask, *, reason: str, now: datetime) -> None:
    """Nothing of it goes out.

    A pitch that had not begun gives its matches back, decision kept.
    """
    drafts = Message.objects.filter(pitch=task.pitch_id)
    if task.message_id:
        stopping.cancel_messages(drafts.filter(pk=task.message_id), reason=reason)
        return
    pitch = Pitch.objects.select_for_update().get(pk=task.pitch_id)
    if pitch.status == Pitch.Status.ACTIVE:
        stopping.cancel_messages(drafts.filter(status=Message.Status.DRAFT), reason=reason)
        return
    stopping.cancel_messages(drafts, reason=reason)
    pitch.move(Pitch.Status.REJECTED, status_reason=reason.strip()[:300], ended_at=now)
    stopping.give_back_matches([pitch.pk])


def edit(variant: Variant, *, by: User, now: datetime, subject: str, body: str) -> Variant:
    """Change a draft's words; the original stays beside it. An approved message goes back to
    review.

    Raises WrongStatus once the message was claimed for sending.
    """
    with transaction.atomic():
        message = (
            Message.objects.select_for_update()
            .select_related("pitch")
            .get(pk=variant.message_id)
        )
        if message.status != Message.Status.DRAFT:
            _send_back(message, by=by)
        variant.subject, variant.body = subject[:300], body
        variant.edited_by, variant.edited_at = by, now
        variant.message = situations.readable(Message.objects.filter(pk=message.pk)).get()
        variant.problems = list(writing.of_variant(variant))
        variant.save(update_fields=["subject", "body", "edited_by", "edited_at", "problems"])
        return variant


def restore(variant: Variant, *, by: User, now: datetime) -> Variant:
    """Back to the words as they were written."""
    return edit(
        variant, by=by, now=now, subject=variant.original_subject, body=variant.original_body
    )


def withdraw(task: ReviewTask, *, by: User) -> ReviewTask:
    """Take back an approval given by mistake, as long as nothing was claimed for sending.

    Answers the new open task. Raises WrongStatus when it is too late.
    """
    with transaction.atomic():
        task = ReviewTask.objects.select_for_update().get(pk=task.pk)
        if task.decision != ReviewTask.Decision.APPROVED:
            raise WrongStatus(task, "withdrawn", _decided_how(task))
        if task.kind == ReviewTask.Kind.MATCH:
            return _withdraw_match(task)
        messages = _messages_of(task)
        late = [
            m
            for m in messages
            if m.status not in (Message.Status.APPROVED, Message.Status.QUEUED)
        ]
        if late or not messages:
            state = late[0].get_status_display() if late else "canceled"
            raise WrongStatus(task, "withdrawn", f"under way: a message is {state}")
        for message in messages:
            _send_back(message, by=by)
        return ReviewTask.objects.get(
            pitch=task.pitch_id, message=task.message_id, status=ReviewTask.Status.OPEN
        )


def _messages_of(task: ReviewTask) -> list[Message]:
    messages = Message.objects.select_for_update(of=("self",)).filter(pitch=task.pitch_id)
    if task.message_id:
        messages = messages.filter(pk=task.message_id)
    return list(messages.exclude(status=Message.Status.CANCELED).select_related("pitch"))


def _withdraw_match(task: ReviewTask) -> ReviewTask:
    match = Match.objects.select_for_update().get(pk=task.match_id)
    match.move(
        Match.Status.TO_REVIEW,
        only_if=Q(status=Match.Status.APPROVED),
        staff_decision="",
        staff_decided_by=None,
        staff_decided_at=None,
        client_decision="",
        client_decided_by=None,
        client_decided_at=None,
    )
    return ReviewTask.objects.create(
        kind=task.kind, campaign=task.campaign, match=match, risk=task.risk
    )


def _send_back(message: Message, *, by: User) -> None:
    """Approved words become a draft again, and somebody has to read them again."""
    message.move(
        Message.Status.DRAFT,
        approved_sha256="",
        approved_at=None,
        approved_by=None,
        approved_policy="",
        send_at=None,
    )
    pitch = Pitch.objects.select_for_update().get(pk=message.pitch_id)
    if pitch.status == Pitch.Status.APPROVED:
        pitch.move(Pitch.Status.DRAFT)
    whole = pitch.status == Pitch.Status.DRAFT
    ReviewTask.objects.get_or_create(
        kind=ReviewTask.Kind.MESSAGE,
        pitch=pitch,
        message=None if whole else message,
        status=ReviewTask.Status.OPEN,
        defaults={"campaign_id": pitch.campaign_id, "assignee": by, "risk": 5},
    )


# -- where a policy stands in for a reader -----------------------------------------------------


def approve_by_policy(pitches: Iterable[Pitch], *, now: datetime) -> int:
    """Approve what its campaign's policy lets out unread (C13).

    That is a template used unchanged, with no problem; the policy's name is recorded on every
    message. Answers how many pitches; the others keep their open task.
    """
    tasks = ReviewTask.objects.filter(
        status=ReviewTask.Status.OPEN,
        kind=ReviewTask.Kind.MESSAGE,
        pitch__in=list(pitches),
        campaign__review_policy=Campaign.ReviewPolicy.TEMPLATE_ONLY,
    )
    return sum(_approve_by_policy(task, now=now) for task in tasks)


def _approve_by_policy(task: ReviewTask, *, now: datetime) -> bool:
    policy = Campaign.ReviewPolicy.TEMPLATE_ONLY
    try:
        with transaction.atomic():
            task = _open(task)
            if not all(_is_template_unchanged(draft) for draft in drafts_of(task)):
                return False
            sha256 = _freeze(task, {}, by=None, now=now, policy=policy)
            reason = "approved template, unchanged"
            _complete(
                task,
                ReviewTask.Decision.APPROVED,
                by=None,
                now=now,
                reason=reason,
                sha256=sha256,
            )
            return True
    except (NotApprovable, WrongStatus):
        return False  # the task stays open, and the queue shows the problems


def _is_template_unchanged(message: Message) -> bool:
    variant = chosen(message, {})
    return bool(variant and variant.author == Variant.Author.OFFLINE and not variant.is_edited)
