"""Deciding: one function for every door, one transaction for the task and its target."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q, QuerySet

from campaigns.models import Campaign
from config.db import WrongStatus
from pitches import (
    attachments,
    decisions,
    fingerprints,
    settling,
    situations,
    stopping,
    writing,
)
from pitches.decisions import Reason
from pitches.models import FollowUpTask, Match, Message, Pitch, ReviewTask, Variant
from prospects import suppressions


class NotApprovable(Exception):
    """The text must not go out as it stands; ``problems`` says why, for a person."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("; ".join(problems))


class ChangedMeanwhile(WrongStatus):
    """Somebody changed the words after they were read: read them again."""

    def __init__(self, task: ReviewTask) -> None:
        super().__init__(task, "approved", "changed")
        told = "The words changed after you opened them. Read them again before deciding."
        self.args = (told,)


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
    seen: str | None = None,
) -> ReviewTask:
    """Say yes to a match or to the words of a pitch.

    ``seen`` is what ``shown`` answered when the words were read; if they changed since, this
    raises ChangedMeanwhile instead of approving what nobody read (REL-27).

    ``variants`` chooses a variant (by id) per message (by id); the first one without a problem
    is taken where nothing is chosen. Raises WrongStatus if it was decided before, NotApprovable
    if the words may not go out.
    """
    with transaction.atomic():
        task = _hold_open(task)
        if task.kind in (ReviewTask.Kind.MATCH, ReviewTask.Kind.MATCH_FIT):
            return _decide_match(
                task, Match.Decision.APPROVED, by=by, now=now, reason=reason, seconds=seconds
            )
        if task.kind == ReviewTask.Kind.MESSAGE:
            if seen is not None and seen != shown(task):
                raise ChangedMeanwhile(task)
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
        task = _hold_open(task)
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


def _hold_open(task: ReviewTask) -> ReviewTask:
    """The task under its lock, if it is still to be decided; raises WrongStatus."""
    task = _hold(task)
    if not task.is_open:
        raise WrongStatus(task, "decided", _decided_how(task))
    return task


def _hold(task: ReviewTask) -> ReviewTask:
    """The task's row, and before it its person and pitch: a stop takes them in that order and
    then closes the tasks.
    """
    if task.pitch_id:
        _lock_pitch(task.pitch_id)
    return ReviewTask.objects.select_for_update().get(pk=task.pk)


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
    assert task.match_id is not None
    match = (
        Match.objects.select_for_update(of=("self",))
        .select_related("campaign")
        .get(pk=task.match_id)
    )
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


# -- words -------------------------------------------------------------------------------------


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


def shown(task: ReviewTask) -> str:
    """A hash over what a reader of this task sees: recipient, sender, every draft's words and
    files.
    """
    told = [
        [
            draft.pk,
            draft.pitch.address.value,
            draft.sender.address,
            [
                [v.pk, v.subject, v.body]
                for v in sorted(draft.variants.all(), key=lambda v: v.number)
            ],
            attachments.planned(draft),
        ]
        for draft in drafts_of(task)
    ]
    return fingerprints.digest(json.dumps(told))


def _lock_pitch(pitch_id: int) -> Pitch:
    """The pitch under its person's lock, as stops and the gate take it; then its messages."""
    pitch = Pitch.objects.select_related("address").get(pk=pitch_id)
    stopping.lock_person(pitch.address.contact_id)
    locked: Pitch = Pitch.objects.select_for_update().get(pk=pitch_id)
    return locked


def _pitch_of(task: ReviewTask) -> Pitch:
    """As it is now; the task may have been read before its rows were locked."""
    assert task.pitch_id is not None
    return Pitch.objects.get(pk=task.pitch_id)


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
    """Fix the words of all drafts of a held task; the hash over them is what was decided on."""
    pitch = _pitch_of(task)
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
    found = _check_recipient(drafts[0].pitch)
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


def _check_recipient(pitch: Pitch) -> list[str]:
    """Nobody approves words to somebody who must not be written to (LAW-7)."""
    cause = suppressions.of_addresses([pitch.address]).get(pitch.address.value)
    if cause is None:
        return []
    return [decisions.sentence(Reason.SUPPRESSED, {"cause": cause.replace("_", " ")})]


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
        attachments=attachments.planned(message),
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

    A pitch from which nothing was handed over is rejected whole and gives its matches back,
    decision kept. Where something is out, only the drafts in question are canceled, and the
    later steps go on without them.
    """
    pitch = _pitch_of(task)
    messages = Message.objects.filter(pitch=pitch)
    is_first = task.message is None or task.message.number == 0
    if is_first and not messages.filter(status__in=Message.COUNTED).exists():
        stopping.cancel_messages(messages, reason=reason)
        pitch.move(Pitch.Status.REJECTED, status_reason=reason.strip()[:300], ended_at=now)
        stopping.give_back_matches([pitch.pk])
        return
    drafts = messages.filter(status=Message.Status.DRAFT)
    if task.message_id:
        drafts = drafts.filter(pk=task.message_id)
    steps = list(drafts.values_list("step", flat=True))
    stopping.cancel_messages(drafts, reason=reason)
    FollowUpTask.objects.filter(FollowUpTask.is_open(), pitch=pitch, step__in=steps).update(
        canceled_at=now, reason=reason.strip()[:300]
    )
    settling.end_if_nothing_is_left(pitch, now=now)


def edit(variant: Variant, *, by: User, now: datetime, subject: str, body: str) -> Variant:
    """Change a draft's words; the original stays beside it. An approved message goes back to
    review.

    Raises WrongStatus once the message was claimed for sending.
    """
    with transaction.atomic():
        pitch = _lock_pitch(variant.message.pitch_id)
        message = Message.objects.select_for_update().get(pk=variant.message_id)
        if message.status != Message.Status.DRAFT:
            _send_back(message)
            _ask_again(pitch, message=message, by=by)
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
        task = _hold(task)
        if task.decision != ReviewTask.Decision.APPROVED:
            raise WrongStatus(task, "withdrawn", _decided_how(task))
        if task.kind == ReviewTask.Kind.MATCH:
            return _withdraw_match(task)
        pitch = _pitch_of(task)
        messages = _messages_of(task, pitch)
        may = (Message.Status.APPROVED, Message.Status.QUEUED)
        late = [message for message in messages if message.status not in may]
        if late or not messages:
            state = late[0].get_status_display() if late else "canceled"
            raise WrongStatus(task, "withdrawn", f"under way: a message is {state}")
        for message in messages:
            _send_back(message)
        if pitch.status == Pitch.Status.APPROVED and task.message_id is None:
            pitch.move(Pitch.Status.DRAFT)
        return _ask_again(pitch, message=task.message, by=by)


def _messages_of(task: ReviewTask, pitch: Pitch) -> list[Message]:
    """What this task's approval let go; of a pitch under way only what has not left yet."""
    messages = Message.objects.select_for_update(of=("self",)).filter(pitch=pitch)
    if task.message_id:
        messages = messages.filter(pk=task.message_id)
    elif pitch.first_sent_at and task.decided_at and task.decided_at > pitch.first_sent_at:
        messages = messages.exclude(status__in=Message.COUNTED)
    return list(messages.exclude(status=Message.Status.CANCELED))


def _withdraw_match(task: ReviewTask) -> ReviewTask:
    assert task.match_id is not None
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


def _send_back(message: Message) -> None:
    """Approved words become a draft again."""
    message.move(
        Message.Status.DRAFT,
        approved_sha256="",
        approved_at=None,
        approved_by=None,
        approved_policy="",
        send_at=None,
    )


def _ask_again(pitch: Pitch, *, message: Message | None, by: User) -> ReviewTask:
    """Somebody has to read it again: the one message, or the whole sequence.

    The pitch itself stays approved while one of its messages is read again, so that what else
    was approved goes its way.
    """
    whole = ReviewTask.objects.filter(
        kind=ReviewTask.Kind.MESSAGE, pitch=pitch, message=None, status=ReviewTask.Status.OPEN
    ).first()
    if whole is not None:
        return whole
    task, _ = ReviewTask.objects.get_or_create(
        kind=ReviewTask.Kind.MESSAGE,
        pitch=pitch,
        message=message,
        status=ReviewTask.Status.OPEN,
        defaults={"campaign_id": pitch.campaign_id, "assignee": by, "risk": 5},
    )
    return task


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
            task = _hold_open(task)
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
